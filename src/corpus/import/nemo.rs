//! NeMo manifests: JSON lines with `audio_filepath`, `text`, `duration`, `offset`.
//!
//! Layer 4.

use super::lines::{first_line, lines, table};
use super::{Import, Imported};
use crate::error::Result;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Line {
    audio_filepath: PathBuf,
    text: String,
    duration: Option<f64>,
    offset: Option<f64>,
    speaker: Option<serde_json::Value>,
}

pub(super) fn read(path: &Path) -> Result<Import> {
    let table = table(path, &["json", "jsonl"], |file| first_line(file).contains("audio_filepath"))?;
    let folder = table.parent().unwrap_or(Path::new(".")).to_path_buf();
    let mut import = Import::default();
    for (number, line) in lines(&table, &mut import)? {
        match serde_json::from_str::<Line>(&line) {
            Ok(line) => import.utterances.push(Imported {
                audio: folder.join(line.audio_filepath),
                text: line.text,
                speaker: line.speaker.map(|speaker| speaker.as_str().map_or(speaker.to_string(), str::to_string)),
                offset: line.offset.filter(|&offset| offset > 0.0 || line.duration.is_some()),
                duration: line.duration,
                place: (table.clone(), number),
            }),
            Err(error) => import.problem((&table, number), format!("not a line of a NeMo manifest: {error}")),
        }
    }
    Ok(import)
}
