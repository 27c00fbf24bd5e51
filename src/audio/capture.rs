//! Input devices through cpal: choice, negotiation, opening.
//!
//! Layer 1. What is done with the samples is `sink.rs`.

use super::mic::{Input, MicSource};
use super::sink::{BLOCKS, Sink};
use crate::error::{Error, Result};
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, I24, SampleFormat, SizedSample, Stream, StreamConfig, StreamInstant, U24};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
