//! The microphone through cpal: callback -> recycled blocks -> a bounded channel.
//!
//! Layer 1. The callback runs on the audio system's thread: it copies, and neither allocates nor waits. Where the reader
//! is so late that no block is free, samples are lost, counted, and told with the next block.

use super::{AudioBlock, AudioSource};
use crate::error::{Error, Result};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, Sample, SampleFormat, SizedSample, Stream, StreamConfig};
use crossbeam_channel::{Receiver, Sender, bounded};

/// Frames a block; longer callbacks fill several.
const BLOCK_FRAMES: usize = 1024;
/// Blocks there are: at 48 kHz the reader may be 2.7 s late before anything is lost.
const BLOCKS: usize = 128;

/// A microphone (or any input device), channels averaged.
pub struct MicSource {
    full: Receiver<Result<AudioBlock>>,
    /// Empty blocks on their way back to the callback.
    empty: Sender<Vec<f32>>,
    sample_rate: u32,
    /// Keeps the device open.
    _stream: Stream,
}

/// The callback's end of the channels.
struct Sink {
    full: Sender<Result<AudioBlock>>,
    empty: Receiver<Vec<f32>>,
    channels: usize,
    /// Frames lost since the last block that was sent.
    dropped: u64,
}

impl Sink {
    fn take<T>(&mut self, interleaved: &[T])
    where
        T: Sample,
        f32: FromSample<T>,
    {
        for piece in interleaved.chunks(BLOCK_FRAMES * self.channels) {
            let frames = (piece.len() / self.channels) as u64;
            let Ok(mut samples) = self.empty.try_recv() else {
                self.dropped += frames;
                continue;
            };
            samples.clear();
            samples.extend(
                piece.chunks_exact(self.channels).map(|frame| {
                    frame.iter().map(|sample| f32::from_sample(*sample)).sum::<f32>() / self.channels as f32
                }),
            );
            let block = AudioBlock { samples, dropped: std::mem::take(&mut self.dropped) };
            if let Err(refused) = self.full.try_send(Ok(block)) {
                let lost = refused.into_inner().map_or(0, |block| block.dropped);
                self.dropped += frames + lost;
            }
        }
    }
}

impl MicSource {
    /// Opens the input device whose name contains `device`, or the default one, at its own rate and channel count.
    ///
    /// # Errors
    /// When there is no such device (the message lists those there are) or it cannot be opened.
    pub fn open(device: Option<&str>) -> Result<Self> {
        let host = cpal::default_host();
        let chosen = match device {
            None => host.default_input_device(),
            Some(wanted) => inputs()?.into_iter().find(|(name, _)| name.contains(wanted)).map(|(_, device)| device),
        };
        let Some(input) = chosen else {
            let known = list_devices().unwrap_or_default();
            let known = if known.is_empty() { "no input device is there".to_string() } else { known.join(", ") };
            return Err(Error::audio(device.unwrap_or("default microphone"), format!("not found: {known}")));
        };
        let label = input.to_string();
        let failed = |error: cpal::Error| Error::audio(&label, format!("cannot be opened: {error}"));
        let supported = input.default_input_config().map_err(failed)?;
        let (format, config) = (supported.sample_format(), StreamConfig::from(supported));
        let (full_in, full) = bounded(BLOCKS + 1);
        let (empty, empty_out) = bounded(BLOCKS);
        for _ in 0..BLOCKS {
            // The channel has room for exactly these.
            let _ = empty.try_send(Vec::with_capacity(BLOCK_FRAMES));
        }
        let sink = Sink { full: full_in, empty: empty_out, channels: usize::from(config.channels).max(1), dropped: 0 };
        let stream = start(&input, config, format, sink).map_err(failed)?;
        stream.play().map_err(failed)?;
        Ok(MicSource { full, empty, sample_rate: config.sample_rate, _stream: stream })
    }

    /// Gives a block's memory back once its samples were used; without this the blocks run out.
    pub fn recycle(&self, block: AudioBlock) {
        // Full only when the block was not one of ours.
        let _ = self.empty.try_send(block.samples);
    }
}

impl AudioSource for MicSource {
    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Waits for the next block. The copy that leaves is the caller's; the block itself goes back to the callback.
    fn next_block(&mut self) -> Result<Option<AudioBlock>> {
        let Ok(block) = self.full.recv() else {
            return Ok(None);
        };
        let block = block?;
        let copy = block.clone();
        self.recycle(block);
        Ok(Some(copy))
    }
}

/// Opens the stream in the device's own sample format.
fn start(device: &cpal::Device, config: StreamConfig, format: SampleFormat, sink: Sink) -> Result<Stream, cpal::Error> {
    match format {
        SampleFormat::I8 => build::<i8>(device, config, sink),
        SampleFormat::I16 => build::<i16>(device, config, sink),
        SampleFormat::I32 => build::<i32>(device, config, sink),
        SampleFormat::U8 => build::<u8>(device, config, sink),
        SampleFormat::U16 => build::<u16>(device, config, sink),
        SampleFormat::U32 => build::<u32>(device, config, sink),
        SampleFormat::F64 => build::<f64>(device, config, sink),
        _ => build::<f32>(device, config, sink),
    }
}

fn build<T>(device: &cpal::Device, config: StreamConfig, mut sink: Sink) -> Result<Stream, cpal::Error>
where
    T: SizedSample + Send + 'static,
    f32: FromSample<T>,
{
    let errors = sink.full.clone();
    device.build_input_stream(
        config,
        move |data: &[T], _: &_| sink.take(data),
        move |error: cpal::Error| match error.kind() {
            cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied => {}
            // One place in the channel is kept for this.
            _ => drop(errors.try_send(Err(Error::audio("microphone", error.to_string())))),
        },
        None,
    )
}

fn inputs() -> Result<Vec<(String, cpal::Device)>> {
    let devices = cpal::default_host().input_devices();
    let devices = devices.map_err(|error| Error::audio("audio devices", format!("cannot be listed: {error}")))?;
    Ok(devices.map(|device| (device.to_string(), device)).collect())
}

/// Names of the input devices.
///
/// # Errors
/// When the audio system cannot be asked.
pub fn list_devices() -> Result<Vec<String>> {
    Ok(inputs()?.into_iter().map(|(name, _)| name).collect())
}
