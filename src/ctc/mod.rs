//! CTC decoding: from log-probs to tokens with their places.
//!
//! Layer 4: no tensors here, log-probs arrive as [`Frames`].

mod align;
mod beam;
mod greedy;
mod hotwords;
mod lexicon;
mod priors;

pub use align::align;
pub use beam::{BeamConfig, BeamDecoder, BeamSearch, BeamSnapshot, CommitConfig};
pub use greedy::GreedyDecoder;
pub use hotwords::{DEFAULT_BOOST, HotWord, HotWords};
pub use priors::TokenPriors;

use crate::error::Result;
use crate::stage::Frames;
use serde::{Deserialize, Serialize};

/// Fewest output frames that can carry `labels`: their number plus adjacent repeats (a blank must part those).
pub fn min_input_len(labels: &[i64]) -> usize {
    labels.len() + labels.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// One emitted token with its place.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Emission {
    /// Token id (never blank).
    pub token: i64,
    /// First output frame of the run, counted from the session's start.
    pub first_frame: u64,
    /// Last output frame of the run.
    pub last_frame: u64,
    /// Highest log-prob of the token within the run.
    pub log_prob: f32,
}

/// A hypothesis of the current segment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hypothesis {
    /// Tokens in order.
    pub emissions: Vec<Emission>,
    /// Natural log of the probability, of one path or of all that say the same; a beam search adds what words are worth.
    pub log_prob: f64,
}

/// Streaming CTC search over one segment after another; `best` does not disturb it, so partial results are free.
pub trait Decoder: Send {
    /// Takes output frames `[T', V]` of log-probs.
    ///
    /// # Errors
    /// When the frames do not fit the decoder.
    fn push(&mut self, log_probs: &Frames) -> Result<()>;

    /// The `n` likeliest hypotheses of the current segment as if it ended here, best first, no two with the same text.
    fn best(&self, n: usize) -> Vec<Hypothesis>;

    /// The likeliest hypothesis as it stands, its last word perhaps not whole.
    fn current(&self) -> Hypothesis;

    /// So many leading emissions of the segment's hypotheses do not change any more.
    fn agreed(&self) -> usize;

    /// Whether the current segment has any token.
    fn has_tokens(&self) -> bool;

    /// Output frames since the last that was not blank.
    fn trailing_blanks(&self) -> u64;

    /// Output frames taken since the session's start.
    fn frames(&self) -> u64;

    /// Ends the segment: its tokens are forgotten; the last label stays carried.
    fn end_segment(&mut self);
}
