//! CTC prefix beam search with a word n-gram model and hot words, streaming.
//!
//! A prefix is what an alignment says when repeats are merged and blanks dropped; its score is the natural log of the
//! sum over its alignments, plus `alpha` times the language model's log-prob of its words, plus `beta` for each word,
//! plus its hot words' boosts, less a penalty for each blank and a share of its
//! tokens' log-priors. Words outside the vocabulary are spelled letter by letter, scored as `<unk>` less a
//! penalty for each letter. Every frame costs the same however long the session is: tokens that all live prefixes have
//! leave the search (they are [`Decoder::agreed`]), and what no prefix reaches is dropped.
//!
//! The language model's history goes on over the end of a segment, since a pause is not the end of a sentence; a
//! session begins at the begin of a sentence.
//!
//! Source: Graves 2012, "Supervised sequence labelling", section 7.5 (prefix search); Hannun et al. 2014, "First-pass
//! large vocabulary continuous speech recognition using bi-directional recurrent DNNs", algorithm 1.

mod agree;
mod config;
mod prefix;
mod scorer;
mod scratch;
mod search;
mod trace;

pub use config::{BeamConfig, CommitConfig};
pub use scorer::BeamSearch;

use super::hotwords::HotWords;
use super::{Decoder, Emission, Hypothesis};
use crate::error::{Error, Result};
use crate::stage::Frames;
use crate::text::BLANK;
use prefix::Prefix;
use scorer::Scorer;
use scratch::Scratch;
use search::BeamState;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use trace::{ROOT, Trace};

/// A session's search. A clone goes on by itself.
#[derive(Debug, Clone)]
pub struct BeamDecoder {
    search: Arc<BeamSearch>,
    hot: Arc<HotWords>,
    state: BeamState,
    scratch: Scratch,
}

/// All that a [`BeamDecoder`] needs to go on, without what it shares with others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeamSnapshot {
    search: u64,
    state: BeamState,
}

/// Hypotheses with the same text.
struct SameText {
    /// The best of them.
    slot: usize,
    best: f64,
    /// Natural log of their sum.
    sum: f64,
}

impl BeamDecoder {
    /// A search that has heard nothing, with hot words of the same `search`.
    pub fn new(search: Arc<BeamSearch>, hot: Arc<HotWords>) -> Self {
        let scorer = Scorer::new(&search, &hot);
        let word = scorer.start();
        let root = Prefix::root(BLANK as u32, 1.0, 0.0, 0, word, scorer.pending(&word));
        let mut state = BeamState {
            prefixes: vec![root],
            leader: 0,
            trace: Trace::new(BLANK as u32),
            agreed: Vec::new(),
            offset: 0.0,
            next_frame: 0,
        };
        state.link_live();
        BeamDecoder { search, hot, state, scratch: Scratch::default() }
    }

    /// The state as it is, to be written.
    pub fn snapshot(&self) -> BeamSnapshot {
        BeamSnapshot { search: self.search.fingerprint(&self.hot), state: self.state.clone() }
    }

    /// A decoder of the same search and hot words that goes on from a snapshot.
    ///
    /// # Errors
    /// When the snapshot was taken with other settings, language model or hot words, or is damaged.
    pub fn restore(&self, snapshot: BeamSnapshot) -> Result<BeamDecoder> {
        let BeamSnapshot { search, mut state } = snapshot;
        if search != self.search.fingerprint(&self.hot) {
            let reason = "this snapshot was taken with another decoder, language model or list of hot words";
            return Err(Error::Shape(reason.into()));
        }
        if !self.fits(&state) {
            return Err(Error::Shape("this snapshot of a beam search is damaged".into()));
        }
        state.trace.relink();
        state.link_live();
        Ok(BeamDecoder { search: self.search.clone(), hot: self.hot.clone(), state, scratch: Scratch::default() })
    }

    /// Entries held beside the agreed tokens; bounded by the beam, not by the session's length.
    pub fn size(&self) -> usize {
        self.state.trace.size() + self.state.prefixes.len()
    }

    fn fits(&self, state: &BeamState) -> bool {
        let scorer = Scorer::new(&self.search, &self.hot);
        let prefix_fits = |prefix: &Prefix| {
            state.trace.has(prefix.node, [prefix.blank_path.chain, prefix.label_path.chain])
                && prefix.token == state.trace.node(prefix.node).token
                && prefix.total() > 0.0
                && prefix.total().is_finite()
                && scorer.fits(&prefix.word)
        };
        state.leader < state.prefixes.len()
            && state.trace.is_sound(self.search.spelling.tokens())
            && state.prefixes.iter().all(prefix_fits)
    }

    fn scorer(&self) -> Scorer<'_> {
        Scorer::new(&self.search, &self.hot)
    }

    fn leader(&self) -> &Prefix {
        &self.state.prefixes[self.state.leader]
    }

    fn emissions(&self, prefix: &Prefix) -> Vec<Emission> {
        let mut emissions = self.state.agreed.clone();
        let path = prefix.path();
        self.state.trace.emissions(prefix.node, path.run, path.chain, &mut emissions);
        emissions
    }

    /// Natural log of a prefix's score with its last word ended.
    fn final_score(&self, prefix: &Prefix) -> f64 {
        let end = self.scorer().finish(&prefix.word).0;
        self.state.offset + prefix.total().ln() + f64::from(prefix.settled + end)
    }

    /// Letters after the agreed tokens, with one border between words and none at the end.
    fn letters(&self, prefix: &Prefix) -> Vec<u16> {
        let spelling = &self.search.spelling;
        let tokens: Vec<u32> = self.state.trace.tokens(prefix.node).collect();
        // A letter of the agreed part stands for it, so that a border after it counts.
        let agreed = self.state.agreed.last().filter(|last| !spelling.letters(last.token as u32).is_empty());
        let mut letters: Vec<u16> = agreed.map(|_| 0).into_iter().collect();
        for &token in tokens.iter().rev() {
            if spelling.begins_word(token) && letters.last().is_some_and(|&last| last != spelling.border()) {
                letters.push(spelling.border());
            }
            letters.extend_from_slice(spelling.letters(token));
        }
        letters.pop_if(|last| *last == spelling.border());
        letters
    }

    /// Texts of the live prefixes, likeliest first, as if the segment ended here.
    fn ranked(&self) -> Vec<SameText> {
        let mut texts: HashMap<Vec<u16>, usize> = HashMap::new();
        let mut ranked: Vec<SameText> = Vec::new();
        for (slot, prefix) in self.state.prefixes.iter().enumerate() {
            let score = self.final_score(prefix);
            let place = *texts.entry(self.letters(prefix)).or_insert(ranked.len());
            let Some(same) = ranked.get_mut(place) else {
                ranked.push(SameText { slot, best: score, sum: score });
                continue;
            };
            let (high, low) = if score > same.sum { (score, same.sum) } else { (same.sum, score) };
            same.sum = high + (low - high).exp().ln_1p();
            if score > same.best {
                (same.slot, same.best) = (slot, score);
            }
        }
        ranked.sort_by(|a, b| b.sum.total_cmp(&a.sum));
        ranked
    }
}

impl Decoder for BeamDecoder {
    fn push(&mut self, log_probs: &Frames) -> Result<()> {
        let tokens = self.search.spelling.tokens();
        if log_probs.dim != tokens {
            return Err(Error::Shape(format!("log-probs of {} tokens: must be {tokens}", log_probs.dim)));
        }
        let scorer = Scorer::new(&self.search, &self.hot);
        for row in log_probs.rows() {
            self.state.step(row, scorer, &mut self.scratch);
        }
        Ok(())
    }

    fn best(&self, n: usize) -> Vec<Hypothesis> {
        let hypothesis = |same: &SameText| Hypothesis {
            emissions: self.emissions(&self.state.prefixes[same.slot]),
            log_prob: same.sum,
        };
        self.ranked().iter().take(n).map(hypothesis).collect()
    }

    fn current(&self) -> Hypothesis {
        let leader = self.leader();
        let log_prob = self.state.offset + leader.total().ln() + f64::from(leader.settled);
        Hypothesis { emissions: self.emissions(leader), log_prob }
    }

    fn agreed(&self) -> usize {
        self.state.agreed.len()
    }

    fn has_tokens(&self) -> bool {
        !self.state.agreed.is_empty() || self.leader().node != ROOT
    }

    fn trailing_blanks(&self) -> u64 {
        self.state.next_frame.saturating_sub(self.leader().path().run.end)
    }

    fn frames(&self) -> u64 {
        self.state.next_frame
    }

    fn end_segment(&mut self) {
        let slot = self.ranked().first().map_or(self.state.leader, |best| best.slot);
        let best = self.state.prefixes[slot];
        let scorer = Scorer::new(&self.search, &self.hot);
        let word = scorer.next_segment(&best.word);
        let (blank, label, end) = (best.blank / best.total(), best.label / best.total(), best.path().run.end);
        self.state.prefixes.clear();
        self.state.prefixes.push(Prefix::root(best.token, blank, label, end, word, scorer.pending(&word)));
        self.state.trace.clear(best.token);
        self.state.leader = 0;
        self.state.agreed.clear();
        self.state.offset = 0.0;
        self.state.link_live();
    }
}
