//! Figures of merit: word and character errors, real-time factor, latency percentiles, calibration of confidences.
//! Layer 4.
mod confidence;
mod confusion;
mod latency;
mod wer;
pub use confidence::{Calibration, Reliability};
pub use confusion::Confusion;
pub use latency::{Latency, real_time_factor};
pub use wer::{AlignedPair, ErrorCounts};
