//! Recurrent networks looked at: how gradients flow through them.
//!
//! Layer 8, and nothing of the training or serving path uses it.

mod gradients;

pub use gradients::{GradientFlow, LayerFlow, fitted_rate, gradient_flow};
