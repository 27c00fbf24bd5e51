//! WAV through hound.
use super::{AudioBlock, AudioSource};
use crate::error::Result;
use std::path::Path;
/// A WAV file read block by block.
pub struct WavSource {}
impl AudioSource for WavSource {
    fn sample_rate(&self) -> u32 {
        todo!()
    }
    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        todo!()
    }
}
/// Writes mono float WAV.
pub struct WavWriter {}
impl WavWriter {
    /// Creates `path`.
    pub fn create(path: &Path, sample_rate: u32) -> Result<Self> {
        let _ = (path, sample_rate);
        todo!()
    }
}
