//! CTC decoding. Layer 4: no tensors here, log-probs arrive as [`Frames`](crate::Frames).
mod greedy;
use crate::error::Result;
use crate::stage::Frames;
pub use greedy::GreedyDecoder;

/// One emitted token with its place.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// Natural log of the score.
    pub log_prob: f64,
}

/// Streaming CTC search over one segment after another; `best` does not disturb it, so partial results are free.
pub trait Decoder: Send {
    /// Output frames `[T', V]` of log-probs.
    fn push(&mut self, log_probs: &Frames) -> Result<()>;
    /// The `n` best hypotheses of the current segment.
    fn best(&self, n: usize) -> Vec<Hypothesis>;
    /// Output frames since the last non-blank one.
    fn trailing_blanks(&self) -> u64;
    /// Ends the segment: forgets its tokens and goes on (the last label stays carried).
    fn end_segment(&mut self);
    /// A copy, for forks.
    fn boxed_clone(&self) -> Box<dyn Decoder>;
}
