//! Kaldi data folders: `wav.scp`, `text`, and where there are any `utt2spk` and `segments`.
//!
//! Layer 4. Commands in `wav.scp` are refused, never run.

use super::lines::lines;
use super::{Import, Imported};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A line of `segments`.
struct Part {
    recording: String,
    start: f64,
    /// `None` is the recording's end.
    end: Option<f64>,
}

pub(super) fn read(folder: &Path) -> Result<Import> {
    for name in ["wav.scp", "text"] {
        if !folder.join(name).is_file() {
            return Err(Error::training(folder.join(name), "is missing: a Kaldi data folder needs wav.scp and text"));
        }
    }
    let mut import = Import::default();
    let wav_scp = folder.join("wav.scp");
    let mut recordings = HashMap::new();
    let mut refused = HashSet::new();
    for (number, id, rest) in entries(&wav_scp, &mut import)? {
        match recording(folder, &rest) {
            Ok(path) => drop(recordings.insert(id, path)),
            Err(reason) => {
                import.problem((&wav_scp, number), reason);
                refused.insert(id);
            }
        }
    }
    let speakers: HashMap<String, String> =
        optional(&folder.join("utt2spk"), &mut import)?.into_iter().map(|(_, id, speaker)| (id, speaker)).collect();
    let (parts, unusable) = parts(&folder.join("segments"), &mut import)?;
    let text = folder.join("text");
    let mut said = HashSet::new();
    for (number, id, words) in entries(&text, &mut import)? {
        said.insert(id.clone());
        let part = parts.get(&id);
        let recording = part.map_or(id.as_str(), |part| part.recording.as_str());
        if refused.contains(recording) || unusable.contains(&id) {
            continue;
        }
        let Some(audio) = recordings.get(recording) else {
            import.problem((&text, number), format!("{recording}: no such recording in wav.scp"));
            continue;
        };
        import.utterances.push(Imported {
            audio: audio.clone(),
            text: words,
            speaker: speakers.get(&id).cloned(),
            offset: part.map(|part| part.start),
            duration: part.and_then(|part| Some(part.end? - part.start)),
            place: (text.clone(), number),
        });
    }
    let listed = if parts.is_empty() { recordings.keys().collect::<Vec<_>>() } else { parts.keys().collect() };
    let mut silent: Vec<&String> = listed.into_iter().filter(|id| !said.contains(*id)).collect();
    silent.sort();
    for id in silent {
        import.problems.push(Error::training(&text, format!("no line for {id}: it has no text")).to_string());
    }
    Ok(import)
}

/// Lines of `id rest`.
fn entries(path: &Path, import: &mut Import) -> Result<Vec<(usize, String, String)>> {
    let cut = |(number, line): (usize, String)| {
        let line = line.trim();
        let (id, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        (number, id.to_string(), rest.trim().to_string())
    };
    Ok(lines(path, import)?.into_iter().map(cut).collect())
}

fn optional(path: &Path, import: &mut Import) -> Result<Vec<(usize, String, String)>> {
    if path.is_file() { entries(path, import) } else { Ok(Vec::new()) }
}

/// The file that an entry of `wav.scp` names, as it stands, from the folder, or from here.
fn recording(folder: &Path, entry: &str) -> Result<PathBuf, String> {
    if entry.ends_with('|') || entry == "-" || entry.is_empty() {
        let shown: String = entry.chars().take(60).collect();
        return Err(format!(
            "`{shown}` is a command or pipe, which is not run: write its output to a file and name that"
        ));
    }
    let path = PathBuf::from(entry);
    let inside = folder.join(&path);
    if inside.is_file() || !path.is_file() {
        let archive = entry.rsplit_once(':').is_some_and(|(_, offset)| offset.bytes().all(|b| b.is_ascii_digit()));
        if archive && !inside.is_file() {
            return Err(format!("`{entry}` is a place in an archive: copy its recordings to files first (wav-copy)"));
        }
        return Ok(inside);
    }
    Ok(path)
}

/// `segments`, and the utterances of its lines that cannot be used.
fn parts(path: &Path, import: &mut Import) -> Result<(HashMap<String, Part>, HashSet<String>)> {
    let (mut parts, mut unusable) = (HashMap::new(), HashSet::new());
    for (number, id, rest) in optional(path, import)? {
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let part = match fields.as_slice() {
            [recording, start, end, ..] => start.parse().ok().zip(end.parse().ok()).map(|(start, end)| Part {
                recording: recording.to_string(),
                start,
                end: (end != -1.0).then_some(end),
            }),
            _ => None,
        };
        let valid = |part: &Part| {
            part.start.is_finite()
                && part.start >= 0.0
                && part.end.is_none_or(|end| end.is_finite() && end > part.start)
        };
        match part.filter(valid) {
            Some(part) => drop(parts.insert(id, part)),
            None => {
                let reason = format!("{rest:?}: must be a recording, a start and a later end in seconds");
                import.problem((path, number), reason);
                unusable.insert(id);
            }
        }
    }
    Ok((parts, unusable))
}
