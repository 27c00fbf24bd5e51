//! The recipe for a speaker's or a domain's few minutes: a model's own network, mild augmentation, few and small steps.
//!
//! Layer 8.

use super::recipe::{
    AugmentRecipe, DataRecipe, ModelRecipe, OptimizerRecipe, TokenRecipe, TrainConfig, TrainSet, corpus_folder,
};
use crate::error::{Error, Result};
use crate::model_dir::{Head, ModelDir};
use std::path::{Path, PathBuf};

/// What is asked of an adaptation.
#[derive(Debug, Clone, PartialEq)]
pub struct Adaptation {
    /// Manifests of the speaker or domain.
    pub train: Vec<PathBuf>,
    /// Manifests to choose the epoch by; without any the last one is taken.
    pub dev: Vec<PathBuf>,
    /// Passes over the recordings.
    pub epochs: u64,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Layers from the input upward that keep their weights.
    pub freeze_layers: usize,
}

impl Default for Adaptation {
    fn default() -> Self {
        Adaptation { train: Vec::new(), dev: Vec::new(), epochs: 12, learning_rate: 3e-4, freeze_layers: 0 }
    }
}

impl Adaptation {
    /// The recipe that starts from `model`'s weights.
    ///
    /// # Errors
    /// When a manifest's path cannot be made absolute, or a value is out of range.
    pub fn recipe(&self, model: &ModelDir) -> Result<TrainConfig> {
        let encoder = &model.config.encoder;
        let config = TrainConfig {
            name: format!("{}-adapted", model.config.name),
            model: ModelRecipe {
                cell: encoder.cell,
                layers: encoder.layers,
                hidden: encoder.hidden,
                stacking: encoder.stacking,
                direction: encoder.direction.clone(),
                // The model's own table is used, see `Start::Init`.
                tokens: match encoder.head {
                    Head::Ctc => TokenRecipe::Characters,
                    Head::Classify => TokenRecipe::Classes,
                },
                head: encoder.head,
            },
            front_end: model.config.front_end.clone(),
            data: DataRecipe {
                train: absolute(&self.train)?.into_iter().map(TrainSet::Once).collect(),
                dev: absolute(&self.dev)?,
                dev_speakers: Vec::new(),
                dev_share: 0.0,
                noise: Vec::new(),
                exclude: Vec::new(),
                cache_mb: 2000,
            },
            train: OptimizerRecipe {
                epochs: self.epochs,
                batch_seconds: 40.0,
                learning_rate: self.learning_rate,
                warmup_steps: 10,
                final_ratio: 0.05,
                dropout: 0.1,
                // An average over about ten steps: there are few.
                ema_decay: 0.9,
                freeze_layers: self.freeze_layers,
                keep_epochs: 1,
                ..OptimizerRecipe::default()
            },
            augment: AugmentRecipe {
                masks_from_epoch: 0,
                speed: [0.95, 1.05],
                gain_db: [-6.0, 3.0],
                time_masks_per_second: 0.3,
                time_width: 8,
                frequency_masks: 1,
                frequency_width: 6,
                ..AugmentRecipe::default()
            },
        };
        config.validate()?;
        Ok(config)
    }
}

/// Paths that do not depend on the corpus folder. One that is not there as it stands is looked for in the corpus folder.
fn absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let one = |path: &PathBuf| {
        let in_corpus = corpus_folder().join(path);
        let found = if in_corpus.exists() && !path.exists() { &in_corpus } else { path };
        std::path::absolute(found).map_err(|error| Error::io(path as &Path, error))
    };
    paths.iter().map(one).collect()
}
