//! `eddy inspect`: what a model is.

use super::args::{ModelArgs, maybe_path};
use super::show::show;
use crate::frontend::FrontEnd;
use crate::text::TokenTable;
use crate::{Direction, ModelConfig, ModelDir};
use anyhow::{Context, Result};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Tokens that are shown in words; JSON has them all.
const SHOWN_TOKENS: usize = 12;

/// Flags of `eddy inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy inspect models/an4
  eddy inspect models/an4 --json")]
pub(super) struct InspectArgs {
    /// Model directory [default: as for `eddy transcribe --model`]
    #[arg(value_name = "MODEL", env = "EDDY_MODEL", value_parser = maybe_path())]
    model: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Facts of the weights file.
struct WeightFacts {
    parameters: usize,
    kinds: Vec<String>,
}

/// Runs it.
pub(super) fn run(args: InspectArgs) -> Result<u8> {
    let model = ModelDir::open(&ModelArgs { model: args.model }.resolve()?)?;
    let weights = weight_facts(&model.weights_path())?;
    check_weights(&model)?;
    let bytes = folder_size(&model.path)?;
    let text = match args.json {
        true => format!("{}\n", as_json(&model, &weights, bytes)),
        false => as_text(&model, &weights, bytes),
    };
    show!("{}", text.trim_end())?;
    Ok(0)
}

/// Refuses weights of another network than `model.json` describes.
#[cfg(feature = "torch")]
fn check_weights(model: &ModelDir) -> Result<()> {
    let encoder = crate::nn::Encoder::new(&model.config.encoder, 0, tch::Kind::Float, tch::Device::Cpu)?;
    Ok(crate::nn::weights::load(&encoder, &model.weights_path())?)
}

#[cfg(not(feature = "torch"))]
fn check_weights(_model: &ModelDir) -> Result<()> {
    Ok(())
}

fn weight_facts(path: &Path) -> Result<WeightFacts> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = SafeTensors::deserialize(&bytes)
        .with_context(|| format!("{}: not a whole safetensors file: fetch it again", path.display()))?;
    let mut kinds: Vec<String> = file.tensors().iter().map(|(_, tensor)| format!("{:?}", tensor.dtype())).collect();
    kinds.sort();
    kinds.dedup();
    let parameters = file.tensors().iter().map(|(_, tensor)| tensor.shape().iter().product::<usize>()).sum();
    Ok(WeightFacts { parameters, kinds })
}

fn folder_size(path: &Path) -> Result<u64> {
    let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
    Ok(entries.flatten().filter_map(|entry| entry.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum())
}

fn describe(config: &ModelConfig, direction: Direction) -> String {
    let default = config.direction_for(None).is_ok_and(|default| default == direction);
    let mark = if default { "  (default)" } else { "" };
    match (direction, config.latency_ms(direction)) {
        (Direction::LatencyControlled(grid), Some(ms)) => {
            format!("{ms} ms: chunks of {} frames, {} of look-ahead{mark}", grid.chunk, grid.look_ahead)
        }
        (_, Some(ms)) => format!("{ms} ms: forward only{mark}"),
        (_, None) => "waits for the end of the recording: does not stream".to_string(),
    }
}

fn as_text(model: &ModelDir, weights: &WeightFacts, bytes: u64) -> String {
    let config = &model.config;
    let (front, net) = (&config.front_end, &config.encoder);
    let latencies: Vec<String> =
        config.directions().into_iter().map(|d| format!("  {}\n", describe(config, d))).collect();
    format!(
        "{}\n\nfeatures    {} MFCC of {} mel filters, {} ms every {} ms, {} Hz, CMVN over {} frames\n\
         network     {} layers of {} {} units, {} frames stacked\n\
         tokens      {}: {}\n\
         weights     {} ({}), directory {:.1} MB\n\nalgorithmic latency at {} Hz\n{}{}",
        config.name,
        front.num_ceps,
        front.num_mels,
        front.frame_length_ms,
        front.frame_shift_ms,
        front.sample_rate_hz,
        model.cmvn.frames,
        net.layers,
        net.hidden,
        format!("{:?}", net.cell).to_uppercase(),
        net.stacking,
        net.vocabulary,
        first_tokens(&model.tokens),
        weights.parameters,
        weights.kinds.join(", "),
        bytes as f64 / 1e6,
        front.sample_rate_hz,
        latencies.concat(),
        resampling(config)
            .into_iter()
            .map(|(rate, ms)| format!("  {ms:.1} ms more at {rate} Hz\n"))
            .collect::<String>(),
    )
}

/// Rates of common microphones and recordings with the delay in ms that resampling adds; those without any are left out.
fn resampling(config: &ModelConfig) -> Vec<(u32, f64)> {
    let delay = |rate: u32| {
        let front_end = FrontEnd::new(&config.front_end, rate, None).ok()?;
        Some((rate, 1000.0 * front_end.resampler_delay_seconds())).filter(|(_, delay)| *delay > 0.0)
    };
    [8000, 16_000, 44_100, 48_000].into_iter().filter_map(delay).collect()
}

fn tokens(table: &TokenTable) -> impl Iterator<Item = &str> {
    (0..table.len() as i64).filter_map(|id| table.token(id))
}

/// As many tokens as fit on a line.
fn first_tokens(table: &TokenTable) -> String {
    let first: Vec<_> = tokens(table).take(SHOWN_TOKENS).collect();
    let more = if table.len() > SHOWN_TOKENS { " ..." } else { "" };
    format!("{}{more}", first.join(" "))
}

fn as_json(model: &ModelDir, weights: &WeightFacts, bytes: u64) -> Value {
    let config = &model.config;
    let default = config.direction_for(None).ok();
    let latency = |direction: Direction| {
        let grid = match direction {
            Direction::LatencyControlled(grid) => json!(grid),
            _ => Value::Null,
        };
        json!({"latency_ms": config.latency_ms(direction), "grid": grid, "default": default == Some(direction)})
    };
    json!({
        "name": config.name,
        "format": config.format,
        "front_end": config.front_end,
        "encoder": config.encoder,
        "tokens": tokens(&model.tokens).collect::<Vec<_>>(),
        "parameters": weights.parameters,
        "weight_kinds": weights.kinds,
        "bytes": bytes,
        "streams": default != Some(Direction::Full),
        "latency_ms": default.and_then(|direction| config.latency_ms(direction)),
        "resampling": resampling(config).into_iter()
            .map(|(rate, ms)| json!({ "sample_rate_hz": rate, "delay_ms": ms })).collect::<Vec<_>>(),
        "latencies": config.directions().into_iter().map(latency).collect::<Vec<_>>(),
    })
}
