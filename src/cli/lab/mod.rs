//! `eddy lab`: recurrent networks looked at.

mod compare;
mod gates;
mod gradients;
mod listen;

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
    /// Train every cell and direction on one recipe at one number of weights, and compare them
    Compare(compare::CompareArgs),
    /// What the gates of a network let through while it listens: one picture
    Gates(gates::GatesArgs),
    /// How far the gradient reaches back through time, cell by cell
    Gradients(gradients::GradientsArgs),
}

/// Runs it.
pub(super) fn run(args: LabArgs) -> Result<u8> {
    match args.command {
        Command::Compare(args) => compare::run(args),
        Command::Gates(args) => gates::run(args),
        Command::Gradients(args) => gradients::run(args),
    }
}
