//! eddy: a streaming speech recogniser built on latency-controlled bidirectional recurrent networks with CTC.
//!
//! ```text
//! AudioSource -> FrontEnd( Resampler -> Framer -> Mfcc -> Cmvn ) -> Encoder -> Decoder -> Endpointer -> Event
//!  samples        samples 16 kHz     frames     features [T, D]     log-probs   tokens     segments     words, times
//! ```
//!
//! Transcribing, evaluating and training all enter at the same [`frontend::FrontEnd`] and the same network. A
//! `Recognizer` is a loaded model, shared and immutable; a `Session` is one stream's data. `examples/` shows both a
//! whole file and a stream in under 40 lines.
//!
//! Modules are layered; each uses only those of its own layer and below (`tests/layering.rs`):
//!
//! | Layer | Modules |
//! |-|-|
//! | 0 | errors, [`Stage`] (the streaming protocol), [`Frames`] |
//! | 1 | [`audio`]: files of every usual format, microphone, rate conversion |
//! | 2 | [`frontend`]: Kaldi-compatible MFCC, CMVN |
//! | 3 | [`text`]: tokens, normaliser; [`Transcript`]: what was said |
//! | 4 | [`lm`], [`ctc`], [`metrics`], [`ModelDir`], [`corpus`], [`output`]: language models, decoding, error counts, a model's facts, manifests, transcript files |
//! | 5 | `nn`: cells, layers, encoder, CTC loss, weights (LibTorch begins here, feature `torch`) |
//! | 6 | `recognizer`: sessions, endpoints, words with times |
//! | 7 | `pipeline`: lists of files, live sessions |
//! | 8 | `train`: recipes, batches, optimiser, checkpoints, evaluation; [`plot`]: curves; `lab`: gradients through time |
//! | 9 | [`cli`]: the command line |

pub mod audio;
pub mod cli;
pub mod corpus;
pub mod ctc;
mod error;
pub mod frontend;
#[cfg(feature = "torch")]
pub mod lab;
pub mod lm;
pub mod metrics;
mod model_dir;
#[cfg(feature = "torch")]
pub mod nn;
pub mod output;
#[cfg(feature = "torch")]
pub mod pipeline;
pub mod plot;
#[cfg(feature = "torch")]
pub mod recognizer;
mod stage;
pub mod text;
#[cfg(feature = "torch")]
pub mod train;
mod transcript;

pub use error::{Error, Result};
pub use model_dir::{CellKind, Direction, DirectionConfig, EncoderConfig, Grid, Head, ModelConfig, ModelDir};
#[cfg(feature = "torch")]
pub use recognizer::{BeamOptions, DecoderConfig, Recognizer, RecognizerConfig, Session};
pub use stage::{Frames, Stage, check_cut_invariance};
#[cfg(feature = "torch")]
pub use tch::Device;
pub use transcript::{Alternative, Event, Segment, Transcript, Word};
