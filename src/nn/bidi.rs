//! Pair.
/// Latency-controlled pair.
pub struct BidiLayer {}
