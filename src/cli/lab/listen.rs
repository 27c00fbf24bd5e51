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

/// Features as the model hears them, or by the default front end with the recording's own mean and variance; and the
/// log-mel energies, frame by frame.
pub(super) fn features(path: &Path, model: Option<&ModelDir>) -> Result<(Frames, Frames)> {
    let (samples, rate) = {
        let mut source = crate::audio::open(path)?;
        let rate = source.sample_rate();
        (read_all(source.as_mut())?, rate)
    };
    let mut log_mel = Frames::new(0);
    let mut run = |config: &FrontEndConfig, cmvn: Option<&CmvnStats>| {
        FrontEnd::new(config, rate, cmvn)?.whole_with(&samples, &mut |frames| log_mel = frames.clone())
    };
    let frames = match model {
        Some(model) => run(&model.config.front_end, Some(&model.cmvn))?,
        None => {
            let config = FrontEndConfig::default();
            let mut cmvn = CmvnStats::new(config.num_ceps);
            cmvn.add(&run(&config, None)?);
            run(&config, Some(&cmvn))?
        }
    };
    Ok((frames, log_mel))
}
