//! Characters before words: lower case, accents removed, typographic apostrophes made plain; and the cut into pieces.
//!
//! Layer 3. The capital letters are remembered, since `St.` before a name is not `st.` after one.

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Letters, lower case, apostrophes kept inside.
    Word {
        /// The letters.
        text: String,
        /// Whether the first was a capital.
        capital: bool,
    },
    /// Digits; commas that part thousands are gone.
    Number {
        /// The digits.
        digits: String,
        /// Whether commas parted thousands.
        grouped: bool,
    },
    /// White space, any amount.
    Space,
    /// Any other character.
    Mark(char),
}

/// Cuts a text into pieces.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let letters: Vec<(char, bool)> = text.chars().flat_map(folded).collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(&(character, capital)) = letters.get(at) {
        let (piece, read) = match character {
            '0'..='9' => number(&letters[at..]),
            c if c.is_alphabetic() => word(&letters[at..], capital),
            c if c.is_whitespace() => {
                (Piece::Space, letters[at..].iter().take_while(|(c, _)| c.is_whitespace()).count())
            }
            c => (Piece::Mark(c), 1),
        };
        pieces.push(piece);
        at += read;
    }
    pieces
}

fn word(letters: &[(char, bool)], capital: bool) -> (Piece, usize) {
    let is_letter = |at: usize| letters.get(at).is_some_and(|(c, _)| c.is_alphabetic());
    let mut read = 0;
    while is_letter(read) || (letters.get(read).is_some_and(|(c, _)| *c == '\'') && is_letter(read + 1)) {
        read += 1;
    }
    (Piece::Word { text: letters[..read].iter().map(|(c, _)| c).collect(), capital }, read)
}

fn number(letters: &[(char, bool)]) -> (Piece, usize) {
    let is_digit = |at: usize| letters.get(at).is_some_and(|(c, _)| c.is_ascii_digit());
    let (mut digits, mut grouped, mut read) = (String::new(), false, 0);
    while let Some(&(character, _)) = letters.get(read) {
        let thousands = character == ',' && (1..4).all(|next| is_digit(read + next)) && !is_digit(read + 4);
        match character {
            '0'..='9' => digits.push(character),
            ',' if thousands => grouped = true,
            _ => break,
        }
        read += 1;
    }
    (Piece::Number { digits, grouped }, read)
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
    (" 1/2", "½"),
    (" 1/3", "⅓"),
    (" 2/3", "⅔"),
    (" 1/4", "¼"),
    (" 3/4", "¾"),
    (" 1/8", "⅛"),
    ("...", "…"),
];
/// Accents that stand after their letter.
const COMBINING: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';

/// Plain characters of one, each with whether it was a capital.
fn folded(character: char) -> Vec<(char, bool)> {
    match character {
        'a'..='z' | '0'..='9' | ' ' => vec![(character, false)],
        'A'..='Z' => vec![(character.to_ascii_lowercase(), true)],
        '\u{2018}' | '\u{2019}' | '\u{2bc}' | '\u{ff07}' | '`' => vec![('\'', false)],
        _ => {
            let capital = character.is_uppercase();
            let plain = character.to_lowercase().filter(|lower| !COMBINING.contains(lower)).flat_map(unaccented);
            plain.map(|lower| (lower, capital)).collect()
        }
    }
}

fn unaccented(letter: char) -> Vec<char> {
    let plain = FOLDED.iter().find(|(_, accented)| accented.contains(letter)).map(|(plain, _)| *plain);
    plain.map_or_else(|| vec![letter], |plain| plain.chars().collect())
}
