//! The run folder's files, and the way from a run to a model directory.
//!
//! Layer 8.

use super::checkpoint;
use super::recipe::TrainConfig;
use crate::error::{Error, Result, write_atomically};
use crate::model_dir::{ModelConfig, ModelDir};
use crate::nn::weights;
use crate::text::TokenTable;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// Which weights of a run are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Those with the lowest dev word error rate.
    Best,
    /// Those of the last finished epoch.
    Last,
    /// The mean of the last `K` epochs'.
    Average(usize),
}

/// A folder under `runs/` with its files.
#[derive(Debug, Clone)]
pub(super) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    pub fn new(path: &Path) -> Self {
        RunFolder { path: path.to_path_buf() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// Averaged weights of the best epoch.
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// Averaged weights at the end of an epoch.
    pub fn epoch(&self, epoch: u64) -> PathBuf {
        self.path.join(format!("epoch-{epoch:04}.safetensors"))
    }

    fn recipe(&self) -> PathBuf {
        self.path.join("recipe.toml")
    }

    /// Whether the folder fits how the training is to start.
    pub fn check(&self, resume: bool, recipe_text: &str) -> Result<()> {
        if !resume {
            if self.last().exists() {
                let reason = "holds a training already: go on with --resume, or choose another folder with --run DIR";
                return Err(Error::training(&self.path, reason));
            }
            if self.path.join("model.safetensors").exists() {
                let reason = "holds a model, which training would overwrite: choose another folder with --run DIR";
                return Err(Error::training(&self.path, reason));
            }
            return Ok(());
        }
        if !self.last().exists() {
            return Err(Error::training(self.last(), "no checkpoint to resume from: start without --resume"));
        }
        let saved = std::fs::read_to_string(self.recipe()).map_err(|error| Error::io(self.recipe(), error))?;
        if saved != recipe_text {
            let reason = "differs from the recipe given: a resumed training keeps its recipe; use --init for another";
            return Err(Error::training(self.recipe(), reason));
        }
        Ok(())
    }

    /// Makes the folder with all that does not change while training.
    pub fn create(&self, recipe_text: &str, model: &ModelDir) -> Result<()> {
        model.save()?;
        write_atomically(&self.recipe(), recipe_text.as_bytes())
    }

    /// The facts that [`RunFolder::create`] wrote.
    pub fn model(&self) -> Result<ModelDir> {
        let read = |name: &str| {
            let path = self.path.join(name);
            std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))
        };
        let config: ModelConfig = serde_json::from_str(&read("model.json")?)
            .map_err(|error| Error::model(self.path.join("model.json"), error.to_string()))?;
        let tokens = TokenTable::load(&self.path.join("tokens.txt"))?;
        let cmvn = crate::frontend::CmvnStats::load(&self.path.join("cmvn.json"))?;
        Ok(ModelDir { path: self.path.clone(), config, tokens, cmvn })
    }

    /// Epochs whose weights are there, in order.
    fn epochs(&self) -> Result<Vec<u64>> {
        let entries = std::fs::read_dir(&self.path).map_err(|error| Error::io(&self.path, error))?;
        let number = |name: &str| name.strip_prefix("epoch-")?.strip_suffix(".safetensors")?.parse().ok();
        let mut epochs: Vec<u64> = entries.flatten().filter_map(|entry| number(entry.file_name().to_str()?)).collect();
        epochs.sort_unstable();
        Ok(epochs)
    }

    /// Removes the weights of epochs before `first`.
    pub fn forget_epochs_before(&self, first: u64) -> Result<()> {
        for epoch in self.epochs()?.into_iter().filter(|&epoch| epoch < first) {
            let path = self.epoch(epoch);
            std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
        }
        Ok(())
    }

    /// Files with the chosen weights.
    fn chosen(&self, choice: Choice) -> Result<Vec<PathBuf>> {
        let epochs = self.epochs()?;
        let files: Vec<PathBuf> = match choice {
            Choice::Best => Some(self.best()).filter(|path| path.exists()).into_iter().collect(),
            Choice::Last => epochs.last().map(|&epoch| self.epoch(epoch)).into_iter().collect(),
            Choice::Average(count) => epochs.iter().rev().take(count).map(|&epoch| self.epoch(epoch)).collect(),
        };
        let wanted = if let Choice::Average(count) = choice { count.max(1) } else { 1 };
        if files.len() < wanted {
            let reason =
                format!("weights of {} epochs are there, {wanted} are needed: train on, or choose others", files.len());
            return Err(Error::training(&self.path, reason));
        }
        Ok(files)
    }
}

/// Writes a complete model directory from a run; `kind` is `Kind::Float` or `Kind::Half`.
///
/// # Errors
/// When the run is not there or has not come far enough, or a file cannot be written.
pub fn export(run: &Path, choice: Choice, kind: Kind, out: &Path) -> Result<()> {
    let folder = RunFolder::new(run);
    if !folder.last().exists() {
        return Err(Error::training(run, "no training run: name the folder that `eddy train` made"));
    }
    let files = folder.chosen(choice)?;
    if out.canonicalize().is_ok_and(|out| run.canonicalize().is_ok_and(|run| run == out)) {
        return Err(Error::training(out, "is the training's own folder: name another for the model"));
    }
    let model = ModelDir { path: out.to_path_buf(), ..folder.model()? };
    let tensors = mean(&files)?;
    model.save()?;
    let tensors: Vec<_> = tensors.into_iter().map(|(name, tensor)| (name, tensor.to_kind(kind))).collect();
    weights::write(&tensors, &model.weights_path(), None)?;
    let recipe = std::fs::read(folder.recipe()).map_err(|error| Error::io(folder.recipe(), error))?;
    write_atomically(&out.join("recipe.toml"), &recipe)?;
    model.forget_tuning()?;
    let card = out.join("MODEL.md");
    // A card that somebody wrote is kept.
    match std::fs::read_to_string(&card) {
        Ok(text) if !is_as_exported(&text) => {
            tracing::warn!("{}: kept as it was; what it measures is not this model", card.display());
            Ok(())
        }
        _ => write_atomically(&card, card_text(&folder, &model, choice)?.as_bytes()),
    }
}

/// Whether a model card is one of [`card_text`], with nothing added.
fn is_as_exported(text: &str) -> bool {
    text.contains("\n\nWeights: ") && text.contains("\n\nCommit: ") && text.lines().count() <= CARD_LINES
}

/// Epochs that a run has done, 0 where there is none.
///
/// # Errors
/// When its checkpoint is damaged.
pub fn epochs_done(run: &Path) -> Result<u64> {
    let last = RunFolder::new(run).last();
    if last.exists() { Ok(checkpoint::progress(&last)?.epoch) } else { Ok(0) }
}

/// Element-wise mean of weights files.
fn mean(files: &[PathBuf]) -> Result<Vec<(String, Tensor)>> {
    let mut sum: Vec<(String, Tensor)> = Vec::new();
    for path in files {
        let tensors = weights::read(path)?;
        if sum.is_empty() {
            sum = tensors;
            continue;
        }
        for ((name, total), (other, tensor)) in sum.iter_mut().zip(&tensors) {
            if name != other || total.size() != tensor.size() {
                return Err(Error::training(path, format!("tensor {other} does not fit the other epochs'")));
            }
            *total = &*total + tensor;
        }
    }
    let count = files.len() as f64;
    Ok(sum.into_iter().map(|(name, total)| (name, total / count)).collect())
}

/// Lines of [`card_text`].
const CARD_LINES: usize = 7;

/// The facts of a training, as a model card to be completed with measurements.
fn card_text(folder: &RunFolder, model: &ModelDir, choice: Choice) -> Result<String> {
    let progress = checkpoint::progress(&folder.last())?;
    let recipe = TrainConfig::load(&folder.recipe())?;
    let sources: Vec<String> = recipe.data.train.iter().map(|set| format!("`{}`", set.manifest().display())).collect();
    let latencies = model.config.directions().into_iter().map(|direction| match model.config.latency_ms(direction) {
        Some(ms) => format!("{ms} ms"),
        None => "whole recording".to_string(),
    });
    Ok(format!(
        "# {}\n\nTrained on {} for {} epochs ({:.1} h of augmented audio, {:.2} h of computing), seed {}.\n\n\
         Weights: {choice:?}. Algorithmic latency: {}. Dev WER at best: {}.\n\nCommit: {}. Made with {}.\n",
        model.config.name,
        sources.join(", "),
        progress.epoch,
        progress.audio_seconds / 3600.0,
        progress.wall_seconds / 3600.0,
        progress.seed,
        latencies.collect::<Vec<_>>().join(", "),
        progress
            .best
            .map_or("not measured".to_string(), |(wer, epoch)| format!("{:.2} % (epoch {epoch})", 100.0 * wer)),
        progress.commit.as_deref().unwrap_or("not known"),
        progress.versions,
    ))
}

/// Commit of the working directory, where git knows one.
pub(super) fn current_commit() -> Option<String> {
    let output = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    Some(commit.trim().to_string()).filter(|commit| output.status.success() && !commit.is_empty())
}
