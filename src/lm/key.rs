//! An n-gram as one number, so that sorting numbers sorts n-grams.
//!
//! Digits of [`BITS`] bits from the top, each a word's id plus 1; 0 where there is no word. Read from the first word on
//! (`forward`), n-grams with the same history are neighbours; from the last word back (`backward`), those with the
//! same ending are.

use super::{MAX_ORDER, WordId};

/// Bits of one word; six words fit.
const BITS: u32 = 21;
/// Most words that a model may have.
pub(super) const MAX_WORDS: usize = (1 << BITS) - 2;

/// The place of a digit, counted from the front.
fn shift(place: usize) -> u32 {
    BITS * (MAX_ORDER - 1 - place) as u32
}

/// Words in the order given.
pub(super) fn pack(words: impl IntoIterator<Item = WordId>) -> u128 {
    words.into_iter().enumerate().fold(0, |key, (place, word)| key | (u128::from(word) + 1) << shift(place))
}

/// The word at a place; `None` past the end.
pub(super) fn word(key: u128, place: usize) -> Option<WordId> {
    let digit = (key >> shift(place)) as u32 & ((1 << BITS) - 1);
    digit.checked_sub(1)
}

/// The first `length` words.
pub(super) fn head(key: u128, length: usize) -> u128 {
    if length == 0 { 0 } else { key >> shift(length - 1) << shift(length - 1) }
}

/// The same n-gram read from the other end.
pub(super) fn reverse(key: u128) -> u128 {
    let length = (0..MAX_ORDER).take_while(|&place| word(key, place).is_some()).count();
    pack((0..length).rev().filter_map(|place| word(key, place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_words_and_give_them_back() {
        let lists: [&[WordId]; 5] = [&[0], &[0, 5], &[0, 5, 1], &[1], &[1, MAX_WORDS as WordId, 3, 4, 5, 6]];
        let keys = lists.map(|list| pack(list.iter().copied()));
        assert!(keys.is_sorted());
        for (list, key) in lists.iter().zip(keys) {
            let words: Vec<_> = (0..MAX_ORDER).map_while(|place| word(key, place)).collect();
            assert_eq!(&words, list);
            assert_eq!(reverse(key), pack(list.iter().rev().copied()));
            for length in 0..=list.len() {
                assert_eq!(head(key, length), pack(list[..length].iter().copied()));
            }
        }
    }
}
