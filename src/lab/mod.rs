//! Recurrent networks looked at: how gradients flow through them, what their gates do, how cells and directions compare.
//!
//! Layer 8, and nothing of the training or serving path uses it.

mod compare;
mod gates;
mod gradients;

pub use compare::{Outcome, Variant, Way, cell_name, panels, table, variants};
pub use gates::{CellGates, Listening, gates};
pub use gradients::{
    FittedRate, GradientFlow, LayerFlow, fitted_rate, gradient_flow, scale_recurrence, set_forget_bias,
};
