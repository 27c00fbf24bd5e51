//! A list of files, one after another; a bad one loses no other.
//!
//! Layer 7.

use crate::audio;
use crate::error::Result;
use crate::recognizer::{Recognizer, Transcript};
use std::path::{Path, PathBuf};

/// What became of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcribed {
    /// The words.
    pub transcript: Transcript,
    /// What was missing, when the file is shorter than its header says.
    pub truncation: Option<String>,
}

/// Transcribes `paths` in order and hands each outcome to `each`, whose error ends the list.
///
/// # Errors
/// What `each` returns (a closed standard output, say).
pub fn transcribe_files<E>(
    recognizer: &Recognizer,
    paths: &[PathBuf],
    chunk_ms: Option<u32>,
    each: &mut dyn FnMut(&Path, Result<Transcribed>) -> Result<(), E>,
) -> Result<(), E> {
    paths.iter().try_for_each(|path| each(path, transcribe_file(recognizer, path, chunk_ms)))
}

fn transcribe_file(recognizer: &Recognizer, path: &Path, chunk_ms: Option<u32>) -> Result<Transcribed> {
    let mut source = audio::open(path)?;
    let transcript = recognizer.transcribe(source.as_mut(), chunk_ms)?;
    Ok(Transcribed { transcript, truncation: source.truncation().map(str::to_string) })
}
