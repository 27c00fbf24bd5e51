//! A recording as a network of the lab hears it.

use crate::audio::read_all;
use crate::frontend::{CmvnStats, FrontEnd, FrontEndConfig};
use crate::lab::cell_name;
use crate::{CellKind, DirectionConfig, EncoderConfig, Frames, Head, ModelDir};
use anyhow::Result;
use std::path::Path;

/// The cell of that name.
pub(super) fn parse_cell(text: &str) -> Result<CellKind, String> {
    [CellKind::Rnn, CellKind::Lstm, CellKind::Gru]
        .into_iter()
        .find(|&cell| cell_name(cell) == text)
        .ok_or("must be rnn, lstm or gru".to_string())
}

/// An untrained network of the lab: forward, three frames a step, for the default front end.
pub(super) fn untrained(cell: CellKind, layers: usize, hidden: usize) -> EncoderConfig {
    EncoderConfig {
        input_dim: FrontEndConfig::default().num_ceps,
        stacking: 3,
        cell,
        layers,
        hidden,
        direction: DirectionConfig::Forward,
        vocabulary: 30,
        head: Head::Ctc,
    }
}

/// A recording, and whether all of it is there.
pub(super) struct Heard {
    /// Features as the model hears them, or by the default front end with the recording's own mean and variance.
    pub features: Frames,
    /// Log-mel energies, frame by frame.
    pub log_mel: Frames,
    /// Whether the recording ends before its header says.
    pub cut_short: bool,
}

/// Reads a recording; says on stderr where it ends early.
pub(super) fn hear(path: &Path, model: Option<&ModelDir>) -> Result<Heard> {
    let mut source = crate::audio::open(path)?;
    let rate = source.sample_rate();
    let samples = read_all(source.as_mut())?;
    let cut_short = source.truncation().is_some();
    if let Some(missing) = source.truncation() {
        crate::cli::warn_cut_short(path, missing, "shown is");
    }
    let mut log_mel = Frames::new(0);
    let mut run = |config: &FrontEndConfig, cmvn: Option<&CmvnStats>| {
        FrontEnd::new(config, rate, cmvn)?.whole_with(&samples, &mut |frames| log_mel = frames.clone())
    };
    let features = match model {
        Some(model) => run(&model.config.front_end, Some(&model.cmvn))?,
        None => {
            let config = FrontEndConfig::default();
            let raw = run(&config, None)?;
            anyhow::ensure!(!raw.is_empty(), "{}: too short: less than a frame", path.display());
            let mut cmvn = CmvnStats::new(config.num_ceps);
            cmvn.add(&raw);
            run(&config, Some(&cmvn))?
        }
    };
    Ok(Heard { features, log_mel, cut_short })
}
