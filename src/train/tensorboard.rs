//! TensorBoard's event files: scalars by step, one file a start of the training, appended to record by record.
//!
//! Layer 8. A record is a TFRecord (length, masked CRC-32C of the length, bytes, masked CRC-32C of the bytes) with a
//! protocol buffer `Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }`,
//! `Summary { repeated Value value = 1; }`, `Value { string tag = 1; float simple_value = 2; }`.
//!
//! Source: tensorflow/core/util/event.proto, framework/summary.proto and lib/io/record_writer.cc.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// First event of every file.
const VERSION: &str = "brain.Event:2";
/// Added to a rotated checksum, so that a checksum of data with checksums inside stays a good one.
const MASK_DELTA: u32 = 0xa282_ead8;

/// An event file that is being written.
#[derive(Debug)]
pub(super) struct EventWriter {
    file: File,
    path: PathBuf,
}

impl EventWriter {
    /// A new file in `folder`, named by the present time.
    pub fn create(folder: &Path) -> Result<Self> {
        let now = since_epoch();
        // Two starts within a second get files of their own.
        let path = folder.join(format!("events.out.tfevents.{:.0}.{}.eddy", now.floor(), std::process::id()));
        let file = File::options().create(true).append(true).open(&path).map_err(|error| Error::io(&path, error))?;
        let mut writer = EventWriter { file, path };
        writer.write(&event(now, 0, &text(3, VERSION)))?;
        Ok(writer)
    }

    /// Values with their tags at a step. A value that is not finite is written as it is: TensorBoard marks it.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<()> {
        self.write(&event(since_epoch(), step, &summary(values)))
    }

    fn write(&mut self, event: &[u8]) -> Result<()> {
        self.file.write_all(&record(event)).map_err(|error| Error::io(&self.path, error))
    }
}

fn since_epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// A TFRecord.
fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let masked = |bytes: &[u8]| crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK_DELTA).to_le_bytes();
    [&length[..], &masked(&length), bytes, &masked(bytes)].concat()
}

/// `Event` with `rest` as its last field.
fn event(wall_time: f64, step: u64, rest: &[u8]) -> Vec<u8> {
    let mut out = key(1, 1);
    out.extend(wall_time.to_le_bytes());
    if step > 0 {
        out.extend(key(2, 0));
        out.extend(varint(step));
    }
    out.extend(rest);
    out
}

/// Field 5 of `Event`: a `Summary`.
fn summary(values: &[(&str, f64)]) -> Vec<u8> {
    let value = |(tag, value): &(&str, f64)| {
        let mut out = text(1, tag);
        out.extend(key(2, 5));
        out.extend((*value as f32).to_le_bytes());
        bytes(1, &out)
    };
    bytes(5, &values.iter().flat_map(value).collect::<Vec<u8>>())
}

fn text(field: u64, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

fn bytes(field: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = key(field, 2);
    out.extend(varint(bytes.len() as u64));
    out.extend(bytes);
    out
}

fn key(field: u64, wire_type: u64) -> Vec<u8> {
    varint(field << 3 | wire_type)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/golden/tb_events.py` writes the same events through TensorBoard's own classes.
    #[test]
    fn bytes_equal_tensorboards_own() {
        let golden = include_str!("../../tests/golden/tb_events.json");
        let golden: serde_json::Value = serde_json::from_str(golden).expect("golden file");
        let events = [
            event(1234.5, 0, &text(3, VERSION)),
            event(1235.25, 1, &summary(&[("loss", 2.5)])),
            event(1236.0, 300, &summary(&[("dev/wer", 0.125), ("rate", 1e-3)])),
        ];
        let hex: String = events.iter().flat_map(|event| record(event)).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, golden["hex"].as_str().expect("hex"));
    }

    #[test]
    fn a_file_grows_by_whole_records() {
        let folder = tempfile::tempdir().expect("folder");
        let mut writer = EventWriter::create(folder.path()).expect("writer");
        let first = std::fs::metadata(&writer.path).expect("file").len();
        writer.scalars(7, &[("loss", f64::NAN)]).expect("written");
        let bytes = std::fs::read(&writer.path).expect("bytes");
        let length = u64::from_le_bytes(bytes[first as usize..first as usize + 8].try_into().expect("eight bytes"));
        assert_eq!(first + 8 + 4 + length + 4, bytes.len() as u64);
    }
}
