//! Power spectrum, mel bank, log, DCT-II, lifter: one windowed frame in, one frame of cepstra out.
//!
//! Layer 2. Source: Kaldi `feature-mfcc.cc`, `mel-computations.cc` with `use_energy = false`; numbers equal those of
//! kaldi-native-fbank (see `tests/golden/mfcc.py`).

use super::FrontEndConfig;
use crate::error::{Error, Result};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::f64::consts::PI;
use std::sync::Arc;

/// A triangular filter: weights of consecutive spectrum bins.
#[derive(Debug, Clone)]
struct Filter {
    first_bin: usize,
    weights: Vec<f32>,
}

/// Triangular filters, evenly spaced on the mel scale `1127 ln(1 + f / 700)`.
#[derive(Debug, Clone)]
pub struct MelBank {
    filters: Vec<Filter>,
}

fn mel(hz: f64) -> f64 {
    1127.0 * (1.0 + hz / 700.0).ln()
}

impl MelBank {
    /// Filters over the `fft_size / 2` lowest bins of a spectrum (the Nyquist bin takes no part, as in Kaldi).
    ///
    /// # Errors
    /// When a filter would hold no bin at all: there are too many for the window.
    pub fn new(config: &FrontEndConfig, fft_size: usize) -> Result<Self> {
        let bin_hz = f64::from(config.sample_rate_hz) / fft_size as f64;
        let (low, high) = (mel(config.low_hz), mel(config.upper_hz()));
        let step = (high - low) / (config.num_mels as f64 + 1.0);
        let filter = |index: usize| {
            let left = low + index as f64 * step;
            let (centre, right) = (left + step, left + 2.0 * step);
            let weight = |bin: usize| {
                let mel = mel(bin as f64 * bin_hz);
                if mel <= left || mel >= right {
                    0.0
                } else if mel <= centre {
                    (mel - left) / (centre - left)
                } else {
                    (right - mel) / (right - centre)
                }
            };
            let inside: Vec<usize> = (0..fft_size / 2).filter(|&bin| weight(bin) > 0.0).collect();
            let first_bin = inside.first().copied()?;
            Some(Filter { first_bin, weights: inside.iter().map(|&bin| weight(bin) as f32).collect() })
        };
        let filters: Option<Vec<_>> = (0..config.num_mels).map(filter).collect();
        filters.map(|filters| MelBank { filters }).ok_or_else(|| {
            Error::invalid("num_mels", config.num_mels, "fewer: some filter would cover no bin of the spectrum")
        })
    }

    /// Energies of a power spectrum, one a filter.
    pub fn energies(&self, power: &[f32], out: &mut [f32]) {
        for (filter, energy) in self.filters.iter().zip(out) {
            *energy = dot(&filter.weights, &power[filter.first_bin..]);
        }
    }
}

/// Dot product over the shorter of the two, in eight running sums so that it vectorises.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let mut sums = [0.0f32; 8];
    let (chunks_a, chunks_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = chunks_a.remainder().iter().zip(chunks_b.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in chunks_a.zip(chunks_b) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// One windowed frame in, one frame of cepstra out; owns every buffer it needs.
pub struct Mfcc {
    fft: Arc<dyn RealToComplex<f32>>,
    padded: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
    bank: MelBank,
    /// DCT-II with the lifter folded in, `[num_ceps, num_mels]`.
    dct: Vec<f32>,
    num_mels: usize,
}

impl Mfcc {
    /// Tables for a front end.
    ///
    /// # Errors
    /// When the mel bank does not fit the window.
    pub fn new(config: &FrontEndConfig) -> Result<Self> {
        let size = config.frame_length_samples().next_power_of_two();
        let fft = RealFftPlanner::new().plan_fft_forward(size);
        Ok(Mfcc {
            padded: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; size / 2],
            bank: MelBank::new(config, size)?,
            dct: liftered_dct(config.num_ceps, config.num_mels, config.lifter),
            num_mels: config.num_mels,
            fft,
        })
    }

    /// Natural log of the mel energies, floored at the `f32` epsilon.
    ///
    /// Shapes: `frame [window] -> log_mel [num_mels]`.
    pub fn log_mel(&mut self, frame: &[f32], log_mel: &mut [f32]) {
        let (head, tail) = self.padded.split_at_mut(frame.len());
        head.copy_from_slice(frame);
        tail.fill(0.0);
        self.fft
            .process_with_scratch(&mut self.padded, &mut self.spectrum, &mut self.scratch)
            .expect("buffers were made by the plan itself");
        for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
            *power = bin.norm_sqr();
        }
        self.bank.energies(&self.power, log_mel);
        for energy in log_mel {
            *energy = energy.max(f32::EPSILON).ln();
        }
    }

    /// Cepstra of log-mel energies.
    ///
    /// Shapes: `log_mel [num_mels] -> cepstra [num_ceps]`.
    pub fn cepstra(&self, log_mel: &[f32], cepstra: &mut [f32]) {
        for (row, value) in self.dct.chunks_exact(self.num_mels).zip(cepstra) {
            *value = dot(row, log_mel);
        }
    }
}

/// Orthonormal DCT-II, row `k` scaled by the lifter `1 + Q/2 sin(pi k / Q)`.
fn liftered_dct(num_ceps: usize, num_mels: usize, lifter: f64) -> Vec<f32> {
    let n = num_mels as f64;
    let row = |k: usize| {
        let norm = if k == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
        let lift = if lifter == 0.0 { 1.0 } else { 1.0 + 0.5 * lifter * (PI * k as f64 / lifter).sin() };
        (0..num_mels).map(move |m| (norm * lift * (PI / n * (m as f64 + 0.5) * k as f64).cos()) as f32)
    };
    (0..num_ceps).flat_map(row).collect()
}
