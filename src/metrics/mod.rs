//! Figures of merit: word and character errors, real-time factor and latency percentiles. Layer 4.
mod latency;
mod wer;
pub use latency::{Latency, real_time_factor};
pub use wer::{AlignedPair, ErrorCounts};
