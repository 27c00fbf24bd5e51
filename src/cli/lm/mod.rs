//! `eddy lm`: language models from text.

mod convert;
mod estimate;
mod score;

use anyhow::{Context, Result};
use clap::Subcommand;
use std::io::BufRead;
use std::path::Path;

/// Subcommands of `eddy lm`.
#[derive(Debug, Subcommand)]
enum LmCommand {
    /// An n-gram model from text: interpolated modified Kneser-Ney
    Estimate(estimate::EstimateArgs),
    /// A smaller model: the n-grams that matter least left out
    Prune(convert::PruneArgs),
    /// The compact file that a recogniser loads
    Build(convert::BuildArgs),
    /// How well a model predicts text: perplexity
    Score(score::ScoreArgs),
}

/// Flags of `eddy lm`.
#[derive(Debug, clap::Args)]
pub(super) struct LmArgs {
    #[command(subcommand)]
    command: LmCommand,
}

/// Runs it.
pub(super) fn run(args: LmArgs) -> Result<u8> {
    match args.command {
        LmCommand::Estimate(args) => estimate::run(args),
        LmCommand::Prune(args) => convert::run_prune(args),
        LmCommand::Build(args) => convert::run_build(args),
        LmCommand::Score(args) => score::run(args),
    }
}

/// Calls `visit` with every line of a text, `-` being standard input; normalized unless `verbatim`.
fn each_line(path: &Path, verbatim: bool, mut visit: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
        Box::new(std::io::BufReader::with_capacity(1 << 18, file))
    };
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        number += 1;
        if reader.read_until(b'\n', &mut bytes).with_context(|| path.display().to_string())? == 0 {
            return Ok(());
        }
        let Ok(line) = std::str::from_utf8(&bytes) else {
            anyhow::bail!("{}:{number}: is not UTF-8: convert it, or unpack it if it is compressed", path.display());
        };
        match verbatim {
            true => visit(line.trim())?,
            false => visit(&crate::text::normalize(line))?,
        }
    }
}
