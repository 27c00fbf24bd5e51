//! What `model.json` says: features, network, and the latencies that follow. Layer 4.

use crate::error::{Error, Result};
use crate::frontend::FrontEndConfig;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The recurrent cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// Elman: `h = tanh(W_ih x + b_ih + W_hh h' + b_hh)`.
    Rnn,
    /// Long short-term memory.
    Lstm,
    /// Gated recurrent unit, reset gate after the recurrent product.
    Gru,
}

impl CellKind {
    /// Gates stacked in the weights' rows (G).
    pub fn gates(self) -> usize {
        match self {
            CellKind::Rnn => 1,
            CellKind::Gru => 3,
            CellKind::Lstm => 4,
        }
    }
}

/// One setting of the latency-controlled layer, in input frames (before stacking).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Frames that leave a block (Nc).
    pub chunk: usize,
    /// Frames of look-ahead (Nr).
    pub look_ahead: usize,
}

/// Which way the layers run, as the weights were trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DirectionConfig {
    /// Left to right only.
    Forward,
    /// Bidirectional within blocks; every grid that the weights were trained for.
    LatencyControlled(Vec<Grid>),
    /// Bidirectional over the whole utterance: cannot stream.
    Full,
}

/// Which way the layers run in one session or one training batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Left to right only.
    Forward,
    /// Blocks of `chunk` frames with `look_ahead` frames to their right (input frames).
    LatencyControlled(Grid),
    /// The whole utterance.
    Full,
}

/// What the output layer makes of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// Tokens with times: CTC, an output a step.
    #[default]
    Ctc,
    /// One of several classes for the whole recording, from the last layer's final state. Token 0 is no class: a
    /// recording without a word.
    Classify,
}

impl Head {
    fn is_default(&self) -> bool {
        *self == Head::default()
    }
}

/// The shape of the network: what the weights depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Values in an input frame (D).
    pub input_dim: usize,
    /// Frames stacked into one network step (S).
    pub stacking: usize,
    /// The recurrent cell.
    pub cell: CellKind,
    /// Layers of the stack.
    pub layers: usize,
    /// Units of each direction (H).
    pub hidden: usize,
    /// Which way the layers run.
    pub direction: DirectionConfig,
    /// Tokens, blank included (V); classes, with token 0 for none of them.
    pub vocabulary: usize,
    /// What the outputs are.
    #[serde(default, skip_serializing_if = "Head::is_default")]
    pub head: Head,
}

/// `model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Format of the directory; this program reads 1.
    pub format: u32,
    /// Name of the model.
    pub name: String,
    /// Features.
    pub front_end: FrontEndConfig,
    /// Network.
    pub encoder: EncoderConfig,
}

/// Format of model directories that this program writes and reads.
pub const MODEL_FORMAT: u32 = 1;

/// Latency that is served when none is asked for: the largest of at most this.
const DEFAULT_LATENCY_MS: f64 = 1000.0;

impl EncoderConfig {
    /// Weights of the network, biases included.
    pub fn num_weights(&self) -> usize {
        let cells = if self.direction == DirectionConfig::Forward { 1 } else { 2 };
        let width = cells * self.hidden;
        let inputs = std::iter::once(self.input_dim * self.stacking).chain(std::iter::repeat(width));
        let layer = |input: usize| cells * self.cell.gates() * self.hidden * (input + self.hidden + 2);
        inputs.take(self.layers).map(layer).sum::<usize>() + (width + 1) * self.vocabulary
    }
}

impl ModelConfig {
    /// Algorithmic latency of a direction in ms at the model's own sample rate, `(Nc + Nr) * shift + window - shift`;
    /// `None` for `Full`, which waits for the end. Other rates add the resampler's delay.
    pub fn latency_ms(&self, direction: Direction) -> Option<f64> {
        let frames = match direction {
            Direction::Forward => self.encoder.stacking,
            Direction::LatencyControlled(grid) => grid.chunk + grid.look_ahead,
            Direction::Full => return None,
        };
        let FrontEndConfig { frame_length_ms, frame_shift_ms, .. } = self.front_end;
        Some(frames as f64 * frame_shift_ms + frame_length_ms - frame_shift_ms)
    }

    /// The time that an output frame stands for.
    pub fn output_frame(&self) -> Duration {
        Duration::from_secs_f64(self.front_end.frame_shift_ms * 1e-3 * self.encoder.stacking as f64)
    }

    /// The directions that the weights were trained for, smallest latency first.
    pub fn directions(&self) -> Vec<Direction> {
        let mut directions = match &self.encoder.direction {
            DirectionConfig::Forward => vec![Direction::Forward],
            DirectionConfig::Full => vec![Direction::Full],
            DirectionConfig::LatencyControlled(grids) => {
                grids.iter().copied().map(Direction::LatencyControlled).collect()
            }
        };
        let latency = |direction: &Direction| self.latency_ms(*direction).unwrap_or(f64::INFINITY);
        directions.sort_by(|a, b| latency(a).total_cmp(&latency(b)));
        directions
    }

    /// Picks a direction by latency. `None` is the largest of at most 1 s (the smallest if all are above; `Full` for a
    /// full model); a value must be one that the model states, to 1 ms.
    ///
    /// # Errors
    /// Lists the latencies there are.
    pub fn direction_for(&self, latency_ms: Option<f64>) -> Result<Direction> {
        let directions = self.directions();
        let latencies = || directions.iter().filter_map(|&d| Some((d, self.latency_ms(d)?)));
        let Some(wanted) = latency_ms else {
            let default = latencies().rfind(|(_, ms)| *ms <= DEFAULT_LATENCY_MS).map(|(d, _)| d);
            let first = directions.first().copied();
            return default.or(first).ok_or_else(|| Error::invalid("direction", "none", "at least one grid"));
        };
        latencies().find(|(_, ms)| (ms - wanted).abs() <= 1.0).map(|(d, _)| d).ok_or_else(|| {
            let known: Vec<String> = latencies().map(|(_, ms)| format!("{ms}")).collect();
            let known =
                if known.is_empty() { "left out: this model waits for the end".into() } else { known.join(", ") };
            Error::invalid(
                "--latency",
                format!("{wanted} ms"),
                format!("one that the weights were trained for: {known}"),
            )
        })
    }

    /// Checks every field against its range and against the others.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        if self.format != MODEL_FORMAT {
            return Err(Error::invalid(
                "format",
                self.format,
                format!("{MODEL_FORMAT}: made by another version of eddy"),
            ));
        }
        self.front_end.validate()?;
        if self.encoder.input_dim != self.front_end.num_ceps {
            let allowed = format!("{} (num_ceps)", self.front_end.num_ceps);
            return Err(Error::invalid("input_dim", self.encoder.input_dim, allowed));
        }
        self.encoder.validate()
    }
}

impl EncoderConfig {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        Error::within("input_dim", self.input_dim, 1, 1024, "")?;
        Error::within("stacking", self.stacking, 1, 16, " frames")?;
        Error::within("layers", self.layers, 1, 16, "")?;
        Error::within("hidden", self.hidden, 1, 4096, " units")?;
        Error::within("vocabulary", self.vocabulary, 2, 100_000, " tokens")?;
        let DirectionConfig::LatencyControlled(grids) = &self.direction else {
            return Ok(());
        };
        if self.head == Head::Classify {
            return Err(Error::invalid("direction", "latency_controlled", "forward or full, with the head classify"));
        }
        if grids.is_empty() {
            return Err(Error::invalid("direction", "no grid", "at least one chunk and look_ahead"));
        }
        for grid in grids {
            Error::within("chunk", grid.chunk, 1, 3000, " frames")?;
            Error::within("look_ahead", grid.look_ahead, 0, 512, " frames")?;
            for (what, value) in [("chunk", grid.chunk), ("look_ahead", grid.look_ahead)] {
                if !value.is_multiple_of(self.stacking) {
                    return Err(Error::invalid(what, value, format!("a multiple of the stacking, {}", self.stacking)));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A small network that runs so.
    pub(in crate::model_dir) fn config(direction: DirectionConfig) -> ModelConfig {
        let encoder = EncoderConfig {
            input_dim: 40,
            stacking: 3,
            cell: CellKind::Lstm,
            layers: 2,
            hidden: 8,
            direction,
            vocabulary: 4,
            head: Head::Ctc,
        };
        ModelConfig { format: 1, name: "test".into(), front_end: FrontEndConfig::default(), encoder }
    }

    fn grids(all: &[(usize, usize)]) -> DirectionConfig {
        DirectionConfig::LatencyControlled(all.iter().map(|&(chunk, look_ahead)| Grid { chunk, look_ahead }).collect())
    }

    #[test]
    fn latency_is_a_fact_of_the_file() {
        let model = config(grids(&[(48, 48), (12, 6), (96, 48)]));
        let latencies: Vec<_> = model.directions().iter().filter_map(|&d| model.latency_ms(d)).collect();
        assert_eq!(latencies, [195.0, 975.0, 1455.0]);
        assert_eq!(model.direction_for(None).ok().and_then(|d| model.latency_ms(d)), Some(975.0));
        assert_eq!(model.direction_for(Some(195.4)).ok().and_then(|d| model.latency_ms(d)), Some(195.0));
        let message = model.direction_for(Some(500.0)).expect_err("not trained for").to_string();
        assert!(message.contains("195, 975, 1455"), "{message}");
        assert_eq!(config(DirectionConfig::Forward).latency_ms(Direction::Forward), Some(45.0));
        assert_eq!(config(DirectionConfig::Full).direction_for(None).ok(), Some(Direction::Full));
        assert!(config(DirectionConfig::Full).direction_for(Some(100.0)).is_err());
    }

    #[test]
    fn fields_out_of_range_are_named_with_value_and_range() {
        let message = |model: ModelConfig| model.validate().expect_err("not valid").to_string();
        assert_eq!(message(config(grids(&[(0, 3)]))), "chunk = 0: must be 1..=3000 frames");
        assert_eq!(message(config(grids(&[(4, 3)]))), "chunk = 4: must be a multiple of the stacking, 3");
        let mut model = config(DirectionConfig::Full);
        model.encoder.input_dim = 13;
        assert_eq!(message(model.clone()), "input_dim = 13: must be 40 (num_ceps)");
        model.format = 2;
        assert!(message(model).starts_with("format = 2: must be 1"));
    }
}
