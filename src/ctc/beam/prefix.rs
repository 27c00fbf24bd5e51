//! A live prefix: its letters' worth and the probabilities of its alignments.

use super::scorer::WordState;
use super::trace::{ROOT, Run};
use serde::{Deserialize, Serialize};

/// Likeliest alignment of a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Path {
    pub prob: f64,
    /// Places of the tokens before the last.
    pub chain: u32,
    /// Place of the last token.
    pub run: Run,
}

/// A live prefix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Prefix {
    pub node: u32,
    pub token: u32,
    /// Probability of the alignments that end in blank.
    pub blank: f64,
    /// Probability of those that end in `token`.
    pub label: f64,
    /// Natural log of their sum.
    pub log_total: f32,
    pub blank_path: Path,
    pub label_path: Path,
    pub word: WordState,
    /// What its letters are worth for good.
    pub settled: f32,
    /// What they are worth until the next letter.
    pub pending: f32,
    /// The score's order; natural log.
    pub score: f32,
    /// The last word's end, once it was asked for.
    #[serde(skip)]
    pub finished: Option<(f32, WordState)>,
}

impl Prefix {
    /// The root of a segment: `token` is what the last one ended with.
    pub fn root(token: u32, blank: f64, label: f64, end: u64, word: WordState, pending: f32) -> Self {
        let run = Run { first: end.saturating_sub(1), end, peak: 0.0 };
        let path = |prob| Path { prob, chain: 0, run };
        let (blank_path, label_path) = (path(blank), path(label));
        Prefix {
            node: ROOT,
            token,
            blank,
            label,
            log_total: (blank + label).ln() as f32,
            blank_path,
            label_path,
            word,
            settled: 0.0,
            pending,
            score: pending,
            finished: None,
        }
    }

    pub fn total(&self) -> f64 {
        self.blank + self.label
    }

    /// Whether it meets the same future as `other`, with at least its score whatever comes.
    pub fn outdoes(&self, other: &Prefix) -> bool {
        if self.node == other.node || self.token != other.token || self.word != other.word {
            return false;
        }
        let ahead = f64::from(self.settled - other.settled).exp();
        self.blank * ahead >= other.blank && self.label * ahead >= other.label
    }

    /// The likelier alignment.
    pub fn path(&self) -> &Path {
        if self.label_path.prob > self.blank_path.prob { &self.label_path } else { &self.blank_path }
    }

    /// Probability of the alignments that `token` can follow (after itself only those that end in blank), and whether
    /// the likeliest of them ends in the label.
    pub fn before(&self, token: u32) -> (f64, bool) {
        if token == self.token {
            (self.blank, false)
        } else {
            (self.total(), self.label_path.prob > self.blank_path.prob)
        }
    }

    pub fn path_in(&self, label: bool) -> &Path {
        if label { &self.label_path } else { &self.blank_path }
    }

    /// Multiplies the sums over alignments by `e^-log`.
    pub fn scale_down(&mut self, log: f64) {
        let factor = (-log).exp();
        self.log_total -= log as f32;
        self.blank *= factor;
        self.label *= factor;
    }

    /// Multiplies the single alignments' probabilities.
    pub fn scale_paths(&mut self, factor: f64) {
        self.blank_path.prob *= factor;
        self.label_path.prob *= factor;
    }
}
