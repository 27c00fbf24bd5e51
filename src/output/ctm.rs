//! CTM, the words-with-times format of NIST's scoring tools: a line a word, `recording channel start duration word
//! confidence`, times in seconds.
//!
//! Source: NIST SCTK, `doc/infmts.htm`, "ctm".

use super::placed::milliseconds;
use crate::transcript::Transcript;

/// The transcript as a CTM file; `name` is the recording's name in it. Fields are separated by blanks, so blanks within
/// a name or a word become `_`.
pub fn ctm(name: &str, transcript: &Transcript) -> String {
    let name = field(name);
    let words = transcript.segments.iter().flat_map(|segment| &segment.words);
    let line = |word: &crate::transcript::Word| {
        let (start_ms, end_ms) = (milliseconds(word.start), milliseconds(word.end));
        let (start, duration) = (seconds(start_ms), seconds(end_ms.saturating_sub(start_ms)));
        format!("{name} 1 {start} {duration} {} {:.3}\n", field(&word.text), word.confidence)
    };
    words.map(line).collect()
}

fn field(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join("_");
    if joined.is_empty() { "_".to_string() } else { joined }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Segment, Word};
    use std::time::Duration;

    #[test]
    fn a_line_a_word_with_blanks_only_between_fields() {
        let us = Duration::from_micros;
        let words = vec![
            Word { text: "go".into(), start: us(120_400), end: us(540_600), confidence: 0.98765 },
            Word { text: "é <&> \"x\"".into(), start: us(3_600_000_000), end: us(3_600_250_000), confidence: 1.0 },
        ];
        let segments = vec![Segment::new(words).expect("words")];
        let transcript = Transcript { segments, duration: Duration::from_secs(3601) };
        let wanted = "my_talk 1 0.120 0.421 go 0.988\nmy_talk 1 3600.000 0.250 é_<&>_\"x\" 1.000\n";
        assert_eq!(ctm("my talk", &transcript), wanted);
        assert_eq!(ctm("a", &Transcript::default()), "");
    }
}
