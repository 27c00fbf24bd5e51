//! Token table: id <-> token, text -> ids, ids -> words.
//!
//! Layer 3. `tokens.txt` has one token a line, its id the line's number from 0; the first is `<blank>`. A token that
//! begins with `▁` begins a word (SentencePiece's mark); `▁` alone parts words. So one format holds letters, word pieces
//! and whole words.

use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Id of the CTC blank.
pub const BLANK: i64 = 0;

const BLANK_TOKEN: &str = "<blank>";
/// Begins a word.
const MARK: char = '▁';

/// The tokens of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenTable {
    tokens: Vec<String>,
    ids: HashMap<String, i64>,
    /// Characters of the longest token.
    longest: usize,
}

impl TokenTable {
    /// From tokens in order of id.
    ///
    /// # Errors
    /// When the first is not `<blank>`, a token is empty or occurs twice, or there is only the blank.
    pub fn new(tokens: Vec<String>) -> Result<Self> {
        if tokens.first().map(String::as_str) != Some(BLANK_TOKEN) || tokens.len() < 2 {
            return Err(Error::invalid("tokens", tokens.len(), "at least two, the first `<blank>`"));
        }
        let mut ids = HashMap::new();
        for (id, token) in tokens.iter().enumerate() {
            if token.is_empty() || token.contains(char::is_whitespace) {
                return Err(Error::invalid(
                    format!("token {id}"),
                    format!("{token:?}"),
                    "not empty and without spaces",
                ));
            }
            if ids.insert(token.clone(), id as i64).is_some() {
                return Err(Error::invalid(format!("token {id}"), format!("{token:?}"), "listed once"));
            }
        }
        let longest = tokens.iter().skip(1).map(|token| token.chars().count()).max().unwrap_or(1);
        Ok(TokenTable { tokens, ids, longest })
    }

    /// Reads `tokens.txt`.
    ///
    /// # Errors
    /// When the file cannot be read or is no token table.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::new(text.lines().map(str::to_string).collect()).map_err(|error| Error::model(path, error.to_string()))
    }

    /// Writes it, atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        crate::error::write_atomically(path, (self.tokens.join("\n") + "\n").as_bytes())
    }

    /// Letters: blank, `▁`, and every character of the normalized `texts`, sorted.
    ///
    /// # Errors
    /// When the texts hold no character.
    pub fn characters<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let characters = characters_of(texts);
        let letters = characters.iter().map(char::to_string);
        Self::new([BLANK_TOKEN.to_string(), MARK.to_string()].into_iter().chain(letters).collect())
    }

    /// Every word seen at least `min_count` times as a token of its own, and every character at a word's begin and
    /// inside, so that any other word over the known characters can be spelled.
    ///
    /// # Errors
    /// When the texts hold no character.
    pub fn words<'a>(texts: impl IntoIterator<Item = &'a str> + Clone, min_count: usize) -> Result<Self> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for word in texts.clone().into_iter().flat_map(str::split_whitespace) {
            *counts.entry(word).or_default() += 1;
        }
        let characters = characters_of(texts);
        let frequent = counts.iter().filter(|(_, count)| **count >= min_count).map(|(word, _)| format!("{MARK}{word}"));
        let begins = characters.iter().map(|character| format!("{MARK}{character}"));
        let begins: BTreeSet<String> = frequent.chain(begins).collect();
        let inside = characters.iter().map(char::to_string);
        Self::new([BLANK_TOKEN.to_string()].into_iter().chain(begins).chain(inside).collect())
    }

    /// Every text as one token, sorted: the classes of a classifier.
    ///
    /// # Errors
    /// Names a text that is not one word.
    pub fn classes<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let classes: BTreeSet<&str> = texts.into_iter().collect();
        if let Some(text) = classes.iter().find(|text| text.contains(char::is_whitespace)) {
            return Err(Error::invalid("class", format!("{text:?}"), "one word"));
        }
        let tokens = classes.iter().map(|class| format!("{MARK}{class}"));
        Self::new([BLANK_TOKEN.to_string()].into_iter().chain(tokens).collect())
    }

    /// Word pieces: every character at a word's begin and inside, and the pieces that byte-pair encoding joins first
    /// (Sennrich et al. 2016, arXiv 1508.07909), `size` tokens with the blank; of equally frequent pairs the
    /// alphabetically first. Fewer when every word is one piece already.
    ///
    /// # Errors
    /// When the texts hold no character, or `size` has no room for the single ones.
    pub fn pieces<'a>(texts: impl IntoIterator<Item = &'a str> + Clone, size: usize) -> Result<Self> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for word in texts.clone().into_iter().flat_map(str::split_whitespace) {
            *counts.entry(word).or_default() += 1;
        }
        let characters = characters_of(texts);
        let begins = characters.iter().map(|character| format!("{MARK}{character}"));
        let mut pieces: BTreeSet<String> = begins.chain(characters.iter().map(char::to_string)).collect();
        if size <= pieces.len() {
            return Err(Error::invalid("pieces", size, format!("more than {}, the single characters", pieces.len())));
        }
        let mut words: Vec<(Vec<String>, usize)> = counts.iter().map(|(word, count)| (spelled(word), *count)).collect();
        while pieces.len() + 1 < size {
            let Some((left, right)) = most_frequent_pair(&words) else { break };
            let joined = left.clone() + &right;
            for (word, _) in &mut words {
                join_pairs(word, &left, &right, &joined);
            }
            pieces.insert(joined);
        }
        Self::new([BLANK_TOKEN.to_string()].into_iter().chain(pieces).collect())
    }

    /// Number of tokens, blank included.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never true: there is always the blank.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The token of an id.
    pub fn token(&self, id: i64) -> Option<&str> {
        self.tokens.get(usize::try_from(id).ok()?).map(String::as_str)
    }

    /// Ids of a normalized text, each word by the fewest tokens (of equals, the one with the longest first token).
    ///
    /// # Errors
    /// Names the word and its first character that no token covers.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let separator = self.ids.get(MARK.to_string().as_str()).copied();
        let mut ids = Vec::new();
        for word in text.split_whitespace() {
            let mut pieces = self.encode_word(word)?;
            if ids.is_empty() && pieces.first().copied() == separator && separator.is_some() {
                pieces.remove(0);
            }
            ids.extend(pieces);
        }
        Ok(ids)
    }

    /// Fewest tokens of `▁word`, from the right: `best[i]` counts the tokens from character `i` on.
    fn encode_word(&self, word: &str) -> Result<Vec<i64>> {
        let marked: Vec<char> = std::iter::once(MARK).chain(word.chars()).collect();
        let mut best: Vec<Option<(usize, i64, usize)>> = vec![None; marked.len()];
        for start in (0..marked.len()).rev() {
            let mut piece = String::new();
            for end in start + 1..=marked.len().min(start + self.longest) {
                piece.push(marked[end - 1]);
                let rest = if end == marked.len() { Some(0) } else { best[end].map(|(count, _, _)| count) };
                if let (Some(&id), Some(rest)) = (self.ids.get(&piece).filter(|&&id| id != BLANK), rest)
                    && best[start].is_none_or(|(count, _, _)| rest < count)
                {
                    best[start] = Some((rest + 1, id, end));
                }
            }
        }
        let mut ids = Vec::new();
        let mut at = 0;
        while at < marked.len() {
            let Some((_, id, end)) = best[at] else {
                return Err(self.unknown(word));
            };
            ids.push(id);
            at = end;
        }
        Ok(ids)
    }

    fn unknown(&self, word: &str) -> Error {
        let known = |character: &char| self.tokens.iter().skip(1).any(|token| token.contains(*character));
        match word.chars().find(|character| !known(character)) {
            Some(character) => Error::invalid(
                "text",
                format!("{word:?}"),
                format!("of characters in the token table: {character:?} is not"),
            ),
            None => Error::invalid("text", format!("{word:?}"), "a word that the token table can spell"),
        }
    }

    /// Text of ids (no blanks or repeats among them): words joined by one space.
    pub fn decode(&self, ids: &[i64]) -> String {
        let mut text = String::new();
        for &id in ids {
            if self.begins_word(id) && !text.is_empty() && !text.ends_with(' ') {
                text.push(' ');
            }
            text.push_str(self.surface(id));
        }
        text.trim_end().to_string()
    }

    /// Whether token `id` begins a new word.
    pub fn begins_word(&self, id: i64) -> bool {
        self.token(id).is_some_and(|token| token.starts_with(MARK))
    }

    /// The letters that a token adds to its word; none for the blank and for ids that there are not.
    pub fn surface(&self, id: i64) -> &str {
        if id == BLANK { "" } else { self.token(id).unwrap_or("").trim_start_matches(MARK) }
    }
}

/// A word as its characters, the first with the mark.
fn spelled(word: &str) -> Vec<String> {
    let mark =
        |(at, character): (usize, char)| if at == 0 { format!("{MARK}{character}") } else { character.to_string() };
    word.chars().enumerate().map(mark).collect()
}

/// The neighbours that occur together most often, and first in the alphabet among equals.
fn most_frequent_pair(words: &[(Vec<String>, usize)]) -> Option<(String, String)> {
    let mut pairs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (word, count) in words {
        for pair in word.windows(2) {
            *pairs.entry((&pair[0], &pair[1])).or_default() += count;
        }
    }
    let best = pairs.into_iter().max_by(|(a, times_a), (b, times_b)| times_a.cmp(times_b).then_with(|| b.cmp(a)));
    best.map(|((left, right), _)| (left.to_string(), right.to_string()))
}

/// Replaces every `left` that `right` follows by `joined`.
fn join_pairs(word: &mut Vec<String>, left: &str, right: &str, joined: &str) {
    let mut at = 0;
    while at + 1 < word.len() {
        if word[at] == left && word[at + 1] == right {
            word[at] = joined.to_string();
            word.remove(at + 1);
        }
        at += 1;
    }
}

fn characters_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<char> {
    texts.into_iter().flat_map(str::chars).filter(|character| !character.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_round_trip() {
        let table = TokenTable::characters(["go a", "it's"]).expect("table");
        for text in ["", "go", "a go it's"] {
            let ids = table.encode(text).expect("ids");
            assert_eq!(table.decode(&ids), text);
        }
        assert_eq!(table.encode("a go").expect("ids").len(), 4);
    }

    #[test]
    fn frequent_words_are_one_token_and_others_are_spelled() {
        let table = TokenTable::words(["one two one", "a one"], 2).expect("table");
        assert_eq!(table.encode("one").expect("ids").len(), 1);
        let spelled = table.encode("two one a").expect("ids");
        assert_eq!(spelled.len(), 3 + 1 + 1);
        assert_eq!(table.decode(&spelled), "two one a");
        let message = table.encode("three").expect_err("h is unknown").to_string();
        assert!(message.contains("'h'"), "{message}");
        assert!(table.encode("<blank>").is_err(), "the blank is no text");
    }

    /// The example of the paper: low, lower, newest, widest; its first merges are e+s, es+t, and two
    /// that make low (of l+o and o+w, equally frequent, the paper takes the other first).
    #[test]
    fn pieces_are_those_of_byte_pair_encoding() {
        let text = "low low low low low lower lower newest newest newest newest newest newest widest widest widest";
        let letters = 2 * 10 + 1;
        let table = TokenTable::pieces([text], letters + 4).expect("table");
        let joined: Vec<&str> = (1..table.len() as i64)
            .filter_map(|id| table.token(id))
            .filter(|token| token.trim_start_matches(MARK).chars().count() > 1)
            .collect();
        assert_eq!(joined, ["es", "est", "ow", "▁low"]);
        for (word, pieces) in [("low", 1), ("lower", 3), ("newest", 4), ("test", 2)] {
            let ids = table.encode(word).expect("ids");
            assert_eq!((ids.len(), table.decode(&ids).as_str()), (pieces, word));
        }
        assert!(TokenTable::pieces([text], 20).is_err(), "no room for the letters");
        assert!(TokenTable::pieces([text], 1000).expect("table").len() < 60, "there is no more to join");
    }

    #[test]
    fn the_file_round_trips_and_broken_ones_are_named() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("tokens.txt");
        let table = TokenTable::characters(["abc"]).expect("table");
        table.save(&path).expect("save");
        assert_eq!(TokenTable::load(&path).expect("load"), table);
        for text in ["", "a\nb\n", "<blank>\na\na\n", "<blank>\n\n"] {
            std::fs::write(&path, text).expect("write");
            assert!(TokenTable::load(&path).expect_err("broken").to_string().contains("tokens.txt"));
        }
    }
}
