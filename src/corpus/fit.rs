//! Whether a recording carries its labels: the rules of the training's preflight and of `eddy corpus check`.
//!
//! Layer 4.

use crate::ctc::min_input_len;
use crate::error::{Error, Result};
use crate::frontend::{FrontEndConfig, num_frames};
use std::path::Path;

/// What makes output frames of samples: the front end, the stacking, and how much faster speech is played at most.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRate {
    front_end: FrontEndConfig,
    stacking: usize,
    fastest: f64,
}

impl OutputRate {
    /// `fastest`: the highest speed of the augmentation, 1 for none; speeds are whole percents.
    pub fn new(front_end: FrontEndConfig, stacking: usize, fastest: f64) -> Self {
        OutputRate { front_end, stacking, fastest: (fastest * 100.0).round() / 100.0 }
    }

    /// Samples a second that lengths are given in.
    pub fn sample_rate_hz(&self) -> u32 {
        self.front_end.sample_rate_hz
    }

    /// Fewest output frames of recordings one after the other, lengths in samples, each at the fastest speed.
    pub fn fewest_frames(&self, samples: &[usize]) -> u64 {
        let samples = samples.iter().map(|&samples| (samples as f64 / self.fastest).floor() as u64).sum();
        let (window, shift) = (self.front_end.frame_length_samples(), self.front_end.frame_shift_samples());
        num_frames(samples, window, shift).div_ceil(self.stacking as u64)
    }

    /// Output frames must carry the labels at the fastest speed too; noise, without labels, must have one.
    ///
    /// # Errors
    /// Says how many there are and must be.
    pub fn check_length(&self, samples: usize, labels: &[i64]) -> Result<()> {
        let (has, must) = (self.fewest_frames(&[samples]), min_input_len(labels).max(1) as u64);
        if has < must {
            return Err(Error::Shape(format!("too short for its text: {has} output frames, must be at least {must}")));
        }
        Ok(())
    }
}

/// A recording that is cut short is refused: its text would not fit. `missing` is what [`truncation`] says.
///
/// [`truncation`]: crate::audio::AudioSource::truncation
pub fn cut_short(path: &Path, missing: &str) -> Error {
    Error::audio(path, format!("{missing}: its text may not fit what is left"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_need_a_frame_more_and_speed_takes_some() {
        let rate = OutputRate::new(FrontEndConfig::default(), 3, 1.0);
        // 400 + 5 * 160 samples are 6 frames, 2 output frames.
        assert_eq!(rate.fewest_frames(&[1200]), 2);
        assert!(rate.check_length(1200, &[1, 2]).is_ok());
        let message = rate.check_length(1200, &[1, 1]).expect_err("a repeat").to_string();
        assert_eq!(message, "too short for its text: 2 output frames, must be at least 3");
        let faster = OutputRate::new(FrontEndConfig::default(), 3, 1.25);
        assert_eq!(faster.fewest_frames(&[1200]), 2, "960 samples: 4 frames");
        assert_eq!(faster.fewest_frames(&[1200, 1200]), 4, "1920 samples: 10 frames");
        assert!(rate.check_length(399, &[]).is_err(), "noise without a frame");
    }
}
