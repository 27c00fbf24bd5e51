//! Drives encoder, decoder and endpointer for sessions: features in, events out.
//!
//! Layer 6. Batch, live, evaluation and the dev error rate of a training all come through here.

mod decoder;
mod endpoint;
mod session;
mod source;
mod words;

pub use crate::transcript::{Alternative, Event, Segment, Transcript, Word};
pub use decoder::{BeamOptions, DecoderConfig};
pub use endpoint::{EndpointConfig, EndpointRule, Endpointer};
pub use session::Session;

use crate::ctc::{Emission, HotWord, Hypothesis};
use crate::error::{Error, Result};
use crate::frontend::FrontEnd;
use crate::model_dir::{Direction, ModelConfig, ModelDir};
use crate::nn::{BlockLen, Encoder, weights};
use crate::stage::Frames;
use decoder::Search;
use session::Snapshot;
use sha2::{Digest, Sha256};
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
}

/// A loaded model: shared behaviour, every method `&self`. A [`Session`] is one stream's data.
pub struct Recognizer {
    model: ModelDir,
    encoder: Encoder,
    direction: Direction,
    endpointer: Endpointer,
    search: Search,
    nbest: usize,
    /// Time from one output frame to the next.
    output_frame: Duration,
    fingerprint: String,
}

impl Recognizer {
    /// Loads the weights.
    ///
    /// # Errors
    /// When the weights do not fit the model's description, the latency is not one that they were trained for, or a
    /// language model cannot be read.
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
        let shift_ms = model.config.front_end.frame_shift_ms * model.config.encoder.stacking as f64;
        let output_frame = Duration::from_secs_f64(shift_ms / 1000.0);
        let fingerprint = fingerprint(&model, &encoder, direction)?;
        let endpointer = Endpointer::new(config.endpoint, output_frame);
        let search = Search::load(&model, &config.decoder)?;
        let nbest = config.nbest;
        Ok(Recognizer { model, encoder, direction, endpointer, search, nbest, output_frame, fingerprint })
    }

    /// The model's facts.
    pub fn model(&self) -> &ModelConfig {
        &self.model.config
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
        self.session_of(self.search.decoder())
    }

    /// A new stream with hot words of its own, in place of those that the recognizer was made with.
    ///
    /// # Errors
    /// Names the phrase that cannot be spelled; all of them with greedy decoding.
    pub fn session_with_hot_words(&self, hot_words: &[HotWord]) -> Result<Session> {
        self.session_of(self.search.decoder_with(hot_words)?)
    }

    fn session_of(&self, decoder: decoder::SessionDecoder) -> Result<Session> {
        let state = tch::no_grad(|| self.encoder.initial_state(1));
        Ok(Session {
            pending: Frames::new(self.model.config.encoder.input_dim),
            state,
            decoder,
            segment_frames: 0,
            last_final: Duration::ZERO,
            committed: Vec::new(),
            tentative: Vec::new(),
            manual_ends: Vec::new(),
        })
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
        let (chunk, right) = match self.direction {
            Direction::LatencyControlled(grid) => (grid.chunk, grid.look_ahead),
            Direction::Forward => (self.model.config.encoder.stacking, 0),
            Direction::Full => return Ok(()),
        };
        let mut start = 0;
        while session.pending.len() >= start + chunk + right {
            self.run_block(session, start, BlockLen { main: chunk, right }, events, observe)?;
            start += chunk;
        }
        discard(&mut session.pending, start);
        Ok(())
    }

    /// Ends the segment by hand after all features taken so far. The final comes when the block grid gets there, and
    /// nothing but the segment ends.
    pub fn end_segment_here(&self, session: &mut Session) {
        session.manual_ends.push(session.frames().div_ceil(self.model.config.encoder.stacking as u64));
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
        let total = session.pending.len();
        let (chunk, look_ahead) = match self.direction {
            Direction::LatencyControlled(grid) => (grid.chunk, grid.look_ahead),
            Direction::Forward => (self.model.config.encoder.stacking, 0),
            Direction::Full => (total, 0),
        };
        let mut start = 0;
        while start < total {
            let main = chunk.min(total - start);
            let right = look_ahead.min(total - start - main);
            self.run_block(&mut session, start, BlockLen { main, right }, events, observe)?;
            start += main;
        }
        self.end_segment(&mut session, events);
        Ok(())
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
        let log_probs = log_probs.to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
        let mut values = vec![0.0; log_probs.numel()];
        log_probs.f_copy_data(&mut values, log_probs.numel())?;
        self.decode(session, &values, events)
    }

    /// A block's log-probs `[T', V]`, frame by frame: tokens, endpoints, and one partial a block.
    fn decode(&self, session: &mut Session, log_probs: &[f32], events: &mut Vec<Event>) -> Result<()> {
        let mut row = Frames::new(self.model.config.encoder.vocabulary);
        for values in log_probs.chunks_exact(row.dim) {
            row.first_frame = session.decoder.frames();
            if session.manual_ends.first().is_some_and(|&end| end <= row.first_frame) {
                session.manual_ends.remove(0);
                self.end_segment(session, events);
            }
            row.data.clear();
            row.data.extend_from_slice(values);
            session.decoder.push(&row)?;
            session.segment_frames += 1;
            let blanks = session.decoder.trailing_blanks();
            let spoken = session.decoder.has_tokens();
            if self.endpointer.decide(session.segment_frames, blanks, spoken).is_some() {
                self.end_segment(session, events);
            }
        }
        self.tell_partial(session, events);
        Ok(())
    }

    /// One partial, where it differs from the last.
    fn tell_partial(&self, session: &mut Session, events: &mut Vec<Event>) {
        let emissions = session.decoder.current().emissions;
        // The last word of what is agreed may go on, and its neighbour's end with it.
        let agreed = &emissions[..session.decoder.agreed().min(emissions.len())];
        let settled = self.words(session, agreed).len().saturating_sub(1);
        let mut words = self.words(session, &emissions);
        let before = session.committed.len();
        for word in words.iter().take(settled).skip(before) {
            session.committed.push(word.clone());
        }
        let tentative = words.split_off(session.committed.len().min(words.len()));
        if session.committed.len() != before || tentative != session.tentative {
            session.tentative.clone_from(&tentative);
            events.push(Event::Partial { committed: session.committed.clone(), tentative });
        }
    }

    /// Words of the current segment's emissions, between the last final segment and what was heard so far.
    fn words(&self, session: &Session, emissions: &[Emission]) -> Vec<Word> {
        let shift = Duration::from_secs_f64(self.model.config.front_end.frame_shift_ms / 1000.0);
        let decoded = self.output_frame.mul_f64(session.decoder.frames() as f64);
        let heard = decoded.min(shift.mul_f64(session.frames() as f64));
        words::words(emissions, &self.model.tokens, self.output_frame, session.last_final..heard)
    }

    fn end_segment(&self, session: &mut Session, events: &mut Vec<Event>) {
        let best = session.decoder.best(self.nbest.max(1));
        let mut words = best.first().map_or(Vec::new(), |best| self.words(session, &best.emissions));
        // What was committed stays as it was told.
        words.iter_mut().zip(&session.committed).for_each(|(word, committed)| word.clone_from(committed));
        if let Some(mut segment) = Segment::new(words) {
            segment.alternatives = best.iter().take(self.nbest).map(|other| self.alternative(other)).collect();
            session.last_final = segment.end;
            events.push(Event::Final(segment));
        }
        session.decoder.end_segment();
        session.segment_frames = 0;
        session.committed.clear();
        session.tentative.clear();
    }

    fn alternative(&self, hypothesis: &Hypothesis) -> Alternative {
        let ids: Vec<i64> = hypothesis.emissions.iter().map(|emission| emission.token).collect();
        Alternative { text: self.model.tokens.decode(&ids), log_prob: hypothesis.log_prob }
    }
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
