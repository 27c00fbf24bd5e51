//! Sentences that several manifests share. No fault, but an error rate on sentences of the training set says little.
//!
//! Layer 4.

use super::Line;
use std::collections::{BTreeMap, HashSet};

/// What two manifests have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSentences {
    /// The manifests' places in the list that was given.
    pub manifests: [usize; 2],
    /// Different normalized texts that both have.
    pub sentences: usize,
    /// Lines of each with such a text.
    pub lines: [usize; 2],
}

/// Every two of `manifests` that share a sentence.
pub(super) fn shared_sentences(lines: &[Line], manifests: usize) -> Vec<SharedSentences> {
    let mut counts: Vec<BTreeMap<&str, usize>> = vec![BTreeMap::new(); manifests];
    for line in lines {
        if let Some(text) = line.text() {
            *counts[line.manifest].entry(text).or_default() += 1;
        }
    }
    let pairs = (0..manifests).flat_map(|first| (first + 1..manifests).map(move |second| [first, second]));
    let shared = pairs.map(|pair| {
        let [first, second] = pair.map(|manifest| &counts[manifest]);
        let both: HashSet<&str> = first.keys().copied().filter(|text| second.contains_key(text)).collect();
        let lines = [first, second].map(|counts| both.iter().filter_map(|text| counts.get(text)).sum());
        SharedSentences { manifests: pair, sentences: both.len(), lines }
    });
    shared.filter(|shared| shared.sentences > 0).collect()
}
