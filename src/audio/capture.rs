//! Input devices through cpal: choice, negotiation, and the callback that copies into recycled blocks.
//!
//! Layer 1. The callback runs on the audio system's thread: it copies, and neither allocates nor waits nor locks. Where
//! the reader is so late that no block is free, samples are lost, counted, and told with the next block; what the audio
//! system itself lost (an overrun) is measured on its clock and told the same way.

use super::AudioBlock;
use super::mic::{Input, MicSource};
use crate::error::{Error, Result};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, I24, Sample, SampleFormat, SizedSample, Stream, StreamConfig, StreamInstant, U24};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Frames a block; longer callbacks fill several.
const BLOCK_FRAMES: usize = 1024;
/// Blocks there are. At 48 kHz, in callbacks of 512 frames, the reader may be 5.5 s late before anything is lost, at 16 kHz
/// 16 s: what an audio system held while the process was stopped comes at once.
const BLOCKS: usize = 512;
/// Frames may come later than the clock says by this much ...
const JITTER: Duration = Duration::from_millis(200);
/// ... and by more for so long; then what lies between was lost, whether or not the audio system told of it.
const LATE: Duration = Duration::from_secs(1);
/// The rate that is asked of a device that has no default.
const PREFERRED_RATE_HZ: u32 = 48_000;

/// An input device.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct InputDevice {
    /// The name that people know it by.
    pub name: String,
    /// The audio system's name for it, unique.
    pub id: String,
    /// Whether it is used when none is named.
    pub default: bool,
    /// Samples a second that it would be opened with; `None` where it cannot be opened now.
    pub sample_rate: Option<u32>,
    /// Channels that it would be opened with.
    pub channels: Option<u16>,
    /// Sample format that it would be opened with.
    pub sample_format: Option<String>,
}

/// The callback's end of the channels.
struct Sink {
    full: Sender<AudioBlock>,
    empty: Receiver<Vec<f32>>,
    channels: usize,
    rate: u32,
    /// Frames lost since the last block that was sent.
    dropped: u64,
    /// Set by the audio system's report of an overrun.
    overrun: Arc<AtomicBool>,
    /// When the next frame should have been recorded, on the audio system's clock.
    expected: Option<Duration>,
    /// Since when frames have been recorded later than that by more than [`JITTER`].
    late_since: Option<Duration>,
}

impl Sink {
    /// With so many blocks to fill; the reader's ends of both channels.
    fn new(blocks: usize, channels: usize, rate: u32) -> (Self, Receiver<AudioBlock>, Sender<Vec<f32>>) {
        let (full, full_out) = bounded(blocks);
        let (empty_in, empty) = bounded(blocks);
        for _ in 0..blocks {
            // The channel has room for exactly these.
            let _ = empty_in.try_send(Vec::with_capacity(BLOCK_FRAMES));
        }
        let overrun = Arc::default();
        let sink = Sink { full, empty, channels, rate, dropped: 0, overrun, expected: None, late_since: None };
        (sink, full_out, empty_in)
    }

    /// Frames recorded at `recorded` on the audio system's clock.
    fn take<T>(&mut self, interleaved: &[T], recorded: Duration)
    where
        T: Sample,
        f32: FromSample<T>,
    {
        let overrun = self.overrun.swap(false, Ordering::Relaxed);
        let expected = self.expected.unwrap_or(recorded);
        let hole = recorded.saturating_sub(expected);
        let late_since = (hole > JITTER).then(|| self.late_since.unwrap_or(recorded));
        let lost = overrun || late_since.is_some_and(|since| recorded.saturating_sub(since) >= LATE);
        // A clock that differs a little from the audio system's is followed; what is only late comes in a burst.
        let begin = if lost || late_since.is_none() { recorded } else { expected };
        self.late_since = late_since.filter(|_| !lost);
        if lost {
            self.dropped += (hole.as_secs_f64() * f64::from(self.rate)).round() as u64;
        }
        let frames = (interleaved.len() / self.channels) as u64;
        self.expected = Some(begin + Duration::from_secs_f64(frames as f64 / f64::from(self.rate)));
        for piece in interleaved.chunks(BLOCK_FRAMES * self.channels) {
            self.copy(piece);
        }
    }

    fn copy<T>(&mut self, interleaved: &[T])
    where
        T: Sample,
        f32: FromSample<T>,
    {
        let frames = (interleaved.len() / self.channels) as u64;
        let Ok(mut samples) = self.empty.try_recv() else {
            self.dropped += frames;
            return;
        };
        samples.clear();
        let mean =
            |frame: &[T]| frame.iter().map(|sample| f32::from_sample(*sample)).sum::<f32>() / self.channels as f32;
        samples.extend(interleaved.chunks_exact(self.channels).map(mean));
        let block = AudioBlock { samples, dropped: self.dropped };
        match self.full.try_send(block) {
            Ok(()) => self.dropped = 0,
            Err(_) => self.dropped += frames,
        }
    }
}

impl MicSource {
    /// Opens the input device with this name or id (or the only one whose name contains it, in any case), or the default
    /// one, at its own rate, channel count and sample format. When the device goes away it is opened again as soon as it
    /// is back; the lost time is told as dropped samples.
    ///
    /// # Errors
    /// When there is no such device (the message lists those there are) or it cannot be opened.
    pub fn open(device: Option<&str>) -> Result<Self> {
        let device = device.map(str::to_string);
        MicSource::with(Box::new(move || open_input(device.as_deref())))
    }
}

/// The wanted device, or the default one.
fn choose(wanted: Option<&str>) -> Result<cpal::Device> {
    let Some(wanted) = wanted else {
        let default = cpal::default_host().default_input_device();
        return default.ok_or_else(|| not_found("default microphone"));
    };
    let all = inputs()?;
    let exact = all.iter().find(|device| name_of(device) == wanted || id_of(device) == wanted);
    let part = |device: &&cpal::Device| name_of(device).to_lowercase().contains(&wanted.to_lowercase());
    exact.or_else(|| all.iter().find(part)).cloned().ok_or_else(|| not_found(wanted))
}

fn not_found(wanted: &str) -> Error {
    let names: Vec<String> = inputs().unwrap_or_default().iter().map(name_of).collect();
    let known = if names.is_empty() { "no input device is there".to_string() } else { names.join(", ") };
    Error::audio(
        wanted,
        format!("no such input device; there are: {known} (`eddy devices` tells more; --from takes a recording)"),
    )
}

fn open_input(wanted: Option<&str>) -> Result<Input> {
    let _held = AlsaMessages::hold();
    let device = choose(wanted)?;
    let label = name_of(&device);
    let way_out = "`eddy devices` tells what there is, --input chooses, --from takes a recording";
    let failed = |error: cpal::Error| Error::audio(&label, format!("cannot be opened: {error} ({way_out})"));
    let (config, format) = negotiate(&device).map_err(failed)?;
    let (sink, full, empty) = Sink::new(BLOCKS, usize::from(config.channels).max(1), config.sample_rate);
    let lost = Arc::new(AtomicBool::new(false));
    let stream = start(&device, config, format, sink, Arc::clone(&lost)).map_err(failed)?;
    stream.play().map_err(failed)?;
    Ok(Input { label, full, empty, sample_rate: config.sample_rate, lost, _stream: Box::new(stream) })
}

/// The device's default, or else what it can do that is nearest to 48 kHz.
fn negotiate(device: &cpal::Device) -> Result<(StreamConfig, SampleFormat), cpal::Error> {
    let chosen = match device.default_input_config() {
        Ok(config) => config,
        Err(error) => {
            let distance = |rate: u32| rate.abs_diff(PREFERRED_RATE_HZ);
            let clamped = |range: &cpal::SupportedStreamConfigRange| {
                PREFERRED_RATE_HZ.clamp(range.min_sample_rate(), range.max_sample_rate())
            };
            let best = device.supported_input_configs()?.min_by_key(|range| distance(clamped(range)));
            let range = best.ok_or(error)?;
            let rate = clamped(&range);
            range.with_sample_rate(rate)
        }
    };
    let format = chosen.sample_format();
    Ok((StreamConfig::from(chosen), format))
}

/// Opens the stream in the device's own sample format.
fn start(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    sink: Sink,
    lost: Arc<AtomicBool>,
) -> Result<Stream, cpal::Error> {
    match format {
        SampleFormat::I8 => build::<i8>(device, config, sink, lost),
        SampleFormat::I16 => build::<i16>(device, config, sink, lost),
        SampleFormat::I24 => build::<I24>(device, config, sink, lost),
        SampleFormat::I32 => build::<i32>(device, config, sink, lost),
        SampleFormat::I64 => build::<i64>(device, config, sink, lost),
        SampleFormat::U8 => build::<u8>(device, config, sink, lost),
        SampleFormat::U16 => build::<u16>(device, config, sink, lost),
        SampleFormat::U24 => build::<U24>(device, config, sink, lost),
        SampleFormat::U32 => build::<u32>(device, config, sink, lost),
        SampleFormat::U64 => build::<u64>(device, config, sink, lost),
        SampleFormat::F64 => build::<f64>(device, config, sink, lost),
        _ => build::<f32>(device, config, sink, lost),
    }
}

fn build<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut sink: Sink,
    lost: Arc<AtomicBool>,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample + Send + 'static,
    f32: FromSample<T>,
{
    let overrun = Arc::clone(&sink.overrun);
    device.build_input_stream(
        config,
        move |samples: &[T], info: &cpal::InputCallbackInfo| {
            sink.take(samples, info.timestamp().capture.duration_since(StreamInstant::ZERO));
        },
        move |error: cpal::Error| match error.kind() {
            cpal::ErrorKind::Xrun => overrun.store(true, Ordering::Relaxed),
            cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged => {}
            _ => lost.store(true, Ordering::Relaxed),
        },
        None,
    )
}

/// What ALSA's library has to say while devices are looked for: it tells of every part of its configuration that this
/// machine has no use for. It goes to the debug log in place of stderr.
#[cfg(target_os = "linux")]
struct AlsaMessages(Option<std::rc::Rc<std::cell::RefCell<alsa::Output>>>);

#[cfg(target_os = "linux")]
impl AlsaMessages {
    /// Of this thread, until it is dropped. Without a buffer they go to stderr.
    fn hold() -> Self {
        AlsaMessages(alsa::Output::local_error_handler().ok())
    }
}

#[cfg(target_os = "linux")]
impl Drop for AlsaMessages {
    fn drop(&mut self) {
        let said = self.0.as_ref().map_or_else(String::new, |output| output.borrow().to_string());
        said.lines().for_each(|line| tracing::debug!("{line}"));
        // A new buffer, since the library's handler stays.
        let _ = alsa::Output::local_error_handler();
    }
}

#[cfg(not(target_os = "linux"))]
struct AlsaMessages;

#[cfg(not(target_os = "linux"))]
impl AlsaMessages {
    fn hold() -> Self {
        AlsaMessages
    }
}

fn inputs() -> Result<Vec<cpal::Device>> {
    let devices = cpal::default_host().input_devices();
    let devices = devices.map_err(|error| Error::audio("audio devices", format!("cannot be listed: {error}")))?;
    Ok(devices.collect())
}

fn name_of(device: &cpal::Device) -> String {
    device.description().map_or_else(|_| id_of(device), |description| description.name().to_string())
}

fn id_of(device: &cpal::Device) -> String {
    device.id().map_or_else(|_| "unknown".to_string(), |id| id.to_string())
}

/// The input devices, the default one first.
///
/// # Errors
/// When the audio system cannot be asked.
pub fn list_devices() -> Result<Vec<InputDevice>> {
    let _held = AlsaMessages::hold();
    let default = cpal::default_host().default_input_device().map(|device| id_of(&device));
    let describe = |device: &cpal::Device| {
        let config = negotiate(device).ok();
        InputDevice {
            name: name_of(device),
            id: id_of(device),
            default: default.as_deref() == Some(id_of(device).as_str()),
            sample_rate: config.as_ref().map(|(config, _)| config.sample_rate),
            channels: config.as_ref().map(|(config, _)| config.channels),
            sample_format: config.as_ref().map(|(_, format)| format.to_string()),
        }
    };
    let mut devices: Vec<InputDevice> = inputs()?.iter().map(describe).collect();
    devices.sort_by_key(|device| !device.default);
    Ok(devices)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A microphone of 16 kHz whose callback, of 100 ms, is called five times, misses `hole`, which the audio system
    /// reports or not, and is called 15 times more. Then the device is gone.
    pub(crate) fn microphone_with_hole(hole: Duration, reported: bool) -> MicSource {
        let mut once = Some(());
        let open = move || {
            once.take().ok_or_else(|| not_found("headset"))?;
            let (mut sink, full, empty) = Sink::new(BLOCKS, 1, 16_000);
            for index in 0..20u32 {
                let mut at = index * Duration::from_millis(100);
                if index >= 5 {
                    at += hole;
                    sink.overrun.store(reported && index == 5, Ordering::Relaxed);
                }
                sink.take(&[0.1f32; 1600], at);
            }
            let lost = Arc::new(AtomicBool::new(false));
            Ok(Input { label: "headset".into(), full, empty, sample_rate: 16_000, lost, _stream: Box::new(()) })
        };
        MicSource::with(Box::new(open)).expect("opened")
    }

    #[test]
    fn channels_are_averaged_and_formats_scaled() {
        let (mut sink, full, _) = Sink::new(4, 2, 1000);
        sink.take(&[i16::MAX, i16::MAX, 0, i16::MIN], Duration::ZERO);
        sink.take(&[128u8, 128, 255, 0], Duration::ZERO);
        let first = full.recv().expect("block");
        assert!((first.samples[0] - 1.0).abs() < 1e-4 && (first.samples[1] + 0.5).abs() < 1e-4);
        assert!(full.recv().expect("block").samples.iter().all(|sample| sample.abs() < 0.01));
    }

    #[test]
    fn what_a_late_reader_loses_is_counted_and_placed() {
        let (mut sink, full, empty) = Sink::new(2, 2, 1000);
        let callback = vec![0.25f32; 2 * (BLOCK_FRAMES + 10)];
        // Two blocks are filled, the next callback is lost as a whole.
        sink.take(&callback, Duration::ZERO);
        sink.take(&callback, Duration::ZERO);
        let blocks = [full.recv().expect("block"), full.recv().expect("block")];
        assert_eq!(blocks.each_ref().map(|block| (block.samples.len(), block.dropped)), [(BLOCK_FRAMES, 0), (10, 0)]);
        let pointer = blocks[1].samples.as_ptr();
        blocks.into_iter().rev().for_each(|block| empty.send(block.samples).expect("room"));
        sink.take(&[0.5f32; 6], Duration::ZERO);
        let block = full.recv().expect("block");
        assert_eq!((block.samples.len(), block.dropped), (3, BLOCK_FRAMES as u64 + 10));
        assert_eq!(block.samples.as_ptr(), pointer, "the block was not recycled");
    }

    #[test]
    fn an_overrun_is_measured_on_the_audio_systems_clock() {
        let (mut sink, full, _) = Sink::new(4, 2, 1000);
        sink.take(&[0.0f32; 200], Duration::from_millis(500));
        // A little late without an overrun is jitter.
        sink.take(&[0.0f32; 200], Duration::from_millis(640));
        sink.overrun.store(true, Ordering::Relaxed);
        sink.take(&[0.0f32; 200], Duration::from_millis(2740));
        let dropped: Vec<u64> = full.try_iter().map(|block| block.dropped).collect();
        assert_eq!(dropped, [0, 0, 2000]);
    }

    /// A callback of 100 ms at each of these times; what was told as lost with each.
    fn dropped(times_ms: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let (mut sink, full, _empty) = Sink::new(64, 2, 1000);
        times_ms.into_iter().for_each(|ms| sink.take(&[0.0f32; 200], Duration::from_millis(ms)));
        full.try_iter().map(|block| block.dropped).collect()
    }

    #[test]
    fn a_callback_that_stalled_without_a_report_is_noticed_by_the_clock() {
        // Two seconds are missing; it is certain when no burst has made up for them within a second.
        let told = dropped((0..5).map(|index| index * 100).chain((0..15).map(|index| 2500 + index * 100)));
        assert_eq!(told.iter().sum::<u64>(), 2000);
        assert_eq!(told.iter().position(|&lost| lost > 0), Some(15));
    }

    #[test]
    fn late_frames_and_another_clock_are_no_loss() {
        // All there is comes after a stall, at once.
        let burst = (0..5).map(|index| index * 100).chain((0..20).map(|_| 2500)).chain((25..40).map(|at| at * 100));
        assert_eq!(dropped(burst).iter().sum::<u64>(), 0);
        // One part in fifty slower, for a minute.
        assert_eq!(dropped((0..60).map(|index| index * 102)).iter().sum::<u64>(), 0);
    }
}
