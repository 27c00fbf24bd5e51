//! The recognizer's thread: work -> events. It owns every tensor.

use super::{LiveEvent, Monitor, Observer, Work, WorkKind, died, tell, time};
use crate::error::Result;
use crate::recognizer::{Event, Recognizer, Segment, Session, Word};
use crate::stage::Frames;
use crossbeam_channel::{Receiver, Sender};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Everything the recognizer's thread owns.
pub(super) struct Recognizing {
    recognizer: Recognizer,
    session: Session,
    observe: Observer,
    events: Sender<LiveEvent>,
    monitor: Arc<Monitor>,
    rate: u32,
    /// Sample of the time line at which the session's block grid begins.
    origin: u64,
    /// Words of the current segment that never change again.
    committed: Vec<Word>,
    /// What the last partial result told: committed words, all words.
    told: (usize, Vec<Word>),
    /// The session's events of one piece of work, reused.
    fresh: Vec<Event>,
    /// The caller does not listen any more.
    unheard: bool,
}

impl Recognizing {
    pub(super) fn new(
        recognizer: Recognizer,
        rate: u32,
        events: Sender<LiveEvent>,
        monitor: Arc<Monitor>,
        observe: Observer,
    ) -> Result<Self> {
        Ok(Recognizing {
            session: recognizer.session()?,
            recognizer,
            observe,
            events,
            monitor,
            rate,
            origin: 0,
            committed: Vec::new(),
            told: (0, Vec::new()),
            fresh: Vec::new(),
            unheard: false,
        })
    }

    /// Until the work ends or nobody listens. Whatever happens, the last segment is told: after an error or a panic, the
    /// words that were shown last.
    pub(super) fn run(mut self, work: &Receiver<Work>) -> Result<()> {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.recognize(work)));
        let outcome = outcome.unwrap_or_else(|panic| Err(died("recognizer", panic.as_ref())));
        if outcome.is_err() {
            let words = std::mem::take(&mut self.told.1);
            if let Some(segment) = Segment::new(words) {
                tell(&self.events, self.monitor.heard(), Event::Final(segment));
            }
        }
        outcome
    }

    fn recognize(&mut self, work: &Receiver<Work>) -> Result<()> {
        let mut at = 0;
        for Work { at: now, kind } in work {
            at = now;
            match kind {
                WorkKind::Features(frames) => self.push(at, &frames)?,
                WorkKind::Partial(tail) => self.partial(at, &tail)?,
                WorkKind::EndSegment => self.recognizer.end_segment_here(&mut self.session),
                WorkKind::Gap { lost } => self.gap(at, lost),
                WorkKind::Reset { lost } => {
                    self.finish(at)?;
                    self.gap(at, lost);
                    self.origin = at + lost;
                }
            }
            self.monitor.set_recognized(at);
            if self.unheard {
                return Ok(());
            }
        }
        self.finish(at)
    }

    fn push(&mut self, at: u64, frames: &Frames) -> Result<()> {
        let mut fresh = std::mem::take(&mut self.fresh);
        self.recognizer.push_observed(&mut self.session, frames, &mut fresh, &mut self.observe)?;
        self.take(at, &mut fresh);
        self.fresh = fresh;
        Ok(())
    }

    /// Ends the session and begins a new one.
    fn finish(&mut self, at: u64) -> Result<()> {
        let session = std::mem::replace(&mut self.session, self.recognizer.session()?);
        let mut fresh = Vec::new();
        self.recognizer.finish_observed(session, &mut fresh, &mut self.observe)?;
        self.take(at, &mut fresh);
        Ok(())
    }

    /// Finals go to the caller; of the partial results, which come block by block, only the committed words are kept.
    fn take(&mut self, at: u64, fresh: &mut Vec<Event>) {
        for event in fresh.drain(..) {
            match event {
                Event::Partial { committed, .. } => self.committed = self.placed(committed),
                Event::Final(segment) => {
                    self.committed.clear();
                    self.told = (0, Vec::new());
                    if let Some(segment) = Segment::new(self.placed(segment.words)) {
                        self.tell(at, Event::Final(segment));
                    }
                }
                Event::Gap { lost } => self.tell(at, Event::Gap { lost }),
            }
        }
    }

    /// What is known at this moment: committed words from the session, the rest from a fork of it that ends here.
    fn partial(&mut self, at: u64, tail: &Frames) -> Result<()> {
        let mut fork = self.session.fork();
        let mut ahead = Vec::new();
        self.recognizer.push(&mut fork, tail, &mut ahead)?;
        self.recognizer.finish(fork, &mut ahead)?;
        let segments = ahead.into_iter().filter_map(|event| match event {
            Event::Final(segment) => Some(segment.words),
            _ => None,
        });
        let words = self.placed(segments.flatten().collect());
        let mut all = self.committed.clone();
        all.extend(words.into_iter().skip(self.committed.len()));
        let now = (self.committed.len(), all);
        if now != self.told {
            let tentative = now.1[now.0..].to_vec();
            self.told = now;
            self.tell(at, Event::Partial { committed: self.committed.clone(), tentative });
        }
        Ok(())
    }

    fn gap(&mut self, at: u64, lost: u64) {
        self.tell(at, Event::Gap { lost: time(lost, self.rate) });
    }

    /// Words of the session on the time line.
    fn placed(&self, mut words: Vec<Word>) -> Vec<Word> {
        let origin: Duration = time(self.origin, self.rate);
        for word in &mut words {
            word.start += origin;
            word.end += origin;
        }
        words
    }

    fn tell(&mut self, at: u64, event: Event) {
        self.unheard |= !tell(&self.events, time(at, self.rate), event);
    }
}
