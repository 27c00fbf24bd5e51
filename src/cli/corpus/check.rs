//! `eddy corpus check`: manifests in, what is wrong with them out, and a manifest of the rest.

use super::report::Printed;
use crate::ModelDir;
use crate::corpus::{CheckOptions, OutputRate, Report, all_cores, check, refuse_input};
use crate::frontend::FrontEndConfig;
use crate::text::TokenTable;
use anyhow::{Context, Result};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  eddy corpus check train.jsonl -o clean.jsonl
  eddy corpus check test.jsonl train.jsonl             recordings and sentences that both have
  eddy corpus check --model models/an4 mine.jsonl      by a model's tokens, front end and stacking
  eddy corpus check --tokens tokens.txt --speed 1.1 train.jsonl
  eddy corpus check train.jsonl | grep ': odd-rate: '

Every recording is decoded. A finding is a line: manifest:line: recording: kind: reason.

  bad-line            no JSON object, no `audio`, a negative time
  empty-text          no text, or none with words
  unreadable-audio    missing, no audio, cut short, or shorter than the part asked for
  wrong-duration      the manifest's duration is off by more than 2 % and 50 ms
  unknown-characters  a text that the token table cannot spell (with --tokens or --model)
  too-short           fewer output frames than labels plus adjacent repeats
  duplicate           same sound and text as an earlier line of any manifest; the first one is good
  conflicting-text    same sound as another line, another text; all of them are bad
  odd-rate            characters a second over 5 standard deviations from the manifest's median
  rare-character      a note, no fault: fewer than 10 in all texts, and less than 1 in 1000

Odd rates: median and deviation are robust (median absolute deviation, at least a tenth of the
median); low rates are held by their logarithm, and from 2 s on; manifests of fewer than 20
utterances are not held to any. Rare characters: without --tokens and --model.

The cleaned manifest has the lines without a fault, of all manifests together, fields as they are,
paths valid from where it is written. --json prints an object a finding (kind, fault, manifest,
line, audio, reason), and at the end one with `summary`.

Exit codes: 0 no fault, 1 faults, 2 nothing could be done.";

/// Flags of `eddy corpus check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArgs {
    /// Manifests (JSON lines), the more important first
    #[arg(required = true, value_name = "MANIFEST")]
    manifests: Vec<PathBuf>,
    /// Write the good lines of all manifests to this one
    #[arg(short, long, value_name = "CLEAN.jsonl")]
    output: Option<PathBuf>,
    /// Token table that texts must be spelled with [default: the letters that the texts use]
    #[arg(long, value_name = "tokens.txt", conflicts_with = "model")]
    tokens: Option<PathBuf>,
    /// Model directory: its tokens, front end and stacking
    #[arg(long, value_name = "DIR", conflicts_with_all = ["stacking", "frame_shift"])]
    model: Option<PathBuf>,
    /// Frames stacked into one network step
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    stacking: u8,
    /// Frame shift in ms
    #[arg(long, value_name = "MS", default_value_t = FrontEndConfig::default().frame_shift_ms)]
    frame_shift: f64,
    /// Fastest speed of the augmentation, at which labels must fit too
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    speed: f64,
    /// One JSON object a finding, and a summary
    #[arg(long)]
    json: bool,
    /// Threads that decode [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

/// Runs it.
pub(super) fn run(args: CheckArgs) -> Result<u8> {
    if let Some(output) = &args.output {
        super::require_folder(output)?;
        refuse_input(output, args.manifests.iter().map(PathBuf::as_path))?;
    }
    let options = options(&args)?;
    let bar = super::progress();
    let report = check(&args.manifests, &options, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let report = report?;
    print(&report, args.json)?;
    if let Some(output) = &args.output {
        report.write_clean(output)?;
        let good: usize = report.manifests.iter().map(|manifest| manifest.good).sum();
        eprintln!("{}: {good} lines", output.display());
    }
    Ok(u8::from(report.manifests.iter().any(|manifest| manifest.bad > 0)))
}

fn options(args: &CheckArgs) -> Result<CheckOptions> {
    crate::Error::within("--speed", args.speed, 0.5, 2.0, "")?;
    let (tokens, front_end, stacking) = match &args.model {
        Some(path) => {
            let ModelDir { config, tokens, .. } = ModelDir::open(path)?;
            (Some(tokens), config.front_end, config.encoder.stacking)
        }
        None => {
            let tokens = args.tokens.as_deref().map(TokenTable::load).transpose()?;
            let front_end = FrontEndConfig { frame_shift_ms: args.frame_shift, ..FrontEndConfig::default() };
            front_end.validate().context("--frame-shift")?;
            (tokens, front_end, usize::from(args.stacking))
        }
    };
    let jobs = args.jobs.map_or_else(all_cores, usize::from);
    Ok(CheckOptions { tokens, rate: OutputRate::new(front_end, stacking, args.speed), jobs })
}

fn print(report: &Report, json: bool) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let printed = Printed { report };
    let written = if json { printed.json(&mut out) } else { printed.text(&mut out) };
    match written.and_then(|()| out.flush()) {
        // The reader of a pipe went away (`| head`): it has what it wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
}
