//! Manifests written, recordings named relative to the manifest's folder.
//!
//! Layer 4.

use super::import::Imported;
use crate::error::{Error, Result, write_atomically};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Line<'a> {
    audio: String,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<&'a str>,
}

/// Writes utterances as a manifest, atomically.
///
/// # Errors
/// When the file cannot be written.
pub fn write_manifest(path: &Path, utterances: &[Imported]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut text = String::new();
    for utterance in utterances {
        let line = Line {
            audio: relative_path(folder, &utterance.audio).display().to_string(),
            text: &utterance.text,
            duration: utterance.duration.map(milliseconds),
            offset: utterance.offset.map(milliseconds),
            speaker: utterance.speaker.as_deref(),
        };
        let line = serde_json::to_string(&line).map_err(|error| Error::io(path, error.into()))?;
        text.push_str(&line);
        text.push('\n');
    }
    write_atomically(path, text.as_bytes())
}

/// Seconds to the millisecond.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// `file` as seen from `folder`, with `..` where need be; absolute where the two have nothing in common.
pub fn relative_path(folder: &Path, file: &Path) -> PathBuf {
    let (folder, file) = (absolute(folder), absolute_file(file));
    let common = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    if common < 2 {
        return file;
    }
    let up = folder.components().skip(common).map(|_| "..");
    up.map(PathBuf::from).chain(std::iter::once(file.components().skip(common).collect())).collect()
}

fn absolute(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_path_buf())
}

/// The file's own name is kept: a link to a recording stays one.
fn absolute_file(file: &Path) -> PathBuf {
    let folder = absolute(file.parent().unwrap_or(Path::new("")));
    file.file_name().map_or(folder.clone(), |name| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_from_the_manifest_to_the_recording() {
        let root = tempfile::tempdir().expect("folder");
        let (lists, clips) = (root.path().join("lists"), root.path().join("clips/a"));
        std::fs::create_dir_all(&lists).expect("made");
        std::fs::create_dir_all(&clips).expect("made");
        assert_eq!(relative_path(root.path(), &clips.join("x.wav")), Path::new("clips/a/x.wav"));
        assert_eq!(relative_path(&lists, &clips.join("x.wav")), Path::new("../clips/a/x.wav"));
        assert_eq!(relative_path(&clips, &root.path().join("x.wav")), Path::new("../../x.wav"));
        assert_eq!(relative_path(Path::new("/nowhere/at"), Path::new("/all/x.wav")), Path::new("/all/x.wav"));
    }
}
