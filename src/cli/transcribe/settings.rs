//! What the transcripts of a run depend on beside the recordings, as one word.

use super::TranscribeArgs;
use crate::ModelDir;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A hash of the program's version, the model's files, and the flags with the files that they name.
pub(super) fn settings(args: &TranscribeArgs) -> Result<String> {
    let mut hash = Sha256::new();
    let mut add = |what: &str, value: String| hash.update(format!("{what}={value}\n"));
    add("version", env!("CARGO_PKG_VERSION").to_string());
    for path in ModelDir::open(&args.model.resolve()?)?.files() {
        add(&path.file_name().unwrap_or_default().to_string_lossy(), file_hash(&path)?);
    }
    let recognize = &args.recognize;
    add("latency", format!("{:?}", recognize.latency));
    add("decoder", format!("{:?} {:?}", recognize.decoder, recognize.beam));
    add("weights", format!("{:?} {:?}", recognize.alpha, recognize.beta));
    for path in [&recognize.lm, &recognize.hotwords].into_iter() {
        add("file", path.as_deref().map(file_hash).transpose()?.unwrap_or_default());
    }
    add("nbest", format!("{:?}", args.nbest));
    add("word times", format!("{}", args.files_out.word_times));
    add("split", format!("{} {:?}", args.batch.split_long, args.raw));
    Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

fn file_hash(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
