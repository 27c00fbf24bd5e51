//! The streaming protocol that every part of the chain keeps, and the block of feature frames that travels between them.
//!
//! Layer 0. Law 1 (cut invariance) is stated here once and checked for every stage by [`check_cut_invariance`].

use crate::error::Result;

/// The streaming protocol: `push(a); push(b); finish()` gives what `push(a ++ b); finish()` gives.
pub trait Stage {
    /// What is pushed, for example `[f32]` (samples) or [`Frames`].
    type In: ?Sized;
    /// What output is appended to.
    type Out;

    /// Appends to `out` all that `input` makes computable and keeps the rest. Allocates nothing in the steady state.
    ///
    /// # Errors
    /// When `input` does not fit (a wrong dimension, say); the stage is then to be `reset`.
    fn push(&mut self, input: &Self::In, out: &mut Self::Out) -> Result<()>;

    /// No more input: flushes what is held. Only `reset` may follow.
    ///
    /// # Errors
    /// As for [`Stage::push`].
    fn finish(&mut self, out: &mut Self::Out) -> Result<()>;

    /// Back to the state of a new stage.
    fn reset(&mut self);
}

/// Row-major `[T, dim]`; row `i` is frame `first_frame + i`, counted from the session's start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frames {
    /// `T * dim` values, frame after frame.
    pub data: Vec<f32>,
    /// Values in a frame.
    pub dim: usize,
    /// Absolute index of row 0.
    pub first_frame: u64,
}

impl Frames {
    /// No frames of `dim` values, beginning at frame 0.
    pub fn new(dim: usize) -> Self {
        Frames { data: Vec::new(), dim, first_frame: 0 }
    }

    /// Number of frames `T`.
    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Frame `first_frame + index`, `dim` values.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.data[index * self.dim..(index + 1) * self.dim]
    }

    /// All frames in order.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.dim.max(1))
    }

    /// Forgets all frames and moves `first_frame` past them; keeps the memory.
    pub fn consume(&mut self) {
        self.first_frame += self.len() as u64;
        self.data.clear();
    }
}

/// Checks law 1 for a stage that reads samples and writes frames: pushes `input` cut in many ways (whole, one value at
/// a time, and at pseudo-random places from `seed`) and compares every output with the whole one, bit for bit.
///
/// # Panics
/// When two outputs differ; the message names the cut and the first difference. For tests.
pub fn check_cut_invariance<S: Stage<In = [f32], Out = Frames>>(mut stage: S, input: &[f32], dim: usize, seed: u64) {
    let mut run = |cuts: &mut dyn FnMut(usize) -> usize| {
        stage.reset();
        let mut out = Frames::new(dim);
        let mut rest = input;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(cuts(rest.len()).clamp(1, rest.len()));
            stage.push(head, &mut out).expect("push of a valid input");
            rest = tail;
        }
        stage.finish(&mut out).expect("finish after valid input");
        out
    };
    let whole = run(&mut |left| left);
    let mut state = seed | 1;
    let mut random = move |limit: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        1 + (state >> 33) as usize % limit
    };
    assert_eq!(whole, run(&mut |_| 1), "cut into single values (seed {seed})");
    for limit in [7, 160, 400, 1000, 5000] {
        assert_eq!(whole, run(&mut |_| random(limit)), "cut into pieces of up to {limit} (seed {seed})");
    }
}
