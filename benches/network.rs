//! FLOP rate of one training step (forward, CTC, backward): eddy's latency-controlled form against a plain
//! whole-utterance stacked bidirectional `Tensor::lstm` of the same size on the same batch, in interleaved rounds.
//!
//! The extra (Nc + Nr) / Nc work counts as work. Run: `cargo bench --bench network`; `EDDY_THREADS=1` sets the threads.

use eddy::nn::{Encoder, Mode, ctc_loss};
use eddy::{CellKind, Direction, DirectionConfig, EncoderConfig, Grid, Head};
use std::time::Instant;
use tch::{Device, Kind, Tensor};

const BATCH: i64 = 32;
const FRAMES: i64 = 300;
const ROUNDS: usize = 7;

/// One side of the comparison.
struct Contender {
    name: String,
    flops: f64,
    seconds: Vec<f64>,
    step: Box<dyn Fn() -> Tensor>,
}

/// Multiply-adds count two; forward once and backward twice the forward's work.
fn cell_flops(steps: i64, input: i64, hidden: i64) -> f64 {
    3.0 * (2 * 4 * hidden * (input + hidden) * steps * BATCH) as f64
}

/// Work of all layers when the forward cell runs `forward` steps and the backward cell `backward` steps a row.
fn network_flops(config: &EncoderConfig, forward: i64, backward: i64) -> f64 {
    let hidden = config.hidden as i64;
    let input = |layer: usize| if layer == 0 { (config.input_dim * config.stacking) as i64 } else { 2 * hidden };
    (0..config.layers)
        .map(|layer| cell_flops(forward, input(layer), hidden) + cell_flops(backward, input(layer), hidden))
        .sum()
}

fn labels() -> Vec<Vec<i64>> {
    (0..BATCH).map(|row| (0..20).map(|k| 1 + (row * 7 + k * 3) % 29).collect()).collect()
}

fn latency_controlled(config: &EncoderConfig, grid: Grid, x: &Tensor) -> Contender {
    let encoder = Encoder::new(config, 1, Kind::Float, Device::Cpu).expect("encoder");
    let stacking = config.stacking as i64;
    let (chunk, right) = (grid.chunk as i64 / stacking, grid.look_ahead as i64 / stacking);
    let steps = (FRAMES + stacking - 1) / stacking;
    let blocks = (steps + chunk - 1) / chunk;
    let x = x.shallow_clone();
    Contender {
        name: format!("latency-controlled, Nc {} Nr {}", grid.chunk, grid.look_ahead),
        flops: network_flops(config, blocks * (chunk + right), blocks * (chunk + right)),
        seconds: Vec::new(),
        step: Box::new(move || {
            let direction = Direction::LatencyControlled(grid);
            let mode = Mode::Train { dropout: 0.0, seed: 0, bptt_frames: 0 };
            let (y, lengths) = encoder.forward(&x, &[FRAMES; BATCH as usize], direction, mode).expect("forward");
            ctc_loss(&y, &lengths, &labels()).expect("loss").sum(Kind::Float)
        }),
    }
}

fn plain(config: &EncoderConfig, x: &Tensor) -> Contender {
    let hidden = config.hidden as i64;
    let options = (Kind::Float, Device::Cpu);
    let mut weights = Vec::new();
    for layer in 0..config.layers {
        let input = if layer == 0 { (config.input_dim * config.stacking) as i64 } else { 2 * hidden };
        for _direction in 0..2 {
            for shape in [vec![4 * hidden, input], vec![4 * hidden, hidden], vec![4 * hidden], vec![4 * hidden]] {
                weights.push((Tensor::randn(&shape, options) * 0.05).set_requires_grad(true));
            }
        }
    }
    let output = (Tensor::randn([config.vocabulary as i64, 2 * hidden], options) * 0.05).set_requires_grad(true);
    let steps = FRAMES / config.stacking as i64;
    let x = x.reshape([BATCH, steps, -1]);
    let layers = config.layers as i64;
    Contender {
        name: "plain stacked bidirectional lstm".to_string(),
        flops: network_flops(config, steps, steps),
        seconds: Vec::new(),
        step: Box::new(move || {
            let zero = Tensor::zeros([2 * layers, BATCH, hidden], options);
            let state = [zero.shallow_clone(), zero];
            let (y, _, _) = x.lstm(&state, &weights, true, layers, 0.0, true, true, true);
            let y = y.linear(&output, None::<&Tensor>).log_softmax(-1, None::<Kind>).transpose(0, 1);
            ctc_loss(&y, &[steps; BATCH as usize], &labels()).expect("loss").sum(Kind::Float)
        }),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() {
    let threads = std::env::var("EDDY_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    tch::set_num_threads(threads);
    let grids = [Grid { chunk: 48, look_ahead: 12 }, Grid { chunk: 48, look_ahead: 48 }];
    let config = EncoderConfig {
        input_dim: 40,
        stacking: 3,
        cell: CellKind::Lstm,
        layers: 4,
        hidden: 256,
        direction: DirectionConfig::LatencyControlled(grids.to_vec()),
        vocabulary: 30,
        head: Head::Ctc,
    };
    let x = Tensor::randn([BATCH, FRAMES, 40], (Kind::Float, Device::Cpu));
    let mut contenders = vec![plain(&config, &x)];
    contenders.extend(grids.map(|grid| latency_controlled(&config, grid, &x)));
    for round in 0..ROUNDS {
        for contender in &mut contenders {
            let start = Instant::now();
            (contender.step)().backward();
            if round > 0 {
                contender.seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    let rate = |contender: &Contender| contender.flops / median(&contender.seconds) / 1e9;
    let base = rate(&contenders[0]);
    println!("{BATCH} x {FRAMES} frames, {} layers of {}, {threads} threads", config.layers, config.hidden);
    for contender in &contenders {
        let audio = BATCH as f64 * FRAMES as f64 / 100.0;
        println!(
            "{:<38} {:7.1} GFLOP/s  {:6.0} x real time  ratio {:.2}",
            contender.name,
            rate(contender),
            audio / median(&contender.seconds),
            rate(contender) / base
        );
    }
}
