//! Manifests, as [`crate::corpus`] reads them.
//!
//! Layer 8.

pub use crate::corpus::{Manifest, Utterance};
