//! What a batch run has done, so that a later one need not do it again.
//!
//! Layer 7. A journal is a file of JSON lines beside the transcripts, one line a recording, added once all of its files
//! are in place: a process killed at any moment leaves at most a recording done and not noted, or a last line that is cut
//! short, which is not read.

use crate::audio::{Origin, Recording};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Start and end of the names of journals.
const NAME: (&str, &str) = (".eddy-journal", ".jsonl");

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    recording: String,
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u64,
    settings: String,
    /// Its transcripts; bytes that are no UTF-8 are replaced.
    files: Vec<String>,
    /// What was missing at the recording's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    truncation: Option<String>,
    /// Why there are no transcripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// What an earlier run made of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// What was missing at the recording's end.
    pub truncation: Option<String>,
}

/// The journal of a run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    settings: String,
    known: Known,
}

/// Recording and settings.
type Key = (String, String);

/// What journals say.
#[derive(Debug, Default)]
struct Known {
    /// The last word on a recording with some settings; files of several runs together.
    entries: HashMap<Key, Entry>,
    /// Whose transcript a file is: what was last written there.
    owners: HashMap<String, Key>,
}

impl Known {
    fn add(&mut self, mut entry: Entry) {
        let key = (entry.recording.clone(), entry.settings.clone());
        self.owners.extend(entry.files.iter().map(|file| (file.clone(), key.clone())));
        if let Some(before) = self.entries.remove(&key)
            && entry.failed.is_none()
            && (before.bytes, before.modified) == (entry.bytes, entry.modified)
        {
            entry.files.extend(before.files);
        }
        self.entries.insert(key, entry);
    }
}

impl Journal {
    /// Opens the journal of `folder` for a run with `settings`, which stand for all that the transcripts depend on beside
    /// the recordings. `shard` of several workers has a journal of its own; all that lie there are read.
    ///
    /// # Errors
    /// When a journal cannot be read or written.
    pub fn open(folder: &Path, settings: &str, shard: Option<(usize, usize)>) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let mut known = Known::default();
        for path in journals(folder)? {
            let mut text = Vec::new();
            File::open(&path)
                .and_then(|mut file| file.read_to_end(&mut text))
                .map_err(|error| Error::io(&path, error))?;
            for line in text.split(|&byte| byte == b'\n') {
                // A line that was cut short says nothing.
                if let Ok(entry) = serde_json::from_slice::<Entry>(line) {
                    known.add(entry);
                }
            }
        }
        let own = shard.map_or(String::new(), |(number, workers)| format!("-{number}-of-{workers}"));
        let path = folder.join(format!("{}{own}{}", NAME.0, NAME.1));
        let io = |error| Error::io(&path, error);
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(io)?;
        if file.seek(SeekFrom::End(0)).map_err(io)? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(io)?;
            if last != *b"\n" {
                file.write_all(b"\n").map_err(io)?;
            }
        }
        Ok(Journal { path, file, settings: settings.to_string(), known })
    }

    /// What earlier runs made of a recording, where they wrote `files` with the same settings, they are still there, nothing
    /// else was written over them, and the recording has not changed since.
    pub fn earlier(&self, recording: &Recording, files: &[PathBuf]) -> Option<Earlier> {
        let key = (key(recording)?, self.settings.clone());
        let entry = self.known.entries.get(&key)?;
        let same = (entry.bytes, entry.modified) == state(recording)?;
        let own = |file: &String| entry.files.contains(file) && self.known.owners.get(file) == Some(&key);
        let whole = absolute(files).iter().all(own) && files.iter().all(|file| file.is_file());
        (same && whole && entry.failed.is_none()).then(|| Earlier { truncation: entry.truncation.clone() })
    }

    /// Notes that all files of a recording are in place.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn done(&mut self, recording: &Recording, files: &[PathBuf], truncation: Option<&str>) -> Result<()> {
        self.note(recording, absolute(files), truncation, None)
    }

    /// Notes why a recording has no files.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn failed(&mut self, recording: &Recording, reason: &str) -> Result<()> {
        self.note(recording, Vec::new(), None, Some(reason))
    }

    fn note(
        &mut self,
        recording: &Recording,
        files: Vec<String>,
        truncation: Option<&str>,
        failed: Option<&str>,
    ) -> Result<()> {
        // Standard input does not come again.
        let Some(key) = key(recording) else {
            return Ok(());
        };
        let (bytes, modified) = state(recording).unwrap_or_default();
        let (truncation, failed) = (truncation.map(str::to_string), failed.map(str::to_string));
        let entry =
            Entry { recording: key, bytes, modified, settings: self.settings.clone(), files, truncation, failed };
        let mut line = serde_json::to_vec(&entry).map_err(|error| Error::io(&self.path, error.into()))?;
        line.push(b'\n');
        // One write a line: workers that share a folder do not cut each other's.
        self.file.write_all(&line).map_err(|error| Error::io(&self.path, error))
    }
}

/// The journals in a folder, in the order they were written last.
fn journals(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |error| Error::io(folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(NAME.0) && name.ends_with(NAME.1) {
            found.push((entry.metadata().and_then(|metadata| metadata.modified()).ok(), entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// What a recording is called in a journal.
fn key(recording: &Recording) -> Option<String> {
    let path = recording.absolute.to_string_lossy();
    match recording.origin {
        Origin::File => Some(path.into_owned()),
        Origin::Part { offset, duration } => {
            Some(format!("{path} from {} ms, {:?} ms", offset.as_millis(), duration.map(|time| time.as_millis())))
        }
        Origin::Stdin(_) => None,
    }
}

/// Length in bytes and time of change.
fn state(recording: &Recording) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(&recording.path).ok()?;
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some((metadata.len(), u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)))
}

fn absolute(files: &[PathBuf]) -> Vec<String> {
    let resolved = |file: &PathBuf| {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        folder.join(file.file_name().unwrap_or_default()).to_string_lossy().into_owned()
    };
    files.iter().map(resolved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        folder: tempfile::TempDir,
        recording: Recording,
        files: Vec<PathBuf>,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().expect("folder");
        let files = ["a.txt", "a.srt"].map(|name| folder.path().join("out").join(name)).to_vec();
        std::fs::create_dir(folder.path().join("out")).expect("folder");
        files.iter().for_each(|file| std::fs::write(file, "a").expect("file"));
        let path = folder.path().join("a.wav");
        std::fs::write(&path, "sound").expect("file");
        Scene { recording: Recording::file(path), folder, files }
    }

    impl Scene {
        fn out(&self) -> PathBuf {
            self.folder.path().join("out")
        }

        fn journal(&self, settings: &str) -> Journal {
            Journal::open(&self.out(), settings, None).expect("journal")
        }

        fn is_done(&self, settings: &str) -> bool {
            self.journal(settings).earlier(&self.recording, &self.files).is_some()
        }
    }

    #[test]
    fn a_transcript_that_anothers_was_written_over_is_not_done() {
        let scene = scene();
        let mut journal = scene.journal("s");
        journal.done(&scene.recording, &scene.files, None).expect("noted");
        let path = scene.folder.path().join("b.wav");
        std::fs::write(&path, "sound").expect("file");
        let other = Recording::file(path);
        journal.done(&other, &scene.files[1..], None).expect("noted");
        assert!(!scene.is_done("s"));
        assert!(scene.journal("s").earlier(&other, &scene.files[1..]).is_some());
        journal.done(&scene.recording, &scene.files, None).expect("noted");
        assert!(scene.is_done("s"));
    }

    #[test]
    fn several_runs_files_count_together() {
        let scene = scene();
        for file in &scene.files {
            scene.journal("s").done(&scene.recording, std::slice::from_ref(file), None).expect("noted");
        }
        assert!(scene.is_done("s"));
        scene.journal("t").done(&scene.recording, &scene.files[..1], None).expect("noted");
        assert!(!scene.is_done("s"), "other settings wrote over one");
        assert!(scene.journal("s").earlier(&scene.recording, &scene.files[1..]).is_some());
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_are_noted() {
        use std::os::unix::ffi::OsStrExt;
        let scene = scene();
        let file = scene.out().join(std::ffi::OsStr::from_bytes(b"\xff.txt"));
        std::fs::write(&file, "a").expect("file");
        scene.journal("s").done(&scene.recording, std::slice::from_ref(&file), None).expect("noted");
        assert!(scene.journal("s").earlier(&scene.recording, &[file]).is_some());
    }

    #[test]
    fn what_is_done_is_known_until_something_changes() {
        let scene = scene();
        assert!(!scene.is_done("s"));
        let mut journal = scene.journal("s");
        journal.done(&scene.recording, &scene.files, Some("short")).expect("noted");
        let earlier = scene.journal("s").earlier(&scene.recording, &scene.files).expect("done");
        assert_eq!(earlier.truncation.as_deref(), Some("short"));
        assert!(!scene.is_done("other settings"));
        assert!(scene.journal("s").earlier(&scene.recording, &scene.files[..1]).is_some(), "fewer files");
        let more = [&scene.files[..], &[scene.out().join("a.vtt")]].concat();
        assert!(scene.journal("s").earlier(&scene.recording, &more).is_none(), "more files");
        std::fs::remove_file(&scene.files[1]).expect("removed");
        assert!(!scene.is_done("s"), "a file is gone");
        std::fs::write(&scene.files[1], "edited").expect("file");
        assert!(scene.is_done("s"));
        journal.failed(&scene.recording, "broken").expect("noted");
        assert!(!scene.is_done("s"), "the last word counts");
        journal.done(&scene.recording, &scene.files, None).expect("noted");
        std::fs::write(&scene.recording.path, "another").expect("file");
        assert!(!scene.is_done("s"), "another recording");
    }

    #[test]
    fn a_line_cut_short_costs_one_recording() {
        let scene = scene();
        scene.journal("s").done(&scene.recording, &scene.files, None).expect("noted");
        let path = scene.out().join(".eddy-journal.jsonl");
        let whole = std::fs::read(&path).expect("journal");
        for keep in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..keep]).expect("journal");
            assert!(!scene.is_done("s"), "{keep} bytes");
            scene.journal("s").done(&scene.recording, &scene.files, None).expect("noted");
            assert!(scene.is_done("s"), "after {keep} bytes");
        }
        std::fs::write(&path, [b"\0\0\xff\n", &whole[..]].concat()).expect("journal");
        assert!(scene.is_done("s"));
    }

    #[test]
    fn workers_read_each_others_journals() {
        let scene = scene();
        let mut worker = Journal::open(&scene.out(), "s", Some((2, 3))).expect("journal");
        worker.done(&scene.recording, &scene.files, None).expect("noted");
        assert!(scene.out().join(".eddy-journal-2-of-3.jsonl").is_file());
        let other = Journal::open(&scene.out(), "s", Some((1, 2))).expect("journal");
        assert!(other.earlier(&scene.recording, &scene.files).is_some());
        let mut journal = scene.journal("s");
        journal.done(&Recording::stdin(None), &scene.files, None).expect("nothing to note");
        assert!(journal.earlier(&Recording::stdin(None), &scene.files).is_none());
    }
}
