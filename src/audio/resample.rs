//! Streaming rate conversion.
use crate::error::Result;
use crate::stage::Stage;
/// Streaming rate conversion through rubato, its delay removed: output sample `i` is at input time `i * from / to`.
pub struct Resampler {}
impl Resampler {
    /// From `from` Hz to `to` Hz. Equal rates copy.
    pub fn new(from: u32, to: u32) -> Result<Self> {
        let _ = (from, to);
        todo!()
    }
    /// Delay in seconds between an input sample and the output it makes computable (0 for equal rates).
    pub fn delay_seconds(&self) -> f64 {
        todo!()
    }
}
impl Stage for Resampler {
    type In = [f32];
    type Out = Vec<f32>;
    fn push(&mut self, input: &[f32], out: &mut Vec<f32>) -> Result<()> {
        let _ = (input, out);
        todo!()
    }
    fn finish(&mut self, out: &mut Vec<f32>) -> Result<()> {
        let _ = out;
        todo!()
    }
    fn reset(&mut self) {
        todo!()
    }
}
