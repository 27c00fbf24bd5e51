//! Streaming rate conversion through rubato, its delay removed.
//!
//! Layer 1. Input is gathered into blocks of a fixed size before rubato sees it, so that the output does not depend on
//! how the input was cut (law 1).

use crate::error::{Error, Result};
use crate::stage::Stage;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

/// Blocks a second: a block is also the length of the anti-aliasing filter, about 20 ms.
const BLOCKS_PER_SECOND: u32 = 48;

/// Output is rounded to 16 bits, as a recording at the new rate would be. Unrounded, the band above the old Nyquist
/// frequency would be emptier than in any recording, and its log energies far from all that a model was trained on.
const GRID: f32 = 32768.0;

/// Streaming rate conversion: output sample `i` is at input time `i * from / to`, and `n` samples give
/// `round(n * to / from)`.
pub struct Resampler {
    from: u32,
    to: u32,
    /// `None` for equal rates.
    converter: Option<Fft<f32>>,
    /// Input that does not fill a block yet.
    pending: Vec<f32>,
    /// The last full block, on which the filter's overlap depends; empty before the first.
    previous: Vec<f32>,
    /// Runs ahead for [`Resampler::tail`].
    probe: Option<Box<Resampler>>,
    block_in: usize,
    block: Vec<f32>,
    /// Output samples still to be dropped: the filter's delay.
    skip: usize,
    pushed: u64,
    written: u64,
}

/// A whole recording's samples from `from` Hz to `to` Hz.
///
/// # Errors
/// As [`Resampler::new`].
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    let mut resampler = Resampler::new(from, to)?;
    let mut out = Vec::with_capacity(Resampler::converted_length(samples.len() as u64, from, to) as usize);
    resampler.push(samples, &mut out)?;
    resampler.finish(&mut out)?;
    Ok(out)
}

impl Resampler {
    /// From `from` Hz to `to` Hz. Equal rates copy.
    ///
    /// # Errors
    /// When a rate is 0 or rubato refuses the pair.
    pub fn new(from: u32, to: u32) -> Result<Self> {
        if from == 0 || to == 0 {
            return Err(Error::invalid("sample rate", format!("{from} -> {to}"), "above 0 Hz"));
        }
        let chunk = even_block(from, to) as usize;
        let make = || {
            let window = WindowFunction::BlackmanHarris;
            Fft::new_custom(from as usize, to as usize, chunk, 1, 1, window, FixedSync::Both).map_err(|error| {
                Error::invalid("sample rate", format!("{from} -> {to}"), format!("convertible: {error}"))
            })
        };
        let converter = if from == to { None } else { Some(make()?) };
        let block_in = converter.as_ref().map_or(0, |converter| converter.input_frames_next());
        let block_out = converter.as_ref().map_or(0, |converter| converter.output_frames_max());
        let skip = converter.as_ref().map_or(0, |converter| converter.output_delay());
        let (pending, block) = (Vec::with_capacity(block_in), vec![0.0; block_out]);
        let (previous, probe) = (Vec::with_capacity(block_in), None);
        Ok(Resampler { from, to, converter, pending, previous, probe, block_in, block, skip, pushed: 0, written: 0 })
    }

    /// Samples that `samples` at `from` Hz become at `to` Hz.
    pub fn converted_length(samples: u64, from: u32, to: u32) -> u64 {
        let (from, to) = (u64::from(from), u64::from(to));
        (samples * to + from / 2) / from
    }

    /// Longest delay in seconds between an input sample and the output that needs it: a block and half the filter;
    /// 0 for equal rates.
    pub fn delay_seconds(&self) -> f64 {
        1.5 * self.block_in as f64 / f64::from(self.from)
    }

    /// Appends what `finish` would append now; the stream goes on undisturbed.
    ///
    /// # Errors
    /// As [`Stage::push`].
    pub fn tail(&mut self, out: &mut Vec<f32>) -> Result<()> {
        if self.converter.is_none() {
            return Ok(());
        }
        let mut probe = match self.probe.take() {
            Some(probe) => probe,
            None => Box::new(Resampler::new(self.from, self.to)?),
        };
        probe.reset();
        // An output block depends on its own input block and the one before, so this is the state that `self` is in.
        let start = out.len();
        probe.push(&self.previous, out)?;
        out.truncate(start);
        probe.push(&self.pending, out)?;
        probe.finish(out)?;
        self.probe = Some(probe);
        Ok(())
    }

    /// Converts the full block in `pending`.
    fn convert_block(&mut self, out: &mut Vec<f32>) -> Result<()> {
        let Some(converter) = &mut self.converter else {
            return Ok(());
        };
        let frames_out = self.block.len();
        let shape = |error: &dyn std::fmt::Display| Error::Shape(format!("resampler: {error}"));
        let input = InterleavedSlice::new(&self.pending, 1, self.block_in).map_err(|e| shape(&e))?;
        let mut output = InterleavedSlice::new_mut(&mut self.block, 1, frames_out).map_err(|e| shape(&e))?;
        let (_, written) = converter.process_into_buffer(&input, &mut output, None).map_err(|e| shape(&e))?;
        let drop = self.skip.min(written);
        self.skip -= drop;
        out.extend(self.block[drop..written].iter().map(|sample| (sample * GRID).round() / GRID));
        self.written += (written - drop) as u64;
        std::mem::swap(&mut self.pending, &mut self.previous);
        self.pending.clear();
        Ok(())
    }
}

/// Frames of input in a block: about `1 / BLOCKS_PER_SECOND` s, such that half a block is a whole number of samples on
/// both sides; the filter's delay is half a block, and a fraction could not be removed.
fn even_block(from: u32, to: u32) -> u32 {
    let (mut a, mut b) = (from, to);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (from / BLOCKS_PER_SECOND).max(1).next_multiple_of(2 * (from / a))
}

impl Stage for Resampler {
    type In = [f32];
    type Out = Vec<f32>;

    fn push(&mut self, input: &[f32], out: &mut Vec<f32>) -> Result<()> {
        if self.converter.is_none() {
            out.extend_from_slice(input);
            return Ok(());
        }
        self.pushed += input.len() as u64;
        let mut rest = input;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(self.block_in - self.pending.len()));
            self.pending.extend_from_slice(head);
            rest = tail;
            if self.pending.len() == self.block_in {
                self.convert_block(out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<f32>) -> Result<()> {
        let total = Self::converted_length(self.pushed, self.from, self.to);
        while self.converter.is_some() && self.written < total {
            self.pending.resize(self.block_in, 0.0);
            self.convert_block(out)?;
        }
        let surplus = self.written.saturating_sub(total) as usize;
        out.truncate(out.len().saturating_sub(surplus));
        self.written -= surplus as u64;
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(converter) = &mut self.converter {
            converter.reset();
            self.skip = converter.output_delay();
        }
        self.pending.clear();
        self.previous.clear();
        (self.pushed, self.written) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(from: u32, to: u32, input: &[f32], pieces: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to).expect("resampler");
        let mut out = Vec::new();
        for piece in input.chunks(pieces) {
            resampler.push(piece, &mut out).expect("push");
        }
        resampler.finish(&mut out).expect("finish");
        out
    }

    fn tone(rate: u32, hz: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| (0.5 * (std::f64::consts::TAU * hz * i as f64 / f64::from(rate)).sin()) as f32).collect()
    }

    #[test]
    fn a_tone_keeps_its_frequency_phase_and_length_from_every_rate() {
        for rate in [4000, 8000, 11025, 14400, 16000, 17600, 22050, 32000, 44100, 48000, 96000, 192_000] {
            let samples = rate as usize;
            let out = convert(rate, 16000, &tone(rate, 1000.0, samples), 4096);
            assert_eq!(out.len(), 16000, "{rate} Hz");
            let wanted = tone(16000, 1000.0, 16000);
            let worst = (1600..14400).map(|i| (out[i] - wanted[i]).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-3, "{rate} Hz: off by {worst}");
        }
    }

    #[test]
    fn what_is_above_the_new_nyquist_frequency_is_gone() {
        let out = convert(48000, 16000, &tone(48000, 10_000.0, 48000), 4096);
        assert!(out[800..15200].iter().all(|x| x.abs() < 1e-3));
    }

    #[test]
    fn the_cut_does_not_matter_and_short_input_is_not_lost() {
        for length in [0, 1, 2, 100, 999, 5000] {
            let input = tone(44100, 440.0, length);
            let whole = convert(44100, 16000, &input, length.max(1));
            assert_eq!(whole.len(), (length * 16000 + 22050) / 44100);
            for pieces in [1, 7, 300] {
                assert_eq!(whole, convert(44100, 16000, &input, pieces), "{length} samples in pieces of {pieces}");
            }
        }
    }

    #[test]
    fn the_tail_is_what_finish_would_give_and_disturbs_nothing() {
        let input = tone(44100, 440.0, 5000);
        let mut resampler = Resampler::new(44100, 16000).expect("resampler");
        let mut out = Vec::new();
        for (index, piece) in input.chunks(90).enumerate() {
            resampler.push(piece, &mut out).expect("push");
            let mut shown = out.clone();
            resampler.tail(&mut shown).expect("tail");
            let heard = (index * 90 + piece.len()).min(input.len());
            assert_eq!(shown, convert(44100, 16000, &input[..heard], 5000), "after {heard} samples");
        }
        resampler.finish(&mut out).expect("finish");
        assert_eq!(out, convert(44100, 16000, &input, 5000));
    }

    #[test]
    fn reset_is_a_new_resampler() {
        let mut resampler = Resampler::new(8000, 16000).expect("resampler");
        let mut first = Vec::new();
        resampler.push(&tone(8000, 300.0, 777), &mut first).expect("push");
        resampler.reset();
        let mut again = Vec::new();
        resampler.push(&tone(8000, 300.0, 777), &mut again).expect("push");
        resampler.finish(&mut again).expect("finish");
        assert_eq!(again, convert(8000, 16000, &tone(8000, 300.0, 777), 777));
    }
}
