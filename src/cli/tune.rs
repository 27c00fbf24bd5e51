//! `eddy tune`: the beam search's weights from dev recordings.

use super::args::{DeviceArgs, ModelArgs};
use crate::cli::show::show;
use crate::train::{Manifest, Trial, Tuner};
use crate::{ModelDir, Recognizer, RecognizerConfig};
use anyhow::Result;
use std::path::PathBuf;

/// Flags of `eddy tune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy tune --model models/en dev.jsonl                    choose the weights of language model, words and priors
  eddy tune --model models/en a.jsonl b.jsonl --beam 64    the mean of both manifests' error rates counts
  eddy tune --model models/en dev.jsonl --dry-run          only say what is best

Writes decoder.json, priors.json (how often the network says each token) and confidence.json (calibration of word
confidences) into the model directory. Use recordings that
neither the network nor the language model knows, and none that error rates will be reported on.")]
pub(super) struct TuneArgs {
    /// Dev manifests (JSON lines)
    #[arg(required = true, value_name = "MANIFEST")]
    manifests: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Language model [default: the model's own]
    #[arg(long, value_name = "FILE")]
    lm: Option<PathBuf>,
    /// Prefixes that the beam search keeps [default: the model's setting, else 16]
    #[arg(long, value_name = "N")]
    beam: Option<usize>,
    /// Algorithmic latency to listen with, one of those that `eddy inspect` prints [default: the largest of at most
    /// 1000]
    #[arg(long, value_name = "MS")]
    latency: Option<f64>,
    /// Write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs it.
pub(super) fn run(args: TuneArgs) -> Result<u8> {
    let device = args.device.apply(1)?;
    let model = ModelDir::open(&args.model.resolve()?)?;
    let manifests: Vec<Manifest> =
        args.manifests.iter().map(|path| Manifest::read(path)).collect::<crate::Result<_>>()?;
    let lm = args.lm.or_else(|| model.lm_path());
    if lm.is_none() {
        anyhow::bail!(
            "{}: has no language model, so there is nothing to weigh: give one with --lm",
            model.path.display()
        );
    }
    for line in manifests.iter().flat_map(|manifest| &manifest.rejected) {
        tracing::error!("{line}");
    }
    let mut start = model.beam_config()?.unwrap_or_default();
    start.beam = args.beam.unwrap_or(start.beam);
    start.validate()?;
    let config = RecognizerConfig {
        latency_ms: args.latency,
        decoder: crate::recognizer::DecoderConfig::Greedy,
        ..Default::default()
    };
    let recognizer = Recognizer::load(model.clone(), device, config)?;
    let tuner = Tuner::listen(&recognizer, lm.as_deref(), &manifests, &mut |done, total| {
        if done % 100 == 0 || done == total {
            eprintln!("{done} of {total} recordings heard");
        }
    })?;
    show!(
        "{:>7} {:>7} {:>8} {:>7} {:>7} {:>8}  each manifest's WER %",
        "alpha",
        "beta",
        "unknown",
        "blank",
        "priors",
        "mean %"
    )?;
    let mut shown = Ok(());
    let best = tuner.tune(start, &mut |trial| {
        if shown.is_ok() {
            shown = show!("{}", row(trial));
        }
    })?;
    shown?;
    show!("best:\n{}", row(&best))?;
    let calibrated = tuner.calibrate(best.config)?;
    let percent = |reliability: crate::metrics::Reliability| 100.0 * reliability.expected_calibration_error();
    show!(
        "confidence of {} words: expected calibration error {:.2} % raw, {:.2} % calibrated",
        calibrated.raw.words(),
        percent(calibrated.raw),
        percent(calibrated.calibrated)
    )?;
    if !args.dry_run {
        model.save_beam_config(&best.config)?;
        model.save_priors(tuner.priors())?;
        let confident = calibrated.raw.words() > 0;
        if confident {
            model.save_calibration(&calibrated.calibration)?;
        }
        let calibration = if confident { " and confidence.json" } else { "" };
        eprintln!("wrote decoder.json, priors.json{calibration} in {}", model.path.display());
        if let Some(path) = lm.filter(|_| model.lm_path().is_none()) {
            model.set_lm(&path)?;
            eprintln!("the model had no language model: it has {} now", path.display());
        }
    }
    let rejected = manifests.iter().map(|manifest| manifest.rejected.len()).sum::<usize>();
    Ok(u8::from(tuner.left_out() + rejected > 0))
}

fn row(trial: &Trial) -> String {
    let rates: Vec<String> = trial.words.iter().map(|words| format!("{:.2}", 100.0 * words.rate())).collect();
    format!(
        "{:>7.3} {:>7.3} {:>8.3} {:>7.3} {:>7.3} {:>8.2}  {}",
        trial.config.alpha,
        trial.config.beta,
        trial.config.unknown_penalty,
        trial.config.blank_penalty,
        trial.config.prior_scale,
        100.0 * trial.mean_rate(),
        rates.join("  ")
    )
}
