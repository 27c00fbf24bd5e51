//! A recording as a network of the lab hears it.

use crate::audio::read_all;
use crate::frontend::{CmvnStats, FrontEnd, FrontEndConfig};
use crate::{CellKind, Frames, ModelDir};
use anyhow::Result;
use std::path::Path;

/// The cell of that name.
pub(super) fn parse_cell(text: &str) -> Result<CellKind, String> {
    match text {
        "rnn" => Ok(CellKind::Rnn),
        "lstm" => Ok(CellKind::Lstm),
        "gru" => Ok(CellKind::Gru),
        _ => Err("must be rnn, lstm or gru".to_string()),
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
