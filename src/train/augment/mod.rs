//! What is done to recordings before they are trained on: speed, gain, room, channel, noise, and masks on log-mel
//! (SpecAugment).
//!
//! Layer 8. Every draw comes from a passed generator, which is seeded by (seed, epoch, place in the epoch): threads and
//! prefetching do not change what is drawn.

mod channel;
mod noise;

pub use channel::{add_room, limit_band, tilt};
pub use noise::{NoiseKind, mix};

use super::recipe::AugmentRecipe;
use crate::audio::resample;
use crate::error::Result;
use crate::stage::Frames;
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

/// Multiplies by a random gain of the recipe's range, at most up to full scale.
pub fn change_gain(samples: &mut [f32], recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) {
    let gain = 10f64.powf(uniform(rng, recipe.gain_db) / 20.0) as f32;
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    let gain = if peak > 0.0 { gain.min(1.0 / peak).max(gain.min(1.0)) } else { gain };
    samples.iter_mut().for_each(|sample| *sample *= gain);
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
