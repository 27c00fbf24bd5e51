//! The one text normaliser, for training labels and for scoring.
//!
//! Layer 3. Lower case; accents folded; digits spelled out; punctuation and hyphens to spaces, apostrophes kept inside
//! words; single spaces.

/// Normalizes a text: `"It's 21, Mary-Ann & Zoë!"` -> `"it's twenty one mary ann and zoe"`.
pub fn normalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let folded: Vec<char> = text.chars().flat_map(fold).collect();
    let mut at = 0;
    while at < folded.len() {
        let character = folded[at];
        if character.is_ascii_digit() {
            at += push_number(&folded[at..], &mut out);
            continue;
        }
        match character {
            '&' => out.push_str(" and "),
            '%' => out.push_str(" percent "),
            '\'' if at > 0
                && folded[at - 1].is_alphabetic()
                && folded.get(at + 1).is_some_and(|c| c.is_alphabetic()) =>
            {
                out.push('\'');
            }
            c if c.is_alphabetic() => out.push(c),
            _ => out.push(' '),
        }
        at += 1;
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Letters with accents, lower case, and what they are folded to.
const FOLDED: &[(&str, &str)] = &[
    ("a", "àáâãäåāăą"),
    ("c", "çćĉċč"),
    ("d", "ďđð"),
    ("e", "èéêëēĕėęě"),
    ("g", "ĝğġģ"),
    ("h", "ĥħ"),
    ("i", "ìíîïĩīĭįı"),
    ("j", "ĵ"),
    ("k", "ķ"),
    ("l", "ĺļľŀł"),
    ("n", "ñńņňŋ"),
    ("o", "òóôõöøōŏő"),
    ("r", "ŕŗř"),
    ("s", "śŝşšș"),
    ("t", "ţťŧț"),
    ("u", "ùúûüũūŭůűų"),
    ("w", "ŵ"),
    ("y", "ýÿŷ"),
    ("z", "źżž"),
    ("ae", "æ"),
    ("oe", "œ"),
    ("ss", "ß"),
    ("th", "þ"),
];
/// Accents that stand after their letter.
const COMBINING: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';

/// Lower case, typographic apostrophes made plain, accents removed.
fn fold(character: char) -> Vec<char> {
    match character {
        'a'..='z' | '0'..='9' | ' ' => vec![character],
        '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{ff07}' | '`' => vec!['\''],
        _ => character.to_lowercase().filter(|lower| !COMBINING.contains(lower)).flat_map(unaccented).collect(),
    }
}

fn unaccented(letter: char) -> Vec<char> {
    let plain = FOLDED.iter().find(|(_, accented)| accented.contains(letter)).map(|(plain, _)| *plain);
    plain.map_or_else(|| vec![letter], |plain| plain.chars().collect())
}

/// Spells the number that `rest` begins with; returns the characters read.
fn push_number(rest: &[char], out: &mut String) -> usize {
    let mut digits = String::new();
    let mut read = 0;
    while let Some(&character) = rest.get(read) {
        let groups =
            character == ',' && rest.len() > read + 3 && rest[read + 1..read + 4].iter().all(char::is_ascii_digit);
        let groups = groups && rest.get(read + 4).is_none_or(|next| !next.is_ascii_digit());
        match character {
            '0'..='9' => digits.push(character),
            ',' if groups => {}
            _ => break,
        }
        read += 1;
    }
    out.push(' ');
    let suffix: String = rest[read..].iter().take_while(|c| c.is_alphabetic()).collect();
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    match digits.parse::<u64>() {
        Ok(value) if value <= TRILLION && !leading_zero => {
            let words = cardinal(value);
            if matches!(suffix.as_str(), "st" | "nd" | "rd" | "th") {
                out.push_str(&ordinal(&words));
                read += suffix.len();
            } else {
                out.push_str(&words);
            }
        }
        // Too long to be said as a number: digit by digit.
        _ => out.push_str(&spelled_digits(&digits)),
    }
    if rest.get(read) == Some(&'.') && rest.get(read + 1).is_some_and(char::is_ascii_digit) {
        let decimals: String = rest[read + 1..].iter().take_while(|c| c.is_ascii_digit()).collect();
        out.push_str(" point ");
        out.push_str(&spelled_digits(&decimals));
        read += 1 + decimals.len();
    }
    out.push(' ');
    read
}

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn spelled_digits(digits: &str) -> String {
    digits.bytes().map(|digit| SMALL[usize::from(digit - b'0')]).collect::<Vec<_>>().join(" ")
}

/// Largest number that is said as one; longer ones are said digit by digit.
const TRILLION: u64 = 1_000_000_000_000;

/// `1234` -> `one thousand two hundred thirty four`.
fn cardinal(value: u64) -> String {
    for (unit, name) in [
        (TRILLION, "trillion"),
        (1_000_000_000, "billion"),
        (1_000_000, "million"),
        (1000, "thousand"),
        (100, "hundred"),
    ] {
        if value >= unit {
            let rest = value % unit;
            let tail = if rest == 0 { String::new() } else { format!(" {}", cardinal(rest)) };
            return format!("{} {name}{tail}", cardinal(value / unit));
        }
    }
    match value {
        0..20 => SMALL[value as usize].to_string(),
        _ if value.is_multiple_of(10) => TENS[value as usize / 10].to_string(),
        _ => format!("{} {}", TENS[value as usize / 10], SMALL[value as usize % 10]),
    }
}

/// Turns the last word of a cardinal into its ordinal.
fn ordinal(words: &str) -> String {
    let (head, last) = words.rsplit_once(' ').map_or(("", words), |(head, last)| (head, last));
    let last = match last {
        "one" => "first".to_string(),
        "two" => "second".to_string(),
        "three" => "third".to_string(),
        "five" => "fifth".to_string(),
        "eight" => "eighth".to_string(),
        "nine" => "ninth".to_string(),
        "twelve" => "twelfth".to_string(),
        other => other.strip_suffix('y').map_or_else(|| format!("{other}th"), |stem| format!("{stem}ieth")),
    };
    format!("{head} {last}").trim_start().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_becomes_what_is_said() {
        for (written, said) in [
            ("ENTER NINE ONE", "enter nine one"),
            ("It\u{2019}s 21, Mary-Ann & Zo\u{eb}!", "it's twenty one mary ann and zoe"),
            ("'tis the dogs' life", "tis the dogs life"),
            ("1,234 and 1000000", "one thousand two hundred thirty four and one million"),
            ("3.5% of 0", "three point five percent of zero"),
            ("the 1st, 12th, 20th and 42nd", "the first twelfth twentieth and forty second"),
            ("007", "zero zero seven"),
            (
                "na\u{ef}ve, nai\u{308}ve, \u{141}\u{f3}d\u{17a}, STRASSE, Stra\u{df}e",
                "naive naive lodz strasse strasse",
            ),
            (
                "999,999,999,999",
                "nine hundred ninety nine billion nine hundred ninety nine million nine hundred ninety nine thousand nine hundred ninety nine",
            ),
            ("1,000,000,000,000", "one trillion"),
            ("\u{201c}rock \u{2018}n\u{2019} roll\u{201d}\u{2014}4 ever\u{2026}", "rock n roll four ever"),
            ("  ", ""),
        ] {
            assert_eq!(normalize(written), said, "{written:?}");
            assert_eq!(normalize(said), said, "normalizing twice");
        }
    }
}
