//! The preflight of manifests: what training would refuse, what would spoil it, and what a person should know.
//!
//! Layer 4. Every recording is decoded once. Findings that are faults leave their line out of the cleaned manifest;
//! notes do not. What training refuses is decided by the same rules here (`manifest.rs`, `fit.rs`, the token table).

mod clean;
mod duplicates;
mod finding;
mod labels;
mod overlap;
mod rate;
mod recording;

pub use clean::refuse_input;
pub use finding::{Finding, FindingKind};
pub use overlap::SharedSentences;

use super::manifest::{BadLine, Manifest, ManifestLine, Utterance};
use super::{OutputRate, all_cores};
use crate::error::{Error, Result};
use crate::frontend::FrontEndConfig;
use crate::text::TokenTable;
use finding::Flaw;
use recording::Heard;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How to check.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The tokens that texts must be spelled with; `None` takes the letters that the texts use.
    pub tokens: Option<TokenTable>,
    /// What makes output frames of samples.
    pub rate: OutputRate,
    /// Threads that decode.
    pub jobs: usize,
}

/// The usual front end, 3 frames stacked, natural speed, all cores.
impl Default for CheckOptions {
    fn default() -> Self {
        CheckOptions { tokens: None, rate: OutputRate::new(FrontEndConfig::default(), 3, 1.0), jobs: all_cores() }
    }
}

/// What one manifest comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManifestTotals {
    /// The file.
    pub path: PathBuf,
    /// Lines without a fault.
    pub good: usize,
    /// Lines with one or more.
    pub bad: usize,
    /// Length of the good ones.
    pub good_seconds: f64,
    /// Length of the bad ones, as the manifest states it where the recording cannot be read.
    pub bad_seconds: f64,
}

/// What the check comes to.
#[derive(Debug, Clone)]
pub struct Report {
    /// In the order of the lines.
    pub findings: Vec<Finding>,
    /// In the order that was given.
    pub manifests: Vec<ManifestTotals>,
    /// Sentences that manifests have in common.
    pub shared: Vec<SharedSentences>,
    /// How often the normalized texts use each character; empty where a token table was given.
    pub characters: BTreeMap<char, usize>,
    lines: Vec<Line>,
}

/// A line of one of the manifests.
#[derive(Debug, Clone)]
struct Line {
    /// Place of its manifest in the list.
    manifest: usize,
    number: usize,
    json: String,
    utterance: Result<Utterance, BadLine>,
    /// `None` where there is nothing to hear.
    heard: Option<Heard>,
    is_good: bool,
}

impl Line {
    /// Normalized text; `None` for noise and bad lines.
    fn text(&self) -> Option<&str> {
        self.utterance.as_ref().ok()?.text.as_deref()
    }

    fn audio(&self) -> Option<&Path> {
        match &self.utterance {
            Ok(utterance) => Some(&utterance.audio),
            Err(bad) => bad.audio.as_deref(),
        }
    }

    fn seconds(&self) -> f64 {
        let stated = || self.utterance.as_ref().ok()?.duration;
        self.heard.as_ref().map(Heard::seconds).or_else(stated).unwrap_or(0.0)
    }
}

/// Checks manifests; `done` sees how many recordings of how many have been decoded.
///
/// # Errors
/// When a manifest cannot be read, holds no line, or is given twice.
pub fn check(manifests: &[PathBuf], options: &CheckOptions, done: &(dyn Fn(usize, usize) + Sync)) -> Result<Report> {
    let mut lines = Vec::new();
    for (manifest, path) in manifests.iter().enumerate() {
        refuse_input(path, manifests[..manifest].iter().map(PathBuf::as_path))
            .map_err(|_| Error::training(path, "is given twice: name each manifest once"))?;
        let read = Manifest::lines(path)?;
        if read.is_empty() {
            return Err(Error::training(path, "is empty: a manifest has a JSON object a line"));
        }
        lines.extend(read.into_iter().map(|line| taken(manifest, path, line)));
    }
    let mut flaws = bad_lines(&lines);
    flaws.extend(recording::hear(&mut lines, options.jobs, done)?);
    flaws.extend(recording::wrong_durations(&lines));
    flaws.extend(duplicates::duplicates(&lines, manifests));
    flaws.extend(rate::odd_rates(&lines, manifests.len()));
    let characters = match &options.tokens {
        Some(tokens) => {
            flaws.extend(labels::misfits(&lines, tokens, &options.rate));
            BTreeMap::new()
        }
        None => {
            let characters = labels::characters(&lines);
            let tokens = TokenTable::characters(lines.iter().filter_map(Line::text))?;
            flaws.extend(labels::misfits(&lines, &tokens, &options.rate));
            flaws.extend(labels::rare_characters(&lines, &characters));
            characters
        }
    };
    let shared = overlap::shared_sentences(&lines, manifests.len());
    let (findings, manifests) = (told(flaws, &mut lines, manifests), totals(&lines, manifests));
    Ok(Report { findings, manifests, shared, characters, lines })
}

fn taken(manifest: usize, path: &Path, line: ManifestLine) -> Line {
    let folder = path.parent().unwrap_or(Path::new(""));
    let under = |bad: BadLine| BadLine { audio: bad.audio.map(|audio| folder.join(audio)), ..bad };
    let ManifestLine { number, json, utterance } = line;
    Line { manifest, number, json, utterance: utterance.map_err(under), heard: None, is_good: true }
}

fn bad_lines(lines: &[Line]) -> Vec<Flaw> {
    let flaw = |(line, bad): (usize, &BadLine)| {
        let kind = if bad.empty_text { FindingKind::EmptyText } else { FindingKind::BadLine };
        Flaw { line, kind, reason: bad.reason.clone() }
    };
    lines
        .iter()
        .enumerate()
        .filter_map(|(place, line)| Some((place, line.utterance.as_ref().err()?)))
        .map(flaw)
        .collect()
}

/// The findings in order; lines with a fault are good no more.
fn told(mut flaws: Vec<Flaw>, lines: &mut [Line], manifests: &[PathBuf]) -> Vec<Finding> {
    flaws.sort_by_key(|flaw| (flaw.line, flaw.kind));
    let tell = |Flaw { line: place, kind, reason }: Flaw| {
        let line = &mut lines[place];
        line.is_good &= !kind.is_fault();
        let audio = line.audio().map(Path::to_path_buf);
        Finding { manifest: manifests[line.manifest].clone(), line: line.number, audio, kind, reason }
    };
    flaws.into_iter().map(tell).collect()
}

fn totals(lines: &[Line], manifests: &[PathBuf]) -> Vec<ManifestTotals> {
    let empty = |path: &PathBuf| ManifestTotals { path: path.clone(), ..ManifestTotals::default() };
    let mut totals: Vec<ManifestTotals> = manifests.iter().map(empty).collect();
    for line in lines {
        let total = &mut totals[line.manifest];
        let (count, seconds) = match line.is_good {
            true => (&mut total.good, &mut total.good_seconds),
            false => (&mut total.bad, &mut total.bad_seconds),
        };
        *count += 1;
        *seconds += line.seconds();
    }
    totals
}
