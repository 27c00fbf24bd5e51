//! What leaves: a transcript as a line of text or of JSON.
//!
//! Layer 7.

use crate::recognizer::{Segment, Transcript, Word};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The text; after the path and a tab where one is given.
pub fn text_line(path: Option<&Path>, transcript: &Transcript) -> String {
    match path {
        Some(path) => format!("{}\t{}", path.display(), transcript.text()),
        None => transcript.text(),
    }
}

/// `{"file", "text", "duration", "segments": [{"start", "end", "text", "words": [{"word", "start", "end",
/// "confidence"}]}]}`; times in seconds, to the millisecond.
pub fn json_line(path: &Path, transcript: &Transcript) -> String {
    json!({
        "file": path.display().to_string(),
        "text": transcript.text(),
        "duration": seconds(transcript.duration),
        "segments": transcript.segments.iter().map(segment).collect::<Vec<_>>(),
    })
    .to_string()
}

fn segment(segment: &Segment) -> Value {
    json!({
        "start": seconds(segment.start),
        "end": seconds(segment.end),
        "text": segment.text,
        "words": segment.words.iter().map(word).collect::<Vec<_>>(),
    })
}

fn word(word: &Word) -> Value {
    json!({
        "word": word.text,
        "start": seconds(word.start),
        "end": seconds(word.end),
        "confidence": (f64::from(word.confidence) * 1000.0).round() / 1000.0,
    })
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
