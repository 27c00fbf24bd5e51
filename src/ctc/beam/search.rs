//! One frame of the search.
//!
//! A prefix's probability is the sum over its alignments, kept apart by whether they end in blank, as products (not
//! logs) relative to the best prefix: a sum of logs would cost an exponential for each. Beside it runs its likeliest
//! alignment, for the places of its tokens.

use super::BeamConfig;
use super::scorer::{Scorer, WordState};
use super::trace::{Kept, ROOT, Run, Trace};
use crate::ctc::Emission;
use crate::ctc::lexicon::DEAD;
use crate::text::BLANK;
use serde::{Deserialize, Serialize};

/// Frames from one look for tokens that no live prefix doubts to the next.
const SETTLE_EVERY: u64 = 4;
/// Probabilities are scaled up when the best is below this.
const SMALLEST_BEST: f64 = 1e-60;
/// A candidate that is its parent itself.
const STAY: u32 = u32::MAX;

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
    finished: Option<(f32, WordState)>,
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

    /// The likelier alignment.
    pub fn path(&self) -> &Path {
        if self.label_path.prob > self.blank_path.prob { &self.label_path } else { &self.blank_path }
    }

    /// Probability of the alignments that `token` can follow (after itself only those that end in blank), and whether
    /// the likeliest of them ends in the label.
    fn before(&self, token: u32) -> (f64, bool) {
        if token == self.token {
            (self.blank, false)
        } else {
            (self.total(), self.label_path.prob > self.blank_path.prob)
        }
    }

    fn path_in(&self, label: bool) -> &Path {
        if label { &self.label_path } else { &self.blank_path }
    }

    fn scale(&mut self, factor: f64) {
        for value in [&mut self.blank, &mut self.label, &mut self.blank_path.prob, &mut self.label_path.prob] {
            *value *= factor;
        }
    }
}

/// A prefix of the next frame: `slot` itself, or `slot` with a token more.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    score: f32,
    slot: u32,
    token: u32,
}

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

/// Memory that is used again for each frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    tokens: Vec<(f32, u32)>,
    /// For each token the last prefix that has it live after it.
    extended: Vec<u32>,
    first_child: Vec<u32>,
    sibling: Vec<u32>,
    stays: Vec<Prefix>,
    candidates: Vec<Candidate>,
    next: Vec<Prefix>,
    /// Places made in this frame of the two alignments of each prefix.
    placed: Vec<[u32; 2]>,
    kept: Kept,
}

/// One frame's log-probs relative to its likeliest token's.
struct Frame<'a> {
    row: &'a [f32],
    best: f32,
    index: u64,
}

impl Frame<'_> {
    fn log(&self, token: u32) -> f32 {
        let value = self.row[token as usize] - self.best;
        if value.is_nan() { f32::NEG_INFINITY } else { value }
    }

    fn prob(&self, token: u32) -> f64 {
        f64::from(self.log(token)).exp()
    }
}

impl BeamState {
    /// Takes one frame. One without a finite value is passed over, as if it were blank.
    pub fn step(&mut self, row: &[f32], scorer: Scorer, scratch: &mut Scratch) {
        let best = row.iter().fold(f32::NEG_INFINITY, |best, &value| best.max(value));
        let frame = Frame { row, best, index: self.next_frame };
        self.next_frame += 1;
        if !best.is_finite() {
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
        self.offset += f64::from(best);
        self.advance(&frame, scorer, scratch);
        self.lead();
        if self.next_frame.is_multiple_of(SETTLE_EVERY) {
            self.agree(scratch);
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
            next.score = next.total().ln() as f32 + next.settled + next.pending;
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
            let letters = prefix.settled;
            let (after_any, after_blank) = (prefix.total().ln() as f32, prefix.blank.ln() as f32);
            for &(log_prob, token) in tokens.iter() {
                let own = if token == prefix.token { after_blank } else { after_any } + log_prob;
                if extended[token as usize] == slot || own == f32::NEG_INFINITY {
                    continue;
                }
                let finished = *prefix.finished.get_or_insert_with(|| scorer.finish(&prefix.word));
                let (settled, word) = scorer.extend(&prefix.word, token, &finished);
                let score = own + letters + settled + scorer.pending(&word);
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
            scratch.next.push(Prefix { score, ..next });
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
        let (mut leader, mut most) = (0, 0.0f64);
        for (slot, prefix) in self.prefixes.iter().enumerate() {
            most = most.max(prefix.total());
            if prefix.score > self.prefixes[leader].score {
                leader = slot;
            }
        }
        self.leader = leader;
        if most < SMALLEST_BEST && most > 0.0 {
            self.offset += most.ln();
            self.prefixes.iter_mut().for_each(|prefix| prefix.scale(1.0 / most));
        }
    }

    /// Moves the tokens that all prefixes have, and have done with, out of the trace, at the places that the leader
    /// gives them.
    pub fn agree(&mut self, scratch: &mut Scratch) {
        let root = self.trace.common(self.prefixes.iter().map(|prefix| prefix.node));
        let count = (self.trace.node(root).depth - self.trace.node(ROOT).depth) as usize;
        let already = self.agreed.len();
        let leader = &self.prefixes[self.leader];
        let path = leader.path();
        if count > 0 {
            self.trace.emissions(leader.node, path.run, path.chain, &mut self.agreed);
            self.agreed.truncate(already + count);
        }
        let base = leader.settled;
        self.offset += f64::from(base);
        let kept = &mut scratch.kept;
        self.trace.begin_compaction(root, kept);
        for prefix in &self.prefixes {
            self.trace.mark(prefix.node, [prefix.blank_path.chain, prefix.label_path.chain], kept);
        }
        self.trace.sweep(kept);
        for prefix in &mut self.prefixes {
            prefix.node = kept.node(prefix.node);
            prefix.blank_path.chain = kept.place(prefix.blank_path.chain);
            prefix.label_path.chain = kept.place(prefix.label_path.chain);
            prefix.settled -= base;
        }
    }
}

impl Scratch {
    fn begin_frame(&mut self, prefixes: usize) {
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

    /// The tokens likely enough to begin something new.
    fn choose_tokens(&mut self, frame: &Frame, config: &BeamConfig) {
        let least = frame.best - config.token_margin;
        self.extended.resize(frame.row.len(), DEAD);
        self.tokens.clear();
        for (token, &log_prob) in frame.row.iter().enumerate().skip(BLANK as usize + 1) {
            if log_prob >= least && log_prob > f32::NEG_INFINITY {
                self.tokens.push((log_prob - frame.best, token as u32));
            }
        }
        if self.tokens.len() > config.top_tokens {
            let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            self.tokens.select_nth_unstable_by(config.top_tokens - 1, order);
            self.tokens.truncate(config.top_tokens);
        }
    }

    /// Leaves the best `beam` candidates of those that score `floor` at least.
    fn prune(&mut self, floor: f32, beam: usize) {
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
