//! One stream's data.
/// One stream: features not yet consumed, encoder state, decoder state, time.
pub struct Session {}
