//! Words with times, segments, events.
use std::time::Duration;
/// A word with its place in the recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Start, from the session's start.
    pub start: Duration,
    /// End.
    pub end: Duration,
    /// In 0..=1.
    pub confidence: f32,
}
/// What was said between two endpoints.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Segment {
    /// Start of the first word.
    pub start: Duration,
    /// End of the last word.
    pub end: Duration,
    /// Words joined by spaces.
    pub text: String,
    /// Words.
    pub words: Vec<Word>,
}
/// A whole session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transcript {
    /// Segments with at least one word, in order.
    pub segments: Vec<Segment>,
    /// Length of the audio.
    pub duration: Duration,
}
impl Transcript {
    /// All segments' text joined by spaces.
    pub fn text(&self) -> String {
        todo!()
    }
}
/// What a session reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Words so far: `committed` never change again, `tentative` may.
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
