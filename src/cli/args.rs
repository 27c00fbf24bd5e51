//! Flags that several subcommands share.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Messages on stderr: warnings, with `-v` progress, with `-vv` details; `RUST_LOG` overrides.
pub(super) fn init_tracing(verbose: u8) {
    let level = ["warn", "info", "debug"][usize::from(verbose.min(2))];
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| format!("eddy={level}").into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
}

/// `--model`: where the model is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ModelArgs {
    /// Model directory [default: $EDDY_MODEL, else models/ here, beside the executable or in its ../share/eddy/]
    #[arg(long, value_name = "DIR", env = "EDDY_MODEL")]
    pub model: Option<PathBuf>,
}

/// Names of the models that are looked for, best first.
const DEFAULT_MODELS: [&str; 2] = ["en", "an4"];

impl ModelArgs {
    /// The directory asked for, or the first default model found.
    pub fn resolve(&self) -> Result<PathBuf> {
        if let Some(path) = &self.model {
            return Ok(path.clone());
        }
        let roots = model_roots();
        let found = roots.iter().flat_map(|root| DEFAULT_MODELS.map(|name| root.join(name))).find(|path| path.is_dir());
        found.with_context(|| {
            let places: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
            format!("no model found in {}: name one with --model DIR or EDDY_MODEL", places.join(", "))
        })
    }
}

/// Where models are looked for.
fn model_roots() -> Vec<PathBuf> {
    let mut roots = vec![PathBuf::from("models")];
    if let Ok(executable) = std::env::current_exe().and_then(|path| path.canonicalize()) {
        let beside = executable.parent().unwrap_or(Path::new("."));
        roots.push(beside.join("models"));
        roots.push(beside.join("../share/eddy/models"));
        roots.push(beside.join("../../models"));
    }
    roots
}

/// `--device` and `--threads`: where the network runs.
#[cfg(feature = "torch")]
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DeviceArgs {
    /// Where the network runs: cpu, cuda, cuda:N or mps
    #[arg(long, default_value = "cpu", value_parser = parse_device)]
    pub device: tch::Device,
    /// Threads for the network on the CPU [default: all cores for training, 1 for recognition]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1024))]
    pub threads: Option<i32>,
}

#[cfg(feature = "torch")]
impl DeviceArgs {
    /// Sets LibTorch's threads once and checks that the device is there.
    pub fn apply(&self, default_threads: i32) -> Result<tch::Device> {
        tch::set_num_threads(self.threads.unwrap_or(default_threads));
        match self.device {
            tch::Device::Cuda(index) if (index as i64) >= tch::Cuda::device_count() => {
                anyhow::bail!(
                    "--device cuda:{index}: this LibTorch sees {} CUDA device(s); use --device cpu",
                    tch::Cuda::device_count()
                )
            }
            tch::Device::Mps if !tch::utils::has_mps() => {
                anyhow::bail!("--device mps: this LibTorch has no MPS; use --device cpu")
            }
            device => Ok(device),
        }
    }
}

#[cfg(feature = "torch")]
fn parse_device(text: &str) -> Result<tch::Device, String> {
    match text.split_once(':') {
        None if text == "cpu" => Ok(tch::Device::Cpu),
        None if text == "cuda" => Ok(tch::Device::Cuda(0)),
        None if text == "mps" => Ok(tch::Device::Mps),
        Some(("cuda", index)) => {
            index.parse().map(tch::Device::Cuda).map_err(|_| format!("cuda:{index}: must be cuda:N"))
        }
        _ => Err("must be cpu, cuda, cuda:N or mps".to_string()),
    }
}

/// How a model recognises.
#[cfg(feature = "torch")]
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RecognizeArgs {
    /// Algorithmic latency, one of those that `eddy inspect` prints [default: the largest of at most 1000]
    #[arg(long, value_name = "MS")]
    pub latency: Option<f64>,
    /// How words are searched
    #[arg(long, value_enum, default_value_t = DecoderKind::Greedy)]
    pub decoder: DecoderKind,
}

/// Decoders there are.
#[cfg(feature = "torch")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DecoderKind {
    /// The likeliest token of each frame
    Greedy,
}

#[cfg(feature = "torch")]
impl RecognizeArgs {
    /// Loads the model that `model` names.
    pub fn load(&self, model: &ModelArgs, device: tch::Device) -> Result<crate::Recognizer> {
        let DecoderKind::Greedy = self.decoder;
        let model = crate::ModelDir::open(&model.resolve()?)?;
        let config = crate::RecognizerConfig { latency_ms: self.latency, ..Default::default() };
        Ok(crate::Recognizer::load(model, device, config)?)
    }
}
