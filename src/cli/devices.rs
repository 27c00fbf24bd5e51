//! `eddy devices`: the microphones there are.

use crate::audio::{InputDevice, list_devices};
use crate::cli::show::show;
use anyhow::Result;

/// Flags of `eddy devices`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy devices                      the default first
  eddy devices --json               an object a device
  eddy listen --input NAME          listen to one of them

Exit codes: 0 there is one, 1 there is none, 2 the audio system cannot be asked.")]
pub(super) struct DevicesArgs {
    /// One JSON object a device: name, id, default, sample_rate, channels, sample_format
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(super) fn run(args: DevicesArgs) -> Result<u8> {
    let devices = list_devices()?;
    let line = |device: &InputDevice| if args.json { serde_json::to_string(device) } else { Ok(as_text(device)) };
    for device in &devices {
        show!("{}", line(device)?)?;
    }
    if devices.is_empty() {
        eprintln!("eddy: no input device is there: connect a microphone, or use `eddy listen --from FILE`");
    }
    Ok(u8::from(devices.is_empty()))
}

/// Default mark, name, id, and what it would be opened with.
fn as_text(device: &InputDevice) -> String {
    let mark = if device.default { "*" } else { " " };
    let how = match (device.sample_rate, device.channels, &device.sample_format) {
        (Some(rate), Some(channels), Some(format)) => format!("{rate} Hz, {channels} ch, {format}"),
        _ => "cannot be opened now".to_string(),
    };
    format!("{mark} {}  [{}]  {how}", device.name, device.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_a_line() {
        let mut device = InputDevice {
            name: "Headset".into(),
            id: "alsa:hw:1".into(),
            default: true,
            sample_rate: Some(48_000),
            channels: Some(2),
            sample_format: Some("i16".into()),
        };
        assert_eq!(as_text(&device), "* Headset  [alsa:hw:1]  48000 Hz, 2 ch, i16");
        device.sample_rate = None;
        assert!(as_text(&device).ends_with("cannot be opened now"));
    }
}
