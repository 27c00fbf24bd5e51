//! `eddy transcribe`: recordings in, text out.

use super::args::{DeviceArgs, ModelArgs, RecognizeArgs};
use crate::Error;
use crate::audio::{Recording, find_recordings, without_repeats};
use crate::error::write_atomically;
use crate::output::{Format, PlannedFiles, RenderOptions, json_line, plan_files, text_line};
use crate::pipeline::{BatchSummary, FileTranscript, transcribe_files, transcribe_stacked};
use crate::{Direction, Recognizer};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  eddy transcribe talk.wav                      the text
  eddy transcribe a.flac b.opus                 a line a file: path, tab, text
  eddy transcribe --json talk.wav               words with times and confidences
  eddy transcribe --format srt,txt talk.wav     talk.srt and talk.txt next to talk.wav
  eddy transcribe --recursive --format vtt --output-dir out talks
                                                talks/day1/a.wav to out/day1/a.vtt, and so on
  eddy transcribe --model models/an4 talk.wav   another model
  eddy transcribe --hotwords names.txt talk.wav phrases to expect, one a line

Exit codes: 0 all files whole, 1 some files failed or end early, 2 nothing could be done.";

/// Flags of `eddy transcribe`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TranscribeArgs {
    /// Recordings (WAV, FLAC, MP3, Ogg, M4A, WebM, AIFF or CAF, any sample rate, any number of channels), or folders
    /// of them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Of folders, also what is in the folders below
    #[arg(long)]
    recursive: bool,
    #[command(flatten)]
    files_out: FilesArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    recognize: RecognizeArgs,
    /// So many hypotheses a segment, in `nbest` of the JSON
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    nbest: Option<u16>,
    /// One JSON object a file: text, duration, segments, words with times and confidences
    #[arg(long, conflicts_with_all = ["format", "output_dir"])]
    json: bool,
    /// Feed the audio in pieces of this length; the text does not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600_000))]
    chunk_ms: Option<u32>,
    /// Recordings that share each step of the network; 1 takes one after another
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch_streams: u16,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Transcripts as files.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Transcript files")]
struct FilesArgs {
    /// Files instead of standard output, in each of these: txt, json, srt, vtt, ctm, textgrid, csv [default with
    /// --output-dir: txt]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    format: Vec<Format>,
    /// Where the files go, the tree of a given folder kept [default: next to the recordings]
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// In WebVTT, a time tag before each word
    #[arg(long)]
    word_times: bool,
}

impl FilesArgs {
    /// The formats asked for, each once; none where the transcripts go to standard output.
    fn formats(&self) -> Vec<Format> {
        let default = if self.output_dir.is_some() { &[Format::Text][..] } else { &[] };
        let asked = if self.format.is_empty() { default } else { &self.format };
        Format::ALL.into_iter().filter(|format| asked.contains(format)).collect()
    }
}

/// Runs it.
pub(super) fn run(args: TranscribeArgs) -> anyhow::Result<u8> {
    let formats = args.files_out.formats();
    if args.nbest.is_some() && !args.json && !formats.contains(&Format::Json) {
        anyhow::bail!("--nbest needs --json or --format json");
    }
    if args.files_out.word_times && !formats.contains(&Format::Vtt) {
        anyhow::bail!("--word-times needs --format vtt");
    }
    let recordings = find_recordings(&args.files, args.recursive);
    if formats.is_empty() { to_stdout(&args, &recordings) } else { to_files(&args, &formats, recordings) }
}

fn load(args: &TranscribeArgs) -> anyhow::Result<crate::Recognizer> {
    let device = args.device.apply(1)?;
    args.recognize.load(&args.model, device, args.nbest.map_or(0, usize::from))
}

fn to_stdout(args: &TranscribeArgs, recordings: &[Recording]) -> anyhow::Result<u8> {
    let recognizer = load(args)?;
    let bar = progress(recordings.len());
    let alone = matches!(recordings, [Recording { below: None, .. }]);
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    let written = transcribe_all(args, &recognizer, recordings, |index, result| {
        waiting.insert(index, result);
        // Lines come in the order of the recordings.
        while let Some(result) = waiting.remove(&next) {
            bar.suspend(|| print(&recordings[next].path, result, args.json, alone)).context("standard output")?;
            bar.inc(1);
            next += 1;
        }
        Ok(())
    });
    bar.finish_and_clear();
    let reader_left = |error: &anyhow::Error| {
        error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    match written {
        Ok(summary) => Ok(exit_code(&summary, 0)),
        // The reader of a pipe went away (`| head`): it has what it wanted.
        Err(error) if reader_left(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Several at a time where they can share the network's steps.
fn transcribe_all(
    args: &TranscribeArgs,
    recognizer: &Recognizer,
    recordings: &[Recording],
    mut on_result: impl FnMut(usize, Result<FileTranscript, Error>) -> anyhow::Result<()>,
) -> anyhow::Result<BatchSummary> {
    let paths: Vec<PathBuf> = recordings.iter().map(|recording| recording.path.clone()).collect();
    let together = args.batch_streams > 1 && paths.len() > 1;
    // One that needs the whole recording has no blocks of equal length.
    if together && args.chunk_ms.is_none() && recognizer.direction() != Direction::Full {
        return transcribe_stacked(recognizer, &paths, usize::from(args.batch_streams), on_result);
    }
    let mut index = 0;
    transcribe_files(recognizer, &paths, args.chunk_ms, |_, result| {
        index += 1;
        on_result(index - 1, result)
    })
}

/// Every recording's files, and a summary on stderr.
fn to_files(args: &TranscribeArgs, formats: &[Format], recordings: Vec<Recording>) -> anyhow::Result<u8> {
    let recordings = without_repeats(recordings);
    let planned = plan_files(&recordings, formats, args.files_out.output_dir.as_deref())?;
    let recognizer = load(args)?;
    let options = RenderOptions { word_times: args.files_out.word_times };
    let bar = progress(recordings.len());
    let mut unwritten = 0;
    let run = transcribe_all(args, &recognizer, &recordings, |index, result| {
        let path = &recordings[index].path;
        let written = bar.suspend(|| match told(path, result) {
            Some(file) => write_files(path, &file, &planned[index], options),
            None => Ok(()),
        });
        bar.inc(1);
        match written {
            // Nor would the others' files be written.
            Err(Error::Io { path, error }) if is_full(&error) => Err(Error::Io { path, error }.into()),
            Err(error) => {
                bar.suspend(|| eprintln!("eddy: {error}"));
                unwritten += 1;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    });
    bar.finish_and_clear();
    let summary = run?;
    eprintln!("eddy: {}", summary_line(&summary, unwritten));
    Ok(exit_code(&summary, unwritten))
}

/// Each file as a whole or not at all.
fn write_files(
    path: &Path,
    file: &FileTranscript,
    planned: &PlannedFiles,
    options: RenderOptions,
) -> Result<(), Error> {
    for (format, target) in &planned.files {
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        }
        let text = format.render(path, &planned.name, &file.transcript, options);
        write_atomically(target, text.as_bytes())?;
    }
    Ok(())
}

/// Whether a write failed for a reason that all further ones would fail for.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}

fn summary_line(summary: &BatchSummary, unwritten: usize) -> String {
    let BatchSummary { whole, truncated, failed } = *summary;
    let counts = [(truncated, "cut short"), (failed, "failed"), (unwritten, "not written")];
    let told: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}")).collect();
    let all = whole + truncated + failed;
    format!("transcripts of {} of {all} recordings written{}", whole + truncated - unwritten, told.concat())
}

/// Files done of all, for a person who waits; hidden for one file and where stderr is no terminal.
fn progress(files: usize) -> ProgressBar {
    if files < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left");
    ProgressBar::new(files as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What came of a recording; says on stderr what went wrong with it.
fn told(path: &Path, result: Result<FileTranscript, Error>) -> Option<FileTranscript> {
    match result {
        Ok(file) => {
            if let Some(missing) = &file.truncation {
                eprintln!("eddy: {}: warning: {missing}; the transcript covers what is there", path.display());
            }
            Some(file)
        }
        Err(error) => {
            eprintln!("eddy: {}", naming(path, &error));
            None
        }
    }
}

/// The transcript to stdout, all else to stderr.
fn print(path: &Path, result: Result<FileTranscript, Error>, json: bool, alone: bool) -> std::io::Result<()> {
    let Some(file) = told(path, result) else {
        return Ok(());
    };
    let line =
        if json { json_line(path, &file.transcript) } else { text_line((!alone).then_some(path), &file.transcript) };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// The error with the file's name in front, once.
fn naming(path: &Path, error: &Error) -> String {
    match error {
        Error::Audio { .. } if path.is_dir() => {
            format!("{}: holds no recordings (in the folders below, --recursive looks too)", path.display())
        }
        Error::Io { .. } | Error::Audio { .. } => error.to_string(),
        _ => format!("{}: {error}", path.display()),
    }
}

/// `unwritten`: recordings whose transcripts could not be written.
fn exit_code(summary: &BatchSummary, unwritten: usize) -> u8 {
    match summary {
        BatchSummary { truncated: 0, failed: 0, .. } if unwritten == 0 => 0,
        BatchSummary { whole, truncated, .. } if whole + truncated == unwritten => 2,
        _ => 1,
    }
}
