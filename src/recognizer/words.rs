//! From tokens to words with times.
//!
//! Layer 6.

use crate::ctc::Emission;
use crate::metrics::Calibration;
use crate::text::TokenTable;
use crate::transcript::Word;
use std::ops::Range;
use std::time::Duration;

/// Time a letter of a word takes at an ordinary speaking rate, for the extent of words whose peaks are narrower.
const LETTER: Duration = Duration::from_millis(70);
/// Shortest extent that a word is given where its neighbours leave room.
const SHORTEST_WORD: Duration = Duration::from_millis(200);

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
