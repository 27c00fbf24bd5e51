//! Chooses the weights of the beam search, and calibrates confidences, on dev recordings.
//!
//! Layer 8. The network runs once over every recording; then only the search is repeated, on all cores. What is made
//! small is the mean of the manifests' word error rates, so that a large one does not speak for all.

use super::evaluate::rights;
use crate::corpus::{Manifest, all_cores, cut_short, for_each_parallel};
use crate::ctc::{BeamConfig, BeamSearch, TokenPriors};
use crate::error::{Error, Result};
use crate::lm::NgramLm;
use crate::metrics::{Calibration, ErrorCounts, Reliability};
use crate::recognizer::{Event, Recognizer, Segmenter, Word, append_log_probs};
use crate::stage::Frames;
use crate::text::normalize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tch::Tensor;

/// First steps, each then halved: of alpha, of beta, of the unknown words' penalty, of blank's, of the priors' scale.
const STEPS: [f32; 5] = [0.2, 1.0, 0.5, 0.5, 0.2];
const HALVINGS: usize = 2;

/// A dev recording as the network hears it.
struct Item {
    /// Place of its manifest.
    set: usize,
    reference: String,
    /// Log-probs `[T', V]` of each of the network's blocks.
    blocks: Vec<Frames>,
}

/// One setting and its errors.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The setting.
    pub config: BeamConfig,
    /// Word errors of each manifest.
    pub words: Vec<ErrorCounts>,
}

impl Trial {
    /// Mean of the manifests' word error rates, a fraction.
    pub fn mean_rate(&self) -> f64 {
        self.words.iter().map(ErrorCounts::rate).sum::<f64>() / self.words.len().max(1) as f64
    }
}

/// What [`Calibration::reject_below`] is set to: a segment that is more likely wrong than right.
const REJECT_BELOW: f32 = 0.5;

/// What calibration does to the confidences of the dev words.
#[derive(Debug, Clone, Copy)]
pub struct Calibrated {
    /// The curve.
    pub calibration: Calibration,
    /// Before.
    pub raw: Reliability,
    /// With it.
    pub calibrated: Reliability,
}

/// Dev recordings, ready to be searched again and again.
pub struct Tuner {
    items: Vec<Item>,
    sets: usize,
    left_out: usize,
    priors: TokenPriors,
    search: BeamSearch,
    segmenter: Segmenter,
}

impl Tuner {
    /// Runs `recognizer`'s network over the manifests; `progress` sees how many recordings are done, of how many.
    ///
    /// # Errors
    /// When the language model cannot be read, or no readable recording has a text. A recording that cannot be read is
    /// told and left out.
    pub fn listen(
        recognizer: &Recognizer,
        lm: Option<&Path>,
        manifests: &[Manifest],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let lm = lm.map(NgramLm::load).transpose()?.map(Arc::new);
        let search = BeamSearch::new(recognizer.tokens(), lm, BeamConfig::default(), recognizer.output_frame())?;
        let total = manifests.iter().map(|manifest| manifest.utterances.len()).sum();
        let mut items = Vec::new();
        let (mut done, mut left_out) = (0, 0);
        for (set, manifest) in manifests.iter().enumerate() {
            for utterance in &manifest.utterances {
                done += 1;
                progress(done, total);
                let Some(reference) = utterance.text.clone() else { continue };
                let mut blocks = Vec::new();
                let mut failed = Ok(());
                let mut observe = |block: &Tensor| {
                    let mut frames = Frames::new(recognizer.tokens().len());
                    match append_log_probs(block, &mut frames) {
                        Ok(()) => blocks.push(frames),
                        Err(error) => failed = Err(error),
                    }
                };
                let heard = utterance.open().and_then(|mut source| {
                    recognizer.transcribe_observed(source.as_mut(), None, &mut observe)?;
                    source.truncation().map_or(Ok(()), |missing| Err(cut_short(&utterance.audio, missing)))
                });
                match heard.and(failed) {
                    Ok(()) => items.push(Item { set, reference, blocks }),
                    Err(error) => {
                        tracing::error!("{} (left out)", error.naming(&utterance.audio));
                        left_out += 1;
                    }
                }
            }
        }
        if items.is_empty() {
            return Err(Error::invalid("manifests", manifests.len(), "at least one readable recording with a text"));
        }
        let mut sums = vec![0.0; recognizer.tokens().len()];
        for row in items.iter().flat_map(|item| &item.blocks).flat_map(Frames::rows) {
            sums.iter_mut().zip(row).for_each(|(sum, log_prob)| *sum += f64::from(log_prob.exp()));
        }
        let priors = TokenPriors::from_posteriors(&sums);
        let search = search.with_priors(priors.clone())?;
        let segmenter = recognizer.segmenter().with_search(search.with_config(BeamConfig::default())?)?;
        Ok(Tuner { items, sets: manifests.len(), left_out, priors, search, segmenter })
    }

    /// Recordings that could not be read or were cut short.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// How often the network says each token on the recordings.
    pub fn priors(&self) -> &TokenPriors {
        &self.priors
    }

    /// Errors with a setting.
    ///
    /// # Errors
    /// When it has a value out of range, or a thread cannot be started.
    pub fn score(&self, config: BeamConfig) -> Result<Trial> {
        let mut words = vec![ErrorCounts::default(); self.sets];
        for (item, said) in self.items.iter().zip(self.said(config)?) {
            words[item.set].add(&ErrorCounts::words(&item.reference, &text(&said)).0);
        }
        Ok(Trial { config, words })
    }

    /// The best that ever smaller steps from `start` lead to, one value at a time; `tell` sees every trial.
    ///
    /// # Errors
    /// As [`Tuner::score`].
    pub fn tune(&self, start: BeamConfig, tell: &mut dyn FnMut(&Trial)) -> Result<Trial> {
        let mut tried: HashMap<[u32; 5], f64> = HashMap::new();
        let mut best: Option<Trial> = None;
        let mut attempt = |config: BeamConfig, best: &mut Option<Trial>| -> Result<bool> {
            let penalties = [config.unknown_penalty, config.blank_penalty, config.prior_scale];
            let key = [config.alpha, config.beta, penalties[0], penalties[1], penalties[2]].map(f32::to_bits);
            if config.validate().is_err() || tried.contains_key(&key) {
                return Ok(false);
            }
            let trial = self.score(config)?;
            tell(&trial);
            tried.insert(key, trial.mean_rate());
            let better = best.as_ref().is_none_or(|best| trial.mean_rate() < best.mean_rate());
            if better {
                *best = Some(trial);
            }
            Ok(better)
        };
        attempt(start, &mut best)?;
        for halving in 0..=HALVINGS {
            let shrink = 0.5f32.powi(halving as i32);
            loop {
                let center = best.as_ref().map_or(start, |best| best.config);
                let mut moved = false;
                for (axis, step) in STEPS.into_iter().enumerate() {
                    for step in [step * shrink, -step * shrink] {
                        moved |= attempt(moved_by(center, axis, step), &mut best)?;
                    }
                }
                if !moved {
                    break;
                }
            }
        }
        match best {
            Some(best) => Ok(best),
            None => self.score(start),
        }
    }

    /// Fits confidences to how often words are right with a setting.
    ///
    /// # Errors
    /// As [`Tuner::score`].
    pub fn calibrate(&self, config: BeamConfig) -> Result<Calibrated> {
        let mut found: Vec<(f32, bool)> = Vec::new();
        for (item, said) in self.items.iter().zip(self.said(config)?) {
            let text = text(&said);
            let (_, alignment) = ErrorCounts::words(&item.reference, &text);
            found.extend(said.iter().map(|word| word.confidence).zip(rights(&alignment)));
        }
        let calibration = Calibration { reject_below: REJECT_BELOW, ..Calibration::fit(&found) };
        let (mut raw, mut calibrated) = (Reliability::default(), Reliability::default());
        for (confidence, right) in found {
            raw.add(confidence, right);
            calibrated.add(calibration.apply(confidence), right);
        }
        Ok(Calibrated { calibration, raw, calibrated })
    }

    /// The words of every recording, as they would be served.
    fn said(&self, config: BeamConfig) -> Result<Vec<Vec<Word>>> {
        let segmenter = self.segmenter.with_search(self.search.with_config(config)?)?;
        let words = |item: &Item| -> Result<Vec<Word>> {
            let mut state = segmenter.state();
            let mut events = Vec::new();
            for block in &item.blocks {
                segmenter.push(&mut state, &block.data, Duration::MAX, &mut events)?;
            }
            segmenter.end_segment(&mut state, Duration::MAX, &mut events);
            let finals = events.into_iter().filter_map(|event| match event {
                Event::Final(segment) => Some(segment.words),
                _ => None,
            });
            Ok(finals.flatten().collect())
        };
        for_each_parallel(&self.items, all_cores(), words, &|_| ())?.into_iter().collect()
    }
}

/// Words as error rates see them.
fn text(words: &[Word]) -> String {
    normalize(&words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "))
}

/// `config` with one of alpha, beta, the penalties of unknown words and of blank, and the priors' scale changed.
fn moved_by(config: BeamConfig, axis: usize, step: f32) -> BeamConfig {
    // Whole thousandths, so that the same place is reached by every way.
    let moved = |value: f32| ((value + step) * 1000.0).round() / 1000.0;
    match axis {
        0 => BeamConfig { alpha: moved(config.alpha), ..config },
        1 => BeamConfig { beta: moved(config.beta), ..config },
        2 => BeamConfig { unknown_penalty: moved(config.unknown_penalty), ..config },
        3 => BeamConfig { blank_penalty: moved(config.blank_penalty), ..config },
        _ => BeamConfig { prior_scale: moved(config.prior_scale), ..config },
    }
}
