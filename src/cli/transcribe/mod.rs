//! `eddy transcribe`: recordings in, text out.

mod files;
mod progress;
mod settings;
mod stdout;

use super::args::{DeviceArgs, ModelArgs, RecognizeArgs};
use crate::audio::{RawFormat, Recording, is_pattern, shard};
use crate::output::Format;
use crate::pipeline::{BatchControl, BatchOptions, FileTranscript, busy_streams, suitable_streams};
use crate::{Error, Head, Recognizer};
use anyhow::Context;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const EXAMPLES: &str = "\
Examples:
  eddy transcribe talk.wav                      the text
  eddy transcribe a.flac b.opus                 a line a file: path, tab, text
  eddy transcribe --json talk.wav               words with times and confidences
  eddy transcribe --format srt,txt talk.wav     talk.srt and talk.txt next to talk.wav
  eddy transcribe --recursive --format vtt --output-dir out talks
                                                talks/day1/a.wav to out/day1/a.vtt, and so on
  eddy transcribe --resume --output-dir out talks
                                                goes on where an earlier run ended
  eddy transcribe --shard 2/8 --resume --output-dir out talks
                                                the second of eight workers' share
  arecord -f S16_LE -r 16000 -t raw | eddy transcribe --raw 16000,s16le,1 -
                                                raw samples from another program
  eddy transcribe --model models/an4 talk.wav   another model
  eddy transcribe --hotwords names.txt talk.wav phrases to expect, one a line

Ctrl-C finishes the recordings in work; a second one stops at once.
Exit codes: 0 all recordings whole, 1 some failed, end early or were not done, 2 nothing could be done.";

/// Flags of `eddy transcribe`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TranscribeArgs {
    /// Recordings (WAV, FLAC, MP3, Ogg, M4A, WebM, AIFF or CAF, any sample rate, any number of channels), folders of
    /// them, patterns, manifests (.jsonl), or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Of folders, also what is in the folders below
    #[arg(long)]
    recursive: bool,
    /// What comes in on - has no header: sample rate, kind of sample, channels
    #[arg(long, value_name = "RATE,SAMPLE,CHANNELS")]
    raw: Option<RawFormat>,
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
    /// Feed the audio in pieces of this length, one recording after another; the text does not depend on it
    #[arg(long, value_name = "N", conflicts_with = "split_long",
          value_parser = clap::value_parser!(u32).range(1..=600_000))]
    chunk_ms: Option<u32>,
    #[command(flatten)]
    batch: BatchArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

/// How many recordings are worked on.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Many recordings")]
struct BatchArgs {
    /// Recordings that share each step of the network; 1 takes one after another [default: 16, fewer at latencies of
    /// more than 6 s and where one recording is much longer than the others]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch_streams: Option<u16>,
    /// Recordings in work at the same time, at least --batch-streams [default: twice --batch-streams]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    jobs: Option<u16>,
    /// Cut recordings of more than 40 s where they are quiet, and work on their parts at the same time: faster for few
    /// long recordings, but words next to a cut may differ
    #[arg(long)]
    split_long: bool,
    /// The K-th of N shares of the recordings, alike in size: for N workers
    #[arg(long, value_name = "K/N", value_parser = parse_shard)]
    shard: Option<(usize, usize)>,
    /// Stop at the first recording that fails
    #[arg(long)]
    fail_fast: bool,
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
    /// Leave out recordings whose files are there, made by the same model with the same flags. What is done is noted in
    /// .eddy-journal.jsonl, in --output-dir or here
    #[arg(long)]
    resume: bool,
}

impl FilesArgs {
    /// The formats asked for, each once; none where the transcripts go to standard output.
    fn formats(&self) -> Vec<Format> {
        let default = if self.output_dir.is_some() { &[Format::Text][..] } else { &[] };
        let asked = if self.format.is_empty() { default } else { &self.format };
        Format::ALL.into_iter().filter(|format| asked.contains(format)).collect()
    }
}

fn parse_shard(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    parsed
        .filter(|&(k, n)| (1..=n).contains(&k))
        .ok_or_else(|| "must be K/N with K from 1 to N, for example 2/8".into())
}

impl BatchArgs {
    /// Which of the recordings are this worker's.
    fn share(&self, recordings: &[Recording]) -> Vec<bool> {
        match self.shard {
            Some((number, workers)) => shard(recordings, number, workers),
            None => vec![true; recordings.len()],
        }
    }
}

impl TranscribeArgs {
    fn batch_options(&self, recognizer: &Recognizer, recordings: &[Recording]) -> BatchOptions {
        let networks = self.device.networks();
        let suitable = || match suitable_streams(recognizer) {
            // The parts of long recordings are many and alike.
            most if self.batch.split_long => most,
            most => busy_streams(recordings, networks, most),
        };
        let jobs = self.batch.jobs.map(usize::from);
        let suitable = || suitable().min(jobs.unwrap_or(usize::MAX));
        BatchOptions {
            streams: self.batch.batch_streams.map_or_else(suitable, usize::from),
            jobs,
            networks,
            chunk_ms: self.chunk_ms,
            split_long: self.batch.split_long,
        }
    }

    fn load(&self) -> anyhow::Result<Recognizer> {
        let device = self.device.apply(1)?;
        let recognizer = self.recognize.load(&self.model, device, self.nbest.map_or(0, usize::from))?;
        if recognizer.model().encoder.head == Head::Classify {
            anyhow::bail!("this model tells classes apart and writes no text: eddy classify uses it");
        }
        Ok(recognizer)
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
    if args.files_out.resume && formats.is_empty() {
        anyhow::bail!("--resume needs files to leave out: --output-dir or --format");
    }
    if let (Some(jobs), Some(streams)) = (args.batch.jobs, args.batch.batch_streams)
        && jobs < streams
    {
        anyhow::bail!("--jobs {jobs}: must be at least --batch-streams {streams}");
    }
    let found = super::inputs::find(&args.files, args.recursive, args.raw)?;
    if found.bad_lines > 0 && args.batch.fail_fast {
        return Ok(2);
    }
    if formats.is_empty() { stdout::run(&args, found) } else { files::run(&args, &formats, found) }
}

/// The first Ctrl-C lets the recordings in work come to their end; the second ends the process.
fn stop_on_ctrl_c(control: &BatchControl) -> anyhow::Result<()> {
    let (control, again) = (control.clone(), AtomicBool::new(false));
    let stop = move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("eddy: finishing the recordings in work; once more to stop at once");
        control.stop();
    };
    ctrlc::set_handler(stop).context("Ctrl-C")
}

/// How the recordings went.
#[derive(Debug, Default)]
struct Tally {
    all: usize,
    /// Transcribed as a whole.
    whole: usize,
    /// Transcribed as far as they go.
    truncated: usize,
    failed: usize,
    /// Transcribed, but the transcript could not be written.
    unwritten: usize,
    /// Done by an earlier run.
    skipped: usize,
    /// Of those, the ones transcribed as far as they go.
    skipped_truncated: usize,
}

impl Tally {
    /// A transcript that is written, or a failure.
    fn count(&mut self, result: &Result<FileTranscript, Error>) {
        match result {
            Ok(FileTranscript { truncation: None, .. }) => self.whole += 1,
            Ok(_) => self.truncated += 1,
            Err(_) => self.failed += 1,
        }
    }

    fn not_done(&self) -> usize {
        self.all - self.whole - self.truncated - self.failed - self.unwritten - self.skipped
    }

    fn exit_code(&self) -> u8 {
        let wrong = self.truncated + self.failed + self.unwritten + self.not_done() + self.skipped_truncated;
        match (wrong, self.whole + self.truncated + self.skipped) {
            (0, _) => 0,
            (_, 0) => 2,
            _ => 1,
        }
    }
}

/// Says on stderr that a recording ends early.
fn warn_of(path: &Path, missing: &str) {
    super::warn_cut_short(path, missing, "the transcript covers");
}

/// As everywhere, but for a folder.
fn naming(path: &Path, error: &Error) -> String {
    match error {
        Error::Audio { .. } if path.is_dir() => {
            format!("{}: holds no recordings (in the folders below, --recursive looks too)", path.display())
        }
        Error::Io { error, .. } if error.kind() == ErrorKind::NotFound && is_pattern(path) => {
            format!("{}: no recording matches this pattern", path.display())
        }
        _ => error.naming(path),
    }
}
