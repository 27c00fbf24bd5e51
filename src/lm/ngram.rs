//! Queries: log-probs of words after histories.
//!
//! A trie read from the first word on: each n-gram's continuations are neighbours, sorted by word, in the next level's
//! records. A state is the nodes of all its endings that are histories, so a query is one binary search for each of
//! them, and two hypotheses whose pasts the model cannot tell apart have equal states.

use super::packed::{Field, Packed};
use super::table::{NONE, NgramTable};
use super::vocabulary::Vocabulary;
use super::{MAX_ORDER, WordId};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::BufRead;
use std::path::Path;

/// The part of a hypothesis's past that its model can still tell apart from others. Belongs to the model that gave it.
///
/// The default is [`NgramLm::null_state`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct LmState {
    /// Nodes of the last 1, 2, ... words; [`NONE`] where the model has no such n-gram; 0 beyond `length`.
    nodes: [u32; MAX_ORDER - 1],
    /// Words of the longest that matters.
    length: u8,
}

impl LmState {
    /// Words of history that the state stands for.
    pub fn len(&self) -> usize {
        usize::from(self.length).min(MAX_ORDER - 1)
    }

    /// Whether it stands for no history at all.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// The n-grams of one length, packed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PackedLevel {
    pub count: usize,
    pub records: Packed,
    pub layout: Layout,
    /// Natural log-probs that `layout.prob` numbers; empty where the field holds a float's own bits.
    pub probs: Vec<f32>,
    /// The same of back-off weights.
    pub backoffs: Vec<f32>,
}

/// Where a level's fields are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub word: Field,
    pub prob: Field,
    pub backoff: Field,
    pub first: Field,
}

impl Layout {
    /// Fields one after another, of so many bits each.
    pub fn new([word, prob, backoff, first]: [usize; 4]) -> Self {
        let field = |at, bits| Field { at, bits };
        Layout {
            word: field(0, word),
            prob: field(word, prob),
            backoff: field(word + prob, backoff),
            first: field(word + prob + backoff, first),
        }
    }

    /// Bits of a record.
    pub fn width(&self) -> usize {
        self.first.at + self.first.bits
    }
}

impl PackedLevel {
    fn value(&self, node: u32, field: Field, codebook: &[f32]) -> f32 {
        let code = self.records.get(node as usize, field);
        codebook.get(code as usize).copied().unwrap_or_else(|| f32::from_bits(code))
    }

    fn prob(&self, node: u32) -> f32 {
        self.value(node, self.layout.prob, &self.probs)
    }

    fn backoff(&self, node: u32) -> f32 {
        if node as usize >= self.count {
            return 0.0;
        }
        self.value(node, self.layout.backoff, &self.backoffs)
    }

    /// The nodes of the next level that continue `node`.
    pub fn children(&self, node: u32) -> std::ops::Range<u32> {
        let node = node as usize;
        if node >= self.count || self.layout.first.bits == 0 {
            return 0..0;
        }
        self.records.get(node, self.layout.first)..self.records.get(node + 1, self.layout.first)
    }

    fn find(&self, mut nodes: std::ops::Range<u32>, word: WordId) -> Option<u32> {
        while nodes.start < nodes.end {
            let middle = nodes.start.midpoint(nodes.end);
            match self.records.get(middle as usize, self.layout.word).cmp(&word) {
                std::cmp::Ordering::Less => nodes.start = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => nodes.end = middle,
            }
        }
        None
    }
}

/// A word n-gram model with back-off, shared and immutable; a hypothesis's past is an [`LmState`].
///
/// ```
/// # use eddy::lm::NgramLm;
/// # fn main() -> eddy::Result<()> {
/// let arpa = "\\data\\\nngram 1=4\nngram 2=1\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\t-0.5\n-0.5\t</s>\n-0.4\thello\n\n\
///             \\2-grams:\n-0.1\t<s> hello\n\n\\end\\\n";
/// let lm = NgramLm::read_arpa(arpa.as_bytes(), "hello.arpa".as_ref())?;
/// let hello = lm.word_id("hello").unwrap_or(lm.unknown());
/// let (log_prob, _) = lm.score(&lm.start_state(), hello);
/// assert!((log_prob - -0.1 * std::f32::consts::LN_10).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NgramLm {
    pub(super) vocabulary: Vocabulary,
    pub(super) levels: Vec<PackedLevel>,
}

impl NgramLm {
    /// Reads an ARPA file or a binary written by [`NgramLm::save`]; the content tells which.
    ///
    /// # Errors
    /// When the file cannot be read, is neither, or is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        super::binary::load(path)
    }

    /// Reads ARPA text; `name` is what messages call it. `<unk>`, `<s>` or `</s>` that it lacks get the log-prob
    /// `-100 ln 10`, about -230.
    ///
    /// # Errors
    /// Names the line that is not ARPA.
    pub fn read_arpa(reader: impl BufRead, name: &Path) -> Result<Self> {
        Ok(Self::pack(&NgramTable::read_arpa(reader, name)?))
    }

    /// Longest n-gram.
    pub fn order(&self) -> usize {
        self.levels.len()
    }

    /// Number of n-grams of all lengths.
    pub fn len(&self) -> usize {
        self.counts().iter().sum()
    }

    /// Never true: there are always `<s>`, `</s>` and `<unk>`.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Number of n-grams of each length, shortest first.
    pub fn counts(&self) -> Vec<usize> {
        self.levels.iter().map(|level| level.count).collect()
    }

    /// The id of a word; `None` when it is not in the vocabulary.
    pub fn word_id(&self, word: &str) -> Option<WordId> {
        self.vocabulary.id(word)
    }

    /// The word of an id; `<unk>` for an id that is not this model's.
    pub fn word(&self, id: WordId) -> &str {
        self.vocabulary.word(id)
    }

    /// All words but `<s>`, `</s>` and `<unk>`, in order of id, which is their order as strings.
    pub fn words(&self) -> impl Iterator<Item = (WordId, &str)> {
        let ids = 0..self.vocabulary.len() as WordId;
        ids.filter(|&id| !self.vocabulary.is_special(id)).map(|id| (id, self.vocabulary.word(id)))
    }

    /// `<unk>`, which stands for all words that the model does not know.
    pub fn unknown(&self) -> WordId {
        self.vocabulary.unknown
    }

    /// `</s>`, which ends a sentence.
    pub fn sentence_end(&self) -> WordId {
        self.vocabulary.end
    }

    /// No history.
    pub fn null_state(&self) -> LmState {
        LmState::default()
    }

    /// At the begin of a sentence.
    pub fn start_state(&self) -> LmState {
        self.score(&LmState::default(), self.vocabulary.begin).1
    }

    /// Natural log of the probability of `word` after `state`, and the state after it. An id that is not this model's
    /// is taken as `<unk>`.
    pub fn score(&self, state: &LmState, word: WordId) -> (f32, LmState) {
        let word = if (word as usize) < self.vocabulary.len() { word } else { self.vocabulary.unknown };
        let mut nodes = [NONE; MAX_ORDER];
        nodes[0] = word;
        let (mut matched, mut node) = (0, word);
        let history = &state.nodes[..state.len().min(self.levels.len() - 1)];
        for (length, &context) in history.iter().enumerate() {
            let continuations = self.levels[length].children(context);
            if let Some(found) = self.levels[length + 1].find(continuations, word) {
                nodes[length + 1] = found;
                (matched, node) = (length + 1, found);
            }
        }
        let backoffs = (matched..history.len()).map(|length| self.levels[length].backoff(history[length]));
        let log_prob = self.levels[matched].prob(node) + backoffs.sum::<f32>();
        (log_prob, self.state(&nodes[..=matched]))
    }

    /// The state of the nodes of the last 1, 2, ... words, without those that no later word could tell from shorter ones.
    fn state(&self, nodes: &[u32]) -> LmState {
        let matters = |length: usize| {
            let level = &self.levels[length];
            nodes[length] != NONE && (!level.children(nodes[length]).is_empty() || level.backoff(nodes[length]) != 0.0)
        };
        let histories = nodes.len().min(self.levels.len() - 1);
        let length = (0..histories).rev().find(|&length| matters(length)).map_or(0, |length| length + 1);
        let mut state = LmState { length: length as u8, ..LmState::default() };
        state.nodes[..length].copy_from_slice(&nodes[..length]);
        state
    }

    /// The vocabulary's size, special words included.
    pub(super) fn check(&self, name: &Path) -> Result<()> {
        let consistent = self.levels.windows(2).all(|pair| pair[0].links_to(pair[1].count));
        if consistent { Ok(()) } else { Err(Error::model(name, "its n-grams do not hang together: make it again")) }
    }
}

impl PackedLevel {
    /// Whether the continuations of all nodes part the next level's `count` nodes among them.
    fn links_to(&self, count: usize) -> bool {
        let first = |node: usize| self.records.get(node, self.layout.first) as usize;
        let mut last = 0;
        first(0) == 0
            && first(self.count) == count
            && (0..=self.count).all(|node| {
                let ordered = first(node) >= last;
                last = first(node);
                ordered
            })
    }
}
