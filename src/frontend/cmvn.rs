//! Mean and variance normalisation with global statistics of the training set, and their file.
//!
//! Layer 2. One pass over the training set fills [`CmvnStats`]; [`Cmvn`] applies them frame by frame, the same in
//! training, batch and live.

use crate::error::{Error, Result};
use crate::stage::Frames;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Variances below this count as this.
const VARIANCE_FLOOR: f64 = 1e-6;

/// Sums over frames; the file is `cmvn.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CmvnStats {
    /// Frames counted.
    pub frames: u64,
    /// Sum of each value.
    pub sum: Vec<f64>,
    /// Sum of each value's square.
    pub sum_squares: Vec<f64>,
}

impl CmvnStats {
    /// No frames of `dim` values.
    pub fn new(dim: usize) -> Self {
        CmvnStats { frames: 0, sum: vec![0.0; dim], sum_squares: vec![0.0; dim] }
    }

    /// Values in a frame.
    pub fn dim(&self) -> usize {
        self.sum.len()
    }

    /// Counts frames in.
    pub fn add(&mut self, frames: &Frames) {
        for row in frames.rows() {
            for ((sum, squares), &value) in self.sum.iter_mut().zip(&mut self.sum_squares).zip(row) {
                *sum += f64::from(value);
                *squares += f64::from(value) * f64::from(value);
            }
        }
        self.frames += frames.len() as u64;
    }

    /// Reads `cmvn.json` and checks it.
    ///
    /// # Errors
    /// When the file cannot be read, is not whole, or holds no frames or numbers that are not finite.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let stats: CmvnStats =
            serde_json::from_str(&text).map_err(|error| Error::model(path, format!("not CMVN statistics: {error}")))?;
        Cmvn::new(&stats).map_err(|error| Error::model(path, error.to_string()))?;
        Ok(stats)
    }

    /// Writes it, atomically: to a temporary name, then renamed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        crate::error::write_atomically(path, serde_json::to_string(self).unwrap_or_default().as_bytes())
    }
}

/// Subtracts the mean and divides by the standard deviation, value by value.
#[derive(Debug, Clone)]
pub struct Cmvn {
    mean: Vec<f32>,
    scale: Vec<f32>,
}

impl Cmvn {
    /// From statistics of the training set.
    ///
    /// # Errors
    /// When there are no frames, the sums have different lengths, or a number is not finite.
    pub fn new(stats: &CmvnStats) -> Result<Self> {
        let fits = stats.sum.len() == stats.sum_squares.len() && !stats.sum.is_empty();
        let finite = stats.sum.iter().chain(&stats.sum_squares).all(|value| value.is_finite());
        if !fits || !finite || stats.frames == 0 {
            return Err(Error::Shape(format!(
                "CMVN statistics of {} frames, {} sums and {} sums of squares: must be finite, equally many, of at least one frame",
                stats.frames,
                stats.sum.len(),
                stats.sum_squares.len()
            )));
        }
        let count = stats.frames as f64;
        let mean: Vec<f64> = stats.sum.iter().map(|sum| sum / count).collect();
        let variance = stats.sum_squares.iter().zip(&mean).map(|(squares, mean)| squares / count - mean * mean);
        let scale = variance.map(|variance| (1.0 / variance.max(VARIANCE_FLOOR).sqrt()) as f32).collect();
        Ok(Cmvn { mean: mean.iter().map(|&mean| mean as f32).collect(), scale })
    }

    /// One frame, in place.
    pub fn apply(&self, frame: &mut [f32]) {
        for ((value, mean), scale) in frame.iter_mut().zip(&self.mean).zip(&self.scale) {
            *value = (*value - mean) * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalised_frames_have_mean_0_and_variance_1() {
        let mut frames = Frames { data: vec![1.0, 10.0, 2.0, 30.0, 3.0, 20.0], dim: 2, first_frame: 0 };
        let mut stats = CmvnStats::new(2);
        stats.add(&frames);
        let cmvn = Cmvn::new(&stats).expect("statistics");
        frames.data.chunks_exact_mut(2).for_each(|row| cmvn.apply(row));
        for column in 0..2 {
            let values: Vec<f32> = frames.rows().map(|row| row[column]).collect();
            assert!(values.iter().sum::<f32>().abs() < 1e-5);
            assert!((values.iter().map(|x| x * x).sum::<f32>() / 3.0 - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn broken_statistics_are_named() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("cmvn.json");
        for text in
            ["", "{}", r#"{"frames":0,"sum":[1],"sum_squares":[1]}"#, r#"{"frames":1,"sum":[1],"sum_squares":[]}"#]
        {
            std::fs::write(&path, text).expect("write");
            let message = CmvnStats::load(&path).expect_err("broken").to_string();
            assert!(message.contains("cmvn.json"), "{message}");
        }
    }
}
