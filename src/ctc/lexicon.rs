//! How tokens spell words, and a trie of words by their letters.
//!
//! The trie is one of letters, not of tokens, so a word is found however the network cuts it into tokens. Nodes lie in
//! breadth-first order, the children of a node beside each other, sorted by letter. Used by the beam search and by
//! its hot words.

use crate::text::TokenTable;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// No node.
pub(super) const DEAD: u32 = u32::MAX;
/// Letters up to which children are looked through one by one.
const LINEAR: usize = 8;

/// The letters of every token, as small numbers.
#[derive(Debug, Clone)]
pub(super) struct Spelling {
    numbers: HashMap<char, u16>,
    letters: Vec<u16>,
    /// `letters[starts[token]..starts[token + 1]]` are a token's.
    starts: Vec<u32>,
    begins: Vec<bool>,
}

impl Spelling {
    pub fn new(tokens: &TokenTable) -> Self {
        let mut spelling =
            Spelling { numbers: HashMap::new(), letters: Vec::new(), starts: vec![0], begins: Vec::new() };
        for id in 0..tokens.len() as i64 {
            for letter in tokens.surface(id).chars() {
                let fresh = spelling.numbers.len() as u16;
                let number = *spelling.numbers.entry(letter).or_insert(fresh);
                spelling.letters.push(number);
            }
            spelling.starts.push(spelling.letters.len() as u32);
            spelling.begins.push(tokens.begins_word(id));
        }
        spelling
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.begins.len()
    }

    /// The number that stands for the border between two words; above all letters.
    pub fn border(&self) -> u16 {
        self.numbers.len() as u16
    }

    pub fn begins_word(&self, token: u32) -> bool {
        self.begins[token as usize]
    }

    pub fn letters(&self, token: u32) -> &[u16] {
        let token = token as usize;
        &self.letters[self.starts[token] as usize..self.starts[token + 1] as usize]
    }

    /// Appends a word's letters.
    ///
    /// # Errors
    /// The first character that no token has; `into` is then as it was.
    pub fn spell(&self, word: &str, into: &mut Vec<u16>) -> Result<(), char> {
        let before = into.len();
        for letter in word.chars() {
            let Some(&number) = self.numbers.get(&letter) else {
                into.truncate(before);
                return Err(letter);
            };
            into.push(number);
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
struct LexiconNode {
    /// First child; the next node's `first` ends them.
    first: u32,
    /// Id of the word that ends here, or [`DEAD`].
    word: u32,
    /// Best score of the words at and below the node.
    best: f32,
}

/// A trie of words, each with an id and a score.
#[derive(Debug)]
pub(super) struct Lexicon {
    nodes: Vec<LexiconNode>,
    /// The letter that leads to each node.
    labels: Vec<u16>,
}

/// Words for a [`Lexicon`], their letters one after another.
#[derive(Debug, Default)]
pub(super) struct LexiconWords {
    letters: Vec<u16>,
    /// Where in `letters` a word begins and ends, its id and score.
    words: Vec<(u32, u32, u32, f32)>,
}

impl LexiconWords {
    /// Adds the word that `spell` appends to the letters it is given; an empty word is left out.
    ///
    /// # Errors
    /// That of `spell`; nothing is added then.
    pub fn add<E>(&mut self, id: u32, score: f32, spell: impl FnOnce(&mut Vec<u16>) -> Result<(), E>) -> Result<(), E> {
        let start = self.letters.len();
        spell(&mut self.letters)?;
        if self.letters.len() > start {
            self.words.push((start as u32, self.letters.len() as u32, id, score));
        }
        Ok(())
    }

    /// The trie. Of words with the same letters the first added counts.
    pub fn build(mut self) -> Lexicon {
        let LexiconWords { letters, words } = &mut self;
        words.sort_by(|a, b| letters[a.0 as usize..a.1 as usize].cmp(&letters[b.0 as usize..b.1 as usize]));
        words.dedup_by(|b, a| letters[a.0 as usize..a.1 as usize] == letters[b.0 as usize..b.1 as usize]);
        let mut lexicon = Lexicon { nodes: Vec::new(), labels: vec![u16::MAX] };
        // Words below each node, in order of the nodes.
        let mut below: Vec<std::ops::Range<usize>> = Vec::new();
        below.push(0..words.len());
        let mut depth = 0;
        let mut level_end = 1;
        let mut node = 0;
        while node < below.len() {
            if node == level_end {
                (depth, level_end) = (depth + 1, below.len());
            }
            let mut range = below[node].clone();
            let (mut word, mut best) = (DEAD, f32::NEG_INFINITY);
            if let Some(&(start, end, id, score)) = words.get(range.start).filter(|_| !range.is_empty())
                && (end - start) as usize == depth
            {
                (word, best) = (id, score);
                range.start += 1;
            }
            lexicon.nodes.push(LexiconNode { first: below.len() as u32, word, best });
            while !range.is_empty() {
                let letter = |word: usize| letters[words[word].0 as usize + depth];
                let label = letter(range.start);
                let count = (range.clone()).take_while(|&word| letter(word) == label).count();
                lexicon.labels.push(label);
                below.push(range.start..range.start + count);
                range.start += count;
            }
            node += 1;
        }
        lexicon.close();
        lexicon
    }
}

impl Lexicon {
    /// Adds the end of the last node's children and lets the best scores rise.
    fn close(&mut self) {
        let count = self.nodes.len();
        for node in (0..count).rev() {
            let end = self.nodes.get(node + 1).map_or(count, |next| next.first as usize);
            let children = self.nodes[node].first as usize..end;
            let best = self.nodes[children].iter().fold(self.nodes[node].best, |best, child| best.max(child.best));
            self.nodes[node].best = best;
        }
        self.nodes.push(LexiconNode { first: count as u32, word: DEAD, best: f32::NEG_INFINITY });
    }

    /// Number of nodes; the root is 0.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Children of a node, as nodes.
    pub fn children(&self, node: u32) -> std::ops::Range<u32> {
        self.nodes[node as usize].first..self.nodes[node as usize + 1].first
    }

    /// The letter that leads to `node`.
    pub fn label(&self, node: u32) -> u16 {
        self.labels[node as usize]
    }

    /// The node that `letter` leads to; [`DEAD`] where there is none, and from there.
    pub fn step(&self, node: u32, letter: u16) -> u32 {
        if node == DEAD {
            return DEAD;
        }
        let children = self.children(node);
        let labels = &self.labels[children.start as usize..children.end as usize];
        let place = if labels.len() <= LINEAR {
            labels.iter().position(|&label| label == letter)
        } else {
            labels.binary_search(&letter).ok()
        };
        place.map_or(DEAD, |place| children.start + place as u32)
    }

    /// The id of the word that ends at `node`.
    pub fn word(&self, node: u32) -> Option<u32> {
        let word = self.nodes.get(node as usize)?.word;
        (word != DEAD).then_some(word)
    }

    /// Best score of the words at and below a node that is not [`DEAD`].
    pub fn best(&self, node: u32) -> f32 {
        self.nodes[node as usize].best
    }

    /// A number that tells lexicons apart.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.labels.hash(&mut hasher);
        self.nodes.iter().for_each(|node| (node.word, node.best.to_bits()).hash(&mut hasher));
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon(words: &[(&str, f32)]) -> (Spelling, Lexicon) {
        let table = TokenTable::characters(words.iter().map(|(word, _)| *word)).expect("tokens");
        let spelling = Spelling::new(&table);
        let mut list = LexiconWords::default();
        for (id, (word, score)) in words.iter().enumerate() {
            list.add(id as u32, *score, |into| spelling.spell(word, into)).expect("spelled");
        }
        (spelling, list.build())
    }

    fn find(spelling: &Spelling, lexicon: &Lexicon, word: &str) -> u32 {
        let mut letters = Vec::new();
        spelling.spell(word, &mut letters).expect("spelled");
        letters.into_iter().fold(0, |node, letter| lexicon.step(node, letter))
    }

    #[test]
    fn every_word_is_found_and_prefixes_know_the_best_below() {
        let words = [("to", -1.0), ("tea", -3.0), ("ted", -2.0), ("ten", -4.0), ("i", -5.0), ("inn", -6.0)];
        let (spelling, lexicon) = lexicon(&words);
        for (id, (word, _)) in words.iter().enumerate() {
            assert_eq!(lexicon.word(find(&spelling, &lexicon, word)), Some(id as u32), "{word}");
        }
        assert_eq!(lexicon.len(), 1 + 2 + 3 + 4);
        for (prefix, best) in [("t", -1.0), ("te", -2.0), ("i", -5.0), ("in", -6.0), ("", -1.0)] {
            assert_eq!(lexicon.best(find(&spelling, &lexicon, prefix)), best, "{prefix}");
        }
        assert_eq!(lexicon.word(find(&spelling, &lexicon, "te")), None);
        assert_eq!(find(&spelling, &lexicon, "teat"), DEAD);
        assert_eq!(lexicon.step(DEAD, 0), DEAD);
        assert_eq!(lexicon.word(DEAD), None);
    }

    #[test]
    fn many_children_are_found() {
        let words: Vec<String> = ('a'..='z').map(String::from).collect();
        let words: Vec<(&str, f32)> = words.iter().map(|word| (word.as_str(), 0.0)).collect();
        let (spelling, lexicon) = lexicon(&words);
        let found: Vec<_> =
            words.iter().filter_map(|(word, _)| lexicon.word(find(&spelling, &lexicon, word))).collect();
        assert_eq!(found, (0..26).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_lexicon_has_a_root() {
        let lexicon = LexiconWords::default().build();
        assert_eq!((lexicon.len(), lexicon.step(0, 3)), (1, DEAD));
    }
}
