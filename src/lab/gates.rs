//! What the gates let through while a network listens.
//!
//! Layer 8. Source: Karpathy, Johnson & Fei-Fei 2016, "Visualizing and understanding recurrent networks", arXiv
//! 1506.02078, section 4.2, looks at gates of single units; here it is their mean over a layer.

use crate::error::Result;
use crate::model_dir::Direction;
use crate::nn::{Encoder, hidden};
use tch::{Kind, Tensor};

/// One cell's gates.
#[derive(Debug, Clone, PartialEq)]
pub struct CellGates {
    /// Layer, from the input upward.
    pub layer: usize,
    /// `forward` or `backward`.
    pub direction: &'static str,
    /// Name of each gate and its mean over units, step by step, from 0 (shut) to 1 (open).
    pub gates: Vec<(&'static str, Vec<f64>)>,
}

/// A network listening.
#[derive(Debug)]
pub struct Listening {
    /// Both cells of every layer.
    pub cells: Vec<CellGates>,
    /// Log-probs `[T', V]`.
    pub log_probs: Tensor,
}

/// Runs `encoder` on features `x [T, D]`, in blocks as `direction` says, and looks at its gates.
///
/// # Errors
/// When the features do not fit the model.
pub fn gates(encoder: &Encoder, x: &Tensor, direction: Direction) -> Result<Listening> {
    tch::no_grad(|| {
        let unrolled = encoder.unroll(x, direction, None)?;
        let mut cells = Vec::new();
        for (layer, bidi) in encoder.layers().iter().enumerate() {
            let inputs = Tensor::cat(&unrolled.inputs[layer], 0);
            for (name, cell) in bidi.cells() {
                let zero = cell.zero_state(1);
                let before: Vec<&Tensor> = if name == "forward" {
                    let states = unrolled.states[layer].iter().map(hidden);
                    std::iter::once(hidden(&zero)).chain(states).take(unrolled.states[layer].len()).collect()
                } else {
                    unrolled.from_right[layer].iter().collect()
                };
                let means = |gate: Tensor| Vec::<f64>::try_from(gate.mean_dim(-1, false, Kind::Double));
                let mut gates = Vec::new();
                for (gate, values) in cell.gates(&inputs, &Tensor::cat(&before, 0)) {
                    gates.push((gate, means(values)?));
                }
                cells.push(CellGates { layer, direction: name, gates });
            }
        }
        Ok(Listening { cells, log_probs: unrolled.log_probs })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::gradients::tests::{directions, encoder, features};
    use crate::model_dir::CellKind;
    use crate::nn::CellState;

    /// `h' = o tanh(c')`, `c' = f c + i g`; `h' = (1 - z) n + z h`; `h' = tanh(..)` with slope `1 - h'^2`: the states that
    /// LibTorch's fused kernels gave lie where the gates say.
    #[test]
    fn the_gates_are_those_that_made_the_states() {
        for (trained, direction) in directions() {
            let x = features(17);
            for cell in [CellKind::Rnn, CellKind::Lstm, CellKind::Gru] {
                let encoder = encoder(cell, trained.clone());
                let unrolled = encoder.unroll(&x, direction, None).expect("run");
                let (_, cell_of) = encoder.layers()[1].cells().next().expect("a cell");
                let at = |step: usize| (&unrolled.inputs[1][step], hidden(&unrolled.states[1][step - 1]));
                for step in [1, 4, 7] {
                    let (x, h) = at(step);
                    let gates = cell_of.gates(x, h);
                    let gate = |name: &str| &gates.iter().find(|(known, _)| *known == name).expect("gate").1;
                    let after = &unrolled.states[1][step];
                    let error = match (cell, after, &unrolled.states[1][step - 1]) {
                        (CellKind::Rnn, _, _) => gate("slope") + hidden(after).square() - 1.0,
                        (CellKind::Lstm, CellState::HiddenCell { h, c }, CellState::HiddenCell { c: before, .. }) => {
                            // What the input gate lets in is between -i and i.
                            let inward = (c - gate("forget") * before) / gate("input");
                            assert!(inward.abs().max().double_value(&[]) <= 1.0 + 1e-12);
                            gate("output") * c.tanh() - h
                        }
                        (_, after, before) => {
                            // Between the old state and a candidate within -1 and 1.
                            let z = gate("update");
                            let open: Tensor = 1.0 - z;
                            let candidate = (hidden(after) - z * hidden(before)) / open;
                            assert!(candidate.abs().max().double_value(&[]) <= 1.0 + 1e-12);
                            Tensor::zeros([1], (Kind::Double, tch::Device::Cpu))
                        }
                    };
                    assert!(error.abs().max().double_value(&[]) < 1e-12, "{cell:?} {direction:?} step {step}");
                }
            }
        }
    }

    #[test]
    fn every_cell_has_its_means_step_by_step() {
        for (trained, direction) in directions() {
            let encoder = encoder(CellKind::Lstm, trained);
            let listening = gates(&encoder, &features(17), direction).expect("gates");
            let cells = if direction == Direction::Forward { 2 } else { 4 };
            assert_eq!((listening.cells.len(), listening.log_probs.size()[0]), (cells, 9));
            for cell in &listening.cells {
                let names: Vec<&str> = cell.gates.iter().map(|(name, _)| *name).collect();
                assert_eq!(names, ["input", "forget", "output"]);
                for (_, means) in &cell.gates {
                    assert!(means.len() == 9 && means.iter().all(|mean| (0.0..=1.0).contains(mean)));
                }
                // Forget bias 1 and small weights: open to two thirds and more at first.
                assert!(cell.gates[1].1[0] > 0.6, "{cell:?}");
            }
        }
    }
}
