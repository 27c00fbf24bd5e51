//! The network step by step, every state a tensor of its own: for looking at it, not for speed.
//!
//! Layer 5. One row, block by block as a session runs it: `Full` and `Forward` are one block as long as the utterance.

use super::cell::{Cell, CellState};
use super::encoder::Encoder;
use crate::error::{Error, Result};
use crate::model_dir::Direction;
use tch::{Kind, Tensor};

/// A run of the network in which nothing is forgotten.
#[derive(Debug)]
pub struct Unrolled {
    /// The forward cell's state after every step, layer by layer: `[1, H]` each.
    pub states: Vec<Vec<CellState>>,
    /// The backward cell's `h` before every step (that of the step to its right, or 0 at a block's end), layer by layer:
    /// `[1, H]` each; empty where there is no backward cell.
    pub from_right: Vec<Vec<Tensor>>,
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
    /// When the input is empty or does not fit the model, or the direction does not.
    pub fn unroll(&self, x: &Tensor, direction: Direction, nudge: Option<(usize, usize, &Tensor)>) -> Result<Unrolled> {
        let dim = self.config().input_dim;
        if x.size().len() != 2 || x.size()[0] == 0 {
            return Err(Error::Shape(format!("input {:?}: must be [T, {dim}] with at least one frame", x.size())));
        }
        self.check_input(&x.unsqueeze(0), 1, direction)?;
        let stacked = self.stacked_steps(x);
        let steps = stacked.size()[0] as usize;
        let stacking = self.config().stacking;
        let (main, right) = match direction {
            Direction::LatencyControlled(grid) => (grid.chunk / stacking, grid.look_ahead / stacking),
            Direction::Forward | Direction::Full => (steps, 0),
        };
        let layers = self.layers().len();
        let mut unrolled = Unrolled {
            states: (0..layers).map(|_| Vec::new()).collect(),
            from_right: (0..layers).map(|_| Vec::new()).collect(),
            inputs: (0..layers).map(|_| Vec::new()).collect(),
            log_probs: Tensor::new(),
        };
        let mut tops = Vec::new();
        for start in (0..steps).step_by(main) {
            let (kept, end) = (main.min(steps - start), (start + main + right).min(steps));
            let mut z: Vec<Tensor> = (start..end).map(|step| stacked.narrow(0, step as i64, 1)).collect();
            for (index, layer) in self.layers().iter().enumerate() {
                let mut cells = layer.cells().map(|(_, cell)| cell);
                let forward = cells.next().ok_or_else(|| Error::Shape("a layer without cells".to_string()))?;
                let here = nudge.filter(|(layer, step, _)| *layer == index && (start..start + kept).contains(step));
                let here = here.map(|(_, step, addend)| (step - start, addend));
                let mut states = run(forward, z.iter(), unrolled.states[index].last(), here)?;
                let mut outputs: Vec<Tensor> = states.iter().map(|state| hidden(state).shallow_clone()).collect();
                if let Some(backward) = cells.next() {
                    let mut leftward = run(backward, z.iter().rev(), None, None)?;
                    leftward.reverse();
                    for (output, state) in outputs.iter_mut().zip(&leftward) {
                        *output = Tensor::cat(&[&*output, hidden(state)], 1);
                    }
                    let zero = backward.zero_state(1);
                    let before = leftward.iter().skip(1).chain(std::iter::once(&zero)).take(kept);
                    unrolled.from_right[index].extend(before.map(|state| hidden(state).shallow_clone()));
                }
                unrolled.states[index].extend(states.drain(..kept));
                unrolled.inputs[index].extend(z.drain(..kept));
                z = outputs;
            }
            tops.extend(z.drain(..kept));
        }
        unrolled.log_probs = self.project_infer(&Tensor::cat(&tops, 0));
        Ok(unrolled)
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
    before: Option<&CellState>,
    nudge: Option<(usize, &Tensor)>,
) -> Result<Vec<CellState>> {
    let mut states: Vec<CellState> = Vec::new();
    for (step, x) in inputs.enumerate() {
        let (_, mut next) = match states.last().or(before) {
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
