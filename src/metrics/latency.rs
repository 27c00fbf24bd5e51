//! Real-time factor and percentiles.
/// Durations collected, for percentiles.
#[derive(Debug, Clone, Default)]
pub struct Latency {}
