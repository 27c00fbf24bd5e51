//! What a training tells while it runs: a bar on a terminal, plain lines elsewhere, `metrics.jsonl`, and TensorBoard's
//! event files.
//!
//! Layer 8.

use super::checkpoint::Progress;
use super::evaluate::Evaluation;
use super::layers::total_norm;
use super::tensorboard::EventWriter;
use super::validate::DevErrors;
use crate::error::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Time between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(30);
/// Time between lines while recordings are read.
const READING_EVERY: Duration = Duration::from_secs(10);

/// One step's figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepFigures<'a> {
    pub step: u64,
    pub epoch: u64,
    /// Mean loss a label since the epoch's start.
    pub loss: f64,
    pub rate: f64,
    /// Each layer's gradient norm before clipping.
    pub gradient_norms: &'a [(String, f64)],
    /// Each layer's norm of the forward `h` after the last step, mean over rows.
    pub state_norms: &'a [f64],
    /// Norm above which gradients are scaled down.
    pub clip_norm: f64,
    /// Seconds of audio a second.
    pub speed: f64,
    /// Steps left.
    pub left: u64,
    /// Steps a second.
    pub pace: f64,
}

/// One epoch's figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct EpochFigures<'a> {
    pub epoch: u64,
    /// Mean training loss a label.
    pub loss: f64,
    pub dev: &'a DevErrors,
    /// After the epoch.
    pub progress: &'a Progress,
}

impl EpochFigures<'_> {
    /// An epoch in a line, and one for each dev set where there are several.
    fn text(&self) -> String {
        let EpochFigures { epoch, loss, dev, progress } = *self;
        let percent = |fraction: f64| format!("{:.2} %", 100.0 * fraction);
        let rates =
            |set: &Evaluation| format!("WER {}, CER {}", percent(set.words.rate()), percent(set.characters.rate()));
        let errors = match progress.best {
            Some((best, at)) => format!("dev {}, best {} (epoch {at})", rates(&dev.total), percent(best)),
            None => "no dev set".to_string(),
        };
        let mut text = format!("epoch {epoch}: loss {loss:.4}, {errors}, {:.1} min", progress.wall_seconds / 60.0);
        for (name, set) in dev.sets.iter().filter(|_| dev.sets.len() > 1) {
            text += &format!("\n  {name}: {}", rates(set));
        }
        text
    }
}

/// Reports a training.
pub(super) struct Report {
    bar: ProgressBar,
    metrics: File,
    events: EventWriter,
    path: PathBuf,
    last_line: Instant,
    terminal: bool,
}

impl Report {
    /// Appends to `metrics.jsonl` in the run folder, and starts an event file there.
    pub fn open(run: &Path, done: u64, total: u64) -> Result<Self> {
        let path = run.join("metrics.jsonl");
        let metrics = OpenOptions::new().create(true).append(true).open(&path).map_err(|e| Error::io(&path, e))?;
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} steps  {msg}  ETA {eta}") {
            bar.set_style(style);
        }
        bar.set_position(done);
        bar.reset_eta();
        let events = EventWriter::create(run)?;
        Ok(Report { bar, metrics, events, path, last_line: Instant::now(), terminal })
    }

    /// A step was done.
    pub fn step(&mut self, figures: StepFigures) -> Result<()> {
        let StepFigures { step, epoch, loss, rate, gradient_norms, state_norms, clip_norm, speed, left, pace } =
            figures;
        let gradient_norm = total_norm(gradient_norms);
        let states: Vec<(String, f64)> =
            state_norms.iter().enumerate().map(|(index, norm)| (format!("layers.{index}"), *norm)).collect();
        let message = format!("epoch {epoch}  loss {loss:.3}  {speed:.0} x real time");
        self.bar.set_position(step);
        self.bar.set_message(message.clone());
        if !self.terminal && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("step {step}  {message}  rate {rate:.2e}  ETA {:.0} min", left as f64 / pace.max(1e-9) / 60.0);
        }
        let line = serde_json::json!({
            "step": step, "epoch": epoch, "loss": loss, "learning_rate": rate, "gradient_norm": gradient_norm,
            "gradient_norms": as_object(gradient_norms), "state_norms": as_object(&states), "clipped": gradient_norm > clip_norm, "x_real_time": speed,
        });
        let clipped = f64::from(u8::from(gradient_norm > clip_norm));
        let by_layer = [("gradient_norm", gradient_norms), ("state_norm", &states)];
        let by_layer: Vec<(String, f64)> = by_layer
            .iter()
            .flat_map(|(what, norms)| norms.iter().map(move |(layer, norm)| (format!("{what}/{layer}"), *norm)))
            .collect();
        let mut scalars =
            vec![("loss", loss), ("learning_rate", rate), ("gradient_norm", gradient_norm), ("clipped", clipped)];
        scalars.extend(by_layer.iter().map(|(name, norm)| (name.as_str(), *norm)));
        self.events.scalars(step, &scalars)?;
        self.write(&line)
    }

    /// An epoch was done.
    pub fn epoch(&mut self, figures: &EpochFigures) -> Result<()> {
        let EpochFigures { epoch, loss, dev, progress } = *figures;
        let (wer, cer) = (dev.total.words.rate(), dev.total.characters.rate());
        let measured = |value: f64| (dev.total.utterances > 0).then_some(value);
        let names: Vec<String> = dev.sets.iter().map(|(name, _)| format!("dev_wer/{name}")).collect();
        let mut scalars = vec![("train_loss", loss)];
        if dev.total.utterances > 0 {
            scalars.extend([("dev_wer", wer), ("dev_cer", cer)]);
            scalars.extend(names.iter().zip(&dev.sets).map(|(name, (_, set))| (name.as_str(), set.words.rate())));
        }
        self.events.scalars(progress.step, &scalars)?;
        self.tell(&figures.text());
        let sets = dev
            .sets
            .iter()
            .map(|(name, set)| serde_json::json!({"set": name, "wer": set.words.rate(), "cer": set.characters.rate()}));
        self.write(&serde_json::json!({
            "epoch": epoch, "step": progress.step, "train_loss": loss, "dev_wer": measured(wer),
            "dev_cer": measured(cer), "dev": sets.collect::<Vec<_>>(), "wall_seconds": progress.wall_seconds,
            "audio_seconds": progress.audio_seconds, "skipped": progress.skipped,
        }))
    }

    /// A message beside the bar.
    pub fn tell(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    fn write(&mut self, line: &serde_json::Value) -> Result<()> {
        writeln!(self.metrics, "{line}").map_err(|error| Error::io(&self.path, error))
    }
}

/// Layer -> norm.
fn as_object(norms: &[(String, f64)]) -> serde_json::Map<String, serde_json::Value> {
    norms.iter().map(|(layer, norm)| (layer.clone(), (*norm).into())).collect()
}

/// Tells how many recordings have been read, from whichever thread reads.
pub(super) struct Reading {
    total: usize,
    done: AtomicUsize,
    last_line: Mutex<Instant>,
}

impl Reading {
    /// Of `total` recordings.
    pub fn new(total: usize) -> Self {
        Reading { total, done: AtomicUsize::new(0), last_line: Mutex::new(Instant::now()) }
    }

    /// One was read.
    pub fn one_more(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Ok(mut last) = self.last_line.try_lock()
            && last.elapsed() >= READING_EVERY
        {
            *last = Instant::now();
            eprintln!("{done} of {} recordings read", self.total);
        }
    }
}
