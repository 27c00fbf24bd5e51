//! Text: the token table and the normaliser shared by training labels and scoring. Layer 3.
mod normalize;
mod tokens;
pub use normalize::normalize;
pub use tokens::{BLANK, TokenTable};
