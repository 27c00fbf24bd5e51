//! Drives encoder, decoder and endpointer for sessions. Layer 6.
mod endpoint;
mod session;
mod transcript;
pub use endpoint::{EndpointConfig, EndpointRule, Endpointer};
pub use session::Session;
pub use transcript::{Event, Segment, Transcript, Word};

use crate::audio::AudioSource;
use crate::error::Result;
use crate::frontend::FrontEnd;
use crate::model_dir::{Direction, ModelConfig, ModelDir};
use crate::stage::Frames;
use tch::Device;

/// What a run chooses (the weights do not depend on it).
#[derive(Debug, Clone, Default)]
pub struct RecognizerConfig {
    /// Algorithmic latency wanted, in ms; see [`ModelConfig::direction_for`].
    pub latency_ms: Option<f64>,
    /// When a segment ends.
    pub endpoint: EndpointConfig,
}

/// A loaded model: shared behaviour, every method `&self`. A [`Session`] is one stream's data.
pub struct Recognizer {}

impl Recognizer {
    /// Loads the weights.
    pub fn load(model: ModelDir, device: Device, config: RecognizerConfig) -> Result<Self> {
        let _ = (model, device, config);
        todo!()
    }
    /// From an encoder in memory (dev WER during training).
    pub fn with_encoder(model: ModelDir, encoder: crate::nn::Encoder, config: RecognizerConfig) -> Result<Self> {
        let _ = (model, encoder, config);
        todo!()
    }
    /// The model's facts.
    pub fn model(&self) -> &ModelConfig {
        todo!()
    }
    /// The direction that sessions run in.
    pub fn direction(&self) -> Direction {
        todo!()
    }
    /// The model's front end for a source's rate, CMVN included.
    pub fn front_end(&self, source_rate_hz: u32) -> Result<FrontEnd> {
        let _ = source_rate_hz;
        todo!()
    }
    /// A new stream.
    pub fn session(&self) -> Result<Session> {
        todo!()
    }
    /// Features of any number of frames in, events out.
    pub fn push(&self, session: &mut Session, features: &Frames, events: &mut Vec<Event>) -> Result<()> {
        let _ = (session, features, events);
        todo!()
    }
    /// By value: nothing can follow.
    pub fn finish(&self, session: Session, events: &mut Vec<Event>) -> Result<()> {
        let _ = (session, events);
        todo!()
    }
    /// A whole source pushed in pieces of `chunk_ms` (`None`: as the source gives them); the segments in order.
    pub fn transcribe(&self, source: &mut dyn AudioSource, chunk_ms: Option<u32>) -> Result<Transcript> {
        let _ = (source, chunk_ms);
        todo!()
    }
}
