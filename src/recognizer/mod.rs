//! Drives encoder, decoder and endpointer for sessions: features in, events out.
//!
//! Layer 6. Batch, live, evaluation and the dev error rate of a training all come through here.

mod blocks;
mod classify;
mod decoder;
mod endpoint;
mod segmenter;
mod session;
mod source;
mod stacked;
mod words;

pub use crate::transcript::{Alternative, Event, Segment, Transcript, Word};
pub use classify::Classification;
pub use decoder::{BeamOptions, DecoderConfig};
pub use endpoint::{EndpointConfig, EndpointRule, Endpointer};
pub use session::Session;

use crate::ctc::HotWord;
use crate::error::{Error, Result};
use crate::frontend::{FrontEnd, FrontEndConfig};
use crate::model_dir::{Direction, Head, ModelConfig, ModelDir};
use crate::nn::{BlockLen, Encoder, weights};
use crate::stage::Frames;
use crate::text::TokenTable;
use blocks::BlockGrid;
pub(crate) use segmenter::{Segmenter, SegmenterState};
use session::Snapshot;
use sha2::{Digest, Sha256};
pub(crate) use stacked::{Block, Listener, StackedNetwork};
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// What a run chooses (the weights do not depend on it).
#[derive(Debug, Clone, Default)]
pub struct RecognizerConfig {
    /// Algorithmic latency wanted, in ms; see [`ModelConfig::direction_for`].
    pub latency_ms: Option<f64>,
    /// When a segment ends.
    pub endpoint: EndpointConfig,
    /// How words are searched.
    pub decoder: DecoderConfig,
    /// So many hypotheses are told with every final segment, the likeliest included; 0 tells none.
    pub nbest: usize,
    /// For text that is read while it is spoken: beam search makes words final sooner, by the model's
    /// [`crate::ctc::CommitConfig`] or its default, at the price of some more errors.
    pub live: bool,
}

/// A loaded model: shared behaviour, every method `&self`. A [`Session`] is one stream's data.
pub struct Recognizer {
    model: ModelDir,
    encoder: Encoder,
    direction: Direction,
    /// Whether text is read while it is spoken.
    live: bool,
    segmenter: Segmenter,
    fingerprint: String,
}

/// What a session would tell if it ended here.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// The current segment, and what follows it.
    pub segments: Vec<Segment>,
    /// Whether the first of them ends by a rule or by hand, not by the session's end.
    pub by_rule: bool,
}

impl Recognizer {
    /// Loads the weights.
    ///
    /// # Errors
    /// When the weights do not fit the model's description, the latency is not one that they were trained for, or a
    /// language model, settings or calibration cannot be read.
    pub fn load(model: ModelDir, device: Device, config: RecognizerConfig) -> Result<Self> {
        let encoder = Encoder::new(&model.config.encoder, 0, Kind::Float, device)?;
        weights::load(&encoder, &model.weights_path())?;
        Self::with_encoder(model, encoder, config)
    }

    /// From an encoder in memory, as training has it.
    ///
    /// # Errors
    /// When the latency is not one that the weights were trained for, or a language model cannot be read.
    pub fn with_encoder(model: ModelDir, encoder: Encoder, config: RecognizerConfig) -> Result<Self> {
        let direction = model.config.direction_for(config.latency_ms)?;
        let fingerprint = fingerprint(&model, &encoder, direction)?;
        let segmenter = Segmenter::new(&model, &config)?;
        Ok(Recognizer { model, encoder, direction, live: config.live, segmenter, fingerprint })
    }

    /// The model's facts.
    pub fn model(&self) -> &ModelConfig {
        &self.model.config
    }

    /// The tokens.
    pub fn tokens(&self) -> &TokenTable {
        &self.model.tokens
    }

    /// Time from one output frame to the next.
    pub fn output_frame(&self) -> Duration {
        self.segmenter.output_frame()
    }

    /// Whether recordings are heard as a whole, not in blocks.
    pub fn needs_whole_recordings(&self) -> bool {
        self.direction == Direction::Full || self.model.config.encoder.head == Head::Classify
    }

    /// The direction that sessions run in.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The model's front end for a source's rate, CMVN included.
    ///
    /// # Errors
    /// When the rate cannot be converted.
    pub fn front_end(&self, source_rate_hz: u32) -> Result<FrontEnd> {
        FrontEnd::new(&self.model.config.front_end, source_rate_hz, Some(&self.model.cmvn))
    }

    /// A new stream.
    ///
    /// # Errors
    /// When LibTorch fails (out of memory, say).
    pub fn session(&self) -> Result<Session> {
        self.session_of(self.segmenter.state())
    }

    /// A new stream with hot words of its own, in place of those that the recognizer was made with.
    ///
    /// # Errors
    /// Names the phrase that cannot be spelled; all of them with greedy decoding.
    pub fn session_with_hot_words(&self, hot_words: &[HotWord]) -> Result<Session> {
        self.session_of(self.segmenter.state_with(hot_words)?)
    }

    fn session_of(&self, text: SegmenterState) -> Result<Session> {
        if self.model.config.encoder.head == Head::Classify {
            return Err(Error::model(&self.model.path, "gives classes of whole recordings: use `eddy classify`"));
        }
        let state = tch::no_grad(|| self.encoder.initial_state(1));
        let grid = BlockGrid::new(self.direction, self.model.config.encoder.stacking);
        Ok(Session { pending: Frames::new(self.model.config.encoder.input_dim), grid, state, text })
    }

    /// The blocks in which recordings are heard.
    fn recordings_grid(&self) -> BlockGrid {
        let of = if self.live { BlockGrid::new } else { BlockGrid::of_recordings };
        of(self.direction, self.model.config.encoder.stacking)
    }

    /// Takes feature frames `[T, D]`, any number, and appends what became known to `events`.
    ///
    /// Events come block by block of the model's grid, so they do not depend on how the input was cut.
    ///
    /// # Errors
    /// When the frames have another dimension or do not follow the last ones.
    pub fn push(&self, session: &mut Session, features: &Frames, events: &mut Vec<Event>) -> Result<()> {
        self.push_observed(session, features, events, &mut |_| {})
    }

    /// As [`Recognizer::push`]; `observe` sees every block's log-probs `[T', V]` in the encoder's own kind, first to last.
    ///
    /// # Errors
    /// As [`Recognizer::push`].
    pub fn push_observed(
        &self,
        session: &mut Session,
        features: &Frames,
        events: &mut Vec<Event>,
        observe: &mut dyn FnMut(&Tensor),
    ) -> Result<()> {
        if features.dim != session.pending.dim || (!features.is_empty() && features.first_frame != session.frames()) {
            return Err(Error::Shape(format!(
                "features of {} values from frame {}: must be {} from frame {}",
                features.dim,
                features.first_frame,
                session.pending.dim,
                session.frames()
            )));
        }
        session.pending.data.extend_from_slice(&features.data);
        let mut used = 0;
        for (start, len) in session.grid.due(session.pending.len(), false) {
            self.run_block(session, start, len, events, observe)?;
            used = start + len.main;
        }
        discard(&mut session.pending, used);
        Ok(())
    }

    /// Ends the segment by hand after all features taken so far. The final comes when the block grid gets there, and
    /// nothing but the segment ends.
    pub fn end_segment_here(&self, session: &mut Session) {
        session.text.end_before(session.frames().div_ceil(self.model.config.encoder.stacking as u64));
    }

    /// Ends a session: the last blocks run with whatever look-ahead there is. By value: nothing can follow.
    ///
    /// # Errors
    /// When LibTorch fails (out of memory, say).
    pub fn finish(&self, session: Session, events: &mut Vec<Event>) -> Result<()> {
        self.finish_observed(session, events, &mut |_| {})
    }

    /// As [`Recognizer::finish`]; `observe` sees every block's log-probs `[T', V]` in the encoder's own kind.
    ///
    /// # Errors
    /// As [`Recognizer::finish`].
    pub fn finish_observed(
        &self,
        mut session: Session,
        events: &mut Vec<Event>,
        observe: &mut dyn FnMut(&Tensor),
    ) -> Result<()> {
        self.flush(&mut session, events, observe)?;
        let heard = heard(&self.model.config.front_end, &session.pending);
        self.segmenter.end_segment(&mut session.text, heard, events);
        Ok(())
    }

    /// The last blocks of a session that ends, with whatever look-ahead there is.
    fn flush(&self, session: &mut Session, events: &mut Vec<Event>, observe: &mut dyn FnMut(&Tensor)) -> Result<()> {
        for (start, len) in session.grid.due(session.pending.len(), true) {
            self.run_block(session, start, len, events, observe)?;
        }
        Ok(())
    }

    /// What `session`, which goes on undisturbed, would tell if it ended after `tail`: text up to the last sample, whatever
    /// the block grid.
    ///
    /// # Errors
    /// As [`Recognizer::push`].
    pub(crate) fn look_ahead(&self, session: &Session, tail: &Frames) -> Result<Ahead> {
        let (mut fork, mut events) = (session.fork(), Vec::new());
        self.push(&mut fork, tail, &mut events)?;
        self.flush(&mut fork, &mut events, &mut |_| {})?;
        let by_rule = events.iter().any(|event| matches!(event, Event::Final(_)));
        let heard = heard(&self.model.config.front_end, &fork.pending);
        self.segmenter.end_segment(&mut fork.text, heard, &mut events);
        Ok(Ahead { segments: events.into_iter().filter_map(Event::into_final).collect(), by_rule })
    }

    /// What the current segment of `session` would be if it ended where its blocks have got to.
    pub(crate) fn segment_so_far(&self, session: &Session) -> Option<Segment> {
        let (mut text, mut events) = (session.text.clone(), Vec::new());
        self.segmenter.end_segment(&mut text, heard(&self.model.config.front_end, &session.pending), &mut events);
        events.into_iter().find_map(Event::into_final)
    }

    /// Everything that `session` needs to go on later or elsewhere with the same model.
    ///
    /// # Errors
    /// When the state cannot be read from its device.
    pub fn snapshot(&self, session: &Session) -> Result<Vec<u8>> {
        let snapshot = Snapshot::take(session, &self.fingerprint)?;
        serde_json::to_vec(&snapshot).map_err(|error| Error::Shape(format!("snapshot: {error}")))
    }

    /// The session of a snapshot; it goes on as the original would have.
    ///
    /// # Errors
    /// When the snapshot is damaged or was taken with another model or latency.
    pub fn restore(&self, snapshot: &[u8]) -> Result<Session> {
        let snapshot: Snapshot = serde_json::from_slice(snapshot)
            .map_err(|error| Error::Shape(format!("not a snapshot of a session: {error}")))?;
        snapshot.restore(self.session()?, &self.fingerprint)
    }

    /// One block of pending frames from `start` on through encoder, decoder and endpointer.
    fn run_block(
        &self,
        session: &mut Session,
        start: usize,
        len: BlockLen,
        events: &mut Vec<Event>,
        observe: &mut dyn FnMut(&Tensor),
    ) -> Result<()> {
        let dim = session.pending.dim;
        let values = &session.pending.data[start * dim..(start + len.main + len.right) * dim];
        let (kind, device) = self.encoder.options();
        let (log_probs, state) = tch::no_grad(|| {
            let x = Tensor::from_slice(values).view([1, -1, dim as i64]).to_kind(kind).to_device(device);
            self.encoder.forward_block(&x, &[len], &session.state, self.direction)
        })?;
        session.state = state;
        let log_probs = log_probs.squeeze_dim(0);
        observe(&log_probs);
        let mut block = Frames::new(self.model.config.encoder.vocabulary);
        append_log_probs(&log_probs, &mut block)?;
        let heard = heard(&self.model.config.front_end, &session.pending);
        self.segmenter.push(&mut session.text, &block.data, heard, events)
    }

    pub(crate) fn segmenter(&self) -> &Segmenter {
        &self.segmenter
    }
}

/// Audio that the frames taken so far stand for, those that wait for their block included.
fn heard(front_end: &FrontEndConfig, pending: &Frames) -> Duration {
    let frames = pending.first_frame + pending.len() as u64;
    Duration::from_secs_f64(front_end.frame_shift_ms / 1000.0).mul_f64(frames as f64)
}

/// Appends a block's log-probs `[T', V]`, of any kind and on any device.
///
/// # Errors
/// When LibTorch fails.
pub(crate) fn append_log_probs(block: &Tensor, frames: &mut Frames) -> Result<()> {
    let block = block.to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    let start = frames.data.len();
    frames.data.resize(start + block.numel(), 0.0);
    block.f_copy_data(&mut frames.data[start..], block.numel()).map_err(Error::from)
}

/// What a snapshot must agree with: the model's description, its tokens, the direction, and the output layer's weights,
/// which every training changes.
fn fingerprint(model: &ModelDir, encoder: &Encoder, direction: Direction) -> Result<String> {
    let facts = serde_json::to_string(&model.config).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(format!("{facts} {direction:?} {:?}", model.tokens));
    for (_, tensor) in encoder.parameters().iter().filter(|(name, _)| name.starts_with("output.")) {
        let tensor = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double).contiguous();
        let mut values = vec![0.0f64; tensor.numel()];
        tensor.f_copy_data(&mut values, tensor.numel())?;
        values.iter().for_each(|value| hash.update(value.to_le_bytes()));
    }
    Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

/// Forgets the first `count` frames; keeps the memory.
fn discard(frames: &mut Frames, count: usize) {
    let values = count * frames.dim;
    frames.data.copy_within(values.., 0);
    frames.data.truncate(frames.data.len() - values);
    frames.first_frame += count as u64;
}
