//! Corpora: manifests, and the readers of other tools' corpus layouts.
//!
//! Layer 4: no tensors. [`import`] turns a corpus as it was published into a list of utterances; [`Manifest`] is what
//! training and evaluation read; [`check`] is its preflight.

mod check;
mod fit;
mod import;
mod manifest;
mod parallel;
mod write;

pub use check::{CheckOptions, Finding, FindingKind, ManifestTotals, Report, SharedSentences, check, refuse_input};
pub use fit::{OutputRate, cut_short};
pub use import::{CorpusKind, Import, ImportOptions, Imported, import};
pub use manifest::{BadLine, Manifest, ManifestLine, Utterance, manifest_recordings};
pub use parallel::{all_cores, for_each_parallel};
pub use write::{relative_path, write_manifest};
