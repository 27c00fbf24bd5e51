//! `eddy features`: what the network sees of a recording, as NumPy float32 `[T, D]`.

use crate::audio::{self, AudioSource};
use crate::error::write_atomically;
use crate::frontend::{CmvnStats, FrontEnd, FrontEndConfig};
use crate::{Error, Frames, ModelDir, Stage};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Flags of `eddy features`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eddy features talk.wav --out talk.npy                        40 cepstra of 40 mel filters, before CMVN
  eddy features talk.wav --out talk.npy --ceps 13 --mels 23
  eddy features talk.wav --out talk.npy --model models/an4     exactly what that model sees")]
pub(super) struct FeaturesArgs {
    /// Recording
    #[arg(value_name = "IN.wav")]
    input: PathBuf,
    /// File to write
    #[arg(long, value_name = "OUT.npy")]
    out: PathBuf,
    /// Cepstra
    #[arg(long, value_name = "N", conflicts_with = "model")]
    ceps: Option<usize>,
    /// Mel filters
    #[arg(long, value_name = "N", conflicts_with = "model")]
    mels: Option<usize>,
    /// Front end and CMVN of this model directory
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Before CMVN
    #[arg(long, requires = "model")]
    raw: bool,
}

/// Runs it.
pub(super) fn run(args: FeaturesArgs) -> Result<u8> {
    super::not_over("--out", &args.out, &[&args.input])?;
    let (config, stats) = front_end(&args)?;
    let mut source = audio::open(&args.input)?;
    let frames = extract(source.as_mut(), &config, stats.as_ref())?;
    write_npy(&args.out, &frames)?;
    if let Some(missing) = source.truncation() {
        super::warn_cut_short(&args.input, missing, "the features cover");
        return Ok(1);
    }
    Ok(0)
}

fn front_end(args: &FeaturesArgs) -> Result<(FrontEndConfig, Option<CmvnStats>)> {
    if let Some(path) = &args.model {
        let model = ModelDir::open(path)?;
        return Ok((model.config.front_end, Some(model.cmvn).filter(|_| !args.raw)));
    }
    let default = FrontEndConfig::default();
    let num_mels = args.mels.unwrap_or(default.num_mels);
    let num_ceps = args.ceps.unwrap_or(default.num_ceps.min(num_mels));
    Ok((FrontEndConfig { num_mels, num_ceps, ..default }, None))
}

fn extract(source: &mut dyn AudioSource, config: &FrontEndConfig, stats: Option<&CmvnStats>) -> Result<Frames, Error> {
    let mut front_end = FrontEnd::new(config, source.sample_rate(), stats)?;
    let mut frames = Frames::new(front_end.dim());
    while let Some(block) = source.next_block()? {
        front_end.push(&block.samples, &mut frames)?;
    }
    front_end.finish(&mut frames)?;
    Ok(frames)
}

/// NumPy's format 1.0: magic, padded header of a Python literal, values.
fn write_npy(path: &Path, frames: &Frames) -> Result<(), Error> {
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", frames.len(), frames.dim)
            .into_bytes();
    header.resize((10 + header.len() + 1).next_multiple_of(64) - 10 - 1, b' ');
    header.push(b'\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header);
    bytes.extend(frames.data.iter().flat_map(|value| value.to_le_bytes()));
    write_atomically(path, &bytes)
}
