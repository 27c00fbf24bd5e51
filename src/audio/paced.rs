//! A source slowed down to real time, as a microphone would give it.
//!
//! Layer 1.

use super::{AudioBlock, AudioSource};
use crate::error::Result;
use std::time::{Duration, Instant};

/// Blocks a second that leave.
const BLOCKS_PER_SECOND: u32 = 50;

/// Another source's samples in blocks of 20 ms, each at the time at which its last sample would have been recorded.
pub struct PacedSource {
    inner: Box<dyn AudioSource>,
    waiting: AudioBlock,
    /// When the first sample left, and how many did since.
    start: Option<Instant>,
    given: u64,
}

impl PacedSource {
    /// Paces `inner`; the clock starts with the first block.
    pub fn new(inner: Box<dyn AudioSource>) -> Self {
        PacedSource { inner, waiting: AudioBlock::default(), start: None, given: 0 }
    }

    /// Waits until `given` samples have been recorded.
    fn wait(&mut self) {
        let start = *self.start.get_or_insert_with(Instant::now);
        let due = Duration::from_secs_f64(self.given as f64 / f64::from(self.inner.sample_rate()));
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
}

impl AudioSource for PacedSource {
    fn sample_rate(&self) -> u32 {
        self.inner.sample_rate()
    }

    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        if self.waiting.samples.is_empty() {
            match self.inner.next_block()? {
                None => return Ok(None),
                Some(block) => self.waiting = block,
            }
        }
        let size = (self.inner.sample_rate() / BLOCKS_PER_SECOND).max(1) as usize;
        let rest = self.waiting.samples.split_off(size.min(self.waiting.samples.len()));
        let block = std::mem::replace(&mut self.waiting, AudioBlock { samples: rest, dropped: 0 });
        self.given += block.samples.len() as u64 + block.dropped;
        self.wait();
        Ok(Some(block))
    }

    fn truncation(&self) -> Option<&str> {
        self.inner.truncation()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::SampleSource;

    #[test]
    fn samples_are_the_same_and_no_block_is_early() {
        let samples: Vec<f32> = (0..1001).map(|index| index as f32 / 2000.0).collect();
        let mut paced = PacedSource::new(Box::new(SampleSource::new(samples.clone(), 10_000)));
        let begin = Instant::now();
        let mut all = Vec::new();
        while let Some(block) = paced.next_block().expect("block") {
            all.extend(block.samples);
            assert!(begin.elapsed() >= Duration::from_secs_f64(all.len() as f64 / 10_000.0));
        }
        assert_eq!(all, samples);
    }
}
