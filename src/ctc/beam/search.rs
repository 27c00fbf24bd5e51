//! One frame of the search.
//!
//! A prefix's probability is the sum over its alignments, kept apart by whether they end in blank, as products (not
//! logs) relative to the best prefix: a sum of logs would cost an exponential for each. Beside it runs its likeliest
//! alignment, for the places of its tokens.

use super::prefix::{Path, Prefix};
use super::scorer::Scorer;
use super::scratch::{Candidate, Frame, STAY, Scratch};
use super::trace::{ROOT, Run, Trace};
use crate::ctc::Emission;
use crate::ctc::lexicon::DEAD;
use crate::text::BLANK;
use serde::{Deserialize, Serialize};

/// Frames from one look for tokens that no live prefix doubts to the next.
const SETTLE_EVERY: u64 = 4;
/// Probabilities are scaled up when the best is below this.
const SMALLEST_BEST: f64 = 1e-60;

/// All that crosses a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BeamState {
    pub prefixes: Vec<Prefix>,
    /// Place of the prefix with the best score.
    pub leader: usize,
    pub trace: Trace,
    /// Tokens of the segment before the trace's root: all prefixes have them.
    pub agreed: Vec<Emission>,
    /// Natural log of what scores and probabilities are relative to.
    pub offset: f64,
    pub next_frame: u64,
}

impl BeamState {
    /// Takes one frame. One without a finite value is passed over, as if it were blank.
    pub fn step(&mut self, row: &[f32], scorer: Scorer, scratch: &mut Scratch) {
        let frame = Frame::new(row, scorer.bias(), self.next_frame);
        self.next_frame += 1;
        if !frame.best.is_finite() {
            return;
        }
        scratch.choose_tokens(&frame, scorer.config());
        self.stay(&frame, scratch);
        let floor = self.extend(scorer, scratch);
        scratch.prune(floor, scorer.config().beam);
        if scratch.candidates.is_empty() {
            // Nothing is possible after this frame: it is passed over too.
            return;
        }
        self.offset += f64::from(frame.best);
        self.advance(&frame, scorer, scratch);
        self.lead();
        if self.next_frame.is_multiple_of(SETTLE_EVERY) {
            self.agree(scorer, scratch);
        }
    }

    /// Every prefix without a new token, and with what its live parent's alignments add to it.
    fn stay(&mut self, frame: &Frame, scratch: &mut Scratch) {
        let count = self.prefixes.len();
        scratch.begin_frame(count);
        let blank = frame.prob(BLANK as u32);
        for slot in 0..count {
            let prefix = &self.prefixes[slot];
            let token = if prefix.token == BLANK as u32 { 0.0 } else { frame.prob(prefix.token) };
            let mut next = *prefix;
            next.blank = prefix.total() * blank;
            next.blank_path = Path { prob: prefix.path().prob * blank, ..*prefix.path() };
            next.label = prefix.label * token;
            next.label_path.prob = prefix.label_path.prob * token;
            let run = &mut next.label_path.run;
            (run.end, run.peak) = (frame.index + 1, run.peak.max(frame.row[prefix.token as usize]));
            if let Some(parent) = self.trace.live_parent(prefix.node) {
                scratch.sibling[slot] = scratch.first_child[parent as usize];
                scratch.first_child[parent as usize] = slot as u32;
                let before = &self.prefixes[parent as usize];
                let (prob, label) = before.before(prefix.token);
                next.label += prob * token;
                if before.path_in(label).prob * token > next.label_path.prob {
                    next.label_path = self.said(frame, next.token, parent, label, scratch);
                }
            }
            next.log_total = next.total().ln() as f32;
            next.score = next.log_total + next.settled + next.pending;
            scratch.stays.push(next);
        }
    }

    /// `token` after the alignment of the prefix at `slot` that ends in its label or in blank.
    fn said(&mut self, frame: &Frame, token: u32, slot: u32, label: bool, scratch: &mut Scratch) -> Path {
        let prefix = &self.prefixes[slot as usize];
        let path = prefix.path_in(label);
        let placed = &mut scratch.placed[slot as usize][usize::from(label)];
        if *placed == 0 && prefix.node != ROOT {
            *placed = self.trace.place(path.chain, path.run);
        }
        let run = Run { first: frame.index, end: frame.index + 1, peak: frame.row[token as usize] };
        Path { prob: path.prob * frame.prob(token), chain: *placed, run }
    }

    /// Collects what prefixes become with the frame's tokens and without. Returns the least score that can stay.
    fn extend(&mut self, scorer: Scorer, scratch: &mut Scratch) -> f32 {
        let Scratch { tokens, extended, first_child, sibling, stays, candidates, .. } = scratch;
        let config = scorer.config();
        let mut floor = f32::NEG_INFINITY;
        let mut worst = f32::INFINITY;
        for (slot, stay) in stays.iter().enumerate() {
            worst = worst.min(stay.score);
            floor = floor.max(stay.score - config.score_margin);
            if stay.score > f32::NEG_INFINITY {
                candidates.push(Candidate { score: stay.score, slot: slot as u32, token: STAY });
            }
        }
        if stays.len() >= config.beam {
            floor = floor.max(worst);
        }
        if tokens.is_empty() {
            return floor;
        }
        for slot in 0..self.prefixes.len() as u32 {
            let mut child = first_child[slot as usize];
            while child != DEAD {
                extended[self.prefixes[child as usize].token as usize] = slot;
                child = sibling[child as usize];
            }
            let prefix = &mut self.prefixes[slot as usize];
            let limits = scorer.limits(&prefix.word, prefix.finished.map(|(settled, _)| settled));
            for &(log_prob, token) in tokens.iter() {
                let own = prefix.settled + log_prob;
                if own + prefix.log_total + limits.any() < floor {
                    // The tokens after this one are less likely still.
                    break;
                }
                let own = own + if token == prefix.token { prefix.blank.ln() as f32 } else { prefix.log_total };
                if extended[token as usize] == slot
                    || own == f32::NEG_INFINITY
                    || own + limits.of(scorer.begins_word(token)) < floor
                {
                    continue;
                }
                let finished = *prefix.finished.get_or_insert_with(|| scorer.finish(&prefix.word));
                let (settled, word) = scorer.extend(&prefix.word, token, &finished);
                let score = own + settled + scorer.pending(&word);
                if score >= floor {
                    floor = floor.max(score - config.score_margin);
                    candidates.push(Candidate { score, slot, token });
                }
            }
        }
        floor
    }

    /// Makes the chosen candidates the live prefixes.
    fn advance(&mut self, frame: &Frame, scorer: Scorer, scratch: &mut Scratch) {
        for index in 0..scratch.candidates.len() {
            let Candidate { score, slot, token } = scratch.candidates[index];
            let next = if token == STAY {
                scratch.stays[slot as usize]
            } else {
                self.extended(frame, slot, token, scorer, scratch)
            };
            let log_total = score - next.settled - next.pending;
            scratch.next.push(Prefix { score, log_total, ..next });
        }
        self.prefixes.iter().for_each(|prefix| self.trace.set_live(prefix.node, DEAD));
        std::mem::swap(&mut self.prefixes, &mut scratch.next);
        self.link_live();
    }

    /// The prefix at `slot` with `token` after it.
    fn extended(&mut self, frame: &Frame, slot: u32, token: u32, scorer: Scorer, scratch: &mut Scratch) -> Prefix {
        let prefix = self.prefixes[slot as usize];
        let finished = prefix.finished.unwrap_or_else(|| scorer.finish(&prefix.word));
        let (settled, word) = scorer.extend(&prefix.word, token, &finished);
        let (prob, label) = prefix.before(token);
        let label_path = self.said(frame, token, slot, label, scratch);
        Prefix {
            node: self.trace.child(prefix.node, token),
            token,
            blank: 0.0,
            label: prob * frame.prob(token),
            log_total: 0.0,
            blank_path: Path::default(),
            label_path,
            settled: prefix.settled + settled,
            pending: scorer.pending(&word),
            score: 0.0,
            word,
            finished: None,
        }
    }

    /// Tells the trace which nodes are live.
    pub fn link_live(&mut self) {
        for (slot, prefix) in self.prefixes.iter().enumerate() {
            self.trace.set_live(prefix.node, slot as u32);
        }
    }

    /// Finds the leader and keeps the numbers in range.
    fn lead(&mut self) {
        let (mut leader, mut most, mut most_path) = (0, 0.0f64, 0.0f64);
        for (slot, prefix) in self.prefixes.iter().enumerate() {
            most = most.max(prefix.total());
            most_path = most_path.max(prefix.path().prob);
            if prefix.score > self.prefixes[leader].score {
                leader = slot;
            }
        }
        self.leader = leader;
        if most < SMALLEST_BEST && most > 0.0 {
            self.offset += most.ln();
            self.prefixes.iter_mut().for_each(|prefix| prefix.scale_down(most.ln()));
        }
        // The best single alignment falls faster than the sum over all: in minutes without a pause it would reach 0.
        if most_path < SMALLEST_BEST && most_path > 0.0 {
            self.prefixes.iter_mut().for_each(|prefix| prefix.scale_paths(most_path.recip()));
        }
    }
}
