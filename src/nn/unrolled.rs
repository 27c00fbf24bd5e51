//! The network step by step, every state a tensor of its own: for looking at it, not for speed.
//!
//! Layer 5. One row, the whole utterance: the backward cell of a bidirectional layer runs from the last step to the
//! first, without blocks.

use super::cell::{Cell, CellState};
use super::encoder::Encoder;
use crate::error::{Error, Result};
use tch::{Kind, Tensor};

/// A run of the network in which nothing is forgotten.
#[derive(Debug)]
pub struct Unrolled {
    /// The forward cell's state after every step, layer by layer: `[1, H]` each.
    pub states: Vec<Vec<CellState>>,
    /// What every layer took in, `[1, I]` a step.
    pub inputs: Vec<Vec<Tensor>>,
    /// Log-probs `[T', V]`.
    pub log_probs: Tensor,
}

impl Encoder {
    /// Runs `x [T, D]` step by step. `nudge` adds to the forward cell's `h` of a layer after a step, for finite
    /// differences: layer, step, and the addend `[1, H]`.
    ///
    /// # Errors
    /// When the input is empty or does not fit the model.
    pub fn unroll(&self, x: &Tensor, nudge: Option<(usize, usize, &Tensor)>) -> Result<Unrolled> {
        let size = x.size();
        if size.len() != 2 || size[0] == 0 || size[1] != self.config().input_dim as i64 {
            let dim = self.config().input_dim;
            return Err(Error::Shape(format!("input {size:?}: must be [T, {dim}] with at least one frame")));
        }
        let stacked = self.stacked_steps(x);
        let mut inputs: Vec<Tensor> = (0..stacked.size()[0]).map(|step| stacked.narrow(0, step, 1)).collect();
        let (mut states, mut taken) = (Vec::new(), Vec::new());
        for (index, layer) in self.layers().iter().enumerate() {
            let mut cells = layer.cells().map(|(_, cell)| cell);
            let forward = cells.next().ok_or_else(|| Error::Shape("a layer without cells".to_string()))?;
            let here = nudge.filter(|(layer, ..)| *layer == index).map(|(_, step, addend)| (step, addend));
            let forward_states = run(forward, inputs.iter(), here)?;
            let mut outputs: Vec<Tensor> = forward_states.iter().map(|state| hidden(state).shallow_clone()).collect();
            if let Some(backward) = cells.next() {
                let mut backward_states = run(backward, inputs.iter().rev(), None)?;
                backward_states.reverse();
                for (output, state) in outputs.iter_mut().zip(&backward_states) {
                    *output = Tensor::cat(&[&*output, hidden(state)], 1);
                }
            }
            states.push(forward_states);
            taken.push(std::mem::replace(&mut inputs, outputs));
        }
        let log_probs = self.project_infer(&Tensor::cat(&inputs, 0));
        Ok(Unrolled { states, inputs: taken, log_probs })
    }
}

/// The cell's hidden state.
pub fn hidden(state: &CellState) -> &Tensor {
    match state {
        CellState::Hidden { h } | CellState::HiddenCell { h, .. } => h,
    }
}

fn run<'a>(
    cell: &Cell,
    inputs: impl Iterator<Item = &'a Tensor>,
    nudge: Option<(usize, &Tensor)>,
) -> Result<Vec<CellState>> {
    let mut states: Vec<CellState> = Vec::new();
    for (step, x) in inputs.enumerate() {
        let (_, mut next) = match states.last() {
            Some(state) => cell.run(&x.unsqueeze(0), state, true)?,
            None => cell.run(&x.unsqueeze(0), &cell.zero_state(1), true)?,
        };
        if let Some((_, addend)) = nudge.filter(|(at, _)| *at == step) {
            match &mut next {
                CellState::Hidden { h } | CellState::HiddenCell { h, .. } => *h = &*h + addend,
            }
        }
        states.push(next);
    }
    Ok(states)
}

/// Largest absolute eigenvalue of the Jacobian of a step: how the state after it, `h` and for an LSTM `c`, follows from
/// the state before.
///
/// # Errors
/// When LibTorch fails.
pub fn spectral_radius(cell: &Cell, x: &Tensor, before: &CellState) -> Result<f64> {
    let parts: Vec<Tensor> = before.tensors().iter().map(|part| part.detach()).collect();
    let width = parts[0].size()[1];
    let total = width * parts.len() as i64;
    // A row an output: the gradient of the sum of the diagonal is the whole Jacobian at once.
    let rows: Vec<Tensor> = parts.iter().map(|part| part.repeat([total, 1]).set_requires_grad(true)).collect();
    let state = match before {
        CellState::Hidden { .. } => CellState::Hidden { h: rows[0].shallow_clone() },
        CellState::HiddenCell { .. } => {
            CellState::HiddenCell { h: rows[0].shallow_clone(), c: rows[1].shallow_clone() }
        }
    };
    let (_, after) = cell.run(&x.detach().repeat([total, 1]).unsqueeze(0), &state, true)?;
    let outputs = Tensor::cat(&after.tensors(), 1);
    let gradients = Tensor::f_run_backward(&[outputs.diagonal(0, 0, 1).sum(outputs.kind())], &rows, false, false)?;
    let jacobian = Tensor::cat(&gradients, 1).to_kind(Kind::Double);
    Ok(jacobian.f_linalg_eigvals()?.abs().max().double_value(&[]))
}
