//! `eddy plot`: a training's curves as a picture.

use crate::cli::show::show;
use crate::plot::plot_run;
use anyhow::Result;
use std::path::PathBuf;

/// Flags of `eddy plot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy plot runs/an4                  writes runs/an4/curves.svg
  eddy plot runs/an4 -o an4.png       a bitmap

Loss, dev error rates, learning rate, gradient and state norms layer by layer, and how often gradients were clipped, from
the run's metrics.jsonl. Works while the training runs.")]
pub(super) struct PlotArgs {
    /// Folder of the training
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Picture to write, .svg or .png [default: curves.svg in the run folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs it.
pub(super) fn run(args: PlotArgs) -> Result<u8> {
    let out = args.output.unwrap_or_else(|| args.run.join("curves.svg"));
    plot_run(&args.run, &out)?;
    show!("{}", out.display())?;
    Ok(0)
}
