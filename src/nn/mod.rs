//! The network. Layer 5: tensors live here and above.
mod bidi;
mod cell;
mod ctc_loss;
mod encoder;
mod unrolled;
pub mod weights;
pub use crate::ctc::min_input_len;
pub use bidi::BidiLayer;
pub use cell::{Cell, CellState};
pub use ctc_loss::{ctc_loss, view_divergence};
pub use encoder::{BlockLen, Encoder, EncoderState, Mode, Outputs};
pub use unrolled::{Unrolled, hidden, spectral_radius};
