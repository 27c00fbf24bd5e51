//! From log-probs to segments: search, endpoints, partial results, words.
//!
//! Layer 6. No tensors: it may run on any thread, beside the network or after it.

use super::RecognizerConfig;
use super::decoder::{DecoderSnapshot, Search, SessionDecoder};
use super::endpoint::Endpointer;
use super::words;
use crate::ctc::{BeamSearch, Emission, HotWord, Hypothesis};
use crate::error::Result;
use crate::metrics::Calibration;
use crate::model_dir::ModelDir;
use crate::stage::Frames;
use crate::text::{BLANK, TokenTable};
use crate::transcript::{Alternative, Event, Segment, Word};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct Segmenter {
    tokens: TokenTable,
    search: Search,
    endpointer: Endpointer,
    nbest: usize,
    calibration: Calibration,
    /// Time from one output frame to the next.
    output_frame: Duration,
}

/// One session's part.
#[derive(Debug, Clone)]
pub(crate) struct SegmenterState {
    decoder: SessionDecoder,
    /// Output frames since the segment's start.
    segment_frames: u64,
    /// Whether some frame of the segment says a token rather than blank. Where none does, what the search makes of it are
    /// the language model's words: the segment has none.
    voiced: bool,
    /// End of the last final segment: no later word begins before it.
    last_final: Duration,
    /// Words of the segment that were told as final: they stay.
    committed: Vec<Word>,
    /// The words after them in the last partial.
    tentative: Vec<Word>,
    /// Output frames before which a segment ends by hand, ascending.
    manual_ends: Vec<u64>,
}

/// A [`SegmenterState`], to be written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmenterSnapshot {
    decoder: DecoderSnapshot,
    segment_frames: u64,
    voiced: bool,
    last_final: Duration,
    committed: Vec<Word>,
    tentative: Vec<Word>,
    manual_ends: Vec<u64>,
}

impl SegmenterState {
    fn new(decoder: SessionDecoder) -> Self {
        SegmenterState {
            decoder,
            segment_frames: 0,
            voiced: false,
            last_final: Duration::ZERO,
            committed: Vec::new(),
            tentative: Vec::new(),
            manual_ends: Vec::new(),
        }
    }

    /// These words of the segment stay as they are.
    pub fn commit(&mut self, words: Vec<Word>) {
        self.committed = words;
    }

    /// The segment ends by hand before this output frame.
    pub fn end_before(&mut self, frame: u64) {
        self.manual_ends.push(frame);
    }

    /// The state as it is.
    pub(super) fn snapshot(&self) -> SegmenterSnapshot {
        SegmenterSnapshot {
            decoder: self.decoder.snapshot(),
            segment_frames: self.segment_frames,
            voiced: self.voiced,
            last_final: self.last_final,
            committed: self.committed.clone(),
            tentative: self.tentative.clone(),
            manual_ends: self.manual_ends.clone(),
        }
    }

    /// A state that goes on from a snapshot; `self` is a new one of the same segmenter.
    pub(super) fn restore(&self, snapshot: SegmenterSnapshot) -> Result<Self> {
        Ok(SegmenterState {
            decoder: self.decoder.restore(snapshot.decoder)?,
            segment_frames: snapshot.segment_frames,
            voiced: snapshot.voiced,
            last_final: snapshot.last_final,
            committed: snapshot.committed,
            tentative: snapshot.tentative,
            manual_ends: snapshot.manual_ends,
        })
    }
}

impl Segmenter {
    /// # Errors
    /// When a language model, settings or a calibration cannot be read.
    pub fn new(model: &ModelDir, config: &RecognizerConfig) -> Result<Self> {
        let output_frame = model.config.output_frame();
        Ok(Segmenter {
            tokens: model.tokens.clone(),
            search: Search::load(model, &config.decoder, config.live)?,
            endpointer: Endpointer::new(config.endpoint.clone(), output_frame),
            nbest: config.nbest,
            calibration: model.calibration()?.unwrap_or_default(),
            output_frame,
        })
    }

    /// The same with another beam search, without n-best and calibration.
    ///
    /// # Errors
    /// None that a search without hot words can have.
    pub fn with_search(&self, search: BeamSearch) -> Result<Self> {
        let hot = search.hot_words(&[])?;
        Ok(Segmenter {
            tokens: self.tokens.clone(),
            search: Search::Beam { search: Arc::new(search), hot },
            endpointer: self.endpointer.clone(),
            nbest: 0,
            calibration: Calibration::default(),
            output_frame: self.output_frame,
        })
    }

    /// Time from one output frame to the next.
    pub fn output_frame(&self) -> Duration {
        self.output_frame
    }

    /// A new session's.
    pub fn state(&self) -> SegmenterState {
        SegmenterState::new(self.search.decoder())
    }

    /// A new session's, with hot words of its own.
    pub fn state_with(&self, hot_words: &[HotWord]) -> Result<SegmenterState> {
        Ok(SegmenterState::new(self.search.decoder_with(hot_words)?))
    }

    /// A block's log-probs `[T', V]`, frame by frame: tokens, endpoints, and one partial a block. `heard` is the
    /// audio's length so far.
    pub fn push(
        &self,
        state: &mut SegmenterState,
        log_probs: &[f32],
        heard: Duration,
        events: &mut Vec<Event>,
    ) -> Result<()> {
        let mut row = Frames::new(self.tokens.len());
        for values in log_probs.chunks_exact(row.dim) {
            row.first_frame = state.decoder.frames();
            if state.manual_ends.first().is_some_and(|&end| end <= row.first_frame) {
                state.manual_ends.remove(0);
                self.end_segment(state, heard, events);
            }
            row.data.clear();
            row.data.extend_from_slice(values);
            state.decoder.push(&row)?;
            state.segment_frames += 1;
            state.voiced |= values.iter().any(|&value| value > values[BLANK as usize]);
            let blanks = state.decoder.trailing_blanks();
            let spoken = state.decoder.has_tokens();
            if self.endpointer.decide(state.segment_frames, blanks, spoken).is_some() {
                self.end_segment(state, heard, events);
            }
        }
        self.tell_partial(state, heard, events);
        Ok(())
    }

    /// Ends the segment here.
    pub fn end_segment(&self, state: &mut SegmenterState, heard: Duration, events: &mut Vec<Event>) {
        let best = if state.voiced { state.decoder.best(self.nbest.max(1)) } else { Vec::new() };
        let mut words = best.first().map_or(Vec::new(), |best| self.words(state, &best.emissions, heard));
        // What was committed stays as it was told.
        words.iter_mut().zip(&state.committed).for_each(|(word, committed)| word.clone_from(committed));
        if state.committed.is_empty() && self.doubtful(&words) {
            words.clear();
        }
        if let Some(mut segment) = Segment::new(words) {
            segment.alternatives = best.iter().take(self.nbest).map(|other| self.alternative(other)).collect();
            state.last_final = segment.end;
            events.push(Event::Final(segment));
        } else if !state.tentative.is_empty() {
            events.push(Event::Partial { committed: Vec::new(), tentative: Vec::new() });
        }
        state.decoder.end_segment();
        state.segment_frames = 0;
        state.voiced = false;
        state.committed.clear();
        state.tentative.clear();
    }

    /// Whether a segment is so short, and its words so unsure, that it is rather a noise.
    fn doubtful(&self, words: &[Word]) -> bool {
        let sum: f32 = words.iter().map(|word| word.confidence).sum();
        (1..=2).contains(&words.len()) && sum < self.calibration.reject_below * words.len() as f32
    }

    /// One partial, where it differs from the last.
    fn tell_partial(&self, state: &mut SegmenterState, heard: Duration, events: &mut Vec<Event>) {
        if !state.voiced {
            return;
        }
        let emissions = state.decoder.current().emissions;
        // The last word of what is agreed may go on, and its neighbour's end with it.
        let agreed = &emissions[..state.decoder.agreed().min(emissions.len())];
        let settled = self.words(state, agreed, heard).len().saturating_sub(1);
        let mut words = self.words(state, &emissions, heard);
        let before = state.committed.len();
        for word in words.iter().take(settled).skip(before) {
            state.committed.push(word.clone());
        }
        let tentative = words.split_off(state.committed.len().min(words.len()));
        if state.committed.len() != before || tentative != state.tentative {
            state.tentative.clone_from(&tentative);
            events.push(Event::Partial { committed: state.committed.clone(), tentative });
        }
    }

    /// Words of the current segment's emissions, between the last final segment and what was heard so far.
    fn words(&self, state: &SegmenterState, emissions: &[Emission], heard: Duration) -> Vec<Word> {
        let decoded = self.output_frame.mul_f64(state.decoder.frames() as f64);
        let within = state.last_final..decoded.min(heard);
        words::words(emissions, &self.tokens, &self.calibration, self.output_frame, within)
    }

    fn alternative(&self, hypothesis: &Hypothesis) -> Alternative {
        let ids: Vec<i64> = hypothesis.emissions.iter().map(|emission| emission.token).collect();
        Alternative { text: self.tokens.decode(&ids), log_prob: hypothesis.log_prob }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctc::BeamConfig;
    use crate::recognizer::EndpointConfig;

    const FRAME: Duration = Duration::from_millis(30);

    /// What `frames` of blank with probability `blank`, `<a>` having nearly all the rest, are made into with a blank
    /// penalty that puts `<a>` first; segments less sure than `reject_below` are rejected.
    fn events(blank: &[f32], reject_below: f32) -> Vec<Event> {
        let tokens = ["<blank>", "▁", "a", "b"].map(str::to_string).to_vec();
        let tokens = TokenTable::new(tokens).expect("tokens");
        let config = BeamConfig { blank_penalty: 3.0, ..BeamConfig::default() };
        let search = BeamSearch::new(&tokens, None, config, FRAME).expect("search");
        let hot = search.hot_words(&[]).expect("hot words");
        let segmenter = Segmenter {
            tokens,
            search: Search::Beam { search: Arc::new(search), hot },
            endpointer: Endpointer::new(EndpointConfig::default(), FRAME),
            nbest: 0,
            calibration: Calibration { reject_below, ..Calibration::default() },
            output_frame: FRAME,
        };
        let mut state = segmenter.state();
        let mut events = Vec::new();
        let heard = FRAME.mul_f64(blank.len() as f64);
        for &blank in blank {
            let row = [blank, 0.01, 0.98 - blank, 0.01].map(f32::ln);
            segmenter.push(&mut state, &row, heard, &mut events).expect("push");
        }
        segmenter.end_segment(&mut state, heard, &mut events);
        events
    }

    #[test]
    fn frames_that_all_say_blank_first_make_no_words() {
        assert_eq!(events(&[0.7; 20], 0.0), []);
        let told = events(&[0.7, 0.7, 0.4, 0.7, 0.7], 0.0);
        assert!(matches!(told.last(), Some(Event::Final(segment)) if segment.text == "a"), "{told:?}");
    }

    #[test]
    fn a_short_unsure_segment_is_taken_back() {
        let blank = [0.7, 0.7, 0.4, 0.7, 0.7];
        let told = events(&blank, 0.95);
        let nothing = Event::Partial { committed: Vec::new(), tentative: Vec::new() };
        assert!(
            matches!(&told[..], [Event::Partial { tentative, .. }, .., last] if !tentative.is_empty() && *last == nothing)
        );
        assert!(matches!(events(&blank, 0.05).last(), Some(Event::Final(_))));
    }
}
