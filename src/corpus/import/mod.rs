//! Corpora as others lay them out, to utterances with their recordings.
//!
//! Layer 4. What cannot be used is named with its file and line and left out; the rest goes on.

mod kaldi;
mod librispeech;
mod lines;
mod nemo;
mod tables;

use super::parallel::for_each_parallel;
use crate::audio;
use crate::error::{Error, Result};
use crate::text::normalize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Seconds that a part of a recording may reach beyond its end.
const TOLERANCE_SECONDS: f64 = 0.1;

/// The layouts there are, with the names that they have on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CorpusKind {
    /// SPEAKER/CHAPTER/*.trans.txt and recordings
    Librispeech,
    /// A table with path, sentence, client_id (TSV) and clips/
    CommonVoice,
    /// wav.scp, text, utt2spk, segments
    Kaldi,
    /// JSON lines with audio_filepath, text, duration, offset
    Nemo,
    /// A table with wav_filename, transcript (CSV)
    Deepspeech,
    /// metadata.csv and wavs/
    Ljspeech,
}

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Whether recordings are opened and measured; else only their presence is checked.
    pub durations: bool,
    /// Threads that open recordings.
    pub jobs: usize,
}

/// An utterance of a corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The recording.
    pub audio: PathBuf,
    /// Its text as the corpus has it.
    pub text: String,
    /// Who speaks.
    pub speaker: Option<String>,
    /// Where it begins in the recording, in seconds; `None` is the whole recording.
    pub offset: Option<f64>,
    /// Length in seconds.
    pub duration: Option<f64>,
    /// File and line that say so.
    pub place: (PathBuf, usize),
}

/// What an import comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Import {
    /// The utterances, in the corpus's order.
    pub utterances: Vec<Imported>,
    /// What was left out: file, line and reason of each.
    pub problems: Vec<String>,
}

impl Import {
    fn problem(&mut self, place: (&Path, usize), reason: impl Into<String>) {
        let (path, line) = (place.0.to_path_buf(), place.1);
        self.problems.push(Error::Manifest { path, line, reason: reason.into() }.to_string());
    }
}

/// Reads a corpus; `done` sees how many recordings of how many have been opened.
///
/// # Errors
/// When the corpus's own files are missing, or nothing of it can be used.
pub fn import(
    kind: CorpusKind,
    path: &Path,
    options: &ImportOptions,
    done: &(dyn Fn(usize, usize) + Sync),
) -> Result<Import> {
    if !path.exists() {
        let error = std::io::Error::new(std::io::ErrorKind::NotFound, "no such corpus folder or table");
        return Err(Error::io(path, error));
    }
    let mut read = match kind {
        CorpusKind::Librispeech => librispeech::read(path),
        CorpusKind::CommonVoice => tables::read_common_voice(path),
        CorpusKind::Kaldi => kaldi::read(path),
        CorpusKind::Nemo => nemo::read(path),
        CorpusKind::Deepspeech => tables::read_deepspeech(path),
        CorpusKind::Ljspeech => tables::read_ljspeech(path),
    }?;
    let listed = std::mem::take(&mut read.utterances);
    let recordings = recordings(&listed);
    let work = |recording: &&Path| measure(recording, options.durations);
    let lengths = for_each_parallel(&recordings, options.jobs, work, &|count| done(count, recordings.len()))?;
    let lengths: HashMap<&Path, Result<Option<f64>, String>> = recordings.iter().copied().zip(lengths).collect();
    for utterance in &listed {
        match fit(utterance, &lengths[utterance.audio.as_path()]) {
            Ok(utterance) => read.utterances.push(utterance),
            Err(reason) => read.problem((&utterance.place.0, utterance.place.1), reason),
        }
    }
    if read.utterances.is_empty() {
        let first = read.problems.first().map_or("it holds no utterance", String::as_str);
        return Err(Error::training(path, format!("nothing of this corpus can be used: {first}")));
    }
    Ok(read)
}

/// Every recording once.
fn recordings(listed: &[Imported]) -> Vec<&Path> {
    let mut all: Vec<&Path> = listed.iter().map(|utterance| utterance.audio.as_path()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Seconds of a recording, by its header where that says so; `None` where it was not asked for.
fn measure(path: &Path, durations: bool) -> Result<Option<f64>, String> {
    if !durations {
        let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error).to_string())?;
        return if metadata.is_file() { Ok(None) } else { Err(format!("{}: is no file", path.display())) };
    }
    let length = || -> Result<f64> {
        let mut source = audio::open(path)?;
        let samples = match source.length() {
            Some(samples) => samples,
            None => audio::count_samples(source.as_mut())?,
        };
        Ok(samples as f64 / f64::from(source.sample_rate()))
    };
    length().map(Some).map_err(|error| error.to_string())
}

/// The utterance with its length, if its text has words and it lies within its recording.
fn fit(utterance: &Imported, length: &Result<Option<f64>, String>) -> Result<Imported, String> {
    let length = length.clone()?;
    let name = utterance.audio.display();
    if normalize(&utterance.text).is_empty() {
        return Err(format!("{name}: the text {:?} has no words", utterance.text));
    }
    let mut utterance = utterance.clone();
    if let Some(length) = length {
        let offset = utterance.offset.unwrap_or(0.0);
        let end = offset + utterance.duration.filter(|_| utterance.offset.is_some()).unwrap_or(0.0);
        if offset >= length || end > length + TOLERANCE_SECONDS {
            return Err(format!("{name}: the part of {offset} to {end} s: must end by {length:.3} s"));
        }
        let rest = (length - offset).max(0.0);
        let part = utterance.offset.and(utterance.duration);
        utterance.duration = Some(part.map_or(rest, |duration| duration.min(rest)));
    }
    Ok(utterance)
}
