//! A model directory's facts, read and cross-checked without tensors. Layer 4.
//!
//! `model.json` ([`ModelConfig`]), `model.safetensors`, `tokens.txt`, `cmvn.json`, optional
//! `lm.bin` (language model), `decoder.json` (settings of the beam search), `priors.json` (log-priors of tokens, which
//! the beam search takes off), `confidence.json` (calibration of word confidences), `MODEL.md` and `recipe.toml`.

mod config;

#[cfg(feature = "torch")]
pub use config::MODEL_FORMAT;
pub use config::{CellKind, Direction, DirectionConfig, EncoderConfig, Grid, Head, ModelConfig};

use crate::ctc::{BeamConfig, TokenPriors};
use crate::error::{Error, Result};
use crate::frontend::CmvnStats;
use crate::metrics::Calibration;
use crate::text::TokenTable;
use serde::Serialize;
use std::path::{Path, PathBuf};

const CONFIG_FILE: &str = "model.json";
const TOKENS_FILE: &str = "tokens.txt";
const CMVN_FILE: &str = "cmvn.json";
const WEIGHTS_FILE: &str = "model.safetensors";
const LM_FILE: &str = "lm.bin";
const DECODER_FILE: &str = "decoder.json";
const PRIORS_FILE: &str = "priors.json";
const CONFIDENCE_FILE: &str = "confidence.json";

/// Copies a file, atomically.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).map_err(|error| Error::io(from, error))?;
    crate::error::write_atomically(to, &bytes)
}

/// A model directory that was read and cross-checked.
#[derive(Debug, Clone)]
pub struct ModelDir {
    /// The directory.
    pub path: PathBuf,
    /// `model.json`.
    pub config: ModelConfig,
    /// `tokens.txt`.
    pub tokens: TokenTable,
    /// `cmvn.json`.
    pub cmvn: CmvnStats,
}

impl ModelDir {
    /// Reads and cross-checks a directory: ranges, the CMVN's dimension, the number of tokens, presence of the weights.
    ///
    /// # Errors
    /// Names the file that is missing, broken or does not fit.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return Err(Error::model(path, "no such model directory: a model is a folder that holds model.json"));
        }
        for name in [CONFIG_FILE, TOKENS_FILE, CMVN_FILE, WEIGHTS_FILE] {
            if !path.join(name).is_file() {
                return Err(Error::model(
                    path.join(name),
                    "is missing: a model directory needs it; copy or export it again",
                ));
            }
        }
        let config_path = path.join(CONFIG_FILE);
        let text = std::fs::read_to_string(&config_path).map_err(|error| Error::io(&config_path, error))?;
        let config: ModelConfig = serde_json::from_str(&text)
            .map_err(|error| Error::model(&config_path, format!("not a model description: {error}")))?;
        config.validate().map_err(|error| Error::model(&config_path, error.to_string()))?;
        let tokens = TokenTable::load(&path.join(TOKENS_FILE))?;
        let cmvn = CmvnStats::load(&path.join(CMVN_FILE))?;
        let model = ModelDir { path: path.to_path_buf(), config, tokens, cmvn };
        model.check_fit()?;
        Ok(model)
    }

    /// The files' facts against each other.
    fn check_fit(&self) -> Result<()> {
        let (has, must) = (self.tokens.len(), self.config.encoder.vocabulary);
        if has != must {
            let reason = format!("{has} tokens: must be {must}, the vocabulary in {CONFIG_FILE}");
            return Err(Error::model(self.path.join(TOKENS_FILE), reason));
        }
        let (has, must) = (self.cmvn.dim(), self.config.front_end.num_ceps);
        if has != must {
            let reason = format!("statistics of {has} values: must be {must}, the num_ceps in {CONFIG_FILE}");
            return Err(Error::model(self.path.join(CMVN_FILE), reason));
        }
        Ok(())
    }

    /// The files that a transcript depends on, as far as they are there.
    pub fn files(&self) -> Vec<PathBuf> {
        let names =
            [CONFIG_FILE, TOKENS_FILE, CMVN_FILE, WEIGHTS_FILE, LM_FILE, DECODER_FILE, PRIORS_FILE, CONFIDENCE_FILE];
        names.iter().map(|name| self.path.join(name)).filter(|path| path.is_file()).collect()
    }

    /// `model.safetensors`.
    pub fn weights_path(&self) -> PathBuf {
        self.path.join(WEIGHTS_FILE)
    }

    /// `lm.bin`, where the model has a language model.
    pub fn lm_path(&self) -> Option<PathBuf> {
        Some(self.path.join(LM_FILE)).filter(|path| path.is_file())
    }

    /// Copies a language model file into the directory, as `lm.bin`.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn set_lm(&self, from: &Path) -> Result<()> {
        copy(from, &self.path.join(LM_FILE))
    }

    /// `decoder.json`, where the model has settings of its own for the beam search.
    ///
    /// # Errors
    /// Names the file and the field that is not known or out of range.
    pub fn beam_config(&self) -> Result<Option<BeamConfig>> {
        self.read_optional(DECODER_FILE, "settings of a beam search", BeamConfig::validate)
    }

    /// Writes `decoder.json`, atomically.
    ///
    /// # Errors
    /// When a value is out of range or the file cannot be written.
    pub fn save_beam_config(&self, config: &BeamConfig) -> Result<()> {
        config.validate()?;
        self.write_json(DECODER_FILE, config)
    }

    /// `priors.json`, where the tokens' priors were measured.
    ///
    /// # Errors
    /// Names the file and what in it is not known, out of range or does not fit the tokens.
    pub fn priors(&self) -> Result<Option<TokenPriors>> {
        let fits = |priors: &TokenPriors| priors.validate(self.tokens.len());
        self.read_optional(PRIORS_FILE, "priors of tokens", fits)
    }

    /// Writes `priors.json`, atomically.
    ///
    /// # Errors
    /// When they do not fit the tokens or the file cannot be written.
    pub fn save_priors(&self, priors: &TokenPriors) -> Result<()> {
        priors.validate(self.tokens.len())?;
        self.write_json(PRIORS_FILE, priors)
    }

    /// `confidence.json`, where the model's confidences were calibrated.
    ///
    /// # Errors
    /// Names the file and the field that is not known or out of range.
    pub fn calibration(&self) -> Result<Option<Calibration>> {
        self.read_optional(CONFIDENCE_FILE, "a calibration", Calibration::validate)
    }

    /// Writes `confidence.json`, atomically.
    ///
    /// # Errors
    /// When a value is out of range or the file cannot be written.
    pub fn save_calibration(&self, calibration: &Calibration) -> Result<()> {
        calibration.validate()?;
        self.write_json(CONFIDENCE_FILE, calibration)
    }

    fn read_optional<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        what: &str,
        check: impl Fn(&T) -> Result<()>,
    ) -> Result<Option<T>> {
        let path = self.path.join(name);
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        let value: T =
            serde_json::from_str(&text).map_err(|error| Error::model(&path, format!("not {what}: {error}")))?;
        check(&value).map_err(|error| Error::model(&path, error.to_string()))?;
        Ok(Some(value))
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
        crate::error::write_atomically(&self.path.join(name), json.as_bytes())
    }

    /// Copies the language model, the settings of the beam search, priors and calibration to another directory, as far as
    /// they are there and `to` has none.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn copy_language(&self, to: &Path) -> Result<()> {
        for name in [LM_FILE, DECODER_FILE, PRIORS_FILE, CONFIDENCE_FILE] {
            let (from, to) = (self.path.join(name), to.join(name));
            if from.is_file() && !to.exists() {
                copy(&from, &to)?;
            }
        }
        Ok(())
    }

    /// Removes what was tuned for other weights: settings of the beam search, priors and calibration. A language model
    /// stays, words are words; what went is told.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn forget_tuning(&self) -> Result<()> {
        for path in [DECODER_FILE, PRIORS_FILE, CONFIDENCE_FILE].map(|name| self.path.join(name)) {
            if path.is_file() {
                std::fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
                tracing::warn!("{}: removed, it was for the weights before; `eddy tune` makes it anew", path.display());
            }
        }
        Ok(())
    }

    /// Writes all but the weights into `path` (made if missing), each file atomically.
    ///
    /// # Errors
    /// When a fact does not fit another, or a file cannot be written.
    pub fn save(&self) -> Result<()> {
        self.config.validate()?;
        self.check_fit()?;
        std::fs::create_dir_all(&self.path).map_err(|error| Error::io(&self.path, error))?;
        self.write_json(CONFIG_FILE, &self.config)?;
        self.tokens.save(&self.path.join(TOKENS_FILE))?;
        self.cmvn.save(&self.path.join(CMVN_FILE))
    }
}
#[cfg(test)]
mod tests {
    use super::config::tests::config;
    use super::*;

    #[test]
    fn missing_broken_and_mismatched_files_are_named() {
        let folder = tempfile::tempdir().expect("folder");
        let mut model = ModelDir {
            path: folder.path().join("m"),
            config: config(DirectionConfig::Full),
            tokens: TokenTable::characters(["ab"]).expect("tokens"),
            cmvn: CmvnStats { frames: 1, sum: vec![0.0; 40], sum_squares: vec![1.0; 40] },
        };
        let fails = |path: &Path| ModelDir::open(path).expect_err("not a model").to_string();
        assert!(fails(&model.path).contains("no such model directory"));
        model.save().expect("save");
        assert!(fails(&model.path).contains("model.safetensors: is missing"));
        std::fs::write(model.weights_path(), b"").expect("write");
        assert_eq!(ModelDir::open(&model.path).expect("model").config, model.config);
        std::fs::write(model.path.join("tokens.txt"), "<blank>\na\n").expect("write");
        assert!(fails(&model.path).contains("2 tokens: must be 4"));
        std::fs::write(model.path.join("model.json"), "{").expect("write");
        assert!(fails(&model.path).contains("model.json: not a model description"));
        model.cmvn = CmvnStats { frames: 1, sum: vec![0.0], sum_squares: vec![1.0] };
        assert!(model.save().expect_err("mismatch").to_string().contains("statistics of 1 values"));
    }
}
