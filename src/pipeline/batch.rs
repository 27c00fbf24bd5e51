//! A list of recordings, one after another: a bad one is reported and the others are done.

use crate::audio;
use crate::error::Result;
use crate::recognizer::{Recognizer, Transcript};
use std::path::{Path, PathBuf};

/// What came of one recording.
#[derive(Debug, Clone, PartialEq)]
pub struct FileTranscript {
    /// What was said.
    pub transcript: Transcript,
    /// What is missing, when the file ends before its header says; the transcript covers what is there.
    pub truncation: Option<String>,
}

/// How a list of recordings went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchSummary {
    /// Recordings transcribed as a whole.
    pub whole: usize,
    /// Recordings transcribed as far as they go.
    pub truncated: usize,
    /// Recordings that could not be transcribed.
    pub failed: usize,
}

impl BatchSummary {
    /// Counts one recording.
    pub(super) fn count(&mut self, result: &Result<FileTranscript>) {
        match result {
            Ok(FileTranscript { truncation: None, .. }) => self.whole += 1,
            Ok(_) => self.truncated += 1,
            Err(_) => self.failed += 1,
        }
    }
}

/// Transcribes `paths` in order and hands each result to `on_result` as soon as it is there. `chunk_ms` is the size of
/// the pushes (see [`Recognizer::transcribe`]); it does not change the transcripts.
///
/// # Errors
/// Only those of `on_result`, which end the run at once (a full disk behind the output, say).
pub fn transcribe_files<E>(
    recognizer: &Recognizer,
    paths: &[PathBuf],
    chunk_ms: Option<u32>,
    mut on_result: impl FnMut(&Path, Result<FileTranscript>) -> Result<(), E>,
) -> Result<BatchSummary, E> {
    let mut summary = BatchSummary::default();
    for path in paths {
        let result = transcribe_file(recognizer, path, chunk_ms);
        summary.count(&result);
        on_result(path, result)?;
    }
    Ok(summary)
}

fn transcribe_file(recognizer: &Recognizer, path: &Path, chunk_ms: Option<u32>) -> Result<FileTranscript> {
    let mut source = audio::open(path)?;
    let transcript = recognizer.transcribe(source.as_mut(), chunk_ms)?;
    Ok(FileTranscript { transcript, truncation: source.truncation().map(str::to_string) })
}
