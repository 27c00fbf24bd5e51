//! Other recognisers that `python3` knows, over the same recordings.

use crate::audio::{Recording, read_all, resample};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

/// What runs them.
const SCRIPT: &str = include_str!("others.py");
/// What all of them hear.
const RATE_HZ: u32 = 16_000;

/// What came of one of them.
#[derive(Debug, Deserialize)]
pub(super) struct Other {
    /// Its name, with its version where it ran.
    pub recognizer: String,
    /// Why it did not run.
    pub missing: Option<String>,
    /// Audio that it heard.
    pub audio_seconds: Option<f64>,
    /// Time that this took.
    pub wall_seconds: Option<f64>,
    /// CPU time of all its threads.
    pub cpu_seconds: Option<f64>,
}

/// Runs them, with `threads` where they can be told, over the first recordings, `seconds` of audio at most. Recordings
/// that cannot be read are left out.
///
/// # Errors
/// When there is no `python3`, nothing can be read, or Python fails as a whole.
pub(super) fn measure(recordings: &[Recording], seconds: f64, threads: usize) -> Result<Vec<Other>> {
    let audio = samples(recordings, seconds);
    if audio.is_empty() {
        bail!("no recording could be read for the other recognisers");
    }
    let mut child = Command::new("python3")
        .args(["-c", SCRIPT, &threads.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("python3, which runs the other recognisers")?;
    let mut stdin = child.stdin.take().context("python3's standard input")?;
    for pcm in audio {
        match stdin.write_all(&(pcm.len() as u32 / 2).to_le_bytes()).and_then(|()| stdin.write_all(&pcm)) {
            // It ended early: its exit status says more.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written.context("python3's standard input")?,
        }
    }
    drop(stdin);
    let output = child.wait_with_output().context("python3")?;
    if !output.status.success() {
        bail!("python3, which runs the other recognisers: {}", output.status);
    }
    let text = String::from_utf8(output.stdout).context("what python3 printed")?;
    text.lines().map(|line| serde_json::from_str(line).context("what python3 printed")).collect()
}

/// Recordings as 16-bit samples, one byte string each.
fn samples(recordings: &[Recording], seconds: f64) -> Vec<Vec<u8>> {
    let mut left = (seconds * f64::from(RATE_HZ)) as usize;
    let mut all = Vec::new();
    for recording in recordings {
        if left == 0 {
            break;
        }
        let read = || -> crate::Result<Vec<f32>> {
            let mut source = recording.open()?;
            resample(&read_all(source.as_mut())?, source.sample_rate(), RATE_HZ)
        };
        let Ok(mut samples) = read() else { continue };
        samples.truncate(left);
        left -= samples.len();
        let pcm = |sample: &f32| ((sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16).to_le_bytes();
        all.push(samples.iter().flat_map(pcm).collect());
    }
    all
}
