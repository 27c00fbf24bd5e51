//! Recordings that are given by themselves or by the folders that hold them.
//!
//! Layer 1.

use super::decode::STDIN;
use super::{AudioSource, RawFormat, Segment, open, open_stdin};
use crate::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Endings, in lower case, of the formats that are read.
const ENDINGS: [&str; 20] = [
    "aac", "aif", "aifc", "aiff", "caf", "flac", "m4a", "m4b", "mka", "mkv", "mov", "mp2", "mp3", "mp4", "oga", "ogg",
    "opus", "wav", "wave", "webm",
];

/// What a second of a part counts as, in bytes: speech at 16 kHz and 16 bits.
const PART_BYTES: u64 = 32_000;

/// What opening a recording counts as, in bytes of it.
const SHORTEST_BYTES: u64 = 4096;

/// What of its file a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The file.
    File,
    /// A part of it.
    Part {
        /// Where it begins.
        offset: Duration,
        /// How long it is; up to the end where this is not said.
        duration: Option<Duration>,
    },
    /// There is none: standard input, its samples as said here where they have no header.
    Stdin(Option<RawFormat>),
}

/// A recording and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// As it was given, or the given folder's path and what is below it.
    pub path: PathBuf,
    /// The given folder that holds it.
    pub below: Option<PathBuf>,
    /// From the root, links in its folder's path resolved: two recordings with the same, and the same origin, are one.
    pub absolute: PathBuf,
    /// What of the file it is.
    pub origin: Origin,
}

impl Recording {
    /// A file that was given by itself.
    pub fn file(path: PathBuf) -> Self {
        Recording::new(path, None)
    }

    /// A part of a file.
    pub fn part(path: PathBuf, offset: Duration, duration: Option<Duration>) -> Self {
        Recording { origin: Origin::Part { offset, duration }, ..Recording::new(path, None) }
    }

    /// Standard input, with a header or as `raw` says.
    pub fn stdin(raw: Option<RawFormat>) -> Self {
        let path = PathBuf::from(STDIN);
        Recording { absolute: path.clone(), path, below: None, origin: Origin::Stdin(raw) }
    }

    fn new(path: PathBuf, below: Option<&Path>) -> Self {
        let absolute = absolute(&path);
        Recording { path, below: below.map(Path::to_path_buf), absolute, origin: Origin::File }
    }

    /// What tells it from others: its path; of a part with its times in seconds, as a media fragment has them
    /// (`talk.wav#t=2.5,3.5`).
    pub fn label(&self) -> PathBuf {
        let Origin::Part { offset, duration } = self.origin else {
            return self.path.clone();
        };
        let mut label = self.path.clone().into_os_string();
        label.push(format!("#t={}", offset.as_secs_f64()));
        if let Some(duration) = duration {
            label.push(format!(",{}", (offset + duration).as_secs_f64()));
        }
        label.into()
    }

    /// Its audio.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(&self) -> Result<Box<dyn AudioSource>> {
        match self.origin {
            Origin::File => open(&self.path),
            Origin::Stdin(raw) => open_stdin(raw),
            Origin::Part { offset, duration } => {
                let duration = duration.map(|duration| duration.as_secs_f64());
                Ok(Box::new(Segment::new(open(&self.path)?, &self.path, offset.as_secs_f64(), duration)?))
            }
        }
    }

    /// Bytes of its file, of a part in proportion to its length; 0 where that is not known.
    pub fn bytes(&self) -> u64 {
        let all = || std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        match self.origin {
            Origin::Stdin(_) => 0,
            Origin::File => all(),
            Origin::Part { duration: Some(duration), .. } => all().min(PART_BYTES * duration.as_millis() as u64 / 1000),
            Origin::Part { .. } => all(),
        }
    }
}

/// The recordings that `inputs` name: files as they are, folders as the recordings in them (known by their endings,
/// hidden ones left out), sorted; with `recursive` in all folders below too; patterns with `*`, `?` and `[]` as what they
/// match. An input that is a folder without recordings, a folder that cannot be read, and a pattern that matches nothing
/// is told as a recording of its own: opening it says what is wrong.
pub fn find_recordings(inputs: &[PathBuf], recursive: bool) -> Vec<Recording> {
    let mut all = Vec::new();
    for input in &matched(inputs) {
        let mut found = Vec::new();
        if input.is_dir() {
            search(input, recursive, &mut found);
            found.sort();
        }
        if found.is_empty() {
            all.push(Recording::new(input.clone(), None));
        }
        all.extend(found.into_iter().map(|path| Recording::new(path, Some(input.as_path()))));
    }
    all
}

/// Whether a path that names no file is a pattern.
pub fn is_pattern(path: &Path) -> bool {
    !path.exists() && path.to_string_lossy().contains(['*', '?', '['])
}

/// Patterns as what they match, sorted.
fn matched(inputs: &[PathBuf]) -> Vec<PathBuf> {
    let matches = |input: &PathBuf| -> Vec<PathBuf> {
        let paths = is_pattern(input).then(|| glob::glob(&input.to_string_lossy()).ok()).flatten();
        let found: Vec<PathBuf> = paths.into_iter().flatten().filter_map(|path| path.ok()).collect();
        if found.is_empty() { vec![input.clone()] } else { found }
    };
    inputs.iter().flat_map(matches).collect()
}

/// Leaves out what was named before.
pub fn without_repeats(recordings: Vec<Recording>) -> Vec<Recording> {
    let mut known = HashSet::new();
    recordings.into_iter().filter(|recording| known.insert((recording.absolute.clone(), recording.origin))).collect()
}

/// Which of `recordings` are for worker `number` (from 1) of `workers`: the largest first, each to the worker with the
/// least so far, so that all have about as much to do. Every worker that sees the same files comes to the same.
pub fn shard(recordings: &[Recording], number: usize, workers: usize) -> Vec<bool> {
    let mut largest: Vec<(u64, usize)> =
        recordings.iter().enumerate().map(|(index, recording)| (recording.bytes(), index)).collect();
    largest.sort_by_key(|&(bytes, index)| (Reverse(bytes), &recordings[index].absolute));
    let mut loads: BTreeSet<(u64, usize)> = (1..=workers).map(|worker| (0, worker)).collect();
    let mut mine = vec![false; recordings.len()];
    for (bytes, index) in largest {
        let Some((load, worker)) = loads.pop_first() else { break };
        mine[index] = worker == number;
        // A recording costs something however short it is.
        loads.insert((load + bytes + SHORTEST_BYTES, worker));
    }
    mine
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
    fn patterns_are_what_they_match() {
        let folder = folder(&["b.wav", "a.wav", "c.flac", "[x].wav", "x/d.wav"]);
        let inputs = ["*.wav", "?.flac", "[x].wav", "none*", "*"].map(|name| folder.path().join(name));
        let found = find_recordings(&inputs, false);
        let everything = ["[x].wav", "a.wav", "b.wav", "c.flac", "x/d.wav"];
        let wanted = [&["[x].wav", "a.wav", "b.wav", "c.flac", "[x].wav", "none*"][..], &everything[..]].concat();
        assert_eq!(names(folder.path(), &found), wanted);
    }

    #[test]
    fn shards_share_all_recordings_by_size() {
        let folder = folder(&[]);
        let sizes = [9000, 10, 500_000, 490_000, 20_000, 30, 700_000, 0, 15_000, 350_000];
        let recordings: Vec<Recording> = (0..sizes.len())
            .map(|index| {
                let path = folder.path().join(format!("{index}.wav"));
                std::fs::write(&path, vec![0; sizes[index]]).expect("file");
                Recording::file(path)
            })
            .collect();
        for workers in 1..=12 {
            let shards: Vec<Vec<bool>> = (1..=workers).map(|number| shard(&recordings, number, workers)).collect();
            for index in 0..sizes.len() {
                assert_eq!(shards.iter().filter(|shard| shard[index]).count(), 1, "{index} of {workers}");
            }
            let loads = shards.iter().map(|shard| (0..sizes.len()).map(|i| usize::from(shard[i]) * sizes[i]).sum());
            let (least, most) = loads
                .fold((usize::MAX, 0), |(least, most): (usize, usize), load: usize| (least.min(load), most.max(load)));
            // No worker waits longer than the largest recording takes.
            assert!(
                most - least <= 700_000 && (workers > 2 || most - least < 100_000),
                "{least} to {most} of {workers}"
            );
        }
        let mut turned = recordings.clone();
        turned.reverse();
        let mine = |recordings: &[Recording]| -> BTreeSet<PathBuf> {
            let mine = shard(recordings, 2, 3);
            recordings.iter().zip(mine).filter(|(_, mine)| *mine).map(|(one, _)| one.path.clone()).collect()
        };
        assert_eq!(mine(&turned), mine(&recordings));
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
