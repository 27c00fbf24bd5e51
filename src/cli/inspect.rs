//! `eddy inspect`: what a model is, without running it.

use super::args::ModelArgs;
use crate::{Direction, DirectionConfig, ModelDir, WeightsSummary};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  eddy inspect models/an4          in words
  eddy inspect models/an4 --json   for programs";

/// Flags of `eddy inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InspectArgs {
    /// Model directory [default: as for `eddy transcribe --model`]
    #[arg(value_name = "MODEL")]
    model: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(super) fn run(args: InspectArgs) -> anyhow::Result<u8> {
    let path = ModelArgs { model: args.model.or_else(|| std::env::var_os("EDDY_MODEL").map(PathBuf::from)) };
    let model = ModelDir::open(&path.resolve()?)?;
    let weights = model.weights_summary()?;
    let text = if args.json { format!("{}\n", as_json(&model, &weights)?) } else { in_words(&model, &weights)? };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

fn as_json(model: &ModelDir, weights: &WeightsSummary) -> anyhow::Result<Value> {
    let default = model.config.direction_for(None)?;
    let latencies = model.config.directions().into_iter().map(|direction| {
        let (chunk, look_ahead) = frames(direction, model.config.encoder.stacking);
        json!({
            "chunk_frames": chunk,
            "look_ahead_frames": look_ahead,
            "latency_ms": model.config.latency_ms(direction),
            "default": direction == default,
        })
    });
    let latencies: Vec<Value> = latencies.collect();
    let tokens: Vec<_> = (0..model.tokens.len() as i64).filter_map(|id| model.tokens.token(id)).collect();
    Ok(json!({
        "path": model.path.display().to_string(),
        "config": model.config,
        "weights": weights,
        "latencies": latencies,
        "tokens": tokens,
    }))
}

/// Chunk and look-ahead of a direction in input frames; none for a model that waits for the end.
fn frames(direction: Direction, stacking: usize) -> (Option<usize>, Option<usize>) {
    match direction {
        Direction::Forward => (Some(stacking), Some(0)),
        Direction::LatencyControlled(grid) => (Some(grid.chunk), Some(grid.look_ahead)),
        Direction::Full => (None, None),
    }
}

fn in_words(model: &ModelDir, weights: &WeightsSummary) -> anyhow::Result<String> {
    let (front_end, encoder) = (&model.config.front_end, &model.config.encoder);
    let direction = match &encoder.direction {
        DirectionConfig::Forward => "forward",
        DirectionConfig::LatencyControlled(_) => "latency-controlled bidirectional",
        DirectionConfig::Full => "bidirectional over the whole recording",
    };
    let cell = format!("{:?}", encoder.cell).to_uppercase();
    let megabytes = weights.bytes as f64 / 1e6;
    let mut text = String::new();
    writeln!(text, "model     {} ({}, format {})", model.config.name, model.path.display(), model.config.format)?;
    writeln!(
        text,
        "features  {} MFCC of {} mel bins, {} Hz, {} ms every {} ms",
        front_end.num_ceps,
        front_end.num_mels,
        front_end.sample_rate_hz,
        front_end.frame_length_ms,
        front_end.frame_shift_ms
    )?;
    writeln!(
        text,
        "network   {} {cell} layers of {} units, {direction}, {} frames a step",
        encoder.layers, encoder.hidden, encoder.stacking
    )?;
    writeln!(text, "weights   {} ({}), {megabytes:.1} MB", weights.parameters, weights.kinds.join(", "))?;
    writeln!(text, "tokens    {}: {}", model.tokens.len(), first_tokens(model))?;
    latencies_in_words(model, &mut text)?;
    Ok(text)
}

fn latencies_in_words(model: &ModelDir, text: &mut String) -> anyhow::Result<()> {
    let default = model.config.direction_for(None)?;
    for direction in model.config.directions() {
        let mark = if direction == default { " (default)" } else { "" };
        match (model.config.latency_ms(direction), frames(direction, model.config.encoder.stacking)) {
            (Some(ms), (Some(chunk), Some(ahead))) => {
                writeln!(text, "latency   {ms} ms: chunks of {chunk} frames, look-ahead {ahead}{mark}")?;
            }
            _ => writeln!(text, "latency   none: waits for the recording's end{mark}")?,
        }
    }
    Ok(())
}

/// The first tokens, as many as fit on a line.
fn first_tokens(model: &ModelDir) -> String {
    let shown = 12.min(model.tokens.len());
    let tokens: Vec<_> = (0..shown as i64).filter_map(|id| model.tokens.token(id)).collect();
    let more = if shown < model.tokens.len() { " ..." } else { "" };
    format!("{}{more}", tokens.join(" "))
}
