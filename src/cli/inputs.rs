//! Recordings that arguments name.

use crate::audio::{RawFormat, Recording, find_recordings};
use crate::corpus::manifest_recordings;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// What inputs name.
pub(in crate::cli) struct Found {
    /// In order.
    pub recordings: Vec<Recording>,
    /// Manifests that cannot be read, and lines of manifests that name none; each has been told on stderr.
    pub bad_lines: usize,
}

/// The recordings that `inputs` name.
pub(in crate::cli) fn find(inputs: &[PathBuf], recursive: bool, raw: Option<RawFormat>) -> Result<Found> {
    if raw.is_some() && !inputs.iter().any(|input| is_stdin(input)) {
        anyhow::bail!("--raw is for standard input: name it with -");
    }
    let (mut recordings, mut bad_lines) = (Vec::new(), 0);
    for input in inputs {
        if is_stdin(input) {
            recordings.push(Recording::stdin(raw));
        } else if input.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl")) {
            // A manifest that cannot be read counts as one that names nothing.
            for recording in manifest_recordings(input).unwrap_or_else(|error| vec![Err(error)]) {
                match recording {
                    Ok(recording) => recordings.push(recording),
                    Err(error) => {
                        eprintln!("eddy: {error}");
                        bad_lines += 1;
                    }
                }
            }
        } else {
            recordings.extend(find_recordings(std::slice::from_ref(input), recursive));
        }
    }
    Ok(Found { recordings, bad_lines })
}

fn is_stdin(input: &Path) -> bool {
    input.as_os_str() == "-"
}
