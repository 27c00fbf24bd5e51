//! A transcript file that grows segment by segment and is readable at any moment: text, SRT, WebVTT, or JSON lines, by
//! the name's ending. A segment's subtitles are broken like those of a whole transcript.

use super::events::event_line;
use super::subtitles::{VTT_HEAD, segment_cues, srt_cue, vtt_cue};
use super::text::segment_line;
use crate::error::{Error, Result};
use crate::transcript::{Event, Segment};
use std::fs::File;
use std::io::Write;
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
    cues: usize,
    broken: bool,
}

impl GrowingTranscript {
    /// Creates `path`; its ending chooses the format: `.txt`, `.srt`, `.vtt` or `.jsonl` (final events as
    /// [`event_line`] writes them).
    ///
    /// # Errors
    /// When the ending is another one or the file cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let format = Format::of(path)?;
        let mut file = File::create(path).map_err(|error| Error::io(path, error))?;
        if format == Format::Vtt {
            file.write_all(VTT_HEAD.as_bytes()).map_err(|error| Error::io(path, error))?;
        }
        Ok(GrowingTranscript { path: path.to_path_buf(), file, format, cues: 0, broken: false })
    }

    /// Whether [`GrowingTranscript::create`] knows the format that the name asks for; nothing is created.
    ///
    /// # Errors
    /// Names the endings that it knows.
    pub fn check_name(path: &Path) -> Result<()> {
        Format::of(path).map(drop)
    }

    /// Appends a segment that became final when `at` of the audio had been heard.
    ///
    /// # Errors
    /// When the file cannot be written, a full disk for example.
    pub fn append(&mut self, at: Duration, segment: &Segment) -> Result<()> {
        let text = match self.format {
            Format::Text => segment_line(&segment.text),
            Format::Srt => self.srt_cues(segment),
            Format::Vtt => segment_cues(segment).iter().map(|cue| vtt_cue(cue, false)).collect(),
            Format::JsonLines => format!("{}\n", event_line(at, &Event::Final(segment.clone()))),
        };
        let written = self.file.write_all(text.as_bytes());
        self.broken |= written.is_err();
        written.map_err(|error| Error::io(&self.path, error))
    }

    /// Whether a segment is missing because it could not be written.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// The segment's SubRip cues, numbered on.
    fn srt_cues(&mut self, segment: &Segment) -> String {
        let cues = segment_cues(segment);
        let first = self.cues + 1;
        self.cues += cues.len();
        cues.iter().enumerate().map(|(index, cue)| srt_cue(first + index, cue)).collect()
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
                transcript.append(Duration::from_secs(3663), &segment).expect("appended");
                wanted.push_str(cue);
                assert_eq!(std::fs::read_to_string(&path).expect("readable"), wanted, "{name}");
            }
        }
        let message = GrowingTranscript::create(Path::new("a.doc")).expect_err("ending").to_string();
        assert!(message.contains("a.doc: must be a name that ends in .txt, .srt"), "{message}");
    }
}
