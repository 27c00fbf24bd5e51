//! How long text takes: from a word's end in the audio to its first showing and to its commitment.
//!
//! Layer 7. A recording is played at its own speed through the live pipeline, and every event is stamped with the wall
//! clock as it arrives. Where words end is told by forced alignment of the reference with the session's own log-probs.
//! Only words that were recognised right count: of the others nobody knows which they are.

use super::live::{LiveConfig, LiveEvent, Pipeline};
use crate::audio::{AudioSource, PacedSource};
use crate::ctc;
use crate::error::{Error, Result};
use crate::metrics::{ErrorCounts, Latency};
use crate::recognizer::{Event, Recognizer, Word, append_log_probs};
use crate::stage::Frames;
use crate::text::{TokenTable, normalize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tch::Tensor;

/// Delays of many recordings.
#[derive(Debug, Clone, Default)]
pub struct LatencyReport {
    /// Recordings played.
    pub recordings: u64,
    /// Words that were recognised right, of which the delays tell.
    pub words: u64,
    /// From a word's end to its first showing with its final text.
    pub shown: Latency,
    /// The same, of the first word of each recording.
    pub first_shown: Latency,
    /// From a word's end to the moment from which it cannot change.
    pub committed: Latency,
    /// From the last word's end to the final of a segment that silence ended.
    pub endpoint: Latency,
    /// Of that, from when all the audio had been heard that the block with the endpoint needs: what the machine takes.
    pub told: Latency,
    /// From the recording's end to the last final.
    pub end: Latency,
    /// Times that a word was put on the screen.
    pub showings: u64,
    /// Those that were changed or taken away later.
    pub retractions: u64,
}

impl LatencyReport {
    /// Words shown and later changed, over words shown.
    pub fn flicker(&self) -> f64 {
        self.retractions as f64 / self.showings.max(1) as f64
    }

    /// Plays one recording, in real time.
    ///
    /// # Errors
    /// When the recording cannot be read, the model cannot stream, or the text does not fit the recording.
    pub fn play(
        &mut self,
        recognizer: Recognizer,
        source: Box<dyn AudioSource>,
        reference: &str,
        config: LiveConfig,
    ) -> Result<()> {
        let tokens = recognizer.tokens().clone();
        let frame = recognizer.output_frame();
        let labels = tokens.encode(reference)?;
        let heard = Arc::new(Mutex::new(Ok(Frames::new(tokens.len()))));
        let keep = Arc::clone(&heard);
        let observe = move |block: &Tensor| {
            let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(frames) = kept.as_mut()
                && let Err(error) = append_log_probs(block, frames)
            {
                *kept = Err(error);
            }
        };
        let start = Instant::now();
        let config = LiveConfig { real_time: true, ..config };
        let mut pipeline =
            Pipeline::start_observed(recognizer, Box::new(PacedSource::new(source)), config, Box::new(observe))?;
        let mut screen = Screen::default();
        for event in &mut pipeline {
            screen.take(start.elapsed(), event);
        }
        let ending = pipeline.join();
        if let Some(fault) = ending.fault {
            return Err(fault);
        }
        if let Some(missing) = ending.truncation {
            return Err(Error::Shape(format!("cut short ({missing}): its text would not fit")));
        }
        let log_probs = {
            let mut kept = heard.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *kept, Ok(Frames::new(0)))?
        };
        let ends = word_ends(&ctc::align(&log_probs, &labels)?, &tokens, frame);
        self.add(&screen, reference, &ends, ending.heard);
        Ok(())
    }

    /// Counts one recording; `ends[i]` is where word `i` of the reference ends.
    fn add(&mut self, screen: &Screen, reference: &str, ends: &[Duration], length: Duration) {
        self.recordings += 1;
        self.showings += screen.showings;
        self.retractions += screen.retractions;
        let text: Vec<String> = screen.done.iter().map(|word| normalize(&word.text)).collect();
        let text = text.join(" ");
        let (_, alignment) = ErrorCounts::words(reference, &text);
        let (mut at, mut index) = (0, 0);
        for (wanted, got) in alignment {
            if let (Some(word), Some(&end)) = (screen.done.get(index), ends.get(at))
                && wanted.is_some()
                && wanted == got
            {
                self.words += 1;
                let delay = word.shown.saturating_sub(end);
                self.shown.add(delay);
                if at == 0 {
                    self.first_shown.add(delay);
                }
                self.committed.add(word.committed.saturating_sub(end));
            }
            at += usize::from(wanted.is_some());
            index += usize::from(got.is_some());
        }
        for &Told { arrived, heard, end } in screen.finals.iter().filter(|told| told.arrived < length) {
            self.endpoint.add(arrived.saturating_sub(end));
            self.told.add(arrived.saturating_sub(heard));
        }
        if let Some(last) = screen.finals.last().filter(|told| told.arrived >= length) {
            self.end.add(last.arrived - length);
        }
    }
}

/// A word as it stands in the transcript, with when it got there.
#[derive(Debug, Clone, PartialEq)]
struct DoneWord {
    text: String,
    shown: Duration,
    committed: Duration,
}

/// One place of the current segment: every text that stood there and since when.
#[derive(Debug, Default)]
struct Place {
    texts: Vec<(String, Duration)>,
    committed: Option<Duration>,
}

/// A final segment: when it came, how much audio had to be heard for it, and where its last word ended.
#[derive(Debug, Clone, Copy)]
struct Told {
    arrived: Duration,
    heard: Duration,
    end: Duration,
}

/// What the user sees, event by event.
#[derive(Debug, Default)]
struct Screen {
    places: Vec<Place>,
    /// Texts that stand on the screen now.
    standing: Vec<String>,
    done: Vec<DoneWord>,
    finals: Vec<Told>,
    showings: u64,
    retractions: u64,
}

impl Screen {
    fn take(&mut self, now: Duration, event: LiveEvent) {
        match event.event {
            Event::Partial { committed, tentative } => {
                let fixed = committed.len();
                self.show(now, committed.iter().chain(&tentative));
                for place in self.places.iter_mut().take(fixed) {
                    place.committed.get_or_insert(now);
                }
            }
            Event::Final(segment) => {
                self.show(now, segment.words.iter());
                for (word, place) in segment.words.iter().zip(self.places.drain(..)) {
                    let shown = place.texts.iter().find(|(text, _)| *text == word.text).map_or(now, |(_, at)| *at);
                    let committed = place.committed.unwrap_or(now);
                    self.done.push(DoneWord { text: word.text.clone(), shown, committed });
                }
                self.standing.clear();
                self.finals.push(Told { arrived: now, heard: event.at, end: segment.end });
            }
            Event::Gap { .. } => {}
        }
    }

    fn show<'a>(&mut self, now: Duration, words: impl Iterator<Item = &'a Word>) {
        let fresh: Vec<String> = words.map(|word| word.text.clone()).collect();
        for (index, text) in fresh.iter().enumerate() {
            if self.standing.get(index) == Some(text) {
                continue;
            }
            self.showings += 1;
            self.retractions += u64::from(index < self.standing.len());
            if self.places.len() <= index {
                self.places.push(Place::default());
            }
            let texts = &mut self.places[index].texts;
            // What comes back counts from its last coming.
            texts.retain(|(other, _)| other != text);
            texts.push((text.clone(), now));
        }
        self.retractions += self.standing.len().saturating_sub(fresh.len()) as u64;
        self.standing = fresh;
    }
}

/// End of every word of an alignment.
fn word_ends(emissions: &[ctc::Emission], tokens: &TokenTable, frame: Duration) -> Vec<Duration> {
    let spoken = |group: &&[ctc::Emission]| group.iter().any(|emission| !tokens.surface(emission.token).is_empty());
    let last = |group: &[ctc::Emission]| group.last().map(|emission| frame.mul_f64((emission.last_frame + 1) as f64));
    emissions.chunk_by(|_, next| !tokens.begins_word(next.token)).filter(spoken).filter_map(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recognizer::Segment;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    fn words(text: &str) -> Vec<Word> {
        let word = |text: &str| Word { text: text.into(), start: ms(0), end: ms(900), confidence: 1.0 };
        text.split_whitespace().map(word).collect()
    }

    fn partial(committed: &str, tentative: &str) -> LiveEvent {
        LiveEvent { at: ms(0), event: Event::Partial { committed: words(committed), tentative: words(tentative) } }
    }

    /// A final for which two seconds of audio were heard.
    fn last(text: &str) -> LiveEvent {
        let (text, words) = (text.into(), words(text));
        let segment = Segment { start: ms(0), end: ms(900), text, words, alternatives: vec![] };
        LiveEvent { at: ms(2000), event: Event::Final(segment) }
    }

    #[test]
    fn delays_count_from_the_words_ends_and_flicker_counts_what_went() {
        let mut screen = Screen::default();
        screen.take(ms(500), partial("", "go"));
        screen.take(ms(800), partial("go", "four"));
        screen.take(ms(1100), partial("go", "forward ten"));
        screen.take(ms(1400), partial("go forward", "ten"));
        screen.take(ms(2000), last("go forward ten"));
        assert_eq!((screen.showings, screen.retractions), (4, 1), "four gave way to forward");
        let mut report = LatencyReport::default();
        report.add(&screen, "go forward then", &[ms(300), ms(900), ms(1200)], ms(1900));
        assert_eq!((report.recordings, report.words), (1, 2), "ten is wrong");
        assert_eq!(report.first_shown.percentile(50.0), Some(ms(200)));
        assert_eq!(report.shown.percentile(100.0), Some(ms(200)));
        assert_eq!(report.committed.percentile(50.0), Some(ms(500)));
        assert_eq!(report.end.percentile(50.0), Some(ms(100)));
        assert_eq!(report.endpoint.percentile(50.0), None, "the end of the recording ended the segment");
        assert_eq!(report.flicker(), 0.25);
    }

    #[test]
    fn a_segment_that_silence_ended_has_an_endpoint_delay_and_the_next_begins_anew() {
        let mut screen = Screen::default();
        screen.take(ms(2020), last("go"));
        screen.take(ms(2300), partial("", "on"));
        screen.take(ms(2600), partial("", ""));
        screen.take(ms(2900), partial("", "on"));
        screen.take(ms(4000), last("on"));
        assert_eq!((screen.showings, screen.retractions), (3, 1), "on went and came back");
        let mut report = LatencyReport::default();
        report.add(&screen, "go on", &[ms(900), ms(2200)], ms(3900));
        assert_eq!(report.endpoint.percentile(50.0), Some(ms(1120)));
        assert_eq!(report.told.percentile(50.0), Some(ms(20)));
        assert_eq!(report.shown.percentile(50.0), Some(ms(700)), "it counts from its last coming");
        assert_eq!(report.shown.percentile(100.0), Some(ms(1120)), "first shown by the final");
    }
}
