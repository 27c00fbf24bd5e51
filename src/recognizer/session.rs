//! One stream's data: what a session needs to go on, nothing else. Behaviour is in `Recognizer`.
//!
//! Layer 6.

use super::blocks::BlockGrid;
use super::segmenter::{SegmenterSnapshot, SegmenterState};
use crate::error::{Error, Result};
use crate::nn::{CellState, EncoderState};
use crate::stage::Frames;
use crate::transcript::Word;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// Layout of snapshots that this program writes and reads.
const SNAPSHOT_FORMAT: u32 = 4;

/// One stream: features not yet consumed, encoder and decoder state, counters.
#[derive(Debug)]
pub struct Session {
    /// Features that wait for their block to fill; `first_frame` is the next block's first.
    pub(super) pending: Frames,
    pub(super) grid: BlockGrid,
    pub(super) state: EncoderState,
    /// Search, endpoints and words.
    pub(super) text: SegmenterState,
}

impl Session {
    /// A session that goes on from here by itself; this one is not disturbed.
    pub fn fork(&self) -> Session {
        Session { pending: self.pending.clone(), grid: self.grid, state: self.state.fork(), text: self.text.clone() }
    }

    /// Words of the current segment that have been told as final: they stay as they are.
    pub(crate) fn commit(&mut self, words: Vec<Word>) {
        self.text.commit(words);
    }

    /// Feature frames taken so far.
    pub fn frames(&self) -> u64 {
        self.pending.first_frame + self.pending.len() as u64
    }
}

/// A snapshot's content, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    format: u32,
    /// Hash of the model and the direction that the session runs in.
    model: String,
    dim: usize,
    first_frame: u64,
    pending: Vec<f32>,
    /// Per layer its state's tensors.
    state: Vec<Vec<Vec<f64>>>,
    text: SegmenterSnapshot,
}

impl Snapshot {
    pub(super) fn take(session: &Session, model: &str) -> Result<Self> {
        let values = |tensor: &&Tensor| {
            Ok(Vec::<f64>::try_from(tensor.to_kind(Kind::Double).to_device(Device::Cpu).view([-1]))?)
        };
        let layer = |state: &CellState| state.tensors().iter().map(values).collect();
        Ok(Snapshot {
            format: SNAPSHOT_FORMAT,
            model: model.to_string(),
            dim: session.pending.dim,
            first_frame: session.pending.first_frame,
            pending: session.pending.data.clone(),
            state: session.state.layers.iter().map(layer).collect::<Result<_>>()?,
            text: session.text.snapshot(),
        })
    }

    /// Puts the snapshot into a fresh session of the same model.
    pub(super) fn restore(self, mut session: Session, model: &str) -> Result<Session> {
        if self.format != SNAPSHOT_FORMAT || self.model != model {
            return Err(Error::Shape("this snapshot was taken with another model, latency or version of eddy".into()));
        }
        let broken = || Error::Shape("this snapshot does not fit the model: it is damaged".into());
        let frames_fit = self.dim == session.pending.dim && self.pending.len().is_multiple_of(self.dim.max(1));
        if !frames_fit || self.state.len() != session.state.layers.len() {
            return Err(broken());
        }
        for (layer, saved) in session.state.layers.iter_mut().zip(&self.state) {
            let shapes: Vec<_> =
                layer.tensors().iter().map(|tensor| (tensor.size(), tensor.kind(), tensor.device())).collect();
            let fits = shapes.len() == saved.len()
                && shapes
                    .iter()
                    .zip(saved)
                    .all(|((size, _, _), values)| size.iter().product::<i64>() == values.len() as i64);
            if !fits {
                return Err(broken());
            }
            let mut tensors = shapes.iter().zip(saved).map(|((size, kind, device), values)| {
                Tensor::from_slice(values).view(size.as_slice()).to_kind(*kind).to_device(*device)
            });
            let Some(h) = tensors.next() else {
                return Err(broken());
            };
            *layer = match tensors.next() {
                None => CellState::Hidden { h },
                Some(c) => CellState::HiddenCell { h, c },
            };
        }
        session.pending = Frames { data: self.pending, dim: self.dim, first_frame: self.first_frame };
        session.text = session.text.restore(self.text)?;
        Ok(session)
    }
}
