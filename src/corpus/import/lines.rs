//! What the readers share: lines of a text file, and the choice of a table in a folder.
//!
//! Layer 4.

use super::Import;
use crate::corpus::manifest::numbered_lines;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Numbered lines of a file that are not blank; those that are no UTF-8 become problems.
pub(super) fn lines(path: &Path, import: &mut Import) -> Result<Vec<(usize, String)>> {
    let mut lines = Vec::new();
    for (number, line) in numbered_lines(path)? {
        match line {
            Ok(line) => lines.push((number, line)),
            Err(reason) => import.problem((path, number), reason),
        }
    }
    Ok(lines)
}

/// The table that `path` is, or the only one in it that has one of the endings and that `suits`.
pub(super) fn table(path: &Path, endings: &[&str], suits: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    let entries = std::fs::read_dir(path).map_err(|error| Error::io(path, error))?;
    let is_table = |file: &PathBuf| file.extension().is_some_and(|kind| endings.iter().any(|ending| kind == *ending));
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_table).collect();
    found.retain(|file| suits(file));
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let endings: Vec<String> = endings.iter().map(|ending| format!(".{ending}")).collect();
            Err(Error::training(path, format!("holds no table of this kind ({})", endings.join(", "))))
        }
        several => {
            let names: Vec<String> = several.iter().map(|file| file.display().to_string()).collect();
            Err(Error::training(path, format!("holds several tables; name the one to import: {}", names.join(", "))))
        }
    }
}

/// First line of a file, empty where it cannot be read.
pub(super) fn first_line(path: &Path) -> String {
    let mut import = Import::default();
    let first = lines(path, &mut import).ok().and_then(|lines| lines.into_iter().next());
    first.map(|(_, line)| line).unwrap_or_default()
}
