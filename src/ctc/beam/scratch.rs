//! What lives for one frame: its log-probs, the candidates, and memory that is used again.

use super::BeamConfig;
use super::prefix::Prefix;
use super::trace::Kept;
use crate::ctc::lexicon::DEAD;
use crate::text::BLANK;

/// A candidate that is its parent itself.
pub(super) const STAY: u32 = u32::MAX;

/// One frame's log-probs with what the search adds to each, relative to the highest.
pub(super) struct Frame<'a> {
    pub row: &'a [f32],
    /// Added to each of `row`.
    bias: &'a [f32],
    /// The highest sum of the two.
    pub best: f32,
    pub index: u64,
}

impl<'a> Frame<'a> {
    pub fn new(row: &'a [f32], bias: &'a [f32], index: u64) -> Self {
        let sums = row.iter().zip(bias).map(|(value, bias)| value + bias);
        Frame { row, bias, best: sums.fold(f32::NEG_INFINITY, f32::max), index }
    }

    fn log(&self, token: u32) -> f32 {
        let value = self.row[token as usize] + self.bias[token as usize] - self.best;
        if value.is_nan() { f32::NEG_INFINITY } else { value }
    }

    pub fn prob(&self, token: u32) -> f64 {
        f64::from(self.log(token).exp())
    }
}

/// A prefix of the next frame: `slot` itself, or `slot` with a token more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub score: f32,
    pub slot: u32,
    pub token: u32,
}

/// Memory that is used again for each frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    pub tokens: Vec<(f32, u32)>,
    /// For each token the last prefix that has it live after it.
    pub extended: Vec<u32>,
    pub first_child: Vec<u32>,
    pub sibling: Vec<u32>,
    pub stays: Vec<Prefix>,
    pub candidates: Vec<Candidate>,
    pub next: Vec<Prefix>,
    /// Places made in this frame of the two alignments of each prefix.
    pub placed: Vec<[u32; 2]>,
    pub kept: Kept,
    /// Slots in the order in which they may be dropped, and whether they are.
    pub order: Vec<u32>,
    pub dropped: Vec<bool>,
}

impl Scratch {
    pub fn begin_frame(&mut self, prefixes: usize) {
        for list in [&mut self.first_child, &mut self.sibling] {
            list.clear();
            list.resize(prefixes, DEAD);
        }
        self.placed.clear();
        self.placed.resize(prefixes, [0; 2]);
        self.extended.fill(DEAD);
        self.stays.clear();
        self.candidates.clear();
        self.next.clear();
    }

    /// The tokens likely enough to begin something new, likeliest first.
    pub fn choose_tokens(&mut self, frame: &Frame, config: &BeamConfig) {
        self.extended.resize(frame.row.len(), DEAD);
        self.tokens.clear();
        for token in BLANK as u32 + 1..frame.row.len() as u32 {
            let log_prob = frame.log(token);
            if log_prob >= -config.token_margin && log_prob > f32::NEG_INFINITY {
                self.tokens.push((log_prob, token));
            }
        }
        let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if self.tokens.len() > config.top_tokens {
            self.tokens.select_nth_unstable_by(config.top_tokens - 1, order);
            self.tokens.truncate(config.top_tokens);
        }
        self.tokens.sort_unstable_by(order);
    }

    /// Leaves the best `beam` candidates of those that score `floor` at least.
    pub fn prune(&mut self, floor: f32, beam: usize) {
        self.candidates.retain(|candidate| candidate.score >= floor);
        if self.candidates.len() > beam {
            let order = |a: &Candidate, b: &Candidate| {
                b.score.total_cmp(&a.score).then((a.slot, a.token).cmp(&(b.slot, b.token)))
            };
            self.candidates.select_nth_unstable_by(beam - 1, order);
            self.candidates.truncate(beam);
        }
    }
}
