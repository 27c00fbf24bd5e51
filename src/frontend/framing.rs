//! The frame-count law, the remainder between pushes, and what happens to a window before its spectrum: DC removal,
//! pre-emphasis, window function.
//!
//! Layer 2. Frame `t` covers samples `[shift * t, shift * t + window)` (Kaldi's `snip_edges`).

use super::FrontEndConfig;

/// Factor that brings samples in `[-1, 1)` to the 16-bit range that Kaldi's features are defined on.
const SAMPLE_SCALE: f32 = 32768.0;

/// Frames in a recording of `samples` samples: 0 if shorter than a window, else `1 + (samples - window) / shift`.
///
/// Source: Kaldi, `NumFrames` with `snip_edges = true`.
pub fn num_frames(samples: u64, window: usize, shift: usize) -> u64 {
    let (window, shift) = (window as u64, shift as u64);
    if samples < window { 0 } else { 1 + (samples - window) / shift }
}

/// Cuts a stream of samples into windowed frames.
#[derive(Debug, Clone)]
pub struct Framer {
    shift: usize,
    preemphasis: f32,
    /// Povey window: a Hann window to the power 0.85.
    window: Vec<f32>,
    /// Scaled samples that a later frame still needs.
    remainder: Vec<f32>,
    /// The frame being worked on.
    frame: Vec<f32>,
}

impl Framer {
    /// For a front end's sample rate, window and shift.
    pub fn new(config: &FrontEndConfig) -> Self {
        let length = config.frame_length_samples();
        let angle = 2.0 * std::f64::consts::PI / (length as f64 - 1.0);
        let povey = |i: usize| (0.5 - 0.5 * (angle * i as f64).cos()).powf(0.85) as f32;
        Framer {
            shift: config.frame_shift_samples(),
            preemphasis: config.preemphasis as f32,
            window: (0..length).map(povey).collect(),
            remainder: Vec::with_capacity(4 * length),
            frame: vec![0.0; length],
        }
    }

    /// Appends samples in `[-1, 1)` and hands every frame that becomes complete to `each`, windowed.
    pub fn push(&mut self, samples: &[f32], mut each: impl FnMut(&[f32])) {
        // Small pieces, so that the remainder stays small however much is pushed at once.
        for piece in samples.chunks(8 * self.window.len()) {
            self.remainder.extend(piece.iter().map(|sample| sample * SAMPLE_SCALE));
            let mut start = 0;
            while start + self.window.len() <= self.remainder.len() {
                self.frame.copy_from_slice(&self.remainder[start..start + self.window.len()]);
                condition(&mut self.frame, &self.window, self.preemphasis);
                each(&self.frame);
                start += self.shift;
            }
            let start = start.min(self.remainder.len());
            self.remainder.copy_within(start.., 0);
            self.remainder.truncate(self.remainder.len() - start);
        }
    }

    /// Forgets the remainder. (A frame that never became complete is no frame: nothing to flush.)
    pub fn reset(&mut self) {
        self.remainder.clear();
    }
}

/// Removes the mean, applies pre-emphasis (the first sample is its own predecessor) and the window.
fn condition(frame: &mut [f32], window: &[f32], preemphasis: f32) {
    let mean = frame.iter().sum::<f32>() / frame.len() as f32;
    let mut previous = frame.first().map_or(0.0, |first| first - mean);
    for (sample, weight) in frame.iter_mut().zip(window) {
        let centred = *sample - mean;
        *sample = (centred - preemphasis * previous) * weight;
        previous = centred;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_count_law() {
        for (samples, frames) in [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (16000, 98)] {
            assert_eq!(num_frames(samples, 400, 160), frames, "{samples} samples");
        }
    }

    #[test]
    fn framer_keeps_the_frame_count_law_for_every_length() {
        for length in [0, 1, 399, 400, 401, 559, 560, 5000, 40001] {
            let mut framer = Framer::new(&FrontEndConfig::default());
            let mut frames = 0;
            framer.push(&vec![0.1; length], |_| frames += 1);
            assert_eq!(frames, num_frames(length as u64, 400, 160), "{length} samples");
        }
    }

    #[test]
    fn a_constant_has_no_energy() {
        let mut framer = Framer::new(&FrontEndConfig::default());
        framer.push(&[0.25; 400], |frame| assert!(frame.iter().all(|&x| x == 0.0)));
    }
}
