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

/// Lower case, typographic apostrophes made plain, common accents removed.
fn fold(character: char) -> Vec<char> {
    let plain = match character {
        '\u{2018}' | '\u{2019}' | '\u{02bc}' | '`' => "'",
        'à'..='å' | 'À'..='Å' | 'ā' | 'Ā' => "a",
        'ç' | 'Ç' | 'č' | 'Č' => "c",
        'è'..='ë' | 'È'..='Ë' | 'ē' | 'Ē' => "e",
        'ì'..='ï' | 'Ì'..='Ï' | 'ī' | 'Ī' => "i",
        'ñ' | 'Ñ' => "n",
        'ò'..='ö' | 'Ò'..='Ö' | 'ø' | 'Ø' | 'ō' | 'Ō' => "o",
        'ù'..='ü' | 'Ù'..='Ü' | 'ū' | 'Ū' => "u",
        'ý' | 'ÿ' | 'Ý' => "y",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ß' => "ss",
        other => return other.to_lowercase().collect(),
    };
    plain.chars().collect()
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
        Ok(value) if value < 1_000_000_000_000 && !leading_zero => {
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

/// `1234` -> `one thousand two hundred thirty four`.
fn cardinal(value: u64) -> String {
    for (unit, name) in [(1_000_000_000, "billion"), (1_000_000, "million"), (1000, "thousand"), (100, "hundred")] {
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
            ("  ", ""),
        ] {
            assert_eq!(normalize(written), said, "{written:?}");
            assert_eq!(normalize(said), said, "normalizing twice");
        }
    }
}
