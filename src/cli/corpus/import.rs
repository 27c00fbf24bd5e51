//! `eddy corpus import`: a corpus as it was published in, a manifest out.

use crate::corpus::{CorpusKind, Import, ImportOptions, all_cores, import, write_manifest};
use anyhow::{Context, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  eddy corpus import librispeech LibriSpeech/train-clean-100 -o train.jsonl
  eddy corpus import common-voice cv/en/validated.tsv -o cv.jsonl
  eddy corpus import kaldi data/train -o train.jsonl        segments become offset and duration
  eddy corpus import ljspeech LJSpeech-1.1 -o lj.jsonl --no-durations

Recordings are named relative to the manifest's folder. What cannot be used is listed with file and line and left out.
Exit codes: 0 all imported, 1 some left out, 2 nothing could be imported.";

/// Flags of `eddy corpus import`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArgs {
    /// Layout of the corpus
    #[arg(value_enum)]
    kind: CorpusKind,
    /// The corpus's folder, or its table
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// Manifest to write
    #[arg(short, long, value_name = "MANIFEST.jsonl")]
    output: PathBuf,
    /// Do not open the recordings: lengths only where the corpus states them
    #[arg(long)]
    no_durations: bool,
    /// Threads that open recordings [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

/// Runs it.
pub(super) fn run(args: ImportArgs) -> Result<u8> {
    super::require_folder(&args.output)?;
    let jobs = args.jobs.map_or_else(all_cores, usize::from);
    let options = ImportOptions { durations: !args.no_durations, jobs };
    let bar = super::progress();
    let imported = import(args.kind, &args.path, &options, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let imported = imported?;
    let mut read: Vec<&Path> = imported.utterances.iter().map(|utterance| utterance.place.0.as_path()).collect();
    read.dedup();
    crate::cli::not_over("--output", &args.output, &read)?;
    for problem in &imported.problems {
        tracing::error!("{problem}");
    }
    write_manifest(&args.output, &imported.utterances).context("the manifest")?;
    eprintln!("{}: {}", args.output.display(), summary(&imported));
    Ok(u8::from(!imported.problems.is_empty()))
}

fn summary(imported: &Import) -> String {
    let utterances = &imported.utterances;
    let speakers: HashSet<&str> = utterances.iter().filter_map(|utterance| utterance.speaker.as_deref()).collect();
    let seconds: Option<f64> = utterances.iter().map(|utterance| utterance.duration).sum();
    let length = seconds.map_or(String::new(), |seconds| format!(", {:.2} h", seconds / 3600.0));
    let left_out = imported.problems.len();
    format!("{} utterances{length}, {} speakers; {left_out} left out", utterances.len(), speakers.len())
}
