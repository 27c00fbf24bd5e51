//! From adjusted counts to probabilities and back-off weights.
//!
//! `p(w|h) = (a(hw) - D(a(hw))) / sum a(h.) + g(h) p(w|h')`, where `h'` is `h` without its first word and `g(h)` the mass
//! that the discounts, and what was left out, set free; unigrams are interpolated with the uniform distribution over
//! all words but `<s>`. Back-off weights of the resulting model are `g`.

use super::discount::{self, CountsOfCounts, Discounts, FALLBACK};
use super::estimate::{Counted, EstimateConfig, EstimateReport, tally};
use super::sort::{Record, SameKey, Sorted, Sorter};
use super::vocabulary::Vocabulary;
use super::{WordId, arpa, key};
use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

/// log10 probability that files give to `<s>`, which is never predicted.
const NEVER: f32 = -99.0;
/// Marks an n-gram that is left out.
const LEFT_OUT: u32 = 1;

/// Collects adjusted counts, then smooths them.
pub(super) struct Smoother<'a> {
    config: &'a EstimateConfig,
    vocabulary: Vocabulary,
    unigrams: Vec<u32>,
    /// N-grams of 2, 3, ... words by their words from the first: adjusted count, [`LEFT_OUT`].
    ngrams: Vec<Sorter<'a>>,
    counts_of_counts: Vec<CountsOfCounts>,
    kept: Vec<usize>,
}

/// Probabilities of one length before and after interpolation; see [`Smoother::finish`].
struct Stages<'a> {
    /// By words from the last back: discounted probability, interpolation weight.
    discounted: Vec<Sorted>,
    /// By words from the first: log10 of the back-off weight.
    backoffs: Vec<Sorted>,
    /// By words from the first: log10 of the probability.
    smoothed: Vec<Sorter<'a>>,
}

impl<'a> Smoother<'a> {
    pub fn new(config: &'a EstimateConfig, vocabulary: Vocabulary) -> Self {
        let sorter = |_| Sorter::new(&config.temporary, config.capacity(2 * config.order), SameKey::Keep);
        Smoother {
            config,
            unigrams: vec![0; vocabulary.len()],
            kept: [vec![vocabulary.len()], vec![0; config.order - 1]].concat(),
            vocabulary,
            ngrams: (1..config.order).map(sorter).collect(),
            counts_of_counts: vec![[0; 4]; config.order],
        }
    }

    pub fn order(&self) -> usize {
        self.config.order
    }

    pub fn begin(&self) -> WordId {
        self.vocabulary.begin
    }

    /// Takes an n-gram's counts.
    pub fn add(&mut self, ngram: Counted) -> Result<()> {
        // `<s>` alone is a history only.
        if ngram.length == 1 && key::word(ngram.key, 0) == Some(self.vocabulary.begin) {
            return Ok(());
        }
        tally(&mut self.counts_of_counts[ngram.length - 1], ngram.adjusted);
        if ngram.length == 1 {
            let word = key::word(ngram.key, 0).unwrap_or(self.vocabulary.unknown);
            self.unigrams[word as usize] = ngram.adjusted;
            return Ok(());
        }
        let left_out = ngram.occurrences <= self.config.threshold(ngram.length);
        self.kept[ngram.length - 1] += usize::from(!left_out);
        let values = [ngram.adjusted, if left_out { LEFT_OUT } else { 0 }];
        self.ngrams[ngram.length - 2].push(Record { key: ngram.key, values })
    }

    fn sorter(&self) -> Sorter<'a> {
        Sorter::new(&self.config.temporary, self.config.capacity(2 * self.config.order), SameKey::Keep)
    }

    /// Smooths, and writes ARPA text.
    pub fn finish(mut self, writer: &mut dyn Write, name: &Path, mut report: EstimateReport) -> Result<EstimateReport> {
        let discounts = self.discounts(&mut report);
        let order = self.config.order;
        let smoothed = (1..order).map(|_| self.sorter()).collect();
        let mut stages = Stages { discounted: Vec::new(), backoffs: Vec::new(), smoothed };
        for (index, ngrams) in std::mem::take(&mut self.ngrams).into_iter().enumerate() {
            let (mut discounted, mut backoffs) = (self.sorter(), self.sorter());
            discount_all(ngrams.finish()?, index + 2, &discounts[index + 1], &mut discounted, &mut backoffs)?;
            stages.discounted.push(discounted.finish()?);
            stages.backoffs.push(backoffs.finish()?);
        }
        let unigrams = self.unigram_probs(&discounts[0]);
        for (word, &prob) in unigrams.iter().enumerate() {
            interpolate(&mut stages, 1, key::pack([word as WordId]), prob)?;
        }
        self.write(writer, name, &unigrams, stages)?;
        report.counts = self.kept;
        Ok(report)
    }

    fn discounts(&self, report: &mut EstimateReport) -> Vec<Discounts> {
        let discounts: Vec<Option<Discounts>> =
            self.counts_of_counts.iter().map(|counts| discount::estimate(*counts)).collect();
        report.fallbacks = (1..=discounts.len()).filter(|&length| discounts[length - 1].is_none()).collect();
        let discounts: Vec<Discounts> = discounts.into_iter().map(|found| found.unwrap_or(FALLBACK)).collect();
        report.discounts = discounts.iter().map(|[_, one, two, more]| [*one, *two, *more]).collect();
        discounts
    }

    /// Probabilities of all words; of `<s>`, 0.
    fn unigram_probs(&self, discounts: &Discounts) -> Vec<f64> {
        let count = |word: usize| u64::from(self.unigrams[word]);
        let words = 0..self.unigrams.len();
        let total: u64 = words.clone().map(count).sum();
        let free: f64 = words.clone().map(|word| discount::of(discounts, count(word))).sum();
        let uniform = free / total as f64 / (self.unigrams.len() - 1) as f64;
        let prob = |word| (count(word) as f64 - discount::of(discounts, count(word))) / total as f64 + uniform;
        words.map(|word| if word as WordId == self.vocabulary.begin { 0.0 } else { prob(word) }).collect()
    }

    fn write(&self, writer: &mut dyn Write, name: &Path, unigrams: &[f64], stages: Stages) -> Result<()> {
        let io = |error| Error::io(name, error);
        let Stages { backoffs, smoothed, .. } = stages;
        let mut backoffs = backoffs.into_iter();
        arpa::write_header(writer, &self.kept).map_err(io)?;
        writer.write_all(b"\n\\1-grams:\n").map_err(io)?;
        let mut weights = backoffs.next();
        for (word, &prob) in unigrams.iter().enumerate() {
            let never = word as WordId == self.vocabulary.begin;
            let log_prob = if never { NEVER } else { prob.log10() as f32 };
            self.write_ngram(writer, key::pack([word as WordId]), log_prob, weights.as_mut()).map_err(io)?;
        }
        for (index, sorter) in smoothed.into_iter().enumerate() {
            write!(writer, "\n\\{}-grams:\n", index + 2).map_err(io)?;
            let mut weights = backoffs.next();
            let mut ngrams = sorter.finish()?;
            while let Some(record) = ngrams.next()? {
                let log_prob = f32::from_bits(record.values[0]);
                self.write_ngram(writer, record.key, log_prob, weights.as_mut()).map_err(io)?;
            }
        }
        writer.write_all(b"\n\\end\\\n").map_err(io)
    }

    fn write_ngram(
        &self,
        writer: &mut dyn Write,
        key: u128,
        log_prob: f32,
        weights: Option<&mut Sorted>,
    ) -> std::io::Result<()> {
        let words = (0..self.config.order).map_while(|place| key::word(key, place)).map(|id| self.vocabulary.word(id));
        let backoff = match weights {
            Some(weights) => Some(seek(weights, key).map_err(std::io::Error::other)?.map_or(0.0, f32::from_bits)),
            None => None,
        };
        arpa::write_ngram(writer, log_prob, words, backoff)
    }
}

/// The first value of `key`, which is not before any that was asked for.
fn seek(sorted: &mut Sorted, key: u128) -> Result<Option<u32>> {
    while sorted.peek().is_some_and(|other| other < key) {
        sorted.next()?;
    }
    match sorted.peek() == Some(key) {
        true => Ok(sorted.next()?.map(|record| record.values[0])),
        false => Ok(None),
    }
}

/// Discounts all n-grams of a length, history by history.
fn discount_all(
    mut ngrams: Sorted,
    length: usize,
    discounts: &Discounts,
    discounted: &mut Sorter,
    backoffs: &mut Sorter,
) -> Result<()> {
    let mut group: Vec<Record> = Vec::new();
    loop {
        let history = ngrams.peek().map(|key| key::head(key, length - 1));
        if let Some(first) = group.first().map(|record| key::head(record.key, length - 1))
            && history != Some(first)
        {
            let weight = discount_history(&group, discounts, discounted)?;
            backoffs.push(Record { key: first, values: [(weight.log10() as f32).to_bits(), 0] })?;
            group.clear();
        }
        match ngrams.next()? {
            Some(record) => group.push(record),
            None => return Ok(()),
        }
    }
}

/// Discounts the n-grams of one history; returns the mass set free.
fn discount_history(group: &[Record], discounts: &Discounts, discounted: &mut Sorter) -> Result<f64> {
    let total: u64 = group.iter().map(|record| u64::from(record.values[0])).sum();
    let taken = |record: &Record| match record.values {
        [count, LEFT_OUT] => f64::from(count),
        [count, _] => discount::of(discounts, u64::from(count)),
    };
    let weight = group.iter().map(taken).sum::<f64>() / total as f64;
    for record in group.iter().filter(|record| record.values[1] != LEFT_OUT) {
        let prob = (f64::from(record.values[0]) - taken(record)) / total as f64;
        let values = [(prob as f32).to_bits(), (weight as f32).to_bits()];
        discounted.push(Record { key: key::reverse(record.key), values })?;
    }
    Ok(weight)
}

/// Interpolates the n-grams that end in the `length` words of `key` (from the last back), whose probability is `prob`.
fn interpolate(stages: &mut Stages, length: usize, key: u128, prob: f64) -> Result<()> {
    let Some(index) = Some(length - 1).filter(|&index| index < stages.discounted.len()) else { return Ok(()) };
    while stages.discounted[index].peek().is_some_and(|other| key::head(other, length) == key) {
        let Some(record) = stages.discounted[index].next()? else { break };
        let [discounted, weight] = record.values.map(|bits| f64::from(f32::from_bits(bits)));
        let interpolated = discounted + weight * prob;
        let values = [(interpolated.log10() as f32).to_bits(), 0];
        stages.smoothed[index].push(Record { key: key::reverse(record.key), values })?;
        interpolate(stages, length + 1, record.key, interpolated)?;
    }
    Ok(())
}
