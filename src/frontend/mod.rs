//! Kaldi-compatible features: resampler, framer, MFCC and CMVN composed as one [`Stage`].
//!
//! Layer 2: uses `audio::Resampler`. Training, batch and live all compute features here and nowhere else.

mod cmvn;
mod framing;
mod mfcc;

pub use cmvn::{Cmvn, CmvnStats};
pub use framing::{Framer, num_frames};
pub use mfcc::{MelBank, Mfcc};

use crate::error::Result;
use crate::stage::{Frames, Stage};
use serde::{Deserialize, Serialize};

/// What the features are. Part of `model.json`: the weights depend on every field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrontEndConfig {
    /// Samples a second that the framer sees; other rates are converted to it.
    pub sample_rate_hz: u32,
    /// Window length in ms.
    pub frame_length_ms: f64,
    /// Frame shift in ms.
    pub frame_shift_ms: f64,
    /// Triangular mel filters.
    pub num_mels: usize,
    /// Cepstra kept, at most `num_mels`.
    pub num_ceps: usize,
    /// Lower edge of the mel bank in Hz.
    pub low_hz: f64,
    /// Upper edge of the mel bank in Hz; zero or less counts down from the Nyquist frequency.
    pub high_hz: f64,
    /// Pre-emphasis coefficient.
    pub preemphasis: f64,
    /// Cepstral lifter; 0 is none.
    pub lifter: f64,
}

impl Default for FrontEndConfig {
    fn default() -> Self {
        FrontEndConfig {
            sample_rate_hz: 16000,
            frame_length_ms: 25.0,
            frame_shift_ms: 10.0,
            num_mels: 40,
            num_ceps: 40,
            low_hz: 20.0,
            high_hz: -400.0,
            preemphasis: 0.97,
            lifter: 22.0,
        }
    }
}

impl FrontEndConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the field, its value and the allowed range.
    pub fn validate(&self) -> Result<()> {
        todo!()
    }
    /// Window length in samples.
    pub fn frame_length_samples(&self) -> usize {
        (self.frame_length_ms * 1e-3 * self.sample_rate_hz as f64).round() as usize
    }
    /// Frame shift in samples.
    pub fn frame_shift_samples(&self) -> usize {
        (self.frame_shift_ms * 1e-3 * self.sample_rate_hz as f64).round() as usize
    }
}

/// Samples of any rate in, feature frames out: resampler, framer, MFCC, and CMVN where statistics are given.
pub struct FrontEnd {}

impl FrontEnd {
    /// For mono samples of `source_rate_hz`. Without `stats` the features are before CMVN.
    ///
    /// # Errors
    /// When `config` is not valid or `stats` has another dimension.
    pub fn new(config: &FrontEndConfig, source_rate_hz: u32, stats: Option<&CmvnStats>) -> Result<Self> {
        let _ = (config, source_rate_hz, stats);
        todo!()
    }
    /// Values in a frame.
    pub fn dim(&self) -> usize {
        todo!()
    }
    /// Delay of the resampler in seconds.
    pub fn resampler_delay_seconds(&self) -> f64 {
        todo!()
    }
    /// Training only: a whole recording, with `edit` seeing (and changing) the log-mel frames `[T, num_mels]` before the DCT
    /// (SpecAugment). Equals `push` + `finish` when `edit` does nothing.
    pub fn whole_with(&mut self, samples: &[f32], edit: &mut dyn FnMut(&mut Frames)) -> Result<Frames> {
        let _ = (samples, edit);
        todo!()
    }
}

impl Stage for FrontEnd {
    type In = [f32];
    type Out = Frames;
    fn push(&mut self, input: &[f32], out: &mut Frames) -> Result<()> {
        let _ = (input, out);
        todo!()
    }
    fn finish(&mut self, out: &mut Frames) -> Result<()> {
        let _ = out;
        todo!()
    }
    fn reset(&mut self) {
        todo!()
    }
}
