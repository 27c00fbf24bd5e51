//! The one text normaliser, for training labels and for scoring: what is written becomes what is said.
//!
//! Layer 3. Lower case; accents folded; punctuation and hyphens to spaces, apostrophes kept inside words; single spaces.
//! What has several readings is read one way, always the same:
//!
//! - Numbers without "and": `101` is `one hundred one`; digit by digit with a leading zero, above a trillion, after a
//!   decimal point, and in telephone numbers.
//! - Four plain digits of 1100 to 2099 are a year (`nineteen ninety`, `two thousand five`, `twenty ten`) unless a plural
//!   or another counted thing follows (`1500 metres`) or commas part them.
//! - `$3.50` is `three dollars and fifty cents`; `5:00` is `five o'clock`, `5:00 pm` `five p m`, `19:00` `nineteen
//!   hundred`; `1/2` is `one half`, `1 1/2` `one and a half`; `5-10` is `five to ten`.
//! - `St.` is `saint` before a name and `street` after one; `Dr.` is `doctor`, at the end of a street's name `drive`.
//!   `Ms.` is `miss`. Letters with points are spelled (`u s a`); `i.e.` and `e.g.` are `that is` and `for example`.
//! - Roman numerals are letters.
//!
//! Normalizing twice changes nothing: what decides (digits, capitals, points) is gone after the first time.

mod abbreviations;
mod figures;
mod fold;
mod money;
mod numbers;
mod reader;

/// Normalizes a text: `"It's 21, Mary-Ann & Zoë!"` -> `"it's twenty one mary ann and zoe"`.
pub fn normalize(text: &str) -> String {
    reader::Reader::new(fold::pieces(text)).read()
}

#[cfg(test)]
mod tests;
