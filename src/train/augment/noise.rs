//! Noise: recorded clips, generated noise, other speakers; mixed in at a signal-to-noise ratio.
//!
//! Layer 8.

use super::uniform;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// Voices in a babble.
const VOICES: std::ops::RangeInclusive<usize> = 3..=6;
/// Harmonics of a mains hum.
const HARMONICS: usize = 8;

/// Where noise comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseKind {
    /// A clip of the recipe's noise manifests, from a random place on, repeated.
    Recorded,
    /// Equal power at all frequencies.
    White,
    /// Power falling by 3 dB an octave.
    Pink,
    /// Mains hum: 50 or 60 Hz and harmonics.
    Hum,
    /// Several other training utterances at once.
    Babble,
}

impl NoiseKind {
    /// `length` samples of it at `rate_hz`; `clip` and `speech` give a random recording of each kind, `None` where there
    /// is none (white noise stands in).
    ///
    /// # Errors
    /// Those of `clip` and `speech`.
    pub fn draw<E>(
        self,
        length: usize,
        rate_hz: u32,
        rng: &mut ChaCha8Rng,
        clip: &mut dyn FnMut(&mut ChaCha8Rng) -> Result<Option<Recording>, E>,
        speech: &mut dyn FnMut(&mut ChaCha8Rng) -> Result<Option<Recording>, E>,
    ) -> Result<Vec<f32>, E> {
        Ok(match self {
            NoiseKind::Recorded => match clip(rng)? {
                Some(recording) => repeated(&recording, length, rng),
                None => white(length, rng),
            },
            NoiseKind::White => white(length, rng),
            NoiseKind::Pink => pink(length, rng),
            NoiseKind::Hum => hum(length, rate_hz, rng),
            NoiseKind::Babble => {
                let mut sum = vec![0.0f32; length];
                for _ in 0..rng.random_range(VOICES) {
                    let Some(recording) = speech(rng)? else {
                        return Ok(white(length, rng));
                    };
                    let level = power(&recording).sqrt().max(1e-6) as f32;
                    let voice = repeated(&recording, length, rng);
                    sum.iter_mut().zip(voice).for_each(|(sum, sample)| *sum += sample / level);
                }
                sum
            }
        })
    }
}

/// Decoded audio, shared with the cache.
pub type Recording = std::sync::Arc<Vec<f32>>;

/// `length` samples from a random place on, again from its start when it ends.
fn repeated(recording: &[f32], length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    if recording.is_empty() {
        return vec![0.0; length];
    }
    let offset = rng.random_range(0..recording.len());
    recording.iter().cycle().skip(offset).take(length).copied().collect()
}

fn white(length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..length).map(|_| rng.random::<f32>() + rng.random::<f32>() - 1.0).collect()
}

/// White noise through poles and zeros that approximate -3 dB an octave. Source: P. Kellet's economy filter, as in
/// J. O. Smith, "Spectral Audio Signal Processing", example of 1/f noise.
fn pink(length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut b = [0.0f32; 3];
    white(length, rng)
        .into_iter()
        .map(|x| {
            b = [0.99765 * b[0] + 0.0990460 * x, 0.96300 * b[1] + 0.2965164 * x, 0.57000 * b[2] + 1.0526913 * x];
            b.iter().sum::<f32>() + 0.1848 * x
        })
        .collect()
}

fn hum(length: usize, rate_hz: u32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let base = if rng.random::<bool>() { 50.0 } else { 60.0 };
    let partials: Vec<(f64, f64, f64)> = (1..=HARMONICS)
        .map(|k| (base * k as f64 / f64::from(rate_hz), rng.random::<f64>() / k as f64, rng.random::<f64>()))
        .collect();
    let sample = |t: usize| {
        partials.iter().map(|(cycles, level, phase)| level * (TAU * (cycles * t as f64 + phase)).sin()).sum::<f64>()
    };
    (0..length).map(|t| sample(t) as f32).collect()
}

/// Mean square.
fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// Adds `noise` at a signal-to-noise ratio drawn from `snr_db`; nothing where either is silent.
pub fn mix(samples: &mut [f32], noise: &[f32], snr_db: [f64; 2], rng: &mut ChaCha8Rng) {
    let snr = uniform(rng, snr_db);
    let (signal, level) = (power(samples), power(noise));
    if level <= 0.0 || signal <= 0.0 {
        return;
    }
    let gain = (signal / level / 10f64.powf(snr / 10.0)).sqrt() as f32;
    samples.iter_mut().zip(noise).for_each(|(sample, noise)| *sample = (*sample + gain * noise).clamp(-1.0, 1.0));
}

#[cfg(test)]
mod tests {
    use super::super::generator;
    use super::*;
    use std::sync::Arc;

    fn draw(kind: NoiseKind, clip: Option<Recording>, speech: Option<Recording>) -> Vec<f32> {
        let mut rng = generator(1, 2, 3);
        let clip = &mut |_: &mut ChaCha8Rng| Ok::<_, ()>(clip.clone());
        let speech = &mut |_: &mut ChaCha8Rng| Ok::<_, ()>(speech.clone());
        kind.draw(32000, 16000, &mut rng, clip, speech).expect("noise")
    }

    /// Power of the difference of neighbours over power: 2 (1 - correlation), the more the higher the frequencies.
    fn roughness(samples: &[f32]) -> f64 {
        let steps: Vec<f32> = samples.windows(2).map(|pair| pair[1] - pair[0]).collect();
        power(&steps) / power(samples)
    }

    #[test]
    fn kinds_differ_as_their_names_say() {
        let [white, pink, hum] = [NoiseKind::White, NoiseKind::Pink, NoiseKind::Hum].map(|kind| draw(kind, None, None));
        assert!((roughness(&white) - 2.0).abs() < 0.1, "{}", roughness(&white));
        assert!((0.05..0.5).contains(&roughness(&pink)), "{}", roughness(&pink));
        assert!(roughness(&hum) < 0.02, "{}", roughness(&hum));
        assert!(power(&hum) > 0.0);
    }

    #[test]
    fn recorded_noise_is_the_clip_and_babble_is_made_of_speech() {
        let clip = Arc::new(vec![0.5f32, -0.25]);
        let noise = draw(NoiseKind::Recorded, Some(clip), None);
        assert!(noise.iter().all(|sample| [0.5, -0.25].contains(sample)) && noise[0] != noise[1]);
        let speech = Arc::new((0..999).map(|i| (i as f32 * 0.02).sin()).collect::<Vec<f32>>());
        let babble = draw(NoiseKind::Babble, None, Some(speech));
        assert!(roughness(&babble) < 0.01 && power(&babble) > 1.0, "{}", power(&babble));
        assert!((roughness(&draw(NoiseKind::Babble, None, None)) - 2.0).abs() < 0.1, "white stands in");
    }

    #[test]
    fn noise_comes_at_the_ratio_asked_for() {
        let clean: Vec<f32> = (0..16000).map(|i| 0.3 * (i as f32 * 0.1).sin()).collect();
        let noise: Vec<f32> = (0..16000).map(|i| if i % 2 == 0 { 0.01 } else { -0.01 }).collect();
        let mut noisy = clean.clone();
        mix(&mut noisy, &noise, [10.0, 10.0], &mut generator(1, 0, 0));
        let added: Vec<f32> = noisy.iter().zip(&clean).map(|(a, b)| a - b).collect();
        let snr = 10.0 * (power(&clean) / power(&added)).log10();
        assert!((snr - 10.0).abs() < 0.2, "{snr} dB");
        let mut silence = vec![0.0; 100];
        mix(&mut silence, &noise, [10.0, 10.0], &mut generator(1, 0, 0));
        assert!(silence.iter().all(|sample| *sample == 0.0));
    }
}
