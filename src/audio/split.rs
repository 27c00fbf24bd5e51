//! A long recording cut where it is quiet.
//!
//! Layer 1. The cuts depend on the samples alone, never on how they were read; memory holds one part.

use super::AudioSource;
use crate::error::Result;

/// Parts are at least and at most so long, in seconds.
const PART_SECONDS: (usize, usize) = (20, 40);
/// A cut lies in the middle of the quietest stretch of this many milliseconds.
const QUIET_MS: usize = 400;
/// Steps in which that is looked for, in milliseconds.
const STEP_MS: usize = 10;

/// Cuts a source into parts of 20 to 40 s, in the middle of the quietest 0.4 s that a cut may lie in.
pub struct Splitter<'a> {
    source: &'a mut dyn AudioSource,
    /// Samples read and not yet given.
    waiting: Vec<f32>,
    /// Samples given.
    given: u64,
    ended: bool,
}

impl<'a> Splitter<'a> {
    /// Nothing is read yet.
    pub fn new(source: &'a mut dyn AudioSource) -> Self {
        Splitter { source, waiting: Vec::new(), given: 0, ended: false }
    }

    /// The next part: samples before it and its own. `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn next_part(&mut self) -> Result<Option<(u64, Vec<f32>)>> {
        let rate = self.source.sample_rate() as usize;
        let (shortest, longest) = (PART_SECONDS.0 * rate, PART_SECONDS.1 * rate);
        // Buffers of one size: where one was, the next finds room, however long the recording.
        self.waiting.reserve_exact((longest + rate).saturating_sub(self.waiting.len()));
        while !self.ended && self.waiting.len() <= longest {
            match self.source.next_block()? {
                Some(block) => self.waiting.extend_from_slice(&block.samples),
                None => self.ended = true,
            }
        }
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let cut = if self.waiting.len() <= longest {
            self.waiting.len()
        } else {
            shortest + quietest(&self.waiting[shortest..longest], rate)
        };
        let start = self.given;
        let mut rest = Vec::with_capacity(longest + rate);
        rest.extend_from_slice(&self.waiting[cut..]);
        self.waiting.truncate(cut);
        self.given += cut as u64;
        Ok(Some((start, std::mem::replace(&mut self.waiting, rest))))
    }
}

/// The middle of the quietest stretch; the first of equals.
fn quietest(samples: &[f32], rate: usize) -> usize {
    let step = (rate * STEP_MS / 1000).max(1);
    let energies: Vec<f64> =
        samples.chunks_exact(step).map(|chunk| chunk.iter().map(|&sample| f64::from(sample).powi(2)).sum()).collect();
    let width = (QUIET_MS / STEP_MS).min(energies.len().max(1));
    let stretches = energies.windows(width).map(|stretch| stretch.iter().sum::<f64>());
    let best = stretches.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(index, _)| index);
    (best + width / 2) * step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::SampleSource;

    const RATE: u32 = 1000;

    /// `seconds` of a loud tone, silent for 0.5 s from each of `pauses` on.
    fn speech(seconds: usize, pauses: &[usize]) -> Vec<f32> {
        let loud = |index: usize| if index.is_multiple_of(2) { 0.5 } else { -0.5 };
        let silent = |index: usize| pauses.iter().any(|&ms| (ms..ms + 500).contains(&index));
        (0..seconds * RATE as usize).map(|index| if silent(index) { 0.0 } else { loud(index) }).collect()
    }

    fn parts(samples: &[f32]) -> Vec<(u64, Vec<f32>)> {
        let mut source = SampleSource::new(samples.to_vec(), RATE);
        let mut splitter = Splitter::new(&mut source);
        std::iter::from_fn(|| splitter.next_part().expect("samples")).collect()
    }

    #[test]
    fn cuts_lie_in_pauses() {
        let samples = speech(100, &[10_000, 30_000, 62_000]);
        let parts = parts(&samples);
        let starts: Vec<u64> = parts.iter().map(|part| part.0).collect();
        assert_eq!(starts.len(), 3, "{starts:?}");
        assert!((30_150..=30_350).contains(&starts[1]) && (62_150..=62_350).contains(&starts[2]), "{starts:?}");
        assert_eq!(joined(&parts), samples);
    }

    fn joined(parts: &[(u64, Vec<f32>)]) -> Vec<f32> {
        parts.iter().flat_map(|part| part.1.clone()).collect()
    }

    #[test]
    fn short_recordings_stay_whole_and_endless_noise_is_cut_too() {
        assert_eq!(parts(&speech(40, &[30_000])).len(), 1);
        let long = speech(125, &[]);
        let cut = parts(&long);
        assert!(cut.iter().rev().skip(1).all(|part| (20_000..=40_000).contains(&part.1.len())));
        assert_eq!(joined(&cut), long);
    }
}
