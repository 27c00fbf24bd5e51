//! `eddy transcribe`: recordings in, text out.

use super::args::{DeviceArgs, ModelArgs, RecognizeArgs};
use crate::Error;
use crate::output::{json_line, text_line};
use crate::pipeline::{BatchSummary, FileTranscript, transcribe_files};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  eddy transcribe talk.wav                      the text
  eddy transcribe a.flac b.opus                 a line a file: path, tab, text
  eddy transcribe --json talk.wav               words with times and confidences
  eddy transcribe --model models/an4 talk.wav   another model
  eddy transcribe --hotwords names.txt talk.wav phrases to expect, one a line

Exit codes: 0 all files whole, 1 some files failed or end early, 2 nothing could be done.";

/// Flags of `eddy transcribe`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TranscribeArgs {
    /// Recordings: WAV, FLAC, MP3, Ogg, M4A, WebM, AIFF or CAF, any sample rate, any number of channels
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    recognize: RecognizeArgs,
    /// So many hypotheses a segment, in `nbest` of the JSON
    #[arg(long, value_name = "N", requires = "json", value_parser = clap::value_parser!(u16).range(1..=1000))]
    nbest: Option<u16>,
    /// One JSON object a file: text, duration, segments, words with times and confidences
    #[arg(long)]
    json: bool,
    /// Feed the audio in pieces of this length; the text does not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600_000))]
    chunk_ms: Option<u32>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs it.
pub(super) fn run(args: TranscribeArgs) -> anyhow::Result<u8> {
    let device = args.device.apply(1)?;
    let recognizer = args.recognize.load(&args.model, device, args.nbest.map_or(0, usize::from))?;
    let bar = progress(args.files.len());
    let alone = args.files.len() == 1;
    let written = transcribe_files(&recognizer, &args.files, args.chunk_ms, |path, result| {
        bar.suspend(|| report(path, result, args.json, alone))?;
        bar.inc(1);
        Ok(())
    });
    bar.finish_and_clear();
    match written {
        Ok(summary) => Ok(exit_code(&summary)),
        // The reader of a pipe went away (`| head`): it has what it wanted.
        Err(error) if std::io::Error::kind(&error) == ErrorKind::BrokenPipe => Ok(0),
        Err(error) => Err(error).context("standard output"),
    }
}

/// Files done of all, for a person who waits; hidden for one file and where stderr is no terminal.
fn progress(files: usize) -> ProgressBar {
    if files < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left");
    ProgressBar::new(files as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The transcript to stdout, all else to stderr.
fn report(path: &Path, result: Result<FileTranscript, Error>, json: bool, alone: bool) -> std::io::Result<()> {
    let file = match result {
        Ok(file) => file,
        Err(error) => {
            eprintln!("eddy: {}", naming(path, &error));
            return Ok(());
        }
    };
    if let Some(missing) = &file.truncation {
        eprintln!("eddy: {}: warning: {missing}; the transcript covers what is there", path.display());
    }
    let line =
        if json { json_line(path, &file.transcript) } else { text_line((!alone).then_some(path), &file.transcript) };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// The error with the file's name in front, once.
fn naming(path: &Path, error: &Error) -> String {
    match error {
        Error::Io { .. } | Error::Audio { .. } => error.to_string(),
        _ => format!("{}: {error}", path.display()),
    }
}

fn exit_code(summary: &BatchSummary) -> u8 {
    match summary {
        BatchSummary { truncated: 0, failed: 0, .. } => 0,
        BatchSummary { whole: 0, truncated: 0, .. } => 2,
        _ => 1,
    }
}
