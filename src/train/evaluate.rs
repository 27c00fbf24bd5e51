//! Word and character error rates of a manifest, through `Recognizer`: what is measured is what is served.
//!
//! Layer 8.

use crate::audio::AudioSource;
use crate::corpus::Utterance;
use crate::error::Result;
use crate::metrics::{AlignedPair, ErrorCounts, Reliability};
use crate::recognizer::Recognizer;
use crate::text::normalize;
use crate::transcript::Transcript;
use std::time::Instant;

/// Errors over many utterances.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evaluation {
    /// Utterances scored, unreadable ones too.
    pub utterances: u64,
    /// Utterances that could not be read: all their words count as deleted.
    pub unreadable: u64,
    /// Utterances whose recordings are shorter than their headers say: what is there was scored.
    pub cut_short: u64,
    /// Word errors.
    pub words: ErrorCounts,
    /// Character errors.
    pub characters: ErrorCounts,
    /// What the words' confidences are worth.
    pub confidence: Reliability,
    /// Audio recognised, in seconds.
    pub audio_seconds: f64,
    /// Wall-clock time for it, decoding of files included, in seconds.
    pub wall_seconds: f64,
}

impl Evaluation {
    /// Counts another's errors too.
    pub fn add(&mut self, other: &Evaluation) {
        self.utterances += other.utterances;
        self.unreadable += other.unreadable;
        self.cut_short += other.cut_short;
        self.words.add(&other.words);
        self.characters.add(&other.characters);
        self.confidence.merge(&other.confidence);
        self.audio_seconds += other.audio_seconds;
        self.wall_seconds += other.wall_seconds;
    }

    /// Real-time factor: time spent per second of audio.
    pub fn rtf(&self) -> f64 {
        if self.audio_seconds > 0.0 { self.wall_seconds / self.audio_seconds } else { 0.0 }
    }
}

/// One utterance's outcome.
#[derive(Debug)]
pub struct Scored<'a> {
    /// The utterance.
    pub utterance: &'a Utterance,
    /// Normalized reference.
    pub reference: &'a str,
    /// Normalized text that was recognised, or why the recording could not be read.
    pub hypothesis: Result<&'a str, String>,
    /// What is missing of the recording, where it is shorter than its header says.
    pub truncation: Option<&'a str>,
    /// What was recognised, with segments and times.
    pub transcript: Option<&'a Transcript>,
    /// Word errors of this utterance.
    pub words: ErrorCounts,
}

/// Recognises every utterance that has a text and counts errors; `open` gives its audio, `each` sees every outcome.
pub fn evaluate<'a>(
    recognizer: &Recognizer,
    utterances: impl IntoIterator<Item = &'a Utterance>,
    open: &dyn Fn(&Utterance) -> Result<Box<dyn AudioSource>>,
    each: &mut dyn FnMut(&Scored),
) -> Evaluation {
    let mut total = Evaluation::default();
    for utterance in utterances {
        let Some(reference) = utterance.text.as_deref() else {
            continue;
        };
        let start = Instant::now();
        let heard = open(utterance).and_then(|mut source| {
            let transcript = recognizer.transcribe(source.as_mut(), None)?;
            Ok((transcript, source.truncation().map(str::to_string)))
        });
        total.wall_seconds += start.elapsed().as_secs_f64();
        let text = heard.as_ref().map(|(transcript, _)| normalize(&transcript.text())).unwrap_or_default();
        let (words, alignment) = ErrorCounts::words(reference, &text);
        total.utterances += 1;
        total.words.add(&words);
        total.characters.add(&ErrorCounts::characters(reference, &text));
        let hypothesis = match &heard {
            Ok((transcript, truncation)) => {
                total.cut_short += u64::from(truncation.is_some());
                total.audio_seconds += transcript.duration.as_secs_f64();
                for (word, right) in
                    transcript.segments.iter().flat_map(|segment| &segment.words).zip(rights(&alignment))
                {
                    total.confidence.add(word.confidence, right);
                }
                Ok(text.as_str())
            }
            Err(error) => {
                total.unreadable += 1;
                Err(error.naming(&utterance.audio))
            }
        };
        let (transcript, truncation) = match &heard {
            Ok((transcript, truncation)) => (Some(transcript), truncation.as_deref()),
            Err(_) => (None, None),
        };
        each(&Scored { utterance, reference, hypothesis, truncation, transcript, words });
    }
    total
}

/// Whether each word of the hypothesis is right.
pub(super) fn rights<'a>(alignment: &'a [AlignedPair]) -> impl Iterator<Item = bool> + 'a {
    alignment
        .iter()
        .filter(|(_, hypothesis)| hypothesis.is_some())
        .map(|(reference, hypothesis)| reference == hypothesis)
}
