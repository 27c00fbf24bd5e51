//! Best path, the last label carried across pushes.
//!
//! Layer 4. Source: Graves et al. 2006, section 3.2 (best path decoding).

use super::{Decoder, Emission, Hypothesis};
use crate::error::Result;
use crate::stage::Frames;
use crate::text::BLANK;
use serde::{Deserialize, Serialize};

/// Best path decoding: the likeliest token of each frame, repeats merged, blanks dropped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GreedyDecoder {
    emissions: Vec<Emission>,
    /// Likeliest token of the last frame.
    last: i64,
    /// Whether the run of `last` belongs to the current segment.
    open: bool,
    log_prob: f64,
    next_frame: u64,
    trailing_blanks: u64,
}

impl GreedyDecoder {
    fn step(&mut self, frame: u64, row: &[f32]) {
        let (token, log_prob) = likeliest(row);
        self.log_prob += f64::from(log_prob);
        self.trailing_blanks = if token == BLANK { self.trailing_blanks + 1 } else { 0 };
        if token != BLANK && token == self.last {
            if let Some(emission) = self.emissions.last_mut().filter(|_| self.open) {
                emission.last_frame = frame;
                emission.log_prob = emission.log_prob.max(log_prob);
            }
        } else if token != BLANK {
            self.emissions.push(Emission { token, first_frame: frame, last_frame: frame, log_prob });
            self.open = true;
        }
        self.last = token;
    }
}

/// The highest value's place and the value; the first of equals.
fn likeliest(row: &[f32]) -> (i64, f32) {
    let mut best = (BLANK, f32::NEG_INFINITY);
    for (token, &log_prob) in row.iter().enumerate() {
        if log_prob > best.1 {
            best = (token as i64, log_prob);
        }
    }
    best
}

impl Decoder for GreedyDecoder {
    fn push(&mut self, log_probs: &Frames) -> Result<()> {
        for row in log_probs.rows() {
            self.step(self.next_frame, row);
            self.next_frame += 1;
        }
        Ok(())
    }

    fn best(&self, n: usize) -> Vec<Hypothesis> {
        std::iter::once(self.current()).take(n).collect()
    }

    fn current(&self) -> Hypothesis {
        Hypothesis { emissions: self.emissions.clone(), log_prob: self.log_prob }
    }

    fn agreed(&self) -> usize {
        self.emissions.len()
    }

    fn has_tokens(&self) -> bool {
        !self.emissions.is_empty()
    }

    fn trailing_blanks(&self) -> u64 {
        self.trailing_blanks
    }

    fn frames(&self) -> u64 {
        self.next_frame
    }

    fn end_segment(&mut self) {
        self.emissions.clear();
        self.open = false;
        self.log_prob = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log-probs that favour the given tokens of 4, one a frame.
    fn path(tokens: &[usize]) -> Frames {
        let row = |&token: &usize| (0..4).map(move |k| if k == token { -0.1 } else { -3.0 });
        Frames { data: tokens.iter().flat_map(row).collect(), dim: 4, first_frame: 0 }
    }

    fn tokens(decoder: &GreedyDecoder) -> Vec<(i64, u64, u64)> {
        decoder.emissions.iter().map(|e| (e.token, e.first_frame, e.last_frame)).collect()
    }

    #[test]
    fn repeats_merge_and_blanks_part_however_the_frames_are_cut() {
        let frames = path(&[0, 1, 1, 0, 1, 2, 2, 2, 0, 0]);
        let wanted = vec![(1, 1, 2), (1, 4, 4), (2, 5, 7)];
        for size in 1..=10 {
            let mut decoder = GreedyDecoder::default();
            for piece in frames.data.chunks(4 * size) {
                decoder.push(&Frames { data: piece.to_vec(), dim: 4, first_frame: 0 }).expect("push");
            }
            assert_eq!(tokens(&decoder), wanted, "{size} frames a push");
            assert_eq!(decoder.trailing_blanks(), 2);
        }
    }

    #[test]
    fn a_run_that_crosses_a_segment_end_is_not_said_twice() {
        let mut decoder = GreedyDecoder::default();
        decoder.push(&path(&[1, 1])).expect("push");
        decoder.end_segment();
        decoder.push(&path(&[1, 0, 1])).expect("push");
        assert_eq!(tokens(&decoder), vec![(1, 4, 4)]);
    }
}
