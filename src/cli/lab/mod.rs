//! `eddy lab`: recurrent networks looked at.

mod gradients;

use anyhow::Result;
use clap::Subcommand;

/// Flags of `eddy lab`.
#[derive(Debug, clap::Args)]
pub(super) struct LabArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How far the gradient reaches back through time, cell by cell
    Gradients(gradients::GradientsArgs),
}

/// Runs it.
pub(super) fn run(args: LabArgs) -> Result<u8> {
    match args.command {
        Command::Gradients(args) => gradients::run(args),
    }
}
