//! `eddy bench batch`: recordings through the network, one at a time and many at once.

use super::others;
use crate::Error;
use crate::audio::Recording;
use crate::cli::args::{DeviceArgs, ModelArgs, RecognizeArgs};
use crate::cli::inputs;
use crate::cli::show::show;
use crate::pipeline::{BatchControl, BatchOptions, BatchSummary, transcribe_recordings};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Flags of `eddy bench batch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy bench batch --model models/en talks/
  eddy bench batch --recursive --batch-streams 1,8,32 --threads 2 --json talks/

Every recording is transcribed once for each number of streams; 1 is one after another. Reading and decoding of the files
counts. CPU time and peak memory are told on Linux. --others measures, on the first minute, those of PocketSphinx,
faster-whisper (tiny.en, 8 bits) and Moonshine (tiny) that python3 can import, their models downloaded before; their times leave
out reading.")]
pub(super) struct BatchArgs {
    /// Recordings, folders of them, patterns, or manifests (.jsonl)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Of folders, also what is in the folders below
    #[arg(long)]
    recursive: bool,
    /// Numbers of recordings that share a step of the network
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,4,16",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch_streams: Vec<u16>,
    /// Recordings in work at the same time [default: twice the streams]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    jobs: Option<u16>,
    /// Cut recordings of more than 40 s where they are quiet, and work on their parts at the same time
    #[arg(long)]
    split_long: bool,
    /// Then other recognisers too
    #[arg(long)]
    others: bool,
    /// Most audio for each of these, in seconds
    #[arg(long, value_name = "S", default_value_t = 60.0, requires = "others")]
    others_seconds: f64,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    recognize: RecognizeArgs,
    /// One JSON object a number of streams
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// One number of streams.
struct Measured {
    streams: u16,
    audio: Duration,
    wall: Duration,
    cpu: Option<Duration>,
    peak_mb: Option<f64>,
    summary: BatchSummary,
}

/// Runs it.
pub(super) fn run(args: BatchArgs) -> Result<u8> {
    let device = args.device.apply(1)?;
    let recognizer = args.recognize.load(&args.model, device, 0)?;
    if args.files.iter().any(|file| file.as_os_str() == "-") {
        anyhow::bail!("standard input can be heard only once: name files");
    }
    let inputs::Found { recordings, bad_lines } = inputs::find(&args.files, args.recursive, None)?;
    if !args.json {
        show!("{:>8} {:>10} {:>10} {:>8} {:>11} {:>9}", "streams", "audio s", "wall s", "x real", "CPU s", "peak MB")?;
    }
    let (mut failed, mut told) = (bad_lines > 0, false);
    for &streams in &args.batch_streams {
        if streams > 1 && recognizer.needs_whole_recordings() {
            anyhow::bail!("--batch-streams {streams}: this model needs each recording as a whole; only 1 is possible");
        }
        forget_peak();
        let (cpu, start) = (cpu_time(), Instant::now());
        let mut audio = Duration::ZERO;
        let count = |_, result: crate::Result<crate::pipeline::FileTranscript>| {
            match result {
                Ok(file) => audio += file.transcript.duration,
                // Once is enough.
                Err(error) if !told => tracing::error!("{error}"),
                Err(_) => {}
            }
            Ok::<(), Error>(())
        };
        let options = BatchOptions {
            streams: usize::from(streams),
            jobs: args.jobs.map(usize::from),
            networks: args.device.networks(),
            chunk_ms: None,
            split_long: args.split_long,
        };
        let summary = transcribe_recordings(&recognizer, &recordings, &options, &BatchControl::default(), count);
        let summary = summary.context("transcription")?;
        let cpu = cpu_time().zip(cpu).map(|(after, before)| after.saturating_sub(before));
        if summary.failed == recordings.len() {
            anyhow::bail!("no recording can be read: nothing was measured");
        }
        told |= summary.failed > 0;
        failed |= told;
        let measured = Measured { streams, audio, wall: start.elapsed(), cpu, peak_mb: peak_mb(), summary };
        if args.json { show!("{}", as_json(&measured)) } else { show!("{}", as_row(&measured)) }?;
    }
    if args.others {
        show_others(&args, &recordings)?;
    }
    Ok(u8::from(failed))
}

fn show_others(args: &BatchArgs, recordings: &[Recording]) -> Result<()> {
    let mut head = !args.json;
    for other in others::measure(recordings, args.others_seconds, args.device.networks())? {
        let (Some(audio), Some(wall), Some(cpu)) = (other.audio_seconds, other.wall_seconds, other.cpu_seconds) else {
            tracing::warn!("{}: {}", other.recognizer, other.missing.unwrap_or_default());
            continue;
        };
        if std::mem::take(&mut head) {
            show!("{:>42} {:>8} {:>8} {:>8}", "audio s", "wall s", "x real", "CPU s")?;
        }
        if args.json {
            show!(
                "{}",
                json!({
                    "recognizer": other.recognizer,
                    "audio_seconds": audio,
                    "wall_seconds": wall,
                    "x_real_time": audio / wall,
                    "cpu_seconds": cpu,
                })
            )?;
        } else {
            show!("{:<33} {audio:>8.1} {wall:>8.1} {:>8.1} {cpu:>8.1}", other.recognizer, audio / wall)?;
        }
    }
    Ok(())
}

fn as_json(measured: &Measured) -> Value {
    let (audio, wall) = (measured.audio.as_secs_f64(), measured.wall.as_secs_f64());
    json!({
        "batch_streams": measured.streams,
        "recordings": measured.summary.whole + measured.summary.truncated,
        "failed": measured.summary.failed,
        "audio_seconds": audio,
        "wall_seconds": wall,
        "rtf": crate::metrics::real_time_factor(measured.wall, measured.audio),
        "x_real_time": audio / wall,
        "cpu_seconds": measured.cpu.map(|cpu| cpu.as_secs_f64()),
        "peak_mb": measured.peak_mb,
    })
}

fn as_row(measured: &Measured) -> String {
    let (audio, wall) = (measured.audio.as_secs_f64(), measured.wall.as_secs_f64());
    let cpu = measured.cpu.map_or("-".to_string(), |cpu| format!("{:.1}", cpu.as_secs_f64()));
    let peak = measured.peak_mb.map_or("-".to_string(), |peak| format!("{peak:.0}"));
    format!("{:>8} {audio:>10.1} {wall:>10.1} {:>8.1} {cpu:>11} {peak:>9}", measured.streams, audio / wall)
}

/// The kernel's clock ticks a second, which Linux fixes for what it tells.
const TICKS: f64 = 100.0;

/// CPU time of all threads so far.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the name in parentheses, which may hold anything: utime and stime are fields 14 and 15 of the line.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_secs_f64(ticks as f64 / TICKS))
}

/// Most memory held at once since the last [`forget_peak`].
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// Where the kernel does not allow it, the peak is that of the whole process.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
