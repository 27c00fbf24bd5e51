//! Training and evaluation: from a recipe to a model directory.
//!
//! Layer 8. `recipe` says what, `dataset` what with, `batch` and `augment` make the input, `adam` and
//! `schedule` the steps, `checkpoint` the way back, `trainer` the loop, `export`, `evaluate` and `tune` what comes after.

mod adam;
mod adapt;
mod augment;
mod batch;
mod checkpoint;
mod dataset;
mod evaluate;
mod export;
mod layers;
mod progress;
mod recipe;
mod replica;
mod schedule;
mod tensorboard;
mod trainer;
mod tune;
mod validate;

pub use crate::corpus::{Manifest, Utterance};
pub use adapt::Adaptation;
pub use augment::NoiseKind;
pub use dataset::recipe_tokens;
pub use evaluate::{Evaluation, Scored, evaluate};
pub use export::{Choice, epochs_done, export};
pub use recipe::{
    AugmentRecipe, CORPUS_VARIABLE, DataRecipe, ModelRecipe, OptimizerRecipe, Precision, TokenRecipe, TrainConfig,
    TrainSet, WeightedSet, corpus_folder,
};
pub use trainer::{Start, Trainer};
pub use tune::{Calibrated, Trial, Tuner};
