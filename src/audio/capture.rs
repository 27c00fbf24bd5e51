//! The microphone through cpal.
use super::{AudioBlock, AudioSource};
use crate::error::Result;
/// A microphone.
pub struct MicSource {}
impl AudioSource for MicSource {
    fn sample_rate(&self) -> u32 {
        todo!()
    }
    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        todo!()
    }
}
/// Names of the input devices.
pub fn list_devices() -> Result<Vec<String>> {
    todo!()
}
