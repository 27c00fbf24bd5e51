//! Many streams in one step of the network.
//!
//! Layer 6. A [`StackedNetwork`] is one thread's, and several share the weights; everything else of a stream, [`Listener`],
//! may be another's. A step always has the same number of rows: free ones are zeros.

use super::blocks::BlockGrid;
use super::{Recognizer, Segmenter, append_log_probs, heard};
use crate::audio::AudioSource;
use crate::error::Result;
use crate::frontend::{CmvnStats, FrontEnd, FrontEndConfig};
use crate::model_dir::Direction;
use crate::nn::{BlockLen, Encoder, EncoderState};
use crate::recognizer::{Event, Transcript};
use crate::stage::{Frames, Stage};
use std::time::Duration;
use tch::Tensor;

/// A block on its way to the network.
#[derive(Debug)]
pub(crate) struct Block {
    /// `[main + right, D]`.
    pub features: Vec<f32>,
    pub len: BlockLen,
}

/// What a stream needs beside the network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listener<'a> {
    front_end: &'a FrontEndConfig,
    cmvn: &'a CmvnStats,
    segmenter: &'a Segmenter,
    grid: BlockGrid,
}

impl Recognizer {
    /// What streams need beside the network.
    pub(crate) fn listener(&self) -> Listener<'_> {
        Listener {
            front_end: &self.model.config.front_end,
            cmvn: &self.model.cmvn,
            segmenter: &self.segmenter,
            grid: self.recordings_grid(),
        }
    }

    /// A network for a thread of its own, whose steps have `rows` rows; the weights are this one's.
    pub(crate) fn stacked_network(&self, rows: usize) -> StackedNetwork {
        StackedNetwork { encoder: self.encoder.replica(), direction: self.direction, rows }
    }
}

/// The network of many streams. Moving it to its thread is all that may be done with it elsewhere.
pub(crate) struct StackedNetwork {
    encoder: Encoder,
    direction: Direction,
    rows: usize,
}

impl StackedNetwork {
    /// One step: each stream's block from its state (none: it has heard nothing), at most as many as there are rows. Gives
    /// log-probs `[T', V]` and the state after each.
    pub fn step(&self, streams: &[(&Block, Option<&EncoderState>)]) -> Result<Vec<(Vec<f32>, EncoderState)>> {
        let config = self.encoder.config();
        let dim = config.input_dim;
        // As long as the longest block: those at the ends of recordings are short.
        let longest = |part: &dyn Fn(BlockLen) -> usize| streams.iter().map(|(block, _)| part(block.len)).max();
        let whole = BlockLen {
            main: longest(&|len| len.main).unwrap_or(config.stacking),
            right: longest(&|len| len.right).unwrap_or(0),
        };
        let (rows, frames) = (self.rows.max(streams.len()), whole.main + whole.right);
        let mut values = vec![0.0f32; rows * frames * dim];
        for (row, (block, _)) in values.chunks_exact_mut(frames * dim).zip(streams) {
            row[..block.features.len()].copy_from_slice(&block.features);
        }
        let lens = |row: usize| streams.get(row).map_or(whole, |(block, _)| block.len);
        let lens: Vec<BlockLen> = (0..rows).map(lens).collect();
        let (kind, device) = self.encoder.options();
        let (log_probs, state) = tch::no_grad(|| {
            let free = self.encoder.initial_state(1);
            let states: Vec<&EncoderState> =
                (0..rows).map(|row| streams.get(row).and_then(|(_, state)| *state).unwrap_or(&free)).collect();
            let x = Tensor::from_slice(&values).view([rows as i64, -1, dim as i64]).to_kind(kind).to_device(device);
            self.encoder.forward_block(&x, &lens, &Encoder::stack_states(&states), self.direction)
        })?;
        let steps = |len: BlockLen| len.main.div_ceil(config.stacking) as i64;
        let states = Encoder::split_states(&state);
        let mut results = Vec::with_capacity(streams.len());
        for ((row, (block, _)), state) in streams.iter().enumerate().zip(states) {
            let mut frames = Frames::new(config.vocabulary);
            append_log_probs(&log_probs.get(row as i64).narrow(0, 0, steps(block.len)), &mut frames)?;
            results.push((frames.data, state));
        }
        Ok(results)
    }
}

impl Listener<'_> {
    /// A whole source; `network` takes a block and gives its log-probs `[T', V]`.
    ///
    /// # Errors
    /// When the source cannot be read, and those of `network`.
    pub fn transcribe(
        &self,
        source: &mut dyn AudioSource,
        network: &mut dyn FnMut(Block) -> Result<Vec<f32>>,
    ) -> Result<Transcript> {
        let rate = source.sample_rate();
        let mut front_end = FrontEnd::new(self.front_end, rate, Some(self.cmvn))?;
        let mut stream =
            Stream { pending: Frames::new(front_end.dim()), text: self.segmenter.state(), events: Vec::new() };
        let mut samples = 0u64;
        while let Some(audio) = source.next_block()? {
            samples += audio.samples.len() as u64;
            front_end.push(&audio.samples, &mut stream.pending)?;
            self.run_due(&mut stream, false, network)?;
        }
        front_end.finish(&mut stream.pending)?;
        self.run_due(&mut stream, false, network)?;
        self.run_due(&mut stream, true, network)?;
        let heard = heard(self.front_end, &stream.pending);
        self.segmenter.end_segment(&mut stream.text, heard, &mut stream.events);
        Ok(Transcript {
            segments: stream.events.into_iter().filter_map(Event::into_final).collect(),
            duration: Duration::from_secs_f64(samples as f64 / f64::from(rate)),
        })
    }

    fn run_due(
        &self,
        stream: &mut Stream,
        ended: bool,
        network: &mut dyn FnMut(Block) -> Result<Vec<f32>>,
    ) -> Result<()> {
        let dim = stream.pending.dim;
        let mut used = 0;
        for (start, len) in self.grid.due(stream.pending.len(), ended) {
            let features = stream.pending.data[start * dim..(start + len.main + len.right) * dim].to_vec();
            let log_probs = network(Block { features, len })?;
            let heard = heard(self.front_end, &stream.pending);
            self.segmenter.push(&mut stream.text, &log_probs, heard, &mut stream.events)?;
            stream.events.retain(|event| !matches!(event, Event::Partial { .. }));
            used = start + len.main;
        }
        super::discard(&mut stream.pending, used);
        Ok(())
    }
}

/// One source on its way.
struct Stream {
    pending: Frames,
    text: super::SegmenterState,
    events: Vec<Event>,
}
