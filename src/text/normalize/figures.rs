//! What is said for digits: years, times of day, fractions, decimals, ordinals, ranges, telephone numbers.
//!
//! Layer 3.

use super::numbers::{cardinal, digit_by_digit, fraction, number, ordinal, plural, two_digits, value, year};
use super::reader::Reader;

/// Centuries that are said in pairs of digits.
const YEARS: std::ops::RangeInclusive<u64> = 1100..=2099;
/// Before an earlier year.
const BEFORE_YEARS: [&str; 8] = ["in", "since", "by", "until", "before", "after", "year", "circa"];
/// Words after a number that count, without being plurals in `s`.
const COUNTED: [&str; 8] = ["people", "men", "women", "children", "feet", "percent", "more", "other"];
/// Words in `s` that are no plurals.
const NO_PLURALS: [&str; 9] = ["was", "is", "has", "as", "does", "this", "its", "his", "us"];

impl Reader {
    /// Says the number that stands at `self.at`, with all that belongs to it.
    pub(super) fn say_number(&mut self, digits: &str, grouped: bool) {
        if self.say_clock(digits) || self.say_date(digits) || self.say_fraction(digits) || self.say_groups(digits) {
            return;
        }
        let (said, next) = self.numeral(digits, grouped);
        let single = said == "one";
        self.say_to(&said, next);
        let next = self.at;
        if let Some((said, next)) = self.meridiem(next).filter(|_| value(digits).is_some_and(|hour| hour <= 12)) {
            return self.say_to(said, next);
        }
        self.say_unit(single);
        if self.is_range(digits, self.at) {
            self.say_to("to", self.at + 1);
        }
    }

    /// Words of a number and the place after it.
    fn numeral(&self, digits: &str, grouped: bool) -> (String, usize) {
        let next = self.at + 1;
        let is_year = !grouped && self.is_year(digits);
        let words = match value(digits) {
            Some(value) if is_year => year(value),
            _ => number(digits),
        };
        let suffix = self.word(next);
        if value(digits).is_some() && suffix.is_some_and(|suffix| ["st", "nd", "rd", "th"].contains(&suffix)) {
            return (ordinal(&number(digits)), next + 1);
        }
        if suffix == Some("s") {
            return (plural(&words), next + 1);
        }
        if self.mark(next) == Some('\'') && self.word(next + 1) == Some("s") {
            return (plural(&words), next + 2);
        }
        self.with_decimals(if self.has_decimals(next) { number(digits) } else { words }, next)
    }

    fn has_decimals(&self, at: usize) -> bool {
        self.mark(at) == Some('.') && self.digits(at + 1).is_some()
    }

    /// Adds `point` and digits as often as they follow: `1.2.3`.
    pub(super) fn with_decimals(&self, mut words: String, mut next: usize) -> (String, usize) {
        while self.has_decimals(next) {
            words = format!("{words} point {}", digit_by_digit(self.digits(next + 1).unwrap_or_default()));
            next += 2;
        }
        (words, next)
    }

    /// Four plain digits are a year of 1100 to 2099, unless what follows is counted (`1500 metres`, `1200 people`); from
    /// 1000 on where a word like `in` or `since` leads to them.
    fn is_year(&self, digits: &str) -> bool {
        let Some(value) = value(digits).filter(|_| digits.len() == 4) else {
            return false;
        };
        let next = self.after_space(self.at + 1);
        let following = self.word(next).filter(|_| next > self.at + 1 && !self.is_capital(next));
        let counts = |word: &str| COUNTED.contains(&word) || (word.ends_with('s') && !NO_PLURALS.contains(&word));
        let led = |words: &[&str]| {
            self.before(self.at, &[]).and_then(|at| self.word(at)).is_some_and(|word| words.contains(&word))
        };
        let counted = following.is_some_and(counts) && !led(&["year"]);
        let glued = self.at > 0 && self.mark(self.at - 1) == Some('#');
        !counted && !glued && (YEARS.contains(&value) || (value < *YEARS.start() && led(&BEFORE_YEARS)))
    }

    /// `5:30`, `10:05`, `5:00 pm`, `19:00`; also `5.30 p.m.`; `3:1` is a ratio.
    fn say_clock(&mut self, digits: &str) -> bool {
        let at = self.at;
        let (Some(mark @ (':' | '.')), Some(minutes)) = (self.mark(at + 1), self.digits(at + 2).map(str::to_string))
        else {
            return false;
        };
        let (Some(hour), Ok(minute)) = (digits.parse::<u64>().ok(), minutes.parse::<u64>()) else {
            return false;
        };
        let meridiem = self.meridiem(at + 3);
        if hour > 24 || minute > 59 || minutes.len() != 2 || (mark == '.' && meridiem.is_none()) {
            if mark == ':' {
                self.say_to(&format!("{} to", number(digits)), at + 2);
            }
            return mark == ':';
        }
        let next = self.after_space(at + 3);
        let hours = self.word(next) == Some("hours");
        let said = match (hour, minute) {
            (_, 0) if meridiem.is_some() || self.word(next) == Some("o'clock") => cardinal(hour),
            (1..=12, 0) if !hours => format!("{} o'clock", cardinal(hour)),
            (_, 0) => format!("{} hundred", cardinal(hour)),
            _ => format!("{} {}", cardinal(hour), two_digits(minute)),
        };
        self.say_to(&said, at + 3);
        if let Some((said, next)) = meridiem {
            self.say_to(said, next);
        }
        true
    }

    /// `am`, `p.m.`, `A. M.` at `at` or after one space, and the place after it.
    fn meridiem(&self, at: usize) -> Option<(&'static str, usize)> {
        let at = self.after_space(at);
        let said = match self.word(at)? {
            "am" => return Some(("a m", at + 1)),
            "pm" => return Some(("p m", at + 1)),
            "a" => "a m",
            "p" => "p m",
            _ => return None,
        };
        let last = self.after_space(at + 2);
        (self.mark(at + 1) == Some('.') && self.word(last) == Some("m")).then_some((said, last + 1))
    }

    /// `12/25/1999`, `1999-12-25`: the numbers one after another, the year as a year.
    fn say_date(&mut self, digits: &str) -> bool {
        let at = self.at;
        let Some(mark @ ('/' | '-')) = self.mark(at + 1).filter(|&mark| self.mark(at + 3) == Some(mark)) else {
            return false;
        };
        let (Some(second), Some(third)) = (self.digits(at + 2), self.digits(at + 4)) else {
            return false;
        };
        let parts = [digits, second, third];
        let is_date = match (mark, parts.map(str::len)) {
            ('/', [1..=2, 1..=2, 4]) | ('-', [4, 2, 2]) => self.mark(at + 5) != Some(mark),
            _ => false,
        };
        if is_date {
            let said = |digits: &str| match value(digits) {
                Some(value) if YEARS.contains(&value) => year(value),
                _ => number(digits),
            };
            self.say_to(&parts.map(said).join(" "), at + 5);
        }
        is_date
    }

    /// `3/4`, `1 1/2`, `24/7`.
    fn say_fraction(&mut self, digits: &str) -> bool {
        let part = |at: usize| {
            let (above, below) = (self.digits(at)?, self.digits(at + 2).filter(|_| self.mark(at + 1) == Some('/'))?);
            let single = self.mark(at + 3) != Some('/');
            Some((value(above)?, value(below)?)).filter(|_| single)
        };
        let at = self.at;
        if let Some((above, below)) = part(at) {
            let said = fraction(above, below).filter(|_| (above, below) != (9, 11));
            let said_alone = |value: u64| if YEARS.contains(&value) { year(value) } else { cardinal(value) };
            let listed = || format!("{} {}", said_alone(above), said_alone(below));
            self.say_to(&said.unwrap_or_else(listed), at + 3);
            return true;
        }
        let mixed = part(self.after_space(at + 1)).filter(|_| self.after_space(at + 1) > at + 1);
        let said = mixed.and_then(|(above, below)| Some((above, fraction(above, below)?)));
        let (Some((above, part)), Some(whole)) = (said, value(digits)) else {
            return false;
        };
        let part = if above == 1 { part.replacen("one", "a", 1) } else { part };
        self.say_to(&format!("{} and {part}", cardinal(whole)), at + 5);
        true
    }

    /// Telephone numbers, groups of digits that hyphens join: three or more that end in four digits, or three and four.
    fn say_groups(&mut self, digits: &str) -> bool {
        let mut groups = vec![digits.to_string()];
        let mut next = self.at + 1;
        while let (Some('-'), Some(group)) = (self.mark(next), self.digits(next + 1)) {
            groups.push(group.to_string());
            next += 2;
        }
        let lengths: Vec<usize> = groups.iter().map(String::len).collect();
        let telephone = matches!(lengths.as_slice(), [3, 4] | [_, _, .., 4]);
        if telephone && lengths != [4, 4] && groups.len() > 1 && (groups.len() > 2 || lengths == [3, 4]) {
            self.say_to(&digit_by_digit(&groups.concat()), next);
            return true;
        }
        false
    }

    /// Whether a dash at `dash` leads from `digits` up to another number: `5-10`, `1914-18`.
    pub(super) fn is_range(&self, digits: &str, dash: usize) -> bool {
        let (Some('-' | '\u{2013}'), Some(to)) = (self.mark(dash), self.digits(dash + 1)) else {
            return false;
        };
        let (Some(from), Some(to), length) = (value(digits), value(to), to.len()) else {
            return false;
        };
        to > from || (YEARS.contains(&from) && length == 2 && to > from % 100)
    }
}
