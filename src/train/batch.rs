//! The order of an epoch, and its batches: features computed by a thread of its own, ahead of the network.
//!
//! Layer 8. Order and draws are functions of seed, epoch and place alone, so a training resumed in mid-epoch meets the
//! same batches.

use super::augment::{add_room, change_gain, change_speed, generator, limit_band, mask, mix, tilt};
use super::dataset::{Dataset, Item};
use super::recipe::{AugmentRecipe, TrainConfig};
use crate::error::{Error, Result};
use crate::frontend::{CmvnStats, FrontEnd};
use crate::stage::Frames;
use crossbeam_channel::{Receiver, bounded};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use realfft::RealFftPlanner;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Batches computed ahead: enough to bridge a slow one, little enough for memory.
const PREFETCH: usize = 6;
/// Streams of the generator that are not utterances.
const ORDER_STREAM: u64 = u32::MAX as u64;
/// Longest pause between joined utterances, in seconds.
const LONGEST_PAUSE: f64 = 0.4;

/// One recording of a batch before its features: one utterance, several joined, or a noise clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Places in `train`; none for noise.
    speech: Vec<usize>,
    /// Place in `noise`.
    noise: Option<usize>,
    /// Place in the epoch, for the generator.
    index: u64,
    /// Length in seconds before augmentation.
    seconds: f64,
}

/// A padded batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[B, T, D]`, zero past each row's length.
    pub features: Vec<f32>,
    /// `[B, T, D]`.
    pub shape: [i64; 3],
    /// Frames of each row.
    pub lengths: Vec<i64>,
    /// Labels of each row.
    pub labels: Vec<Vec<i64>>,
    /// Files of each row, for messages.
    pub names: Vec<String>,
    /// Audio without padding, each recording once.
    pub seconds: f64,
    /// Neighbouring rows that show the same recording: 1, or 2 differently masked ones.
    pub views: usize,
}

impl Batch {
    /// At most `parts` batches with every so-many-th recording each, padded no longer than they need.
    pub fn split(self, parts: usize) -> Vec<Batch> {
        let recordings = self.lengths.len() / self.views;
        if parts <= 1 || recordings <= 1 {
            return vec![self];
        }
        let [_, longest, dim] = self.shape.map(|size| size as usize);
        let part = |first: usize| {
            let views = |recording: usize| recording * self.views..(recording + 1) * self.views;
            let rows: Vec<usize> = (first..recordings).step_by(parts).flat_map(views).collect();
            let frames = rows.iter().map(|&row| self.lengths[row] as usize).max().unwrap_or(0);
            let row = |row: usize| &self.features[row * longest * dim..][..frames * dim];
            Batch {
                features: rows.iter().flat_map(|&index| row(index)).copied().collect(),
                shape: [rows.len() as i64, frames as i64, dim as i64],
                lengths: rows.iter().map(|&row| self.lengths[row]).collect(),
                labels: rows.iter().map(|&row| self.labels[row].clone()).collect(),
                names: rows.iter().map(|&row| self.names[row].clone()).collect(),
                seconds: self.seconds * rows.len() as f64 / self.lengths.len() as f64,
                views: self.views,
            }
        };
        (0..parts.min(recordings)).map(part).collect()
    }
}

/// The batches of an epoch in order. The first epoch goes from short to long (SortaGrad), later ones are shuffled.
pub fn plan(dataset: &Dataset, config: &TrainConfig, epoch: u64) -> Vec<Vec<Entry>> {
    let mut rng = generator(config.train.seed, epoch, ORDER_STREAM);
    let mut entries = entries(dataset, config, epoch, &mut rng);
    // A little noise on the sorting key: rows of a batch are alike in length, but not the same company every epoch.
    let mut keyed: Vec<(f64, Entry)> = entries
        .drain(..)
        .map(|entry| {
            (if epoch == 0 { entry.seconds } else { entry.seconds * (0.85 + 0.3 * rng.random::<f64>()) }, entry)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.index.cmp(&b.1.index)));
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    let mut longest = 0.0f64;
    for (_, entry) in keyed {
        longest = longest.max(entry.seconds);
        match batches.last_mut().filter(|batch| (batch.len() + 1) as f64 * longest <= config.train.batch_seconds) {
            Some(batch) => batch.push(entry),
            None => {
                longest = entry.seconds;
                batches.push(vec![entry]);
            }
        }
    }
    if epoch > 0 {
        batches.shuffle(&mut rng);
    }
    batches
}

/// Every utterance as often as its set's weight says, some joined to others, and the epoch's share of noise.
fn entries(dataset: &Dataset, config: &TrainConfig, epoch: u64, rng: &mut ChaCha8Rng) -> Vec<Entry> {
    let rate = f64::from(dataset.rate_hz);
    let join = if epoch == 0 { 0.0 } else { config.augment.join_probability };
    let mut entries = Vec::new();
    for (place, item) in dataset.train.iter().enumerate() {
        let weight = config.data.train[item.set].weight();
        let more = weight.fract() > 0.0 && rng.random::<f64>() < weight.fract();
        for _ in 0..weight.trunc() as usize + usize::from(more) {
            let mut speech = vec![place];
            let length = |speech: &[usize]| speech.iter().map(|&p| dataset.train[p].samples as f64 / rate).sum::<f64>();
            while rng.random::<f64>() < join {
                let other = rng.random_range(0..dataset.train.len());
                speech.push(other);
                if length(&speech) > config.augment.join_seconds || !dataset.can_join(config, &speech) {
                    speech.pop();
                    break;
                }
            }
            let seconds = length(&speech);
            entries.push(Entry { speech, noise: None, index: entries.len() as u64, seconds });
        }
    }
    let wordless = (config.augment.wordless_share * entries.len() as f64).round() as usize;
    for _ in 0..if dataset.noise.is_empty() { 0 } else { wordless } {
        let place = rng.random_range(0..dataset.noise.len());
        let seconds = dataset.noise[place].samples as f64 / rate;
        entries.push(Entry { speech: Vec::new(), noise: Some(place), index: entries.len() as u64, seconds });
    }
    entries
}

/// Running feature threads with the batches they make, each in its turn.
pub struct Batches {
    workers: Vec<Worker>,
    next: usize,
}

struct Worker {
    receiver: Option<Receiver<Result<Batch>>>,
    thread: Option<JoinHandle<()>>,
}

impl Batches {
    /// Starts on `plan` from batch `from` on, with `threads` threads. How many there are changes no batch.
    ///
    /// # Errors
    /// When the front end cannot be made.
    pub fn start(
        dataset: &Arc<Dataset>,
        config: &Arc<TrainConfig>,
        cmvn: &CmvnStats,
        plan: Vec<Vec<Entry>>,
        (epoch, from): (u64, usize),
        threads: usize,
    ) -> Result<Self> {
        let (threads, plan) = (threads.max(1), Arc::new(plan));
        let worker = |first: usize| {
            let front_end = FrontEnd::new(&config.front_end, dataset.rate_hz, Some(cmvn))?;
            let (dataset, config) = (Arc::clone(dataset), Arc::clone(config));
            let mut maker = Maker { dataset, config, front_end, planner: RealFftPlanner::new(), epoch };
            let (sender, receiver) = bounded(PREFETCH.div_ceil(threads));
            let plan = Arc::clone(&plan);
            let work = move || {
                for entries in plan.iter().skip(from + first).step_by(threads) {
                    if sender.send(maker.batch(entries)).is_err() {
                        return;
                    }
                }
            };
            let thread = std::thread::Builder::new().name("features".into()).spawn(work);
            let thread = thread.map_err(|error| Error::io("the features thread", error))?;
            Ok(Worker { receiver: Some(receiver), thread: Some(thread) })
        };
        Ok(Batches { workers: (0..threads).map(worker).collect::<Result<_>>()?, next: 0 })
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    /// The next batch; an error where its thread died before its last one.
    fn next(&mut self) -> Option<Result<Batch>> {
        let count = self.workers.len();
        let worker = &mut self.workers[self.next];
        self.next = (self.next + 1) % count;
        if let Ok(batch) = worker.receiver.as_ref()?.recv() {
            return Some(batch);
        }
        worker.receiver = None;
        let ended = worker.thread.take()?.join();
        ended.err().map(|_| Err(Error::Shape("the features thread panicked: see the message above".to_string())))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been printed; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// Makes batches from plans.
struct Maker {
    dataset: Arc<Dataset>,
    config: Arc<TrainConfig>,
    front_end: FrontEnd,
    planner: RealFftPlanner<f32>,
    epoch: u64,
}

impl Maker {
    fn batch(&mut self, entries: &[Entry]) -> Result<Batch> {
        let views = if self.config.train.consistency > 0.0 { 2 } else { 1 };
        let (mut rows, mut seconds) = (Vec::with_capacity(views * entries.len()), 0.0);
        for entry in entries {
            seconds += self.features(entry, views, &mut rows)?;
        }
        let longest = rows.iter().map(Frames::len).max().unwrap_or(0);
        let dim = self.front_end.dim();
        let mut features = vec![0.0f32; rows.len() * longest * dim];
        for (frames, row) in rows.iter().zip(features.chunks_mut((longest * dim).max(1))) {
            row[..frames.data.len()].copy_from_slice(&frames.data);
        }
        let items = |entry: &Entry| self.items(entry).cloned().collect::<Vec<_>>();
        let labels = |entry: &Entry| items(entry).iter().flat_map(|item| item.labels.clone()).collect();
        let names = |entry: &Entry| {
            items(entry).iter().map(|item| item.utterance.audio.display().to_string()).collect::<Vec<_>>().join(" + ")
        };
        Ok(Batch {
            features,
            shape: [rows.len() as i64, longest as i64, dim as i64],
            lengths: rows.iter().map(|frames| frames.len() as i64).collect(),
            labels: entries.iter().flat_map(|entry| vec![labels(entry); views]).collect(),
            names: entries.iter().flat_map(|entry| vec![names(entry); views]).collect(),
            seconds,
            views,
        })
    }

    fn items<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Item> {
        let speech = entry.speech.iter().map(|&place| &self.dataset.train[place]);
        speech.chain(entry.noise.iter().map(|&place| &self.dataset.noise[place]))
    }

    /// Adds the frames of each of an entry's views, which only the masks tell apart; its length in seconds.
    fn features(&mut self, entry: &Entry, views: usize, rows: &mut Vec<Frames>) -> Result<f64> {
        let config = Arc::clone(&self.config);
        let mut rng = generator(config.train.seed, self.epoch, entry.index);
        let samples = self.samples(entry, &mut rng)?;
        let seconds = samples.len() as f64 / f64::from(self.dataset.rate_hz);
        let shift = config.front_end.frame_shift_ms / 1000.0;
        let masks = self.epoch >= config.augment.masks_from_epoch;
        for _ in 0..views {
            rows.push(self.front_end.whole_with(&samples, &mut |log_mel| {
                if masks {
                    mask(log_mel, shift, &config.augment, &mut rng);
                }
            })?);
        }
        Ok(seconds)
    }

    /// One row's audio: each utterance at its own speed, level and room, then noise and channel over all.
    fn samples(&mut self, entry: &Entry, rng: &mut ChaCha8Rng) -> Result<Vec<f32>> {
        let (config, rate) = (Arc::clone(&self.config), self.dataset.rate_hz);
        let unchanged = AugmentRecipe::default();
        let recipe = if self.epoch < config.augment.from_epoch { &unchanged } else { &config.augment };
        let mut samples = Vec::new();
        let recordings = self.items(entry).map(|item| item.audio(rate)).collect::<Result<Vec<_>>>()?;
        for recording in recordings {
            if !samples.is_empty() {
                let pause = rng.random::<f64>() * LONGEST_PAUSE * f64::from(rate);
                samples.resize(samples.len() + pause as usize, 0.0);
            }
            let mut one = change_speed(recording.to_vec(), rate, recipe, rng)?;
            change_gain(&mut one, recipe, rng);
            samples.append(&mut add_room(one, rate, recipe, &mut self.planner, rng)?);
        }
        if rng.random::<f64>() < recipe.noise_probability {
            let noise = self.noise(samples.len(), rng)?;
            mix(&mut samples, &noise, recipe.snr_db, rng);
        }
        tilt(&mut samples, recipe, rng);
        limit_band(samples, rate, recipe, rng)
    }

    fn noise(&self, length: usize, rng: &mut ChaCha8Rng) -> Result<Vec<f32>> {
        let Dataset { train, noise, rate_hz, .. } = self.dataset.as_ref();
        let kinds = &self.config.augment.noise_kinds;
        let kind = kinds[rng.random_range(0..kinds.len())];
        let one_of = |items: &[Item], rng: &mut ChaCha8Rng| match items.len() {
            0 => Ok(None),
            count => items[rng.random_range(0..count)].audio(*rate_hz).map(Some),
        };
        kind.draw(length, *rate_hz, rng, &mut |rng| one_of(noise, rng), &mut |rng| one_of(train, rng))
    }
}
