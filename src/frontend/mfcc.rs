//! MFCC.
/// Triangular mel filters.
pub struct MelBank {}
/// One windowed frame in, one frame of cepstra out.
pub struct Mfcc {}
