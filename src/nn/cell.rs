//! One direction of one layer.
use tch::Tensor;
/// One direction of one layer.
pub struct Cell {}
/// State of a cell, `[B, H]` each.
#[derive(Debug)]
pub enum CellState {
    /// Elman and GRU.
    Hidden {
        /// hidden
        h: Tensor,
    },
    /// LSTM.
    HiddenCell {
        /// hidden
        h: Tensor,
        /// cell
        c: Tensor,
    },
}
