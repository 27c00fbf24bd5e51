//! `eddy lab compare`: every cell and direction trained alike, in a table and a picture.

use super::listen::parse_cell;
use crate::cli::args::DeviceArgs;
use crate::cli::show::show;
use crate::cli::train::stop_flag;
use crate::corpus::{Manifest, Utterance, all_cores};
use crate::lab::{Outcome, Variant, Way, panels, table, variants};
use crate::plot::{RunCurves, draw};
use crate::recognizer::DecoderConfig;
use crate::train::{Choice, Evaluation, Start, TrainConfig, Trainer, epochs_done, evaluate, export, recipe_tokens};
use crate::{CellKind, Error, ModelDir, Recognizer, RecognizerConfig};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use tch::Kind;

/// Flags of `eddy lab compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy lab compare recipes/an4-compare.toml     nine trainings, a table, a picture
  eddy lab compare recipes/an4-compare.toml --test $EDDY_CORPUS/an4/test.jsonl
                                                with the errors of each on a test set
  eddy lab compare my.toml --cell lstm,gru --direction forward,latency-controlled

Each cell and direction has the recipe's data, order, schedule and (to a unit) number of weights.
Ctrl-C saves a checkpoint; the same command goes on, and passes over what is done. The best weights
of each are exported as a model into its run folder.")]
pub(super) struct CompareArgs {
    /// The recipe, latency-controlled: it says data, schedule, blocks and number of weights
    #[arg(value_name = "RECIPE.toml")]
    recipe: PathBuf,
    /// Cells
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "rnn,lstm,gru", value_parser = parse_cell)]
    cell: Vec<CellKind>,
    /// Directions
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "forward,latency-controlled,full",
          value_parser = parse_way)]
    direction: Vec<Way>,
    /// Manifest to evaluate each network's best weights on, greedily; may be given several times
    #[arg(long, value_name = "MANIFEST")]
    test: Vec<PathBuf>,
    /// Folder of the runs, table.md and curves.svg [default: runs/ and the recipe's name]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

fn parse_way(text: &str) -> Result<Way, String> {
    [Way::Forward, Way::LatencyControlled, Way::Full]
        .into_iter()
        .find(|way| way.name() == text)
        .ok_or("must be forward, latency-controlled or full".to_string())
}

/// Runs it.
pub(super) fn run(args: CompareArgs) -> Result<u8> {
    let recipe = TrainConfig::load(&args.recipe)?;
    let tests = args.test.iter().map(|path| Manifest::read(path)).collect::<crate::Result<Vec<_>>>()?;
    let folder = args.output.unwrap_or_else(|| PathBuf::from("runs").join(&recipe.name));
    let device = args.device.apply(all_cores() as i32)?;
    let variants = variants(&recipe, recipe_tokens(&recipe)?.len(), &args.cell, &args.direction)?;
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let stop = stop_flag()?;
    for (index, variant) in variants.iter().enumerate() {
        let Variant { name, config, weights, .. } = variant;
        eprintln!("{} of {}: {name}, {} units, {weights} weights", index + 1, variants.len(), config.model.hidden);
        let run = folder.join(name);
        let text = toml::to_string(config).context("the variant's recipe")?;
        if epochs_done(&run)? >= config.train.epochs && is_of_recipe(&run, &text)? {
            continue;
        }
        let start = if run.join("last.safetensors").exists() { Start::Resume } else { Start::Fresh };
        match Trainer::new(config.clone(), &text, &run, start, device)?.run(&stop) {
            Ok(()) => {}
            Err(Error::Interrupted) => {
                eprintln!("saved: the same command goes on");
                return Ok(1);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let outcome = |variant| outcome(&folder, variant, &tests, device);
    let outcomes = variants.into_iter().map(outcome).collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = args.test.iter().map(|path| test_name(path)).collect();
    let (text, (markdown, picture)) = (table(&outcomes, &names), (folder.join("table.md"), folder.join("curves.svg")));
    crate::error::write_atomically(&markdown, text.as_bytes())?;
    let (panels, columns) = panels(&outcomes);
    draw(&picture, (480 * columns as u32, 280 * (panels.len() / columns.max(1)) as u32), columns, &panels)?;
    show!("{text}{}\n{}", markdown.display(), picture.display())?;
    Ok(0)
}

/// Whether a run was made by this recipe; another's is not to be taken for it.
fn is_of_recipe(run: &Path, text: &str) -> Result<bool> {
    let path = run.join("recipe.toml");
    let saved = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    anyhow::ensure!(saved == text, "{}: made by another recipe: choose another folder with -o", run.display());
    Ok(true)
}

/// `an4/test` of `.../an4/test.jsonl`.
fn test_name(path: &Path) -> String {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().map(|parent| part(parent.file_name())).unwrap_or_default();
    format!("{folder}/{}", part(path.file_stem())).trim_start_matches('/').to_string()
}

/// The best weights as a model, evaluated.
fn outcome(folder: &Path, variant: Variant, tests: &[Manifest], device: tch::Device) -> Result<Outcome> {
    let run = folder.join(&variant.name);
    let path = run.join("model");
    export(&run, Choice::Best, Kind::Half, &path)?;
    let model = ModelDir::open(&path)?;
    let latency_ms = model.config.latency_ms(model.config.direction_for(None)?);
    let greedy = RecognizerConfig { decoder: DecoderConfig::Greedy, ..RecognizerConfig::default() };
    let recognizer = Recognizer::load(model, device, greedy)?;
    let tests: Vec<Evaluation> = tests
        .iter()
        .map(|manifest| {
            evaluate(&recognizer, &manifest.utterances, &Utterance::open, &mut |scored| {
                if let Err(reason) = &scored.hypothesis {
                    tracing::error!("{reason} (counted as all deleted)");
                }
                if let Some(missing) = scored.truncation {
                    crate::cli::warn_cut_short(&scored.utterance.audio, missing, "the score is of");
                }
            })
        })
        .collect();
    Ok(Outcome { variant, latency_ms, curves: RunCurves::read(&run)?, tests })
}
