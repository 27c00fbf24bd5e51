//! Dev error rates while training: the averaged weights through `Recognizer`, set by set, on all threads.
//!
//! Layer 8.

use super::dataset::{Dataset, Item};
use super::evaluate::{Evaluation, evaluate};
use super::recipe::TrainConfig;
use crate::audio::{AudioSource, SampleSource};
use crate::error::{Error, Result};
use crate::model_dir::ModelDir;
use crate::nn::Encoder;
use crate::recognizer::{DecoderConfig, Recognizer, RecognizerConfig};

/// Errors of every dev set, in the recipe's order; the held-out speakers of the training sets are the last.
#[derive(Debug, Default)]
pub(super) struct DevErrors {
    /// Name and errors of each set that is not empty.
    pub sets: Vec<(String, Evaluation)>,
    /// All of them together.
    pub total: Evaluation,
}

/// Recognises the dev sets with `encoder`'s weights, which are the processor's, on `threads` threads.
///
/// # Errors
/// When the recogniser cannot be made.
pub(super) fn dev_errors(
    config: &TrainConfig,
    dataset: &Dataset,
    model: &ModelDir,
    encoder: &Encoder,
    threads: usize,
) -> Result<DevErrors> {
    // The longest first, dealt out in turn: no thread is left with a long one at the end.
    let mut items: Vec<&Item> = dataset.dev.iter().collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.samples));
    let threads = threads.clamp(1, items.len().max(1));
    let counts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let share: Vec<&Item> = items.iter().copied().skip(first).step_by(threads).collect();
                let encoder = encoder.replica();
                scope.spawn(move || recognize(dataset, model, encoder, &share, threads > 1))
            })
            .collect();
        let dead = || Error::Shape("a dev thread panicked: see the message above".to_string());
        workers.into_iter().map(|worker| worker.join().map_err(|_| dead())?).collect::<Result<Vec<_>>>()
    })?;
    let mut errors = DevErrors::default();
    let mut by_set: Vec<Evaluation> = vec![Evaluation::default(); config.data.dev.len() + 1];
    for (set, one) in counts.iter().flatten() {
        by_set[*set].add(one);
        errors.total.add(one);
    }
    let names = config.data.dev.iter().map(|path| path.display().to_string());
    let names = names.chain(std::iter::once("held-out speakers".to_string()));
    errors.sets = names.zip(by_set).filter(|(_, evaluation)| evaluation.utterances > 0).collect();
    Ok(errors)
}

/// Errors of each item with the place of its set.
fn recognize(
    dataset: &Dataset,
    model: &ModelDir,
    encoder: Encoder,
    items: &[&Item],
    single: bool,
) -> Result<Vec<(usize, Evaluation)>> {
    if single {
        tch::set_num_threads(1);
    }
    let greedy = RecognizerConfig { decoder: DecoderConfig::Greedy, ..RecognizerConfig::default() };
    let recognizer = Recognizer::with_encoder(model.clone(), encoder, greedy)?;
    let one = |item: &&Item| {
        let open = |_: &_| {
            let samples = item.audio(dataset.rate_hz)?.to_vec();
            Ok(Box::new(SampleSource::new(samples, dataset.rate_hz)) as Box<dyn AudioSource>)
        };
        (item.set, evaluate(&recognizer, [&item.utterance], &open, &mut |_| {}))
    };
    Ok(items.iter().map(one).collect())
}
