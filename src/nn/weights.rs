//! Weights in safetensors.
use super::Encoder;
use crate::error::Result;
use std::path::Path;
use tch::Kind;
/// Loads weights (any float kind) into the encoder; names and shapes are compared both ways.
pub fn load(encoder: &Encoder, path: &Path) -> Result<()> {
    let _ = (encoder, path);
    todo!()
}
/// Saves weights as `kind` (`Kind::Float` or `Kind::Half`), atomically.
pub fn save(encoder: &Encoder, path: &Path, kind: Kind) -> Result<()> {
    let _ = (encoder, path, kind);
    todo!()
}
