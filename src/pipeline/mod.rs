//! From sources to results: lists of files today, live audio later.
//!
//! Layer 7.

mod batch;

pub use batch::{Transcribed, transcribe_files};
