//! The words of a model. Ids follow the words' order as strings, so that a file needs no table of ids and a look-up no
//! hash map.

/// Number of a word in its model.
pub type WordId = u32;

/// Begins a sentence.
pub(super) const BEGIN: &str = "<s>";
/// Ends a sentence.
pub(super) const END: &str = "</s>";
/// Stands for every word that the model does not know.
pub(super) const UNKNOWN: &str = "<unk>";

/// Sorted words, `<s>`, `</s>` and `<unk>` always among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vocabulary {
    /// All words, one after another.
    text: String,
    /// Where each word ends in `text`.
    ends: Vec<u32>,
    pub begin: WordId,
    pub end: WordId,
    pub unknown: WordId,
}

impl Vocabulary {
    /// From words in any order; the three special ones are added where they lack.
    pub fn new(mut words: Vec<String>) -> Self {
        words.extend([BEGIN, END, UNKNOWN].map(str::to_string));
        words.sort_unstable();
        words.dedup();
        let mut vocabulary = Vocabulary { text: words.concat(), ends: Vec::new(), begin: 0, end: 0, unknown: 0 };
        let mut end = 0;
        vocabulary.ends = words
            .iter()
            .map(|word| {
                end += word.len() as u32;
                end
            })
            .collect();
        vocabulary.find_special();
        vocabulary
    }

    /// From words one a line, which must be sorted, distinct, and hold the special ones.
    pub fn from_lines(lines: &str) -> Option<Self> {
        let words: Vec<String> = lines.lines().map(str::to_string).collect();
        let sorted = words.windows(2).all(|pair| pair[0] < pair[1]);
        let special = [BEGIN, END, UNKNOWN].iter().all(|word| words.binary_search_by(|w| w.as_str().cmp(word)).is_ok());
        (sorted && special).then(|| Self::new(words))
    }

    /// Words one a line.
    pub fn to_lines(&self) -> String {
        (0..self.len() as WordId).flat_map(|id| [self.word(id), "\n"]).collect()
    }

    fn find_special(&mut self) {
        // All three were put in by `new`.
        let [begin, end, unknown] = [BEGIN, END, UNKNOWN].map(|word| self.id(word).unwrap_or_default());
        (self.begin, self.end, self.unknown) = (begin, end, unknown);
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn id(&self, word: &str) -> Option<WordId> {
        let (mut low, mut high) = (0, self.len() as WordId);
        while low < high {
            let middle = low.midpoint(high);
            match self.word(middle).cmp(word) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The word of an id; `<unk>` for an id that is not the model's.
    pub fn word(&self, id: WordId) -> &str {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return UNKNOWN };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.text[start as usize..end as usize]
    }

    pub fn is_special(&self, id: WordId) -> bool {
        id == self.begin || id == self.end || id == self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_order_of_the_words() {
        let vocabulary = Vocabulary::new(["the", "a", "<s>", "cat"].map(str::to_string).to_vec());
        let words: Vec<_> = (0..vocabulary.len() as WordId).map(|id| vocabulary.word(id)).collect();
        assert_eq!(words, ["</s>", "<s>", "<unk>", "a", "cat", "the"]);
        for (id, word) in words.iter().enumerate() {
            assert_eq!(vocabulary.id(word), Some(id as WordId));
        }
        assert_eq!((vocabulary.id("b"), vocabulary.id("zoo"), vocabulary.id("")), (None, None, None));
        assert_eq!((vocabulary.end, vocabulary.begin, vocabulary.unknown), (0, 1, 2));
        assert_eq!(vocabulary.word(99), "<unk>");
        assert_eq!(Vocabulary::from_lines(&vocabulary.to_lines()), Some(vocabulary));
        assert_eq!(Vocabulary::from_lines("</s>\n<s>\n<unk>\nb\na\n"), None);
        assert_eq!(Vocabulary::from_lines("a\nb\n"), None);
    }
}
