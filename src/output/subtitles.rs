//! SubRip (SRT) and WebVTT.
//!
//! Cues are broken as `cues.rs` says. SRT has no escapes: its text is written as it is. Source: W3C, "WebVTT: The Web
//! Video Text Tracks Format", sections 4.1 and 4.2.

use super::cues::{Cue, cues};
use super::placed::{PlacedWord, length_ms, milliseconds, placed_words};
use crate::transcript::{Segment, Transcript};

/// First line of a WebVTT file.
pub(super) const VTT_HEAD: &str = "WEBVTT\n";

/// The transcript as a SubRip file.
pub fn srt(transcript: &Transcript) -> String {
    all_cues(transcript).iter().enumerate().map(|(index, cue)| srt_cue(index + 1, cue)).collect()
}

/// The transcript as a WebVTT file; with `word_times`, every word but a cue's first has a tag with its time.
pub fn vtt(transcript: &Transcript, word_times: bool) -> String {
    let cues: String = all_cues(transcript).iter().map(|cue| vtt_cue(cue, word_times)).collect();
    format!("{VTT_HEAD}{cues}")
}

/// The cues of a segment by itself: none stays after the segment's end.
pub(super) fn segment_cues(segment: &Segment) -> Vec<Cue> {
    cues(&placed_words(std::slice::from_ref(segment)), milliseconds(segment.end))
}

fn all_cues(transcript: &Transcript) -> Vec<Cue> {
    let placed = placed_words(&transcript.segments);
    cues(&placed, length_ms(transcript, &placed))
}

/// A SubRip cue with the blank line behind it.
pub(super) fn srt_cue(number: usize, cue: &Cue) -> String {
    let text = lines(cue, |word| word.text.clone());
    format!("{number}\n{} --> {}\n{text}\n\n", clock(cue.start_ms, ','), clock(cue.end_ms, ','))
}

/// A WebVTT cue with the blank line before it.
pub(super) fn vtt_cue(cue: &Cue, word_times: bool) -> String {
    let text = lines(cue, |word| {
        let text = escaped(&word.text);
        // A tag must lie within the cue: the first word needs none.
        let tagged = word_times && word.start_ms > cue.start_ms;
        if tagged { format!("<{}>{text}", clock(word.start_ms, '.')) } else { text }
    });
    format!("\n{} --> {}\n{text}\n", clock(cue.start_ms, '.'), clock(cue.end_ms, '.'))
}

fn lines(cue: &Cue, word: impl Fn(&PlacedWord) -> String) -> String {
    let line = |words: &Vec<PlacedWord>| words.iter().map(&word).collect::<Vec<_>>().join(" ");
    cue.lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The characters that WebVTT's cue text reserves, as entities.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `hh:mm:ss` and milliseconds behind `point`.
fn clock(ms: u64, point: char) -> String {
    let seconds = ms / 1000;
    format!("{:02}:{:02}:{:02}{point}{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Word;
    use std::time::Duration;

    fn transcript() -> Transcript {
        let ms = Duration::from_millis;
        let word = |text: &str, start, end| Word { text: text.into(), start: ms(start), end: ms(end), confidence: 1.0 };
        let first = vec![word("a<b", 1200, 1500), word("&", 1500, 1900), word("\"é\"", 2000, 3100)];
        let second = vec![word("-->", 3_661_005, 3_662_500)];
        let segments = [first, second].into_iter().filter_map(Segment::new).collect();
        Transcript { segments, duration: ms(3_663_000) }
    }

    #[test]
    fn srt_is_as_players_read_it() {
        let wanted =
            concat!("1\n00:00:01,200 --> 00:00:03,100\na<b & \"é\"\n\n", "2\n01:01:01,005 --> 01:01:02,500\n-->\n\n");
        assert_eq!(srt(&transcript()), wanted);
    }

    #[test]
    fn vtt_escapes_and_tags_words_on_request() {
        let wanted = concat!(
            "WEBVTT\n\n00:00:01.200 --> 00:00:03.100\na&lt;b &amp; \"é\"\n",
            "\n01:01:01.005 --> 01:01:02.500\n--&gt;\n"
        );
        assert_eq!(vtt(&transcript(), false), wanted);
        let tagged = "a&lt;b <00:00:01.500>&amp; <00:00:02.000>\"é\"\n";
        assert_eq!(vtt(&transcript(), true), wanted.replace("a&lt;b &amp; \"é\"\n", tagged));
    }

    #[test]
    fn a_segment_by_itself_ends_with_its_last_word() {
        let segment = &transcript().segments[0];
        let cues = segment_cues(segment);
        assert_eq!((cues.len(), cues[0].end_ms), (1, 3100));
        assert!(segment_cues(&Segment::default()).is_empty());
    }
}
