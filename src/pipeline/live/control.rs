//! What the caller and the threads share: switches, gauges, the first fault.

use super::time;
use crate::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A session's switches.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    manual_ends: AtomicU32,
}

impl Control {
    /// Ends the session: what was heard so far is recognised to its last sample.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends the current segment here.
    pub fn end_segment(&self) {
        self.manual_ends.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether the segment was ended since the last call.
    pub(super) fn take_manual_end(&self) -> bool {
        self.manual_ends.swap(0, Ordering::Relaxed) > 0
    }
}

/// A session's gauges. They tell about this run and this machine; events never depend on them.
#[derive(Debug)]
pub struct Monitor {
    rate: u32,
    heard: AtomicU64,
    recognized: AtomicU64,
    lost: AtomicU64,
    level: AtomicU32,
}

impl Monitor {
    pub(super) fn new(rate: u32) -> Self {
        let zero = || AtomicU64::new(0);
        Monitor { rate, heard: zero(), recognized: zero(), lost: zero(), level: AtomicU32::new(0) }
    }

    /// Audio taken in, lost audio included.
    pub fn heard(&self) -> Duration {
        time(self.heard.load(Ordering::Relaxed), self.rate)
    }

    /// Audio taken in and not recognised yet. (Recognised: gone into the network's block, whose look-ahead comes on top.)
    pub fn backlog(&self) -> Duration {
        let heard = self.heard.load(Ordering::Relaxed);
        time(heard.saturating_sub(self.recognized.load(Ordering::Relaxed)), self.rate)
    }

    /// Audio that was lost.
    pub fn lost(&self) -> Duration {
        time(self.lost.load(Ordering::Relaxed), self.rate)
    }

    /// Highest absolute sample of the last block, in `0.0..=1.0`.
    pub fn level(&self) -> f32 {
        f32::from_bits(self.level.load(Ordering::Relaxed))
    }

    pub(super) fn set_heard(&self, samples: u64) {
        self.heard.store(samples, Ordering::Relaxed);
    }

    pub(super) fn set_recognized(&self, samples: u64) {
        self.recognized.store(samples, Ordering::Relaxed);
    }

    pub(super) fn add_lost(&self, samples: u64) {
        self.lost.fetch_add(samples, Ordering::Relaxed);
    }

    pub(super) fn set_level(&self, level: f32) {
        self.level.store(level.to_bits(), Ordering::Relaxed);
    }
}

/// Keeps the first error, and what the source lacks at its end.
#[derive(Debug, Default)]
pub(super) struct Faults {
    first: Mutex<Option<Error>>,
    truncation: Mutex<Option<String>>,
}

impl Faults {
    pub(super) fn add(&self, error: Error) {
        locked(&self.first).get_or_insert(error);
    }

    pub(super) fn take(&self) -> Option<Error> {
        locked(&self.first).take()
    }

    pub(super) fn set_truncation(&self, missing: &str) {
        *locked(&self.truncation) = Some(missing.to_string());
    }

    pub(super) fn take_truncation(&self) -> Option<String> {
        locked(&self.truncation).take()
    }
}

/// What a mutex holds, whatever became of its other holders.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
