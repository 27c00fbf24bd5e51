//! What a recipe's manifests come to: the preflight, the split, token table, CMVN statistics, decoded audio.
//!
//! Layer 8. Bad utterances are named, counted and left out before training starts, so that none spoils a step.

use super::progress::Reading;
use super::recipe::{CORPUS_VARIABLE, TokenRecipe, TrainConfig, corpus_folder};
use crate::audio::{read_all, resample};
use crate::corpus::{Manifest, OutputRate, Utterance, all_cores, cut_short, for_each_parallel};
use crate::error::{Error, Result};
use crate::frontend::{CmvnStats, FrontEnd};
use crate::nn::min_input_len;
use crate::stage::{Frames, Stage};
use crate::text::{TokenTable, normalize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A recording that passed the preflight.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its manifest line.
    pub utterance: Utterance,
    /// Token ids; none for noise.
    pub labels: Vec<i64>,
    /// Length in samples at the model's rate.
    pub samples: usize,
    /// Place of its manifest in the recipe's list; for dev speakers of the training sets, one past the dev list.
    pub set: usize,
    /// Decoded audio, while the cache has room.
    cached: Option<Arc<Vec<f32>>>,
}

impl Item {
    /// The recording at `rate_hz`, from the cache or decoded anew.
    ///
    /// # Errors
    /// When it can no longer be read.
    pub fn audio(&self, rate_hz: u32) -> Result<Arc<Vec<f32>>> {
        match &self.cached {
            Some(samples) => Ok(Arc::clone(samples)),
            None => Ok(Arc::new(decode(&self.utterance, rate_hz)?)),
        }
    }
}

/// What the preflight left out.
#[derive(Debug, Clone, Default)]
pub struct Preflight {
    /// One line for each bad utterance: file and reason.
    pub rejected: Vec<String>,
    /// Utterances left out because their text is on the recipe's list.
    pub excluded: usize,
}

/// Everything there is to train on and to choose by.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Speech to train on.
    pub train: Vec<Item>,
    /// Noise clips.
    pub noise: Vec<Item>,
    /// Speech to choose by.
    pub dev: Vec<Item>,
    /// The tokens.
    pub tokens: TokenTable,
    /// Samples a second of all audio here.
    pub rate_hz: u32,
    /// What was left out.
    pub preflight: Preflight,
}

impl Dataset {
    /// Reads the recipe's manifests and every recording in them. `tokens`: the table to use, `None` makes it by recipe.
    ///
    /// # Errors
    /// When a manifest cannot be read or nothing is left to train on.
    pub fn load(config: &TrainConfig, tokens: Option<TokenTable>) -> Result<Self> {
        let mut preflight = Preflight::default();
        let (train, held_out) = listed_for_training(config, &mut preflight)?;
        let mut dev = read_manifests(&config.data.dev, &mut preflight)?;
        dev.extend(held_out);
        let noise = read_manifests(&config.data.noise, &mut preflight)?;
        let tokens = match tokens {
            Some(tokens) => tokens,
            None => make_tokens(config, &train)?,
        };
        let cache_left = AtomicUsize::new(config.data.cache_mb * (1 << 18));
        let total = train.len() + dev.len() + noise.len();
        let check = Check { rate: output_rate(config), tokens: &tokens, cache_left, progress: Reading::new(total) };
        let mut items = |listed: Vec<Listed>, labelled| check.items(&listed, labelled, &mut preflight.rejected);
        let (train, dev, noise) = (items(train, true)?, items(dev, false)?, items(noise, false)?);
        if train.is_empty() {
            let first = preflight.rejected.first().map_or("no utterance", String::as_str);
            return Err(Error::invalid(
                "data.train",
                "nothing usable",
                format!("at least one good utterance ({first})"),
            ));
        }
        Ok(Dataset { train, noise, dev, tokens, rate_hz: config.front_end.sample_rate_hz, preflight })
    }

    /// Whether training utterances in a row, without a pause, carry the labels of all: where they meet, a frame may be
    /// missing that each has alone, and an equal label needs a blank more.
    pub fn can_join(&self, config: &TrainConfig, places: &[usize]) -> bool {
        let items = || places.iter().map(|&place| &self.train[place]);
        let labels: Vec<i64> = items().flat_map(|item| item.labels.iter().copied()).collect();
        let samples: Vec<usize> = items().map(|item| item.samples).collect();
        output_rate(config).fewest_frames(&samples) >= min_input_len(&labels) as u64
    }

    /// CMVN statistics of the training speech as it is.
    ///
    /// # Errors
    /// When a recording can no longer be read.
    pub fn cmvn(&self, config: &TrainConfig) -> Result<CmvnStats> {
        let mut stats = CmvnStats::new(config.front_end.num_ceps);
        let mut front_end = FrontEnd::new(&config.front_end, self.rate_hz, None)?;
        for item in &self.train {
            let mut frames = Frames::new(front_end.dim());
            front_end.reset();
            front_end.push(&item.audio(self.rate_hz)?, &mut frames)?;
            stats.add(&frames);
        }
        Ok(stats)
    }
}

/// A character must be in so many texts to be a token, where there are so many texts.
const FEWEST_WITH: usize = 3;
const FEWEST_TEXTS: usize = 20;

/// An utterance with the place of its manifest in the list.
type Listed = (usize, Utterance);

/// The token table of a recipe, without reading a recording.
///
/// # Errors
/// When a manifest cannot be read.
pub fn recipe_tokens(config: &TrainConfig) -> Result<TokenTable> {
    make_tokens(config, &listed_for_training(config, &mut Preflight::default())?.0)
}

/// What the training manifests list, without the texts that are left out; and their speakers that are held out.
fn listed_for_training(config: &TrainConfig, preflight: &mut Preflight) -> Result<(Vec<Listed>, Vec<Listed>)> {
    let manifests: Vec<PathBuf> = config.data.train.iter().map(|set| set.manifest().to_path_buf()).collect();
    let held_out: HashSet<&str> = config.data.dev_speakers.iter().map(String::as_str).collect();
    let is_dev = |(_, utterance): &Listed| {
        let of_speaker = utterance.speaker.as_deref().is_some_and(|speaker| held_out.contains(speaker));
        of_speaker || is_in_share(utterance, config.data.dev_share)
    };
    let (dev, mut train): (Vec<Listed>, Vec<Listed>) =
        read_manifests(&manifests, preflight)?.into_iter().partition(is_dev);
    let excluded: HashSet<String> = config.data.exclude.iter().map(|text| normalize(text)).collect();
    let before = train.len();
    train.retain(|(_, utterance)| utterance.text.as_ref().is_none_or(|text| !excluded.contains(text)));
    preflight.excluded = before - train.len();
    if config.model.tokens != TokenRecipe::Classes {
        leave_out_odd_characters(&mut train, preflight);
    }
    let speakers = config.data.dev.len();
    Ok((train, dev.into_iter().map(|(_, utterance)| (speakers, utterance)).collect()))
}

/// Names and leaves out texts with a character that hardly any other has, and that is no letter of English: nothing could be
/// learned of it, and it would be a token that the model writes.
fn leave_out_odd_characters(train: &mut Vec<Listed>, preflight: &mut Preflight) {
    if train.len() < FEWEST_TEXTS {
        return;
    }
    let odd = |utterance: &Utterance| -> BTreeSet<char> {
        utterance.text.iter().flat_map(|text| text.chars()).filter(|letter| !letter.is_ascii()).collect()
    };
    let mut counts: HashMap<char, usize> = HashMap::new();
    for letter in train.iter().flat_map(|(_, utterance)| odd(utterance)) {
        *counts.entry(letter).or_default() += 1;
    }
    train.retain(|(_, utterance)| {
        let rare = odd(utterance).into_iter().find(|letter| counts[letter] < FEWEST_WITH);
        if let Some(letter) = rare {
            let reason = format!("unknown character {letter:?}: in less than {FEWEST_WITH} of the texts");
            preflight.rejected.push(format!("{}: {reason}", utterance.audio.display()));
        }
        rare.is_none()
    });
}

/// Whether a recording belongs to a share of all that is chosen by their names.
fn is_in_share(utterance: &Utterance, share: f64) -> bool {
    let mut hash = Sha256::new();
    hash.update(utterance.audio.file_name().unwrap_or_default().as_encoded_bytes());
    hash.update(utterance.offset.unwrap_or(0.0).to_le_bytes());
    let place = hash.finalize().iter().rev().fold(0.0, |place, &byte| (place + f64::from(byte)) / 256.0);
    place < share
}

/// All utterances of manifests relative to the corpus folder.
fn read_manifests(paths: &[PathBuf], preflight: &mut Preflight) -> Result<Vec<Listed>> {
    let mut all = Vec::new();
    for (set, path) in paths.iter().enumerate() {
        let manifest = Manifest::read(&corpus_folder().join(path)).map_err(|error| match error {
            Error::Io { path, error } if error.kind() == std::io::ErrorKind::NotFound => {
                let reason = format!("no such manifest: recipes name them relative to {CORPUS_VARIABLE}");
                Error::training(path, reason)
            }
            other => other,
        })?;
        preflight.rejected.extend(manifest.rejected);
        all.extend(manifest.utterances.into_iter().map(|utterance| (set, utterance)));
    }
    Ok(all)
}

fn make_tokens(config: &TrainConfig, train: &[Listed]) -> Result<TokenTable> {
    let texts = train.iter().filter_map(|(_, utterance)| utterance.text.as_deref());
    match config.model.tokens {
        TokenRecipe::Characters => TokenTable::characters(texts),
        TokenRecipe::Words(min_count) => TokenTable::words(texts, min_count),
        TokenRecipe::Pieces(size) => TokenTable::pieces(texts, size),
        TokenRecipe::Classes => TokenTable::classes(texts),
    }
}

/// The preflight of single recordings.
struct Check<'a> {
    rate: OutputRate,
    tokens: &'a TokenTable,
    /// Samples that the cache still has room for.
    cache_left: AtomicUsize,
    progress: Reading,
}

impl Check<'_> {
    /// The good ones, in order; decoding is spread over all cores.
    fn items(&self, listed: &[Listed], labelled: bool, rejected: &mut Vec<String>) -> Result<Vec<Item>> {
        let work = |(set, utterance): &Listed| {
            let path = utterance.audio.display().to_string();
            self.item(utterance.clone(), *set, labelled).map_err(|error| {
                let error = error.to_string();
                if error.contains(&path) { error } else { format!("{path}: {error}") }
            })
        };
        let outcomes = for_each_parallel(listed, all_cores(), work, &|_| self.progress.one_more())?;
        let mut items = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            match outcome {
                Ok(item) => items.push(item),
                Err(reason) => rejected.push(reason),
            }
        }
        Ok(items)
    }

    fn item(&self, utterance: Utterance, set: usize, labelled: bool) -> Result<Item> {
        let text = utterance.text.as_deref().filter(|_| labelled).unwrap_or("");
        let labels = self.tokens.encode(text)?;
        let samples = decode(&utterance, self.rate.sample_rate_hz())?;
        self.rate.check_length(samples.len(), &labels)?;
        let length = samples.len();
        let take = |left: usize| left.checked_sub(length);
        let keep = self.cache_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        let cached = keep.then(|| Arc::new(samples));
        Ok(Item { utterance, labels, samples: length, set, cached })
    }
}

/// Output frames at the recipe's fastest speed.
fn output_rate(config: &TrainConfig) -> OutputRate {
    OutputRate::new(config.front_end.clone(), config.model.stacking, config.augment.speed[1])
}

/// A whole recording at `rate_hz`. One that is cut short is refused: its text would not fit.
fn decode(utterance: &Utterance, rate_hz: u32) -> Result<Vec<f32>> {
    let mut source = utterance.open()?;
    let samples = read_all(source.as_mut())?;
    if let Some(missing) = source.truncation() {
        return Err(cut_short(&utterance.audio, missing));
    }
    resample(&samples, source.sample_rate(), rate_hz)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_what_its_size_says_and_the_same_wherever_the_recordings_lie() {
        let utterance = |folder: &str, index: usize| Utterance {
            audio: PathBuf::from(folder).join(format!("{index}.wav")),
            text: Some("go".to_string()),
            duration: None,
            offset: None,
            speaker: None,
            line: index,
        };
        let chosen = |folder: &str, share: f64| -> Vec<usize> {
            (0..2000).filter(|&index| is_in_share(&utterance(folder, index), share)).collect()
        };
        let tenth = chosen("/a", 0.1);
        assert!((150..250).contains(&tenth.len()), "{}", tenth.len());
        assert_eq!(tenth, chosen("b/c", 0.1));
        let fifth = chosen("/a", 0.2);
        assert!(tenth.iter().all(|index| fifth.contains(index)), "a larger share holds the smaller one");
        assert!(chosen("/a", 0.0).is_empty());
    }

    #[test]
    fn a_character_that_hardly_any_text_has_is_unknown() {
        let utterance = |text: &str| Utterance {
            audio: PathBuf::from("a.wav"),
            text: Some(text.to_string()),
            duration: None,
            offset: None,
            speaker: None,
            line: 1,
        };
        let mut train: Vec<Listed> = (0..20).map(|_| (0, utterance("go"))).collect();
        train.extend([(0, utterance("\u{4f60}")), (0, utterance("q"))]);
        train.extend((0..3).map(|_| (0, utterance("\u{434}\u{430}"))));
        let mut preflight = Preflight::default();
        leave_out_odd_characters(&mut train, &mut preflight);
        assert_eq!((train.len(), preflight.rejected.len()), (24, 1));
        assert!(preflight.rejected[0].contains("unknown character '\u{4f60}'"), "{}", preflight.rejected[0]);
    }
}
