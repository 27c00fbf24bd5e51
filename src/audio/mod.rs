//! Where samples come from: what a source is, and the sources (files through hound and symphonia, the microphone through cpal).
//!
//! Layer 1: uses `error` and `stage`. Everything that leaves is mono `f32` in `[-1, 1)` at the source's own rate;
//! [`Resampler`] brings it to the model's.

#[cfg(feature = "mic")]
mod capture;
mod decode;
mod folder;
#[cfg(feature = "mic")]
mod mic;
mod paced;
mod raw;
mod resample;
mod segment;
#[cfg(feature = "mic")]
mod sink;
mod split;
mod wav;

#[cfg(feature = "mic")]
pub use capture::{InputDevice, list_devices};
pub use decode::{FileSource, open, open_stdin};
pub use folder::{Origin, Recording, find_recordings, is_pattern, shard, without_repeats};
#[cfg(feature = "mic")]
pub use mic::MicSource;
pub use paced::PacedSource;
pub use raw::{RawFormat, RawSample, RawSource};
pub use resample::{Resampler, resample};
pub use segment::{Part, Segment};
#[cfg(all(test, feature = "mic"))]
pub(crate) use sink::tests::microphone_with_hole;
pub use split::Splitter;
pub use wav::{WavSource, WavWriter};

use crate::error::{Error, Result};
use std::ops::RangeInclusive;
use std::path::Path;

/// Sample rates that a recording can have, in Hz; a header that says something else is damaged.
pub const SAMPLE_RATES: RangeInclusive<u32> = 1_000..=1_000_000;

/// Refuses what no recording's rate is: resampling from it could take hours and gigabytes.
fn check_sample_rate(path: &Path, rate: u32) -> Result<()> {
    if SAMPLE_RATES.contains(&rate) {
        return Ok(());
    }
    let (low, high) = (SAMPLE_RATES.start(), SAMPLE_RATES.end());
    let reason =
        format!("sample rate {rate} Hz, not one of {low} to {high} Hz: the header is damaged, convert or record again");
    Err(Error::audio(path, reason))
}

/// A piece of a recording or of the microphone's stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AudioBlock {
    /// Mono samples in `[-1, 1)`; none where nothing is there yet.
    pub samples: Vec<f32>,
    /// Samples that were lost just before this block (the microphone alone may lose any).
    pub dropped: u64,
}

/// A source of mono audio.
pub trait AudioSource: Send {
    /// Samples a second.
    fn sample_rate(&self) -> u32;

    /// The next block, or `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read any further. Samples that are NaN or infinite are an error.
    fn next_block(&mut self) -> Result<Option<AudioBlock>>;

    /// After the end: what was missing, when the recording is shorter than its header says.
    fn truncation(&self) -> Option<&str> {
        None
    }

    /// Before the first block: samples that the header promises, where it says so.
    fn length(&self) -> Option<u64> {
        None
    }
}

/// Samples in memory as a source, one block.
#[derive(Debug, Clone)]
pub struct SampleSource {
    samples: Option<Vec<f32>>,
    sample_rate: u32,
}

impl SampleSource {
    /// Mono samples in `[-1, 1)` at `sample_rate` Hz.
    pub fn new(samples: Vec<f32>, sample_rate: u32) -> Self {
        SampleSource { samples: Some(samples), sample_rate }
    }
}

impl AudioSource for SampleSource {
    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        Ok(self.samples.take().map(|samples| AudioBlock { samples, dropped: 0 }))
    }
}

/// Reads all that is left of a source.
///
/// # Errors
/// As [`AudioSource::next_block`].
pub fn read_all(source: &mut dyn AudioSource) -> Result<Vec<f32>> {
    let mut samples = Vec::new();
    while let Some(block) = source.next_block()? {
        samples.extend_from_slice(&block.samples);
    }
    Ok(samples)
}

/// Samples that are left of a source, by reading them.
///
/// # Errors
/// As [`AudioSource::next_block`].
pub fn count_samples(source: &mut dyn AudioSource) -> Result<u64> {
    let mut samples = 0;
    while let Some(block) = source.next_block()? {
        samples += block.samples.len() as u64;
    }
    Ok(samples)
}
