//! `eddy bench`: how fast, on this machine.

mod batch;
mod latency;
mod others;

use anyhow::Result;
use clap::Subcommand;

/// Flags of `eddy bench`.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Recordings transcribed one at a time and many at once
    Batch(batch::BatchArgs),
    /// Time from a word's end to its text, live
    Latency(latency::LatencyArgs),
}

/// Runs it.
pub(super) fn run(args: BenchArgs) -> Result<u8> {
    match args.command {
        Command::Batch(args) => batch::run(args),
        Command::Latency(args) => latency::run(args),
    }
}
