//! Word and character errors by edit distance, with substitutions, deletions and insertions.
//!
//! Layer 4. Source: Levenshtein with unit costs. `tests/metrics.rs` compares with jiwer's counts: totals are equal always;
//! where several alignments cost the same, so is nearly always their split into S, D and I.

use serde::{Deserialize, Serialize};

/// Edit operations against references.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCounts {
    /// Units in the references.
    pub reference: u64,
    /// Substitutions.
    pub substitutions: u64,
    /// Deletions.
    pub deletions: u64,
    /// Insertions.
    pub insertions: u64,
}

/// One step of an alignment: `(reference, hypothesis)`, either missing for an insertion or deletion.
pub type AlignedPair<'a> = (Option<&'a str>, Option<&'a str>);

impl ErrorCounts {
    /// Words of two normalized texts, with their alignment.
    pub fn words<'a>(reference: &'a str, hypothesis: &'a str) -> (Self, Vec<AlignedPair<'a>>) {
        let reference: Vec<&str> = reference.split_whitespace().collect();
        let hypothesis: Vec<&str> = hypothesis.split_whitespace().collect();
        let steps = align(&reference, &hypothesis);
        let pairs = steps.iter().map(|&(r, h)| (r.map(|i| reference[i]), h.map(|j| hypothesis[j]))).collect();
        (Self::count(reference.len(), &steps, |i, j| reference[i] == hypothesis[j]), pairs)
    }

    /// Characters of two normalized texts (spaces count).
    pub fn characters(reference: &str, hypothesis: &str) -> Self {
        let (reference, hypothesis): (Vec<char>, Vec<char>) =
            (reference.chars().collect(), hypothesis.chars().collect());
        Self::count(reference.len(), &align(&reference, &hypothesis), |i, j| reference[i] == hypothesis[j])
    }

    fn count(reference: usize, steps: &[Step], same: impl Fn(usize, usize) -> bool) -> Self {
        let mut counts = ErrorCounts { reference: reference as u64, ..Default::default() };
        for step in steps {
            match *step {
                (Some(i), Some(j)) if !same(i, j) => counts.substitutions += 1,
                (Some(_), None) => counts.deletions += 1,
                (None, _) => counts.insertions += 1,
                _ => {}
            }
        }
        counts
    }

    /// All errors.
    pub fn errors(&self) -> u64 {
        self.substitutions + self.deletions + self.insertions
    }

    /// Errors over reference units, a fraction (may exceed 1); 0 when there is no error, infinite when there are errors
    /// and no reference.
    pub fn rate(&self) -> f64 {
        if self.errors() == 0 { 0.0 } else { self.errors() as f64 / self.reference as f64 }
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.reference += other.reference;
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
    }
}

/// Indices into reference and hypothesis.
type Step = (Option<usize>, Option<usize>);

/// An alignment of least cost. Of equals, read from the end: a match first, then a deletion, a substitution, an insertion,
/// which is the order that agrees most with jiwer's.
fn align<T: PartialEq>(reference: &[T], hypothesis: &[T]) -> Vec<Step> {
    let width = hypothesis.len() + 1;
    let mut cost = vec![0u32; (reference.len() + 1) * width];
    for i in 0..=reference.len() {
        for j in 0..=hypothesis.len() {
            cost[i * width + j] = match (i, j) {
                (0, _) => j as u32,
                (_, 0) => i as u32,
                _ => {
                    let replaced = cost[(i - 1) * width + j - 1] + u32::from(reference[i - 1] != hypothesis[j - 1]);
                    replaced.min(cost[(i - 1) * width + j] + 1).min(cost[i * width + j - 1] + 1)
                }
            };
        }
    }
    let (mut i, mut j) = (reference.len(), hypothesis.len());
    let mut steps = Vec::new();
    while i > 0 || j > 0 {
        let here = cost[i * width + j];
        let diagonal = if i > 0 && j > 0 { Some(cost[(i - 1) * width + j - 1]) } else { None };
        let matches = diagonal == Some(here) && reference[i - 1] == hypothesis[j - 1];
        if !matches && i > 0 && here == cost[(i - 1) * width + j] + 1 {
            i -= 1;
            steps.push((Some(i), None));
        } else if matches || diagonal.is_some_and(|cost| here == cost + 1) {
            (i, j) = (i - 1, j - 1);
            steps.push((Some(i), Some(j)));
        } else {
            j -= 1;
            steps.push((None, Some(j)));
        }
    }
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_spaces() {
        let counts = ErrorCounts::characters("ab c", "abc");
        assert_eq!((counts.reference, counts.deletions, counts.rate()), (4, 1, 0.25));
    }
}
