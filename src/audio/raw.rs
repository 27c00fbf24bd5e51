//! Samples without a header, from any stream.
//!
//! Layer 1.

use super::wav::{NO_SAMPLES, mono};
use super::{AudioBlock, AudioSource, SAMPLE_RATES};
use crate::error::{Error, Result};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Frames (samples of all channels) a block.
const BLOCK_FRAMES: usize = 4096;

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RawSample {
    /// Unsigned 8 bits, silence at 128.
    U8,
    /// Signed 16 bits.
    S16,
    /// Signed 24 bits in three bytes.
    S24,
    /// Signed 32 bits.
    S32,
    /// Float of 32 bits.
    F32,
}

/// What a header would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawFormat {
    /// Samples a second, of each channel.
    pub sample_rate: u32,
    /// How a sample is written.
    pub sample: RawSample,
    /// Whether the highest byte comes first.
    pub big_endian: bool,
    /// Channels, interleaved.
    pub channels: u16,
}

impl RawFormat {
    /// Bytes of a sample.
    fn width(self) -> usize {
        match self.sample {
            RawSample::U8 => 1,
            RawSample::S16 => 2,
            RawSample::S24 => 3,
            RawSample::S32 | RawSample::F32 => 4,
        }
    }

    /// Bytes of a frame.
    fn frame(self) -> usize {
        self.width() * usize::from(self.channels)
    }

    /// One sample, of [`RawFormat::width`] bytes.
    fn value(self, bytes: &[u8]) -> f32 {
        let mut low_first = [0u8; 4];
        for (index, &byte) in bytes.iter().enumerate() {
            low_first[if self.big_endian { bytes.len() - 1 - index } else { index }] = byte;
        }
        match self.sample {
            RawSample::U8 => (f32::from(low_first[0]) - 128.0) / 128.0,
            RawSample::F32 => f32::from_le_bytes(low_first),
            _ => {
                let bits = 8 * bytes.len() as u32;
                let shifted = i32::from_le_bytes(low_first) << (32 - bits);
                (shifted >> (32 - bits)) as f32 / (1u64 << (bits - 1)) as f32
            }
        }
    }
}

impl FromStr for RawFormat {
    type Err = Error;

    /// `RATE,SAMPLE,CHANNELS`: `16000,s16le,1`.
    fn from_str(text: &str) -> Result<Self> {
        let allowed = "RATE,SAMPLE,CHANNELS with RATE 1000 to 1000000 and SAMPLE one of u8, s16le, s16be, s24le, s24be, s32le, s32be, f32le, \
                       f32be, for example 16000,s16le,1";
        let parse = || {
            let mut parts = text.split(',').map(str::trim);
            let (rate, sample, channels) = (parts.next()?, parts.next()?, parts.next()?);
            let (sample, big_endian) = match sample {
                "u8" => (RawSample::U8, false),
                _ => {
                    let kind = match sample.get(..3)? {
                        "s16" => RawSample::S16,
                        "s24" => RawSample::S24,
                        "s32" => RawSample::S32,
                        "f32" => RawSample::F32,
                        _ => return None,
                    };
                    match &sample[3..] {
                        "le" => (kind, false),
                        "be" => (kind, true),
                        _ => return None,
                    }
                }
            };
            let format =
                RawFormat { sample_rate: rate.parse().ok()?, sample, big_endian, channels: channels.parse().ok()? };
            (SAMPLE_RATES.contains(&format.sample_rate) && format.channels > 0 && parts.next().is_none())
                .then_some(format)
        };
        parse().ok_or_else(|| Error::invalid("raw", text, allowed))
    }
}

/// Raw samples read block by block, channels averaged.
pub struct RawSource {
    path: PathBuf,
    stream: Box<dyn Read + Send>,
    format: RawFormat,
    bytes: Vec<u8>,
    frames: u64,
    truncation: Option<String>,
}

impl RawSource {
    /// Of a stream; `path` is for messages.
    pub fn new(path: &Path, stream: Box<dyn Read + Send>, format: RawFormat) -> Self {
        RawSource { path: path.to_path_buf(), stream, format, bytes: Vec::new(), frames: 0, truncation: None }
    }

    /// Fills the block from the stream, less than full at its end.
    fn fill(&mut self) -> Result<()> {
        self.bytes.resize(BLOCK_FRAMES * self.format.frame(), 0);
        let mut filled = 0;
        while filled < self.bytes.len() {
            match self.stream.read(&mut self.bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.path, error)),
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}

impl AudioSource for RawSource {
    fn sample_rate(&self) -> u32 {
        self.format.sample_rate
    }

    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        self.fill()?;
        if !self.bytes.len().is_multiple_of(self.format.frame()) {
            self.truncation = Some("the last sample is cut short".to_string());
        }
        let whole = self.bytes.len() - self.bytes.len() % self.format.frame();
        let samples: Vec<f32> =
            self.bytes[..whole].chunks_exact(self.format.width()).map(|bytes| self.format.value(bytes)).collect();
        if let Some(index) = samples.iter().position(|sample| !sample.is_finite()) {
            let frame = self.frames + (index / usize::from(self.format.channels)) as u64;
            let reason = format!("sample {frame} is {}: must be a finite number; is --raw right?", samples[index]);
            return Err(Error::audio(&self.path, reason));
        }
        let samples = mono(&samples, usize::from(self.format.channels));
        self.frames += samples.len() as u64;
        if self.frames == 0 {
            return Err(Error::audio(&self.path, NO_SAMPLES));
        }
        Ok(Some(AudioBlock { samples, dropped: 0 }).filter(|block| !block.samples.is_empty()))
    }

    fn truncation(&self) -> Option<&str> {
        self.truncation.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::read_all;
    use std::io::Cursor;

    fn read(format: &str, bytes: &[u8]) -> Result<(Vec<f32>, Option<String>)> {
        let stream = Box::new(Cursor::new(bytes.to_vec()));
        let mut source = RawSource::new(Path::new("-"), stream, format.parse()?);
        let samples = read_all(&mut source)?;
        Ok((samples, source.truncation().map(str::to_string)))
    }

    #[test]
    fn every_kind_of_sample_is_read() {
        let quarter = 0.25f32;
        let cases: [(&str, &[u8]); 9] = [
            ("u8", &[160, 64]),
            ("s16le", &[0, 0x20, 0, 0xc0]),
            ("s16be", &[0x20, 0, 0xc0, 0]),
            ("s24le", &[0, 0, 0x20, 0, 0, 0xc0]),
            ("s24be", &[0x20, 0, 0, 0xc0, 0, 0]),
            ("s32le", &[0, 0, 0, 0x20, 0, 0, 0, 0xc0]),
            ("s32be", &[0x20, 0, 0, 0, 0xc0, 0, 0, 0]),
            ("f32le", &[&quarter.to_le_bytes()[..], &(-0.5f32).to_le_bytes()].concat()),
            ("f32be", &[&quarter.to_be_bytes()[..], &(-0.5f32).to_be_bytes()].concat()),
        ];
        for (sample, bytes) in cases {
            let (samples, truncation) = read(&format!("8000,{sample},1"), bytes).expect("samples");
            assert_eq!((samples, truncation), (vec![0.25, -0.5], None), "{sample}");
            assert_eq!(read(&format!("8000, {sample}, 2"), bytes).expect("samples").0, [-0.125], "{sample}");
        }
    }

    #[test]
    fn long_streams_and_their_ends() {
        let bytes: Vec<u8> = (0..20_001).map(|index| (index % 251) as u8).collect();
        let (samples, truncation) = read("16000,s16le,1", &bytes).expect("samples");
        assert_eq!(samples.len(), 10_000);
        assert!(truncation.expect("told").contains("cut short"));
        assert_eq!(read("16000,u8,1", &bytes[..8192]).expect("samples").0.len(), 8192);
        assert!(read("16000,s16le,1", &[]).expect_err("nothing").to_string().contains("no samples"));
        let broken = [0.0f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat();
        assert!(read("16000,f32le,1", &broken).expect_err("not a number").to_string().contains("sample 1 is NaN"));
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for text in
            ["", "16000", "16000,s16le", "16000,s16,1", "0,u8,1", "8000,u8,0", "8000,s8le,1", "x,u8,1", "1,u8,1,1"]
        {
            let message = text.parse::<RawFormat>().expect_err(text).to_string();
            assert!(message.contains("16000,s16le,1"), "{message}");
        }
    }
}
