//! The network against an independent NumPy implementation, the block-parallel form against the block loop, batch mates,
//! CTC loss against brute force, and weights files that do not fit.
#![cfg(feature = "torch")]

use eddy::nn::{BlockLen, Encoder, Mode, ctc_loss, min_input_len, weights};
use eddy::{CellKind, Direction, DirectionConfig, EncoderConfig, Grid, Head};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

const CELLS: [CellKind; 3] = [CellKind::Rnn, CellKind::Lstm, CellKind::Gru];

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn size(value: &Value) -> usize {
    value.as_u64().expect("a size") as usize
}

fn directions(case: &Value) -> (DirectionConfig, Direction) {
    let grid = Grid { chunk: size(&case["chunk_frames"]), look_ahead: size(&case["look_ahead_frames"]) };
    match case["direction"].as_str().expect("a direction") {
        "forward" => (DirectionConfig::Forward, Direction::Forward),
        "full" => (DirectionConfig::Full, Direction::Full),
        _ => (DirectionConfig::LatencyControlled(vec![grid]), Direction::LatencyControlled(grid)),
    }
}

fn worst(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    if a.numel() == 0 { 0.0 } else { (a - b).abs().max().double_value(&[]) }
}

/// Nothing before the last cut has a gradient, and all after it has.
#[test]
fn truncated_back_propagation_reaches_the_last_cut_and_no_further() {
    let grid = Grid { chunk: 6, look_ahead: 4 };
    for cell in CELLS {
        for (trained, direction) in [
            (DirectionConfig::Forward, Direction::Forward),
            (DirectionConfig::LatencyControlled(vec![grid]), Direction::LatencyControlled(grid)),
            (DirectionConfig::Full, Direction::Full),
        ] {
            let config = EncoderConfig {
                input_dim: 3,
                stacking: 2,
                cell,
                layers: 2,
                hidden: 5,
                direction: trained,
                vocabulary: 4,
                head: Head::Ctc,
            };
            let encoder = Encoder::new(&config, 1, Kind::Double, Device::Cpu).expect("encoder");
            let values: Vec<f64> = (0..30 * 3).map(|i| f64::from((i * 7919) % 97) / 50.0 - 1.0).collect();
            for (bptt_frames, first) in [(0, 0), (12, 24), (30, 0)] {
                let x = Tensor::from_slice(&values).view([1, 30, 3]).set_requires_grad(true);
                let mode = Mode::Train { dropout: 0.0, seed: 0, bptt_frames };
                let (log_probs, _) = encoder.forward(&x, &[30], direction, mode).expect("forward");
                log_probs.get(-1).max().backward();
                let by_frame =
                    Vec::<f64>::try_from(x.grad().abs().sum_dim_intlist([0i64, 2].as_slice(), false, Kind::Double));
                let reached = by_frame.expect("norms").iter().position(|&norm| norm > 0.0);
                assert_eq!(reached, Some(first), "{cell:?} {direction:?}, {bptt_frames} frames");
            }
        }
    }
}

#[test]
fn values_and_gradients_equal_numpy() {
    let golden: Value = serde_json::from_str(include_str!("golden/network.json")).expect("golden file");
    let shape = &golden["shape"];
    for case in golden["cases"].as_array().expect("cases") {
        let (direction_config, direction) = directions(case);
        let config = EncoderConfig {
            input_dim: size(&shape["input_dim"]),
            stacking: size(&shape["stacking"]),
            cell: serde_json::from_value(case["cell"].clone()).expect("a cell"),
            layers: size(&shape["layers"]),
            hidden: size(&shape["hidden"]),
            direction: direction_config,
            vocabulary: size(&shape["vocabulary"]),
            head: Head::Ctc,
        };
        let encoder = Encoder::new(&config, 1, Kind::Double, Device::Cpu).expect("encoder");
        let tensor = |v: &Value| {
            let shape: Vec<i64> = numbers(&v["shape"]).iter().map(|&x| x as i64).collect();
            Tensor::from_slice(&numbers(&v["values"])).view(shape.as_slice())
        };
        tch::no_grad(|| {
            for (name, parameter) in encoder.parameters() {
                let mut parameter = parameter;
                parameter.copy_(&tensor(&case["weights"][&name]));
            }
        });
        let frames = numbers(&case["frames"]);
        let length = (frames.len() / config.input_dim) as i64;
        let x = Tensor::from_slice(&frames).view([1, length, -1]);
        let (log_probs, lengths) = encoder
            .forward(&x, &[length], direction, Mode::Train { dropout: 0.0, seed: 0, bptt_frames: 0 })
            .expect("forward");
        let label = format!("{:?} {direction:?}", config.cell);
        let wanted = Tensor::from_slice(&numbers(&case["log_probs"])).view([lengths[0], 1, -1]);
        assert!(worst(&log_probs, &wanted) < 1e-9, "{label}: log-probs");
        let mix = Tensor::from_slice(&numbers(&case["mix"])).view_as(&wanted);
        (log_probs * mix).sum(Kind::Double).backward();
        for (name, parameter) in encoder.parameters() {
            let error = worst(&parameter.grad(), &tensor(&case["gradients"][&name]));
            assert!(error < 1e-9, "{label}: gradient of {name} is off by {error}");
        }
    }
}

fn small(cell: CellKind, direction: DirectionConfig) -> EncoderConfig {
    EncoderConfig { input_dim: 3, stacking: 2, cell, layers: 2, hidden: 5, direction, vocabulary: 4, head: Head::Ctc }
}

/// The plain loop over blocks that a session runs.
fn block_loop(encoder: &Encoder, x: &Tensor, direction: Direction) -> Tensor {
    let total = x.size()[1] as usize;
    let (chunk, look_ahead) = match direction {
        Direction::LatencyControlled(grid) => (grid.chunk, grid.look_ahead),
        Direction::Forward => (2, 0),
        Direction::Full => (total, 0),
    };
    let mut state = encoder.initial_state(1);
    let mut parts = Vec::new();
    let mut start = 0;
    while start < total {
        let main = chunk.min(total - start);
        let right = look_ahead.min(total - start - main);
        let block = x.narrow(1, start as i64, (main + right) as i64);
        let (y, next) =
            encoder.forward_block(&block, &[BlockLen { main, right }], &state, direction).expect("forward_block");
        parts.push(y);
        state = next;
        start += main;
    }
    Tensor::cat(&parts, 1).squeeze_dim(0)
}

#[test]
fn block_parallel_form_equals_the_block_loop_for_every_remainder() {
    for cell in CELLS {
        for (chunk, look_ahead) in [(6, 4), (4, 6), (2, 0), (8, 2)] {
            let grid = Grid { chunk, look_ahead };
            let config = small(cell, DirectionConfig::LatencyControlled(vec![grid]));
            let encoder = Encoder::new(&config, 7, Kind::Double, Device::Cpu).expect("encoder");
            // Rows of every length at once: each must come out as if it were alone.
            let lengths: Vec<i64> = (1..=25).collect();
            let x = Tensor::randn([25, 25, 3], (Kind::Double, Device::Cpu));
            let direction = Direction::LatencyControlled(grid);
            let (batch, steps) = encoder.forward(&x, &lengths, direction, Mode::Infer).expect("forward");
            for (row, &length) in lengths.iter().enumerate() {
                let alone = block_loop(&encoder, &x.narrow(0, row as i64, 1).narrow(1, 0, length), direction);
                let mine = batch.select(1, row as i64).narrow(0, 0, steps[row]);
                let error = worst(&alone, &mine);
                assert!(error < 1e-9, "{cell:?} {grid:?} T = {length}: off by {error}");
            }
        }
    }
}

#[test]
fn forward_and_full_directions_equal_their_block_loops() {
    for cell in CELLS {
        for (direction_config, direction) in
            [(DirectionConfig::Forward, Direction::Forward), (DirectionConfig::Full, Direction::Full)]
        {
            let encoder = Encoder::new(&small(cell, direction_config), 8, Kind::Double, Device::Cpu).expect("encoder");
            let x = Tensor::randn([3, 9, 3], (Kind::Double, Device::Cpu));
            let lengths = [9i64, 4, 7];
            let (batch, steps) = encoder.forward(&x, &lengths, direction, Mode::Infer).expect("forward");
            for (row, &length) in lengths.iter().enumerate() {
                let alone = block_loop(&encoder, &x.narrow(0, row as i64, 1).narrow(1, 0, length), direction);
                assert!(worst(&alone, &batch.select(1, row as i64).narrow(0, 0, steps[row])) < 1e-9);
            }
        }
    }
}

#[test]
fn sessions_stacked_into_one_step_equal_sessions_alone() {
    let grid = Grid { chunk: 4, look_ahead: 2 };
    let direction = Direction::LatencyControlled(grid);
    for cell in CELLS {
        let config = small(cell, DirectionConfig::LatencyControlled(vec![grid]));
        let encoder = Encoder::new(&config, 9, Kind::Double, Device::Cpu).expect("encoder");
        let x = Tensor::randn([3, 6, 3], (Kind::Double, Device::Cpu));
        let lens = [BlockLen { main: 4, right: 2 }, BlockLen { main: 4, right: 1 }, BlockLen { main: 3, right: 0 }];
        let zero = || encoder.initial_state(1);
        let stacked = Encoder::stack_states(&[&zero(), &zero(), &zero()]);
        let (y, state) = encoder.forward_block(&x, &lens, &stacked, direction).expect("forward_block");
        let states = Encoder::split_states(&state);
        for (row, len) in lens.iter().enumerate() {
            let block = x.narrow(0, row as i64, 1).narrow(1, 0, (len.main + len.right) as i64);
            let (alone, after) = encoder.forward_block(&block, &[*len], &zero(), direction).expect("forward_block");
            let mine = y.narrow(0, row as i64, 1).narrow(1, 0, len.main.div_ceil(2) as i64);
            assert!(worst(&alone, &mine) < 1e-9, "{cell:?} row {row}");
            if len.main == grid.chunk {
                for (a, b) in after.layers.iter().zip(&states[row].layers) {
                    assert!(a.tensors().iter().zip(b.tensors()).all(|(a, b)| worst(a, b) < 1e-9));
                }
            }
        }
    }
}

#[test]
fn a_block_that_does_not_fit_is_an_error() {
    let grid = Grid { chunk: 4, look_ahead: 2 };
    let config = small(CellKind::Lstm, DirectionConfig::LatencyControlled(vec![grid]));
    let encoder = Encoder::new(&config, 9, Kind::Float, Device::Cpu).expect("encoder");
    let x = Tensor::zeros([1, 6, 3], (Kind::Float, Device::Cpu));
    let state = encoder.initial_state(1);
    let direction = Direction::LatencyControlled(grid);
    for len in [BlockLen { main: 5, right: 0 }, BlockLen { main: 3, right: 1 }, BlockLen { main: 4, right: 3 }] {
        assert!(encoder.forward_block(&x, &[len], &state, direction).is_err(), "{len:?}");
    }
    assert!(encoder.forward_block(&x, &[BlockLen { main: 4, right: 2 }], &state, Direction::Forward).is_err());
    assert!(encoder.forward(&x, &[7], direction, Mode::Infer).is_err());
}

/// Negative log of the summed probability of every alignment of `labels`, by enumeration.
fn brute_force(log_probs: &[Vec<f64>], labels: &[i64]) -> f64 {
    let (frames, vocabulary) = (log_probs.len(), log_probs[0].len());
    let mut total = 0.0;
    for code in 0..vocabulary.pow(frames as u32) {
        let path: Vec<usize> = (0..frames).map(|t| code / vocabulary.pow(t as u32) % vocabulary).collect();
        let mut collapsed = path.clone();
        collapsed.dedup();
        let tokens: Vec<i64> = collapsed.iter().filter(|&&k| k != 0).map(|&k| k as i64).collect();
        if tokens == labels {
            total += path.iter().enumerate().map(|(t, &k)| log_probs[t][k]).sum::<f64>().exp();
        }
    }
    -total.ln()
}

fn log_softmax(logits: &[f64], vocabulary: usize) -> Vec<Vec<f64>> {
    let row = |row: &[f64]| {
        let log_sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        row.iter().map(|x| x - log_sum).collect()
    };
    logits.chunks(vocabulary).map(row).collect()
}

#[test]
fn ctc_loss_and_its_gradient_equal_brute_force() {
    let (frames, vocabulary) = (5, 3);
    let options = (Kind::Double, Device::Cpu);
    tch::manual_seed(3);
    for labels in [vec![], vec![1], vec![1, 2], vec![1, 1], vec![2, 2, 1], vec![1, 2, 1, 2, 1]] {
        let logits = Tensor::randn([frames, 1, vocabulary], options).set_requires_grad(true);
        let values = Vec::<f64>::try_from(logits.detach().view([-1])).expect("values");
        let loss =
            ctc_loss(&logits.log_softmax(-1, None::<Kind>), &[frames], std::slice::from_ref(&labels)).expect("loss");
        let wanted = brute_force(&log_softmax(&values, vocabulary as usize), &labels);
        assert!((loss.double_value(&[0]) - wanted).abs() < 1e-9, "{labels:?}");
        loss.sum(Kind::Double).backward();
        let gradient = Vec::<f64>::try_from(logits.grad().view([-1])).expect("gradient");
        for (index, &mine) in gradient.iter().enumerate() {
            let at = |delta: f64| {
                let mut moved = values.clone();
                moved[index] += delta;
                brute_force(&log_softmax(&moved, vocabulary as usize), &labels)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - mine).abs() < 1e-7, "{labels:?} logit {index}: {mine} against {slope}");
        }
    }
}

#[test]
fn ctc_loss_refuses_what_would_be_infinite() {
    assert_eq!(min_input_len(&[]), 0);
    assert_eq!(min_input_len(&[1, 2]), 2);
    assert_eq!(min_input_len(&[1, 1, 1, 2]), 6);
    let log_probs = Tensor::randn([2, 1, 3], (Kind::Float, Device::Cpu)).log_softmax(-1, None::<Kind>);
    assert!(ctc_loss(&log_probs, &[2], &[vec![1, 2]]).is_ok());
    for (length, labels) in [(2, vec![1, 1]), (1, vec![1, 2]), (3, vec![1]), (2, vec![0]), (2, vec![3])] {
        assert!(ctc_loss(&log_probs, &[length], std::slice::from_ref(&labels)).is_err(), "{length} {labels:?}");
    }
}

#[test]
fn batch_mates_do_not_change_the_loss() {
    let config = small(CellKind::Lstm, DirectionConfig::LatencyControlled(vec![Grid { chunk: 6, look_ahead: 4 }]));
    let encoder = Encoder::new(&config, 4, Kind::Double, Device::Cpu).expect("encoder");
    let direction = Direction::LatencyControlled(Grid { chunk: 6, look_ahead: 4 });
    let x = Tensor::randn([2, 31, 3], (Kind::Double, Device::Cpu));
    let lengths = [31i64, 13];
    let labels = [vec![1, 2, 3], vec![2, 2]];
    let loss = |rows: &[usize]| {
        let index = Tensor::from_slice(&rows.iter().map(|&row| row as i64).collect::<Vec<_>>());
        let own: Vec<i64> = rows.iter().map(|&row| lengths[row]).collect();
        let x = x.index_select(0, &index).narrow(1, 0, own.iter().copied().max().expect("rows"));
        let (log_probs, steps) = encoder.forward(&x, &own, direction, Mode::Infer).expect("forward");
        let own: Vec<_> = rows.iter().map(|&row| labels[row].clone()).collect();
        Vec::<f64>::try_from(ctc_loss(&log_probs, &steps, &own).expect("loss")).expect("values")
    };
    let together = loss(&[0, 1]);
    assert!((together[0] - loss(&[0])[0]).abs() < 1e-9);
    assert!((together[1] - loss(&[1])[0]).abs() < 1e-9);
}

#[test]
fn weights_survive_a_round_trip_and_mismatches_are_named() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("model.safetensors");
    let config = small(CellKind::Gru, DirectionConfig::Full);
    let encoder = |config: &EncoderConfig, seed| Encoder::new(config, seed, Kind::Float, Device::Cpu).expect("encoder");
    let one = encoder(&config, 1);
    weights::save(&one, &path, Kind::Float).expect("save");
    let two = encoder(&config, 2);
    weights::load(&two, &path).expect("load");
    for ((name, a), (_, b)) in one.parameters().iter().zip(two.parameters()) {
        assert!(a.equal(&b), "{name}");
    }
    let message = |config: &EncoderConfig| weights::load(&encoder(config, 3), &path).expect_err("mismatch").to_string();
    assert!(message(&EncoderConfig { hidden: 6, ..config.clone() }).contains("has shape"));
    assert!(message(&EncoderConfig { layers: 3, ..config.clone() }).contains("layers.2.backward.bias_hh is missing"));
    assert!(message(&EncoderConfig { layers: 1, ..config.clone() }).contains("is not part of the network"));
    let whole = std::fs::read(&path).expect("bytes");
    std::fs::write(&path, &whole[..whole.len() - 10]).expect("truncate");
    assert!(message(&config).contains("not a whole safetensors file"));
    std::fs::remove_file(&path).expect("remove");
    assert!(message(&config).contains("model.safetensors"));
}

#[test]
fn no_duplicate_and_no_forgotten_parameter() {
    let config = small(CellKind::Lstm, DirectionConfig::Full);
    let parameters = Encoder::new(&config, 1, Kind::Float, Device::Cpu).expect("encoder").parameters();
    let names: std::collections::BTreeSet<_> = parameters.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names.len(), parameters.len());
    // Per direction: 4H(I + H + 2); two layers (I = 6, then 10), two directions; and V(2H + 1).
    let wanted = 2 * 20 * (6 + 5 + 2) + 2 * 20 * (10 + 5 + 2) + 4 * 11;
    assert_eq!(parameters.iter().map(|(_, tensor)| tensor.numel()).sum::<usize>(), wanted);
}
