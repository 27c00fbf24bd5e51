//! Praat's TextGrid in its long text form: tiers `words` and `segments`, gaps as empty intervals, from 0 to the
//! recording's length.
//!
//! Source: Praat manual, "TextGrid file formats".

use super::placed::{PlacedWord, length_ms, placed_words};
use crate::transcript::Transcript;
use std::fmt::Write;

/// A labelled stretch of a tier.
struct Interval {
    start_ms: u64,
    end_ms: u64,
    text: String,
}

/// The transcript as a TextGrid.
pub fn textgrid(transcript: &Transcript) -> String {
    let placed = placed_words(&transcript.segments);
    let end_ms = length_ms(transcript, &placed);
    let word = |word: &PlacedWord| Interval { start_ms: word.start_ms, end_ms: word.end_ms, text: word.text.clone() };
    let words = placed.iter().flatten().map(word).collect();
    let segments = placed.iter().filter_map(|words| segment(words)).collect();
    let tiers = [("words", words), ("segments", segments)];
    let mut out = format!(
        "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\nxmin = 0\nxmax = {}\ntiers? <exists>\nsize = {}\nitem []:\n",
        seconds(end_ms),
        tiers.len()
    );
    for (index, (name, intervals)) in tiers.into_iter().enumerate() {
        write_tier(&mut out, index + 1, name, &with_gaps(intervals, end_ms), end_ms);
    }
    out
}

fn segment(words: &[PlacedWord]) -> Option<Interval> {
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    Some(Interval { start_ms: words.first()?.start_ms, end_ms: words.last()?.end_ms, text })
}

/// The intervals and an empty one in every gap: a tier has no holes.
fn with_gaps(intervals: Vec<Interval>, end_ms: u64) -> Vec<Interval> {
    let mut all = Vec::new();
    let mut reached_ms = 0;
    let end = Interval { start_ms: end_ms, end_ms, text: String::new() };
    for interval in intervals.into_iter().chain([end]) {
        if interval.start_ms > reached_ms {
            all.push(Interval { start_ms: reached_ms, end_ms: interval.start_ms, text: String::new() });
        }
        reached_ms = interval.end_ms;
        if interval.end_ms > interval.start_ms {
            all.push(interval);
        }
    }
    all
}

fn write_tier(out: &mut String, number: usize, name: &str, intervals: &[Interval], end_ms: u64) {
    let (end, count) = (seconds(end_ms), intervals.len());
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "    item [{number}]:\n        class = \"IntervalTier\"\n        name = \"{name}\"\n        xmin = 0\n        xmax = {end}\n        intervals: size = {count}"
    );
    for (index, interval) in intervals.iter().enumerate() {
        let (start, end) = (seconds(interval.start_ms), seconds(interval.end_ms));
        let text = interval.text.replace('"', "\"\"");
        let number = index + 1;
        let _ = writeln!(
            out,
            "        intervals [{number}]:\n            xmin = {start}\n            xmax = {end}\n            text = \"{text}\""
        );
    }
}

/// Seconds as Praat writes them: no zeros at the end.
fn seconds(ms: u64) -> String {
    format!("{}", ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Segment, Word};
    use std::time::Duration;

    #[test]
    fn tiers_have_no_holes_and_quotes_are_doubled() {
        let ms = Duration::from_millis;
        let word = |text: &str, start, end| Word { text: text.into(), start: ms(start), end: ms(end), confidence: 1.0 };
        let words = vec![word("say", 0, 300), word("\"é\"", 500, 1250)];
        let transcript = Transcript { segments: vec![Segment::new(words).expect("words")], duration: ms(2000) };
        let wanted = r#"File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 2
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.3
            text = "say"
        intervals [2]:
            xmin = 0.3
            xmax = 0.5
            text = ""
        intervals [3]:
            xmin = 0.5
            xmax = 1.25
            text = """é"""
        intervals [4]:
            xmin = 1.25
            xmax = 2
            text = ""
    item [2]:
        class = "IntervalTier"
        name = "segments"
        xmin = 0
        xmax = 2
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1.25
            text = "say ""é"""
        intervals [2]:
            xmin = 1.25
            xmax = 2
            text = ""
"#;
        assert_eq!(textgrid(&transcript), wanted);
    }

    #[test]
    fn silence_is_one_empty_interval() {
        let silence = Transcript { duration: Duration::from_millis(1500), ..Default::default() };
        let grid = textgrid(&silence);
        assert_eq!(grid.matches("intervals: size = 1").count(), 2, "{grid}");
        assert_eq!(grid.matches("xmax = 1.5").count(), 5, "{grid}");
        assert!(textgrid(&Transcript::default()).contains("xmax = 0.001"), "an interval lasts some time");
    }
}
