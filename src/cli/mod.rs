//! The command line: flags -> config, one file a subcommand. Layer 9.
//!
//! stdout carries results only; everything else goes to stderr through `tracing`. Exit codes: 0 done, 1 some inputs
//! failed, 2 usage or nothing could be done.

mod args;
mod corpus;
#[cfg(feature = "mic")]
mod devices;
mod features;
mod inspect;
mod lm;
mod plot;

#[cfg(feature = "torch")]
mod adapt;
#[cfg(feature = "torch")]
mod bench;
#[cfg(feature = "torch")]
mod classify;
#[cfg(feature = "torch")]
mod evaluate;
#[cfg(feature = "torch")]
mod export;
#[cfg(feature = "torch")]
mod inputs;
#[cfg(feature = "torch")]
mod lab;
#[cfg(feature = "torch")]
mod listen;
mod show;
#[cfg(feature = "torch")]
mod train;
#[cfg(feature = "torch")]
mod transcribe;
#[cfg(feature = "torch")]
mod tune;

use clap::{Parser, Subcommand};
use std::path::Path;

/// A streaming speech recogniser: transcribes files, and trains its own models.
#[derive(Debug, Parser)]
#[command(name = "eddy", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// More (-v, -vv) messages on stderr
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Recordings in, text out
    #[cfg(feature = "torch")]
    Transcribe(transcribe::TranscribeArgs),
    /// Recordings in, one of several classes out
    #[cfg(feature = "torch")]
    Classify(classify::ClassifyArgs),
    /// Speech in, text out while it is spoken: microphone or recording
    #[cfg(feature = "torch")]
    Listen(Box<listen::ListenArgs>),
    /// The microphones there are
    #[cfg(feature = "mic")]
    Devices(devices::DevicesArgs),
    /// Word and character error rates of a model on manifests
    #[cfg(feature = "torch")]
    Evaluate(evaluate::EvaluateArgs),
    /// How fast, on this machine
    #[cfg(feature = "torch")]
    Bench(bench::BenchArgs),
    /// Train a model by a recipe
    #[cfg(feature = "torch")]
    Train(train::TrainArgs),
    /// A model that knows a speaker or a domain better, from a few minutes of them
    #[cfg(feature = "torch")]
    Adapt(adapt::AdaptArgs),
    /// A model directory from a training run
    #[cfg(feature = "torch")]
    Export(export::ExportArgs),
    /// The beam search's weights and the confidences' calibration, from dev recordings
    #[cfg(feature = "torch")]
    Tune(tune::TuneArgs),
    /// Recurrent networks looked at: gradients through time, gates, cells and directions compared
    #[cfg(feature = "torch")]
    Lab(lab::LabArgs),
    /// Curves of a training as a picture
    Plot(plot::PlotArgs),
    /// Corpora to manifests, and what is wrong with those
    Corpus(corpus::CorpusArgs),
    /// What a model is: shape, size, latency
    Inspect(inspect::InspectArgs),
    /// Language models: estimate, prune, build, score
    Lm(lm::LmArgs),
    /// Features of a recording, as NumPy float32
    Features(features::FeaturesArgs),
}

/// Parses the process's arguments, runs the subcommand and returns the exit code.
///
/// # Errors
/// What stopped the command altogether (exit code 2).
pub fn run() -> anyhow::Result<u8> {
    let cli = Cli::parse();
    args::init_tracing(cli.verbose);
    match cli.command {
        #[cfg(feature = "torch")]
        Command::Transcribe(args) => transcribe::run(args),
        #[cfg(feature = "torch")]
        Command::Classify(args) => classify::run(args),
        #[cfg(feature = "torch")]
        Command::Listen(args) => listen::run(*args),
        #[cfg(feature = "mic")]
        Command::Devices(args) => devices::run(args),
        #[cfg(feature = "torch")]
        Command::Evaluate(args) => evaluate::run(args),
        #[cfg(feature = "torch")]
        Command::Bench(args) => bench::run(args),
        #[cfg(feature = "torch")]
        Command::Train(args) => train::run(args),
        #[cfg(feature = "torch")]
        Command::Adapt(args) => adapt::run(args),
        #[cfg(feature = "torch")]
        Command::Export(args) => export::run(args),
        #[cfg(feature = "torch")]
        Command::Tune(args) => tune::run(args),
        #[cfg(feature = "torch")]
        Command::Lab(args) => lab::run(args),
        Command::Plot(args) => plot::run(args),
        Command::Corpus(args) => corpus::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Lm(args) => lm::run(args),
        Command::Features(args) => features::run(args),
    }
}

/// Says on stderr that a recording ends early; `what` was done with the rest ("the transcript covers").
fn warn_cut_short(path: &Path, missing: &str, what: &str) {
    eprintln!("eddy: {}: warning: {missing}; {what} what is there", path.display());
}

/// Refuses an output that is one of the inputs, whatever it is called here.
fn not_over(flag: &str, output: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let place = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    match inputs.iter().find(|input| place(input) == place(output)) {
        Some(input) => anyhow::bail!("{flag} {}: {} is needed: name another file", output.display(), input.display()),
        None => Ok(()),
    }
}
