//! Hot words: phrases that a session expects, each with a boost.
//!
//! The phrases' letters, with borders between and around the words, make an Aho-Corasick automaton. On its way through
//! a phrase a prefix holds a part of the boost, as large as the part of the phrase; when the phrase breaks off, it is
//! gone. Only the border after the last letter makes it the prefix's own.
//!
//! Source: Aho and Corasick 1975; partial credit that is taken back as in Zhao et al. 2019, "Shallow-fusion end-to-end
//! contextual biasing", section 3.

use super::lexicon::{DEAD, Lexicon, LexiconWords, Spelling};
use crate::error::{Error, Result};
use crate::text::normalize;
use std::collections::BTreeMap;

/// Boost of a phrase that names none, natural log.
pub const DEFAULT_BOOST: f32 = 6.0;
/// Largest boost, up or down.
const LARGEST_BOOST: f32 = 100.0;

/// A phrase that is likelier than the language model knows.
#[derive(Debug, Clone, PartialEq)]
pub struct HotWord {
    /// One word or several; the words need not be in any vocabulary.
    pub phrase: String,
    /// Added to the natural log of a hypothesis's score for each time that the phrase is in it, `-100.0..=100.0`.
    pub boost: f32,
}

impl HotWord {
    /// Reads one phrase a line, optionally a tab and its boost; empty lines and lines that begin with `#` are left out.
    ///
    /// # Errors
    /// Names the line whose boost is no number in range.
    pub fn parse_list(text: &str) -> Result<Vec<HotWord>> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let wanted = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        wanted.map(|(number, line)| Self::parse(line, number)).collect()
    }

    fn parse(line: &str, number: usize) -> Result<HotWord> {
        let Some((phrase, boost)) = line.split_once('\t') else {
            return Ok(HotWord { phrase: line.to_string(), boost: DEFAULT_BOOST });
        };
        let wrong = || {
            let allowed = format!("a number from -{LARGEST_BOOST} to {LARGEST_BOOST}, after a tab");
            Error::invalid(format!("boost in line {number}"), format!("{:?}", boost.trim()), allowed)
        };
        let value: f32 = boost.trim().parse().map_err(|_| wrong())?;
        if value.abs() <= LARGEST_BOOST {
            Ok(HotWord { phrase: phrase.trim().to_string(), boost: value })
        } else {
            Err(wrong())
        }
    }
}

/// Phrases compiled for one set of tokens and one vocabulary. Made by `BeamSearch::hot_words`.
#[derive(Debug)]
pub struct HotWords {
    phrases: Lexicon,
    /// The node of the longest proper suffix that is in the trie, for each node.
    fail: Vec<u32>,
    /// Part of a boost held at each node.
    held: Vec<f32>,
    /// Boosts of the phrases that end at each node.
    gained: Vec<f32>,
    /// Words of the phrases that the vocabulary lacks.
    pub(super) unseen: Lexicon,
    border: u16,
    empty: bool,
}

impl HotWords {
    /// `known` tells the vocabulary's words.
    ///
    /// # Errors
    /// Names the phrase with a character that no token has, without words, or with a boost out of range.
    pub(super) fn new(list: &[HotWord], spelling: &Spelling, known: impl Fn(&str) -> bool) -> Result<Self> {
        let mut boosts: BTreeMap<String, f32> = BTreeMap::new();
        for HotWord { phrase, boost } in list {
            let words = normalize(phrase);
            if words.is_empty() || !(-LARGEST_BOOST..=LARGEST_BOOST).contains(boost) {
                let allowed = format!("at least one word, boost within {LARGEST_BOOST} of 0");
                return Err(Error::invalid("hot word", format!("{phrase:?} with boost {boost}"), allowed));
            }
            boosts.insert(words, *boost);
        }
        let border = spelling.border();
        let (mut phrases, mut unseen) = (LexiconWords::default(), LexiconWords::default());
        let mut values = Vec::new();
        for (phrase, &boost) in &boosts {
            let spelled = |letter| {
                let allowed = format!("of the model's letters: {letter:?} is none");
                Error::invalid("hot word", format!("{phrase:?}"), allowed)
            };
            let spell_phrase = |into: &mut Vec<u16>| {
                into.push(border);
                for word in phrase.split(' ') {
                    spelling.spell(word, into)?;
                    into.push(border);
                }
                Ok(())
            };
            phrases.add(values.len() as u32, boost, spell_phrase).map_err(spelled)?;
            values.push(boost);
            for word in phrase.split(' ').filter(|word| !known(word)) {
                unseen.add(0, 0.0, |into| spelling.spell(word, into)).map_err(spelled)?;
            }
        }
        let phrases = phrases.build();
        let (fail, gained) = fail_links(&phrases, &values);
        let held = held_credit(&phrases, &values, &fail);
        Ok(HotWords { phrases, fail, held, gained, unseen: unseen.build(), border, empty: values.is_empty() })
    }

    /// Number of states.
    pub(super) fn len(&self) -> usize {
        self.fail.len()
    }

    /// Whether there are no phrases.
    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Before the first word.
    pub(super) fn start(&self) -> u32 {
        self.step(0, self.border)
    }

    /// After a word.
    pub(super) fn border(&self, state: u32) -> u32 {
        self.step(state, self.border)
    }

    pub(super) fn step(&self, state: u32, letter: u16) -> u32 {
        next(&self.phrases, &self.fail, state, letter)
    }

    /// Boosts of the phrases that end on entering `state`.
    pub(super) fn gained(&self, state: u32) -> f32 {
        self.gained[state as usize]
    }

    /// What is held for phrases begun.
    pub(super) fn held(&self, state: u32) -> f32 {
        self.held[state as usize]
    }

    /// A number that tells lists apart.
    pub(super) fn fingerprint(&self) -> u64 {
        self.phrases.fingerprint() ^ self.unseen.fingerprint().rotate_left(1)
    }
}

fn next(phrases: &Lexicon, fail: &[u32], mut state: u32, letter: u16) -> u32 {
    loop {
        let found = phrases.step(state, letter);
        if found != DEAD {
            return found;
        }
        if state == 0 {
            return 0;
        }
        state = fail[state as usize];
    }
}

/// The failure links, and each node's boosts gained, its suffixes' included.
fn fail_links(phrases: &Lexicon, boosts: &[f32]) -> (Vec<u32>, Vec<f32>) {
    let mut fail = vec![0; phrases.len()];
    let mut gained = vec![0.0; phrases.len()];
    // Breadth first: a node's suffixes are done before it.
    for node in 0..phrases.len() as u32 {
        let own = phrases.word(node).map_or(0.0, |phrase| boosts[phrase as usize]);
        gained[node as usize] = own + if node == 0 { 0.0 } else { gained[fail[node as usize] as usize] };
        for child in phrases.children(node) {
            let back = fail[node as usize];
            fail[child as usize] = if node == 0 { 0 } else { next(phrases, &fail, back, phrases.label(child)) };
        }
    }
    (fail, gained)
}

/// The largest part of a boost under way at each node or one of its suffixes; the border before a phrase is no part.
fn held_credit(phrases: &Lexicon, boosts: &[f32], fail: &[u32]) -> Vec<f32> {
    let mut parents = vec![0; phrases.len()];
    let mut depths = vec![0u32; phrases.len()];
    for node in 0..phrases.len() as u32 {
        for child in phrases.children(node) {
            parents[child as usize] = node;
            depths[child as usize] = depths[node as usize] + 1;
        }
    }
    let mut held = vec![0.0f32; phrases.len()];
    for end in 0..phrases.len() as u32 {
        let Some(phrase) = phrases.word(end) else {
            continue;
        };
        let whole = (depths[end as usize] - 1) as f32;
        let mut node = parents[end as usize];
        while node != 0 {
            let part = boosts[phrase as usize] * (depths[node as usize] - 1) as f32 / whole;
            held[node as usize] = held[node as usize].max(part);
            node = parents[node as usize];
        }
    }
    for node in 1..phrases.len() {
        held[node] = held[node].max(held[fail[node] as usize]);
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TokenTable;

    fn hot_words(list: &[(&str, f32)]) -> (Spelling, HotWords) {
        let table = TokenTable::characters(["abcdefghijklmnopqrstuvwxyz"]).expect("tokens");
        let spelling = Spelling::new(&table);
        let list: Vec<_> = list.iter().map(|&(phrase, boost)| HotWord { phrase: phrase.into(), boost }).collect();
        let hot = HotWords::new(&list, &spelling, |word| word == "new").expect("hot words");
        (spelling, hot)
    }

    /// Gained in all and held at the end of a text that breaks off.
    fn run(spelling: &Spelling, hot: &HotWords, text: &str) -> (f32, f32) {
        let mut state = hot.start();
        let mut gained = 0.0;
        for letter in text.chars() {
            let mut letters = Vec::new();
            let _ = spelling.spell(letter.encode_utf8(&mut [0; 4]), &mut letters);
            state = letters.first().map_or_else(|| hot.border(state), |&letter| hot.step(state, letter));
            gained += hot.gained(state);
        }
        (gained, hot.held(state))
    }

    #[test]
    fn credit_grows_is_taken_back_and_is_kept_at_the_border() {
        let (spelling, hot) = hot_words(&[("new york", 9.0), ("york", 2.0)]);
        let run = |text| run(&spelling, &hot, text);
        assert_eq!(run(""), (0.0, 0.0));
        assert_eq!(run("new"), (0.0, 3.0));
        assert_eq!(run("new yor"), (0.0, 7.0));
        assert_eq!(run("new york"), (0.0, 8.0));
        assert_eq!(run("new york "), (11.0, 0.0));
        assert_eq!(run("new yorks"), (0.0, 0.0), "a longer word");
        assert_eq!(run("a new york new york "), (22.0, 0.0));
        assert_eq!(run("anew yo"), (0.0, 2.0 * 2.0 / 5.0), "the suffix goes on");
        assert_eq!(run("nex"), (0.0, 0.0));
    }

    #[test]
    fn unseen_words_get_a_path_and_known_ones_do_not() {
        let (spelling, hot) = hot_words(&[("new york", 9.0)]);
        let path = |word: &str| {
            let mut letters = Vec::new();
            spelling.spell(word, &mut letters).expect("spelled");
            letters.iter().fold(0, |node, &letter| hot.unseen.step(node, letter))
        };
        assert!(hot.unseen.word(path("york")).is_some());
        assert!(hot.unseen.word(path("new")).is_none());
    }

    #[test]
    fn lists_are_read_and_wrong_ones_named() {
        let list = HotWord::parse_list("# names\nAda Lovelace\t8.5\n\nbabbage\n").expect("list");
        let wanted = [("Ada Lovelace", 8.5), ("babbage", DEFAULT_BOOST)];
        assert!(list.iter().map(|hot| (hot.phrase.as_str(), hot.boost)).eq(wanted));
        let message = HotWord::parse_list("a\nb\tmuch").expect_err("no number").to_string();
        assert!(message.contains("line 2") && message.contains("much"), "{message}");
        assert!(HotWord::parse_list("b\t1e9").is_err());
        let spelling = Spelling::new(&TokenTable::characters(["abc"]).expect("tokens"));
        let fails = |phrase: &str, boost| {
            let list = [HotWord { phrase: phrase.into(), boost }];
            HotWords::new(&list, &spelling, |_| false).expect_err("wrong").to_string()
        };
        assert!(fails("cab xa", 1.0).contains("'x'"));
        assert!(fails(" ", 1.0).contains("at least one word"));
        assert!(fails("a", f32::NAN).contains("NaN"));
    }
}
