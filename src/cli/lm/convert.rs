//! `eddy lm prune` and `eddy lm build`: from one model file to another.

use crate::Error;
use crate::error::write_atomically_with;
use crate::lm::{NgramLm, NgramTable, PruneTo};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Flags of `eddy lm prune`.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("to").required(true),
    after_help = "\
Examples:
  eddy lm prune lm.arpa --threshold 1e-8 -o small.arpa
  eddy lm prune lm.arpa --max-ngrams 2500000 -o small.arpa

Relative entropy pruning (Stolcke 1998): n-grams go whose absence raises the perplexity least; back-off weights are
computed anew."
)]
pub(super) struct PruneArgs {
    /// ARPA file
    #[arg(value_name = "IN.arpa")]
    input: PathBuf,
    /// ARPA file to write
    #[arg(short, long, value_name = "OUT.arpa")]
    out: PathBuf,
    /// Leave out n-grams whose absence raises the perplexity by a smaller part than this
    #[arg(long, value_name = "T", group = "to")]
    threshold: Option<f64>,
    /// Leave at most so many n-grams, single words included
    #[arg(long, value_name = "N", group = "to")]
    max_ngrams: Option<usize>,
}

/// Flags of `eddy lm build`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy lm build lm.arpa -o lm.bin
  eddy lm build lm.arpa --bits 32 -o exact.bin

Reads ARPA files of any toolkit. Probabilities and back-off weights of two words and more are rounded to 2^bits values of
each length; those of single words stay exact.")]
pub(super) struct BuildArgs {
    /// ARPA file
    #[arg(value_name = "IN.arpa")]
    input: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "OUT.bin")]
    out: PathBuf,
    /// Bits of a probability or back-off weight: 4 to 16, or 32 for exact ones
    #[arg(long, value_name = "N", default_value_t = 8)]
    bits: usize,
}

/// Runs `eddy lm prune`.
pub(super) fn run_prune(args: PruneArgs) -> Result<u8> {
    let to = match (args.threshold, args.max_ngrams) {
        (Some(threshold), _) if threshold >= 0.0 => PruneTo::Threshold(threshold),
        (Some(threshold), _) => anyhow::bail!("--threshold = {threshold}: must be 0 or more"),
        (None, most) => PruneTo::Ngrams(most.unwrap_or_default()),
    };
    crate::cli::not_over("--out", &args.out, &[&args.input])?;
    let table = NgramTable::load_arpa(&args.input)?;
    if let PruneTo::Ngrams(most) = to
        && most < table.counts()[0]
    {
        anyhow::bail!("--max-ngrams = {most}: must be at least {}, the number of words", table.counts()[0]);
    }
    let pruned = table.prune(to);
    write_atomically_with(&args.out, |writer| pruned.write_arpa(writer).map_err(|error| Error::io(&args.out, error)))?;
    print_counts(&args.input, &table.counts())?;
    print_counts(&args.out, &pruned.counts())?;
    Ok(0)
}

/// Runs `eddy lm build`.
pub(super) fn run_build(args: BuildArgs) -> Result<u8> {
    crate::cli::not_over("--out", &args.out, &[&args.input])?;
    let table = NgramTable::load_arpa(&args.input)?;
    let lm = match args.bits {
        32 => NgramLm::pack(&table),
        4..=16 => NgramLm::quantize(&table, args.bits)?,
        bits => anyhow::bail!("--bits = {bits}: must be 4 to 16, or 32"),
    };
    lm.save(&args.out)?;
    print_counts(&args.input, &table.counts())?;
    print_counts(&args.out, &lm.counts())?;
    Ok(0)
}

fn print_counts(path: &Path, counts: &[usize]) -> Result<()> {
    let bytes = std::fs::metadata(path).with_context(|| path.display().to_string())?.len();
    let lengths = counts.iter().enumerate().map(|(index, count)| format!("{count} {}-grams", index + 1));
    let lengths = lengths.collect::<Vec<_>>().join(", ");
    eprintln!("{}: {lengths}, {:.1} MB", path.display(), bytes as f64 / 1e6);
    Ok(())
}
