//! `eddy lab gates`: spectrogram, posteriors with words, and the gates of every layer, in one picture.

use super::listen::{Heard, hear, parse_cell, untrained};
use crate::cli::args::DeviceArgs;
use crate::cli::show::show;
use crate::frontend::FrontEndConfig;
use crate::lab::{CellGates, Listening, gates};
use crate::nn::{Encoder, weights};
use crate::plot::{Heat, Line, Panel, draw};
use crate::recognizer::DecoderConfig;
use crate::{CellKind, Direction, Frames, Head, ModelDir, Recognizer, RecognizerConfig};
use anyhow::{Context, Result, anyhow};
use std::path::PathBuf;
use tch::{Kind, Tensor};

/// Columns of the spectrogram at most; more frames are averaged.
const MOST_COLUMNS: usize = 700;
/// Log energies so far below the largest are white: digital silence would leave no contrast for speech.
const DEPTH: f64 = 14.0;
/// A token is drawn when its posterior exceeds this once.
const SEEN: f64 = 0.2;

/// Flags of `eddy lab gates`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy lab gates --model models/an4 audio/01-digits.wav   writes gates.png and gates.csv
  eddy lab gates --model models/digits/lstm seven.wav     a classifier's
  eddy lab gates --cell gru audio/08-audiobook.wav        an untrained cell's

From top to bottom: the log-mel spectrogram; the posterior of every token that is likely once, the
blank in grey, with the words; and for the forward and backward cell of every layer the mean of each
gate over its units, from 0 (shut) to 1 (open). An Elman cell has no gates: 1 - h^2 is shown, what
its tanh lets pass of the gradient.")]
pub(super) struct GatesArgs {
    /// A recording
    #[arg(value_name = "WAV")]
    recording: PathBuf,
    /// A trained model
    #[arg(long, value_name = "DIR", required_unless_present = "cell")]
    model: Option<PathBuf>,
    /// An untrained cell instead: rnn, lstm or gru
    #[arg(long, value_name = "CELL", conflicts_with = "model", value_parser = parse_cell)]
    cell: Option<CellKind>,
    /// One of the model's latencies in ms [default: the largest of at most 1 s]
    #[arg(long, value_name = "MS", requires = "model")]
    latency: Option<f64>,
    /// Picture to write, .png or .svg; the figures go into a .csv beside it
    #[arg(short, long, value_name = "FILE", default_value = "gates.png")]
    output: PathBuf,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Runs it.
pub(super) fn run(args: GatesArgs) -> Result<u8> {
    let device = args.device.apply(1)?;
    let model = args.model.as_deref().map(ModelDir::open).transpose()?;
    let Heard { features: x, log_mel, cut_short } = hear(&args.recording, model.as_ref())?;
    let x = Tensor::from_slice(&x.data).view([x.len() as i64, x.dim as i64]).to_kind(Kind::Double).to_device(device);
    let (encoder, direction) = match (&model, args.cell) {
        (Some(model), _) => {
            let encoder = Encoder::new(&model.config.encoder, 0, Kind::Double, device)?;
            weights::load(&encoder, &model.weights_path()).with_context(|| model.path.display().to_string())?;
            (encoder, model.config.direction_for(args.latency)?)
        }
        (None, cell) => {
            let config = untrained(cell.unwrap_or(CellKind::Lstm), 2, 64);
            (Encoder::new(&config, 1, Kind::Double, device)?, Direction::Forward)
        }
    };
    let listening = gates(&encoder, &x, direction).map_err(|error| anyhow!(error.naming(&args.recording)))?;
    let front_end = model.as_ref().map(|model| model.config.front_end.clone()).unwrap_or_default();
    let step = front_end.frame_shift_ms * 1e-3 * encoder.config().stacking as f64;
    let words = match &model {
        Some(model) => words(model, device, args.latency, &args.recording)?,
        None => Vec::new(),
    };
    let panels = panels(&listening, &log_mel, &front_end, step, words, encoder.config().head);
    let csv = args.output.with_extension("csv");
    crate::error::write_atomically(&csv, as_csv(&listening.cells, step).as_bytes())?;
    draw(&args.output, (1100, 180 * panels.len() as u32), 1, &panels)?;
    show!("{}{}\n{}", table(&listening.cells), args.output.display(), csv.display())?;
    Ok(u8::from(cut_short))
}

/// When each word starts, as the recogniser has it; a class at the end.
fn words(
    model: &ModelDir,
    device: tch::Device,
    latency_ms: Option<f64>,
    recording: &std::path::Path,
) -> Result<Vec<(f64, String)>> {
    let config = RecognizerConfig { latency_ms, decoder: DecoderConfig::Greedy, ..RecognizerConfig::default() };
    let recognizer = Recognizer::load(model.clone(), device, config)?;
    let transcript = recognizer.transcribe(crate::audio::open(recording)?.as_mut(), None)?;
    let words = transcript.segments.into_iter().flat_map(|segment| segment.words);
    Ok(words.map(|word| (word.start.as_secs_f64(), word.text)).collect())
}

fn panels(
    listening: &Listening,
    log_mel: &Frames,
    front_end: &FrontEndConfig,
    step: f64,
    words: Vec<(f64, String)>,
    head: Head,
) -> Vec<Panel> {
    let panel = |title: String, y_label: &str| Panel {
        title,
        x_label: "seconds".into(),
        y_label: y_label.into(),
        ..Panel::default()
    };
    let seconds = log_mel.len() as f64 * front_end.frame_shift_ms * 1e-3;
    let group = log_mel.len().div_ceil(MOST_COLUMNS).max(1) * log_mel.dim;
    let column = |frames: &[f32]| -> Vec<f64> {
        let count = frames.len() / log_mel.dim;
        (0..log_mel.dim)
            .map(|bin| frames.iter().skip(bin).step_by(log_mel.dim).map(|&v| f64::from(v)).sum::<f64>() / count as f64)
            .collect()
    };
    let mut columns: Vec<Vec<f64>> = log_mel.data.chunks(group).map(column).collect();
    let top = columns.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    columns.iter_mut().flatten().for_each(|value| *value = value.max(top - DEPTH));
    let class = words.iter().filter(|_| head == Head::Classify).map(|(_, class)| format!(": {class}"));
    let title = format!("log-mel energies{}", class.collect::<String>());
    let mut panels = vec![Panel {
        heat: Some(Heat { x: (0.0, seconds), y: (0.0, log_mel.dim as f64), columns }),
        ..panel(title, "mel filter")
    }];
    if head == Head::Ctc {
        let lines = posteriors(&listening.log_probs, step);
        panels.push(Panel { lines, notes: words, ..panel("posteriors, blank in grey".into(), "probability") });
    }
    for CellGates { layer, direction, gates } in &listening.cells {
        let line = |(name, means): &(&str, Vec<f64>)| Line {
            name: (*name).into(),
            points: means.iter().enumerate().map(|(index, mean)| ((index as f64 + 0.5) * step, *mean)).collect(),
        };
        let lines = gates.iter().map(line).collect();
        panels.push(Panel { lines, ..panel(format!("layer {layer}, {direction} cell"), "mean gate") });
    }
    // Room for the legends beside what they explain.
    let legend =
        if panels.iter().any(|panel| panel.lines.iter().any(|line| !line.name.is_empty())) { 0.12 } else { 0.0 };
    for panel in &mut panels {
        panel.x_range = Some((0.0, seconds * (1.0 + legend)));
    }
    panels
}

/// A line for every token that is likely once; the blank has the last colour, grey.
fn posteriors(log_probs: &Tensor, step: f64) -> Vec<Line> {
    let probabilities = log_probs.exp();
    let tokens = probabilities.size()[1];
    let mut lines: Vec<Line> = Vec::new();
    for token in 1..tokens {
        let values = Vec::<f64>::try_from(probabilities.select(1, token)).unwrap_or_default();
        if values.iter().any(|&value| value > SEEN) {
            lines.push(as_line(&values, step));
        }
        if lines.len() % 8 == 7 {
            // The blank's colour.
            lines.push(Line::default());
        }
    }
    while lines.len() % 8 != 7 {
        lines.push(Line::default());
    }
    lines.push(as_line(&Vec::<f64>::try_from(probabilities.select(1, 0)).unwrap_or_default(), step));
    lines
}

fn as_line(values: &[f64], step: f64) -> Line {
    let points = values.iter().enumerate().map(|(index, value)| ((index as f64 + 0.5) * step, *value)).collect();
    Line { name: String::new(), points }
}

/// Mean, least and largest of each gate's means.
fn table(cells: &[CellGates]) -> String {
    let mut text = format!("{:>5}  {:<9} {:<8} {:>6} {:>6} {:>6}\n", "layer", "cell", "gate", "mean", "least", "most");
    for CellGates { layer, direction, gates } in cells {
        for (gate, means) in gates {
            let mean = means.iter().sum::<f64>() / means.len() as f64;
            let (least, most) = means.iter().fold((1.0f64, 0.0f64), |(l, m), &v| (l.min(v), m.max(v)));
            text += &format!("{layer:>5}  {direction:<9} {gate:<8} {mean:>6.3} {least:>6.3} {most:>6.3}\n");
        }
    }
    text
}

fn as_csv(cells: &[CellGates], step: f64) -> String {
    let mut text = "layer,cell,gate,seconds,mean\n".to_string();
    for CellGates { layer, direction, gates } in cells {
        for (gate, means) in gates {
            for (index, mean) in means.iter().enumerate() {
                text += &format!("{layer},{direction},{gate},{:.3},{mean:.6}\n", index as f64 * step);
            }
        }
    }
    text
}
