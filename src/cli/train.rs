//! `eddy train`: a recipe in, a run folder out.

use super::args::DeviceArgs;
use crate::corpus::all_cores;
use crate::train::{Start, TrainConfig, Trainer};
use crate::{Error, ModelDir};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Flags of `eddy train`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy train recipes/an4.toml                  train into runs/an4
  eddy train recipes/an4.toml --resume         go on after Ctrl-C or a power cut
  eddy train my.toml --init models/an4         start from a model's weights
  eddy export runs/an4 --best -o models/mine   make a model of it

Manifests in a recipe are relative to $EDDY_CORPUS. Ctrl-C saves a checkpoint first; a second one stops at once.")]
pub(super) struct TrainArgs {
    /// The recipe
    #[arg(value_name = "RECIPE.toml")]
    recipe: PathBuf,
    /// Go on from the run's last checkpoint
    #[arg(long)]
    resume: bool,
    /// Run folder [default: runs/ and the recipe's name]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Start from the weights of this model directory
    #[arg(long, value_name = "MODEL", conflicts_with = "resume")]
    init: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs it.
pub(super) fn run(args: TrainArgs) -> Result<u8> {
    let config = TrainConfig::load(&args.recipe)?;
    let text = std::fs::read_to_string(&args.recipe).with_context(|| args.recipe.display().to_string())?;
    let run = args.run.unwrap_or_else(|| PathBuf::from("runs").join(&config.name));
    let device = args.device.apply(all_cores() as i32)?;
    let start = match (args.resume, args.init) {
        (true, _) => Start::Resume,
        (false, Some(model)) => Start::Init(Box::new(ModelDir::open(&model)?)),
        (false, None) => Start::Fresh,
    };
    let stop = stop_flag()?;
    let mut trainer = Trainer::new(config, &text, &run, start, device)?;
    eprintln!("{}", trainer.summary());
    match trainer.run(&stop) {
        Ok(()) => {
            eprintln!("done: eddy export {} --best -o DIR", run.display());
            Ok(0)
        }
        Err(Error::Interrupted) => {
            // Sums depend on the number of threads: only with the same is the rest the same, bit for bit.
            let flags = args.device.as_flags();
            eprintln!("saved: eddy train {} --run {} --resume{flags}", args.recipe.display(), run.display());
            Ok(1)
        }
        Err(error) => Err(error.into()),
    }
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the process.
pub(in crate::cli) fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("stopping after this step; once more to stop at once");
    })?;
    Ok(stop)
}
