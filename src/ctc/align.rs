//! Forced alignment: the likeliest CTC path that spells given labels.
//!
//! Layer 4. Source: Viterbi over the label sequence with blanks between, Graves et al. 2006, section 4.1.

use super::Emission;
use crate::error::{Error, Result};
use crate::stage::Frames;
use crate::text::BLANK;

/// Places of `labels` on the likeliest path through `log_probs`.
///
/// Shapes: `log_probs [T', V]`, `labels [L] -> [L]` emissions with absolute frames.
///
/// # Errors
/// When the labels do not fit into the frames or are no tokens of the table.
pub fn align(log_probs: &Frames, labels: &[i64]) -> Result<Vec<Emission>> {
    if labels.iter().any(|&label| label <= BLANK || label >= log_probs.dim as i64) {
        return Err(Error::invalid("labels", format!("{labels:?}"), format!("1..{}", log_probs.dim)));
    }
    // States: blank, label, blank, label, ..., blank.
    let states = 2 * labels.len() + 1;
    let token = |state: usize| if state.is_multiple_of(2) { BLANK } else { labels[state / 2] };
    let mut score = vec![f32::NEG_INFINITY; states];
    let mut came_from = Vec::with_capacity(log_probs.len() * states);
    for (frame, row) in log_probs.rows().enumerate() {
        let before = score.clone();
        for state in 0..states {
            let (previous, best) = if frame == 0 {
                (state, if state < 2 { 0.0 } else { f32::NEG_INFINITY })
            } else {
                best_predecessor(&before, state, |a, b| token(a) == token(b))
            };
            score[state] = best + row[token(state) as usize];
            came_from.push(previous);
        }
    }
    let last = (states.saturating_sub(2)..states).max_by(|&a, &b| score[a].total_cmp(&score[b])).unwrap_or(0);
    if !log_probs.is_empty() && score[last] == f32::NEG_INFINITY || log_probs.is_empty() && !labels.is_empty() {
        return Err(Error::Shape(format!("{} labels do not fit into {} output frames", labels.len(), log_probs.len())));
    }
    Ok(trace(log_probs, labels, &came_from, last))
}

/// From the same state, the one before, or past a blank between different labels.
fn best_predecessor(score: &[f32], state: usize, same: impl Fn(usize, usize) -> bool) -> (usize, f32) {
    let mut best = (state, score[state]);
    let skip = state >= 2 && state % 2 == 1 && !same(state, state - 2);
    for step in 1..=if skip { 2 } else { 1 } {
        if state >= step && score[state - step] > best.1 {
            best = (state - step, score[state - step]);
        }
    }
    best
}

fn trace(log_probs: &Frames, labels: &[i64], came_from: &[usize], last: usize) -> Vec<Emission> {
    let states = 2 * labels.len() + 1;
    let mut emissions: Vec<Option<Emission>> = vec![None; labels.len()];
    let mut state = last;
    for frame in (0..log_probs.len()).rev() {
        if state % 2 == 1 {
            let label = state / 2;
            let log_prob = log_probs.row(frame)[labels[label] as usize];
            let absolute = log_probs.first_frame + frame as u64;
            let fresh = Emission { token: labels[label], first_frame: absolute, last_frame: absolute, log_prob };
            let emission = emissions[label].get_or_insert(fresh);
            emission.first_frame = absolute;
            emission.log_prob = emission.log_prob.max(log_prob);
        }
        state = came_from[frame * states + state];
    }
    emissions.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The likeliest of all paths that collapse to `labels`, by enumeration.
    fn brute_force(log_probs: &Frames, labels: &[i64]) -> Option<Vec<i64>> {
        let (frames, vocabulary) = (log_probs.len(), log_probs.dim);
        let mut best: Option<(f32, Vec<i64>)> = None;
        for code in 0..vocabulary.pow(frames as u32) {
            let path: Vec<i64> = (0..frames).map(|t| (code / vocabulary.pow(t as u32) % vocabulary) as i64).collect();
            let mut collapsed = path.clone();
            collapsed.dedup();
            collapsed.retain(|&token| token != BLANK);
            let score = path.iter().enumerate().map(|(t, &k)| log_probs.row(t)[k as usize]).sum();
            if collapsed == labels && best.as_ref().is_none_or(|(other, _)| score > *other) {
                best = Some((score, path));
            }
        }
        best.map(|(_, path)| path)
    }

    #[test]
    fn equals_brute_force() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / 1e7 - 2.0
        };
        let labels: [&[i64]; 5] = [&[1], &[1, 2], &[1, 1], &[2, 1, 2], &[1, 1, 1]];
        for labels in labels {
            for _ in 0..20 {
                let log_probs = Frames { data: (0..15).map(|_| random()).collect(), dim: 3, first_frame: 10 };
                let path = brute_force(&log_probs, labels).expect("a path");
                let emissions = align(&log_probs, labels).expect("alignment");
                let mut mine = vec![BLANK; 5];
                for emission in &emissions {
                    mine[emission.first_frame as usize - 10..=emission.last_frame as usize - 10].fill(emission.token);
                }
                assert_eq!(mine, path, "{labels:?}");
            }
        }
    }

    #[test]
    fn labels_that_do_not_fit_are_an_error() {
        let log_probs = Frames { data: vec![-1.0; 6], dim: 3, first_frame: 0 };
        assert!(align(&log_probs, &[1, 1]).is_err());
        assert!(align(&log_probs, &[3]).is_err());
        assert!(align(&Frames::new(3), &[1]).is_err());
        assert_eq!(align(&log_probs, &[]).expect("no labels"), vec![]);
    }
}
