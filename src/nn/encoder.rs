//! Encoder.
use super::cell::CellState;
use crate::error::Result;
use crate::model_dir::{Direction, EncoderConfig};
use tch::{Device, Kind, Tensor};

/// Whether dropout applies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// No dropout, no gradient needed.
    Infer,
    /// Dropout with this probability on the input of every layer above the first and of the projection.
    Train {
        /// Probability.
        dropout: f64,
    },
}

/// Lengths of one row of a block, in input frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLen {
    /// Frames that leave (at most Nc).
    pub main: usize,
    /// Frames of look-ahead there are (at most Nr).
    pub right: usize,
}

/// All that crosses a block: the forward state of every layer.
#[derive(Debug)]
pub struct EncoderState {
    /// One a layer.
    pub layers: Vec<CellState>,
}

/// The network.
pub struct Encoder {}

impl Encoder {
    /// New random weights (seeded): orthogonal recurrent weights, forget bias 1.
    pub fn new(config: &EncoderConfig, seed: u64, kind: Kind, device: Device) -> Result<Self> {
        let _ = (config, seed, kind, device);
        todo!()
    }
    /// The network's shape.
    pub fn config(&self) -> &EncoderConfig {
        todo!()
    }
    /// Name and tensor of every parameter, in a fixed order. Shallow: the tensors share storage with the encoder; they require gradients.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        todo!()
    }
    /// State at a session's start for `batch` rows.
    pub fn initial_state(&self, batch: i64) -> EncoderState {
        let _ = batch;
        todo!()
    }
    /// `x` `[B, Nc + right, D]` -> log-probs `[B, Nc / S, V]`, and the state after frame Nc.
    pub fn forward_block(
        &self,
        x: &Tensor,
        lens: &[BlockLen],
        state: &EncoderState,
        direction: Direction,
    ) -> Result<(Tensor, EncoderState)> {
        let _ = (x, lens, state, direction);
        todo!()
    }
    /// `x` `[B, T, D]`, `lengths` `[B]` (input frames) -> log-probs `[T', B, V]` (CTC layout) and output lengths `ceil(T / S)`.
    pub fn forward(&self, x: &Tensor, lengths: &[i64], direction: Direction, mode: Mode) -> Result<(Tensor, Vec<i64>)> {
        let _ = (x, lengths, direction, mode);
        todo!()
    }
    /// Many sessions, one batch.
    pub fn stack_states(states: &[&EncoderState]) -> EncoderState {
        let _ = states;
        todo!()
    }
    /// Inverse of `stack_states`.
    pub fn split_states(state: &EncoderState) -> Vec<EncoderState> {
        let _ = state;
        todo!()
    }
}
impl EncoderState {
    /// Deep copy.
    pub fn fork(&self) -> Self {
        todo!()
    }
}
