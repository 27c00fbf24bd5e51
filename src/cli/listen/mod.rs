//! `eddy listen`: speech in, text out while it is spoken.

mod lines;
mod view;

use super::args::{DeviceArgs, EndpointArgs, ModelArgs, RecognizeArgs};
use crate::audio::{self, AudioSource, PacedSource};
use crate::output::GrowingTranscript;
use crate::pipeline::{Ending, LiveConfig, Pipeline, WhenBehind, marks_path, read_marks};
use anyhow::{Context, Result};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  eddy listen                                    the default microphone; Enter ends a segment, Ctrl-C the session
  eddy listen --input headset --latency 975      another microphone (see `eddy devices`)
  eddy listen --record talk.wav --out talk.srt   keep the audio and subtitles; both grow while you speak
  eddy listen --from talk.wav --json             a recording as events, one a line
  eddy listen --from talk.wav --realtime         a recording as if it were spoken now

With --json one object a line: partial results (\"committed\" words never change again), final segments, gaps, and the
session's end; times are seconds of the audio. --from a recording made with --record gives the same bytes as the session
did: gaps and manual ends are in talk.events.jsonl beside talk.wav.

Exit codes: 0 done, 1 something failed on the way (what was heard is told), 2 nothing could be done.";

/// Flags of `eddy listen`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListenArgs {
    /// Microphone: its name, part of it, or its id, as `eddy devices` tells [default: the system's]
    #[arg(long, value_name = "NAME", visible_alias = "device-name", conflicts_with = "from")]
    input: Option<String>,
    /// A recording instead of the microphone
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Play the recording at its own speed [default: as fast as it goes]
    #[arg(long, requires = "from")]
    realtime: bool,
    /// Events as JSON, one a line
    #[arg(long, conflicts_with = "plain")]
    json: bool,
    /// So many hypotheses a segment, in `nbest` of the final events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    nbest: Option<u16>,
    /// One line a segment, no view [default when standard output is no terminal]
    #[arg(long)]
    plain: bool,
    /// WAV file to record what is heard into (mono, 32-bit float, the device's rate)
    #[arg(long, value_name = "OUT.wav")]
    record: Option<PathBuf>,
    /// Transcript file, by its ending: .txt, .srt, .vtt or .jsonl; the committed words of the last segment stand in it too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Audio between partial results
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(20..=60_000))]
    partial_ms: u64,
    /// When recognition falls behind: wait (text comes late) or drop (audio is lost from 2 s on)
    #[arg(long, value_enum, default_value_t = BehindChoice::Wait)]
    when_behind: BehindChoice,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    recognize: RecognizeArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

/// `--when-behind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BehindChoice {
    /// Everything is recognised, later
    Wait,
    /// Audio is dropped until recognition has caught up
    Drop,
}

/// Runs it.
pub(super) fn run(args: ListenArgs) -> Result<u8> {
    let grows = args.out.as_ref().is_some_and(|out| out.extension().is_some_and(|ending| ending == "jsonl"));
    if args.nbest.is_some() && !args.json && !grows {
        anyhow::bail!("--nbest needs --json or --out OUT.jsonl");
    }
    let nbest = args.nbest.map_or(0, usize::from);
    let device = args.device.apply(1)?;
    let recognizer = args.recognize.load_live(&args.model, device, args.endpoint.config(), nbest)?;
    let latency_ms = recognizer.model().latency_ms(recognizer.direction());
    let config = live_config(&args)?;
    check_out(&args)?;
    let (source, label) = open_source(&args)?;
    let pipeline = Pipeline::start(recognizer, source, config)?;
    // Only now: a session that cannot start takes nothing away.
    let mut transcript = args.out.as_deref().map(GrowingTranscript::create).transpose()?;
    stop_on_ctrl_c(&pipeline)?;
    let style = if args.json { lines::Style::Json } else { lines::Style::Plain };
    let ending = if args.json || args.plain || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        lines::run(pipeline, style, transcript.as_mut())?
    } else {
        view::run(pipeline, &label, latency_ms, transcript.as_mut())?
    };
    let unwritten = transcript.is_some_and(|transcript| transcript.is_broken());
    Ok(report(&ending, Path::new(&label)).max(u8::from(unwritten)))
}

/// The transcript must not be written over what is read or recorded.
fn check_out(args: &ListenArgs) -> Result<()> {
    let Some(out) = &args.out else {
        return Ok(());
    };
    GrowingTranscript::check_name(out)?;
    for path in [&args.from, &args.record].into_iter().flatten() {
        super::not_over("--out", out, &[path, &marks_path(path)])?;
    }
    Ok(())
}

fn live_config(args: &ListenArgs) -> Result<LiveConfig> {
    let real_time = args.from.is_none() || args.realtime;
    if args.when_behind == BehindChoice::Drop && !real_time {
        anyhow::bail!("--when-behind drop: must be with a microphone or --realtime; a file waits");
    }
    let replay = args.from.as_deref().map_or(Ok(Vec::new()), |from| read_marks(&marks_path(from)))?;
    if let (Some(from), Some(record)) = (&args.from, &args.record) {
        super::not_over("--record", record, &[from])?;
    }
    Ok(LiveConfig {
        partial_every: Duration::from_millis(args.partial_ms),
        when_behind: if args.when_behind == BehindChoice::Drop { WhenBehind::Drop } else { WhenBehind::Wait },
        real_time,
        record: args.record.clone(),
        replay,
    })
}

/// The microphone or the recording, and what to call it.
fn open_source(args: &ListenArgs) -> Result<(Box<dyn AudioSource>, String)> {
    if let Some(path) = &args.from {
        let file = audio::open(path)?;
        let source = if args.realtime { Box::new(PacedSource::new(file)) } else { file };
        return Ok((source, path.display().to_string()));
    }
    microphone(args.input.as_deref())
}

#[cfg(feature = "mic")]
fn microphone(name: Option<&str>) -> Result<(Box<dyn AudioSource>, String)> {
    let source = audio::MicSource::open(name)?;
    let label = source.label().to_string();
    tracing::info!("listening to {label} at {} Hz", source.sample_rate());
    Ok((Box::new(source), label))
}

#[cfg(not(feature = "mic"))]
fn microphone(_name: Option<&str>) -> Result<(Box<dyn AudioSource>, String)> {
    anyhow::bail!("this eddy was built without the microphone: use --from FILE, or build it with ALSA's headers there")
}

/// The first Ctrl-C ends the session, which still tells its final; the second ends the process.
fn stop_on_ctrl_c(pipeline: &Pipeline) -> Result<()> {
    let control = Arc::clone(pipeline.control());
    let again = AtomicBool::new(false);
    let stop = move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        control.stop();
    };
    ctrlc::set_handler(stop).context("Ctrl-C")
}

/// How it went, on stderr, and the exit code.
fn report(ending: &Ending, source: &Path) -> u8 {
    tracing::info!("{:.1} s heard, {:.1} s lost", ending.heard.as_secs_f64(), ending.lost.as_secs_f64());
    if let Some(missing) = &ending.truncation {
        super::warn_cut_short(source, missing, "the transcript covers");
    }
    if let Some(fault) = &ending.fault {
        eprintln!("eddy: {fault}");
    }
    u8::from(ending.fault.is_some() || ending.truncation.is_some())
}
