//! Recordings that arguments name.

use crate::audio::{RawFormat, Recording, find_recordings};
use crate::corpus::manifest_recordings;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The recordings that `inputs` name, in order.
pub(in crate::cli) fn find(inputs: &[PathBuf], recursive: bool, raw: Option<RawFormat>) -> Result<Vec<Recording>> {
    if raw.is_some() && !inputs.iter().any(|input| is_stdin(input)) {
        anyhow::bail!("--raw is for standard input: name it with -");
    }
    let mut recordings = Vec::new();
    for input in inputs {
        if is_stdin(input) {
            recordings.push(Recording::stdin(raw));
        } else if input.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl")) {
            recordings.extend(manifest_recordings(input)?);
        } else {
            recordings.extend(find_recordings(std::slice::from_ref(input), recursive));
        }
    }
    Ok(recordings)
}

fn is_stdin(input: &Path) -> bool {
    input.as_os_str() == "-"
}
