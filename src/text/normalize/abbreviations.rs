//! Abbreviations: those that are one whatever stands around them, and those that their neighbours decide.
//!
//! Layer 3.

use super::numbers::{cardinal, ordinal, value};
use super::reader::Reader;

/// What is said for a word that is only ever an abbreviation, or has two spellings; else the word.
pub(super) fn bare(word: &str) -> &str {
    match word {
        "mr" => "mister",
        "mrs" => "missus",
        "dr" => "doctor",
        "jr" => "junior",
        "sr" => "senior",
        "esq" => "esquire",
        "mme" => "madame",
        "mlle" => "mademoiselle",
        "vs" => "versus",
        "etc" => "et cetera",
        "ok" => "okay",
        other => other,
    }
}

/// Written with a point before a name.
const BEFORE_NAMES: [(&str, &str); 14] = [
    ("prof", "professor"),
    ("hon", "honorable"),
    ("rev", "reverend"),
    ("capt", "captain"),
    ("cmdr", "commander"),
    ("col", "colonel"),
    ("gen", "general"),
    ("lt", "lieutenant"),
    ("sgt", "sergeant"),
    ("maj", "major"),
    ("gov", "governor"),
    ("sen", "senator"),
    ("mt", "mount"),
    ("ft", "fort"),
];
/// Written with a point after a name.
const AFTER_NAMES: [(&str, &str); 7] = [
    ("co", "company"),
    ("inc", "incorporated"),
    ("ltd", "limited"),
    ("bros", "brothers"),
    ("ave", "avenue"),
    ("blvd", "boulevard"),
    ("rd", "road"),
];
/// Written with a point before a number.
const BEFORE_NUMBERS: [(&str, &str); 7] = [
    ("no", "number"),
    ("nos", "numbers"),
    ("vol", "volume"),
    ("fig", "figure"),
    ("ch", "chapter"),
    ("p", "page"),
    ("pp", "pages"),
];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn find(table: &[(&'static str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(short, _)| *short == word).map(|(_, long)| *long)
}

impl Reader {
    /// Says the word that stands at `self.at`.
    pub(super) fn say_word(&mut self, text: &str, capital: bool) {
        let point = self.mark(self.at + 1) == Some('.');
        let next = self.after_space(self.at + 1 + usize::from(point));
        if let Some((said, next)) = self.dotted(text) {
            return self.say_to(said, next);
        }
        if point && self.mark(self.at + 2) == Some('\'') && self.word(self.at + 3) == Some("s") {
            return self.say_to(&format!("{text}'s"), self.at + 4);
        }
        if let Some(month) = self.month(text, capital, point, next) {
            return self.say_month(month, next);
        }
        let name_follows = next > self.at + 1 && self.word(next).is_some() && (self.is_capital(next) || !capital);
        let name_before = self.before(self.at, &[]).is_some_and(|at| self.is_capital(at) || !capital);
        let firm_before = self.before(self.at, &[',', '&', '.']).is_some_and(|at| self.is_capital(at));
        let said = match text {
            "st" => self.street_or_saint(capital, point, name_follows, name_before),
            "dr" if capital && point && name_before && !name_follows => Some("drive"),
            "ms" if capital && name_follows => Some("miss"),
            "mt" if capital && name_follows => Some("mount"),
            "www" if self.mark(self.at + 1) == Some('.') => Some("w w w"),
            _ if point && self.digits(next).is_some() => find(&BEFORE_NUMBERS, text),
            _ if point && capital && name_follows && find(&BEFORE_NAMES, text).is_some() => find(&BEFORE_NAMES, text),
            _ if point && capital && firm_before => find(&AFTER_NAMES, text),
            _ => None,
        };
        self.say_to(said.unwrap_or(text), self.at + 1);
    }

    /// `i.e.`, `e.g.`, `Ph.D.`; other letters with points are spelled without more ado.
    fn dotted(&self, text: &str) -> Option<(&'static str, usize)> {
        let second = self.word(self.at + 2).filter(|_| self.mark(self.at + 1) == Some('.'))?;
        let said = match (text, second) {
            ("i", "e") => "that is",
            ("e", "g") => "for example",
            ("ph", "d") => "p h d",
            _ => return None,
        };
        let end = self.mark(self.at + 3) == Some('.') && self.word(self.at + 4).is_none();
        (end && !(self.is_capital(self.at) && text == "i")).then_some((said, self.at + 3))
    }

    /// `St` is "saint" before a name (`in St. Louis`, `Saint` of `12 St. John Street`), "street" after one where no name
    /// follows (`on Main St.`) and after an ordinal (`42nd St. Bridge`); else as it is written.
    fn street_or_saint(&self, capital: bool, point: bool, follows: bool, before: bool) -> Option<&'static str> {
        let ordinal = self.before(self.at, &[]).is_some_and(|at| {
            let suffix = self.word(at).is_some_and(|word| ["st", "nd", "rd", "th"].contains(&word));
            suffix && at > 0 && self.digits(at - 1).is_some()
        });
        match (capital || point, follows, before) {
            (true, true, _) if !ordinal => Some("saint"),
            (true, _, true) => Some("street"),
            (true, ..) if ordinal => Some("street"),
            _ => None,
        }
    }

    /// The month that a capitalised word before or after a number is, in full or the first letters with a point.
    fn month(&self, text: &str, capital: bool, point: bool, next: usize) -> Option<&'static str> {
        let day = self.digits(next).is_some() || self.before(self.at, &[]).is_some_and(|at| self.digits(at).is_some());
        let short = point && (text.len() == 3 || text == "sept");
        let is_month = |month: &&&str| **month == text || (short && month.starts_with(text));
        MONTHS.iter().find(is_month).copied().filter(|_| capital && day)
    }

    /// A month, and the day after it as an ordinal: `July 4, 1776`.
    fn say_month(&mut self, month: &str, next: usize) {
        self.say_to(month, self.at + 1);
        let day = self.digits(next).filter(|digits| digits.len() <= 2).and_then(value);
        let plain = !matches!(self.mark(next + 1), Some(':' | '/' | '%' | '-' | '\u{2013}'))
            && self.word(next + 1).is_none()
            && !(self.mark(next + 1) == Some('.') && self.digits(next + 2).is_some());
        if let Some(day) = day.filter(|day| plain && (1..=31).contains(day)) {
            self.say_to(&ordinal(&cardinal(day)), next + 1);
        }
    }
}
