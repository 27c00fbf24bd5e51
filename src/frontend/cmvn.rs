//! Mean and variance normalisation: global statistics of the training set.
use crate::error::Result;
use crate::stage::Frames;
use serde::{Deserialize, Serialize};
use std::path::Path;

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
        let _ = dim;
        todo!()
    }
    /// Counts frames in.
    pub fn add(&mut self, frames: &Frames) {
        let _ = frames;
        todo!()
    }
    /// Reads `cmvn.json` and checks it.
    pub fn load(path: &Path) -> Result<Self> {
        let _ = path;
        todo!()
    }
    /// Writes it, atomically.
    pub fn save(&self, path: &Path) -> Result<()> {
        let _ = path;
        todo!()
    }
}
/// Subtracts the mean and divides by the standard deviation, value by value.
pub struct Cmvn {}
impl Cmvn {
    /// From statistics of the training set.
    pub fn new(stats: &CmvnStats) -> Result<Self> {
        let _ = stats;
        todo!()
    }
    /// One frame, in place.
    pub fn apply(&self, frame: &mut [f32]) {
        let _ = frame;
        todo!()
    }
}
