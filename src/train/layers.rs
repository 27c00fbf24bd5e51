//! Which layer a parameter belongs to: what is frozen, what is dropped, each layer's gradient norm.
//!
//! Layer 8. Layers count from the input; the projection is the one after the last of the stack.

use super::recipe::TrainConfig;
use std::ops::Range;

/// Layers that keep their weights.
pub(super) fn frozen(config: &TrainConfig) -> Range<usize> {
    0..config.train.freeze_layers
}

/// Layers that start anew with `--init`.
pub(super) fn dropped(config: &TrainConfig) -> Range<usize> {
    config.model.layers + 1 - config.train.drop_layers..config.model.layers + 1
}

/// Whether a parameter belongs to one of these layers of a stack of `stack`.
pub(super) fn contain(layers: &Range<usize>, name: &str, stack: usize) -> bool {
    let layer = name.strip_prefix("layers.").and_then(|rest| rest.split('.').next()?.parse().ok());
    layers.contains(&layer.unwrap_or(stack))
}

/// Norm of each layer's gradient, from the squares of its parameters.
pub(super) fn norms(names: &[&str], squares: &[f64]) -> Vec<(String, f64)> {
    let mut norms: Vec<(String, f64)> = Vec::new();
    for (name, square) in names.iter().zip(squares) {
        let layer = name.split('.').take(if name.starts_with("layers.") { 2 } else { 1 }).collect::<Vec<_>>().join(".");
        match norms.last_mut().filter(|(last, _)| *last == layer) {
            Some((_, sum)) => *sum += square,
            None => norms.push((layer, *square)),
        }
    }
    norms.into_iter().map(|(layer, sum)| (layer, sum.sqrt())).collect()
}

/// Norm of all layers' gradients together.
pub(super) fn total_norm(norms: &[(String, f64)]) -> f64 {
    norms.iter().map(|(_, norm)| norm * norm).sum::<f64>().sqrt()
}
