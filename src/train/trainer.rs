//! The loop: batch, forward, CTC, backward, clip, Adam, average; log, validate, save.
//!
//! Layer 8. Law 6: a training stopped at any step and resumed gives the same weights, bit for bit, on the CPU with the
//! same number of threads.

use super::adam::{Adam, norm};
use super::augment::generator;
use super::batch::{Batch, Batches, plan};
use super::checkpoint::{self, Progress};
use super::dataset::Dataset;
use super::evaluate::{Evaluation, evaluate};
use super::export::RunFolder;
use super::progress::{Report, StepFigures};
use super::recipe::TrainConfig;
use super::replica::{Replicas, StepGradient, StepSettings};
use super::schedule::Schedule;
use crate::audio::{AudioSource, SampleSource};
use crate::error::{Error, Result};
use crate::model_dir::{Direction, EncoderConfig, MODEL_FORMAT, ModelConfig, ModelDir};
use crate::nn::{Encoder, weights};
use crate::recognizer::{Recognizer, RecognizerConfig};
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
    /// From the weights, tokens and statistics of a model.
    Init(Box<ModelDir>),
    /// Where the run folder's last checkpoint is.
    Resume,
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
        let dataset = Dataset::load(&config, given.as_ref().map(|model| model.tokens.clone()))?;
        let model = describe(&config, &dataset, given.as_ref(), &run)?;
        let encoder = Encoder::new(&model.config.encoder, config.train.seed, Kind::Float, device)?;
        if let Start::Init(initial) = &start {
            check_same_network(initial, &model)?;
            weights::load(&encoder, &initial.weights_path())?;
        }
        let parameters = encoder.parameters();
        let copies = |(_, parameter): &(String, Tensor)| parameter.detach().copy();
        let mut ema: Vec<Tensor> = parameters.iter().map(copies).collect();
        let mut adam = Adam::new(encoder.parameters(), config.train.weight_decay);
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

    /// Trains to the recipe's last epoch, or until `stop` is set: then a checkpoint is saved first.
    ///
    /// # Errors
    /// [`Error::Interrupted`] after `stop`; others when a file cannot be written or LibTorch fails.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<()> {
        let mut report = Report::open(self.run.path(), self.progress.step, self.total_steps)?;
        while self.progress.epoch < self.config.train.epochs {
            self.epoch(stop, &mut report)?;
            self.end_epoch(&mut report)?;
        }
        Ok(())
    }

    /// Steps of the epoch in work, from its next batch on.
    fn epoch(&mut self, stop: &AtomicBool, report: &mut Report) -> Result<()> {
        let Progress { epoch, batch, .. } = self.progress;
        let plan = plan(&self.dataset, &self.config, epoch);
        let (dataset, config) = (Arc::clone(&self.dataset), Arc::clone(&self.config));
        let batches = Batches::start(dataset, config, &self.model.cmvn, plan, epoch, batch)?;
        let pause = Duration::from_secs_f64(self.config.train.checkpoint_minutes * 60.0);
        let (mut saved, started) = (Instant::now(), Instant::now());
        let (mut seconds, mut steps) = (0.0, 0u64);
        for batch in batches {
            let batch = batch?;
            let length = batch.seconds;
            let norm = self.step(batch, report)?;
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
                gradient_norm: norm,
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

    /// One step; the gradient's norm before clipping. A batch whose loss or gradient is not finite is named and left out.
    fn step(&mut self, batch: Batch, report: &Report) -> Result<f64> {
        let step = self.progress.step;
        let recipe = &self.config.train;
        let labels = batch.labels.iter().map(Vec::len).sum::<usize>() + batch.labels.len();
        let settings = StepSettings {
            direction: self.direction(step),
            dropout: recipe.dropout,
            precision: recipe.precision,
            seed: recipe.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(step),
            divisor: labels as f64,
        };
        let names = batch.names.join(", ");
        let StepGradient { loss, gradients } = self.replicas.step(batch, settings)?;
        let norm = norm(&gradients);
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
        Ok(norm)
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
                let _ = average.g_mul_scalar_(decay).g_add_(&(parameter * (1.0 - decay)));
            }
        });
    }

    /// Dev error rate of the averaged weights, the epoch's weights, the best, a checkpoint.
    fn end_epoch(&mut self, report: &mut Report) -> Result<()> {
        let epoch = self.progress.epoch;
        let averaged: Vec<(String, Tensor)> = self
            .parameters
            .iter()
            .zip(&self.ema)
            .map(|((name, _), average)| (name.clone(), average.shallow_clone()))
            .collect();
        weights::write(&averaged, &self.run.epoch(epoch), None)?;
        let dev = self.dev(&averaged)?;
        let wer = dev.words.rate();
        // Without a dev set the latest weights count as the best.
        let unmeasured = dev.utterances == 0;
        if unmeasured || self.progress.best.is_none_or(|(best, _)| wer < best) {
            self.progress.best = Some((wer, epoch)).filter(|_| !unmeasured);
            weights::write(&averaged, &self.run.best(), None)?;
        }
        self.run.forget_epochs_before((epoch + 1).saturating_sub(self.config.train.keep_epochs as u64))?;
        let loss = self.progress.loss_sum / self.progress.losses.max(1) as f64;
        self.progress = Progress { epoch: epoch + 1, batch: 0, loss_sum: 0.0, losses: 0, ..self.progress.clone() };
        self.save()?;
        let measured = |value: f64| (!unmeasured).then_some(value);
        let line = serde_json::json!({
            "epoch": epoch, "step": self.progress.step, "train_loss": loss, "dev_wer": measured(wer),
            "dev_cer": measured(dev.characters.rate()), "wall_seconds": self.progress.wall_seconds,
            "audio_seconds": self.progress.audio_seconds, "skipped": self.progress.skipped,
        });
        report.epoch(&line, &self.epoch_text(epoch, loss, &dev))
    }

    /// An epoch in a line.
    fn epoch_text(&self, epoch: u64, loss: f64, dev: &Evaluation) -> String {
        let percent = |fraction: f64| format!("{:.2} %", 100.0 * fraction);
        let errors = match self.progress.best {
            Some((best, at)) => format!(
                "dev WER {}, CER {}, best {} (epoch {at})",
                percent(dev.words.rate()),
                percent(dev.characters.rate()),
                percent(best)
            ),
            None => "no dev set".to_string(),
        };
        format!("epoch {epoch}: loss {loss:.4}, {errors}, {:.1} min", self.progress.wall_seconds / 60.0)
    }

    /// Dev errors of given weights.
    fn dev(&self, weights: &[(String, Tensor)]) -> Result<Evaluation> {
        let encoder = Encoder::new(&self.model.config.encoder, 0, Kind::Float, self.device)?;
        tch::no_grad(|| {
            for ((_, parameter), (_, value)) in encoder.parameters().into_iter().zip(weights) {
                let mut parameter = parameter;
                parameter.copy_(value);
            }
        });
        let recognizer = Recognizer::with_encoder(self.model.clone(), encoder, RecognizerConfig::default())?;
        let mut total = Evaluation::default();
        for item in &self.dataset.dev {
            let open = |_: &_| {
                let samples = item.audio(self.dataset.rate_hz)?.to_vec();
                Ok(Box::new(SampleSource::new(samples, self.dataset.rate_hz)) as Box<dyn AudioSource>)
            };
            let one = evaluate(&recognizer, [&item.utterance], &open, &mut |_| {});
            total.utterances += one.utterances;
            total.words.add(&one.words);
            total.characters.add(&one.characters);
        }
        Ok(total)
    }

    fn save(&mut self) -> Result<()> {
        self.progress.wall_seconds = self.wall_before + self.since_start.elapsed().as_secs_f64();
        checkpoint::save(&self.run.last(), &self.progress, &self.parameters, &self.ema, &self.adam)
    }
}

/// The model's facts: given ones are kept, others follow from recipe and data.
fn describe(config: &TrainConfig, dataset: &Dataset, given: Option<&ModelDir>, run: &RunFolder) -> Result<ModelDir> {
    let encoder = EncoderConfig {
        input_dim: config.front_end.num_ceps,
        stacking: config.model.stacking,
        cell: config.model.cell,
        layers: config.model.layers,
        hidden: config.model.hidden,
        direction: config.model.direction.clone(),
        vocabulary: dataset.tokens.len(),
    };
    let facts =
        ModelConfig { format: MODEL_FORMAT, name: config.name.clone(), front_end: config.front_end.clone(), encoder };
    facts.validate()?;
    let cmvn = match given {
        Some(model) => model.cmvn.clone(),
        None => dataset.cmvn(config)?,
    };
    Ok(ModelDir { path: run.path().to_path_buf(), config: facts, tokens: dataset.tokens.clone(), cmvn })
}

/// Weights of another shape cannot be started from.
fn check_same_network(initial: &ModelDir, model: &ModelDir) -> Result<()> {
    let comparable = |dir: &ModelDir| {
        let mut encoder = dir.config.encoder.clone();
        // The same weights serve any grid.
        if let crate::model_dir::DirectionConfig::LatencyControlled(grids) = &mut encoder.direction {
            grids.clear();
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
