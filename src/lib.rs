//! eddy: a streaming speech recogniser built on latency-controlled bidirectional recurrent networks with CTC.

pub mod audio;
pub mod cli;
pub mod ctc;
mod error;
pub mod frontend;
pub mod metrics;
mod model_dir;
#[cfg(feature = "torch")]
pub mod nn;
#[cfg(feature = "torch")]
pub mod output;
#[cfg(feature = "torch")]
pub mod pipeline;
#[cfg(feature = "torch")]
pub mod recognizer;
mod stage;
pub mod text;
#[cfg(feature = "torch")]
pub mod train;

pub use error::{Error, Result};
pub use model_dir::{CellKind, Direction, DirectionConfig, EncoderConfig, Grid, ModelConfig, ModelDir};
#[cfg(feature = "torch")]
pub use recognizer::{Event, Recognizer, RecognizerConfig, Segment, Session, Transcript, Word};
pub use stage::{Frames, Stage, check_cut_invariance};
#[cfg(feature = "torch")]
pub use tch::Device;
