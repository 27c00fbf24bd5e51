//! CTC loss.
use crate::error::Result;
use tch::Tensor;
/// Fewest output frames that can carry `labels`: their number plus adjacent repeats.
pub fn min_input_len(labels: &[i64]) -> usize {
    let _ = labels;
    todo!()
}
/// CTC loss of each utterance, `[B]`, natural log, not normalised; gradient right with respect to the logits before log-softmax.
/// Shapes: log_probs `[T', B, V]`; `labels[b]` may be empty (noise).
pub fn ctc_loss(log_probs: &Tensor, lengths: &[i64], labels: &[Vec<i64>]) -> Result<Tensor> {
    let _ = (log_probs, lengths, labels);
    todo!()
}
