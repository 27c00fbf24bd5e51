//! How a recognizer searches: the settings, what all its sessions share, and one session's search.
//!
//! Layer 6.

use crate::ctc::{BeamConfig, BeamDecoder, BeamSearch, BeamSnapshot, Decoder, GreedyDecoder, HotWord, HotWords};
use crate::error::{Error, Result};
use crate::lm::NgramLm;
use crate::model_dir::ModelDir;
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;

/// How words are searched.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum DecoderConfig {
    /// As the model is made for: by beam search where it has a language model, else greedily.
    #[default]
    Model,
    /// The likeliest token of each frame.
    Greedy,
    /// Beam search.
    Beam(BeamOptions),
}

/// What a run chooses about beam search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BeamOptions {
    /// Language model; `None` is the model's own, if it has one.
    pub lm: Option<PathBuf>,
    /// Settings; `None` is the model's own, else the defaults.
    pub config: Option<BeamConfig>,
    /// Phrases that sessions expect unless they are given others.
    pub hot_words: Vec<HotWord>,
}

/// What all sessions of a recognizer share.
#[derive(Debug)]
pub(super) enum Search {
    Greedy,
    Beam { search: Arc<BeamSearch>, hot: Arc<HotWords> },
}

impl Search {
    /// Loads what `config` asks for; `live` makes words final sooner.
    pub fn load(model: &ModelDir, config: &DecoderConfig, live: bool) -> Result<Self> {
        let options = match config {
            DecoderConfig::Greedy => return Ok(Search::Greedy),
            DecoderConfig::Model if model.lm_path().is_none() => return Ok(Search::Greedy),
            DecoderConfig::Model => &BeamOptions::default(),
            DecoderConfig::Beam(options) => options,
        };
        let lm = options.lm.clone().or_else(|| model.lm_path());
        let lm = lm.map(|path| NgramLm::load(&path)).transpose()?.map(Arc::new);
        let mut settings = match options.config {
            Some(settings) => settings,
            None => model.beam_config()?.unwrap_or_default(),
        };
        if live {
            settings.commit = Some(settings.commit.unwrap_or_default());
        }
        Self::beam(model, lm, settings, &options.hot_words)
    }

    fn beam(model: &ModelDir, lm: Option<Arc<NgramLm>>, config: BeamConfig, hot: &[HotWord]) -> Result<Self> {
        let mut search = BeamSearch::new(&model.tokens, lm, config, model.config.output_frame())?;
        if let Some(priors) = model.priors()? {
            search = search.with_priors(priors)?;
        }
        let search = Arc::new(search);
        let hot = search.hot_words(hot)?;
        Ok(Search::Beam { search, hot })
    }

    /// A new session's search.
    pub fn decoder(&self) -> SessionDecoder {
        match self {
            Search::Greedy => SessionDecoder::Greedy(GreedyDecoder::default()),
            Search::Beam { search, hot } => {
                SessionDecoder::Beam(Box::new(BeamDecoder::new(Arc::clone(search), Arc::clone(hot))))
            }
        }
    }

    /// A new session's search with hot words of its own.
    pub fn decoder_with(&self, hot_words: &[HotWord]) -> Result<SessionDecoder> {
        match self {
            Search::Greedy if hot_words.is_empty() => Ok(self.decoder()),
            Search::Greedy => Err(Error::invalid("hot words", hot_words.len(), "none with greedy decoding: use beam")),
            Search::Beam { search, .. } => {
                let hot = search.hot_words(hot_words)?;
                Ok(SessionDecoder::Beam(Box::new(BeamDecoder::new(Arc::clone(search), hot))))
            }
        }
    }
}

/// One session's search.
#[derive(Debug, Clone)]
pub(super) enum SessionDecoder {
    Greedy(GreedyDecoder),
    Beam(Box<BeamDecoder>),
}

/// All that a session's search needs to go on.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DecoderSnapshot {
    Greedy(GreedyDecoder),
    Beam(BeamSnapshot),
}

impl SessionDecoder {
    /// The search as it is, to be written.
    pub fn snapshot(&self) -> DecoderSnapshot {
        match self {
            SessionDecoder::Greedy(greedy) => DecoderSnapshot::Greedy(greedy.clone()),
            SessionDecoder::Beam(beam) => DecoderSnapshot::Beam(beam.snapshot()),
        }
    }

    /// A search that goes on from a snapshot; `self` is a new one with the same settings.
    pub fn restore(&self, snapshot: DecoderSnapshot) -> Result<SessionDecoder> {
        match (self, snapshot) {
            (SessionDecoder::Greedy(_), DecoderSnapshot::Greedy(greedy)) => Ok(SessionDecoder::Greedy(greedy)),
            (SessionDecoder::Beam(beam), DecoderSnapshot::Beam(saved)) => {
                Ok(SessionDecoder::Beam(Box::new(beam.restore(saved)?)))
            }
            _ => Err(Error::Shape("this snapshot was taken with another decoder (greedy or beam)".into())),
        }
    }
}

impl Deref for SessionDecoder {
    type Target = dyn Decoder;

    fn deref(&self) -> &Self::Target {
        match self {
            SessionDecoder::Greedy(greedy) => greedy,
            SessionDecoder::Beam(beam) => beam.as_ref(),
        }
    }
}

impl DerefMut for SessionDecoder {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            SessionDecoder::Greedy(greedy) => greedy,
            SessionDecoder::Beam(beam) => beam.as_mut(),
        }
    }
}
