//! Words on a grid of whole milliseconds, for the formats that cannot hold words that overlap or last no time.

use crate::transcript::{Segment, Transcript, Word};
use std::time::Duration;

/// A word with its place in whole milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlacedWord {
    /// The word, without line breaks or outer spaces; not empty.
    pub text: String,
    /// Start in ms.
    pub start_ms: u64,
    /// End in ms, above the start.
    pub end_ms: u64,
}

/// Whole milliseconds, rounded to the nearest.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from((time + Duration::from_micros(500)).as_millis()).unwrap_or(u64::MAX)
}

/// Spaces and line breaks within a text made single spaces.
pub(super) fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of each segment in order. None ends after the next begins, each lasts 1 ms at least: what a recognizer
/// says is only rounded, what cannot be is moved as little as possible. Segments without a word are left out.
pub(super) fn placed_words(segments: &[Segment]) -> Vec<Vec<PlacedWord>> {
    let mut placed: Vec<Vec<PlacedWord>> = Vec::new();
    let mut earliest = 0;
    for segment in segments {
        let mut words: Vec<PlacedWord> = Vec::new();
        for word in words_of(segment) {
            let text = on_one_line(&word.text);
            if text.is_empty() {
                continue;
            }
            let start_ms = milliseconds(word.start).max(earliest);
            let before = words.last_mut().or_else(|| placed.last_mut()?.last_mut());
            if let Some(before) = before {
                before.end_ms = before.end_ms.min(start_ms);
            }
            let end_ms = milliseconds(word.end).max(start_ms + 1);
            words.push(PlacedWord { text, start_ms, end_ms });
            earliest = start_ms + 1;
        }
        if !words.is_empty() {
            placed.push(words);
        }
    }
    placed
}

/// The recording's length in ms: no placed word goes on after it, and it is not 0.
pub(super) fn length_ms(transcript: &Transcript, placed: &[Vec<PlacedWord>]) -> u64 {
    let last = placed.last().and_then(|words| words.last()).map_or(1, |word| word.end_ms);
    milliseconds(transcript.duration).max(last)
}

/// The segment's words; where it has only a text, its words share the time by their letters.
fn words_of(segment: &Segment) -> Vec<Word> {
    if !segment.words.is_empty() {
        return segment.words.clone();
    }
    let texts: Vec<&str> = segment.text.split_whitespace().collect();
    let letters = |texts: &[&str]| texts.iter().map(|text| text.chars().count()).sum::<usize>();
    let all = letters(&texts).max(1) as f64;
    let length = segment.end.saturating_sub(segment.start);
    let at = |count: usize| segment.start + length.mul_f64(letters(&texts[..count]) as f64 / all);
    let word = |(index, text): (usize, &&str)| Word {
        text: (*text).to_string(),
        start: at(index),
        end: at(index + 1),
        confidence: 1.0,
    };
    texts.iter().enumerate().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start: u64, end: u64) -> Word {
        let ms = Duration::from_millis;
        Word { text: text.into(), start: ms(start), end: ms(end), confidence: 1.0 }
    }

    fn places(segments: &[Segment]) -> Vec<(String, u64, u64)> {
        placed_words(segments).into_iter().flatten().map(|word| (word.text, word.start_ms, word.end_ms)).collect()
    }

    #[test]
    fn ordinary_words_are_only_rounded() {
        let mut words = vec![word("a", 120, 540), word("b", 540, 900)];
        words[1].end = Duration::from_micros(900_500);
        let segment = Segment::new(words).expect("words");
        assert_eq!(places(&[segment]), [("a".into(), 120, 540), ("b".into(), 540, 901)]);
    }

    #[test]
    fn impossible_words_are_moved_as_little_as_possible() {
        let words = vec![word("a", 100, 700), word("b", 500, 500), word(" \n", 0, 0), word("c\nd", 400, 450)];
        let next = Segment::new(vec![word("e", 501, 501)]).expect("words");
        let first = Segment::new(words).expect("words");
        let wanted = [("a", 100, 500), ("b", 500, 501), ("c d", 501, 502), ("e", 502, 503)];
        assert_eq!(places(&[first, Segment::default(), next]), wanted.map(|(text, a, b)| (text.to_string(), a, b)));
    }

    #[test]
    fn a_text_without_words_shares_its_time_by_letters() {
        let ms = Duration::from_millis;
        let segment = Segment { start: ms(1000), end: ms(1800), text: "abc  defgh".into(), ..Default::default() };
        assert_eq!(places(&[segment]), [("abc".into(), 1000, 1300), ("defgh".into(), 1300, 1800)]);
    }

    #[test]
    fn the_length_holds_every_word() {
        let transcript = Transcript { duration: Duration::from_millis(500), ..Default::default() };
        assert_eq!(length_ms(&transcript, &[]), 500);
        assert_eq!(length_ms(&Transcript::default(), &[]), 1);
        let placed = placed_words(&[Segment::new(vec![word("a", 100, 700)]).expect("words")]);
        assert_eq!(length_ms(&transcript, &placed), 700);
    }
}
