//! Recordings of any supported format: WAV goes to `wav.rs`, FLAC, Ogg Vorbis.. and Ogg Opus through symphonia.
use super::{AudioBlock, AudioSource};
use crate::error::Result;
use std::path::Path;

/// A recording read block by block.
pub struct FileSource {}
impl AudioSource for FileSource {
    fn sample_rate(&self) -> u32 {
        todo!()
    }
    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        todo!()
    }
}
/// Opens a recording of any supported format, chosen by content, not by name.
///
/// # Errors
/// Names the file, what is wrong and the way out: empty, a directory, no permission, not audio, a format not supported.
pub fn open(path: &Path) -> Result<Box<dyn AudioSource>> {
    let _ = path;
    todo!()
}
