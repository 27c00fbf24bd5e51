//! Whole runs: from sources to the caller. Layer 7.

mod batch;
mod journal;
mod latency;
mod live;
mod parts;
mod stacked;

pub use batch::{
    BatchControl, BatchOptions, BatchSummary, FileTranscript, busy_streams, suitable_streams, transcribe_recordings,
};
pub use journal::{Earlier, Journal};
pub use latency::LatencyReport;
pub use live::{
    Control, Ending, LiveConfig, LiveEvent, Mark, MarkKind, Monitor, Next, Observer, Pipeline, WhenBehind, marks_path,
    read_marks,
};
