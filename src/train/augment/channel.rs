//! What lies between a mouth and a recording: a room, a microphone's response, a narrow band, a telephone's codec.
//!
//! Layer 8.

use super::super::recipe::AugmentRecipe;
use super::{resample, uniform};
use crate::error::Result;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use realfft::RealFftPlanner;

/// Companding constant of mu-law. Source: ITU-T G.711.
const MU: f32 = 255.0;

/// Puts a share of the recordings into a room: the direct sound and a tail of noise that decays by 60 dB within a random
/// time. The level stays, and so does the length.
///
/// Source of the model: Polack 1988 (exponentially decaying Gaussian noise as a late room response).
///
/// # Errors
/// When the transform fails, which it does not for the lengths made here.
pub fn add_room(
    samples: Vec<f32>,
    rate_hz: u32,
    recipe: &AugmentRecipe,
    planner: &mut RealFftPlanner<f32>,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<f32>> {
    if recipe.reverb_probability == 0.0 || rng.random::<f64>() >= recipe.reverb_probability || samples.is_empty() {
        return Ok(samples);
    }
    let response = room_response(rate_hz, recipe, rng);
    convolve(samples, &response, planner)
}

/// Direct sound, first reflection after 1 to 10 ms, decaying tail.
fn room_response(rate_hz: u32, recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let rate = f64::from(rate_hz);
    let decay_seconds = uniform(rng, recipe.reverb_seconds);
    // Power of the tail relative to the direct sound, in dB.
    let wet = 10f64.powf(uniform(rng, [-18.0, 0.0]) / 20.0);
    let first = (uniform(rng, [0.001, 0.01]) * rate) as usize;
    let length = first + (decay_seconds * rate) as usize + 1;
    let mut response = vec![0.0f32; length];
    let fall = (1e-3f64).ln() / (decay_seconds * rate).max(1.0);
    for (t, value) in response.iter_mut().enumerate().skip(first) {
        let noise = rng.random::<f64>() + rng.random::<f64>() - 1.0;
        *value = (noise * (fall * (t - first) as f64).exp()) as f32;
    }
    let energy = response.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(1e-9);
    response.iter_mut().for_each(|value| *value *= (wet / energy) as f32);
    response[0] = 1.0;
    let total = (1.0 + wet * wet).sqrt() as f32;
    response.iter_mut().for_each(|value| *value /= total);
    response
}

/// The first `samples.len()` samples of the convolution, by one transform of all.
fn convolve(samples: Vec<f32>, response: &[f32], planner: &mut RealFftPlanner<f32>) -> Result<Vec<f32>> {
    let shape = |error: realfft::FftError| crate::error::Error::Shape(error.to_string());
    let size = (samples.len() + response.len()).next_power_of_two();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let spectrum = |values: &[f32]| {
        let mut padded = values.to_vec();
        padded.resize(size, 0.0);
        let mut out = forward.make_output_vec();
        forward.process(&mut padded, &mut out).map(|()| out)
    };
    let (mut product, other) = (spectrum(&samples).map_err(shape)?, spectrum(response).map_err(shape)?);
    product.iter_mut().zip(other).for_each(|(a, b)| *a *= b / size as f32);
    let mut out = inverse.make_output_vec();
    // The ends of a real signal's spectrum are real; rounding may say otherwise.
    for end in [0, size / 2] {
        product[end].im = 0.0;
    }
    inverse.process(&mut product, &mut out).map_err(shape)?;
    out.truncate(samples.len());
    Ok(out)
}

/// Tilts the spectrum by a random first-order filter, as another microphone or distance would; the level stays.
pub fn tilt(samples: &mut [f32], recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) {
    if recipe.tilt == 0.0 {
        return;
    }
    let a = uniform(rng, [-recipe.tilt, recipe.tilt]) as f32;
    let before = samples.iter().map(|x| x * x).sum::<f32>();
    let mut last = 0.0;
    for sample in samples.iter_mut() {
        let x = *sample;
        *sample += a * last;
        last = x;
    }
    let after = samples.iter().map(|x| x * x).sum::<f32>();
    let scale = if after > 0.0 { (before / after).sqrt() } else { 1.0 };
    samples.iter_mut().for_each(|sample| *sample *= scale);
}

/// Takes a share of the recordings through a random lower sample rate and back: what was above its Nyquist frequency is
/// gone, so that bandwidth tells nothing about the words. Some pass a telephone's mu-law on the way.
///
/// # Errors
/// When a rate cannot be converted.
pub fn limit_band(samples: Vec<f32>, rate_hz: u32, recipe: &AugmentRecipe, rng: &mut ChaCha8Rng) -> Result<Vec<f32>> {
    let rates = &recipe.band_limit_rates_hz;
    if recipe.band_limit_probability == 0.0 || rng.random::<f64>() >= recipe.band_limit_probability {
        return Ok(samples);
    }
    let lower = rates[rng.random_range(0..rates.len())];
    let mut narrow = resample(&samples, rate_hz, lower)?;
    if rng.random::<f64>() < recipe.mu_law_probability {
        narrow.iter_mut().for_each(|sample| *sample = mu_law(*sample));
    }
    let mut out = resample(&narrow, lower, rate_hz)?;
    out.resize(samples.len(), 0.0);
    Ok(out)
}

/// A sample as eight bits of mu-law keep it.
fn mu_law(sample: f32) -> f32 {
    let compressed = (1.0 + MU * sample.abs().min(1.0)).ln() / (1.0 + MU).ln();
    let kept = (compressed * 127.0).round() / 127.0;
    sample.signum() * ((1.0 + MU).powf(kept) - 1.0) / MU
}

#[cfg(test)]
mod tests {
    use super::super::generator;
    use super::*;

    fn energy(samples: &[f32]) -> f32 {
        samples.iter().map(|x| x * x).sum()
    }

    #[test]
    fn a_limited_band_keeps_what_is_below_and_loses_what_is_above() {
        for mu_law_probability in [0.0, 1.0] {
            let recipe = AugmentRecipe {
                band_limit_probability: 1.0,
                band_limit_rates_hz: vec![8000],
                mu_law_probability,
                ..AugmentRecipe::default()
            };
            for (hz, wanted) in [(1000.0, 0.5), (6000.0, 0.0)] {
                let tone = (0..16000).map(|i| 0.5 * (i as f32 * hz * std::f32::consts::TAU / 16000.0).sin()).collect();
                let out = limit_band(tone, 16000, &recipe, &mut generator(1, 0, 0)).expect("limited");
                assert_eq!(out.len(), 16000);
                let peak = out[2000..14000].iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
                assert!((peak - wanted).abs() < 0.02, "{hz} Hz: {peak}");
            }
        }
    }

    /// Steps of G.711: 8 bits keep a quiet sample to a hundredth of full scale's resolution.
    #[test]
    fn mu_law_is_fine_for_quiet_samples_and_coarse_for_loud_ones() {
        for (sample, worst) in [(0.0f32, 0.0), (0.001, 1e-4), (-0.01, 3e-4), (0.9, 0.02), (-1.0, 1e-6)] {
            assert!((mu_law(sample) - sample).abs() <= worst, "{sample}: {}", mu_law(sample));
        }
        assert!((mu_law(0.91) - 0.91).abs() > 1e-5);
    }

    #[test]
    fn a_room_adds_a_tail_that_dies_away() {
        let recipe = AugmentRecipe { reverb_probability: 1.0, reverb_seconds: [0.3, 0.3], ..AugmentRecipe::default() };
        let mut click = vec![0.0f32; 16000];
        click[1000] = 1.0;
        let mut planner = RealFftPlanner::new();
        let out = add_room(click, 16000, &recipe, &mut planner, &mut generator(1, 0, 5)).expect("room");
        assert_eq!(out.len(), 16000);
        assert!(energy(&out[..1000]) < 1e-9, "nothing before the sound");
        assert!((energy(&out) - 1.0).abs() < 0.05, "{}", energy(&out));
        let (early, late) = (energy(&out[1001..2600]), energy(&out[4200..5800]));
        assert!(early > 1e-3 && late < 0.05 * early, "{early} {late}");
        assert!(energy(&out[6500..]) < 1e-9, "nothing after 0.3 s and the first reflection");
    }

    #[test]
    fn convolution_equals_the_sum_by_hand() {
        let out = convolve(vec![1.0, 2.0, 3.0, 4.0], &[0.5, 0.0, -1.0], &mut RealFftPlanner::new()).expect("sum");
        for (value, wanted) in out.iter().zip([0.5, 1.0, 0.5, 0.0]) {
            assert!((value - wanted).abs() < 1e-5, "{out:?}");
        }
    }

    #[test]
    fn tilt_moves_the_balance_and_keeps_the_level() {
        let recipe = AugmentRecipe { tilt: 0.5, ..AugmentRecipe::default() };
        let noise: Vec<f32> = (0..4000).map(|i| ((i * 7919 % 1009) as f32 / 504.5) - 1.0).collect();
        let mut tilted = noise.clone();
        tilt(&mut tilted, &recipe, &mut generator(3, 0, 1));
        assert!((energy(&tilted) / energy(&noise) - 1.0).abs() < 1e-3);
        assert!(tilted.iter().zip(&noise).any(|(a, b)| (a - b).abs() > 0.01));
    }
}
