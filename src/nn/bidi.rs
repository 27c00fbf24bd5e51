//! One layer of the latency-controlled stack: forward cell carried, backward cell fresh in every block, look-ahead.
//!
//! Layer 5. One form serves training (K blocks of B rows at once) and streaming (K = 1), and the other directions too:
//! `Forward` has no backward cell, `Full` is one block as long as the utterance. Tensors are time-major with the blocks
//! of a batch side by side: `[C + R, K * B, I]`, column `k * B + b` holding block `k` of row `b`, C main steps and then
//! R steps of look-ahead (a step is one stack of frames).
//!
//! Source: Zhang et al. 2016, "Highway long short-term memory RNNs for distant speech recognition", arXiv 1510.08983,
//! section 3 (latency-controlled BLSTM).

use super::cell::{Cell, CellState};
use crate::error::Result;
use crate::model_dir::CellKind;
use tch::{Device, Kind, Tensor};

/// Where the steps of a batch of blocks lie.
#[derive(Debug)]
pub(crate) struct BlockLayout {
    /// Main steps of a block (C).
    pub main: i64,
    /// Look-ahead steps of a block (R).
    pub right: i64,
    /// Blocks of each row (K).
    pub blocks: i64,
    /// Rows (B).
    pub batch: i64,
    /// Flat index over `[C + R, K * B]` that reverses each column's valid steps and leaves the others in place.
    flip: Tensor,
    /// Steps that the gradient goes back at most; `None` is all.
    pub truncation: Option<i64>,
}

impl BlockLayout {
    /// `lens[k * B + b]`: valid steps (main + look-ahead) of block `k` of row `b`, at most C + R.
    pub fn new(main: i64, right: i64, blocks: i64, lens: &[i64], device: Device) -> Self {
        let columns = lens.len() as i64;
        let mut flip = Vec::with_capacity(((main + right) * columns) as usize);
        for t in 0..main + right {
            for (column, &len) in lens.iter().enumerate() {
                let source = if t < len { len - 1 - t } else { t };
                flip.push(source * columns + column as i64);
            }
        }
        let flip = Tensor::from_slice(&flip).to_device(device);
        BlockLayout { main, right, blocks, batch: columns / blocks, flip, truncation: None }
    }

    /// Reverses each column's valid steps; its own inverse.
    fn reversed(&self, z: &Tensor) -> Tensor {
        let size = z.size();
        z.reshape([size[0] * size[1], size[2]]).index_select(0, &self.flip).view_(&size)
    }
}

/// One layer: a forward cell and, unless the direction is `Forward`, a backward cell.
#[derive(Debug)]
pub struct BidiLayer {
    forward: Cell,
    backward: Option<Cell>,
}

impl BidiLayer {
    /// Random weights, see [`Cell::new`].
    pub fn new(kind: CellKind, input: i64, hidden: i64, bidirectional: bool, options: (Kind, Device)) -> Self {
        let forward = Cell::new(kind, input, hidden, options);
        let backward = bidirectional.then(|| Cell::new(kind, input, hidden, options));
        BidiLayer { forward, backward }
    }

    /// The layer with other weights.
    pub(crate) fn with_weights(&self, change: &dyn Fn(&Tensor) -> Tensor) -> Self {
        let backward = self.backward.as_ref().map(|cell| cell.with_weights(change));
        BidiLayer { forward: self.forward.with_weights(change), backward }
    }

    /// The cells with the names they have in the weights file.
    pub fn cells(&self) -> impl Iterator<Item = (&'static str, &Cell)> {
        std::iter::once(("forward", &self.forward)).chain(self.backward.as_ref().map(|cell| ("backward", cell)))
    }

    /// State of the forward cell at a session's start.
    pub fn zero_state(&self, batch: i64) -> CellState {
        self.forward.zero_state(batch)
    }

    /// Runs a batch of blocks; the forward cell goes on from block to block.
    ///
    /// Shapes: `z [C + R, K * B, I] -> [C + R, K * B, H or 2 H]`, and the forward state after the last block's main part.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub(crate) fn run(
        &self,
        z: &Tensor,
        layout: &BlockLayout,
        state: &CellState,
        train: bool,
    ) -> Result<(Tensor, CellState)> {
        let (forward, state) = self.run_forward(z, layout, state, train)?;
        let Some(cell) = &self.backward else {
            return Ok((forward, state));
        };
        let (z, zeros) = (layout.reversed(z), cell.zero_state(z.size()[1]));
        let (reversed, _) = match layout.truncation {
            // A block's backward run is short by itself.
            Some(every) if layout.blocks == 1 => cell.run_truncated(&z, &zeros, every)?,
            _ => cell.run(&z, &zeros, train)?,
        };
        Ok((Tensor::cat(&[forward, layout.reversed(&reversed)], 2), state))
    }

    /// The main parts one block after another, then the look-ahead of all blocks at once from the states in between.
    fn run_forward(
        &self,
        z: &Tensor,
        layout: &BlockLayout,
        state: &CellState,
        train: bool,
    ) -> Result<(Tensor, CellState)> {
        let main = z.narrow(0, 0, layout.main);
        let mut outputs = Vec::with_capacity(layout.blocks as usize);
        let mut states: Vec<CellState> = Vec::with_capacity(layout.blocks as usize);
        for block in 0..layout.blocks {
            let x = main.narrow(1, block * layout.batch, layout.batch);
            let state = states.last().unwrap_or(state);
            let (y, next) = match layout.truncation {
                Some(every) if layout.blocks == 1 => self.forward.run_truncated(&x, state, every)?,
                Some(every) if block * layout.main % every == 0 => {
                    self.forward.run(&x, &state.map(Tensor::detach), train)?
                }
                _ => self.forward.run(&x, state, train)?,
            };
            outputs.push(y);
            states.push(next);
        }
        let output = Tensor::cat(&outputs, 1);
        let ends = CellState::cat(&states.iter().collect::<Vec<_>>());
        let last = ends.map(|h| h.narrow(0, (layout.blocks - 1) * layout.batch, layout.batch));
        if layout.right == 0 {
            return Ok((output, last));
        }
        let (ahead, _) = self.forward.run(&z.narrow(0, layout.main, layout.right), &ends, train)?;
        Ok((Tensor::cat(&[output, ahead], 0), last))
    }
}
