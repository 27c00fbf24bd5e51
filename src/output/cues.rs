//! Subtitle cues from words: which words are shown together, on which lines, and for how long.
//!
//! A cue is of one segment, has at most two lines of 42 characters, holds no pause and lasts at most 7 s. Where that
//! leaves a choice, the cheapest division of the segment is taken (dynamic programming): full cues, breaks where the
//! speaker paused, time enough to read. A cue stays after its last word until it can be read at 21 characters a second,
//! 1 s at least, but never into the next one. A word of more than 42 characters is not cut: it has a line of its own.
//!
//! Source: the usual limits of subtitling guides (42 characters, 2 lines, 7 s, 17 to 21 characters a second).

use super::placed::PlacedWord;

/// Characters a line.
pub(super) const LINE_CHARS: usize = 42;
/// Characters a second that can be read.
const READING_RATE: u64 = 21;
/// Shortest time that a cue is shown, where the next one leaves room.
const SHORTEST_MS: u64 = 1000;
/// Longest time from a cue's first word to the end of its last.
const LONGEST_MS: u64 = 7000;
/// A pause that always ends a cue.
const PAUSE_MS: u64 = 800;

/// Words shown together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cue {
    /// Start of the first word.
    pub start_ms: u64,
    /// When the cue goes away.
    pub end_ms: u64,
    /// One line or two, each with a word at least.
    pub lines: Vec<Vec<PlacedWord>>,
}

/// The cues of segments of placed words; the last goes away at `end_ms` at the latest, but not within a word.
///
/// Cues are in order and do not overlap; their words, in order, are all the segments' words.
pub(super) fn cues(segments: &[Vec<PlacedWord>], end_ms: u64) -> Vec<Cue> {
    let mut cues: Vec<Cue> = Vec::new();
    for (index, words) in segments.iter().enumerate() {
        let next_ms = segments.get(index + 1).and_then(|next| next.first()).map_or(end_ms, |word| word.start_ms);
        let mut rest = words.as_slice();
        for count in division(words, next_ms) {
            let (shown, after) = rest.split_at(count);
            let limit_ms = after.first().map_or(next_ms, |word| word.start_ms);
            cues.extend(cue(shown, limit_ms));
            rest = after;
        }
    }
    cues
}

/// The cue of these words, gone at `limit_ms`; `None` without any.
fn cue(words: &[PlacedWord], limit_ms: u64) -> Option<Cue> {
    let (start_ms, last_ms) = (words.first()?.start_ms, words.last()?.end_ms);
    let wanted_ms = (start_ms + reading_ms(chars(words))).max(last_ms);
    let first_line = first_line(words).unwrap_or(words.len());
    let (first, second) = words.split_at(first_line);
    let lines = [first, second].into_iter().filter(|line| !line.is_empty()).map(<[_]>::to_vec).collect();
    Some(Cue { start_ms, end_ms: wanted_ms.min(limit_ms).max(last_ms), lines })
}

/// How many words each cue of a segment holds; `next_ms` is when the first cue after it may begin.
fn division(words: &[PlacedWord], next_ms: u64) -> Vec<usize> {
    // best[j]: cost of the cheapest division of the first j words, and where its last cue begins.
    let mut best = vec![(0.0, 0); words.len() + 1];
    for end in 1..=words.len() {
        let after_ms = words.get(end).map_or(next_ms, |word| word.start_ms);
        // A word alone always fits; the further back a cue begins, the less it does.
        let begins = (0..end).rev().take_while(|&begin| begin + 1 == end || fits(&words[begin..end]));
        let costs = begins.map(|begin| (best[begin].0 + cost(&words[begin..end], after_ms, end == words.len()), begin));
        best[end] = costs.min_by(|a: &(f64, usize), b| a.0.total_cmp(&b.0)).unwrap_or((f64::INFINITY, end - 1));
    }
    let mut counts = Vec::new();
    let mut end = words.len();
    while end > 0 {
        let begin = best[end].1;
        counts.push(end - begin);
        end = begin;
    }
    counts.reverse();
    counts
}

/// Whether these words may be one cue. Where they may not, no longer run that ends with them may.
fn fits(words: &[PlacedWord]) -> bool {
    let span_ms = words.last().map_or(0, |word| word.end_ms) - words.first().map_or(0, |word| word.start_ms);
    let pauses = words.windows(2).any(|pair| pause_ms(&pair[0], pair[1].start_ms) >= PAUSE_MS);
    !pauses && span_ms <= LONGEST_MS && first_line(words).is_some()
}

/// What these words cost as a cue before a word at `after_ms`: room left empty, a break without a pause, time that
/// reading lacks in seconds.
fn cost(words: &[PlacedWord], after_ms: u64, ends_segment: bool) -> f64 {
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return 0.0;
    };
    let chars = chars(words);
    let empty = 1.0 - (chars.min(2 * LINE_CHARS) as f64 / (2 * LINE_CHARS) as f64);
    let pause = pause_ms(last, after_ms).min(PAUSE_MS) as f64 / PAUSE_MS as f64;
    let hasty_ms = reading_ms(chars).saturating_sub(after_ms.saturating_sub(first.start_ms));
    empty * empty + if ends_segment { 0.0 } else { 1.0 - pause } + hasty_ms as f64 / 1000.0
}

/// Words on the first line: all where they fit on one, else so many that the lines' lengths differ least, the first one
/// the shorter; `None` where two lines do not hold them.
fn first_line(words: &[PlacedWord]) -> Option<usize> {
    let holds = |line: &[PlacedWord]| line.len() == 1 || chars(line) <= LINE_CHARS;
    if holds(words) {
        return Some(words.len());
    }
    let splits = (1..words.len()).filter(|&at| holds(&words[..at]) && holds(&words[at..]));
    splits.min_by_key(|&at| chars(&words[..at]).abs_diff(chars(&words[at..])))
}

/// Characters with the spaces between the words.
fn chars(words: &[PlacedWord]) -> usize {
    words.iter().map(|word| word.text.chars().count() + 1).sum::<usize>().saturating_sub(1)
}

/// Time that so many characters are shown.
fn reading_ms(chars: usize) -> u64 {
    (chars as u64 * 1000).div_ceil(READING_RATE).max(SHORTEST_MS)
}

fn pause_ms(word: &PlacedWord, next_ms: u64) -> u64 {
    next_ms.saturating_sub(word.end_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn word(text: &str, start_ms: u64, end_ms: u64) -> PlacedWord {
        PlacedWord { text: text.into(), start_ms, end_ms }
    }

    /// Words one after another, `ms` each.
    fn steady(text: &str, ms: u64) -> Vec<PlacedWord> {
        let word = |(index, text): (usize, &str)| word(text, index as u64 * ms, (index as u64 + 1) * ms);
        text.split(' ').enumerate().map(word).collect()
    }

    fn text_of(words: &[PlacedWord]) -> String {
        words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn shown(cues: &[Cue]) -> Vec<String> {
        let shown = |cue: &Cue| cue.lines.iter().map(|line| text_of(line)).collect::<Vec<_>>().join("|");
        cues.iter().map(shown).collect()
    }

    #[test]
    fn lines_are_balanced_and_the_first_is_the_shorter() {
        let words = steady("the eddy runs backwards in the stream that carries all the rest along", 300);
        let cues = cues(&[words], 10_000);
        assert_eq!(shown(&cues), ["the eddy runs backwards in the stream|that carries all the rest along"]);
        let short = super::cues(&[steady("aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj", 100)], 9000);
        assert_eq!(shown(&short), ["aaaa bbbb cccc dddd eeee|ffff gggg hhhh iiii jjjj"]);
    }

    /// Steady words with a pause of `ms` before word `at`.
    fn paused(text: &str, at: usize, ms: u64) -> Vec<PlacedWord> {
        let mut words = steady(text, 250);
        words
            .iter_mut()
            .skip(at)
            .for_each(|word| (word.start_ms, word.end_ms) = (word.start_ms + ms, word.end_ms + ms));
        words
    }

    #[test]
    fn cues_break_where_the_speaker_pauses() {
        let text = "we went to the river to look for it and it was gone and so we came back to the town and told them all of it";
        let first = |ms| shown(&cues(&[paused(text, 9, ms)], 60_000))[0].replace('|', " ");
        assert_eq!(first(600), "we went to the river to look for it");
        assert_eq!(first(0), "we went to the river to look for it and it was gone and", "even cues without a pause");
        let short = |ms| shown(&cues(&[paused("yes no", 1, ms)], 60_000));
        assert_eq!(
            (short(799).as_slice(), short(800).as_slice()),
            (&["yes no".to_string()][..], &["yes".into(), "no".into()][..])
        );
    }

    #[test]
    fn a_cue_stays_until_it_is_read_but_not_into_the_next() {
        let yes = |at| vec![word("yes", at, at + 200)];
        let ends =
            |segments: &[Vec<PlacedWord>], end| cues(segments, end).iter().map(|cue| cue.end_ms).collect::<Vec<_>>();
        assert_eq!(ends(&[yes(0), yes(5000)], 9000), [1000, 6000]);
        assert_eq!(ends(&[yes(0), yes(600)], 900), [600, 900]);
        // 79 characters in 1.2 s of speech: 3.8 s of reading.
        let fast = steady(&["seventeen"; 8].join(" "), 150);
        assert_eq!(text_of(&fast).len(), 79);
        assert_eq!(ends(&[fast], 60_000), [3762]);
    }

    #[test]
    fn a_word_longer_than_a_line_has_one_of_its_own() {
        let long = "a".repeat(60);
        let cues = cues(&[steady(&format!("say {long} now"), 400)], 10_000);
        assert_eq!(shown(&cues).join("+").replace(['|', '+'], " "), format!("say {long} now"));
        assert!(cues.iter().flat_map(|cue| &cue.lines).all(|line| line.len() == 1), "{cues:?}");
    }

    /// Segments of words of random lengths, speeds and pauses.
    fn random_segments(random: &mut ChaCha8Rng) -> Vec<Vec<PlacedWord>> {
        let mut at = random.random_range(0..3000);
        let speed = random.random_range(1..120);
        let mut segment = |random: &mut ChaCha8Rng| {
            let mut words = Vec::new();
            for _ in 0..random.random_range(1..60) {
                let long = random.random_range(0..40) == 0;
                let letters = if long { random.random_range(30..90) } else { random.random_range(1..12) };
                let end = at + 1 + letters as u64 * speed;
                words.push(PlacedWord { text: "é".repeat(letters), start_ms: at, end_ms: end });
                at = end + if random.random_range(0..6) == 0 { random.random_range(0..2000) } else { 0 };
            }
            words
        };
        (0..random.random_range(0..5)).map(|_| segment(random)).collect()
    }

    /// What is wrong with the cues.
    fn broken_law(segments: &[Vec<PlacedWord>], end_ms: u64, cues: &[Cue]) -> Option<String> {
        let words: Vec<PlacedWord> = cues.iter().flat_map(|cue| cue.lines.concat()).collect();
        if words != segments.concat() {
            return Some("words lost, added or moved".to_string());
        }
        for (index, cue) in cues.iter().enumerate() {
            let words = cue.lines.concat();
            let next_ms = cues.get(index + 1).map_or(end_ms, |next| next.start_ms);
            let span_ms = cue.end_ms - cue.start_ms;
            let laws = [
                (cue.lines.len() <= 2 && cue.lines.iter().all(|line| !line.is_empty()), "one line or two"),
                (cue.lines.iter().all(|line| line.len() == 1 || chars(line) <= LINE_CHARS), "42 characters"),
                (cue.start_ms == words[0].start_ms && cue.end_ms >= words[words.len() - 1].end_ms, "covers its words"),
                (cue.start_ms < cue.end_ms && cue.end_ms <= next_ms, "in order without overlap"),
                (words.len() == 1 || words[words.len() - 1].end_ms - cue.start_ms <= LONGEST_MS, "7 s at most"),
                (words.windows(2).all(|pair| pause_ms(&pair[0], pair[1].start_ms) < PAUSE_MS), "no pause within"),
                (span_ms >= reading_ms(chars(&words)) || cue.end_ms == next_ms, "time to read where there is any"),
                (segments.iter().any(|segment| segment.windows(words.len()).any(|part| part == words)), "one segment"),
            ];
            if let Some((_, law)) = laws.iter().find(|(holds, _)| !holds) {
                return Some(format!("{law}: {cue:?}"));
            }
        }
        None
    }

    #[test]
    fn the_laws_hold_for_whatever_is_said() {
        for seed in 0..400 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let segments = random_segments(&mut random);
            let last_ms = segments.last().and_then(|words| words.last()).map_or(0, |word| word.end_ms);
            let end_ms = last_ms + random.random_range(0..3000);
            let cues = cues(&segments, end_ms);
            assert_eq!(broken_law(&segments, end_ms, &cues), None, "seed {seed}");
        }
    }

    #[test]
    fn no_other_division_is_cheaper() {
        /// Cost of the cheapest division by trying all.
        fn cheapest(words: &[PlacedWord], next_ms: u64) -> f64 {
            let costs = (1..=words.len()).filter(|&count| count == 1 || fits(&words[..count])).map(|count| {
                let (shown, after) = words.split_at(count);
                let after_ms = after.first().map_or(next_ms, |word| word.start_ms);
                let rest = if after.is_empty() { 0.0 } else { cheapest(after, next_ms) };
                cost(shown, after_ms, after.is_empty()) + rest
            });
            costs.fold(f64::INFINITY, f64::min)
        }
        for seed in 0..100 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            for mut words in random_segments(&mut random) {
                words.truncate(14);
                let next_ms = words[words.len() - 1].end_ms + 500;
                let (mut total, mut rest) = (0.0, words.as_slice());
                for count in division(&words, next_ms) {
                    let (shown, after) = rest.split_at(count);
                    total += cost(shown, after.first().map_or(next_ms, |word| word.start_ms), after.is_empty());
                    rest = after;
                }
                assert!((total - cheapest(&words, next_ms)).abs() < 1e-9, "seed {seed}");
            }
        }
    }
}
