//! Checked wrapper of LibTorch's CTC loss.
//!
//! Layer 5. LibTorch gives an infinite loss where an utterance is too short for its label; here that is an error, so
//! that it is found before it spoils the weights. Source: Graves et al. 2006, "Connectionist temporal classification".

use crate::ctc::min_input_len;
use crate::error::{Error, Result};
use crate::text::BLANK;
use tch::{Kind, Reduction, Tensor};

/// CTC loss (natural log, not normalised by length) of each utterance.
///
/// The gradient is right only with respect to the logits before log-softmax, as LibTorch folds the softmax's part in.
///
/// Shapes: `log_probs [T', B, V]`, `lengths [B]` in output frames, `labels[b]` token ids, none for noise `-> [B]`.
///
/// # Errors
/// When the batch's parts do not fit, a label is blank or outside `1..V`, or an utterance is too short for its labels
/// (the message names its row).
pub fn ctc_loss(log_probs: &Tensor, lengths: &[i64], labels: &[Vec<i64>]) -> Result<Tensor> {
    check(log_probs, lengths, labels)?;
    let longest = labels.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let mut padded = vec![1i64; labels.len() * longest];
    for (row, ids) in padded.chunks_mut(longest).zip(labels) {
        row[..ids.len()].copy_from_slice(ids);
    }
    let targets = Tensor::from_slice(&padded).view([labels.len() as i64, longest as i64]);
    let target_lengths: Vec<i64> = labels.iter().map(|ids| ids.len() as i64).collect();
    let log_probs = log_probs.to_kind(if log_probs.kind() == Kind::Double { Kind::Double } else { Kind::Float });
    let targets = targets.to_device(log_probs.device());
    Ok(Tensor::f_ctc_loss(&log_probs, &targets, lengths, &target_lengths, BLANK, Reduction::None, false)?)
}

fn check(log_probs: &Tensor, lengths: &[i64], labels: &[Vec<i64>]) -> Result<()> {
    let size = log_probs.size();
    if size.len() != 3 || size[1] != lengths.len() as i64 || lengths.len() != labels.len() {
        return Err(Error::Shape(format!(
            "log-probs {size:?}: must be [T', {}, V] for {} lengths and {} labels",
            labels.len(),
            lengths.len(),
            labels.len()
        )));
    }
    for (row, (&length, ids)) in lengths.iter().zip(labels).enumerate() {
        if length > size[0] || (length as usize) < min_input_len(ids) {
            return Err(Error::Shape(format!(
                "row {row}: {length} output frames: must be {}..={} for {} labels",
                min_input_len(ids),
                size[0],
                ids.len()
            )));
        }
        if let Some(id) = ids.iter().find(|&&id| id == BLANK || id < 0 || id >= size[2]) {
            return Err(Error::Shape(format!("row {row}: label {id}: must be 1..{}", size[2])));
        }
    }
    Ok(())
}
