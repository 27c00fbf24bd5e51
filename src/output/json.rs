//! JSON lines: one object a recording.
//!
//! `{"file", "text", "duration", "segments": [{"start", "end", "text", "words": [{"word", "start", "end",
//! "confidence"}]}]}`, and in each segment `"nbest": [{"text", "log_prob"}]` where asked for; times in seconds from the recording's start, rounded to milliseconds; confidence in `0..=1`,
//! rounded to three digits. Fields may be added, never renamed.

use crate::transcript::{Alternative, Segment, Transcript, Word};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

#[derive(Serialize)]
struct FileObject {
    file: String,
    text: String,
    duration: f64,
    segments: Vec<SegmentObject>,
}

#[derive(Serialize)]
struct SegmentObject {
    start: f64,
    end: f64,
    text: String,
    words: Vec<WordObject>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nbest: Vec<AlternativeObject>,
}

#[derive(Serialize)]
pub(super) struct AlternativeObject {
    text: String,
    log_prob: f64,
}

#[derive(Serialize)]
pub(super) struct WordObject {
    word: String,
    start: f64,
    end: f64,
    confidence: f64,
}

/// The transcript of `path` as one JSON object without a line break.
pub fn json_line(path: &Path, transcript: &Transcript) -> String {
    let object = FileObject {
        file: path.display().to_string(),
        text: transcript.text(),
        duration: seconds(transcript.duration),
        segments: transcript.segments.iter().map(segment_object).collect(),
    };
    serde_json::to_string(&object).unwrap_or_default()
}

fn segment_object(segment: &Segment) -> SegmentObject {
    SegmentObject {
        start: seconds(segment.start),
        end: seconds(segment.end),
        text: segment.text.clone(),
        words: segment.words.iter().map(word_object).collect(),
        nbest: alternative_objects(&segment.alternatives),
    }
}

pub(super) fn word_object(word: &Word) -> WordObject {
    WordObject {
        word: word.text.clone(),
        start: seconds(word.start),
        end: seconds(word.end),
        confidence: thousandths(f64::from(word.confidence)),
    }
}

pub(super) fn alternative_objects(alternatives: &[Alternative]) -> Vec<AlternativeObject> {
    let object =
        |other: &Alternative| AlternativeObject { text: other.text.clone(), log_prob: thousandths(other.log_prob) };
    alternatives.iter().map(object).collect()
}

pub(super) fn seconds(time: Duration) -> f64 {
    thousandths(time.as_secs_f64())
}

pub(super) fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_as_documented() {
        let (start, end) = (Duration::from_micros(120_400), Duration::from_micros(540_600));
        let words = vec![Word { text: "go".into(), start, end, confidence: 0.98765 }];
        let segments = vec![Segment { start, end, text: "go".into(), words, alternatives: Vec::new() }];
        let transcript = Transcript { segments, duration: Duration::from_millis(1500) };
        let wanted = concat!(
            r#"{"file":"a.wav","text":"go","duration":1.5,"segments":[{"start":0.12,"end":0.541,"text":"go","#,
            r#""words":[{"word":"go","start":0.12,"end":0.541,"confidence":0.988}]}]}"#
        );
        assert_eq!(json_line(Path::new("a.wav"), &transcript), wanted);
        let silence = json_line(Path::new("a \"b\"\n"), &Transcript::default());
        assert_eq!(silence, r#"{"file":"a \"b\"\n","text":"","duration":0.0,"segments":[]}"#);
    }
}
