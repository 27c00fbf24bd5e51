//! Flags that several subcommands share.

#[cfg(feature = "torch")]
use crate::ctc::HotWord;
#[cfg(feature = "torch")]
use crate::recognizer::{BeamOptions, DecoderConfig};
use anyhow::{Context, Result};
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Messages on stderr: warnings, with `-v` progress, with `-vv` details; `RUST_LOG` overrides.
pub(super) fn init_tracing(verbose: u8) {
    let level = ["warn", "info", "debug"][usize::from(verbose.min(2))];
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| format!("eddy={level}").into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Messages::default)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .init();
}

/// Messages that wait while a terminal view has the screen.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

fn held() -> std::sync::MutexGuard<'static, Option<Vec<String>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One message on its way to stderr, or to where it is held.
#[derive(Default)]
struct Messages(Vec<u8>);

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        match &mut *held() {
            Some(held) => held.push(String::from_utf8_lossy(&self.0).trim_end().to_string()),
            // There is nowhere to tell that stderr is gone.
            None => drop(std::io::stderr().write_all(&self.0)),
        }
    }
}

/// While this lives, messages wait in it instead of going to stderr; what is left at its end goes there.
#[cfg(feature = "torch")]
pub(super) struct HeldMessages;

/// Holds messages back.
#[cfg(feature = "torch")]
pub(super) fn hold_messages() -> HeldMessages {
    *held() = Some(Vec::new());
    HeldMessages
}

#[cfg(feature = "torch")]
impl HeldMessages {
    /// The messages since the last call.
    pub fn take(&self) -> Vec<String> {
        held().as_mut().map(std::mem::take).unwrap_or_default()
    }
}

#[cfg(feature = "torch")]
impl Drop for HeldMessages {
    fn drop(&mut self) {
        for message in held().take().unwrap_or_default() {
            eprintln!("{message}");
        }
    }
}

/// `--model`: where the model is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ModelArgs {
    /// Model directory [default: $EDDY_MODEL, else models/ here, beside the executable or in its ../share/eddy/]
    #[arg(long, value_name = "DIR", env = "EDDY_MODEL", value_parser = maybe_path())]
    pub model: Option<PathBuf>,
}

/// A path from a flag or a variable; empty where the variable is set to nothing, which counts as not set.
pub(super) fn maybe_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Names of the models that are looked for, best first.
const DEFAULT_MODELS: [&str; 2] = ["en", "an4"];
/// The same for commands that need a classifier.
#[cfg(feature = "torch")]
const DEFAULT_CLASSIFIERS: [&str; 3] = ["digits/gru", "digits/lstm", "digits/rnn"];

impl ModelArgs {
    /// The directory asked for, or the first default model found.
    pub fn resolve(&self) -> Result<PathBuf> {
        self.resolve_among(&DEFAULT_MODELS)
    }

    /// As [`ModelArgs::resolve`], for commands that need a classifier.
    #[cfg(feature = "torch")]
    pub fn resolve_classifier(&self) -> Result<PathBuf> {
        self.resolve_among(&DEFAULT_CLASSIFIERS)
    }

    fn resolve_among(&self, defaults: &[&str]) -> Result<PathBuf> {
        if let Some(path) = self.model.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            return Ok(path.clone());
        }
        let roots = model_roots();
        let found =
            roots.iter().flat_map(|root| defaults.iter().map(|name| root.join(name))).find(|path| path.is_dir());
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
    /// Threads for the network on the CPU [default: all cores for training and for recordings that share its steps, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1024))]
    pub threads: Option<i32>,
}

#[cfg(feature = "torch")]
impl DeviceArgs {
    /// Steps of the network at the same time, for recordings that share them.
    pub fn networks(&self) -> usize {
        let threads = || self.threads.map_or_else(crate::corpus::all_cores, |threads| threads as usize);
        if self.device == tch::Device::Cpu { threads() } else { 1 }
    }

    /// The flags that say this, each with a space before it.
    pub fn as_flags(&self) -> String {
        let device = match self.device {
            tch::Device::Cpu => String::new(),
            tch::Device::Cuda(index) => format!(" --device cuda:{index}"),
            other => format!(" --device {}", format!("{other:?}").to_lowercase()),
        };
        device + &self.threads.map_or(String::new(), |threads| format!(" --threads {threads}"))
    }

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
    /// How words are searched [default: beam where there is a language model or a list of hot words, else greedy]
    #[arg(long, value_enum)]
    pub decoder: Option<DecoderKind>,
    /// Language model for the beam search, ARPA or from `eddy lm build` [default: the model's own]
    #[arg(long, value_name = "FILE")]
    pub lm: Option<PathBuf>,
    /// Prefixes that the beam search keeps
    #[arg(long, value_name = "N")]
    pub beam: Option<usize>,
    /// Weight of the language model
    #[arg(long, value_name = "X")]
    pub alpha: Option<f32>,
    /// Worth of a word
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub beta: Option<f32>,
    /// Phrases to expect: one a line, optionally a tab and a boost (natural log, default 6)
    #[arg(long, value_name = "FILE")]
    pub hotwords: Option<PathBuf>,
}

/// Decoders there are.
#[cfg(feature = "torch")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DecoderKind {
    /// The likeliest token of each frame
    Greedy,
    /// Many hypotheses at once, with language model and hot words
    Beam,
}

#[cfg(feature = "torch")]
impl RecognizeArgs {
    /// Loads the model that `model` names; `nbest` hypotheses a segment.
    pub fn load(&self, model: &ModelArgs, device: tch::Device, nbest: usize) -> Result<crate::Recognizer> {
        self.load_with(model, device, crate::RecognizerConfig { nbest, ..Default::default() })
    }

    /// As [`RecognizeArgs::load`], for text that is read while it is spoken.
    pub fn load_live(
        &self,
        model: &ModelArgs,
        device: tch::Device,
        endpoint: crate::recognizer::EndpointConfig,
        nbest: usize,
    ) -> Result<crate::Recognizer> {
        self.load_with(model, device, crate::RecognizerConfig { endpoint, nbest, live: true, ..Default::default() })
    }

    fn load_with(
        &self,
        model: &ModelArgs,
        device: tch::Device,
        config: crate::RecognizerConfig,
    ) -> Result<crate::Recognizer> {
        let model = crate::ModelDir::open(&model.resolve()?)?;
        let decoder = self.decoder(&model, config.nbest)?;
        let config = crate::RecognizerConfig { latency_ms: self.latency, decoder, ..config };
        Ok(crate::Recognizer::load(model, device, config)?)
    }

    /// What the flags say about the search; asking for anything that only beam search has is asking for it.
    fn decoder(&self, model: &crate::ModelDir, nbest: usize) -> Result<DecoderConfig> {
        let only_beam = [
            ("--beam", self.beam.is_some()),
            ("--alpha", self.alpha.is_some()),
            ("--beta", self.beta.is_some()),
            ("--lm", self.lm.is_some()),
            ("--hotwords", self.hotwords.is_some()),
            ("--nbest", nbest > 1),
        ];
        let asked = only_beam.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag);
        match (self.decoder, asked) {
            (Some(DecoderKind::Greedy), Some(flag)) => anyhow::bail!("{flag} needs --decoder beam"),
            (Some(DecoderKind::Greedy), None) => return Ok(DecoderConfig::Greedy),
            (None, None) => return Ok(DecoderConfig::Model),
            _ => {}
        }
        let mut config = model.beam_config()?.unwrap_or_default();
        config.beam = self.beam.unwrap_or(config.beam);
        config.alpha = self.alpha.unwrap_or(config.alpha);
        config.beta = self.beta.unwrap_or(config.beta);
        let hot_words = match &self.hotwords {
            None => Vec::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                let list = HotWord::parse_list(&text).with_context(|| path.display().to_string())?;
                for HotWord { phrase, .. } in &list {
                    let words = crate::text::normalize(phrase);
                    let place = || format!("{}: {phrase:?}", path.display());
                    anyhow::ensure!(!words.is_empty(), "{}: no word in it", place());
                    model.tokens.encode(&words).with_context(place)?;
                }
                list
            }
        };
        Ok(DecoderConfig::Beam(BeamOptions { lm: self.lm.clone(), config: Some(config), hot_words }))
    }
}

/// When a segment ends.
#[cfg(feature = "torch")]
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EndpointArgs {
    /// Silence that ends a segment without words
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = milliseconds(), help_heading = "Endpoints")]
    endpoint_no_speech: u64,
    /// Silence that ends a segment with words
    #[arg(long, value_name = "MS", default_value_t = 1200, value_parser = milliseconds(), help_heading = "Endpoints")]
    endpoint_after_speech: u64,
    /// Length from which on a segment counts as long
    #[arg(long, value_name = "MS", default_value_t = 20_000, value_parser = milliseconds(), help_heading = "Endpoints")]
    endpoint_long_speech: u64,
    /// Silence that ends a long segment
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = milliseconds(), help_heading = "Endpoints")]
    endpoint_long_speech_pause: u64,
}

#[cfg(feature = "torch")]
fn milliseconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(10..=3_600_000)
}

#[cfg(feature = "torch")]
impl EndpointArgs {
    /// The rules.
    pub fn config(&self) -> crate::recognizer::EndpointConfig {
        let time = std::time::Duration::from_millis;
        crate::recognizer::EndpointConfig {
            no_speech: time(self.endpoint_no_speech),
            after_speech: time(self.endpoint_after_speech),
            long_speech: time(self.endpoint_long_speech),
            long_speech_pause: time(self.endpoint_long_speech_pause),
        }
    }
}
