//! `eddy bench latency`: recordings played at their own speed, and how long the text takes.

use crate::cli::args::{DeviceArgs, EndpointArgs, ModelArgs, RecognizeArgs};
use crate::cli::show::show;
use crate::corpus::Manifest;
use crate::metrics::Latency;
use crate::pipeline::{LatencyReport, LiveConfig};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const PERCENTILES: [f64; 3] = [50.0, 95.0, 99.0];

/// Flags of `eddy bench latency`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy bench latency --model models/en dev.jsonl --limit 50
  eddy bench latency dev.jsonl --latency 495 --json

Plays every recording in real time, so it takes as long as they do. Words end where forced alignment puts the end of
their last token; words that are recognised wrong are left out.")]
pub(super) struct LatencyArgs {
    /// Manifests (JSON lines)
    #[arg(required = true, value_name = "MANIFEST")]
    manifests: Vec<PathBuf>,
    /// At most so many recordings of each manifest, spread evenly over it
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    recognize: RecognizeArgs,
    #[command(flatten)]
    endpoint: EndpointArgs,
    /// Audio between partial results
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(20..=60_000))]
    partial_ms: u64,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs it.
pub(super) fn run(args: LatencyArgs) -> Result<u8> {
    let device = args.device.apply(1)?;
    let manifests: Vec<Manifest> =
        args.manifests.iter().map(|path| Manifest::read(path)).collect::<crate::Result<_>>()?;
    let mut report = LatencyReport::default();
    let mut failed = false;
    let mut algorithmic = None;
    for manifest in &manifests {
        let all = &manifest.utterances;
        let count = args.limit.unwrap_or(all.len()).min(all.len());
        for index in 0..count {
            let utterance = &all[index * all.len() / count];
            let Some(text) = &utterance.text else { continue };
            let recognizer = args.recognize.load_live(&args.model, device, args.endpoint.config(), 0)?;
            algorithmic = recognizer.model().latency_ms(recognizer.direction());
            let config = LiveConfig { partial_every: Duration::from_millis(args.partial_ms), ..Default::default() };
            if let Err(error) = utterance.open().and_then(|source| report.play(recognizer, source, text, config)) {
                tracing::error!("{} (left out)", error.naming(&utterance.audio));
                failed = true;
            }
            tracing::info!("{} of {count} recordings of {}", index + 1, manifest.path.display());
        }
    }
    if report.recordings == 0 {
        anyhow::bail!("no recording could be played");
    }
    if args.json { show!("{}", as_json(&report, algorithmic)) } else { show!("{}", as_table(&report, algorithmic)) }?;
    Ok(u8::from(failed))
}

/// The rows: name in JSON, name for people, delays.
fn rows(report: &LatencyReport) -> [(&'static str, &'static str, &Latency); 6] {
    [
        ("first_shown", "first word's end to its showing", &report.first_shown),
        ("shown", "word's end to its showing", &report.shown),
        ("committed", "word's end to its commitment", &report.committed),
        ("endpoint", "last word's end to a pause's final", &report.endpoint),
        ("told", "a pause's endpoint heard to its final", &report.told),
        ("end", "recording's end to the last final", &report.end),
    ]
}

fn millis(latency: &Latency, percent: f64) -> Option<f64> {
    latency.percentile(percent).map(|time| (time.as_secs_f64() * 10_000.0).round() / 10.0)
}

fn as_json(report: &LatencyReport, algorithmic: Option<f64>) -> Value {
    let mut object = json!({
        "recordings": report.recordings,
        "words": report.words,
        "algorithmic_latency_ms": algorithmic,
        "flicker": report.flicker(),
    });
    for (name, _, latency) in rows(report) {
        let [p50, p95, p99] = PERCENTILES.map(|percent| millis(latency, percent));
        object[name] = json!({ "p50_ms": p50, "p95_ms": p95, "p99_ms": p99 });
    }
    object
}

fn as_table(report: &LatencyReport, algorithmic: Option<f64>) -> String {
    let algorithmic = algorithmic.map_or("-".to_string(), |ms| format!("{ms} ms"));
    let mut text = format!(
        "{} recordings, {} words right, algorithmic latency {algorithmic}, flicker {:.1} %\n",
        report.recordings,
        report.words,
        100.0 * report.flicker()
    );
    text += &format!("{:<36} {:>8} {:>8} {:>8}", "ms", "p50", "p95", "p99");
    for (_, what, latency) in rows(report) {
        let cells =
            PERCENTILES.map(|percent| millis(latency, percent).map_or("-".to_string(), |ms| format!("{ms:.0}")));
        text += &format!("\n{what:<36} {:>8} {:>8} {:>8}", cells[0], cells[1], cells[2]);
    }
    text
}
