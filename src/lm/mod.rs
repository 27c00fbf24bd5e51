//! Word n-gram language models with back-off: scores, ARPA and binary files.
//!
//! Layer 4. [`NgramLm`] answers queries and is what a recogniser holds; [`NgramTable`] is the same model as plain arrays,
//! which is what ARPA files are read into and written from. Log-probs are natural logarithms in [`NgramLm`] and, as ARPA
//! files have them, logarithms to base 10 in [`NgramTable`].

mod arpa;
mod binary;
mod key;
mod ngram;
mod packed;
mod quantize;
mod table;
mod vocabulary;

pub use ngram::{LmState, NgramLm};
pub use table::NgramTable;
pub use vocabulary::WordId;

/// Longest n-gram that a model may have.
pub const MAX_ORDER: usize = 6;
