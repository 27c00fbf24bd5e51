//! A whole source from samples to a transcript, through a session like any other.
//!
//! Layer 6.

use super::{Event, Recognizer, Session, Transcript};
use crate::audio::AudioSource;
use crate::error::Result;
use crate::frontend::FrontEnd;
use crate::model_dir::Head;
use crate::stage::{Frames, Stage};
use std::time::Duration;
use tch::Tensor;

/// What one source needs on its way through a recognizer.
struct Stream {
    front_end: FrontEnd,
    session: Session,
    frames: Frames,
}

impl Recognizer {
    /// A whole source pushed in pieces of `chunk_ms` (`None`: as the source gives them).
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn transcribe(&self, source: &mut dyn AudioSource, chunk_ms: Option<u32>) -> Result<Transcript> {
        self.transcribe_observed(source, chunk_ms, &mut |_| {})
    }

    /// As [`Recognizer::transcribe`]; `observe` sees every block's log-probs `[T', V]` in the encoder's own kind.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn transcribe_observed(
        &self,
        source: &mut dyn AudioSource,
        chunk_ms: Option<u32>,
        observe: &mut dyn FnMut(&Tensor),
    ) -> Result<Transcript> {
        if self.model().encoder.head == Head::Classify {
            return self.class_as_transcript(source);
        }
        let rate = source.sample_rate();
        let mut stream = Stream { front_end: self.front_end(rate)?, session: self.session()?, frames: Frames::new(0) };
        stream.session.grid = self.recordings_grid();
        stream.frames.dim = stream.front_end.dim();
        let piece = chunk_ms.map_or(usize::MAX, |ms| (ms as usize * rate as usize / 1000).max(1));
        let mut events = Vec::new();
        let mut samples = 0u64;
        let mut waiting: Vec<f32> = Vec::new();
        while let Some(block) = source.next_block()? {
            samples += block.samples.len() as u64;
            if piece == usize::MAX {
                self.push_samples(&mut stream, &block.samples, &mut events, observe)?;
                continue;
            }
            waiting.extend_from_slice(&block.samples);
            let whole = waiting.len() - waiting.len() % piece;
            for part in waiting[..whole].chunks(piece) {
                self.push_samples(&mut stream, part, &mut events, observe)?;
            }
            waiting.drain(..whole);
        }
        self.push_samples(&mut stream, &waiting, &mut events, observe)?;
        stream.front_end.finish(&mut stream.frames)?;
        self.push_observed(&mut stream.session, &stream.frames, &mut events, observe)?;
        self.finish_observed(stream.session, &mut events, observe)?;
        let segments = events.into_iter().filter_map(Event::into_final);
        Ok(Transcript {
            segments: segments.collect(),
            duration: Duration::from_secs_f64(samples as f64 / f64::from(rate)),
        })
    }

    fn push_samples(
        &self,
        stream: &mut Stream,
        samples: &[f32],
        events: &mut Vec<Event>,
        observe: &mut dyn FnMut(&Tensor),
    ) -> Result<()> {
        stream.front_end.push(samples, &mut stream.frames)?;
        self.push_observed(&mut stream.session, &stream.frames, events, observe)?;
        stream.frames.consume();
        events.retain(|event| !matches!(event, Event::Partial { .. }));
        Ok(())
    }
}
