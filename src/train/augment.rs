//! What is done to recordings before they are trained on: speed, gain, noise, and masks on log-mel (SpecAugment).
//!
//! Layer 8. Every draw comes from a passed generator, which is seeded by (seed, epoch, place in the epoch): threads and
//! prefetching do not change what is drawn.

use super::recipe::AugmentRecipe;
use crate::audio::Resampler;
use crate::error::Result;
use crate::stage::{Frames, Stage};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of one draw: the same for the same seed, epoch and index, whatever was drawn elsewhere.
pub fn generator(seed: u64, epoch: u64, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch.wrapping_mul(1 << 32).wrapping_add(index));
    rng
}

/// Uniform in a range that may be a single point.
fn uniform(rng: &mut ChaCha8Rng, [low, high]: [f64; 2]) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Changes tempo and pitch together by a random factor of the recipe's range, by playing at another rate.
///
/// # Errors
/// When the rate cannot be converted.
pub fn change_speed(samples: Vec<f32>, rate_hz: u32, recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) -> Result<Vec<f32>> {
    // Steps of 1 % keep the resampler's blocks short.
    let percent = (uniform(rng, recipe.speed) * 100.0).round() as u32;
    if percent == 100 {
        return Ok(samples);
    }
    resample(&samples, rate_hz / 100 * percent, rate_hz / 100 * 100)
}

/// Takes a share of the recordings through a random lower sample rate and back: what was above its Nyquist frequency is
/// gone, so that bandwidth tells nothing about the words.
///
/// # Errors
/// When a rate cannot be converted.
pub fn limit_band(samples: Vec<f32>, rate_hz: u32, recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) -> Result<Vec<f32>> {
    let rates = &recipe.band_limit_rates_hz;
    if recipe.band_limit_probability == 0.0 || rng.random::<f64>() >= recipe.band_limit_probability {
        return Ok(samples);
    }
    let lower = rates[rng.random_range(0..rates.len())];
    let mut out = resample(&resample(&samples, rate_hz, lower)?, lower, rate_hz)?;
    out.resize(samples.len(), 0.0);
    Ok(out)
}

fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>> {
    let mut resampler = Resampler::new(from_hz, to_hz)?;
    let mut out = Vec::with_capacity((samples.len() as u64 * u64::from(to_hz) / u64::from(from_hz)) as usize + 1);
    resampler.push(samples, &mut out)?;
    resampler.finish(&mut out)?;
    Ok(out)
}

/// Multiplies by a random gain of the recipe's range, at most up to full scale.
pub fn change_gain(samples: &mut [f32], recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) {
    let gain = 10f64.powf(uniform(rng, recipe.gain_db) / 20.0) as f32;
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    let gain = if peak > 0.0 { gain.min(1.0 / peak).max(gain.min(1.0)) } else { gain };
    samples.iter_mut().for_each(|sample| *sample *= gain);
}

/// Adds noise at a random signal-to-noise ratio: a recorded clip from a random place on, repeated; white noise without.
pub fn add_noise(samples: &mut [f32], clip: Option<&[f32]>, recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) {
    let snr = uniform(rng, recipe.snr_db);
    let offset = rng.random_range(0..clip.map_or(1, |clip| clip.len().max(1)));
    let noise: Vec<f32> = match clip.filter(|clip| !clip.is_empty()) {
        Some(clip) => clip.iter().cycle().skip(offset).take(samples.len()).copied().collect(),
        None => (0..samples.len()).map(|_| rng.random::<f32>() + rng.random::<f32>() - 1.0).collect(),
    };
    let power = |values: &[f32]| values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / values.len().max(1) as f64;
    let (signal, level) = (power(samples), power(&noise));
    if level <= 0.0 || signal <= 0.0 {
        return;
    }
    let gain = (signal / level / 10f64.powf(snr / 10.0)).sqrt() as f32;
    samples.iter_mut().zip(noise).for_each(|(sample, noise)| *sample = (*sample + gain * noise).clamp(-1.0, 1.0));
}

/// Masks stretches of time and of frequency with the utterance's mean of each bin.
///
/// Shapes: `log_mel [T, num_mels]`, in place. Source: Park et al. 2019, SpecAugment.
pub fn mask(log_mel: &mut Frames, shift_seconds: f64, recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) {
    let (frames, bins) = (log_mel.len(), log_mel.dim);
    if frames == 0 {
        return;
    }
    let mut mean = vec![0.0f32; bins];
    for row in log_mel.rows() {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / frames as f32);
    }
    let expected = recipe.time_masks_per_second * frames as f64 * shift_seconds;
    let time_masks = expected.floor() as usize + usize::from(rng.random::<f64>() < expected.fract());
    for _ in 0..time_masks {
        let (start, width) = stretch(rng, frames, recipe.time_width.min(frames / 4));
        for frame in start..start + width {
            log_mel.data[frame * bins..(frame + 1) * bins].copy_from_slice(&mean);
        }
    }
    for _ in 0..recipe.frequency_masks {
        let (start, width) = stretch(rng, bins, recipe.frequency_width.min(bins / 2));
        for frame in 0..frames {
            let row = frame * bins + start;
            log_mel.data[row..row + width].copy_from_slice(&mean[start..start + width]);
        }
    }
}

/// A random stretch of `0..length`, at most `widest` wide.
fn stretch(rng: &mut ChaCha8Rng, length: usize, widest: usize) -> (usize, usize) {
    let width = rng.random_range(0..=widest);
    (rng.random_range(0..=length - width), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> AugmentRecipe {
        AugmentRecipe {
            speed: [0.9, 0.9],
            gain_db: [-6.0206, -6.0206],
            snr_db: [10.0, 10.0],
            time_masks_per_second: 2.0,
            time_width: 10,
            frequency_masks: 1,
            frequency_width: 4,
            ..AugmentRecipe::default()
        }
    }

    #[test]
    fn slower_is_longer_and_gain_scales() {
        let mut rng = generator(1, 2, 3);
        let slow = change_speed(vec![0.25; 9000], 16000, &recipe(), &mut rng).expect("speed");
        assert_eq!(slow.len(), 10000);
        let mut samples = vec![0.5; 10];
        change_gain(&mut samples, &recipe(), &mut rng);
        assert!((samples[0] - 0.25).abs() < 1e-4);
    }

    #[test]
    fn a_limited_band_keeps_what_is_below_and_loses_what_is_above() {
        let recipe = AugmentRecipe { band_limit_probability: 1.0, band_limit_rates_hz: vec![8000], ..recipe() };
        for (hz, wanted) in [(1000.0, 0.5), (6000.0, 0.0)] {
            let tone = (0..16000).map(|i| 0.5 * (i as f32 * hz * std::f32::consts::TAU / 16000.0).sin()).collect();
            let out = limit_band(tone, 16000, &recipe, &mut generator(1, 0, 0)).expect("limited");
            assert_eq!(out.len(), 16000);
            let peak = out[2000..14000].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
            assert!((peak - wanted).abs() < 0.01, "{hz} Hz: {peak}");
        }
    }

    #[test]
    fn noise_comes_at_the_ratio_asked_for() {
        let clean: Vec<f32> = (0..16000).map(|i| 0.3 * (i as f32 * 0.1).sin()).collect();
        let clip: Vec<f32> = (0..500).map(|i| if i % 2 == 0 { 0.01 } else { -0.01 }).collect();
        for clip in [Some(clip.as_slice()), None] {
            let mut noisy = clean.clone();
            add_noise(&mut noisy, clip, &recipe(), &mut generator(1, 0, 0));
            let power = |values: &[f32]| values.iter().map(|x| x * x).sum::<f32>();
            let added: Vec<f32> = noisy.iter().zip(&clean).map(|(a, b)| a - b).collect();
            let snr = 10.0 * (power(&clean) / power(&added)).log10();
            assert!((snr - 10.0).abs() < 0.2, "{snr} dB");
        }
    }

    #[test]
    fn masks_replace_whole_stretches_and_draws_repeat() {
        let value = |i: usize| ((i * 7919) % 101) as f32;
        let log_mel = Frames { data: (0..200 * 8).map(value).collect(), dim: 8, first_frame: 0 };
        let masked = |index| {
            let mut copy = log_mel.clone();
            mask(&mut copy, 0.01, &recipe(), &mut generator(5, 1, index));
            copy
        };
        assert_eq!(masked(0), masked(0));
        assert!((0..20).any(|index| masked(index) != masked(index + 1)));
        assert!((0..20).any(|index| masked(index) != log_mel));
    }
}
