//! The cleaned manifest: good lines as they stand, their recordings' paths made valid from where it is written.
//!
//! Layer 4.

use super::Report;
use crate::corpus::relative_path;
use crate::error::{Error, Result, write_atomically};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::path::Path;

/// The value of `audio` where it stands in the line.
#[derive(Deserialize)]
struct AudioValue<'a> {
    #[serde(borrow)]
    audio: &'a RawValue,
}

impl Report {
    /// Writes the good lines of all manifests as one, atomically, every field but `audio` untouched.
    ///
    /// # Errors
    /// When there is no good line, `path` is one of the manifests, or it cannot be written.
    pub fn write_clean(&self, path: &Path) -> Result<()> {
        refuse_input(path, self.manifests.iter().map(|manifest| manifest.path.as_path()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut text = String::new();
        for line in self.lines.iter().filter(|line| line.is_good) {
            let Ok(utterance) = &line.utterance else { continue };
            text.push_str(&moved(&line.json, &utterance.audio, folder).map_err(|error| Error::io(path, error.into()))?);
            text.push('\n');
        }
        if text.is_empty() {
            return Err(Error::training(path, "not written: no good line is left"));
        }
        write_atomically(path, text.as_bytes())
    }
}

/// Whether `path` is none of `manifests`, links followed.
///
/// # Errors
/// Names the file.
pub fn refuse_input<'a>(path: &Path, manifests: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let Ok(output) = path.canonicalize() else { return Ok(()) };
    match manifests.into_iter().any(|manifest| manifest.canonicalize().is_ok_and(|manifest| manifest == output)) {
        true => Err(Error::training(path, "is one of the manifests to check: write to another file")),
        false => Ok(()),
    }
}

/// A line for a manifest in `folder`. An absolute path stays as it is.
fn moved(json: &str, audio: &Path, folder: &Path) -> serde_json::Result<String> {
    let value = serde_json::from_str::<AudioValue>(json)?.audio.get();
    let stated: String = serde_json::from_str(value)?;
    let path = relative_path(folder, audio).display().to_string();
    if Path::new(&stated).is_absolute() || stated == path {
        return Ok(json.trim().to_string());
    }
    // `value` is a part of `json`: where one begins in the other is the difference of their addresses.
    let start = value.as_ptr() as usize - json.as_ptr() as usize;
    let (before, after) = (&json[..start], &json[start + value.len()..]);
    Ok(format!("{before}{}{after}", serde_json::to_string(&path)?).trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_changes() {
        let root = tempfile::tempdir().expect("folder");
        let audio = root.path().join("clips/a b.wav");
        std::fs::create_dir_all(root.path().join("clips")).expect("made");
        std::fs::create_dir_all(root.path().join("lists")).expect("made");
        let line =
            |path: &str| format!(r#" {{"z": 1.50, "audio" : "{path}", "text":"\u00e9 \"x\"", "a":{{"audio":0}}}} "#);
        let to = |json: &str, folder: &str| moved(json, &audio, &root.path().join(folder)).expect("moved");
        assert_eq!(to(&line("clips/a b.wav"), ""), line("clips/a b.wav").trim());
        assert_eq!(to(&line("clips/a\\u0020b.wav"), "lists"), line("../clips/a b.wav").trim());
        let absolute = line(&audio.display().to_string());
        assert_eq!(to(&absolute, "lists"), absolute.trim());
    }
}
