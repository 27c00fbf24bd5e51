//! Word n-gram language models with back-off: scores, ARPA and binary files.
//!
//! Layer 4. [`NgramLm`] answers queries and is what a recogniser holds; [`NgramTable`] is the same model as plain arrays,
//! which is what ARPA files are read into and written from. An [`Estimator`] makes one from text, [`NgramTable::prune`] a
//! smaller one. Log-probs are natural logarithms in [`NgramLm`] and, as ARPA
//! files have them, logarithms to base 10 in [`NgramTable`].

mod arpa;
mod binary;
mod discount;
mod estimate;
mod key;
mod ngram;
mod packed;
mod perplexity;
mod prune;
mod quantize;
mod smooth;
mod sort;
mod table;
mod vocabulary;

pub use estimate::{EstimateConfig, EstimateReport, Estimator, Words};
pub use ngram::{LmState, NgramLm};
pub use perplexity::{Perplexity, SentenceScore};
pub use prune::PruneTo;
pub use table::NgramTable;
pub use vocabulary::WordId;

/// Longest n-gram that a model may have.
pub const MAX_ORDER: usize = 6;
