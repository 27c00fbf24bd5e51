//! The recipe: everything that a training depends on, from one TOML file.
//!
//! Layer 8. Paths of manifests are relative to the corpus folder: `EDDY_CORPUS`, else `../shared/corpus`.

mod check;

use super::augment::NoiseKind;
use crate::error::{Error, Result};
use crate::frontend::FrontEndConfig;
use crate::model_dir::{CellKind, DirectionConfig, EncoderConfig, Head};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Environment variable that names the folder with the corpora.
pub const CORPUS_VARIABLE: &str = "EDDY_CORPUS";
const DEFAULT_CORPUS: &str = "../shared/corpus";

/// A whole recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Name of the model, and of its run folder under `runs/`.
    pub name: String,
    /// The network.
    pub model: ModelRecipe,
    /// The features.
    #[serde(default)]
    pub front_end: FrontEndConfig,
    /// What is trained on.
    pub data: DataRecipe,
    /// How.
    #[serde(default)]
    pub train: OptimizerRecipe,
    /// What is done to the recordings.
    #[serde(default)]
    pub augment: AugmentRecipe,
}

/// The network's shape; the rest of it follows from tokens and features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// The recurrent cell.
    pub cell: CellKind,
    /// Layers of the stack.
    pub layers: usize,
    /// Units of each direction.
    pub hidden: usize,
    /// Frames stacked into one network step.
    pub stacking: usize,
    /// Which way the layers run.
    pub direction: DirectionConfig,
    /// What is recognised.
    pub tokens: TokenRecipe,
    /// What the outputs are.
    #[serde(default)]
    pub head: Head,
}

/// How the token table is made from the training texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenRecipe {
    /// Letters and a separator.
    Characters,
    /// Whole words seen at least so often, letters for all others.
    Words(usize),
    /// Word pieces by byte-pair encoding, so many tokens.
    Pieces(usize),
    /// Every text, one word each, as a class: for the head `classify`.
    Classes,
}

/// Manifests, relative to the corpus folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecipe {
    /// Speech to train on.
    pub train: Vec<TrainSet>,
    /// Speech to choose by.
    #[serde(default)]
    pub dev: Vec<PathBuf>,
    /// Speakers of `train` that are held out and join `dev`.
    #[serde(default)]
    pub dev_speakers: Vec<String>,
    /// Share of `train`'s recordings, whoever speaks, that is held out and joins `dev`: which ones, their names decide,
    /// so they are the same in every training. Voices of such a dev set are known from training.
    #[serde(default)]
    pub dev_share: f64,
    /// Noise: mixed into speech, and trained on by itself with zero labels.
    #[serde(default)]
    pub noise: Vec<PathBuf>,
    /// Texts that are left out of training, whoever says them.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Most memory for decoded recordings, in MB; what exceeds it is decoded anew every epoch.
    #[serde(default = "default_cache_mb")]
    pub cache_mb: usize,
}

/// A manifest to train on: its path, or `{ manifest = "...", weight = 0.5 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TrainSet {
    /// Every utterance once an epoch.
    Once(PathBuf),
    /// Sampled.
    Weighted(WeightedSet),
}

/// A manifest with its weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedSet {
    /// The manifest.
    pub manifest: PathBuf,
    /// How often an utterance is met in an epoch, on average: 0.5 is every other epoch, 2 twice an epoch.
    pub weight: f64,
}

impl TrainSet {
    /// The manifest.
    pub fn manifest(&self) -> &Path {
        match self {
            TrainSet::Once(manifest) => manifest,
            TrainSet::Weighted(set) => &set.manifest,
        }
    }

    /// Passes an epoch.
    pub fn weight(&self) -> f64 {
        match self {
            TrainSet::Once(_) => 1.0,
            TrainSet::Weighted(set) => set.weight,
        }
    }
}

/// In what the forward and backward passes compute; weights and their updates are always float32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 24 bits of mantissa.
    #[default]
    Float32,
    /// 8 bits of mantissa: nearly twice as fast where the processor has it (AVX512-BF16, AMX).
    Bfloat16,
}

fn default_cache_mb() -> usize {
    2000
}

/// Optimisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerRecipe {
    /// Seed of every random draw.
    pub seed: u64,
    /// Passes over the training speech.
    pub epochs: u64,
    /// Audio in a batch, padding included, each recording once, in seconds.
    pub batch_seconds: f64,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: u64,
    /// Learning rate at the end over the highest; the way down is half a cosine.
    pub final_ratio: f64,
    /// Decoupled weight decay a step, times the learning rate.
    pub weight_decay: f64,
    /// Gradients longer than this are scaled down to it.
    pub clip_norm: f64,
    /// Dropout on the input of every layer above the first and of the projection.
    pub dropout: f64,
    /// Truncated back-propagation through time: frames that the gradient goes back at most. A multiple of the stacking
    /// and of every chunk; 0 goes back to the start.
    pub bptt_frames: usize,
    /// In what is computed.
    pub precision: Precision,
    /// Weight of consistency: each recording of a batch is there twice, masked and dropped out differently, and what one
    /// copy says at a step is held against what the other says (CR-CTC). 0 is one copy.
    pub consistency: f64,
    /// Moving average of the weights a step; what is evaluated and exported. 0 is none.
    pub ema_decay: f64,
    /// Time between checkpoints within an epoch, in minutes.
    pub checkpoint_minutes: f64,
    /// Stops after so many epochs without a lower dev error rate; 0 never stops early.
    pub patience: usize,
    /// With `--init`: so many layers from the input upward keep the weights that they are given.
    pub freeze_layers: usize,
    /// With `--init`: so many layers from the output downward start anew, the projection being the first. With one or
    /// more, the token table is the recipe's own.
    pub drop_layers: usize,
    /// Epochs whose averaged weights are kept for `export --average`.
    pub keep_epochs: usize,
}

impl Default for OptimizerRecipe {
    fn default() -> Self {
        OptimizerRecipe {
            seed: 1,
            epochs: 50,
            batch_seconds: 90.0,
            learning_rate: 1e-3,
            warmup_steps: 200,
            final_ratio: 0.02,
            weight_decay: 0.01,
            clip_norm: 5.0,
            dropout: 0.2,
            bptt_frames: 0,
            precision: Precision::Float32,
            consistency: 0.0,
            ema_decay: 0.995,
            checkpoint_minutes: 3.0,
            patience: 0,
            freeze_layers: 0,
            drop_layers: 0,
            keep_epochs: 10,
        }
    }
}

/// What is done to the recordings, each time anew. The default is nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentRecipe {
    /// First epoch (from 0) in which recordings are changed at all: a network learns to align on clean speech first.
    pub from_epoch: u64,
    /// First epoch (from 0) with time and frequency masks.
    pub masks_from_epoch: u64,
    /// Range of the speed factor.
    pub speed: [f64; 2],
    /// Range of the gain in dB.
    pub gain_db: [f64; 2],
    /// Share of utterances that get noise.
    pub noise_probability: f64,
    /// Range of the signal-to-noise ratio in dB.
    pub snr_db: [f64; 2],
    /// What the noise is; one is drawn.
    pub noise_kinds: Vec<NoiseKind>,
    /// Share of utterances that are put into a room.
    pub reverb_probability: f64,
    /// Range of the time in which a room's sound falls by 60 dB, in seconds.
    pub reverb_seconds: [f64; 2],
    /// Largest coefficient of a first-order filter that tilts the spectrum either way; 0 is none.
    pub tilt: f64,
    /// Share of utterances that lose what is above half a lower sample rate, as a telephone's do.
    pub band_limit_probability: f64,
    /// The lower sample rates, in Hz; one is drawn.
    pub band_limit_rates_hz: Vec<u32>,
    /// Share of those that pass a telephone's mu-law too.
    pub mu_law_probability: f64,
    /// Share of utterances that another one is joined to, and of the joined ones that yet another is, and so on: the
    /// state is carried from one to the next.
    pub join_probability: f64,
    /// Longest joined recording, in seconds.
    pub join_seconds: f64,
    /// Noise clips without words in an epoch, as a share of the utterances.
    pub wordless_share: f64,
    /// Time masks a second of audio.
    pub time_masks_per_second: f64,
    /// Widest time mask in frames.
    pub time_width: usize,
    /// Frequency masks.
    pub frequency_masks: usize,
    /// Widest frequency mask in mel bins.
    pub frequency_width: usize,
}

impl Default for AugmentRecipe {
    fn default() -> Self {
        AugmentRecipe {
            from_epoch: 0,
            masks_from_epoch: 1,
            speed: [1.0, 1.0],
            gain_db: [0.0, 0.0],
            noise_probability: 0.0,
            snr_db: [10.0, 30.0],
            noise_kinds: vec![NoiseKind::Recorded, NoiseKind::White],
            reverb_probability: 0.0,
            reverb_seconds: [0.1, 0.5],
            tilt: 0.0,
            band_limit_probability: 0.0,
            band_limit_rates_hz: vec![8000, 11025],
            mu_law_probability: 0.0,
            join_probability: 0.0,
            join_seconds: 30.0,
            wordless_share: 0.0,
            time_masks_per_second: 0.0,
            time_width: 0,
            frequency_masks: 0,
            frequency_width: 0,
        }
    }
}

impl TrainConfig {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// Names the file, the field, its value and what is allowed.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let config: TrainConfig =
            toml::from_str(&text).map_err(|error| Error::training(path, format!("not a recipe: {error}")))?;
        config.validate().map_err(|error| Error::training(path, error.to_string()))?;
        Ok(config)
    }

    /// The network that a table of `vocabulary` tokens makes of it.
    pub fn network(&self, vocabulary: usize) -> EncoderConfig {
        EncoderConfig {
            input_dim: self.front_end.num_ceps,
            stacking: self.model.stacking,
            cell: self.model.cell,
            layers: self.model.layers,
            hidden: self.model.hidden,
            direction: self.model.direction.clone(),
            vocabulary,
            head: self.model.head,
        }
    }
}

/// The folder that holds the corpora: `EDDY_CORPUS`, else `../shared/corpus`.
pub fn corpus_folder() -> PathBuf {
    std::env::var_os(CORPUS_VARIABLE).map_or_else(|| PathBuf::from(DEFAULT_CORPUS), PathBuf::from)
}
