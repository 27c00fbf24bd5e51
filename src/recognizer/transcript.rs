//! From tokens to words with times, segments and events.
//!
//! Layer 6.

use crate::ctc::Emission;
use crate::metrics::Calibration;
use crate::text::TokenTable;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::time::Duration;

/// Time a letter of a word takes at an ordinary speaking rate, for the extent of words whose peaks are narrower.
const LETTER: Duration = Duration::from_millis(70);
/// Shortest extent that a word is given where its neighbours leave room.
const SHORTEST_WORD: Duration = Duration::from_millis(200);

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
    /// `None` without words.
    pub(crate) fn new(words: Vec<Word>) -> Option<Self> {
        let (start, end) = (words.first()?.start, words.last()?.end);
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        Some(Segment { start, end, text, words, alternatives: Vec::new() })
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

/// Words of a segment's emissions; `frame` is the time from one output frame to the next.
///
/// CTC marks a word by narrow peaks inside it. A word reaches from its first peak to its last, widened on both sides to
/// 70 ms a letter (200 ms at least) where its neighbours leave room; where two words meet, they meet half-way between
/// their peaks. Nothing reaches out of `within`, from the end of the last segment to what was heard so far.
pub(super) fn words(
    emissions: &[Emission],
    tokens: &TokenTable,
    calibration: &Calibration,
    frame: Duration,
    within: Range<Duration>,
) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut previous_peak = within.start;
    for group in emissions.chunk_by(|_, next| !tokens.begins_word(next.token)) {
        let text: String = group.iter().map(|emission| tokens.surface(emission.token)).collect();
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        if text.is_empty() {
            continue;
        }
        let time = |frames: u64| frame.mul_f64(frames as f64);
        let begin = time(first.first_frame).max(within.start);
        let end = time(last.last_frame + 1).min(within.end).max(begin);
        let nominal = LETTER.mul_f64(text.chars().count() as f64).max(SHORTEST_WORD);
        let widen = nominal.saturating_sub(end - begin) / 2;
        let mut start = begin.saturating_sub(widen).max(within.start);
        if let Some(previous) = words.last_mut()
            && previous.end > start
        {
            let middle = previous_peak + begin.saturating_sub(previous_peak) / 2;
            previous.end = previous.end.min(middle.max(previous_peak));
            start = start.max(middle).min(begin);
        }
        let mean = group.iter().map(|emission| emission.log_prob).sum::<f32>() / group.len() as f32;
        let confidence = calibration.apply(mean.exp().clamp(0.0, 1.0));
        words.push(Word { text, start, end: (end + widen).min(within.end), confidence });
        previous_peak = end;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_do_not_overlap_and_have_room() {
        let tokens = TokenTable::words(["one two ab"], 1).expect("tokens");
        let id = |text: &str| tokens.encode(text).expect("ids")[0];
        let at = |token, frame| Emission { token, first_frame: frame, last_frame: frame, log_prob: -0.5 };
        let emissions = [at(id("one"), 1), at(id("two"), 5), at(id("one"), 100)];
        let within = Duration::ZERO..Duration::from_secs(60);
        let words = words(&emissions, &tokens, &Calibration::default(), Duration::from_millis(30), within);
        let texts: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "one"]);
        assert_eq!(words[0].start, Duration::ZERO);
        assert!(words.windows(2).all(|pair| pair[0].end <= pair[1].start && pair[0].start < pair[0].end));
        assert_eq!(words[2].end - words[2].start, Duration::from_millis(210));
        assert!((words[0].confidence - (-0.5f32).exp()).abs() < 1e-6);
    }

    #[test]
    fn words_stay_within_their_segment_and_the_recording() {
        let tokens = TokenTable::words(["one two"], 1).expect("tokens");
        let ids = tokens.encode("one two").expect("ids");
        let at = |token, frame| Emission { token, first_frame: frame, last_frame: frame, log_prob: 0.0 };
        let ms = Duration::from_millis;
        let words =
            words(&[at(ids[0], 10), at(ids[1], 11)], &tokens, &Calibration::default(), ms(30), ms(290)..ms(350));
        let places: Vec<_> = words.iter().map(|word| (word.start, word.end)).collect();
        assert_eq!(places, [(ms(290), ms(330)), (ms(330), ms(350))]);
    }
}
