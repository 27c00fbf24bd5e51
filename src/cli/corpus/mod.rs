//! `eddy corpus`: corpora to manifests.

mod import;

use anyhow::Result;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Flags of `eddy corpus`.
#[derive(Debug, clap::Args)]
pub(super) struct CorpusArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A manifest of a corpus in another tool's layout
    Import(import::ImportArgs),
}

/// Runs it.
pub(super) fn run(args: CorpusArgs) -> Result<u8> {
    match args.command {
        Command::Import(args) => import::run(args),
    }
}

/// Recordings opened of all, for a person who waits; hidden where stderr is no terminal.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} recordings, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
