//! How well a model predicts a text.

use super::{LmState, NgramLm};
use std::f64::consts::LN_10;

/// A sentence's score, its end included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SentenceScore {
    /// Words, the end not counted.
    pub words: u64,
    /// Of them, those that the model does not know.
    pub unknown: u64,
    /// log10 probability.
    pub log10_prob: f64,
    /// The part of it that unknown words have.
    pub log10_prob_unknown: f64,
}

/// Totals of a text.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Perplexity {
    /// Sentences.
    pub sentences: u64,
    /// Sums over the sentences.
    pub total: SentenceScore,
}

impl NgramLm {
    /// Scores a sentence from its begin to its end; words are parted by white space.
    pub fn score_sentence(&self, sentence: &str) -> SentenceScore {
        let mut score = SentenceScore::default();
        let mut state = self.start_state();
        for word in sentence.split_whitespace() {
            let id = self.word_id(word);
            let log10 = self.advance(&mut state, id.unwrap_or(self.unknown()));
            score.words += 1;
            score.log10_prob += log10;
            if id.is_none_or(|id| id == self.unknown()) {
                score.unknown += 1;
                score.log10_prob_unknown += log10;
            }
        }
        score.log10_prob += self.advance(&mut state, self.sentence_end());
        score
    }

    fn advance(&self, state: &mut LmState, word: u32) -> f64 {
        let (log_prob, next) = self.score(state, word);
        *state = next;
        f64::from(log_prob) / LN_10
    }
}

impl Perplexity {
    /// Adds a sentence.
    pub fn add(&mut self, sentence: SentenceScore) {
        self.sentences += 1;
        self.total.words += sentence.words;
        self.total.unknown += sentence.unknown;
        self.total.log10_prob += sentence.log10_prob;
        self.total.log10_prob_unknown += sentence.log10_prob_unknown;
    }

    /// Perplexity, unknown words included; sentence ends count as words.
    pub fn including_unknown(&self) -> f64 {
        10f64.powf(-self.total.log10_prob / (self.total.words + self.sentences) as f64)
    }

    /// Perplexity of the known words and sentence ends.
    pub fn excluding_unknown(&self) -> f64 {
        let known = self.total.words + self.sentences - self.total.unknown;
        10f64.powf(-(self.total.log10_prob - self.total.log10_prob_unknown) / known as f64)
    }
}
