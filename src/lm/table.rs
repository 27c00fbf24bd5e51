//! A model as plain arrays: what is read from and written to ARPA files.

use super::vocabulary::Vocabulary;
use super::{MAX_ORDER, WordId, key};
use crate::error::{Error, Result};
use std::path::Path;

/// log10 probability of what a model says nothing about: `<unk>`, `<s>` or `</s>` missing from an ARPA file.
pub(super) const FLOOR: f32 = -100.0;

/// No such n-gram.
pub(super) const NONE: u32 = u32::MAX;

/// The n-grams of one length, sorted by their words; those that continue the same (n-1)-gram are neighbours.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Level {
    /// Last word of each.
    pub words: Vec<WordId>,
    /// log10 probability of the last word after the others.
    pub log_probs: Vec<f32>,
    /// log10 of the back-off weight; 0 in the highest level.
    pub backoffs: Vec<f32>,
    /// Where the continuations of each begin in the next level, and where those of the last end. Empty in the highest
    /// level.
    pub first: Vec<u32>,
}

/// One n-gram to build a level from: its words as a forward key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub key: u128,
    pub log_prob: f32,
    pub backoff: f32,
}

/// A back-off n-gram model as plain arrays, with log10 values as in ARPA files.
#[derive(Debug, Clone, PartialEq)]
pub struct NgramTable {
    pub(super) vocabulary: Vocabulary,
    /// Index n-1 holds the n-grams; the unigrams are the whole vocabulary.
    pub(super) levels: Vec<Level>,
}

impl NgramTable {
    /// Longest n-gram.
    pub fn order(&self) -> usize {
        self.levels.len()
    }

    /// Number of n-grams of each length, shortest first.
    pub fn counts(&self) -> Vec<usize> {
        self.levels.iter().map(|level| level.words.len()).collect()
    }

    /// From the n-grams of each length in any order. Words without a unigram get [`FLOOR`]; a history that is no n-gram
    /// itself is put in with the probability that the model gives it and back-off weight 1.
    pub(super) fn build(vocabulary: Vocabulary, mut orders: Vec<Vec<Entry>>, name: &Path) -> Result<Self> {
        add_missing(&mut orders, &vocabulary);
        let mut table = NgramTable { vocabulary, levels: Vec::new() };
        for (length, entries) in orders.iter().enumerate() {
            if let Some(pair) = entries.windows(2).find(|pair| pair[0].key == pair[1].key) {
                let words = table.words_of(pair[0].key).join(" ");
                return Err(Error::model(name, format!("the {}-gram `{words}` is listed twice", length + 1)));
            }
            table.push_level(length, entries);
        }
        if let Some(level) = table.levels.last_mut() {
            level.first.clear();
            level.backoffs.fill(0.0);
        }
        Ok(table)
    }

    fn words_of(&self, key: u128) -> Vec<&str> {
        (0..MAX_ORDER).map_while(|place| key::word(key, place)).map(|id| self.vocabulary.word(id)).collect()
    }

    /// Adds sorted, distinct entries as the next level. Every history is in the level below.
    fn push_level(&mut self, length: usize, entries: &[Entry]) {
        let mut level = Level::default();
        for entry in entries {
            let last = key::word(entry.key, length).unwrap_or_default();
            let log_prob = if entry.log_prob.is_nan() { self.backed_off(entry.key, length) } else { entry.log_prob };
            level.words.push(last);
            level.log_probs.push(log_prob);
            level.backoffs.push(entry.backoff);
        }
        if length > 0 {
            self.link(length, entries);
        }
        level.first = vec![0; level.words.len() + 1];
        self.levels.push(level);
    }

    /// Tells the level below where its continuations begin. Both are in the same order, so one pass over both will do.
    fn link(&mut self, length: usize, entries: &[Entry]) {
        let parents: Vec<u32> = {
            let mut cursor = Cursor::new(&self.levels[..length]);
            entries.iter().map(|entry| cursor.seek(entry.key)).collect()
        };
        let first = &mut self.levels[length - 1].first;
        let mut next = 0;
        for (parent, first) in first.iter_mut().enumerate() {
            *first = next;
            while parents.get(next as usize) == Some(&(parent as u32)) {
                next += 1;
            }
        }
    }

    /// Nodes of the longest context to the shortest, then the probability: for a history that an ARPA file left out.
    fn backed_off(&self, key: u128, length: usize) -> f32 {
        let words: Vec<WordId> = (0..=length).filter_map(|place| key::word(key, place)).collect();
        self.log10_prob(&words[..length], words[length])
    }

    /// log10 probability of `word` after `history`, by the levels that there are.
    pub(super) fn log10_prob(&self, history: &[WordId], word: WordId) -> f32 {
        let mut backoff = 0.0;
        for start in 0..=history.len() {
            let context = &history[start..];
            let node = self.walk(context);
            if let Some(found) = node.and_then(|node| self.child(context.len(), node, word)) {
                return backoff + self.levels[context.len()].log_probs[found as usize];
            }
            if let (Some(node), true) = (node, !context.is_empty()) {
                backoff += self.levels[context.len() - 1].backoffs[node as usize];
            }
        }
        FLOOR
    }

    /// The node of an n-gram; of no words, 0.
    pub(super) fn walk(&self, words: &[WordId]) -> Option<u32> {
        words.iter().enumerate().try_fold(0, |node, (length, &word)| self.child(length, node, word))
    }

    /// The node of `word` after the n-gram `node` of `length` words.
    pub(super) fn child(&self, length: usize, node: u32, word: WordId) -> Option<u32> {
        if length == 0 {
            return ((word as usize) < self.vocabulary.len()).then_some(word);
        }
        let first = &self.levels.get(length - 1)?.first;
        let (start, end) = (*first.get(node as usize)?, *first.get(node as usize + 1)?);
        let words = &self.levels.get(length)?.words[start as usize..end as usize];
        words.binary_search(&word).ok().map(|at| start + at as u32)
    }
}

/// Sorts, and puts in unigrams of words and histories of n-grams that are not listed. The latter have the log-prob NaN
/// until the levels below are there to tell it.
fn add_missing(orders: &mut [Vec<Entry>], vocabulary: &Vocabulary) {
    for length in (0..orders.len()).rev() {
        orders[length].sort_unstable_by_key(|entry| entry.key);
        if length > 0 {
            let contexts: Vec<u128> = orders[length].iter().map(|entry| key::head(entry.key, length)).collect();
            put_in(&mut orders[length - 1], contexts, f32::NAN);
        }
    }
    let unigrams = (0..vocabulary.len() as WordId).map(|id| key::pack([id])).collect();
    if let Some(first) = orders.first_mut() {
        put_in(first, unigrams, FLOOR);
    }
}

/// Puts in those of `keys` (sorted) that `entries` lacks, and leaves `entries` sorted.
fn put_in(entries: &mut Vec<Entry>, mut keys: Vec<u128>, log_prob: f32) {
    keys.dedup();
    entries.sort_unstable_by_key(|entry| entry.key);
    let mut listed = entries.iter().map(|entry| entry.key).peekable();
    keys.retain(|key| {
        while listed.next_if(|other| other < key).is_some() {}
        listed.peek() != Some(key)
    });
    if !keys.is_empty() {
        entries.extend(keys.into_iter().map(|key| Entry { key, log_prob, backoff: 0.0 }));
        entries.sort_unstable_by_key(|entry| entry.key);
    }
}

/// Finds the histories of sorted n-grams one after another.
struct Cursor<'a> {
    levels: &'a [Level],
    /// Of each level, the node that the last n-gram went through.
    path: Vec<u32>,
    key: u128,
}

impl<'a> Cursor<'a> {
    fn new(levels: &'a [Level]) -> Self {
        Cursor { levels, path: vec![NONE; levels.len()], key: u128::MAX }
    }

    /// The node of `key`'s first words, as many as there are levels.
    fn seek(&mut self, key: u128) -> u32 {
        let mut changed = false;
        for (place, level) in self.levels.iter().enumerate() {
            changed |= key::word(key, place) != key::word(self.key, place);
            if !changed {
                continue;
            }
            let word = key::word(key, place).unwrap_or(NONE);
            self.path[place] = match place {
                0 => word,
                _ => {
                    let (parent, first) = (self.path[place - 1] as usize, &self.levels[place - 1].first);
                    let start = first.get(parent).copied().unwrap_or(0);
                    let end = first.get(parent + 1).copied().unwrap_or(start);
                    let found = level.words[start as usize..end as usize].binary_search(&word);
                    found.map_or(NONE, |at| start + at as u32)
                }
            };
        }
        self.key = key;
        self.path.last().copied().unwrap_or(NONE)
    }
}
