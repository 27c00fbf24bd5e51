//! One direction of one layer over one block: Elman tanh, LSTM, GRU.
//!
//! Layer 5. The weights are owned here and handed to LibTorch's fused kernels one direction at a time, because a stacked
//! call cannot return the forward state at the end of a chunk. Layouts are LibTorch's: gates stacked along the rows of
//! `weight_ih [G*H, I]` and `weight_hh [G*H, H]`, in the order i f g o (LSTM) and r z n (GRU), with two biases.
//!
//! Sources: Elman 1990; Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; Cho et al. 2014. The GRU
//! is LibTorch's: `n = tanh(W_in x + b_in + r * (W_hn h + b_hn))`, the reset gate after the recurrent product, where Cho
//! et al. apply it to `h` before: `n = tanh(W_in x + W_hn (r * h))`. `h' = (1 - z) * n + z * h` is the same in both.

use crate::error::Result;
use crate::model_dir::CellKind;
use tch::{Device, Kind, Tensor};

/// State of a cell at one moment, `[B, H]` each.
#[derive(Debug)]
pub enum CellState {
    /// Elman and GRU.
    Hidden {
        /// Hidden state.
        h: Tensor,
    },
    /// LSTM.
    HiddenCell {
        /// Hidden state.
        h: Tensor,
        /// Cell state.
        c: Tensor,
    },
}

impl CellState {
    /// Zeros for `batch` rows.
    pub fn zeros(kind: CellKind, batch: i64, hidden: i64, options: (Kind, Device)) -> Self {
        let zeros = || Tensor::zeros([batch, hidden], options);
        match kind {
            CellKind::Rnn | CellKind::Gru => CellState::Hidden { h: zeros() },
            CellKind::Lstm => CellState::HiddenCell { h: zeros(), c: zeros() },
        }
    }

    /// The state's tensors: `h`, and `c` for an LSTM.
    pub fn tensors(&self) -> Vec<&Tensor> {
        match self {
            CellState::Hidden { h } => vec![h],
            CellState::HiddenCell { h, c } => vec![h, c],
        }
    }

    /// Applies `f` to each tensor.
    pub fn map(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
        match self {
            CellState::Hidden { h } => CellState::Hidden { h: f(h) },
            CellState::HiddenCell { h, c } => CellState::HiddenCell { h: f(h), c: f(c) },
        }
    }

    /// Rows of all `states`, one after another.
    ///
    /// # Panics
    /// When the states are not of one kind of cell.
    pub fn cat(states: &[&CellState]) -> Self {
        let part = |index: usize| Tensor::cat(&states.iter().map(|s| s.tensors()[index]).collect::<Vec<_>>(), 0);
        match states[0] {
            CellState::Hidden { .. } => CellState::Hidden { h: part(0) },
            CellState::HiddenCell { .. } => CellState::HiddenCell { h: part(0), c: part(1) },
        }
    }
}

/// One direction of one layer.
#[derive(Debug)]
pub struct Cell {
    kind: CellKind,
    hidden: i64,
    /// `weight_ih [G*H, I]`, `weight_hh [G*H, H]`, `bias_ih [G*H]`, `bias_hh [G*H]`.
    weights: [Tensor; 4],
}

/// Names of a cell's parameters, in the order of its weights.
pub(crate) const WEIGHT_NAMES: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

impl Cell {
    /// Random weights from LibTorch's generator: Glorot-uniform input weights, orthogonal recurrent weights a gate,
    /// zero biases but 1 for the LSTM's forget gate.
    pub fn new(kind: CellKind, input: i64, hidden: i64, options: (Kind, Device)) -> Self {
        let gates = kind.gates() as i64;
        let double = (Kind::Double, Device::Cpu);
        let bound = (6.0 / (input + hidden) as f64).sqrt();
        let weight_ih = Tensor::rand([gates * hidden, input], double) * (2.0 * bound) - bound;
        let orthogonal = || Tensor::linalg_qr(&Tensor::randn([hidden, hidden], double), "reduced").0;
        let weight_hh = Tensor::cat(&(0..gates).map(|_| orthogonal()).collect::<Vec<_>>(), 0);
        let bias_ih = Tensor::zeros([gates * hidden], double);
        if kind == CellKind::Lstm {
            let _ = bias_ih.narrow(0, hidden, hidden).fill_(1.0);
        }
        let bias_hh = Tensor::zeros([gates * hidden], double);
        let leaf = |tensor: Tensor| tensor.to_kind(options.0).to_device(options.1).detach().set_requires_grad(true);
        Cell { kind, hidden, weights: [weight_ih, weight_hh, bias_ih, bias_hh].map(leaf) }
    }

    /// The cell with other weights.
    pub(crate) fn with_weights(&self, change: &dyn Fn(&Tensor) -> Tensor) -> Self {
        Cell { kind: self.kind, hidden: self.hidden, weights: self.weights.each_ref().map(change) }
    }

    /// The parameters with their names, in a fixed order.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        WEIGHT_NAMES.into_iter().zip(&self.weights)
    }

    /// State at a session's start.
    pub fn zero_state(&self, batch: i64) -> CellState {
        let weight = &self.weights[0];
        CellState::zeros(self.kind, batch, self.hidden, (weight.kind(), weight.device()))
    }

    /// Runs all steps from `state`; `train` keeps what the gradient needs.
    ///
    /// Shapes: `x [T, B, I] -> [T, B, H]`, and the state after the last step.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn run(&self, x: &Tensor, state: &CellState, train: bool) -> Result<(Tensor, CellState)> {
        let w = &self.weights;
        Ok(match state {
            CellState::HiddenCell { h, c } => {
                let state = [h.unsqueeze(0), c.unsqueeze(0)];
                let (y, h, c) = x.f_lstm(&state, w, true, 1, 0.0, train, false, false)?;
                (y, CellState::HiddenCell { h: h.squeeze_dim(0), c: c.squeeze_dim(0) })
            }
            CellState::Hidden { h } => {
                let state = h.unsqueeze(0);
                let (y, h) = match self.kind {
                    CellKind::Gru => x.f_gru(&state, w, true, 1, 0.0, train, false, false)?,
                    _ => x.f_rnn_tanh(&state, w, true, 1, 0.0, train, false, false)?,
                };
                (y, CellState::Hidden { h: h.squeeze_dim(0) })
            }
        })
    }

    /// As [`Cell::run`] in training, but the gradient does not pass the multiples of `every` steps: truncated
    /// back-propagation through time. The values are the same.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub(super) fn run_truncated(&self, x: &Tensor, state: &CellState, every: i64) -> Result<(Tensor, CellState)> {
        let steps = x.size()[0];
        let (first, mut state) = self.run(&x.narrow(0, 0, every.min(steps)), state, true)?;
        let mut outputs = vec![first];
        for start in (every..steps).step_by(every as usize) {
            let part = x.narrow(0, start, every.min(steps - start));
            let (y, next) = self.run(&part, &state.map(Tensor::detach), true)?;
            outputs.push(y);
            state = next;
        }
        Ok((Tensor::cat(&outputs, 0), state))
    }

    /// What each gate lets through at given steps, with its name: i, f, o of an LSTM, r, z of a GRU, and for an Elman cell,
    /// which has none, the slope 1 - h'^2 of its tanh: what passes back through it.
    ///
    /// Shapes: `x [T, I]`, the hidden states before them `h [T, H] -> [T, H]` each.
    pub fn gates(&self, x: &Tensor, h: &Tensor) -> Vec<(&'static str, Tensor)> {
        let [weight_ih, weight_hh, bias_ih, bias_hh] = &self.weights;
        let sums = x.linear(weight_ih, Some(bias_ih)) + h.linear(weight_hh, Some(bias_hh));
        let gate = |index: i64| sums.narrow(1, index * self.hidden, self.hidden).sigmoid();
        match self.kind {
            CellKind::Rnn => vec![("slope", 1.0 - sums.tanh().square())],
            CellKind::Lstm => vec![("input", gate(0)), ("forget", gate(1)), ("output", gate(3))],
            CellKind::Gru => vec![("reset", gate(0)), ("update", gate(1))],
        }
    }
}
