//! Tables: Common Voice (TSV), DeepSpeech (CSV), LJSpeech (`metadata.csv` with bars).
//!
//! Layer 4.

use super::lines::{first_line, lines, table};
use super::{Import, Imported};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Places of columns by their names in a table's header.
///
/// # Errors
/// Names the first that is missing, and those there are.
fn columns<const N: usize>(path: &Path, header: &[&str], names: [&str; N]) -> Result<[usize; N]> {
    let mut places = [0; N];
    for (place, name) in places.iter_mut().zip(names) {
        *place = header
            .iter()
            .position(|column| *column == name)
            .ok_or_else(|| Error::training(path, format!("has no column `{name}` (it has: {})", header.join(", "))))?;
    }
    Ok(places)
}

pub(super) fn read_common_voice(path: &Path) -> Result<Import> {
    let has_sentences = |file: &Path| {
        let header = first_line(file);
        ["path", "sentence"].iter().all(|name| header.split('\t').any(|column| column == *name))
    };
    let table = table(path, &["tsv"], has_sentences)?;
    let clips = table.parent().unwrap_or(Path::new(".")).join("clips");
    let mut import = Import::default();
    let mut rows = lines(&table, &mut import)?.into_iter();
    let (_, header) = rows.next().ok_or_else(|| Error::training(&table, "is empty"))?;
    let header: Vec<&str> = header.split('\t').collect();
    let [name, sentence] = columns(&table, &header, ["path", "sentence"])?;
    let speaker = header.iter().position(|column| *column == "client_id");
    for (number, row) in rows {
        let fields: Vec<&str> = row.split('\t').collect();
        let (Some(&file), Some(&text), true) = (fields.get(name), fields.get(sentence), fields.len() >= header.len())
        else {
            let reason = format!("{} columns: must be {}, parted by tabs", fields.len(), header.len());
            import.problem((&table, number), reason);
            continue;
        };
        // The tables of 2019 leave the ending out.
        let whole = Path::new(file).extension().is_some();
        import.utterances.push(Imported {
            audio: clips.join(if whole { file.to_string() } else { format!("{file}.mp3") }),
            text: text.to_string(),
            speaker: speaker.map(|place| fields[place].to_string()).filter(|speaker| !speaker.is_empty()),
            offset: None,
            duration: None,
            place: (table.clone(), number),
        });
    }
    Ok(import)
}

pub(super) fn read_deepspeech(path: &Path) -> Result<Import> {
    let table = table(path, &["csv"], |file| first_line(file).contains("wav_filename"))?;
    let folder = table.parent().unwrap_or(Path::new(".")).to_path_buf();
    let reader = csv::ReaderBuilder::new().flexible(true).from_path(&table);
    let broken = |error: csv::Error| Error::training(&table, format!("not a CSV table: {error}"));
    let mut reader = reader.map_err(broken)?;
    let header = reader.headers().map_err(broken)?.clone();
    let header: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    let [name, transcript] = columns(&table, &header, ["wav_filename", "transcript"])?;
    let mut import = Import::default();
    for row in reader.records() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                let line = error.position().map_or(0, |position| position.line() as usize);
                import.problem((&table, line), format!("not a line of a CSV table: {error}"));
                continue;
            }
        };
        let number = row.position().map_or(0, |position| position.line() as usize);
        match (row.get(name), row.get(transcript)) {
            (Some(_), Some(text)) if text.contains('\n') => {
                let reason = "the transcript goes on over several lines: a quotation mark is not closed";
                import.problem((&table, number), reason);
            }
            (Some(file), Some(text)) => import.utterances.push(Imported {
                audio: folder.join(file),
                text: text.to_string(),
                speaker: None,
                offset: None,
                duration: None,
                place: (table.clone(), number),
            }),
            _ => import.problem((&table, number), format!("{} columns: must be {}", row.len(), header.len())),
        }
    }
    Ok(import)
}

pub(super) fn read_ljspeech(path: &Path) -> Result<Import> {
    let table = if path.is_file() { path.to_path_buf() } else { path.join("metadata.csv") };
    let wavs = table.parent().unwrap_or(Path::new(".")).join("wavs");
    let mut import = Import::default();
    for (number, row) in lines(&table, &mut import)? {
        let fields: Vec<&str> = row.split('|').collect();
        // The third column has numbers and abbreviations written out.
        let text = fields.get(2).or(fields.get(1)).map(|text| text.trim());
        let text = text.filter(|text| !text.is_empty()).or(fields.get(1).copied());
        let Some(text) = text else {
            import.problem((&table, number), "must be `id|text` or `id|text|normalized text`");
            continue;
        };
        let candidates: [PathBuf; 2] = ["wav", "flac"].map(|ending| wavs.join(format!("{}.{ending}", fields[0])));
        let audio = candidates.iter().find(|file| file.is_file()).unwrap_or(&candidates[0]).clone();
        let place = (table.clone(), number);
        import.utterances.push(Imported {
            audio,
            text: text.to_string(),
            speaker: None,
            offset: None,
            duration: None,
            place,
        });
    }
    Ok(import)
}
