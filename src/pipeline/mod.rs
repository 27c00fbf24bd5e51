//! Whole runs: from sources to the caller. Layer 7.

mod batch;

pub use batch::{BatchSummary, FileTranscript, transcribe_files};
