//! Live events as JSON lines; one object a line, times in seconds of the session's audio, rounded to milliseconds.
//!
//! - `{"event":"partial","at","committed":[WORD],"tentative":[WORD]}`: the current segment; committed words never change
//!   again, tentative ones may.
//! - `{"event":"final","at","start","end","text","words":[WORD]}`: a segment is over; with `"nbest":[{"text","log_prob"}]`
//!   where hypotheses were asked for.
//! - `{"event":"gap","at","lost"}`: audio was lost.
//! - `{"event":"end","at"}`: the session is over; `at` is its length.
//!
//! `WORD` is `{"word","start","end","confidence"}`. `at` is how much audio had been heard. No line depends on the clock or
//! the machine: the same audio gives the same bytes. Fields may be added, never renamed.

use super::json::{AlternativeObject, WordObject, alternative_objects, seconds, word_object};
use crate::transcript::{Event, Word};
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventObject<'a> {
    Partial {
        at: f64,
        committed: Vec<WordObject>,
        tentative: Vec<WordObject>,
    },
    Final {
        at: f64,
        start: f64,
        end: f64,
        text: &'a str,
        words: Vec<WordObject>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        nbest: Vec<AlternativeObject>,
    },
    Gap {
        at: f64,
        lost: f64,
    },
    End {
        at: f64,
    },
}

fn words(words: &[Word]) -> Vec<WordObject> {
    words.iter().map(word_object).collect()
}

fn line(object: &EventObject) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

/// An event as one JSON object without a line break; `at` is the audio heard when it became known.
pub fn event_line(at: Duration, event: &Event) -> String {
    let at = seconds(at);
    line(&match event {
        Event::Partial { committed, tentative } => {
            EventObject::Partial { at, committed: words(committed), tentative: words(tentative) }
        }
        Event::Final(segment) => EventObject::Final {
            at,
            start: seconds(segment.start),
            end: seconds(segment.end),
            text: &segment.text,
            words: words(&segment.words),
            nbest: alternative_objects(&segment.alternatives),
        },
        Event::Gap { lost } => EventObject::Gap { at, lost: seconds(*lost) },
    })
}

/// The last line of a session of this length.
pub fn end_line(at: Duration) -> String {
    line(&EventObject::End { at: seconds(at) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Alternative, Segment};

    #[test]
    fn the_lines_are_as_documented() {
        let ms = Duration::from_millis;
        let word = Word { text: "go".into(), start: ms(120), end: ms(540), confidence: 0.9 };
        let event = Event::Partial { committed: vec![], tentative: vec![word.clone()] };
        let object = r#"{"word":"go","start":0.12,"end":0.54,"confidence":0.9}"#;
        let wanted = format!(r#"{{"event":"partial","at":0.6,"committed":[],"tentative":[{object}]}}"#);
        assert_eq!(event_line(ms(600), &event), wanted);
        let segment =
            Segment { start: ms(120), end: ms(540), text: "go".into(), words: vec![word], alternatives: vec![] };
        let wanted = format!(r#"{{"event":"final","at":2.0,"start":0.12,"end":0.54,"text":"go","words":[{object}]}}"#);
        assert_eq!(event_line(ms(2000), &Event::Final(segment)), wanted);
        let other = Alternative { text: "no".into(), log_prob: -2.5 };
        let segment = Segment { start: ms(0), end: ms(0), text: "go".into(), words: vec![], alternatives: vec![other] };
        let wanted = r#"{"event":"final","at":2.0,"start":0.0,"end":0.0,"text":"go","words":[],"nbest":[{"text":"no","log_prob":-2.5}]}"#;
        assert_eq!(event_line(ms(2000), &Event::Final(segment)), wanted);
        let gap = Event::Gap { lost: ms(250) };
        assert_eq!(event_line(ms(1500), &gap), r#"{"event":"gap","at":1.5,"lost":0.25}"#);
        assert_eq!(end_line(ms(3001)), r#"{"event":"end","at":3.001}"#);
    }
}
