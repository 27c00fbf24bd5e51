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

/// How far the outputs for two views of the same recording are apart: the sum over steps of the Kullback-Leibler divergence
/// of each from the other. The view that is gone from counts as given, so each is drawn to the other by half the sum.
///
/// Shapes: `log_probs [T', B, V]` with the views of a recording next to each other, `lengths [B]` in output frames
/// `-> [B / 2]`, in nats. Source: Yao et al. 2024, CR-CTC.
///
/// # Errors
/// When there is no even number of rows.
pub fn view_divergence(log_probs: &Tensor, lengths: &[i64]) -> Result<Tensor> {
    let size = log_probs.size();
    let &[steps, rows, tokens] = size.as_slice() else {
        return Err(Error::Shape(format!("log-probs {size:?}: must be [T', B, V]")));
    };
    if rows % 2 != 0 || rows != lengths.len() as i64 {
        return Err(Error::Shape(format!("{rows} rows of {} lengths: must be two views each", lengths.len())));
    }
    let log_probs = log_probs.to_kind(if log_probs.kind() == Kind::Double { Kind::Double } else { Kind::Float });
    let views = log_probs.view([steps, rows / 2, 2, tokens]);
    let (a, b) = (views.select(2, 0), views.select(2, 1));
    let divergence = |given: &Tensor, other: &Tensor| {
        let given = given.detach();
        (given.exp() * (given - other)).sum_dim_intlist(-1, false, None::<Kind>)
    };
    let lengths: Vec<i64> = lengths.iter().step_by(2).copied().collect();
    let valid = Tensor::arange(steps, (Kind::Int64, log_probs.device())).unsqueeze(1);
    let valid = valid.lt_tensor(&Tensor::from_slice(&lengths).to_device(log_probs.device()).unsqueeze(0));
    Ok(((divergence(&a, &b) + divergence(&b, &a)) * valid).sum_dim_intlist(0, false, None::<Kind>))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// KL(a || b) + KL(b || a) for a = (.5, .5), b = (.25, .75), by hand; the second step is past the row's length.
    #[test]
    fn views_diverge_as_by_hand() {
        let rows = [0.5f64, 0.5, 0.25, 0.75, 0.9, 0.1, 0.2, 0.8];
        let log_probs = Tensor::from_slice(&rows).log().view([2, 2, 2]).set_requires_grad(true);
        let found = view_divergence(&log_probs, &[1, 1]).expect("divergence");
        let wanted = 0.5 * (4.0f64 / 3.0).ln() + 0.25 * 0.5f64.ln() + 0.75 * 1.5f64.ln();
        assert!((found.double_value(&[0]) - wanted).abs() < 1e-12);
        // Each view is drawn towards the other as it stands.
        found.sum(Kind::Double).backward();
        let gradient: Vec<f64> = Vec::try_from(log_probs.grad().view(-1)).expect("values");
        let wanted = [-0.25, -0.75, -0.5, -0.5, 0.0, 0.0, 0.0, 0.0];
        assert!(gradient.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-12), "{gradient:?}");
        assert!(view_divergence(&log_probs.narrow(1, 0, 1), &[1]).is_err());
    }
}
