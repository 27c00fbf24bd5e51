//! The gradient's way back through time.
//!
//! Layer 8. Sources: Bengio, Simard & Frasconi 1994, "Learning long-term dependencies with gradient descent is
//! difficult"; Pascanu, Mikolov & Bengio 2013, arXiv 1211.5063, section 2.

use crate::error::{Error, Result};
use crate::model_dir::{CellKind, Direction};
use crate::nn::{CellState, Encoder, Unrolled, spectral_radius};
use tch::{Kind, Tensor};

/// Steps at most at which the Jacobian's spectral radius is taken.
const RADII: usize = 40;

/// One layer's forward cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerFlow {
    /// Norm of the gradient with respect to `h`, `k` steps before the loss: `[k - 1]` for `k` from 1 on.
    pub hidden: Vec<f64>,
    /// The same with respect to an LSTM's `c`; empty for other cells.
    pub cell: Vec<f64>,
    /// Step, and spectral radius of the Jacobian from the state before it to the state after it.
    pub radii: Vec<(usize, f64)>,
}

/// How the gradient of the loss at the last step reaches the steps before.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientFlow {
    /// From the input upward.
    pub layers: Vec<LayerFlow>,
    /// Steps of the network.
    pub steps: usize,
}

/// The flow through `encoder` on features `x [T, D]`, run in blocks as `direction` says; the loss is the cross-entropy of the last step's likeliest token.
///
/// # Errors
/// When there are less than two steps, or the features do not fit the model.
pub fn gradient_flow(encoder: &Encoder, x: &Tensor, direction: Direction) -> Result<GradientFlow> {
    let unrolled = encoder.unroll(x, direction, None)?;
    let steps = unrolled.states.first().map_or(0, Vec::len);
    if steps < 2 {
        return Err(Error::Shape(format!("{steps} steps of the network: must be at least 2")));
    }
    let earlier: Vec<&CellState> = unrolled.states.iter().flat_map(|layer| &layer[..steps - 1]).collect();
    let tensors: Vec<&Tensor> = earlier.iter().flat_map(|state| state.tensors()).collect();
    let gradients = Tensor::f_run_backward(&[loss(&unrolled)], &tensors, true, false)?;
    let mut norms = gradients.iter().map(|gradient| gradient.square().sum(Kind::Double).double_value(&[]).sqrt());
    let mut layers = Vec::new();
    for (index, states) in unrolled.states.iter().enumerate() {
        let mut flow = LayerFlow::default();
        for state in &states[..steps - 1] {
            flow.hidden.extend(norms.next());
            if matches!(state, CellState::HiddenCell { .. }) {
                flow.cell.extend(norms.next());
            }
        }
        flow.hidden.reverse();
        flow.cell.reverse();
        if let Some((_, cell)) = encoder.layers()[index].cells().next() {
            for step in (1..steps).step_by(steps.div_ceil(RADII)) {
                flow.radii.push((step, spectral_radius(cell, &unrolled.inputs[index][step], &states[step - 1])?));
            }
        }
        layers.push(flow);
    }
    Ok(GradientFlow { layers, steps })
}

/// Cross-entropy of the last step's likeliest token.
fn loss(unrolled: &Unrolled) -> Tensor {
    -unrolled.log_probs.select(0, -1).max()
}

/// Multiplies the recurrent weights, orthogonal in a new network, by `gain`.
pub fn scale_recurrence(encoder: &Encoder, gain: f64) {
    set(encoder, "weight_hh", |mut weight| {
        let _ = weight.g_mul_scalar_(gain);
    });
}

/// Sets the bias of every LSTM's forget gate, 1 in a new network; nothing to other cells.
pub fn set_forget_bias(encoder: &Encoder, bias: f64) {
    if encoder.config().cell == CellKind::Lstm {
        let units = encoder.config().hidden as i64;
        set(encoder, "bias_ih", |all| {
            // Gates come in the order input, forget, cell, output.
            let _ = all.narrow(0, units, units).fill_(bias);
        });
    }
}

fn set(encoder: &Encoder, name: &str, change: impl Fn(Tensor)) {
    let chosen = encoder.parameters().into_iter().filter(|(parameter, _)| parameter.ends_with(name));
    tch::no_grad(|| chosen.for_each(|(_, tensor)| change(tensor)));
}

/// A straight line through the logarithms of norms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedRate {
    /// The factor a step by which the norms grow (above 1) or fall.
    pub factor: f64,
    /// How much of their spread the line explains (R squared): near 1 they grow or fall exponentially.
    pub fit: f64,
}

/// The line through all norms above 0; `None` with less than two.
pub fn fitted_rate(norms: &[f64]) -> Option<FittedRate> {
    let points: Vec<(f64, f64)> =
        norms.iter().enumerate().filter(|(_, norm)| **norm > 0.0).map(|(k, norm)| (k as f64, norm.ln())).collect();
    let count = points.len() as f64;
    let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / count, points.iter().map(|p| p.1).sum::<f64>() / count);
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread;
    let (all, left) = points
        .iter()
        .fold((0.0, 0.0), |(all, left), p| (all + (p.1 - y).powi(2), left + (p.1 - y - slope * (p.0 - x)).powi(2)));
    let fit = if all > 0.0 { 1.0 - left / all } else { 1.0 };
    (points.len() > 1).then_some(FittedRate { factor: slope.exp(), fit })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model_dir::{DirectionConfig, EncoderConfig, Grid, Head};
    use crate::nn::{Mode, hidden};
    use std::sync::Mutex;
    use tch::Device;

    /// LibTorch's generator is one for the process: encoders are made in turns.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    pub fn encoder(cell: CellKind, direction: DirectionConfig) -> Encoder {
        let _turn = ONE_AT_A_TIME.lock();
        let head = Head::Ctc;
        let config =
            EncoderConfig { input_dim: 4, stacking: 2, cell, layers: 2, hidden: 6, direction, vocabulary: 5, head };
        Encoder::new(&config, 5, Kind::Double, Device::Cpu).expect("encoder")
    }

    pub fn features(frames: usize) -> Tensor {
        let value = |i: usize| ((i * 7919) % 97) as f64 / 50.0 - 1.0;
        Tensor::from_slice(&(0..frames * 4).map(value).collect::<Vec<_>>()).view([frames as i64, 4])
    }

    pub fn directions() -> [(DirectionConfig, Direction); 3] {
        // Blocks of three steps with two of look-ahead.
        let grid = Grid { chunk: 6, look_ahead: 4 };
        [
            (DirectionConfig::Forward, Direction::Forward),
            (DirectionConfig::LatencyControlled(vec![grid]), Direction::LatencyControlled(grid)),
            (DirectionConfig::Full, Direction::Full),
        ]
    }

    #[test]
    fn unrolled_in_blocks_is_what_the_encoder_gives() {
        for cell in [CellKind::Rnn, CellKind::Lstm, CellKind::Gru] {
            for (trained, direction) in directions() {
                let (encoder, x) = (encoder(cell, trained), features(17));
                let unrolled = encoder.unroll(&x, direction, None).expect("run");
                let (wanted, _) = encoder.forward(&x.unsqueeze(0), &[17], direction, Mode::Infer).expect("forward");
                let worst = (unrolled.log_probs - wanted.squeeze_dim(1)).abs().max().double_value(&[]);
                assert!(worst < 1e-12, "{cell:?} {direction:?}: {worst}");
            }
        }
    }

    #[test]
    fn gradients_equal_finite_differences() {
        for cell in [CellKind::Rnn, CellKind::Lstm, CellKind::Gru] {
            for (trained, direction) in directions() {
                let encoder = encoder(cell, trained);
                let x = features(15);
                let flow = gradient_flow(&encoder, &x, direction).expect("flow");
                assert_eq!((flow.steps, flow.layers.len(), flow.layers[0].hidden.len()), (8, 2, 7));
                for (layer, k) in [(0, 1), (0, 5), (1, 1), (1, 7)] {
                    let mut sum = 0.0;
                    for unit in 0..6 {
                        let at = |by: f64| {
                            let nudge = Tensor::zeros([1, 6], (Kind::Double, Device::Cpu));
                            let _ = nudge.get(0).get(unit).fill_(by);
                            let token = encoder
                                .unroll(&x, direction, None)
                                .expect("run")
                                .log_probs
                                .select(0, -1)
                                .argmax(0, false);
                            let run = encoder.unroll(&x, direction, Some((layer, 7 - k, &nudge))).expect("run");
                            -run.log_probs.select(0, -1).get(token.int64_value(&[])).double_value(&[])
                        };
                        sum += ((at(1e-5) - at(-1e-5)) / 2e-5).powi(2);
                    }
                    let (found, wanted) = (flow.layers[layer].hidden[k - 1], sum.sqrt());
                    assert!((found / wanted - 1.0).abs() < 1e-5, "{cell:?} layer {layer}, {k} back: {found} {wanted}");
                }
            }
        }
    }

    /// Without input an Elman cell rests at 0, where tanh takes nothing away: its gradient falls or grows exponentially, by
    /// the size of its orthogonal matrix a step. What comes back past an LSTM's matrix falls by its forget gate alone,
    /// `sigmoid(bias)`; the matrix, through the candidate, adds a quarter of its size at most (input and output gate are half
    /// open).
    #[test]
    fn elman_falls_and_grows_by_its_matrix_and_the_lstm_by_its_forget_gate() {
        let rate = |cell, gain, bias| {
            let encoder = encoder(cell, DirectionConfig::Forward);
            scale_recurrence(&encoder, gain);
            set_forget_bias(&encoder, bias);
            // Between equal tokens the loss would have no gradient.
            set(&encoder, "output.bias", |mut bias| bias.copy_(&Tensor::arange(5, (Kind::Double, Device::Cpu))));
            let silence = Tensor::zeros([200, 4], (Kind::Double, Device::Cpu));
            let flow = gradient_flow(&encoder, &silence, Direction::Forward).expect("flow");
            let top = flow.layers.last().expect("a layer");
            fitted_rate(if cell == CellKind::Lstm { &top.cell } else { &top.hidden }).expect("a rate").factor
        };
        for gain in [0.5, 0.9, 1.0, 1.1, 2.0] {
            let found = rate(CellKind::Rnn, gain, 0.0);
            assert!((found - gain).abs() < 1e-9, "Elman, gain {gain}: {found}");
        }
        for bias in [-1.0, 0.0, 1.0, 3.0, 6.0] {
            let gate = 1.0 / (1.0 + f64::exp(-bias));
            let found = rate(CellKind::Lstm, 0.0, bias);
            assert!((found - gate).abs() < 1e-9, "LSTM without a matrix, bias {bias}: {found} for {gate}");
            let found = rate(CellKind::Lstm, 1.0, bias);
            assert!((found - gate).abs() < 0.26, "LSTM, bias {bias}: {found} for {gate}");
            assert!(found > gate, "LSTM, bias {bias}: {found} for {gate}");
        }
    }

    /// The Elman cell's Jacobian is `diag(1 - h^2) W_hh`.
    #[test]
    fn the_radius_is_that_of_the_textbooks_jacobian() {
        let encoder = encoder(CellKind::Rnn, DirectionConfig::Forward);
        let unrolled = encoder.unroll(&features(12), Direction::Forward, None).expect("run");
        let (_, cell) = encoder.layers()[0].cells().next().expect("a cell");
        let weight = cell.parameters().find(|(name, _)| *name == "weight_hh").expect("weights").1;
        for step in 1..6 {
            let found =
                spectral_radius(cell, &unrolled.inputs[0][step], &unrolled.states[0][step - 1]).expect("radius");
            let slope: Tensor = 1.0 - hidden(&unrolled.states[0][step]).square();
            let jacobian = slope.squeeze_dim(0).unsqueeze(1) * weight;
            let wanted = jacobian.detach().linalg_eigvals().abs().max().double_value(&[]);
            assert!((found - wanted).abs() < 1e-10, "step {step}: {found} {wanted}");
        }
    }

    #[test]
    fn the_rate_of_a_geometric_series_is_its_factor() {
        let norms: Vec<f64> = (0..30).map(|k| 3.0 * 0.8f64.powi(k)).collect();
        let rate = fitted_rate(&norms).expect("a rate");
        assert!((rate.factor - 0.8).abs() < 1e-12 && (rate.fit - 1.0).abs() < 1e-12, "{rate:?}");
        let bent: Vec<f64> = (0..30).map(|k| if k < 15 { 0.5f64.powi(k) } else { 0.5f64.powi(30 - k) }).collect();
        assert!(fitted_rate(&bent).expect("a rate").fit < 0.1);
        assert_eq!(fitted_rate(&[1.0, 0.0]), None);
    }

    #[test]
    fn too_little_is_an_error() {
        let encoder = encoder(CellKind::Gru, DirectionConfig::Forward);
        assert!(gradient_flow(&encoder, &features(2), Direction::Forward).is_err());
        assert!(encoder.unroll(&features(0), Direction::Forward, None).is_err());
    }
}
