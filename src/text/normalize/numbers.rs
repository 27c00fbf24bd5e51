//! Numbers in words: cardinals, ordinals, years, plurals, digit by digit.
//!
//! Layer 3. American English without "and": `101` is `one hundred one`.

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

/// Largest number that is said as one; longer ones are said digit by digit.
const TRILLION: u64 = 1_000_000_000_000;

/// `007` -> `zero zero seven`.
pub(super) fn digit_by_digit(digits: &str) -> String {
    digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|digit| SMALL[usize::from(digit - b'0')])
        .collect::<Vec<_>>()
        .join(" ")
}

/// The number that digits are; `None` where they are said digit by digit: a leading zero, more than a trillion.
pub(super) fn value(digits: &str) -> Option<u64> {
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    digits.parse().ok().filter(|&value| value <= TRILLION && !leading_zero)
}

/// Digits as a cardinal, or one by one.
pub(super) fn number(digits: &str) -> String {
    value(digits).map_or_else(|| digit_by_digit(digits), cardinal)
}

/// `1234` -> `one thousand two hundred thirty four`.
pub(super) fn cardinal(value: u64) -> String {
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

/// `1990` -> `nineteen ninety`, `1905` -> `nineteen oh five`, `2005` -> `two thousand five`, `2010` -> `twenty ten`.
pub(super) fn year(value: u64) -> String {
    match (value / 100, value % 100) {
        (20, 0..10) => cardinal(value),
        (century, 0) => format!("{} hundred", cardinal(century)),
        (century, rest) => format!("{} {}", cardinal(century), two_digits(rest)),
    }
}

/// Minutes, and years of a century: `5` -> `oh five`, `30` -> `thirty`.
pub(super) fn two_digits(value: u64) -> String {
    if value < 10 { format!("oh {}", cardinal(value)) } else { cardinal(value) }
}

/// Turns the last word of a cardinal into its ordinal.
pub(super) fn ordinal(words: &str) -> String {
    with_last(words, |last| match last {
        "one" => "first".to_string(),
        "two" => "second".to_string(),
        "three" => "third".to_string(),
        "five" => "fifth".to_string(),
        "eight" => "eighth".to_string(),
        "nine" => "ninth".to_string(),
        "twelve" => "twelfth".to_string(),
        other => other.strip_suffix('y').map_or_else(|| format!("{other}th"), |stem| format!("{stem}ieth")),
    })
}

/// Turns the last word into its plural: `nineteen ninety` -> `nineteen nineties`.
pub(super) fn plural(words: &str) -> String {
    with_last(words, |last| match last.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if last.ends_with('x') => format!("{last}es"),
        None => format!("{last}s"),
    })
}

/// `3/4` -> `three quarters`; `None` for no part of a whole.
pub(super) fn fraction(above: u64, below: u64) -> Option<String> {
    let part = match below {
        _ if above == 0 || above >= below || below > 100 => return None,
        2 => "half".to_string(),
        4 => "quarter".to_string(),
        _ => ordinal(&cardinal(below)),
    };
    let part = match (above, below) {
        (1, _) => part,
        _ => plural(&part),
    };
    Some(format!("{} {part}", cardinal(above)))
}

fn with_last(words: &str, change: impl Fn(&str) -> String) -> String {
    let (head, last) = words.rsplit_once(' ').unwrap_or(("", words));
    format!("{head} {}", change(last)).trim_start().to_string()
}
