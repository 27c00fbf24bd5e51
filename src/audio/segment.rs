//! A part of a recording as a source of its own.
//!
//! Layer 1. What comes before the part is read and dropped: memory does not grow with the recording, and every format
//! serves, also those that cannot be sought in exactly.

use super::{AudioBlock, AudioSource};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Seconds that a part may reach beyond the recording's end: ends are rounded where parts are listed.
const TOLERANCE_SECONDS: f64 = 0.1;

/// From one time of a recording to another.
pub struct Segment {
    path: PathBuf,
    source: Box<dyn AudioSource>,
    /// Samples still to be dropped.
    skip: u64,
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
        let rate = f64::from(source.sample_rate());
        let samples = |what: &str, seconds: f64| {
            let valid = seconds.is_finite() && (0.0..1e9).contains(&seconds);
            valid.then_some((seconds * rate).round() as u64).ok_or_else(|| {
                Error::audio(path, Error::invalid(what, seconds, "at least 0 and finite, in seconds").to_string())
            })
        };
        let skip = samples("offset", offset_seconds)?;
        let left = duration_seconds.map_or(Ok(u64::MAX), |duration| samples("duration", duration))?;
        Ok(Segment { path: path.to_path_buf(), source, skip, left, truncation: None })
    }

    fn end(&mut self) -> Result<Option<AudioBlock>> {
        let rate = f64::from(self.source.sample_rate());
        if self.skip > 0 {
            let seconds = self.skip as f64 / rate;
            let reason = format!("ends {seconds:.2} s before the segment begins: check the segment's times");
            return Err(Error::audio(&self.path, reason));
        }
        let missing = if self.left == u64::MAX { 0.0 } else { self.left as f64 / rate };
        self.truncation = self.source.truncation().map(str::to_string);
        if missing > TOLERANCE_SECONDS {
            self.truncation = Some(format!("the recording ends {missing:.2} s before the segment does"));
        }
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
