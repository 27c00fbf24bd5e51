//! Kaldi-compatible features: resampler, framer, MFCC and CMVN composed as one [`Stage`].
//!
//! Layer 2: uses `audio::Resampler`. Training, batch and live all compute features here and nowhere else.

mod cmvn;
mod framing;
mod mfcc;

pub use cmvn::{Cmvn, CmvnStats};
pub use framing::{Framer, num_frames};
pub use mfcc::{MelBank, Mfcc};

use crate::audio::Resampler;
use crate::error::{Error, Result};
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
        fn within(what: &str, value: f64, low: f64, high: f64, unit: &str) -> Result<()> {
            let fits = value >= low && value <= high;
            if fits { Ok(()) } else { Err(Error::invalid(what, value, format!("{low}..={high}{unit}"))) }
        }
        within("sample_rate_hz", f64::from(self.sample_rate_hz), 4000.0, 192_000.0, " Hz")?;
        within("frame_length_ms", self.frame_length_ms, 1.0, 1000.0, " ms")?;
        within("frame_shift_ms", self.frame_shift_ms, 1.0, self.frame_length_ms, " ms")?;
        within("num_mels", self.num_mels as f64, 3.0, 256.0, "")?;
        within("num_ceps", self.num_ceps as f64, 1.0, self.num_mels as f64, " (num_mels)")?;
        within("preemphasis", self.preemphasis, 0.0, 1.0, "")?;
        within("lifter", self.lifter, 0.0, 1000.0, "")?;
        let nyquist = f64::from(self.sample_rate_hz) / 2.0;
        within("low_hz", self.low_hz, 0.0, nyquist, " Hz")?;
        within("high_hz", self.high_hz, -nyquist, nyquist, " Hz")?;
        within("high_hz (from 0 Hz)", self.upper_hz(), self.low_hz + 1.0, nyquist, " Hz")
    }

    /// Upper edge of the mel bank, counted from 0 Hz.
    pub fn upper_hz(&self) -> f64 {
        if self.high_hz > 0.0 { self.high_hz } else { f64::from(self.sample_rate_hz) / 2.0 + self.high_hz }
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
///
/// Shapes: mono samples in `[-1, 1) -> [T, num_ceps]`, `T = num_frames` of the resampled length.
pub struct FrontEnd {
    config: FrontEndConfig,
    resampler: Option<Resampler>,
    resampled: Vec<f32>,
    framer: Framer,
    mfcc: Mfcc,
    log_mel: Vec<f32>,
    cmvn: Option<Cmvn>,
}

impl FrontEnd {
    /// For mono samples of `source_rate_hz`. Without `stats` the features are before CMVN.
    ///
    /// # Errors
    /// When `config` is not valid, the rate cannot be converted, or `stats` has another dimension.
    pub fn new(config: &FrontEndConfig, source_rate_hz: u32, stats: Option<&CmvnStats>) -> Result<Self> {
        config.validate()?;
        if let Some(stats) = stats.filter(|stats| stats.dim() != config.num_ceps) {
            let (has, must) = (stats.dim(), config.num_ceps);
            return Err(Error::Shape(format!("CMVN statistics of {has} values: must be {must}, as the cepstra")));
        }
        let convert = source_rate_hz != config.sample_rate_hz;
        Ok(FrontEnd {
            resampler: convert.then(|| Resampler::new(source_rate_hz, config.sample_rate_hz)).transpose()?,
            resampled: Vec::new(),
            framer: Framer::new(config),
            mfcc: Mfcc::new(config)?,
            log_mel: vec![0.0; config.num_mels],
            cmvn: stats.map(Cmvn::new).transpose()?,
            config: config.clone(),
        })
    }

    /// Values in a frame.
    pub fn dim(&self) -> usize {
        self.config.num_ceps
    }

    /// Delay of the resampler in seconds; 0 where the rates are equal.
    pub fn resampler_delay_seconds(&self) -> f64 {
        self.resampler.as_ref().map_or(0.0, Resampler::delay_seconds)
    }

    /// Appends the frames that `finish` would append now; the stream goes on undisturbed.
    ///
    /// # Errors
    /// As [`Stage::push`].
    pub fn tail(&mut self, out: &mut Frames) -> Result<()> {
        let Some(resampler) = &mut self.resampler else {
            return Ok(());
        };
        self.resampled.clear();
        resampler.tail(&mut self.resampled)?;
        let FrontEnd { framer, mfcc, log_mel, cmvn, resampled, .. } = self;
        framer.clone().push(resampled, |frame| {
            mfcc.log_mel(frame, log_mel);
            append_cepstra(mfcc, cmvn.as_ref(), log_mel, out);
        });
        Ok(())
    }

    /// Training only: features of a whole recording, with `edit` seeing (and changing) the log-mel frames
    /// `[T, num_mels]` before the DCT (SpecAugment). Equals `push` and `finish` when `edit` does nothing.
    ///
    /// # Errors
    /// As [`Stage::push`].
    pub fn whole_with(&mut self, samples: &[f32], edit: &mut dyn FnMut(&mut Frames)) -> Result<Frames> {
        self.reset();
        let mut converted = Vec::new();
        let samples = match &mut self.resampler {
            None => samples,
            Some(resampler) => {
                resampler.push(samples, &mut converted)?;
                resampler.finish(&mut converted)?;
                &converted
            }
        };
        let mut log_mels = Frames::new(self.config.num_mels);
        let (mfcc, log_mel) = (&mut self.mfcc, &mut self.log_mel);
        self.framer.push(samples, |frame| {
            mfcc.log_mel(frame, log_mel);
            log_mels.data.extend_from_slice(log_mel);
        });
        edit(&mut log_mels);
        let mut out = Frames::new(self.config.num_ceps);
        for log_mel in log_mels.rows() {
            append_cepstra(&self.mfcc, self.cmvn.as_ref(), log_mel, &mut out);
        }
        self.reset();
        Ok(out)
    }

    /// Frames of samples that are at the front end's own rate.
    fn extract(&mut self, samples: &[f32], out: &mut Frames) {
        let FrontEnd { framer, mfcc, log_mel, cmvn, .. } = self;
        framer.push(samples, |frame| {
            mfcc.log_mel(frame, log_mel);
            append_cepstra(mfcc, cmvn.as_ref(), log_mel, out);
        });
    }

    /// Runs `convert` on the resampler and extracts what it gives.
    fn extract_converted(
        &mut self,
        out: &mut Frames,
        convert: impl FnOnce(&mut Resampler, &mut Vec<f32>) -> Result<()>,
    ) -> Result<()> {
        let Some(resampler) = &mut self.resampler else {
            return Ok(());
        };
        self.resampled.clear();
        convert(resampler, &mut self.resampled)?;
        let resampled = std::mem::take(&mut self.resampled);
        self.extract(&resampled, out);
        self.resampled = resampled;
        Ok(())
    }
}

/// Cepstra of one log-mel frame, normalised, as a new row of `out`.
fn append_cepstra(mfcc: &Mfcc, cmvn: Option<&Cmvn>, log_mel: &[f32], out: &mut Frames) {
    let start = out.data.len();
    out.data.resize(start + out.dim, 0.0);
    let row = &mut out.data[start..];
    mfcc.cepstra(log_mel, row);
    if let Some(cmvn) = cmvn {
        cmvn.apply(row);
    }
}

impl Stage for FrontEnd {
    type In = [f32];
    type Out = Frames;

    fn push(&mut self, input: &[f32], out: &mut Frames) -> Result<()> {
        if out.dim != self.config.num_ceps {
            return Err(Error::Shape(format!("frames of {} values: must be {}", out.dim, self.config.num_ceps)));
        }
        if self.resampler.is_some() {
            return self.extract_converted(out, |resampler, converted| resampler.push(input, converted));
        }
        self.extract(input, out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Frames) -> Result<()> {
        self.extract_converted(out, |resampler, converted| resampler.finish(converted))
    }

    fn reset(&mut self) {
        self.framer.reset();
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }
}
