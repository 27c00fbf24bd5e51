//! Recordings that are given by themselves or by the folders that hold them.
//!
//! Layer 1.

use crate::error::{Error, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Endings, in lower case, of the formats that are read.
const ENDINGS: [&str; 20] = [
    "aac", "aif", "aifc", "aiff", "caf", "flac", "m4a", "m4b", "mka", "mkv", "mov", "mp2", "mp3", "mp4", "oga", "ogg",
    "opus", "wav", "wave", "webm",
];

/// A recording and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// As it was given, or the given folder's path and what is below it.
    pub path: PathBuf,
    /// The given folder that holds it.
    pub below: Option<PathBuf>,
    /// From the root, links in its folder's path resolved: two recordings with the same are one.
    pub absolute: PathBuf,
}

impl Recording {
    fn new(path: PathBuf, below: Option<&Path>) -> Self {
        let absolute = absolute(&path);
        Recording { path, below: below.map(Path::to_path_buf), absolute }
    }
}

/// The recordings that `inputs` name: files as they are, folders as the recordings in them (known by their endings,
/// hidden ones left out), sorted; with `recursive` in all folders below too. An input that is a folder without
/// recordings, and a folder that cannot be read, is told as a recording of its own: opening it says what is wrong.
pub fn find_recordings(inputs: &[PathBuf], recursive: bool) -> Vec<Recording> {
    let mut all = Vec::new();
    for input in inputs {
        let mut found = Vec::new();
        if input.is_dir() {
            search(input, recursive, &mut found);
            found.sort();
        }
        if found.is_empty() {
            all.push(Recording::new(input.clone(), None));
        }
        all.extend(found.into_iter().map(|path| Recording::new(path, Some(input))));
    }
    all
}

/// Leaves out what was named before.
pub fn without_repeats(recordings: Vec<Recording>) -> Vec<Recording> {
    let mut known = HashSet::new();
    recordings.into_iter().filter(|recording| known.insert(recording.absolute.clone())).collect()
}

/// Links to folders are not followed: they may lead in a circle.
fn search(folder: &Path, recursive: bool, found: &mut Vec<PathBuf>) {
    let Ok(entries) = entries(folder) else {
        found.push(folder.to_path_buf());
        return;
    };
    for (path, is_folder) in entries {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_folder && recursive && !hidden {
            search(&path, recursive, found);
        } else if !hidden && is_named_as_audio(&path) && path.is_file() {
            found.push(path);
        }
    }
}

/// What a folder holds, and which of it are folders.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, bool)>> {
    let io = |error| Error::io(folder, error);
    let entries = std::fs::read_dir(folder).map_err(io)?;
    entries.map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_dir()))).map_err(io)).collect()
}

fn is_named_as_audio(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The folder is resolved, the file not: a link to a recording is a recording of its own.
fn absolute(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    match (absolute.parent().and_then(|folder| folder.canonicalize().ok()), absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("folder");
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(path, "").expect("file");
        }
        folder
    }

    fn names(folder: &Path, recordings: &[Recording]) -> Vec<String> {
        let name = |recording: &Recording| recording.path.strip_prefix(folder).map(|path| path.display().to_string());
        recordings.iter().map(|recording| name(recording).expect("below the folder")).collect()
    }

    #[test]
    fn folders_give_their_recordings_sorted() {
        let files = ["b.WAV", "a.opus", "a.txt", ".hidden.wav", "x/c.flac", "x/y/d.mp3", "empty/e.txt", ".h/f.wav"];
        let folder = folder(&files);
        let root = folder.path().to_path_buf();
        let find = |recursive| find_recordings(std::slice::from_ref(&root), recursive);
        assert_eq!(names(&root, &find(false)), ["a.opus", "b.WAV"]);
        assert_eq!(names(&root, &find(true)), ["a.opus", "b.WAV", "x/c.flac", "x/y/d.mp3"]);
        assert!(find(true).iter().all(|recording| recording.below.as_ref() == Some(&root)));
    }

    #[test]
    fn files_and_empty_folders_are_passed_on_in_order() {
        let folder = folder(&["z.txt", "empty/e.txt"]);
        let inputs = ["z.txt", "empty", "missing.wav"].map(|name| folder.path().join(name));
        let found = find_recordings(&inputs, true);
        assert_eq!(names(folder.path(), &found), ["z.txt", "empty", "missing.wav"]);
        assert!(found.iter().all(|recording| recording.below.is_none()));
    }

    #[test]
    fn a_recording_named_in_two_ways_is_one() {
        let folder = folder(&["x/a.wav", "b.wav"]);
        let inputs = ["x/a.wav", "x", "x/../b.wav", "b.wav", "x/../x/a.wav"].map(|name| folder.path().join(name));
        let found = find_recordings(&inputs, false);
        assert_eq!(found.len(), 5);
        assert_eq!(names(folder.path(), &without_repeats(found)), ["x/a.wav", "x/../b.wav"]);
    }
}
