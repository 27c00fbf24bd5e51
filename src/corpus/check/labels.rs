//! Texts against a token table, and against the length of their recordings.
//!
//! Layer 4.

use super::Line;
use super::finding::{FindingKind, Flaw};
use crate::audio::Resampler;
use crate::corpus::OutputRate;
use crate::text::TokenTable;
use std::collections::BTreeMap;

/// A character is rare if all texts together use it less often than this, and for less than one in [`RARE_OF`].
const RARE: usize = 10;
/// See [`RARE`]: in a short text every letter is used only a few times.
const RARE_OF: usize = 1000;

/// Texts that `tokens` cannot spell, and recordings too short for their labels.
pub(super) fn misfits(lines: &[Line], tokens: &TokenTable, rate: &OutputRate) -> Vec<Flaw> {
    let check = |(place, line): (usize, &Line)| {
        let utterance = line.utterance.as_ref().ok()?;
        let (kind, error) = match tokens.encode(utterance.text.as_deref().unwrap_or("")) {
            Err(error) => (FindingKind::UnknownCharacters, error),
            Ok(labels) => {
                let heard = line.heard.as_ref()?;
                let samples = Resampler::converted_length(heard.len(), heard.sample_rate, rate.sample_rate_hz());
                (FindingKind::TooShort, rate.check_length(samples as usize, &labels).err()?)
            }
        };
        Some(Flaw { line: place, kind, reason: error.to_string() })
    };
    lines.iter().enumerate().filter_map(check).collect()
}

/// How often the texts use each character; spaces are not counted.
pub(super) fn characters(lines: &[Line]) -> BTreeMap<char, usize> {
    let mut counts = BTreeMap::new();
    for character in lines.iter().filter_map(Line::text).flat_map(str::chars).filter(|c| !c.is_whitespace()) {
        *counts.entry(character).or_default() += 1;
    }
    counts
}

/// A note for each rare character, at the first line that has it.
pub(super) fn rare_characters(lines: &[Line], counts: &BTreeMap<char, usize>) -> Vec<Flaw> {
    let all: usize = counts.values().sum();
    let is_rare = |count: usize| count < RARE && count * RARE_OF < all;
    let note = |(character, count): (&char, &usize)| {
        let line = lines.iter().position(|line| line.text().is_some_and(|text| text.contains(*character)))?;
        let times = if *count == 1 { "once".to_string() } else { format!("{count} times") };
        let reason = format!("{character:?} occurs {times} in all texts, here first: too rare to be learned");
        Some(Flaw { line, kind: FindingKind::RareCharacter, reason })
    };
    counts.iter().filter(|(_, count)| is_rare(**count)).filter_map(note).collect()
}
