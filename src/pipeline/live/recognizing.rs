//! The recognizer's thread: work -> events. It owns every tensor.

use super::{LiveEvent, Monitor, Observer, Work, WorkKind, died, tell, time};
use crate::error::Result;
use crate::recognizer::{Ahead, Alternative, Event, Recognizer, Segment, Session, Word};
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
    /// Words of the session's segment that were told in a final before the session itself had got to its end.
    finished: usize,
    /// Words after them that never change again.
    committed: Vec<Word>,
    /// What the last partial result told: committed words, all words.
    told: (usize, Vec<Word>),
    /// All words that were likeliest then.
    likeliest: Vec<Word>,
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
            finished: 0,
            committed: Vec::new(),
            told: (0, Vec::new()),
            likeliest: Vec::new(),
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
                Event::Partial { committed, .. } => self.committed = self.placed(self.unfinished(committed)),
                Event::Final(segment) => {
                    let words = self.unfinished(segment.words);
                    if std::mem::take(&mut self.finished) > 0 && words.is_empty() {
                        // It was told already; what is on show belongs to the next.
                        self.committed.clear();
                    } else {
                        self.tell_final(at, words, segment.alternatives);
                    }
                }
                Event::Gap { lost } => self.tell(at, Event::Gap { lost }),
            }
        }
    }

    /// Words of the session's segment, or of several, without those that were told in a final before.
    fn unfinished(&self, words: Vec<Word>) -> Vec<Word> {
        words.into_iter().skip(self.finished).collect()
    }

    fn tell_final(&mut self, at: u64, words: Vec<Word>, alternatives: Vec<Alternative>) {
        self.committed.clear();
        self.told = (0, Vec::new());
        self.likeliest.clear();
        if let Some(placed) = Segment::new(self.placed(words)) {
            self.tell(at, Event::Final(Segment { alternatives, ..placed }));
        }
    }

    /// What is known at this moment: committed words from the session, the rest from a fork of it that ends here, as far
    /// as it is steady.
    fn partial(&mut self, at: u64, tail: &Frames) -> Result<()> {
        let ahead = self.recognizer.look_ahead(&self.session, tail)?;
        self.finish_early(at, &ahead);
        let words = ahead.segments.into_iter().flat_map(|segment| segment.words).collect();
        let words = self.placed(self.unfinished(words));
        let mut all = self.committed.clone();
        all.extend(words.into_iter().skip(self.committed.len()));
        let shown = steadied(&all, &self.likeliest, &self.told.1, self.committed.len());
        self.likeliest = all;
        let now = (self.committed.len(), shown);
        if now != self.told {
            let tentative = now.1[now.0..].to_vec();
            self.told = now;
            self.tell(at, Event::Partial { committed: self.committed.clone(), tentative });
        }
        Ok(())
    }

    /// Tells the final of a segment whose endpoint the fork has seen already, where the session has all of its words and
    /// only its blocks, which wait to be full, are not there yet. The session keeps to what was told.
    fn finish_early(&mut self, at: u64, ahead: &Ahead) {
        let Some(segment) = ahead.segments.first().filter(|_| ahead.by_rule && self.finished == 0) else {
            return;
        };
        // Silence of the network's whole delay: every word has left the blocks that still wait.
        let direction = self.recognizer.direction();
        let delay = self.recognizer.model().latency_ms(direction).unwrap_or(f64::INFINITY);
        let silence = time(at - self.origin, self.rate).saturating_sub(segment.end);
        if silence.as_secs_f64() * 1000.0 < delay {
            return;
        }
        let texts = |segment: &Segment| segment.words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
        let same = |own: Segment| texts(&own) == texts(segment);
        if self.recognizer.segment_so_far(&self.session).is_some_and(same) {
            self.session.commit(segment.words.clone());
            self.finished = segment.words.len();
            self.tell_final(at, segment.words.clone(), segment.alternatives.clone());
        }
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

/// What is shown of the likeliest words, so that text does not flicker: the `committed` ones, and others once they have
/// been the likeliest twice in a row. Until then what was shown stays.
fn steadied(likeliest: &[Word], before: &[Word], shown: &[Word], committed: usize) -> Vec<Word> {
    let same = |a: &[Word], b: &[Word]| a.iter().zip(b).take_while(|(a, b)| a.text == b.text).count();
    let steady = same(likeliest, before).max(committed).min(likeliest.len());
    let mut words = likeliest[..steady].to_vec();
    if steady < before.len() && same(likeliest, shown) >= steady {
        for word in shown.iter().skip(steady) {
            let earliest = words.last().map_or(Duration::ZERO, |last| last.end);
            let start = word.start.max(earliest);
            words.push(Word { start, end: word.end.max(start), ..word.clone() });
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        let word = |(index, text): (usize, &str)| {
            let start = Duration::from_millis(100 * index as u64);
            Word { text: text.into(), start, end: start + Duration::from_millis(90), confidence: 1.0 }
        };
        text.split_whitespace().enumerate().map(word).collect()
    }

    /// What is shown after each of some likeliest texts, of which so many words are committed.
    fn shown(likeliest: &[(&str, usize)]) -> Vec<String> {
        let (mut before, mut standing) = (Vec::new(), Vec::new());
        let mut show = |&(text, committed): &(&str, usize)| {
            let now = words(text);
            standing = steadied(&now, &before, &standing, committed);
            before = now;
            assert!(standing.windows(2).all(|pair| pair[0].end <= pair[1].start), "words in order");
            standing.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
        };
        likeliest.iter().map(&mut show).collect()
    }

    #[test]
    fn words_are_shown_once_they_were_likeliest_twice() {
        let told = shown(&[("the", 0), ("the cat", 0), ("the cat sat", 0), ("the cat sat", 0)]);
        assert_eq!(told, ["", "the", "the cat", "the cat sat"]);
    }

    #[test]
    fn what_is_shown_stays_until_something_else_is_steady() {
        let told = shown(&[("a cat", 0), ("a cat", 0), ("a hat", 0), ("a cat", 0), ("a bat", 0), ("a bat", 0)]);
        assert_eq!(told, ["", "a cat", "a cat", "a cat", "a cat", "a bat"]);
        assert_eq!(shown(&[("a", 0), ("a", 0), ("", 0), ("", 0)]), ["", "a", "a", ""]);
    }

    #[test]
    fn committed_words_are_shown_at_once() {
        assert_eq!(shown(&[("a cat", 2), ("a cat sat", 2), ("a cat sat down", 3)]), ["a cat", "a cat", "a cat sat"]);
    }
}
