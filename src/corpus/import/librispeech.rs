//! LibriSpeech: `SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt` with `ID TEXT` lines, `ID.flac` beside it.
//!
//! Layer 4. Source: Panayotov et al. 2015, "LibriSpeech"; the same layout serves LibriTTS-like and MLS-like sets.

use super::lines::lines;
use super::{Import, Imported};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Endings of recordings, the usual first.
const RECORDINGS: [&str; 5] = ["flac", "wav", "opus", "ogg", "mp3"];

pub(super) fn read(folder: &Path) -> Result<Import> {
    let mut transcripts = Vec::new();
    find(folder, &mut transcripts)?;
    transcripts.sort();
    if transcripts.is_empty() {
        return Err(Error::training(folder, "holds no *.trans.txt, at any depth: name the folder of the speakers"));
    }
    let mut import = Import::default();
    for path in transcripts {
        let beside = path.parent().unwrap_or(Path::new(".")).to_path_buf();
        for (number, line) in lines(&path, &mut import)? {
            let (id, text) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
            let candidates = RECORDINGS.iter().map(|ending| beside.join(format!("{id}.{ending}")));
            let audio = candidates.clone().find(|audio| audio.is_file());
            import.utterances.push(Imported {
                audio: audio.or_else(|| candidates.clone().next()).unwrap_or_default(),
                text: text.trim().to_string(),
                speaker: id.split('-').next().map(str::to_string),
                offset: None,
                duration: None,
                place: (path.clone(), number),
            });
        }
    }
    Ok(import)
}

fn find(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, into)?;
        } else if path.to_string_lossy().ends_with(".trans.txt") {
            into.push(path);
        }
    }
    Ok(())
}
