//! From text to a model: interpolated modified Kneser-Ney, in bounded memory.
//!
//! Words become numbers in a temporary file; n-grams are sorted from their last word back, where those with the same
//! ending are neighbours and can be counted in one pass; `smooth.rs` does the rest. Numbers agree with KenLM's `lmplz`.
//!
//! Sources: Chen & Goodman (1998), section 4.1.6; Heafield, Pouzyrevsky, Clark & Koehn, Scalable Modified Kneser-Ney
//! Language Model Estimation (ACL 2013).

use super::discount::CountsOfCounts;
use super::key::{self, MAX_WORDS};
use super::smooth::Smoother;
use super::sort::{RECORD_SIZE, Record, SameKey, Sorted, Sorter};
use super::vocabulary::{BEGIN, END, UNKNOWN, Vocabulary};
use super::{MAX_ORDER, WordId};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;

/// Which words a model knows; all others count as `<unk>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// Every word of the text.
    All,
    /// The most frequent (of equals, the first as strings).
    Most(usize),
    /// These, whether they are in the text or not.
    Listed(Vec<String>),
}

/// What to estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstimateConfig {
    /// Longest n-gram, 1..=[`MAX_ORDER`].
    pub order: usize,
    /// N-grams of each length that occur no more than so often are left out, shortest first; the last goes for all
    /// longer ones. The first must be 0, and none below the one before.
    pub prune: Vec<u32>,
    /// The vocabulary.
    pub words: Words,
    /// Memory for sorting in megabytes; what does not fit goes to files.
    pub memory_mb: usize,
    /// Where those files go; they have no names and vanish with the process.
    pub temporary: PathBuf,
}

impl Default for EstimateConfig {
    fn default() -> Self {
        EstimateConfig { order: 3, prune: vec![0], words: Words::All, memory_mb: 2000, temporary: std::env::temp_dir() }
    }
}

impl EstimateConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        Error::within("order", self.order, 1, MAX_ORDER, "")?;
        let sound = self.prune.first() == Some(&0) && self.prune.is_sorted() && self.prune.len() <= self.order;
        if !sound {
            let allowed = format!("0, then at most {} counts, none below the one before", self.order - 1);
            return Err(Error::invalid("prune", format!("{:?}", self.prune), allowed));
        }
        if self.words == Words::Most(0) {
            return Err(Error::invalid("max-words", 0, "at least 1"));
        }
        if self.memory_mb == 0 {
            return Err(Error::invalid("memory", 0, "at least 1 MB"));
        }
        Ok(())
    }

    /// The count up to which n-grams of `length` words are left out.
    pub(super) fn threshold(&self, length: usize) -> u32 {
        self.prune.get(length - 1).or(self.prune.last()).copied().unwrap_or(0)
    }

    /// Records of one of `sorters` that are filled at a time.
    pub(super) fn capacity(&self, sorters: usize) -> usize {
        (self.memory_mb * 1_000_000 / RECORD_SIZE / sorters).max(1)
    }
}

/// What an estimate was made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EstimateReport {
    /// Sentences read.
    pub sentences: u64,
    /// Words read.
    pub words: u64,
    /// Of them, those outside the vocabulary.
    pub unknown: u64,
    /// N-grams of each length in the model, shortest first.
    pub counts: Vec<usize>,
    /// Discounts of the counts 1, 2, 3 and more, of each length.
    pub discounts: Vec<[f64; 3]>,
    /// Lengths for which the text is too small or too odd to estimate discounts, so that 0.5, 1 and 1.5 were taken.
    pub fallbacks: Vec<usize>,
}

/// Ends a sentence in the file of numbers.
const SENTENCE_END: u32 = u32::MAX;

/// Takes sentences, gives a model.
pub struct Estimator {
    config: EstimateConfig,
    /// Words in order of their first occurrence.
    ids: HashMap<String, u32>,
    occurrences: Vec<u64>,
    text: BufWriter<File>,
    report: EstimateReport,
}

impl Estimator {
    /// Without any text yet.
    ///
    /// # Errors
    /// When the configuration is not valid or there is no place for temporary files.
    pub fn new(config: EstimateConfig) -> Result<Self> {
        config.validate()?;
        let file = tempfile::tempfile_in(&config.temporary).map_err(|error| Error::io(&config.temporary, error))?;
        let text = BufWriter::with_capacity(1 << 18, file);
        Ok(Estimator { config, ids: HashMap::new(), occurrences: Vec::new(), text, report: EstimateReport::default() })
    }

    /// Adds a sentence, words parted by white space. A sentence without words is passed over, as are `<s>` and `</s>`.
    ///
    /// # Errors
    /// When temporary files cannot be written.
    pub fn add_sentence(&mut self, sentence: &str) -> Result<()> {
        let before = self.report.words;
        for word in sentence.split_whitespace().filter(|word| ![BEGIN, END].contains(word)) {
            let id = match self.ids.get(word) {
                Some(&id) => id,
                None => {
                    let id = self.ids.len() as u32;
                    self.ids.insert(word.to_string(), id);
                    self.occurrences.push(0);
                    id
                }
            };
            self.occurrences[id as usize] += 1;
            self.report.words += 1;
            self.write(id)?;
        }
        if self.report.words > before {
            self.report.sentences += 1;
            self.write(SENTENCE_END)?;
        }
        Ok(())
    }

    fn write(&mut self, id: u32) -> Result<()> {
        self.text.write_all(&id.to_le_bytes()).map_err(|error| Error::io(&self.config.temporary, error))
    }

    /// Estimates the model and writes it as ARPA text to `writer`; messages call that `name`.
    ///
    /// # Errors
    /// When there is no text, it has too many different words, or files cannot be written.
    pub fn estimate(mut self, writer: &mut dyn Write, name: &std::path::Path) -> Result<EstimateReport> {
        if self.report.sentences == 0 {
            return Err(Error::invalid("text", "0 words", "at least one word"));
        }
        let vocabulary = self.vocabulary()?;
        let ids = self.final_ids(&vocabulary);
        let config = self.config.clone();
        let capacity = config.capacity(2);
        let mut counts = Sorter::new(&config.temporary, capacity, SameKey::Sum);
        self.count(&ids, vocabulary.begin, vocabulary.end, &mut counts)?;
        let mut smoother = Smoother::new(&config, vocabulary);
        adjust(counts.finish()?, &mut smoother)?;
        smoother.finish(writer, name, self.report)
    }

    fn vocabulary(&self) -> Result<Vocabulary> {
        let mut words: Vec<(&String, u64)> =
            self.ids.iter().map(|(word, &id)| (word, self.occurrences[id as usize])).collect();
        if let Words::Most(most) = self.config.words {
            words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
            words.truncate(most);
        }
        let vocabulary = match &self.config.words {
            Words::Listed(words) => Vocabulary::new(words.clone()),
            _ => Vocabulary::new(words.into_iter().map(|(word, _)| word.clone()).collect()),
        };
        if vocabulary.len() > MAX_WORDS {
            let allowed = format!("at most {MAX_WORDS}: limit the vocabulary to the most frequent");
            return Err(Error::invalid("different words", vocabulary.len(), allowed));
        }
        Ok(vocabulary)
    }

    /// Ids of the vocabulary by ids of the text.
    fn final_ids(&mut self, vocabulary: &Vocabulary) -> Vec<WordId> {
        let mut ids = vec![vocabulary.unknown; self.ids.len()];
        for (word, id) in self.ids.drain() {
            ids[id as usize] = vocabulary.id(&word).unwrap_or(vocabulary.unknown);
            if ids[id as usize] == vocabulary.unknown && word != UNKNOWN {
                self.report.unknown += self.occurrences[id as usize];
            }
        }
        ids
    }

    /// Counts the longest n-gram that ends at each word; at a sentence's begin it is shorter and begins with `<s>`.
    fn count(&mut self, ids: &[WordId], begin: WordId, end: WordId, into: &mut Sorter) -> Result<()> {
        let folder = self.config.temporary.clone();
        let io = |error| Error::io(&folder, error);
        self.text.flush().map_err(io)?;
        let file = self.text.get_mut();
        file.rewind().map_err(io)?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        // The last words, latest first.
        let mut recent = vec![begin];
        for _ in 0..self.report.sentences + self.report.words {
            let mut bytes = [0; 4];
            reader.read_exact(&mut bytes).map_err(io)?;
            let id = u32::from_le_bytes(bytes);
            recent.insert(0, ids.get(id as usize).copied().unwrap_or(end));
            recent.truncate(self.config.order);
            into.push(Record { key: key::pack(recent.iter().copied()), values: [1, 0] })?;
            if id == SENTENCE_END {
                recent = vec![begin];
            }
        }
        Ok(())
    }
}

/// An n-gram whose occurrences are being read.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    occurrences: u32,
    /// Different words before it.
    left: u32,
}

/// An n-gram with its counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    /// Words from the first.
    pub key: u128,
    pub length: usize,
    pub occurrences: u32,
    /// What Kneser-Ney uses in place of the occurrences.
    pub adjusted: u32,
}

/// From the occurrences of the longest n-grams, by their words from the last back, to the adjusted counts of all: for the
/// longest and for those that begin with `<s>` their occurrences, for others the number of different words before them.
fn adjust(mut counts: Sorted, into: &mut Smoother) -> Result<()> {
    let mut open = [Open::default(); MAX_ORDER];
    let mut last = 0;
    loop {
        let record = counts.next()?;
        let key = record.map_or(0, |record| record.key);
        let length = |key| (0..MAX_ORDER).take_while(|&place| key::word(key, place).is_some()).count();
        let common = (0..length(last)).take_while(|&place| key::word(key, place) == key::word(last, place)).count();
        for length in (common + 1..=length(last)).rev() {
            close(last, length, open[length - 1], into)?;
        }
        let Some(record) = record else { return Ok(()) };
        for length in common + 1..=length(key) {
            open[length - 1] = Open::default();
            if length > 1 {
                open[length - 2].left += 1;
            }
        }
        for open in &mut open[..length(key)] {
            open.occurrences = open.occurrences.saturating_add(record.values[0]);
        }
        last = key;
    }
}

fn close(backward: u128, length: usize, open: Open, into: &mut Smoother) -> Result<()> {
    let starts = key::word(backward, length - 1) == Some(into.begin());
    let adjusted = if starts || length == into.order() { open.occurrences } else { open.left };
    let key = key::reverse(key::head(backward, length));
    into.add(Counted { key, length, occurrences: open.occurrences, adjusted })
}

/// Adds to the number of n-grams with this count.
pub(super) fn tally(counts: &mut CountsOfCounts, adjusted: u32) {
    if let Some(count) = counts.get_mut((adjusted as usize).wrapping_sub(1)) {
        *count += 1;
    }
}
