//! Walks over the pieces of a text and says them, each with a look at its neighbours.
//!
//! Layer 3. Here are the walk and the symbols; numbers are in `figures.rs` and `money.rs`, words in `abbreviations.rs`.

use super::abbreviations::bare;
use super::fold::Piece;

/// The state of a walk.
pub(super) struct Reader {
    pub(super) pieces: Vec<Piece>,
    /// Next piece to be said.
    pub(super) at: usize,
    words: Vec<String>,
}

/// Verbs after which `#` and `*` are keys of a telephone.
const PRESSING: [&str; 5] = ["press", "dial", "hit", "push", "enter"];
/// Endings of internet addresses, before which a dot is said.
const DOMAINS: [&str; 8] = ["com", "org", "net", "edu", "gov", "io", "co", "uk"];

impl Reader {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        Reader { pieces, at: 0, words: Vec::new() }
    }

    /// Says everything.
    pub(super) fn read(mut self) -> String {
        while self.at < self.pieces.len() {
            match self.pieces[self.at].clone() {
                Piece::Word { text, capital } => self.say_word(&text, capital),
                Piece::Number { digits, grouped } => self.say_number(&digits, grouped),
                Piece::Mark(mark) => self.say_mark(mark),
                Piece::Space => self.at += 1,
            }
        }
        self.words.join(" ")
    }

    /// Adds words; those that are only ever written short are said in full.
    pub(super) fn say(&mut self, words: &str) {
        for word in words.split_whitespace() {
            match word {
                "cent" if self.words.last().is_some_and(|last| last == "per") => {
                    self.words.pop();
                    self.words.push("percent".to_string());
                }
                _ => self.words.extend(bare(word).split(' ').map(str::to_string)),
            }
        }
    }

    /// Says words in place of the pieces before `next`.
    pub(super) fn say_to(&mut self, words: &str, next: usize) {
        self.say(words);
        self.at = next;
    }

    pub(super) fn mark(&self, at: usize) -> Option<char> {
        match self.pieces.get(at) {
            Some(Piece::Mark(mark)) => Some(*mark),
            _ => None,
        }
    }

    /// The letters of a word.
    pub(super) fn word(&self, at: usize) -> Option<&str> {
        match self.pieces.get(at) {
            Some(Piece::Word { text, .. }) => Some(text),
            _ => None,
        }
    }

    pub(super) fn digits(&self, at: usize) -> Option<&str> {
        match self.pieces.get(at) {
            Some(Piece::Number { digits, .. }) => Some(digits),
            _ => None,
        }
    }

    pub(super) fn is_capital(&self, at: usize) -> bool {
        matches!(self.pieces.get(at), Some(Piece::Word { capital: true, .. }))
    }

    /// `at`, or the place after it where there is space.
    pub(super) fn after_space(&self, at: usize) -> usize {
        at + usize::from(self.pieces.get(at) == Some(&Piece::Space))
    }

    /// The place before `at` that is neither space nor in `also`.
    pub(super) fn before(&self, at: usize, also: &[char]) -> Option<usize> {
        let skipped = |piece: &Piece| match piece {
            Piece::Space => true,
            Piece::Mark(mark) => also.contains(mark),
            _ => false,
        };
        self.pieces[..at].iter().rposition(|piece| !skipped(piece))
    }

    fn is_operand(&self, at: usize) -> bool {
        self.digits(at).is_some() || self.word(at).is_some()
    }

    fn say_mark(&mut self, mark: char) {
        let (at, next) = (self.at, self.at + 1);
        let attached = at > 0 && self.is_operand(at - 1);
        let before = self.before(at, &[]);
        let between = before.is_some_and(|before| self.is_operand(before)) && self.is_operand(self.after_space(next));
        let pressed = before.and_then(|before| self.word(before)).is_some_and(|word| PRESSING.contains(&word));
        let number = self.digits(next).is_some();
        let said = match mark {
            '$' | '£' | '€' | '¥' if self.say_money(mark) => return,
            '&' => "and",
            '%' => "percent",
            '#' if number => "number",
            '#' if pressed => "pound",
            '*' if pressed => "star",
            '-' | '\u{2212}' if number && (at == 0 || matches!(self.pieces[at - 1], Piece::Space)) => "minus",
            '+' if between || number || attached || (at > 0 && self.mark(at - 1) == Some('+')) => "plus",
            '=' if between => "equals",
            '×' if between => "times",
            '÷' if between => "divided by",
            '@' if attached && self.is_operand(next) => "at",
            '.' if attached && self.word(at - 1) == Some("www") && self.is_operand(next) => "dot",
            '.' if attached && self.word(next).is_some_and(|word| DOMAINS.contains(&word)) => "dot",
            '.' if number && !attached && (at == 0 || self.mark(at - 1) != Some('.')) => {
                let decimals = super::numbers::digit_by_digit(self.digits(next).unwrap_or_default());
                self.say_to(&format!("point {decimals}"), next + 1);
                return;
            }
            _ => "",
        };
        self.say_to(said, next);
    }
}
