//! Frame stacking, layers, output projection, log-softmax.
//!
//! Layer 5. [`Encoder::forward_block`] is what a session runs; [`Encoder::forward`] runs the same computation on whole
//! utterances, all blocks of a layer at once. Both cut the input into blocks and hand them to `run_blocks`.

use super::bidi::{BidiLayer, BlockLayout};
use super::cell::CellState;
use crate::error::{Error, Result};
use crate::model_dir::{Direction, DirectionConfig, EncoderConfig, Head};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

/// Whether dropout applies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// No dropout, no gradient.
    Infer,
    /// What the gradient needs is kept. Dropout with this probability on the input of every layer above the first and of the projection.
    Train {
        /// Probability of a zero, in `0.0..1.0`, to the next 1/256.
        dropout: f64,
        /// Seed of the draws: the same seed drops the same units.
        seed: u64,
        /// Input frames that the gradient goes back through time at most; 0 is all of them. A multiple of the stacking
        /// and, where the direction has one, of the chunk.
        bptt_frames: usize,
    },
}

/// Lengths of one row of a block, in input frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLen {
    /// Frames that leave (at most Nc; fewer only in an utterance's last block, which then has no look-ahead).
    pub main: usize,
    /// Frames of look-ahead there are (at most Nr).
    pub right: usize,
}

/// All that crosses a block: the forward state of every layer.
#[derive(Debug)]
pub struct EncoderState {
    /// One a layer, from the input upward.
    pub layers: Vec<CellState>,
}

impl EncoderState {
    /// A deep copy, detached from any gradient.
    pub fn fork(&self) -> Self {
        EncoderState { layers: self.layers.iter().map(|layer| layer.map(|h| h.detach().copy())).collect() }
    }
}

/// What a run over whole utterances gives.
#[derive(Debug)]
pub struct Outputs {
    /// `[T', B, V]` by the head `ctc`, `[B, V]` by `classify`.
    pub log_probs: Tensor,
    /// Valid steps of each row.
    pub steps: Vec<i64>,
    /// Forward states after the batch's last step.
    pub state: EncoderState,
}

/// The network: stacked frames, recurrent layers, projection to tokens, log-softmax.
#[derive(Debug)]
pub struct Encoder {
    config: EncoderConfig,
    layers: Vec<BidiLayer>,
    /// `[V, H or 2 H]`.
    output_weight: Tensor,
    /// `[V]`.
    output_bias: Tensor,
    options: (Kind, Device),
}

impl Encoder {
    /// New random weights from `seed`: orthogonal recurrent weights, forget bias 1, Glorot-uniform elsewhere.
    ///
    /// LibTorch has one generator for the process, which is seeded here: threads that make encoders at the same moment
    /// disturb each other's draws.
    ///
    /// # Errors
    /// When LibTorch cannot make them (an absent device, say).
    pub fn new(config: &EncoderConfig, seed: u64, kind: Kind, device: Device) -> Result<Self> {
        tch::manual_seed(seed as i64);
        let options = (kind, device);
        let hidden = config.hidden as i64;
        let bidirectional = config.direction != DirectionConfig::Forward;
        let width = if bidirectional { 2 * hidden } else { hidden };
        let first = (config.input_dim * config.stacking) as i64;
        let inputs = std::iter::once(first).chain(std::iter::repeat(width)).take(config.layers);
        let layers = inputs.map(|input| BidiLayer::new(config.cell, input, hidden, bidirectional, options)).collect();
        let vocabulary = config.vocabulary as i64;
        let bound = (6.0 / (width + vocabulary) as f64).sqrt();
        let output_weight = Tensor::f_rand([vocabulary, width], (Kind::Double, Device::Cpu))? * (2.0 * bound) - bound;
        let output_weight = output_weight.f_to_kind(kind)?.f_to_device(device)?.detach().set_requires_grad(true);
        let output_bias = Tensor::f_zeros([vocabulary], options)?.set_requires_grad(true);
        Ok(Encoder { config: config.clone(), layers, output_weight, output_bias, options })
    }

    /// The same network computing in another kind: its weights are casts of these, and their gradients flow back here.
    ///
    /// For a training step in bfloat16 with float32 master weights.
    pub fn cast(&self, kind: Kind) -> Self {
        self.with_weights((kind, self.options.1), &|weight| weight.to_kind(kind))
    }

    /// The same network on the same memory, with gradients of its own: for a thread of its own.
    pub fn replica(&self) -> Self {
        self.with_weights(self.options, &|weight| weight.detach().set_requires_grad(true))
    }

    fn with_weights(&self, options: (Kind, Device), change: &dyn Fn(&Tensor) -> Tensor) -> Self {
        Encoder {
            config: self.config.clone(),
            layers: self.layers.iter().map(|layer| layer.with_weights(change)).collect(),
            output_weight: change(&self.output_weight),
            output_bias: change(&self.output_bias),
            options,
        }
    }

    /// The network's shape.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Kind and device of the weights, which the input must have too.
    pub fn options(&self) -> (Kind, Device) {
        self.options
    }

    /// Name and tensor of every parameter, in a fixed order. The tensors are the encoder's own (shallow clones), leaves
    /// that require gradients.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            for (direction, cell) in layer.cells() {
                all.extend(
                    cell.parameters()
                        .map(|(name, tensor)| (format!("layers.{index}.{direction}.{name}"), tensor.shallow_clone())),
                );
            }
        }
        all.push(("output.weight".to_string(), self.output_weight.shallow_clone()));
        all.push(("output.bias".to_string(), self.output_bias.shallow_clone()));
        all
    }

    /// The layers, from the input upward.
    pub fn layers(&self) -> &[BidiLayer] {
        &self.layers
    }

    /// `x [T, D]` -> `[ceil(T / S), S * D]`; the last step repeats the last frame.
    pub(super) fn stacked_steps(&self, x: &Tensor) -> Tensor {
        let frames = x.size()[0];
        self.stack(&x.unsqueeze(0), &[frames], ceil_div(frames, self.config.stacking as i64)).squeeze_dim(1)
    }

    /// `[T', H or 2 H]` -> log-probs `[T', V]`.
    pub(super) fn project_infer(&self, y: &Tensor) -> Tensor {
        self.project(y, Mode::Infer)
    }

    /// State at a session's start for `batch` rows.
    pub fn initial_state(&self, batch: i64) -> EncoderState {
        EncoderState { layers: self.layers.iter().map(|layer| layer.zero_state(batch)).collect() }
    }

    /// One block of one or more sessions.
    ///
    /// Shapes: `x [B, Nc + right, D] -> [B, ceil(main / S), V]` log-probs (of the longest row), and the state after the
    /// main part. Rows shorter than the longest are padded at the end with anything.
    ///
    /// # Errors
    /// When the lengths do not fit the input, the direction or the model.
    pub fn forward_block(
        &self,
        x: &Tensor,
        lens: &[BlockLen],
        state: &EncoderState,
        direction: Direction,
    ) -> Result<(Tensor, EncoderState)> {
        self.check_input(x, lens.len(), direction)?;
        let frames = x.size()[1];
        let longest = lens.iter().map(|len| len.main).max().unwrap_or(0);
        let chunk = match direction {
            Direction::LatencyControlled(grid) => grid.chunk,
            _ => longest,
        };
        for len in lens {
            if len.main + len.right > frames as usize || len.main > chunk || (len.right > 0 && len.main < chunk) {
                return Err(Error::Shape(format!(
                    "a block of {} + {} frames does not fit an input of {frames} frames with chunks of {chunk}",
                    len.main, len.right
                )));
            }
        }
        let stacking = self.config.stacking;
        let main = longest.div_ceil(stacking) as i64;
        let right = lens.iter().map(|len| len.right.div_ceil(stacking)).max().unwrap_or(0) as i64;
        let totals: Vec<i64> = lens.iter().map(|len| (len.main + len.right) as i64).collect();
        let stacked = self.stack(x, &totals, main + right);
        let steps: Vec<i64> = totals.iter().map(|&total| ceil_div(total, stacking as i64)).collect();
        let layout = BlockLayout::new(main, right, 1, &steps, x.device());
        let (y, state) = self.run_blocks(&stacked, &layout, Some(state), Mode::Infer)?;
        Ok((self.project(&y, Mode::Infer).transpose(0, 1), state))
    }

    /// Whole utterances from a fresh state, padded at the end with anything: what training runs, and what a session that
    /// pushes the same frames gets.
    ///
    /// Shapes: `x [B, T, D]`, `lengths [B]` in input frames `-> [T', B, V]` log-probs (the layout of CTC) with
    /// `T' = ceil(max length / S)`, and each row's number of valid output frames.
    ///
    /// # Errors
    /// When the lengths do not fit the input, or the direction the model.
    pub fn forward(&self, x: &Tensor, lengths: &[i64], direction: Direction, mode: Mode) -> Result<(Tensor, Vec<i64>)> {
        let (y, steps, _) = self.hidden(x, lengths, direction, mode)?;
        Ok((self.project(&y, mode), steps))
    }

    /// [`Encoder::forward`] or [`Encoder::classify`], by the model's head, and the states at the end.
    ///
    /// # Errors
    /// As they have.
    pub fn run(&self, x: &Tensor, lengths: &[i64], direction: Direction, mode: Mode) -> Result<Outputs> {
        let (y, steps, state) = self.hidden(x, lengths, direction, mode)?;
        let log_probs = match self.config.head {
            Head::Ctc => self.project(&y, mode),
            Head::Classify => self.project(&self.final_state(&y, &steps, direction)?, mode).squeeze_dim(0),
        };
        Ok(Outputs { log_probs, steps, state })
    }

    /// One of the classes for each whole utterance, from the top layer's final state: what its forward cell ends with, and
    /// its backward cell, which ends at the first step.
    ///
    /// Shapes: `x [B, T, D]`, `lengths [B]` in input frames, at least 1 `-> [B, V]` log-probs.
    ///
    /// # Errors
    /// When the lengths do not fit the input, or the direction the model or a class.
    pub fn classify(&self, x: &Tensor, lengths: &[i64], direction: Direction, mode: Mode) -> Result<Tensor> {
        let (y, steps, _) = self.hidden(x, lengths, direction, mode)?;
        Ok(self.project(&self.final_state(&y, &steps, direction)?, mode).squeeze_dim(0))
    }

    /// `[T', B, H or 2 H] -> [1, B, H or 2 H]`: what each cell ends with.
    fn final_state(&self, y: &Tensor, steps: &[i64], direction: Direction) -> Result<Tensor> {
        if steps.contains(&0) || matches!(direction, Direction::LatencyControlled(_)) {
            return Err(Error::Shape(format!("a class needs whole utterances of at least one frame ({direction:?})")));
        }
        let hidden = self.config.hidden as i64;
        let last: Vec<i64> = steps.iter().map(|step| step - 1).collect();
        let last = Tensor::from_slice(&last).to_device(y.device()).view([1, -1, 1]).expand([1, -1, hidden], false);
        let mut state = y.narrow(2, 0, hidden).gather(0, &last, false);
        if direction == Direction::Full {
            state = Tensor::cat(&[state, y.narrow(0, 0, 1).narrow(2, hidden, hidden)], 2);
        }
        Ok(state)
    }

    /// The top layer's outputs `[T', B, H or 2 H]`, each row's number of valid steps, and the states at the end.
    fn hidden(
        &self,
        x: &Tensor,
        lengths: &[i64],
        direction: Direction,
        mode: Mode,
    ) -> Result<(Tensor, Vec<i64>, EncoderState)> {
        self.check_input(x, lengths.len(), direction)?;
        let frames = x.size()[1];
        if let Some(length) = lengths.iter().find(|&&length| length < 0 || length > frames) {
            return Err(Error::Shape(format!("a length of {length} frames in an input of {frames} frames")));
        }
        let stacking = self.config.stacking as i64;
        let steps: Vec<i64> = lengths.iter().map(|&length| ceil_div(length, stacking)).collect();
        let total = steps.iter().copied().max().unwrap_or(0);
        if total == 0 {
            let empty = Tensor::zeros([0, lengths.len() as i64, self.output_weight.size()[1]], self.options);
            return Ok((empty, steps, self.initial_state(lengths.len() as i64)));
        }
        let (main, right) = match direction {
            Direction::LatencyControlled(grid) => (grid.chunk as i64 / stacking, grid.look_ahead as i64 / stacking),
            Direction::Forward | Direction::Full => (total, 0),
        };
        // A chunk that holds the longest row needs no padding to its full size and has nothing ahead of it.
        let (main, right) = (main.min(total), right.min((total - main).max(0)));
        let blocks = ceil_div(total, main);
        let lens: Vec<i64> = (0..blocks)
            .flat_map(|block| steps.iter().map(move |&step| (step - block * main).clamp(0, main + right)))
            .collect();
        let mut layout = BlockLayout::new(main, right, blocks, &lens, x.device());
        layout.truncation = match mode {
            Mode::Train { bptt_frames, .. } if bptt_frames > 0 => Some((bptt_frames as i64 / stacking).max(1)),
            _ => None,
        };
        let padded = self.stack(x, lengths, blocks * main + right);
        let width = padded.size()[2];
        let cut = padded.unfold(0, main + right, main).permute([3, 0, 1, 2]);
        let z = cut.reshape([main + right, blocks * layout.batch, width]);
        let (y, state) = self.run_blocks(&z, &layout, None, mode)?;
        let y = y.view([main, blocks, layout.batch, -1]).transpose(0, 1);
        Ok((y.reshape([blocks * main, layout.batch, -1]).narrow(0, 0, total), steps, state))
    }

    /// Many sessions, one batch: the rows of all `states`, one after another. Inverse: [`Encoder::split_states`].
    ///
    /// # Panics
    /// When there is no state, or the states come from different networks.
    pub fn stack_states(states: &[&EncoderState]) -> EncoderState {
        let layers = states[0].layers.len();
        let layer = |index: usize| CellState::cat(&states.iter().map(|state| &state.layers[index]).collect::<Vec<_>>());
        EncoderState { layers: (0..layers).map(layer).collect() }
    }

    /// One state a row, inverse of [`Encoder::stack_states`] for states of one row.
    pub fn split_states(state: &EncoderState) -> Vec<EncoderState> {
        let rows = state.layers.first().map_or(0, |layer| layer.tensors()[0].size()[0]);
        let row = |index: i64| state.layers.iter().map(|layer| layer.map(|h| h.narrow(0, index, 1).copy())).collect();
        (0..rows).map(|index| EncoderState { layers: row(index) }).collect()
    }

    pub(super) fn check_input(&self, x: &Tensor, rows: usize, direction: Direction) -> Result<()> {
        let size = x.size();
        let dim = self.config.input_dim as i64;
        if size.len() != 3 || size[0] != rows as i64 || size[2] != dim {
            return Err(Error::Shape(format!("input {size:?}: must be [{rows}, T, {dim}]")));
        }
        let bidirectional = self.config.direction != DirectionConfig::Forward;
        if bidirectional != (direction != Direction::Forward) {
            return Err(Error::Shape(format!("{direction:?} does not fit weights of {:?}", self.config.direction)));
        }
        if let Direction::LatencyControlled(grid) = direction {
            let stacking = self.config.stacking;
            if grid.chunk == 0 || !grid.chunk.is_multiple_of(stacking) || !grid.look_ahead.is_multiple_of(stacking) {
                return Err(Error::Shape(format!("{grid:?}: must be multiples of the stacking {stacking}, chunk > 0")));
            }
        }
        Ok(())
    }

    /// `x [B, T, D]` -> `[steps, B, S * D]`; frames past a row's length repeat its last one.
    fn stack(&self, x: &Tensor, lengths: &[i64], steps: i64) -> Tensor {
        let (rows, frames, dim) = (x.size()[0], x.size()[1], x.size()[2]);
        let stacking = self.config.stacking as i64;
        let mut index = Vec::with_capacity((steps * stacking * rows) as usize);
        for step in 0..steps {
            for (row, &length) in lengths.iter().enumerate() {
                let last = (length - 1).max(0);
                index.extend((step * stacking..(step + 1) * stacking).map(|t| row as i64 * frames + t.min(last)));
            }
        }
        let index = Tensor::from_slice(&index).to_device(x.device());
        x.reshape([rows * frames, dim]).index_select(0, &index).view([steps, rows, stacking * dim])
    }

    /// All layers; the main part of the top one, `[C, K * B, H or 2 H]`.
    fn run_blocks(
        &self,
        z: &Tensor,
        layout: &BlockLayout,
        state: Option<&EncoderState>,
        mode: Mode,
    ) -> Result<(Tensor, EncoderState)> {
        let fresh;
        let state = match state {
            Some(state) => state,
            None => {
                fresh = self.initial_state(layout.batch);
                &fresh
            }
        };
        let mut z = z.shallow_clone();
        let mut states = Vec::with_capacity(self.layers.len());
        for (index, (layer, state)) in self.layers.iter().zip(&state.layers).enumerate() {
            let x = if index == 0 { z } else { dropped_out(z, mode, index) };
            let (y, next) = layer.run(&x, layout, state, mode != Mode::Infer)?;
            z = y;
            states.push(next);
        }
        Ok((z.narrow(0, 0, layout.main), EncoderState { layers: states }))
    }

    /// `[T', B, H or 2 H]` -> log-probs `[T', B, V]`.
    fn project(&self, y: &Tensor, mode: Mode) -> Tensor {
        let y = dropped_out(y.shallow_clone(), mode, self.layers.len());
        let logits = y.linear(&self.output_weight, Some(&self.output_bias));
        // Sums over the vocabulary need more than bfloat16's eight bits.
        let kind = if self.options.0 == Kind::Double { Kind::Double } else { Kind::Float };
        logits.log_softmax(-1, kind)
    }
}

/// Dropout from a generator of our own: LibTorch's is one for the process, and threads would race for its draws.
fn dropped_out(x: Tensor, mode: Mode, place: usize) -> Tensor {
    let Mode::Train { dropout, seed, .. } = mode else {
        return x;
    };
    let dropped = (256.0 * dropout).round().min(255.0);
    if dropped == 0.0 {
        return x;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(place as u64);
    let mut draws = vec![0u8; x.numel()];
    rng.fill_bytes(&mut draws);
    let kept = Tensor::from_slice(&draws).view_(x.size()).to_device(x.device()).ge(dropped).to_kind(x.kind());
    x * (kept * (256.0 / (256.0 - dropped)))
}

fn ceil_div(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}
