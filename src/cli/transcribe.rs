//! `eddy transcribe`: recordings in, text out.

use super::args::{DeviceArgs, ModelArgs, RecognizeArgs};
use crate::output::{json_line, text_line};
use crate::pipeline::transcribe_files;
use anyhow::Result;
use std::io::Write;
use std::path::PathBuf;

/// Flags of `eddy transcribe`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy transcribe talk.wav                  the text
  eddy transcribe *.wav *.flac *.opus       a line a file: path, tab, text
  eddy transcribe --json talk.wav           segments and words with times

Reads WAV, FLAC and Ogg Opus of any rate and channel count. Exit code 1 when some file failed or was cut short.")]
pub(super) struct TranscribeArgs {
    /// Recordings
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    recognize: RecognizeArgs,
    /// One JSON object a file
    #[arg(long)]
    json: bool,
    /// Push the audio in pieces of this length (the text does not depend on it)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    chunk_ms: Option<u32>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs it.
pub(super) fn run(args: TranscribeArgs) -> Result<u8> {
    let device = args.device.apply(1)?;
    let recognizer = args.recognize.load(&args.model, device)?;
    let (mut done, mut failed, mut cut_short) = (0, 0, 0);
    let mut stdout = std::io::stdout().lock();
    transcribe_files(&recognizer, &args.files, args.chunk_ms, &mut |path, outcome| match outcome {
        Ok(transcribed) => {
            done += 1;
            if let Some(missing) = &transcribed.truncation {
                cut_short += 1;
                tracing::warn!("{}: cut short ({missing}); what is there was transcribed", path.display());
            }
            let line = match args.json {
                true => json_line(path, &transcribed.transcript),
                false => text_line((args.files.len() > 1).then_some(path), &transcribed.transcript),
            };
            writeln!(stdout, "{line}")
        }
        Err(error) => {
            failed += 1;
            tracing::error!("{error}");
            Ok(())
        }
    })?;
    Ok(match (done, failed + cut_short) {
        (0, _) => 2,
        (_, 0) => 0,
        _ => 1,
    })
}
