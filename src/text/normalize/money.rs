//! Sums of money, and units after a number.
//!
//! Layer 3.

use super::numbers::{cardinal, number, value};
use super::reader::Reader;

/// A currency: whole units, then their hundredths; singular, plural.
struct Currency {
    units: [&'static str; 2],
    parts: [&'static str; 2],
}

fn currency(mark: char) -> Currency {
    let cents = ["cent", "cents"];
    match mark {
        '£' => Currency { units: ["pound", "pounds"], parts: ["penny", "pence"] },
        '€' => Currency { units: ["euro", "euros"], parts: cents },
        '¥' => Currency { units: ["yen", "yen"], parts: cents },
        _ => Currency { units: ["dollar", "dollars"], parts: cents },
    }
}

/// Large numbers as words after a sum.
const SCALES: [&str; 5] = ["hundred", "thousand", "million", "billion", "trillion"];
/// Their letters, without a space.
const SCALE_LETTERS: [(&str, &str); 6] =
    [("k", "thousand"), ("m", "million"), ("mn", "million"), ("b", "billion"), ("bn", "billion"), ("tn", "trillion")];
/// After these the unit has no plural: `a $100 bill`.
const PIECES_OF_MONEY: [&str; 3] = ["bill", "note", "coin"];

/// Units that are written short after digits: short, singular, plural.
const UNITS: [(&str, &str, &str); 24] = [
    ("km", "kilometer", "kilometers"),
    ("kg", "kilogram", "kilograms"),
    ("cm", "centimeter", "centimeters"),
    ("mm", "millimeter", "millimeters"),
    ("ml", "milliliter", "milliliters"),
    ("lb", "pound", "pounds"),
    ("lbs", "pound", "pounds"),
    ("oz", "ounce", "ounces"),
    ("ft", "foot", "feet"),
    ("mph", "mile per hour", "miles per hour"),
    ("kph", "kilometer per hour", "kilometers per hour"),
    ("hz", "hertz", "hertz"),
    ("khz", "kilohertz", "kilohertz"),
    ("mhz", "megahertz", "megahertz"),
    ("ghz", "gigahertz", "gigahertz"),
    ("kb", "kilobyte", "kilobytes"),
    ("mb", "megabyte", "megabytes"),
    ("gb", "gigabyte", "gigabytes"),
    ("ms", "millisecond", "milliseconds"),
    ("sec", "second", "seconds"),
    ("secs", "second", "seconds"),
    ("min", "minute", "minutes"),
    ("mins", "minute", "minutes"),
    ("hrs", "hour", "hours"),
];

impl Reader {
    /// Says the sum that a currency's mark at `self.at` leads: `$3.50` is `three dollars and fifty cents`.
    pub(super) fn say_money(&mut self, mark: char) -> bool {
        let at = self.after_space(self.at + 1);
        let Some(digits) = self.digits(at).map(str::to_string) else {
            return false;
        };
        let currency = currency(mark);
        if let Some((cents, next)) = self.cents(at + 1) {
            self.say_to(&with_cents(&digits, cents, &currency), next);
            return true;
        }
        let (mut sum, mut next) = self.with_decimals(number(&digits), at + 1);
        if self.is_range(&digits, next) {
            let to = number(self.digits(next + 1).unwrap_or_default());
            let own = if self.digits(next + 1).is_some() { format!("{sum} to {to}") } else { sum };
            (sum, next) = (own, next + 2);
        }
        if let Some((scale, after)) = self.scale(next) {
            (sum, next) = (format!("{sum} {scale}"), after);
        }
        let following = self.word(self.after_space(next)).unwrap_or_default();
        let [single, many] = currency.units;
        let unit = match following {
            _ if following == single || following == many => "",
            _ if sum == "one" || PIECES_OF_MONEY.contains(&following.trim_end_matches('s')) => single,
            _ => many,
        };
        self.say_to(&format!("{sum} {unit}"), next);
        true
    }

    /// A point and two digits, no scale behind them.
    fn cents(&self, at: usize) -> Option<(u64, usize)> {
        let digits = self.digits(at + 1).filter(|digits| self.mark(at) == Some('.') && digits.len() == 2)?;
        let more = self.mark(at + 2) == Some('.') && self.digits(at + 3).is_some();
        (!more && self.scale(at + 2).is_none()).then_some((digits.parse().ok()?, at + 2))
    }

    /// `million` after a space or hyphen, or its letter at once.
    fn scale(&self, at: usize) -> Option<(&'static str, usize)> {
        let letter = self.word(at).and_then(|word| SCALE_LETTERS.iter().find(|(letter, _)| *letter == word));
        if let Some((_, scale)) = letter {
            return Some((scale, at + 1));
        }
        let parted = self.after_space(at) + usize::from(self.mark(at) == Some('-'));
        let word = self.word(parted)?;
        SCALES.iter().find(|scale| **scale == word).map(|scale| (*scale, parted + 1))
    }

    /// Says the unit that follows a number: `°C`, `¢`, `kg`, `km/h`.
    pub(super) fn say_unit(&mut self, single: bool) {
        let (at, number) = (self.at, usize::from(!single));
        if let Some(mark @ ('$' | '£' | '€' | '¥')) = self.mark(at)
            && self.digits(at + 1).is_none()
        {
            return self.say_to(currency(mark).units[number], at + 1);
        }
        if self.mark(at) == Some('¢') {
            return self.say_to(["cent", "cents"][number], at + 1);
        }
        let next = self.after_space(at);
        if self.mark(next) == Some('°') {
            self.say_to(["degree", "degrees"][number], next + 1);
            let next = self.after_space(next + 1);
            let scale = [("c", "celsius"), ("f", "fahrenheit")];
            let scale = scale.iter().find(|(letter, _)| self.word(next) == Some(letter) && self.is_capital(next));
            return scale.into_iter().for_each(|(_, name)| self.say_to(name, next + 1));
        }
        let unit = self.word(next).and_then(|word| UNITS.iter().find(|(short, ..)| *short == word));
        let Some((short, one, many)) = unit else {
            return;
        };
        self.say_to([one, many][number], next + 1);
        if *short == "km" && self.mark(self.at) == Some('/') && self.word(self.at + 1) == Some("h") {
            self.say_to("per hour", self.at + 2);
        }
    }
}

fn with_cents(digits: &str, cents: u64, currency: &Currency) -> String {
    let part = |amount: u64, [single, many]: [&str; 2]| {
        format!("{} {}", cardinal(amount), if amount == 1 { single } else { many })
    };
    match (value(digits), cents) {
        (Some(0), 1..) => part(cents, currency.parts),
        (Some(whole), 0) => part(whole, currency.units),
        (Some(whole), _) => format!("{} and {}", part(whole, currency.units), part(cents, currency.parts)),
        (None, _) => format!("{} {} and {}", number(digits), currency.units[1], part(cents, currency.parts)),
    }
}
