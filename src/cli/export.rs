//! `eddy export`: a run in, a model directory out.

use crate::ModelDir;
use crate::train::{Choice, export};
use anyhow::Result;
use std::path::PathBuf;

/// Flags of `eddy export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy export runs/an4 --best -o models/mine
  eddy export runs/en --best --lm lm.bin -o models/en      then: eddy tune --model models/en dev.jsonl
  eddy export runs/an4 --average 5 --dtype f32 -o /tmp/averaged")]
pub(super) struct ExportArgs {
    /// Folder of the training
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Weights with the lowest dev word error rate (the default)
    #[arg(long, group = "choice")]
    best: bool,
    /// Weights of the last finished epoch
    #[arg(long, group = "choice")]
    last: bool,
    /// Mean of the last K epochs' weights
    #[arg(long, group = "choice", value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    average: Option<u32>,
    /// Kind of the weights in the file
    #[arg(long, value_enum, default_value_t = Dtype::F16)]
    dtype: Dtype,
    /// Language model to put into the model directory (from `eddy lm build`)
    #[arg(long, value_name = "FILE")]
    lm: Option<PathBuf>,
    /// Model directory to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// Kinds of weights.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Dtype {
    /// 32-bit floats
    F32,
    /// 16-bit floats
    F16,
}

/// Runs it.
pub(super) fn run(args: ExportArgs) -> Result<u8> {
    let choice = match (args.last, args.average) {
        (true, _) => Choice::Last,
        (_, Some(count)) => Choice::Average(count as usize),
        _ => Choice::Best,
    };
    let kind = match args.dtype {
        Dtype::F32 => tch::Kind::Float,
        Dtype::F16 => tch::Kind::Half,
    };
    let lm = args.lm.map(|path| crate::lm::NgramLm::load(&path).map(|_| path)).transpose()?;
    export(&args.run, choice, kind, &args.output)?;
    if let Some(path) = lm {
        ModelDir::open(&args.output)?.set_lm(&path)?;
    }
    eprintln!("wrote {}: eddy inspect {0}", args.output.display());
    Ok(0)
}
