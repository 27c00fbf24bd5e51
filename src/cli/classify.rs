//! `eddy classify`: recordings in, classes with probabilities out.

use super::args::{DeviceArgs, ModelArgs};
use crate::audio::find_recordings;
use crate::cli::show::show;
use crate::recognizer::{Classification, DecoderConfig};
use crate::{ModelDir, Recognizer, RecognizerConfig};
use anyhow::Result;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Flags of `eddy classify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy classify seven.wav                                a line a class: probability, class (models/digits/gru)
  eddy classify --model models/digits/gru *.wav          a line a recording: path, class, probability
  eddy classify --model models/digits/rnn --json *.wav   every class of every recording

Exit codes: 0 all recordings classified, 1 some failed or were cut short, 2 nothing could be done.")]
pub(super) struct ClassifyArgs {
    /// Recordings, or folders of them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// One JSON object a recording: file, class, duration, probabilities
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs it.
pub(super) fn run(args: ClassifyArgs) -> Result<u8> {
    let device = args.device.apply(1)?;
    let model = ModelDir::open(&args.model.resolve_classifier()?)?;
    let config = RecognizerConfig { decoder: DecoderConfig::Greedy, ..Default::default() };
    let recognizer = Recognizer::load(model, device, config)?;
    let recordings = find_recordings(&args.files, false);
    let (mut done, mut cut_short, mut failed) = (0, 0, 0);
    for recording in &recordings {
        let classified = recording.open().and_then(|mut source| {
            let classification = recognizer.classify(source.as_mut())?;
            Ok((classification, source.truncation().map(str::to_string)))
        });
        match classified {
            Ok((classification, truncation)) => {
                print(&recording.path, &classification, args.json, recordings.len() == 1)?;
                done += 1;
                if let Some(missing) = truncation {
                    super::warn_cut_short(&recording.path, &missing, "the class is of");
                    cut_short += 1;
                }
            }
            Err(error @ crate::Error::Model { .. }) => return Err(error.into()),
            Err(error) => {
                eprintln!("eddy: {}", error.naming(&recording.path));
                failed += 1;
            }
        }
    }
    Ok(match (done, failed + cut_short) {
        (_, 0) => 0,
        (0, _) => 2,
        _ => 1,
    })
}

/// The class that is none of the others, for people.
fn shown(class: &str) -> &str {
    if class.is_empty() { "(none)" } else { class }
}

fn print(path: &Path, classification: &Classification, json: bool, alone: bool) -> Result<()> {
    if json {
        let probabilities: serde_json::Map<String, serde_json::Value> =
            classification.classes.iter().map(|(class, probability)| (class.clone(), json!(probability))).collect();
        let object = json!({
            "file": path.display().to_string(),
            "class": classification.best(),
            "duration": classification.duration.as_secs_f64(),
            "probabilities": probabilities,
        });
        show!("{object}")?;
    } else if alone {
        for (class, probability) in &classification.classes {
            show!("{probability:.4}\t{}", shown(class))?;
        }
    } else if let Some((class, probability)) = classification.classes.first() {
        show!("{}\t{}\t{probability:.4}", path.display(), shown(class))?;
    }
    Ok(())
}
