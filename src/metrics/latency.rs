//! Real-time factor, and percentiles of measured durations.
//!
//! Layer 4.

use std::time::Duration;

/// Durations collected, for percentiles.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    sorted: Vec<Duration>,
}

impl Latency {
    /// Adds a duration.
    pub fn add(&mut self, duration: Duration) {
        let at = self.sorted.partition_point(|other| *other <= duration);
        self.sorted.insert(at, duration);
    }

    /// Nearest-rank percentile, `percent` in `0.0..=100.0`; `None` when nothing was added.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let rank = (percent / 100.0 * self.sorted.len() as f64).ceil().max(1.0) as usize;
        self.sorted.get(rank - 1).copied()
    }
}

/// Time of computing over time of audio: below 1 keeps up with live speech; infinite without audio.
pub fn real_time_factor(computing: Duration, audio: Duration) -> f64 {
    if audio.is_zero() { f64::INFINITY } else { computing.as_secs_f64() / audio.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_time_is_a_factor_of_one_half() {
        assert_eq!(real_time_factor(Duration::from_secs(1), Duration::from_secs(2)), 0.5);
        assert_eq!(real_time_factor(Duration::from_secs(1), Duration::ZERO), f64::INFINITY);
    }

    #[test]
    fn nearest_rank() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(50.0), None);
        for ms in [50, 15, 40, 20, 35] {
            latency.add(Duration::from_millis(ms));
        }
        for (percent, ms) in [(5.0, 15), (30.0, 20), (40.0, 20), (50.0, 35), (100.0, 50)] {
            assert_eq!(latency.percentile(percent), Some(Duration::from_millis(ms)), "p{percent}");
        }
    }
}
