//! WAV in and out through hound: int 8/16/24/32, float, any channels and rate -> mono `f32`.
//!
//! Layer 1. hound trusts the length in the header; a header that promises more than the file holds (a copy cut short), or
//! that never knew (a pipe), is corrected before hound sees it, so that what is there is read. A stream's length is not
//! known: what its header promises, or all that comes, is read.

use super::{AudioBlock, AudioSource, check_sample_rate};
use crate::error::{Error, Result};
use hound::{SampleFormat, WavReader, WavSpec};
use std::fs::File;
use std::io::{BufReader, Chain, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Frames (samples of all channels) a block.
const BLOCK_FRAMES: usize = 4096;
/// Header bytes read at most in search of the data chunk.
const HEADER_LIMIT: u64 = 1 << 20;
/// Bytes of a stream read at a time in search of the data chunk.
const STREAM_STEP: u64 = 4096;
const CUT_HEADER: &str = "the WAV header is cut short or damaged: record or copy the file again";
const PARTIAL_SAMPLE: &str = "the last sample is cut short";
pub(super) const NO_SAMPLES: &str = "holds no samples: record again or leave the file out";

type Input = Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>;

/// A WAV file read block by block, channels averaged.
pub struct WavSource {
    path: PathBuf,
    reader: WavReader<Input>,
    spec: WavSpec,
    /// Frames not yet read.
    left: u64,
    /// Frames that the header promises; where it never knew, more than there can be.
    frames: u64,
    /// Whether the header says how many there are.
    length_known: bool,
    truncation: Option<String>,
}

impl WavSource {
    /// Opens a WAV file.
    ///
    /// # Errors
    /// Names the file, what is wrong and the way out: a truncated header, a compressed WAV, no samples.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |error| Error::io(path, error);
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut header = Vec::new();
        (&mut file).take(HEADER_LIMIT).read_to_end(&mut header).map_err(io)?;
        let data = data_chunk(&header).ok_or_else(|| Error::audio(path, CUT_HEADER))?;
        let there = length - data.start as u64;
        let mut truncation = None;
        if u64::from(data.declared) > there || (data.declared == 0 && there > 0) {
            let usable = there - there % u64::from(data.frame_bytes());
            data.declare(&mut header, u32::try_from(usable).unwrap_or(data.most()));
            if data.is_known() {
                truncation = Some(format!(
                    "{} of {} bytes of audio are missing",
                    u64::from(data.declared) - there,
                    data.declared
                ));
            }
        } else {
            truncation = data.leave_out_partial_frame(&mut header);
        }
        header.truncate(data.start);
        file.seek(SeekFrom::Start(data.start as u64)).map_err(io)?;
        let input =
            Cursor::new(header).chain(Box::new(BufReader::with_capacity(1 << 16, file)) as Box<dyn Read + Send>);
        Ok(WavSource { truncation, ..WavSource::new(path, input, true)? })
    }

    /// Reads a WAV from a stream that cannot be sought in; `path` is for messages.
    ///
    /// # Errors
    /// As [`WavSource::open`].
    pub fn from_stream(path: &Path, mut stream: Box<dyn Read + Send>) -> Result<Self> {
        let mut header = Vec::new();
        let data = loop {
            let before = header.len();
            (&mut stream).take(STREAM_STEP).read_to_end(&mut header).map_err(|error| Error::io(path, error))?;
            if let Some(data) = data_chunk(&header) {
                break data;
            }
            if header.len() == before || header.len() as u64 > HEADER_LIMIT {
                return Err(Error::audio(path, CUT_HEADER));
            }
        };
        let truncation = if data.is_known() {
            data.leave_out_partial_frame(&mut header)
        } else {
            data.declare(&mut header, data.most());
            None
        };
        let source = WavSource::new(path, Cursor::new(header).chain(stream), data.is_known())?;
        Ok(WavSource { truncation, ..source })
    }

    fn new(path: &Path, input: Input, length_known: bool) -> Result<Self> {
        let reader = WavReader::new(input).map_err(|error| unreadable(path, &error))?;
        let (spec, frames) = (reader.spec(), u64::from(reader.duration()));
        if frames == 0 {
            return Err(Error::audio(path, NO_SAMPLES));
        }
        check_sample_rate(path, spec.sample_rate)?;
        Ok(WavSource { path: path.to_path_buf(), reader, spec, left: frames, frames, length_known, truncation: None })
    }

    /// The next `frames` frames as mono samples.
    fn read_mono(&mut self, frames: usize) -> Result<Vec<f32>> {
        let first = self.frames - self.left;
        let wanted = frames * usize::from(self.spec.channels);
        let mut samples: Vec<f32> = Vec::with_capacity(wanted);
        let ended = match self.spec.sample_format {
            SampleFormat::Float => append(&mut samples, self.reader.samples::<f32>().take(wanted)),
            SampleFormat::Int => {
                let scale = 1.0 / (1u64 << (self.spec.bits_per_sample - 1)) as f32;
                let scaled = |sample: hound::Result<i32>| sample.map(|value| value as f32 * scale);
                append(&mut samples, self.reader.samples::<i32>().take(wanted).map(scaled))
            }
        };
        if let Err(error) = ended {
            self.end_of_stream(error, samples.len())?;
        }
        if let Some(index) = samples.iter().position(|sample| !sample.is_finite()) {
            let frame = first + (index / usize::from(self.spec.channels)) as u64;
            return Err(Error::audio(
                &self.path,
                format!(
                    "sample {frame} is {}: must be a finite number; record or convert the file again",
                    samples[index]
                ),
            ));
        }
        Ok(mono(&samples, usize::from(self.spec.channels)))
    }

    /// A stream may end before its header says, or anywhere where that does not know: what is there counts.
    fn end_of_stream(&mut self, error: hound::Error, read: usize) -> Result<()> {
        if !ends(&error) {
            return Err(unreadable(&self.path, &error));
        }
        let read = (read / usize::from(self.spec.channels)) as u64;
        let missing = self.left - read;
        if self.length_known {
            let seconds = missing as f64 / f64::from(self.spec.sample_rate);
            self.truncation = Some(format!("the stream ends early: {seconds:.2} s are missing"));
        }
        // What is left after this block is nothing.
        self.left = read;
        if read == 0 && missing == self.frames {
            return Err(Error::audio(&self.path, NO_SAMPLES));
        }
        Ok(())
    }
}

/// Moves samples over up to the first that cannot be read.
fn append(samples: &mut Vec<f32>, read: impl Iterator<Item = hound::Result<f32>>) -> hound::Result<()> {
    for sample in read {
        samples.push(sample?);
    }
    Ok(())
}

/// Whether there is no more to read. (hound tells a sample that ends in the middle as an error of its own words.)
fn ends(error: &hound::Error) -> bool {
    matches!(error, hound::Error::IoError(inner)
        if inner.kind() == std::io::ErrorKind::UnexpectedEof || inner.to_string().contains("enough bytes"))
}

impl AudioSource for WavSource {
    fn sample_rate(&self) -> u32 {
        self.spec.sample_rate
    }

    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        let frames = self.left.min(BLOCK_FRAMES as u64);
        if frames == 0 {
            return Ok(None);
        }
        let samples = self.read_mono(frames as usize)?;
        self.left -= samples.len() as u64;
        Ok(Some(AudioBlock { samples, dropped: 0 }).filter(|block| !block.samples.is_empty()))
    }

    fn truncation(&self) -> Option<&str> {
        self.truncation.as_deref()
    }

    fn length(&self) -> Option<u64> {
        self.length_known.then_some(self.frames)
    }
}

/// Mean of the channels of interleaved samples.
pub(super) fn mono(interleaved: &[f32], channels: usize) -> Vec<f32> {
    if channels == 1 {
        return interleaved.to_vec();
    }
    interleaved.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect()
}

fn unreadable(path: &Path, error: &hound::Error) -> Error {
    match error {
        hound::Error::Unsupported | hound::Error::TooWide => Error::audio(
            path,
            "this kind of WAV is not supported: convert it, for example `ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav`",
        ),
        hound::Error::IoError(inner) if inner.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::audio(path, inner.to_string())
        }
        other => Error::audio(path, format!("not a readable WAV ({other}): record or convert the file again")),
    }
}

/// What a WAV's `fmt ` chunk says of its samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct SampleKind {
    /// 1 linear, 3 float, 6 A-law, 7 mu-law, 0xfffe: told further on.
    tag: u16,
    bits: u16,
}

impl SampleKind {
    /// Whether [`WavSource`] reads it: linear or float, or told further on, of 32 bits at most.
    pub fn is_plain(self) -> bool {
        matches!(self.tag, 1 | 3 | 0xfffe) && self.bits <= 32
    }
}

/// The kind of a WAV's samples; `None` without a whole `fmt ` chunk.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn sample_kind(path: &Path) -> Result<Option<SampleKind>> {
    let mut header = Vec::new();
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    file.take(HEADER_LIMIT).read_to_end(&mut header).map_err(|error| Error::io(path, error))?;
    Ok(sample_kind_in(&header))
}

/// As [`sample_kind`], of a header that has been read.
pub(super) fn sample_kind_in(header: &[u8]) -> Option<SampleKind> {
    let word = |at: usize| header.get(at..at + 2).map(|word| u16::from_le_bytes([word[0], word[1]]));
    let mut at = 12;
    while let (Some(id), Some(size)) = (header.get(at..at + 4), header.get(at + 4..at + 8)) {
        if id == b"fmt " {
            return Some(SampleKind { tag: word(at + 8)?, bits: word(at + 22)? });
        }
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        at += 8 + size + size % 2;
    }
    None
}

/// Where a WAV's audio lies.
struct DataChunk {
    /// Byte offset of the first sample.
    start: usize,
    /// Length in bytes that the header declares.
    declared: u32,
    /// Bytes of a frame.
    block_align: u16,
}

impl DataChunk {
    /// Whether the declared length is one: 0 and the top of the range are what a program writes that cannot go back to
    /// the header.
    fn is_known(&self) -> bool {
        self.declared != 0 && self.declared < 0x7fff_0000
    }

    /// The largest length in whole frames that a header can declare.
    fn most(&self) -> u32 {
        u32::MAX - u32::MAX % self.frame_bytes()
    }

    fn frame_bytes(&self) -> u32 {
        u32::from(self.block_align.max(1))
    }

    /// Makes the header declare whole frames; what is missing where it did not.
    fn leave_out_partial_frame(&self, header: &mut [u8]) -> Option<String> {
        let partial = self.declared % self.frame_bytes();
        (partial > 0).then(|| {
            self.declare(header, self.declared - partial);
            PARTIAL_SAMPLE.to_string()
        })
    }

    /// Writes a length into the header.
    fn declare(&self, header: &mut [u8], length: u32) {
        header[self.start - 4..self.start].copy_from_slice(&length.to_le_bytes());
    }
}

/// Walks the chunks up to `data`; `None` when there is no whole `fmt ` before it.
fn data_chunk(header: &[u8]) -> Option<DataChunk> {
    let size_at = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let mut block_align = None;
    let mut at = 12;
    loop {
        let (id, size) = (header.get(at..at + 4)?, size_at(at + 4)?);
        if id == b"data" {
            return Some(DataChunk { start: at + 8, declared: size, block_align: block_align? });
        }
        if id == b"fmt " {
            block_align = Some(u16::from_le_bytes(header.get(at + 20..at + 22)?.try_into().ok()?));
        }
        at = at.checked_add(8 + size as usize + (size as usize & 1))?;
    }
}

/// Writes mono 32-bit float WAV.
pub struct WavWriter {
    path: PathBuf,
    writer: hound::WavWriter<std::io::BufWriter<File>>,
}

impl WavWriter {
    /// Creates `path`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, sample_rate: u32) -> Result<Self> {
        let spec = WavSpec { channels: 1, sample_rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
        let writer = hound::WavWriter::create(path, spec).map_err(|error| unwritable(path, error))?;
        Ok(WavWriter { path: path.to_path_buf(), writer })
    }

    /// Appends samples.
    ///
    /// # Errors
    /// When the file cannot be written, a full disk for example.
    pub fn write(&mut self, samples: &[f32]) -> Result<()> {
        samples
            .iter()
            .try_for_each(|&sample| self.writer.write_sample(sample))
            .map_err(|error| unwritable(&self.path, error))
    }

    /// Brings header and samples to the disk; the file is readable up to here whatever happens next.
    ///
    /// # Errors
    /// As [`WavWriter::write`].
    pub fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(|error| unwritable(&self.path, error))
    }

    /// Completes the file.
    ///
    /// # Errors
    /// As [`WavWriter::write`].
    pub fn finish(self) -> Result<()> {
        let WavWriter { path, writer } = self;
        writer.finalize().map_err(|error| unwritable(&path, error))
    }
}

fn unwritable(path: &Path, error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(error) => Error::io(path, error),
        other => Error::audio(path, other.to_string()),
    }
}
