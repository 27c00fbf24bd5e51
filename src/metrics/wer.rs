//! Edit distance.
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
        let _ = (reference, hypothesis);
        todo!()
    }
    /// Characters of two normalized texts (spaces count).
    pub fn characters(reference: &str, hypothesis: &str) -> Self {
        let _ = (reference, hypothesis);
        todo!()
    }
    /// Errors over reference units, a fraction; 0 when both are empty.
    pub fn rate(&self) -> f64 {
        todo!()
    }
    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        let _ = other;
        todo!()
    }
}
