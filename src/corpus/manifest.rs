//! JSON-lines manifests: what there is to train on and to score.
//!
//! Layer 4. A line is `{"audio", "text", "duration", "speaker"}`, `audio` relative to the manifest's folder. With
//! `offset` it is a part of the recording, `duration` long. A line with `kind` and no `text` is noise: trained on with
//! zero labels, never scored. Other keys are ignored.

use crate::audio::{self, AudioSource, Recording, Segment};
use crate::error::{Error, Result};
use crate::text::normalize;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One line of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// The recording.
    pub audio: PathBuf,
    /// Normalized text; `None` is noise without words.
    pub text: Option<String>,
    /// Length in seconds as the manifest states it; of a part of a recording, where that ends.
    pub duration: Option<f64>,
    /// Where the utterance begins in the recording, in seconds; `None` is the whole recording.
    pub offset: Option<f64>,
    /// Who speaks.
    pub speaker: Option<String>,
    /// Line in the manifest, from 1.
    pub line: usize,
}

impl Utterance {
    /// Its audio: the recording, or the part of it that `offset` and `duration` say.
    ///
    /// # Errors
    /// As [`audio::open`], and when offset or duration are no times.
    pub fn open(&self) -> Result<Box<dyn AudioSource>> {
        let source = audio::open(&self.audio)?;
        match self.offset {
            Some(offset) => Ok(Box::new(Segment::new(source, &self.audio, offset, self.duration)?)),
            None => Ok(source),
        }
    }
}

/// A manifest that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The file.
    pub path: PathBuf,
    /// Its lines in order.
    pub utterances: Vec<Utterance>,
    /// Lines that cannot be used, each an [`Error::Manifest`] in words.
    pub rejected: Vec<String>,
}

/// A line of a manifest as it stands there, and what it comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestLine {
    /// Line number, from 1.
    pub number: usize,
    /// The line.
    pub json: String,
    /// What it says, or why it cannot be used.
    pub utterance: Result<Utterance, BadLine>,
}

/// Why a line cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct BadLine {
    /// The recording, where the line names one.
    pub audio: Option<PathBuf>,
    /// What is wrong, and what is allowed.
    pub reason: String,
    /// Whether that is a text without words.
    pub empty_text: bool,
}

impl std::fmt::Display for BadLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.audio {
            Some(audio) => write!(f, "{}: {}", audio.display(), self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

#[derive(Deserialize)]
struct Line {
    audio: Option<PathBuf>,
    text: Option<String>,
    duration: Option<f64>,
    offset: Option<f64>,
    speaker: Option<String>,
    kind: Option<String>,
}

impl Manifest {
    /// Reads a manifest. Lines that cannot be used are collected in `rejected`, so that one bad line loses no other.
    ///
    /// # Errors
    /// When the file cannot be read or holds no usable line.
    pub fn read(path: &Path) -> Result<Self> {
        let mut manifest = Manifest { path: path.to_path_buf(), utterances: Vec::new(), rejected: Vec::new() };
        for line in Self::lines(path)? {
            match line.utterance {
                Ok(utterance) => manifest.utterances.push(utterance),
                Err(bad) => {
                    let (line, reason) = (line.number, bad.to_string());
                    let error = Error::Manifest { path: path.to_path_buf(), line, reason };
                    manifest.rejected.push(error.to_string());
                }
            }
        }
        if manifest.utterances.is_empty() {
            let first = manifest.rejected.first().map_or("it is empty", String::as_str);
            let reason = format!("no line of this manifest can be used: {first}");
            return Err(Error::Training { path: path.to_path_buf(), reason });
        }
        Ok(manifest)
    }

    /// Every line that is not blank, good or bad.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn lines(path: &Path) -> Result<Vec<ManifestLine>> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let read = |(number, json): (usize, Result<String, String>)| {
            let nameless = |reason| BadLine { audio: None, reason, empty_text: false };
            let utterance = json.as_ref().map_err(|reason| nameless(reason.clone()));
            let utterance = utterance.and_then(|json| parse(json, folder, number));
            ManifestLine { number, json: json.unwrap_or_default(), utterance }
        };
        Ok(numbered_lines(path)?.into_iter().map(read).collect())
    }
}

/// The recordings that a manifest names, whether or not it has texts for them; or of a line that names no recording or
/// no time, what is wrong with it.
///
/// # Errors
/// When the file cannot be read.
pub fn manifest_recordings(path: &Path) -> Result<Vec<Result<Recording>>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let recording = |(number, json): (usize, Result<String, String>)| {
        let bad = |reason: String| Error::Manifest { path: path.to_path_buf(), line: number, reason };
        let (audio, line) = json.and_then(|json| read_line(&json)).map_err(bad)?;
        let audio = folder.join(audio);
        let time = |what: &str, seconds: f64| {
            let reason = format!("`{what}` = {seconds}: must be at least 0 s");
            Duration::try_from_secs_f64(seconds).map_err(|_| bad(reason))
        };
        let Some(offset) = line.offset else {
            return Ok(Recording::file(audio));
        };
        let duration = line.duration.map(|duration| time("duration", duration)).transpose()?;
        Ok(Recording::part(audio, time("offset", offset)?, duration))
    };
    Ok(numbered_lines(path)?.into_iter().map(recording).collect())
}

/// Lines that are not blank with their numbers, from 1; of one that is no UTF-8, that.
pub(super) fn numbered_lines(path: &Path) -> Result<Vec<(usize, Result<String, String>)>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    // Editors on Windows put a mark before the first line.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let line = |line: &[u8]| match std::str::from_utf8(line) {
        Ok(line) => Ok(line.trim_end_matches('\r').to_string()),
        Err(_) => Err("is not UTF-8: convert the file, for example with `iconv`".to_string()),
    };
    let lines = bytes.split(|&byte| byte == b'\n').map(line).enumerate();
    let wanted = lines.filter(|(_, line)| line.as_ref().map_or(true, |line| !line.trim().is_empty()));
    Ok(wanted.map(|(index, line)| (index + 1, line)).collect())
}

/// The recording that a line names, and the rest of it; or why there is none.
fn read_line(json: &str) -> Result<(PathBuf, Line), String> {
    let mut line: Line =
        serde_json::from_str(json).map_err(|error| format!("not a JSON object of a manifest: {error}"))?;
    let audio = line.audio.take().filter(|audio| !audio.as_os_str().is_empty());
    Ok((audio.ok_or("`audio` is missing")?, line))
}

fn parse(line: &str, folder: &Path, number: usize) -> Result<Utterance, BadLine> {
    let nameless = |reason: String| BadLine { audio: None, reason, empty_text: false };
    let (audio, line) = read_line(line).map_err(nameless)?;
    let bad = |reason: String, empty_text| BadLine { audio: Some(audio.clone()), reason, empty_text };
    let text = match (line.text.as_deref().map(normalize), line.kind) {
        (Some(text), _) if !text.is_empty() => Some(text),
        (None, Some(_)) => None,
        (Some(_), _) => return Err(bad("`text` is empty".to_string(), true)),
        (None, None) => return Err(bad("`text` is missing (noise has a `kind`)".to_string(), true)),
    };
    let is_time = |time: &f64| time.is_finite() && *time >= 0.0;
    for (what, time) in [("offset", line.offset), ("duration", line.duration)] {
        if let Some(time) = time.filter(|time| !is_time(time)) {
            return Err(bad(format!("`{what}` = {time}: must be at least 0 s"), false));
        }
    }
    let Line { duration, offset, speaker, .. } = line;
    Ok(Utterance { audio: folder.join(audio), text, duration, offset, speaker, line: number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_bad_ones_named() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("m.jsonl");
        let lines = [
            r#"{"audio": "a.wav", "text": "GO, 2!", "duration": 1.5, "speaker": "x", "more": 1}"#,
            r#"{"audio": "n.wav", "kind": "rain"}"#,
            r#"{"audio": "b.wav", "text": " "}"#,
            r#"{"audio": "b.wav"}"#,
            r#"{"text": "go"}"#,
            "nonsense",
            r#"{"audio": "c.wav", "text": "go", "offset": -1}"#,
        ];
        let mut bytes = format!("\u{feff}{}\n", lines.join("\r\n")).into_bytes();
        bytes.extend(b"{\"audio\": \"d.wav\", \"text\": \"caf\xe9\"}");
        std::fs::write(&path, bytes).expect("write");
        let manifest = Manifest::read(&path).expect("manifest");
        assert_eq!(manifest.utterances[0].text.as_deref(), Some("go two"));
        assert_eq!(manifest.utterances[0].audio, folder.path().join("a.wav"));
        assert_eq!(manifest.utterances[1].text, None);
        assert_eq!(manifest.rejected.len(), 6);
        assert!(manifest.rejected[5].contains("m.jsonl:8: is not UTF-8"), "{}", manifest.rejected[5]);
        assert!(manifest.rejected[0].contains("m.jsonl:3: b.wav: `text` is empty"), "{}", manifest.rejected[0]);
        assert!(manifest.rejected[4].contains("`offset` = -1: must be at least 0 s"), "{}", manifest.rejected[4]);
        std::fs::write(&path, "\n").expect("write");
        assert!(Manifest::read(&path).is_err());
    }

    #[test]
    fn recordings_need_no_text() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("m.jsonl");
        let lines = [
            r#"{"audio": "a.wav"}"#,
            "",
            r#"{"audio": "/b.wav", "text": "go", "duration": 1.5}"#,
            r#"{"audio": "a.wav", "offset": 2.5, "duration": 1}"#,
        ];
        std::fs::write(&path, lines.join("\n")).expect("write");
        let a = folder.path().join("a.wav");
        let part = Recording::part(a.clone(), Duration::from_millis(2500), Some(Duration::from_secs(1)));
        let wanted = [Recording::file(a), Recording::file("/b.wav".into()), part];
        let found = manifest_recordings(&path).expect("manifest");
        assert_eq!(found.into_iter().collect::<Result<Vec<_>>>().expect("recordings"), wanted);
        for (line, wanted) in [
            ("nonsense", "m.jsonl:1: not a JSON object"),
            (r#"{"text": "go"}"#, "`audio` is missing"),
            (r#"{"audio": "a.wav", "offset": -1}"#, "`offset` = -1: must be at least 0 s"),
        ] {
            std::fs::write(&path, format!("{line}\n{{\"audio\": \"a.wav\"}}\n")).expect("write");
            let found = manifest_recordings(&path).expect("manifest");
            let message = found[0].as_ref().expect_err(line).to_string();
            assert!(message.contains(wanted), "{message}");
            assert!(found[1].is_ok(), "one bad line loses no other");
        }
    }
}
