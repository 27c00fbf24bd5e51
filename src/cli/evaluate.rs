//! `eddy evaluate`: error rates of a model on manifests.

use super::args::{DeviceArgs, ModelArgs, RecognizeArgs};
use crate::cli::show::show;
use crate::metrics::{Confusion, ErrorCounts};
use crate::train::{Evaluation, Manifest, Scored, Utterance, evaluate};
use crate::transcript::Alternative;
use crate::{Head, Recognizer};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Flags of `eddy evaluate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy evaluate --model models/an4 test.jsonl
  eddy evaluate --model models/an4 a.jsonl b.jsonl --json --details out.jsonl

A manifest has one object a line: {\"audio\": \"a.wav\", \"text\": \"GO\", \"duration\": 0.7, \"speaker\": \"x\"}.

Exit codes: 0 all scored, 1 some could not be read or were cut short (each is named), 2 nothing could be done.")]
pub(super) struct EvaluateArgs {
    /// Manifests (JSON lines)
    #[arg(required = true, value_name = "MANIFEST")]
    manifests: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    recognize: RecognizeArgs,
    /// Search as `eddy listen` does, which makes words final sooner than files ask for
    #[arg(long)]
    live: bool,
    /// Write reference, hypothesis and alignment of each utterance to this file (JSON lines)
    #[arg(long, value_name = "OUT.jsonl")]
    details: Option<PathBuf>,
    /// So many hypotheses a segment, in `nbest` of the details
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    nbest: Option<u16>,
    /// One JSON object a manifest
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs it.
pub(super) fn run(args: EvaluateArgs) -> Result<u8> {
    if args.nbest.is_some() && args.details.is_none() {
        anyhow::bail!("--nbest needs --details: that is where the hypotheses go");
    }
    let nbest = args.nbest.map_or(0, usize::from);
    if let Some(details) = &args.details {
        super::not_over("--details", details, &args.manifests.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let device = args.device.apply(1)?;
    let manifests: Vec<Manifest> =
        args.manifests.iter().map(|path| Manifest::read(path)).collect::<crate::Result<_>>()?;
    let recognizer = match args.live {
        true => args.recognize.load_live(&args.model, device, Default::default(), nbest)?,
        false => args.recognize.load(&args.model, device, nbest)?,
    };
    let mut details = args.details.as_deref().map(Details::create).transpose()?;
    let mut failed = false;
    if !args.json {
        show!(
            "{:<40} {:>5} {:>6} {:>7} {:>7}  {:>4} {:>4} {:>4} {:>7} {:>6}",
            "manifest",
            "utts",
            "words",
            "WER %",
            "CER %",
            "S",
            "D",
            "I",
            "RTF",
            "ECE %"
        )?;
    }
    let classifies = recognizer.model().encoder.head == Head::Classify;
    for manifest in &manifests {
        let mut confusion = classifies.then(Confusion::default);
        let (evaluation, bad) = one(&recognizer, manifest, details.as_mut(), confusion.as_mut())?;
        failed |= bad;
        if args.json {
            let mut object = as_json(&manifest.path, &evaluation);
            if let Some(confusion) = &confusion {
                object["accuracy"] = json!(confusion.accuracy());
                object["confusion"] = confusion.as_json();
            }
            show!("{object}")?;
        } else {
            show!("{}", as_row(&manifest.path, &evaluation))?;
            if let Some(confusion) = &confusion {
                show!("{}", confusion.as_table().trim_end())?;
            }
        }
    }
    if let Some(details) = details {
        details.finish()?;
    }
    Ok(u8::from(failed))
}

/// Errors of one manifest, and whether anything in it could not be used.
fn one(
    recognizer: &Recognizer,
    manifest: &Manifest,
    mut details: Option<&mut Details>,
    mut confusion: Option<&mut Confusion>,
) -> Result<(Evaluation, bool)> {
    for line in &manifest.rejected {
        tracing::error!("{line}");
    }
    let mut written = Ok(());
    let evaluation = evaluate(recognizer, &manifest.utterances, &Utterance::open, &mut |scored| {
        if let Err(reason) = &scored.hypothesis {
            tracing::error!("{reason} (counted as all deleted)");
        }
        if let Some(missing) = scored.truncation {
            super::warn_cut_short(&scored.utterance.audio, missing, "the score is of");
        }
        if let Some(confusion) = confusion.as_deref_mut() {
            confusion.add(scored.reference, scored.hypothesis.as_deref().unwrap_or_default());
        }
        if let Some(details) = details.as_deref_mut().filter(|_| written.is_ok()) {
            written = details.write(&manifest.path, scored);
        }
    });
    written?;
    Ok((evaluation, evaluation.unreadable + evaluation.cut_short > 0 || !manifest.rejected.is_empty()))
}

fn as_json(path: &Path, evaluation: &Evaluation) -> Value {
    let ErrorCounts { reference, substitutions, deletions, insertions } = evaluation.words;
    json!({
        "manifest": path.display().to_string(),
        "utterances": evaluation.utterances,
        "words": reference,
        "wer": evaluation.words.rate(),
        "cer": evaluation.characters.rate(),
        "substitutions": substitutions,
        "deletions": deletions,
        "insertions": insertions,
        "audio_seconds": evaluation.audio_seconds,
        "rtf": evaluation.rtf(),
        "confidence_error": evaluation.confidence.expected_calibration_error(),
    })
}

fn as_row(path: &Path, evaluation: &Evaluation) -> String {
    let ErrorCounts { reference, substitutions, deletions, insertions } = evaluation.words;
    format!(
        "{:<40} {:>5} {reference:>6} {:>7.2} {:>7.2}  {substitutions:>4} {deletions:>4} {insertions:>4} {:>7.4} {:>6.2}",
        path.display(),
        evaluation.utterances,
        100.0 * evaluation.words.rate(),
        100.0 * evaluation.characters.rate(),
        evaluation.rtf(),
        100.0 * evaluation.confidence.expected_calibration_error(),
    )
}

/// The `--details` file.
struct Details {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Details {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        Ok(Details { path: path.to_path_buf(), file: BufWriter::new(file) })
    }

    fn write(&mut self, manifest: &Path, scored: &Scored) -> Result<()> {
        let text = scored.hypothesis.as_ref().map_or("", |text| *text);
        let (_, alignment) = ErrorCounts::words(scored.reference, text);
        let hypothesis = |other: &Alternative| json!({ "text": other.text, "log_prob": other.log_prob });
        let mut line = json!({
            "manifest": manifest.display().to_string(),
            "audio": scored.utterance.audio.display().to_string(),
            "speaker": scored.utterance.speaker,
            "reference": scored.reference,
            "hypothesis": text,
            "error": scored.hypothesis.as_ref().err(),
            "substitutions": scored.words.substitutions,
            "deletions": scored.words.deletions,
            "insertions": scored.words.insertions,
            "alignment": alignment,
        });
        let segments = scored.transcript.iter().flat_map(|transcript| &transcript.segments);
        let nbest: Vec<Vec<Value>> =
            segments.map(|segment| segment.alternatives.iter().map(hypothesis).collect()).collect();
        if nbest.iter().any(|segment| !segment.is_empty()) {
            line["nbest"] = json!(nbest);
        }
        writeln!(self.file, "{line}").with_context(|| self.path.display().to_string())
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().with_context(|| self.path.display().to_string())
    }
}
