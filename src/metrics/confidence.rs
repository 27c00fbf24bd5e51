//! How much a confidence can be trusted, and what makes it more so.
//!
//! Layer 4. Sources: Platt 1999, "Probabilistic outputs for support vector machines" (a logistic curve; with `shift` 0 it
//! is temperature scaling, Guo et al. 2017); expected calibration error as in Naeini et al. 2015.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Bins of equal width for the expected calibration error.
const BINS: usize = 10;
/// Probabilities are kept this far from 0 and 1, where the logit ends.
const MARGIN: f32 = 1e-6;
/// Newton's steps; a two-parameter fit is done after about ten.
const STEPS: usize = 50;
/// Strength of the pull towards the identity, in words: a handful of words must not make a curve.
const PRIOR: f64 = 1.0;

/// Maps a raw confidence to the share of words that are right at it: `sigmoid(scale * logit(p) + shift)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Slope; 1 over the temperature.
    pub scale: f32,
    /// Offset.
    pub shift: f32,
    /// A segment of one or two words whose mean confidence is lower is taken for a sound that is not speech and told as
    /// none; 0 tells all.
    #[serde(default)]
    pub reject_below: f32,
}

impl Default for Calibration {
    /// The identity, which rejects nothing.
    fn default() -> Self {
        Calibration { scale: 1.0, shift: 0.0, reject_below: 0.0 }
    }
}

impl Calibration {
    /// A calibrated confidence, rising with `raw`, in `0.0..=1.0`.
    pub fn apply(&self, raw: f32) -> f32 {
        if (self.scale, self.shift) == (1.0, 0.0) { raw } else { sigmoid(self.scale * logit(raw) + self.shift) }
    }

    /// The curve of least log loss over `(raw confidence, right?)`; the identity without words.
    pub fn fit(words: &[(f32, bool)]) -> Self {
        let (mut scale, mut shift) = (1.0f64, 0.0f64);
        for _ in 0..STEPS {
            // Gradient and Hessian of the log loss with a Gaussian prior around the identity.
            let (mut g, mut h) = ([PRIOR * (scale - 1.0), PRIOR * shift], [PRIOR, 0.0, PRIOR]);
            for &(raw, right) in words {
                let x = f64::from(logit(raw));
                let p = 1.0 / (1.0 + (-(scale * x + shift)).exp());
                let (error, weight) = (p - f64::from(u8::from(right)), p * (1.0 - p));
                g = [g[0] + error * x, g[1] + error];
                h = [h[0] + weight * x * x, h[1] + weight * x, h[2] + weight];
            }
            let determinant = h[0] * h[2] - h[1] * h[1];
            let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
            // Far from the minimum Newton's step may leap over it.
            let length = step[0].hypot(step[1]);
            let shorter = if length > 1.0 { 1.0 / length } else { 1.0 };
            (scale, shift) = ((scale - shorter * step[0]).max(0.01), shift - shorter * step[1]);
            if length < 1e-9 {
                break;
            }
        }
        Calibration { scale: scale as f32, shift: shift as f32, reject_below: 0.0 }
    }

    /// Checks the values' ranges.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        if !(self.scale > 0.0 && self.scale <= 100.0) {
            return Err(Error::invalid("scale", self.scale, "0.0..=100.0, not 0"));
        }
        if !(-100.0..=100.0).contains(&self.shift) {
            return Err(Error::invalid("shift", self.shift, "-100.0..=100.0"));
        }
        if !(0.0..=1.0).contains(&self.reject_below) {
            return Err(Error::invalid("reject_below", self.reject_below, "0.0..=1.0"));
        }
        Ok(())
    }
}

fn logit(p: f32) -> f32 {
    let p = p.clamp(MARGIN, 1.0 - MARGIN);
    (p / (1.0 - p)).ln()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Words by their confidence: how many there were, what was said of them, how many were right.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reliability {
    bins: [Bin; BINS],
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Bin {
    words: u64,
    right: u64,
    confidence: f64,
}

impl Reliability {
    /// Counts a word.
    pub fn add(&mut self, confidence: f32, right: bool) {
        let bin = &mut self.bins[((confidence * BINS as f32) as usize).min(BINS - 1)];
        bin.words += 1;
        bin.right += u64::from(right);
        bin.confidence += f64::from(confidence);
    }

    /// Counts another's words too.
    pub fn merge(&mut self, other: &Reliability) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.words += more.words;
            bin.right += more.right;
            bin.confidence += more.confidence;
        }
    }

    /// Words counted.
    pub fn words(&self) -> u64 {
        self.bins.iter().map(|bin| bin.words).sum()
    }

    /// Expected calibration error: mean distance between confidence and share of right words, by bins of 0.1, a fraction.
    pub fn expected_calibration_error(&self) -> f64 {
        let distance: f64 = self.bins.iter().map(|bin| (bin.confidence - bin.right as f64).abs()).sum();
        distance / (self.words().max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that are right as often as a known curve of their confidence says.
    fn drawn(truth: Calibration) -> Vec<(f32, bool)> {
        let mut words = Vec::new();
        for step in 1..100 {
            let raw = step as f32 / 100.0;
            let right = (truth.apply(raw) * 1000.0).round() as usize;
            words.extend((0..1000).map(|index| (raw, index < right)));
        }
        words
    }

    #[test]
    fn the_fit_finds_the_curve_that_made_the_words() {
        for truth in [(1.0, 0.0), (0.4, -0.7), (2.5, 1.0)].map(|(scale, shift)| Calibration {
            scale,
            shift,
            ..Default::default()
        }) {
            let fitted = Calibration::fit(&drawn(truth));
            assert!((fitted.scale - truth.scale).abs() < 0.01, "{fitted:?} {truth:?}");
            assert!((fitted.shift - truth.shift).abs() < 0.01, "{fitted:?} {truth:?}");
        }
        assert_eq!(Calibration::fit(&[]), Calibration::default());
        let all_right = Calibration::fit(&[(0.5, true); 1000]);
        assert!(all_right.validate().is_ok() && all_right.apply(0.5) > 0.9, "{all_right:?}");
    }

    #[test]
    fn the_error_is_the_distance_between_said_and_done() {
        let mut reliability = Reliability::default();
        assert_eq!(reliability.expected_calibration_error(), 0.0);
        for index in 0..10 {
            reliability.add(0.95, index < 9);
            reliability.add(1.0, true);
            reliability.add(0.25, index < 5);
        }
        // Bins: 0.9 to 1 says (9.5 + 10) of 20, 19 are right; 0.2 to 0.3 says 2.5 of 10, 5 are right.
        assert!((reliability.expected_calibration_error() - (0.5 + 2.5) / 30.0).abs() < 1e-6);
        let mut twice = reliability;
        twice.merge(&reliability);
        assert_eq!(twice.words(), 60);
        assert_eq!(twice.expected_calibration_error(), reliability.expected_calibration_error());
    }

    #[test]
    fn calibration_improves_what_is_overconfident() {
        let words = drawn(Calibration { scale: 0.4, shift: -0.7, ..Default::default() });
        let curve = Calibration::fit(&words);
        let error = |curve: Calibration| {
            let mut reliability = Reliability::default();
            words.iter().for_each(|&(raw, right)| reliability.add(curve.apply(raw), right));
            reliability.expected_calibration_error()
        };
        assert!(error(Calibration::default()) > 0.1);
        assert!(error(curve) < 0.005);
    }
}
