//! `eddy lab gradients`: norms of the gradient step by step into the past, as a table, a CSV file and a picture.

use super::listen::{Heard, hear, parse_cell, untrained};
use crate::cli::args::DeviceArgs;
use crate::cli::show::show;
use crate::lab::{GradientFlow, cell_name, fitted_rate, gradient_flow, scale_recurrence, set_forget_bias};
use crate::nn::{Encoder, weights};
use crate::plot::{Line, Panel, draw};
use crate::{CellKind, Direction, EncoderConfig, ModelDir};
use anyhow::{Context, Result, anyhow};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// Flags of `eddy lab gradients`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy lab gradients audio/08-audiobook.wav                       untrained Elman, LSTM and GRU cells side by side
  eddy lab gradients --cell rnn --gain 0.7,1,1.6 audio/08-audiobook.wav
                                                                  an Elman cell that forgets, one on edge, one that bursts
  eddy lab gradients --cell lstm --forget-bias -1,1,3,6 audio/08-audiobook.wav
                                                                  an LSTM by its forget gate
  eddy lab gradients --model models/an4 --length 100 audio/08-audiobook.wav
                                                                  a trained model beside untrained ones
  eddy lab gradients --model models/an4 --cell none audio/01-digits.wav

For the last of T steps of the network, the norm of the gradient of its loss (cross-entropy of the likeliest token) with
respect to the forward cell's state k steps earlier, for every k and layer; and the spectral radius of each step's Jacobian.
Writes PREFIX.csv and PREFIX.svg (norms at the longest length, radii) and prints the factor a step of the straight line
through the logarithms of the norms, and how well it fits (R squared: near 1 the norms fall or grow exponentially).")]
pub(super) struct GradientsArgs {
    /// A recording
    #[arg(value_name = "WAV")]
    recording: PathBuf,
    /// Untrained cells to look at: rnn, lstm, gru; none for the model alone
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "rnn,lstm,gru", value_parser = parse_cell_or_none)]
    cell: Vec<Option<CellKind>>,
    /// Recurrent weights of the untrained cells times these (orthogonal at 1)
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1", value_parser = parse_gain)]
    gain: Vec<f64>,
    /// Biases of the forget gates of untrained LSTM cells
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1", allow_hyphen_values = true,
          value_parser = parse_bias)]
    forget_bias: Vec<f64>,
    /// Steps of the network; longer than the recording means its whole length
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "50,100,200,400",
          value_parser = clap::value_parser!(u32).range(2..=100_000))]
    length: Vec<u32>,
    /// A trained model to look at too; the untrained cells then have its shape
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Layers of the untrained cells
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    layers: u16,
    /// Units of the untrained cells
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    hidden: u16,
    /// Seed of the untrained weights
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the files go: PREFIX.csv and PREFIX.svg, or with an ending of .png that picture
    #[arg(short, long, value_name = "PREFIX", default_value = "gradients")]
    output: PathBuf,
    #[command(flatten)]
    device: DeviceArgs,
}

fn parse_cell_or_none(text: &str) -> Result<Option<CellKind>, String> {
    if text == "none" { Ok(None) } else { parse_cell(text).map(Some).map_err(|error| format!("{error}, or none")) }
}

fn parse_gain(text: &str) -> Result<f64, String> {
    parse_within(text, 0.0, 100.0)
}

fn parse_bias(text: &str) -> Result<f64, String> {
    parse_within(text, -20.0, 20.0)
}

fn parse_within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value| (low..=high).contains(value));
    value.ok_or_else(|| format!("must be {low}..={high}"))
}

/// A network that is looked at.
struct Subject {
    name: String,
    encoder: Encoder,
    direction: Direction,
}

/// What one network does at one length.
struct Looked {
    name: String,
    length: usize,
    flow: GradientFlow,
}

/// Runs it.
pub(super) fn run(args: GradientsArgs) -> Result<u8> {
    let device = args.device.apply(1)?;
    let model = args.model.as_deref().map(ModelDir::open).transpose()?;
    let Heard { features: x, cut_short, .. } = hear(&args.recording, model.as_ref())?;
    let subjects = subjects(&args, model.as_ref(), device)?;
    anyhow::ensure!(!subjects.is_empty(), "nothing to look at: name cells with --cell or a model with --model");
    let x = Tensor::from_slice(&x.data).view([x.len() as i64, x.dim as i64]).to_kind(Kind::Double).to_device(device);
    let mut looked: Vec<Looked> = Vec::new();
    for subject in &subjects {
        for &length in &args.length {
            let frames = (i64::from(length) * subject.encoder.config().stacking as i64).min(x.size()[0]);
            let flow = gradient_flow(&subject.encoder, &x.narrow(0, 0, frames), subject.direction)
                .map_err(|error| anyhow!(error.naming(&args.recording)))?;
            // Lengths above the recording's are one.
            if looked.last().is_none_or(|last| last.name != subject.name || last.length != flow.steps) {
                looked.push(Looked { name: subject.name.clone(), length: flow.steps, flow });
            }
        }
    }
    let (csv, svg) = outputs(&args.output);
    crate::error::write_atomically(&csv, as_csv(&looked).as_bytes())?;
    draw(&svg, (1000, 900), 1, &panels(&looked))?;
    show!("{}{}\n{}", table(&looked), csv.display(), svg.display())?;
    Ok(u8::from(cut_short))
}

/// The table's and the picture's files: `output` with an ending each, in place of the one of a picture or table only.
fn outputs(output: &Path) -> (PathBuf, PathBuf) {
    let ending = output.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    let known = ["csv", "svg", "png"].contains(&ending.as_str());
    let stem = if known { output.with_extension("") } else { output.to_path_buf() };
    let with = |ending: &str| {
        let mut name = stem.clone().into_os_string();
        name.push(format!(".{ending}"));
        PathBuf::from(name)
    };
    (with("csv"), with(if ending == "png" { "png" } else { "svg" }))
}

fn subjects(args: &GradientsArgs, model: Option<&ModelDir>, device: tch::Device) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for cell in args.cell.iter().flatten() {
        let biases = if *cell == CellKind::Lstm { &args.forget_bias[..] } else { &[0.0] };
        for (&gain, &bias) in args.gain.iter().flat_map(|gain| biases.iter().map(move |bias| (gain, bias))) {
            let own = untrained(*cell, usize::from(args.layers), usize::from(args.hidden));
            let config = model.map_or(own, |model| EncoderConfig { cell: *cell, ..model.config.encoder.clone() });
            let direction = model.map_or(Ok(Direction::Forward), |model| model.config.direction_for(None))?;
            let encoder = Encoder::new(&config, args.seed, Kind::Double, device)?;
            scale_recurrence(&encoder, gain);
            set_forget_bias(&encoder, bias);
            let name = cell_name(*cell);
            let gain = if args.gain.len() > 1 || gain != 1.0 { format!(" x {gain}") } else { String::new() };
            let bias = if biases.len() > 1 { format!(", forget bias {bias}") } else { String::new() };
            subjects.push(Subject { name: format!("{name}{gain}{bias}, untrained"), encoder, direction });
        }
    }
    if let Some(model) = model {
        let encoder = Encoder::new(&model.config.encoder, 0, Kind::Double, device)?;
        weights::load(&encoder, &model.weights_path()).with_context(|| model.path.display().to_string())?;
        let direction = model.config.direction_for(None)?;
        subjects.push(Subject { name: format!("{}, trained", model.config.name), encoder, direction });
    }
    Ok(subjects)
}

fn table(looked: &[Looked]) -> String {
    let width = looked.iter().map(|one| one.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:<width$} {:>6} {:>5} {:>14} {:>14} {:>11} {:>11} {:>11}\n",
        "network", "steps", "layer", "h a step (fit)", "c a step (fit)", "h at k=1", "h at last k", "mean radius"
    );
    for one in looked {
        for (layer, flow) in one.flow.layers.iter().enumerate() {
            let rate = |norms: &[f64]| match fitted_rate(norms) {
                Some(rate) => format!("{:.4} ({:.2})", rate.factor, rate.fit),
                None => "-".to_string(),
            };
            let end = |norm: Option<&f64>| norm.copied().unwrap_or(0.0);
            let radius = flow.radii.iter().map(|(_, radius)| radius).sum::<f64>() / flow.radii.len().max(1) as f64;
            text += &format!(
                "{:<width$} {:>6} {layer:>5} {:>14} {:>14} {:>11.2e} {:>11.2e} {radius:>11.4}\n",
                one.name,
                one.length,
                rate(&flow.hidden),
                rate(&flow.cell),
                end(flow.hidden.first()),
                end(flow.hidden.last()),
            );
        }
    }
    text
}

fn as_csv(looked: &[Looked]) -> String {
    let mut text = "network,steps,layer,quantity,k,value\n".to_string();
    for one in looked {
        for (layer, flow) in one.flow.layers.iter().enumerate() {
            for (quantity, norms) in [("h", &flow.hidden), ("c", &flow.cell)] {
                for (index, norm) in norms.iter().enumerate() {
                    text += &format!("\"{}\",{},{layer},{quantity},{},{norm:e}\n", one.name, one.length, index + 1);
                }
            }
            for (step, radius) in &flow.radii {
                let k = one.length - 1 - step;
                text += &format!("\"{}\",{},{layer},radius,{k},{radius:e}\n", one.name, one.length);
            }
        }
    }
    text
}

/// Each network at its longest length, the lowest layer: norms of h, of c, and the radius.
fn panels(looked: &[Looked]) -> Vec<Panel> {
    let longest = |one: &&Looked| !looked.iter().any(|other| other.name == one.name && other.length > one.length);
    let lines = |points: &dyn Fn(&Looked) -> Vec<(f64, f64)>| -> Vec<Line> {
        let line = |one: &Looked| Line { name: one.name.clone(), points: points(one) };
        // Networks without points keep their places, so that a network has one colour in all panels.
        let lines: Vec<Line> = looked.iter().filter(longest).map(line).collect();
        if lines.iter().any(|line| !line.points.is_empty()) { lines } else { Vec::new() }
    };
    let by_k = |norms: &[f64]| norms.iter().enumerate().map(|(k, norm)| (k as f64 + 1.0, *norm)).collect();
    let panel = |title: &str, y_label: &str, logarithmic: bool, lines: Vec<Line>| Panel {
        title: title.to_string(),
        x_label: "steps before the loss (k)".to_string(),
        y_label: y_label.to_string(),
        logarithmic,
        lines,
        ..Panel::default()
    };
    let radii = |one: &Looked| {
        let k = |step: usize| (one.length - 1 - step) as f64;
        one.flow.layers[0].radii.iter().map(|(step, radius)| (k(*step), *radius)).collect()
    };
    let all = vec![
        panel("Gradient with respect to h, lowest layer", "norm", true, lines(&|one| by_k(&one.flow.layers[0].hidden))),
        panel("Gradient with respect to c, lowest layer", "norm", true, lines(&|one| by_k(&one.flow.layers[0].cell))),
        panel("Spectral radius of the step's Jacobian, lowest layer", "radius", false, lines(&radii)),
    ];
    // Room for the legends beside the lines.
    let steps = looked.iter().map(|one| one.length).max().unwrap_or(0) as f64;
    let x_range = Some((0.0, steps * if looked.len() > 1 { 1.3 } else { 1.0 }));
    all.into_iter().filter(|panel| !panel.lines.is_empty()).map(|panel| Panel { x_range, ..panel }).collect()
}
