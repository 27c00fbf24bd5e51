//! Every recording read once, and what each line hears of it.
//!
//! Layer 4. A recording that many lines name, whole or in parts, is decoded once; memory does not grow with its length.

use super::Line;
use super::finding::{FindingKind, Flaw};
use crate::audio::{self, Part};
use crate::corpus::{Utterance, cut_short, for_each_parallel};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The manifest's duration may be off by so much of the real one, and by `DURATION_SECONDS`; both must be exceeded.
const DURATION_SHARE: f64 = 0.02;
/// See [`DURATION_SHARE`]: durations are written down rounded.
const DURATION_SECONDS: f64 = 0.05;

/// SHA-256 of a file's bytes.
type FileDigest = [u8; 32];

/// The sound that a line names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    /// The file, by content.
    pub digest: FileDigest,
    /// The part of it.
    pub samples: Range<u64>,
    pub sample_rate: u32,
}

impl Heard {
    /// Length in samples.
    pub fn len(&self) -> u64 {
        self.samples.end - self.samples.start
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.len() as f64 / f64::from(self.sample_rate)
    }
}

/// A recording that was read to its end.
struct Recording {
    digest: FileDigest,
    samples: u64,
    sample_rate: u32,
    truncation: Option<String>,
}

/// Reads the recordings of all lines on `jobs` threads and gives each line what it hears, or a finding.
///
/// # Errors
/// When a thread cannot be started.
pub(super) fn hear(lines: &mut [Line], jobs: usize, done: &(dyn Fn(usize, usize) + Sync)) -> Result<Vec<Flaw>> {
    let paths: Vec<Option<PathBuf>> = lines.iter().map(|line| line.utterance.as_ref().ok().map(resolved)).collect();
    let mut files: Vec<&PathBuf> = paths.iter().flatten().collect();
    files.sort_unstable();
    files.dedup();
    let read = |path: &&PathBuf| Recording::read(path).map_err(|error| reason(&error));
    let recordings = for_each_parallel(&files, jobs, read, &|count| done(count, files.len()))?;
    let recordings: HashMap<&PathBuf, Result<Recording, String>> = files.into_iter().zip(recordings).collect();
    let mut flaws = Vec::new();
    for (place, (line, path)) in lines.iter_mut().zip(&paths).enumerate() {
        let (Ok(utterance), Some(path)) = (&line.utterance, path) else { continue };
        match recordings[path].as_ref().map_err(String::clone).and_then(|recording| recording.heard_by(utterance)) {
            Ok(heard) => line.heard = Some(heard),
            Err(reason) => flaws.push(Flaw { line: place, kind: FindingKind::UnreadableAudio, reason }),
        }
    }
    Ok(flaws)
}

/// The recording, links followed; as it stands where there is none.
fn resolved(utterance: &Utterance) -> PathBuf {
    utterance.audio.canonicalize().unwrap_or_else(|_| utterance.audio.clone())
}

/// An error without the file's name, which stands before it.
fn reason(error: &Error) -> String {
    match error {
        Error::Audio { reason, .. } => reason.clone(),
        Error::Io { error, .. } => error.to_string(),
        other => other.to_string(),
    }
}

impl Recording {
    fn read(path: &Path) -> Result<Self> {
        let mut source = audio::open(path)?;
        let samples = audio::count_samples(source.as_mut())?;
        let (sample_rate, truncation) = (source.sample_rate(), source.truncation().map(str::to_string));
        Ok(Recording { digest: digest(path)?, samples, sample_rate, truncation })
    }

    /// What training would read for the utterance.
    fn heard_by(&self, utterance: &Utterance) -> Result<Heard, String> {
        let path = &utterance.audio;
        let whole = Part { samples: 0..self.samples, reaches_end: true, truncation: None };
        let locate = |offset| Part::locate(path, self.samples, self.sample_rate, offset, utterance.duration);
        let part = utterance.offset.map_or(Ok(whole), locate).map_err(|error| reason(&error))?;
        let cut = part.truncation.as_ref().or(self.truncation.as_ref().filter(|_| part.reaches_end));
        match cut {
            Some(missing) => Err(reason(&cut_short(path, missing))),
            None => Ok(Heard { digest: self.digest, samples: part.samples, sample_rate: self.sample_rate }),
        }
    }
}

fn digest(path: &Path) -> Result<FileDigest> {
    let io = |error| Error::io(path, error);
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
    let mut hash = Sha256::new();
    loop {
        let bytes = file.fill_buf().map_err(io)?;
        if bytes.is_empty() {
            return Ok(hash.finalize().into());
        }
        hash.update(bytes);
        let read = bytes.len();
        file.consume(read);
    }
}

/// Durations that the manifest has wrong.
pub(super) fn wrong_durations(lines: &[Line]) -> Vec<Flaw> {
    let check = |(place, line): (usize, &Line)| {
        let (stated, real) = (line.utterance.as_ref().ok()?.duration?, line.heard.as_ref()?.seconds());
        let off = (stated - real).abs();
        let reason = format!("duration = {stated:.3}: the recording has {real:.3} s");
        (off > DURATION_SECONDS && off > DURATION_SHARE * real).then_some(Flaw {
            line: place,
            kind: FindingKind::WrongDuration,
            reason,
        })
    };
    lines.iter().enumerate().filter_map(check).collect()
}
