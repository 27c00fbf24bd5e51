//! Framing.
/// Cuts samples into windows.
pub struct Framer {}
/// Frames in a recording of `samples` samples (`snip_edges`): 0 if shorter than a window, else `1 + (samples - window) / shift`.
pub fn num_frames(samples: u64, window: usize, shift: usize) -> u64 {
    let _ = (samples, window, shift);
    todo!()
}
