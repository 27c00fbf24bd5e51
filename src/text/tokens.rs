//! Token table: id <-> token, text -> ids, ids -> words. `tokens.txt` has one token a line, its id the line's number
//! from 0; the first is `<blank>`. A token that begins with `▁` begins a word (SentencePiece's mark); `▁` alone is
//! a separator between words. So one format holds letters, word pieces and whole words.
use crate::error::Result;
use std::path::Path;

/// Id of the CTC blank.
pub const BLANK: i64 = 0;

/// The tokens of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenTable {}
impl TokenTable {
    /// From tokens in order of id; the first must be `<blank>`.
    pub fn new(tokens: Vec<String>) -> Result<Self> {
        let _ = tokens;
        todo!()
    }
    /// Reads `tokens.txt`.
    pub fn load(path: &Path) -> Result<Self> {
        let _ = path;
        todo!()
    }
    /// Writes it.
    pub fn save(&self, path: &Path) -> Result<()> {
        let _ = path;
        todo!()
    }
    /// Letters: blank, `▁`, and every character of `texts` (normalized).
    pub fn characters<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let _: Vec<&str> = texts.into_iter().collect();
        todo!()
    }
    /// Every word seen at least `min_count` times as a token of its own, plus every character with and without `▁`
    /// (so any word over the known characters can be spelled).
    pub fn words<'a>(texts: impl IntoIterator<Item = &'a str>, min_count: usize) -> Result<Self> {
        let _: (Vec<&str>, usize) = (texts.into_iter().collect(), min_count);
        todo!()
    }
    /// Number of tokens, blank included.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Never true: there is always the blank.
    pub fn is_empty(&self) -> bool {
        false
    }
    /// The token of an id.
    pub fn token(&self, id: i64) -> Option<&str> {
        let _ = id;
        todo!()
    }
    /// Ids of a normalized text, by fewest tokens. Errors name the unknown character.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let _ = text;
        todo!()
    }
    /// Text of ids (no blanks or repeats among them): words joined by one space.
    pub fn decode(&self, ids: &[i64]) -> String {
        let _ = ids;
        todo!()
    }
    /// Whether token `id` begins a new word (begins with `▁`).
    pub fn begins_word(&self, id: i64) -> bool {
        let _ = id;
        todo!()
    }
    /// The letters a token adds to its word (`▁` left out).
    pub fn surface(&self, id: i64) -> &str {
        let _ = id;
        todo!()
    }
}
