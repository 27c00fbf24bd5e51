//! Best path.
/// Best path, last label carried across pushes.
#[derive(Debug, Clone, Default)]
pub struct GreedyDecoder {}
