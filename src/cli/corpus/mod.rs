//! `eddy corpus`: corpora to manifests, and their preflight.

mod check;
mod import;
mod report;

use anyhow::Result;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;

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
    /// What is wrong with manifests, before training finds out
    Check(check::CheckArgs),
}

/// Runs it.
pub(super) fn run(args: CorpusArgs) -> Result<u8> {
    match args.command {
        Command::Import(args) => import::run(args),
        Command::Check(args) => check::run(args),
    }
}

/// Refuses a manifest to write whose folder is not there, before any work is done.
fn require_folder(output: &Path) -> Result<()> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => anyhow::bail!("{}: no such folder for the manifest: make it first", folder.display()),
        None => Ok(()),
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
