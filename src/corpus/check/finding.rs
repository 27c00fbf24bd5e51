//! What the check finds.
//!
//! Layer 4.

use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// The kinds of findings, in the order in which they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Not a line of a manifest: no JSON object, no `audio`, a negative time.
    BadLine,
    /// No text, or none with words.
    EmptyText,
    /// A recording that is missing, no audio, cut short, or shorter than the part of it that is asked for.
    UnreadableAudio,
    /// A recording that is longer or shorter than the manifest says.
    WrongDuration,
    /// A text that the token table cannot spell.
    UnknownCharacters,
    /// Fewer output frames than labels and adjacent repeats.
    TooShort,
    /// The same sound as an earlier line, and the same text.
    Duplicate,
    /// The same sound as another line, with another text: one of them is wrong.
    ConflictingText,
    /// Far more or fewer characters a second than the rest of the manifest.
    OddRate,
    /// A note: a character that the texts hardly ever use.
    RareCharacter,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [FindingKind; 10] = [
        FindingKind::BadLine,
        FindingKind::EmptyText,
        FindingKind::UnreadableAudio,
        FindingKind::WrongDuration,
        FindingKind::UnknownCharacters,
        FindingKind::TooShort,
        FindingKind::Duplicate,
        FindingKind::ConflictingText,
        FindingKind::OddRate,
        FindingKind::RareCharacter,
    ];

    /// Its name, in text and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::BadLine => "bad-line",
            FindingKind::EmptyText => "empty-text",
            FindingKind::UnreadableAudio => "unreadable-audio",
            FindingKind::WrongDuration => "wrong-duration",
            FindingKind::UnknownCharacters => "unknown-characters",
            FindingKind::TooShort => "too-short",
            FindingKind::Duplicate => "duplicate",
            FindingKind::ConflictingText => "conflicting-text",
            FindingKind::OddRate => "odd-rate",
            FindingKind::RareCharacter => "rare-character",
        }
    }

    /// Whether a line with it is left out of a cleaned manifest; else it is a note.
    pub fn is_fault(self) -> bool {
        self != FindingKind::RareCharacter
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that was found in one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The manifest.
    pub manifest: PathBuf,
    /// Line number, from 1.
    pub line: usize,
    /// The recording, where the line names one.
    pub audio: Option<PathBuf>,
    /// What it is.
    pub kind: FindingKind,
    /// What is wrong, the value, and what is allowed.
    pub reason: String,
}

/// `manifest:line: recording: kind: reason`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.manifest.display(), self.line)?;
        if let Some(audio) = &self.audio {
            write!(f, "{}: ", audio.display())?;
        }
        write!(f, "{}: {}", self.kind, self.reason)
    }
}

/// A finding before it is told: the line's place among all lines.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flaw {
    pub line: usize,
    pub kind: FindingKind,
    pub reason: String,
}
