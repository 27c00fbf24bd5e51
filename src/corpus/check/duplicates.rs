//! The same sound twice, within a manifest or across them.
//!
//! Layer 4. Files are compared by their bytes, so copies and links are found too; of one file, parts that differ are
//! different sounds.

use super::Line;
use super::finding::{FindingKind, Flaw};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

/// Characters of a text that a message shows.
const SHOWN: usize = 50;

/// Of lines with the same sound and text, all but the first; of those with several texts, all.
pub(super) fn duplicates(lines: &[Line], manifests: &[PathBuf]) -> Vec<Flaw> {
    let mut same: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, line) in lines.iter().enumerate() {
        if let Some(heard) = &line.heard {
            same.entry((&heard.digest, heard.samples.start, heard.samples.end)).or_default().push(place);
        }
    }
    let mut flaws = Vec::new();
    for places in same.into_values().filter(|places| places.len() > 1) {
        let texts: BTreeSet<Option<&str>> = places.iter().map(|&place| lines[place].text()).collect();
        match texts.len() {
            1 => flaws.extend(places[1..].iter().map(|&place| repeated(lines, manifests, place, places[0]))),
            _ => flaws.extend(places.iter().map(|&place| conflicting(lines, manifests, place, &places))),
        }
    }
    flaws
}

fn repeated(lines: &[Line], manifests: &[PathBuf], place: usize, first: usize) -> Flaw {
    let reason = format!("the same sound and text as {}", named(lines, manifests, place, first));
    Flaw { line: place, kind: FindingKind::Duplicate, reason }
}

fn conflicting(lines: &[Line], manifests: &[PathBuf], place: usize, places: &[usize]) -> Flaw {
    let own = lines[place].text();
    let other = places.iter().copied().find(|&other| lines[other].text() != own).unwrap_or(place);
    let (place_of_other, text) = (named(lines, manifests, place, other), shown(lines[other].text()));
    let reason = format!("{}, but {text} for the same sound at {place_of_other}", shown(own));
    Flaw { line: place, kind: FindingKind::ConflictingText, reason }
}

/// Manifest and line, and the file where it is another.
fn named(lines: &[Line], manifests: &[PathBuf], place: usize, other: usize) -> String {
    let line = &lines[other];
    let at = format!("{}:{}", manifests[line.manifest].display(), line.number);
    match (lines[place].audio(), line.audio()) {
        (own, Some(audio)) if own != Some(audio) => format!("{at} ({})", audio.display()),
        _ => at,
    }
}

fn shown(text: Option<&str>) -> String {
    match text {
        None => "no words".to_string(),
        Some(text) if text.chars().count() <= SHOWN => format!("{text:?}"),
        Some(text) => format!("{:?}...", text.chars().take(SHOWN).collect::<String>()),
    }
}
