//! A model directory's facts, read and cross-checked without tensors. Layer 4.
//!
//! `model.json` (this file's [`ModelConfig`]), `model.safetensors`, `tokens.txt`, `cmvn.json`, optional `MODEL.md` and `recipe.toml`.

use crate::error::{Error, Result};
use crate::frontend::{CmvnStats, FrontEndConfig};
use crate::text::TokenTable;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The recurrent cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// Elman: `h = tanh(W_ih x + b_ih + W_hh h' + b_hh)`.
    Rnn,
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit, reset gate after the recurrent product.
    Gru,
}

/// One setting of the latency-controlled layer, in input frames (before stacking).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Frames that leave a block (Nc).
    pub chunk: usize,
    /// Frames of look-ahead (Nr).
    pub look_ahead: usize,
}

/// Which way the layers run, as the weights were trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DirectionConfig {
    /// Left to right only.
    Forward,
    /// Bidirectional within blocks; every grid that the weights were trained for.
    LatencyControlled(Vec<Grid>),
    /// Bidirectional over the whole utterance: cannot stream.
    Full,
}

/// Which way the layers run in one session or one training batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Left to right only.
    Forward,
    /// Blocks of `chunk` frames with `look_ahead` frames to their right (input frames).
    LatencyControlled(Grid),
    /// The whole utterance.
    Full,
}

/// The shape of the network: what the weights depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Values in an input frame (D).
    pub input_dim: usize,
    /// Frames stacked into one network step (S).
    pub stacking: usize,
    /// The recurrent cell.
    pub cell: CellKind,
    /// Layers of the stack.
    pub layers: usize,
    /// Units of each direction (H).
    pub hidden: usize,
    /// Which way the layers run.
    pub direction: DirectionConfig,
    /// Tokens, blank included (V).
    pub vocabulary: usize,
}

/// `model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Format of the directory; this program reads 1.
    pub format: u32,
    /// Name of the model.
    pub name: String,
    /// Features.
    pub front_end: FrontEndConfig,
    /// Network.
    pub encoder: EncoderConfig,
}

impl ModelConfig {
    /// Algorithmic latency of a direction in ms at the model's own sample rate: (Nc+Nr)*shift + window - shift; `None` for `Full`.
    pub fn latency_ms(&self, direction: Direction) -> Option<f64> {
        let _ = direction;
        todo!()
    }
    /// The directions that the weights were trained for, smallest latency first.
    pub fn directions(&self) -> Vec<Direction> {
        todo!()
    }
    /// Picks by latency: `None` is the largest of at most 1 s (`Full` for a full model); a value must be one the model states (to 1 ms).
    ///
    /// # Errors
    /// Lists the latencies there are.
    pub fn direction_for(&self, latency_ms: Option<f64>) -> Result<Direction> {
        let _ = latency_ms;
        todo!()
    }
    /// Checks every field against the others.
    pub fn validate(&self) -> Result<()> {
        todo!()
    }
}

/// A model directory that was read and cross-checked.
#[derive(Debug, Clone)]
pub struct ModelDir {
    /// The directory.
    pub path: PathBuf,
    /// `model.json`.
    pub config: ModelConfig,
    /// `tokens.txt`.
    pub tokens: TokenTable,
    /// `cmvn.json`.
    pub cmvn: CmvnStats,
}

impl ModelDir {
    /// Reads and cross-checks a directory (dimension of CMVN, number of tokens, presence of the weights).
    ///
    /// # Errors
    /// Names the file that is missing, broken or does not fit.
    pub fn open(path: &Path) -> Result<Self> {
        let _ = path;
        Err(Error::model(path, "stub"))
    }
    /// `model.safetensors`.
    pub fn weights_path(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }
    /// Writes `model.json`, `tokens.txt`, `cmvn.json` into `path` (created if missing), each atomically.
    pub fn save(&self) -> Result<()> {
        todo!()
    }
}
