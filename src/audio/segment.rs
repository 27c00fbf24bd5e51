//! A part of a recording as a source of its own.
//!
//! Layer 1. What comes before the part is read and dropped: memory does not grow with the recording, and every format
//! serves, also those that cannot be sought in exactly.

use super::{AudioBlock, AudioSource};
use crate::error::{Error, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Seconds that a part may reach beyond the recording's end: ends are rounded where parts are listed.
const TOLERANCE_SECONDS: f64 = 0.1;

/// Where a part lies in its recording: what reading it as a [`Segment`] gives and tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its samples, at the recording's rate.
    pub samples: Range<u64>,
    /// Whether reading it comes upon the recording's end.
    pub reaches_end: bool,
    /// What is missing, where the recording ends well before the part does.
    pub truncation: Option<String>,
}

impl Part {
    /// Of a recording with `length` samples at `sample_rate` Hz: from `offset_seconds` on, `duration_seconds` long or up
    /// to the end; `path` is for messages.
    ///
    /// # Errors
    /// When a time is negative, infinite or not a number, or the recording ends before the part begins.
    pub fn locate(
        path: &Path,
        length: u64,
        sample_rate: u32,
        offset_seconds: f64,
        duration_seconds: Option<f64>,
    ) -> Result<Self> {
        let (start, wanted) = bounds(path, sample_rate, offset_seconds, duration_seconds)?;
        let there = length.checked_sub(start).ok_or_else(|| begins_late(path, start - length, sample_rate))?;
        let samples = start..start + wanted.min(there);
        let truncation = missing(wanted.saturating_sub(there), wanted, sample_rate);
        Ok(Part { samples, reaches_end: wanted > there, truncation })
    }
}

/// Samples before a part, and in it: `u64::MAX` for all that is left.
fn bounds(path: &Path, sample_rate: u32, offset_seconds: f64, duration_seconds: Option<f64>) -> Result<(u64, u64)> {
    let samples = |what: &str, seconds: f64| {
        let valid = seconds.is_finite() && (0.0..1e9).contains(&seconds);
        valid.then_some((seconds * f64::from(sample_rate)).round() as u64).ok_or_else(|| {
            Error::audio(path, Error::invalid(what, seconds, "at least 0 and finite, in seconds").to_string())
        })
    };
    let start = samples("offset", offset_seconds)?;
    Ok((start, duration_seconds.map_or(Ok(u64::MAX), |duration| samples("duration", duration))?))
}

/// The part begins `samples` after the recording's end.
fn begins_late(path: &Path, samples: u64, sample_rate: u32) -> Error {
    let seconds = samples as f64 / f64::from(sample_rate);
    Error::audio(path, format!("ends {seconds:.2} s before the segment begins: check the segment's times"))
}

/// What to tell where `samples` of the `wanted` ones are not there.
fn missing(samples: u64, wanted: u64, sample_rate: u32) -> Option<String> {
    let seconds = samples as f64 / f64::from(sample_rate);
    let told = wanted != u64::MAX && seconds > TOLERANCE_SECONDS;
    told.then(|| format!("the recording ends {seconds:.2} s before the segment does"))
}

/// From one time of a recording to another.
pub struct Segment {
    path: PathBuf,
    source: Box<dyn AudioSource>,
    /// Samples still to be dropped.
    skip: u64,
    /// Samples asked for; `u64::MAX` is all that there are.
    wanted: u64,
    /// Samples still to be given.
    left: u64,
    truncation: Option<String>,
}

impl Segment {
    /// From `offset_seconds` on, `duration_seconds` long or up to the end; `path` is for messages.
    ///
    /// # Errors
    /// When a time is negative, infinite or not a number.
    pub fn new(
        source: Box<dyn AudioSource>,
        path: &Path,
        offset_seconds: f64,
        duration_seconds: Option<f64>,
    ) -> Result<Self> {
        let (skip, wanted) = bounds(path, source.sample_rate(), offset_seconds, duration_seconds)?;
        Ok(Segment { path: path.to_path_buf(), source, skip, wanted, left: wanted, truncation: None })
    }

    fn end(&mut self) -> Result<Option<AudioBlock>> {
        let rate = self.source.sample_rate();
        if self.skip > 0 {
            return Err(begins_late(&self.path, self.skip, rate));
        }
        let own = missing(self.left, self.wanted, rate);
        self.truncation = own.or_else(|| self.source.truncation().map(str::to_string));
        Ok(None)
    }
}

impl AudioSource for Segment {
    fn sample_rate(&self) -> u32 {
        self.source.sample_rate()
    }

    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        while self.left > 0 {
            let Some(mut block) = self.source.next_block()? else {
                return self.end();
            };
            let drop = self.skip.min(block.samples.len() as u64);
            self.skip -= drop;
            block.samples.drain(..drop as usize);
            block.samples.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            if self.left != u64::MAX {
                self.left -= block.samples.len() as u64;
            }
            if !block.samples.is_empty() {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    fn truncation(&self) -> Option<&str> {
        self.truncation.as_deref()
    }

    fn length(&self) -> Option<u64> {
        Some(self.source.length()?.saturating_sub(self.skip).min(self.left))
    }
}
