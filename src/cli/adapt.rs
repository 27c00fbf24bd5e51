//! `eddy adapt`: a model and a few minutes of a speaker or a domain in, a model that knows them better out.

use super::args::{DeviceArgs, ModelArgs};
use super::train::stop_flag;
use crate::corpus::all_cores;
use crate::error::write_atomically;
use crate::train::{Adaptation, Choice, Start, Trainer, export};
use crate::{Error, ModelDir};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Flags of `eddy adapt`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy adapt my-voice.jsonl -o models/mine                          all of it trains, the last epoch is kept
  eddy adapt --model models/en orders.jsonl --dev orders-dev.jsonl -o models/orders

A manifest has one object a line: {\"audio\": \"a.wav\", \"text\": \"GO\"}. Five minutes of speech are a good beginning. With
--dev the epoch with the lowest word error rate is kept, and nothing is written when the model as it was makes no more
errors: a model gains where it hears badly, and can lose where it is good already. Compare before and after with
`eddy evaluate`, on recordings that are in neither.")]
pub(super) struct AdaptArgs {
    /// Manifests (JSON lines) of the speaker or domain
    #[arg(required = true, value_name = "MANIFEST")]
    manifests: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Model directory to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Manifests to choose the epoch by
    #[arg(long, value_name = "MANIFEST")]
    dev: Vec<PathBuf>,
    /// Passes over the recordings
    #[arg(long, value_name = "N", default_value_t = Adaptation::default().epochs)]
    epochs: u64,
    /// Highest learning rate
    #[arg(long, value_name = "RATE", default_value_t = Adaptation::default().learning_rate)]
    learning_rate: f64,
    /// Layers from the input upward that keep their weights
    #[arg(long, value_name = "K", default_value_t = 0)]
    freeze: usize,
    /// Run folder with the training's log and checkpoints [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Of a model directory.
const CARD: &str = "MODEL.md";

/// Before the training, not after it: whether the model can be written, and not over the one it starts from.
fn check_output(output: &Path, model: &ModelDir) -> Result<()> {
    std::fs::create_dir_all(output).with_context(|| output.display().to_string())?;
    tempfile::tempfile_in(output).with_context(|| format!("{}: nothing can be written there", output.display()))?;
    if output.canonicalize().ok() == model.path.canonicalize().ok() {
        anyhow::bail!("{}: is the model to start from: name another folder with -o", output.display());
    }
    Ok(())
}

/// The card of the model it came from, with its data and licences, after its own.
fn add_card(base: &ModelDir, output: &Path) -> crate::Result<()> {
    let Ok(theirs) = std::fs::read_to_string(base.path.join(CARD)) else {
        return Ok(());
    };
    let path = output.join(CARD);
    let own = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
    let whole = format!("{own}\nAdapted from `{}`, whose card follows.\n\n{theirs}", base.config.name);
    write_atomically(&path, whole.as_bytes())
}

/// Runs it.
pub(super) fn run(args: AdaptArgs) -> Result<u8> {
    let model = ModelDir::open(&args.model.resolve()?)?;
    let made = !args.output.exists();
    check_output(&args.output, &model)?;
    let output = args.output.clone();
    adapt(args, model).inspect_err(|_| {
        // It was made for the check; one with anything in it stays.
        let _ = if made { std::fs::remove_dir(&output) } else { Ok(()) };
    })
}

fn adapt(args: AdaptArgs, model: ModelDir) -> Result<u8> {
    let adaptation = Adaptation {
        train: args.manifests,
        dev: args.dev,
        epochs: args.epochs,
        learning_rate: args.learning_rate,
        freeze_layers: args.freeze,
    };
    let device = args.device.apply(all_cores() as i32)?;
    let config = adaptation.recipe(&model)?;
    let recipe = toml::to_string(&config).context("the recipe")?;
    let temporary = std::env::temp_dir().join(format!("eddy-adapt-{}", std::process::id()));
    let base = model.clone();
    let keep = args.run.is_some();
    let run = args.run.unwrap_or(temporary);
    let outcome = Trainer::new(config, &recipe, &run, Start::Init(Box::new(model)), device).and_then(|mut trainer| {
        eprintln!("{}", trainer.summary());
        let before = trainer.dev_error_rate()?;
        trainer.run(&*stop_flag().map_err(|error| Error::training(&run, error.to_string()))?)?;
        if let (Some(before), Some(after)) = (before, trainer.best_error_rate()) {
            eprintln!(
                "word errors of the dev set, greedy: {:.2} % before, {:.2} % after",
                100.0 * before,
                100.0 * after
            );
            if after >= before {
                return Ok(false);
            }
        }
        let choice = if adaptation.dev.is_empty() { Choice::Last } else { Choice::Best };
        let has_card = args.output.join(CARD).exists();
        export(&run, choice, tch::Kind::Half, &args.output)?;
        if !has_card {
            add_card(&base, &args.output)?;
        }
        // Words are words whatever the network's tokens are.
        base.copy_language(&args.output)?;
        Ok(true)
    });
    if !keep {
        // Whatever happened, nothing is left behind; a folder that was never made is no error.
        let _ = std::fs::remove_dir_all(&run);
    }
    match outcome {
        Ok(false) => {
            // It was made for the check above; one with anything in it stays.
            let _ = std::fs::remove_dir(&args.output);
            eprintln!("the model as it is does no worse: nothing was written");
            Ok(1)
        }
        Ok(true) => {
            eprintln!("done: eddy evaluate --model {} MANIFEST", args.output.display());
            Ok(0)
        }
        Err(Error::Interrupted) => {
            eprintln!("stopped: nothing was written");
            Ok(1)
        }
        Err(error) => Err(error.into()),
    }
}
