//! The formats by name.

use super::{csv, ctm, json_line, srt, text_lines, textgrid, vtt};
use crate::error::{Error, Result};
use crate::transcript::Transcript;
use std::path::Path;
use std::str::FromStr;

/// A format of transcript files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text, a line a segment.
    Text,
    /// One JSON object, see [`json_line`].
    Json,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// NIST's words with times.
    Ctm,
    /// Praat's tiers.
    TextGrid,
    /// A table of segments.
    Csv,
}

/// What a run chooses about the formats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// WebVTT with a time tag a word.
    pub word_times: bool,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 7] =
        [Format::Text, Format::Json, Format::Srt, Format::Vtt, Format::Ctm, Format::TextGrid, Format::Csv];

    /// Ending of its files, without the point; in lower case also its name.
    pub fn ending(self) -> &'static str {
        match self {
            Format::Text => "txt",
            Format::Json => "json",
            Format::Srt => "srt",
            Format::Vtt => "vtt",
            Format::Ctm => "ctm",
            Format::TextGrid => "TextGrid",
            Format::Csv => "csv",
        }
    }

    /// What a file of this format holds for the transcript of the recording `path`; `name` is the recording's name
    /// where the format has no room for a path (CTM).
    pub fn render(self, path: &Path, name: &str, transcript: &Transcript, options: RenderOptions) -> String {
        match self {
            Format::Text => text_lines(transcript),
            Format::Json => json_line(path, transcript) + "\n",
            Format::Srt => srt(transcript),
            Format::Vtt => vtt(transcript, options.word_times),
            Format::Ctm => ctm(name, transcript),
            Format::TextGrid => textgrid(transcript),
            Format::Csv => csv(path, transcript),
        }
    }
}

impl FromStr for Format {
    type Err = Error;

    /// By its ending, in any case.
    fn from_str(text: &str) -> Result<Self> {
        let found = Format::ALL.into_iter().find(|format| format.ending().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            let names = Format::ALL.map(|format| format.ending().to_ascii_lowercase());
            Error::invalid("format", text, format!("one of {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named_by_their_endings() {
        for format in Format::ALL {
            assert_eq!(format.ending().to_lowercase().parse::<Format>().expect("a format"), format);
        }
        assert_eq!("TextGrid".parse::<Format>().expect("a format"), Format::TextGrid);
        let message = "doc".parse::<Format>().expect_err("no format").to_string();
        assert_eq!(message, "format = doc: must be one of txt, json, srt, vtt, ctm, textgrid, csv");
    }

    #[test]
    fn silence_gives_files_that_are_whole() {
        let wanted = [
            (Format::Text, ""),
            (Format::Json, "{\"file\":\"a.wav\",\"text\":\"\",\"duration\":0.0,\"segments\":[]}\n"),
            (Format::Srt, ""),
            (Format::Vtt, "WEBVTT\n"),
            (Format::Ctm, ""),
            (Format::Csv, "file,start,end,text,confidence\r\n"),
        ];
        for (format, wanted) in wanted {
            let text = format.render(Path::new("a.wav"), "a", &Transcript::default(), RenderOptions::default());
            assert_eq!(text, wanted, "{format:?}");
        }
    }
}
