//! What was said: words with times, segments, whole transcripts, and the events of a session.
//!
//! Layer 3: plain data, uses nothing. The recognizer makes it, the writers of `output` read it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A word with its place in the recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Start, from the session's start.
    pub start: Duration,
    /// End, from the session's start.
    pub end: Duration,
    /// Probability that it is right, in `0.0..=1.0`: the geometric mean of its tokens' probabilities, calibrated where
    /// the model has a calibration.
    pub confidence: f32,
}

/// What was said between two endpoints.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Segment {
    /// Start of the first word.
    pub start: Duration,
    /// End of the last word.
    pub end: Duration,
    /// Words joined by spaces.
    pub text: String,
    /// Words in order.
    pub words: Vec<Word>,
    /// The likeliest hypotheses, best first, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

/// One of several hypotheses of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// Words joined by spaces.
    pub text: String,
    /// Natural log of its score.
    pub log_prob: f64,
}

impl Segment {
    /// A segment of these words; `None` without any.
    pub fn new(words: Vec<Word>) -> Option<Self> {
        let (start, end) = (words.first()?.start, words.last()?.end);
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        Some(Segment { start, end, text, words, alternatives: Vec::new() })
    }

    /// The same said later.
    pub fn later_by(mut self, time: Duration) -> Self {
        self.start += time;
        self.end += time;
        for word in &mut self.words {
            word.start += time;
            word.end += time;
        }
        self
    }
}

/// A whole session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transcript {
    /// Segments in order, each with at least one word.
    pub segments: Vec<Segment>,
    /// Length of the audio.
    pub duration: Duration,
}

impl Transcript {
    /// All segments' text joined by spaces.
    pub fn text(&self) -> String {
        self.segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// What a session reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Words of the current segment so far, told when they changed.
    Partial {
        /// Never change again.
        committed: Vec<Word>,
        /// May change.
        tentative: Vec<Word>,
    },
    /// A segment ended.
    Final(Segment),
    /// Audio was lost.
    Gap {
        /// How much.
        lost: Duration,
    },
}

impl Event {
    /// The segment of a final.
    pub fn into_final(self) -> Option<Segment> {
        match self {
            Event::Final(segment) => Some(segment),
            _ => None,
        }
    }
}
