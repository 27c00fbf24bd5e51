//! The loop: batch, forward, CTC, backward, clip, Adam, average; log, validate, save.
//!
//! Layer 8. Law 6: a training stopped at any step and resumed gives the same weights, bit for bit, on the CPU with the
//! same number of threads.

use super::adam::{Adam, squares};
use super::augment::generator;
use super::batch::{Batch, Batches, plan};
use super::checkpoint::{self, Progress};
use super::dataset::Dataset;
use super::export::RunFolder;
use super::layers;
use super::progress::{EpochFigures, Report, StepFigures};
use super::recipe::TrainConfig;
use super::replica::{Replicas, StepGradient, StepSettings};
use super::schedule::Schedule;
use super::validate::{DevErrors, dev_errors};
use crate::error::{Error, Result};
use crate::model_dir::{Direction, Head, MODEL_FORMAT, ModelConfig, ModelDir};
use crate::nn::{Encoder, weights};
use rand::RngExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// Stream of the generator for draws of a step.
const STEP_STREAM: u64 = u32::MAX as u64 - 1;
/// Bad utterances named before training; the rest are counted.
const NAMED: usize = 20;

/// How a training starts.
#[derive(Debug, Clone)]
pub enum Start {
    /// From random weights, in a run folder that is not there yet.
    Fresh,
    /// From the weights, tokens and statistics of a model, as far as the recipe does not drop layers.
    Init(Box<ModelDir>),
    /// Where the run folder's last checkpoint is.
    Resume,
}

/// What a step tells of each layer.
struct Norms {
    /// Its name, and the norm of its gradient before clipping.
    gradients: Vec<(String, f64)>,
    /// Of the forward `h` after the last step, mean over rows.
    states: Vec<f64>,
}

/// A training in its run folder.
pub struct Trainer {
    config: Arc<TrainConfig>,
    dataset: Arc<Dataset>,
    run: RunFolder,
    model: ModelDir,
    replicas: Replicas,
    parameters: Vec<(String, Tensor)>,
    /// Moving average of the parameters.
    ema: Vec<Tensor>,
    adam: Adam,
    progress: Progress,
    schedule: Schedule,
    total_steps: u64,
    device: Device,
    since_start: Instant,
    wall_before: f64,
}

impl Trainer {
    /// Reads the data, checks it, and makes or restores weights and run folder.
    ///
    /// # Errors
    /// When the recipe, data, run folder or initial model cannot be used; says which and the way out.
    pub fn new(config: TrainConfig, recipe_text: &str, run: &Path, start: Start, device: Device) -> Result<Self> {
        let run = RunFolder::new(run);
        run.check(matches!(start, Start::Resume), recipe_text)?;
        let given = match &start {
            Start::Fresh => None,
            Start::Init(model) => Some(ModelDir::clone(model)),
            Start::Resume => Some(run.model()?),
        };
        if matches!(start, Start::Fresh) && config.train.freeze_layers + config.train.drop_layers > 0 {
            let reason = "train.freeze_layers and train.drop_layers are about a model to start from: add --init MODEL";
            return Err(Error::training(run.path(), reason));
        }
        let own_tokens = matches!(start, Start::Init(_)) && config.train.drop_layers > 0;
        let tokens = given.as_ref().filter(|_| !own_tokens).map(|model| model.tokens.clone());
        let dataset = Dataset::load(&config, tokens)?;
        let model = describe(&config, &dataset, given.as_ref(), &run)?;
        let encoder = Encoder::new(&model.config.encoder, config.train.seed, Kind::Float, device)?;
        if let Start::Init(initial) = &start {
            check_same_network(initial, &model, own_tokens)?;
            let dropped = layers::dropped(&config);
            weights::load_some(&encoder, &initial.weights_path(), &|name| {
                !layers::contain(&dropped, name, config.model.layers)
            })?;
        }
        let parameters = encoder.parameters();
        let copies = |(_, parameter): &(String, Tensor)| parameter.detach().copy();
        let mut ema: Vec<Tensor> = parameters.iter().map(copies).collect();
        let frozen = layers::frozen(&config);
        let learned = encoder
            .parameters()
            .into_iter()
            .filter(|(name, _)| !layers::contain(&frozen, name, config.model.layers))
            .collect();
        let mut adam = Adam::new(learned, config.train.weight_decay);
        let progress = if matches!(start, Start::Resume) {
            checkpoint::load(&run.last(), &parameters, &mut ema, &mut adam)?
        } else {
            run.create(recipe_text, &model)?;
            fresh_progress(config.train.seed)
        };
        let count = if device == Device::Cpu { tch::get_num_threads().max(1) as usize } else { 1 };
        let replicas = Replicas::start(&encoder, count)?;
        let total_steps = (0..config.train.epochs).map(|epoch| plan(&dataset, &config, epoch).len() as u64).sum();
        let schedule = Schedule::new(&config.train, total_steps);
        let wall_before = progress.wall_seconds;
        Ok(Trainer {
            config: Arc::new(config),
            dataset: Arc::new(dataset),
            run,
            model,
            replicas,
            parameters,
            ema,
            adam,
            progress,
            schedule,
            total_steps,
            device,
            since_start: Instant::now(),
            wall_before,
        })
    }

    /// What was found, for the user: what is trained on, what was left out and why.
    pub fn summary(&self) -> String {
        let Dataset { train, dev, noise, preflight, .. } = self.dataset.as_ref();
        let hours =
            train.iter().map(|item| item.samples).sum::<usize>() as f64 / f64::from(self.dataset.rate_hz) / 3600.0;
        let weights: usize = self.parameters.iter().map(|(_, parameter)| parameter.numel()).sum();
        let mut text = format!(
            "{}: {} utterances ({hours:.2} h), {} dev, {} noise clips; {} tokens, {weights} weights; {} steps in {} epochs",
            self.config.name,
            train.len(),
            dev.len(),
            noise.len(),
            self.dataset.tokens.len(),
            self.total_steps,
            self.config.train.epochs,
        );
        if preflight.excluded > 0 {
            text += &format!("\nleft out by text: {}", preflight.excluded);
        }
        for line in preflight.rejected.iter().take(NAMED) {
            text += &format!("\nleft out: {line}");
        }
        if preflight.rejected.len() > NAMED {
            text += &format!("\nleft out: {} more", preflight.rejected.len() - NAMED);
        }
        text
    }

    /// Greedy word error rate of the dev sets with the averaged weights as they are now; none without dev sets.
    ///
    /// # Errors
    /// When the recogniser cannot be made.
    pub fn dev_error_rate(&self) -> Result<Option<f64>> {
        if self.dataset.dev.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.dev(&self.averaged())?.total.words.rate()))
    }

    /// The lowest dev word error rate of an epoch so far; none before the first and without dev sets.
    pub fn best_error_rate(&self) -> Option<f64> {
        self.progress.best.map(|(best, _)| best)
    }

    /// Trains to the recipe's last epoch, or until `stop` is set: then a checkpoint is saved first.
    ///
    /// # Errors
    /// [`Error::Interrupted`] after `stop`; others when a file cannot be written or LibTorch fails.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<()> {
        let mut report = Report::open(self.run.path(), self.progress.step, self.total_steps)?;
        while self.progress.epoch < self.config.train.epochs && !self.out_of_patience(&report) {
            self.epoch(stop, &mut report)?;
            self.end_epoch(&mut report)?;
        }
        Ok(())
    }

    /// Whether the dev error rate has not fallen for as many epochs as the recipe waits.
    fn out_of_patience(&self, report: &Report) -> bool {
        let Some((best, at)) = self.progress.best else {
            return false;
        };
        let waited = self.progress.epoch.saturating_sub(at + 1);
        let out = self.config.train.patience > 0 && waited >= self.config.train.patience as u64;
        if out {
            report.tell(&format!("no better than {:.2} % (epoch {at}) for {waited} epochs: stopped", 100.0 * best));
        }
        out
    }

    /// Steps of the epoch in work, from its next batch on.
    fn epoch(&mut self, stop: &AtomicBool, report: &mut Report) -> Result<()> {
        let Progress { epoch, batch, .. } = self.progress;
        let plan = plan(&self.dataset, &self.config, epoch);
        let position = (epoch, batch);
        let threads = feature_threads(self.device);
        let batches = Batches::start(&self.dataset, &self.config, &self.model.cmvn, plan, position, threads)?;
        let pause = Duration::from_secs_f64(self.config.train.checkpoint_minutes * 60.0);
        let (mut saved, started) = (Instant::now(), Instant::now());
        let (mut seconds, mut steps) = (0.0, 0u64);
        for batch in batches {
            let batch = batch?;
            let length = batch.seconds;
            let norms = self.step(batch, report)?;
            self.progress.batch += 1;
            self.progress.audio_seconds += length;
            seconds += length;
            steps += 1;
            let elapsed = started.elapsed().as_secs_f64();
            report.step(StepFigures {
                step: self.progress.step,
                epoch,
                loss: self.progress.loss_sum / self.progress.losses.max(1) as f64,
                rate: self.schedule.rate(self.progress.step.saturating_sub(1)),
                gradient_norms: &norms.gradients,
                state_norms: &norms.states,
                clip_norm: self.config.train.clip_norm,
                speed: seconds / elapsed,
                left: self.total_steps.saturating_sub(self.progress.step),
                pace: steps as f64 / elapsed,
            })?;
            if stop.load(Ordering::Relaxed) {
                self.save()?;
                return Err(Error::Interrupted);
            }
            if saved.elapsed() >= pause {
                self.save()?;
                saved = Instant::now();
            }
        }
        Ok(())
    }

    /// One step; each layer's norms. A batch whose loss or gradient is not finite is named and left out.
    fn step(&mut self, batch: Batch, report: &Report) -> Result<Norms> {
        let step = self.progress.step;
        let recipe = &self.config.train;
        let rows = batch.labels.len();
        let labels = match self.config.model.head {
            Head::Ctc => batch.labels.iter().map(Vec::len).sum::<usize>() + rows,
            Head::Classify => rows,
        };
        let settings = StepSettings {
            direction: self.direction(step),
            dropout: recipe.dropout,
            bptt_frames: recipe.bptt_frames,
            precision: recipe.precision,
            seed: recipe.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step),
            divisor: labels as f64,
            consistency: recipe.consistency,
        };
        let names = batch.names.join(", ");
        let StepGradient { loss, gradients, state_norms } = self.replicas.step(batch, settings)?;
        let (frozen, stack) = (layers::frozen(&self.config), self.config.model.layers);
        let learned =
            self.parameters.iter().zip(gradients).filter(|((name, _), _)| !layers::contain(&frozen, name, stack));
        let (names_of, gradients): (Vec<&str>, Vec<Tensor>) =
            learned.map(|((name, _), gradient)| (name.as_str(), gradient)).unzip();
        let norms = layers::norms(&names_of, &squares(&gradients));
        let norm = layers::total_norm(&norms);
        if loss.is_finite() && norm.is_finite() {
            let scale = (recipe.clip_norm / norm.max(1e-12)).min(1.0);
            self.adam.step(&gradients, self.schedule.rate(step), scale);
            self.average(step);
            self.progress.loss_sum += loss;
            self.progress.losses += 1;
        } else {
            self.progress.skipped += 1;
            report.tell(&format!("step {step}: loss {loss}, gradient norm {norm}; left out: {names}"));
        }
        self.progress.step += 1;
        let states = state_norms.iter().map(|sum| sum / rows as f64).collect();
        Ok(Norms { gradients: norms, states })
    }

    /// One of the directions that the recipe names, drawn anew for each step.
    fn direction(&self, step: u64) -> Direction {
        let directions = self.model.config.directions();
        directions[generator(self.config.train.seed, step, STEP_STREAM).random_range(0..directions.len())]
    }

    /// Moves the average towards the weights; slowly only once there is something to average.
    fn average(&mut self, step: u64) {
        let decay = self.config.train.ema_decay.min((1.0 + step as f64) / (10.0 + step as f64));
        tch::no_grad(|| {
            for (average, (_, parameter)) in self.ema.iter_mut().zip(&self.parameters) {
                // As a step towards the weights, so that equal ones stay as they are, to the bit.
                let _ = average.lerp_(parameter, 1.0 - decay);
            }
        });
    }

    /// Dev error rate of the averaged weights, the epoch's weights, the best, a checkpoint.
    fn end_epoch(&mut self, report: &mut Report) -> Result<()> {
        let epoch = self.progress.epoch;
        let averaged = self.averaged();
        weights::write(&averaged, &self.run.epoch(epoch), None)?;
        let dev = self.dev(&averaged)?;
        let wer = dev.total.words.rate();
        // Without a dev set the latest weights count as the best.
        let unmeasured = dev.total.utterances == 0;
        if unmeasured || self.progress.best.is_none_or(|(best, _)| wer < best) {
            self.progress.best = Some((wer, epoch)).filter(|_| !unmeasured);
            weights::write(&averaged, &self.run.best(), None)?;
        }
        self.run.forget_epochs_before((epoch + 1).saturating_sub(self.config.train.keep_epochs as u64))?;
        let loss = self.progress.loss_sum / self.progress.losses.max(1) as f64;
        self.progress = Progress { epoch: epoch + 1, batch: 0, loss_sum: 0.0, losses: 0, ..self.progress.clone() };
        self.save()?;
        report.epoch(&EpochFigures { epoch, loss, dev: &dev, progress: &self.progress })
    }

    /// The moving average of every weight, by name.
    fn averaged(&self) -> Vec<(String, Tensor)> {
        let names = self.parameters.iter().map(|(name, _)| name.clone());
        names.zip(self.ema.iter().map(Tensor::shallow_clone)).collect()
    }

    /// Dev errors of given weights.
    fn dev(&self, weights: &[(String, Tensor)]) -> Result<DevErrors> {
        // One recording at a time keeps no accelerator busy; the processor's threads take one each.
        let encoder = Encoder::new(&self.model.config.encoder, 0, Kind::Float, Device::Cpu)?;
        tch::no_grad(|| {
            for ((_, parameter), (_, value)) in encoder.parameters().into_iter().zip(weights) {
                let mut parameter = parameter;
                parameter.copy_(value);
            }
        });
        dev_errors(&self.config, &self.dataset, &self.model, &encoder, tch::get_num_threads().max(1) as usize)
    }

    fn save(&mut self) -> Result<()> {
        self.progress.wall_seconds = self.wall_before + self.since_start.elapsed().as_secs_f64();
        checkpoint::save(&self.run.last(), &self.progress, &self.parameters, &self.ema, &self.adam)
    }
}

/// Threads that make features: one beside a network that has the processor to itself, and where the network runs
/// elsewhere, all but one.
fn feature_threads(device: Device) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if device == Device::Cpu { 1 } else { cores.saturating_sub(1).max(1) }
}

/// The model's facts: given ones are kept, others follow from recipe and data.
fn describe(config: &TrainConfig, dataset: &Dataset, given: Option<&ModelDir>, run: &RunFolder) -> Result<ModelDir> {
    let encoder = config.network(dataset.tokens.len());
    let facts =
        ModelConfig { format: MODEL_FORMAT, name: config.name.clone(), front_end: config.front_end.clone(), encoder };
    facts.validate()?;
    let cmvn = match given {
        Some(model) => model.cmvn.clone(),
        None => dataset.cmvn(config)?,
    };
    Ok(ModelDir { path: run.path().to_path_buf(), config: facts, tokens: dataset.tokens.clone(), cmvn })
}

/// Weights of another shape cannot be started from; with `own_tokens` the projection may differ.
fn check_same_network(initial: &ModelDir, model: &ModelDir, own_tokens: bool) -> Result<()> {
    let comparable = |dir: &ModelDir| {
        let mut encoder = dir.config.encoder.clone();
        // The same weights serve any grid.
        if let crate::model_dir::DirectionConfig::LatencyControlled(grids) = &mut encoder.direction {
            grids.clear();
        }
        if own_tokens {
            encoder.vocabulary = 0;
        }
        (encoder, dir.config.front_end.clone())
    };
    if comparable(initial) == comparable(model) {
        return Ok(());
    }
    let reason = "its network or features differ from the recipe's: --init needs the same [model] and [front_end]";
    Err(Error::model(&initial.path, reason))
}

fn fresh_progress(seed: u64) -> Progress {
    Progress {
        epoch: 0,
        batch: 0,
        step: 0,
        loss_sum: 0.0,
        losses: 0,
        skipped: 0,
        best: None,
        audio_seconds: 0.0,
        wall_seconds: 0.0,
        seed,
        commit: super::export::current_commit(),
        versions: format!("eddy {}, tch 0.26.0 (LibTorch 2.13.0)", env!("CARGO_PKG_VERSION")),
    }
}
