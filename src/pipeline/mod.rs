//! Whole runs: from sources to the caller. Layer 7.

mod batch;
mod latency;
mod live;
mod stacked;

pub use batch::{BatchSummary, FileTranscript, transcribe_files};
pub use latency::LatencyReport;
pub use live::{
    Control, Ending, LiveConfig, LiveEvent, Mark, MarkKind, Monitor, Next, Observer, Pipeline, WhenBehind, marks_path,
    read_marks,
};
pub use stacked::transcribe_stacked;
