//! A transcript file that grows segment by segment and is readable at any moment: text, SRT, WebVTT, or JSON lines, by
//! the name's ending. A segment's subtitles are broken like those of a whole transcript.
//!
//! Behind the final segments stands what is committed of the one that is being said, so that a session which is killed
//! leaves it too. Text only ever grows; the other formats' last lines are written over as the segment goes on. A pipe gets
//! final segments alone.

use super::cues::Cue;
use super::events::event_line;
use super::placed::on_one_line;
use super::subtitles::{VTT_HEAD, segment_cues, srt_cue, vtt_cue};
use super::text::segment_line;
use crate::error::{Error, Result};
use crate::transcript::{Event, Segment, Word};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Formats of a growing transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Srt,
    Vtt,
    JsonLines,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("txt") => Ok(Format::Text),
            Some("srt") => Ok(Format::Srt),
            Some("vtt") => Ok(Format::Vtt),
            Some("jsonl") => Ok(Format::JsonLines),
            _ => {
                let allowed = "a name that ends in .txt, .srt, .vtt or .jsonl";
                Err(Error::invalid("transcript file", path.display(), allowed))
            }
        }
    }
}

/// A transcript that is written while the session runs.
#[derive(Debug)]
pub struct GrowingTranscript {
    path: PathBuf,
    file: File,
    format: Format,
    /// Whether what was written can be written over; a pipe cannot.
    seekable: bool,
    /// Cues of the final segments.
    cues: usize,
    /// Bytes up to the end of the last final segment.
    settled: u64,
    /// What stands behind them: the words committed of the next.
    unsettled: String,
    broken: bool,
}

impl GrowingTranscript {
    /// Creates `path`; its ending chooses the format: `.txt`, `.srt`, `.vtt` or `.jsonl` (final events as
    /// [`event_line`] writes them, and behind them a partial one where a segment is being said).
    ///
    /// # Errors
    /// When the ending is another one or the file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let format = Format::of(path)?;
        let file = File::create(path).map_err(|error| Error::io(path, error))?;
        let seekable = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let (path, unsettled) = (path.to_path_buf(), String::new());
        let mut transcript =
            GrowingTranscript { path, file, format, seekable, cues: 0, settled: 0, unsettled, broken: false };
        if format == Format::Vtt {
            transcript.write(VTT_HEAD.to_string())?;
            transcript.settle();
        }
        Ok(transcript)
    }

    /// Whether [`GrowingTranscript::create`] knows the format that the name asks for; nothing is created.
    ///
    /// # Errors
    /// Names the endings that it knows.
    pub fn check_name(path: &Path) -> Result<()> {
        Format::of(path).map(drop)
    }

    /// Takes in what became known when `at` of the audio had been heard: final segments for good, the committed words of
    /// partial results until then.
    ///
    /// # Errors
    /// When the file cannot be written, a full disk for example.
    pub fn take(&mut self, at: Duration, event: &Event) -> Result<()> {
        match event {
            Event::Partial { committed, .. } if self.seekable => self.write(self.unfinished(at, committed)),
            Event::Final(segment) => {
                let (text, cues) = match self.format {
                    Format::Text => (segment_line(&segment.text), 0),
                    Format::Srt | Format::Vtt => self.subtitles(segment),
                    Format::JsonLines => (format!("{}\n", event_line(at, event)), 0),
                };
                self.write(text)?;
                self.cues += cues;
                self.settle();
                Ok(())
            }
            Event::Partial { .. } | Event::Gap { .. } => Ok(()),
        }
    }

    /// The words of a segment that goes on, as they stand in the file.
    fn unfinished(&self, at: Duration, committed: &[Word]) -> String {
        let Some(segment) = Segment::new(committed.to_vec()) else {
            return String::new();
        };
        match self.format {
            // Without a line's end: what follows is added.
            Format::Text => on_one_line(&segment.text),
            Format::Srt | Format::Vtt => self.subtitles(&segment).0,
            Format::JsonLines => {
                let event = Event::Partial { committed: segment.words, tentative: Vec::new() };
                format!("{}\n", event_line(at, &event))
            }
        }
    }

    /// The segment's cues, numbered on where the format numbers them, and how many there are.
    fn subtitles(&self, segment: &Segment) -> (String, usize) {
        let cues = segment_cues(segment);
        let cue = |(index, cue): (usize, &Cue)| match self.format {
            Format::Srt => srt_cue(self.cues + 1 + index, cue),
            _ => vtt_cue(cue, false),
        };
        (cues.iter().enumerate().map(cue).collect(), cues.len())
    }

    /// Replaces what stands behind the final segments; bytes that are there already are not written again.
    fn write(&mut self, text: String) -> Result<()> {
        let same = text.bytes().zip(self.unsettled.bytes()).take_while(|(new, old)| new == old).count();
        let begin = self.settled + same as u64;
        let mut replace = || {
            if self.seekable {
                self.file.seek(SeekFrom::Start(begin))?;
            }
            self.file.write_all(&text.as_bytes()[same..])?;
            if text.len() < self.unsettled.len() {
                self.file.set_len(self.settled + text.len() as u64)?;
            }
            Ok(())
        };
        let replaced = replace();
        self.broken |= replaced.is_err();
        self.unsettled = text;
        replaced.map_err(|error| Error::io(&self.path, error))
    }

    /// What stands there stays.
    fn settle(&mut self) {
        self.settled += std::mem::take(&mut self.unsettled).len() as u64;
    }

    /// Whether a segment is missing because it could not be written.
    pub fn is_broken(&self) -> bool {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_grows_in_place() {
        let folder = tempfile::tempdir().expect("folder");
        let (start, end) = (Duration::from_millis(3_661_005), Duration::from_millis(3_662_500));
        let segment = Segment { start, end, text: "go on".into(), words: vec![], alternatives: vec![] };
        let vtt = "\n01:01:01.005 --> 01:01:02.500\ngo on\n";
        let json =
            "{\"event\":\"final\",\"at\":3663.0,\"start\":3661.005,\"end\":3662.5,\"text\":\"go on\",\"words\":[]}\n";
        for (name, head, first, second) in [
            ("a.txt", "", "go on\n", "go on\n"),
            ("a.srt", "", "1\n01:01:01,005 --> 01:01:02,500\ngo on\n\n", "2\n01:01:01,005 --> 01:01:02,500\ngo on\n\n"),
            ("a.vtt", "WEBVTT\n", vtt, vtt),
            ("a.jsonl", "", json, json),
        ] {
            let path = folder.path().join(name);
            let mut transcript = GrowingTranscript::create(&path).expect("created");
            let mut wanted = head.to_string();
            for cue in [first, second] {
                transcript.take(Duration::from_secs(3663), &Event::Final(segment.clone())).expect("taken");
                wanted.push_str(cue);
                assert_eq!(std::fs::read_to_string(&path).expect("readable"), wanted, "{name}");
            }
        }
    }

    #[test]
    fn committed_words_stand_in_the_file_until_their_segment_is_final() {
        let folder = tempfile::tempdir().expect("folder");
        let ms = Duration::from_millis;
        let word = |text: &str, at: u64| Word { text: text.into(), start: ms(at), end: ms(at + 400), confidence: 0.5 };
        let words = [word("go", 1000), word("forward", 1500), word("away", 2000)];
        let partial = |count: usize| Event::Partial { committed: words[..count].to_vec(), tentative: vec![] };
        let last = Event::Final(Segment::new(words.to_vec()).expect("words"));
        for name in ["a.txt", "a.srt", "a.vtt", "a.jsonl"] {
            let path = folder.path().join(name);
            let read = || std::fs::read_to_string(&path).expect("readable");
            let mut transcript = GrowingTranscript::create(&path).expect("created");
            let mut take = |event: &Event| {
                transcript.take(ms(3000), event).expect("taken");
                read()
            };
            let head = read();
            let (one, two) = (take(&partial(1)), take(&partial(2)));
            assert!(one.contains("go") && !one.contains("forward"), "{name}: {one}");
            assert!(two.contains("forward") && !two.contains("away"), "{name}: {two}");
            assert_eq!(take(&partial(0)), head, "{name}: taken back as a whole");
            take(&partial(2));
            let whole = take(&last);
            // As if nothing had stood there before.
            let fresh = folder.path().join(format!("fresh-{name}"));
            let mut direct = GrowingTranscript::create(&fresh).expect("created");
            direct.take(ms(3000), &last).expect("taken");
            assert_eq!(whole, std::fs::read_to_string(&fresh).expect("readable"), "{name}");
            let after = take(&partial(1));
            assert!(after.starts_with(&whole) && after.len() > whole.len(), "{name}: {after}");
            if name == "a.txt" {
                assert_eq!((one.as_str(), two.as_str(), after.as_str()), ("go", "go forward", "go forward away\ngo"));
            }
        }
    }

    #[test]
    fn other_endings_are_refused() {
        let message = GrowingTranscript::create(Path::new("a.doc")).expect_err("ending").to_string();
        assert!(message.contains("a.doc: must be a name that ends in .txt, .srt"), "{message}");
    }
}
