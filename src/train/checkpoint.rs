//! Checkpoints: everything a training needs to go on as if it had never stopped, in one file, replaced atomically.
//!
//! Layer 8. The file is safetensors: weights, their moving average, both moments; the progress is JSON in its metadata.

use super::adam::Adam;
use crate::error::{Error, Result};
use crate::nn::weights;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use tch::Tensor;

/// Key of the progress in the file's metadata.
const PROGRESS: &str = "progress";

/// How far a training has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Epoch in work, from 0.
    pub epoch: u64,
    /// Next batch of that epoch.
    pub batch: usize,
    /// Steps done.
    pub step: u64,
    /// Sum of the epoch's losses so far.
    pub loss_sum: f64,
    /// Losses in that sum.
    pub losses: u64,
    /// Batches left out for a loss or gradient that was not finite.
    pub skipped: u64,
    /// Lowest dev word error rate so far, and its epoch.
    pub best: Option<(f64, u64)>,
    /// Audio trained on, in seconds.
    pub audio_seconds: f64,
    /// Wall-clock time of training, in seconds.
    pub wall_seconds: f64,
    /// Seed of the recipe.
    pub seed: u64,
    /// Commit of the working directory when the training started, where git knows it.
    pub commit: Option<String>,
    /// Versions of eddy and of LibTorch's binding.
    pub versions: String,
}

/// Saves all of it, atomically.
///
/// # Errors
/// When the file cannot be written (a full disk, say); the previous checkpoint is then still there.
pub fn save(
    path: &Path,
    progress: &Progress,
    parameters: &[(String, Tensor)],
    ema: &[Tensor],
    adam: &Adam,
) -> Result<()> {
    let mut tensors: Vec<(String, Tensor)> =
        parameters.iter().map(|(name, tensor)| (format!("model.{name}"), tensor.shallow_clone())).collect();
    tensors.extend(
        parameters.iter().zip(ema).map(|((name, _), average)| (format!("ema.{name}"), average.shallow_clone())),
    );
    tensors.extend(adam.moments());
    let json = serde_json::to_string(progress).map_err(|error| Error::training(path, error.to_string()))?;
    weights::write(&tensors, path, Some(HashMap::from([(PROGRESS.to_string(), json)])))
}

/// Puts a checkpoint's tensors into place and returns its progress.
///
/// # Errors
/// When the file is missing, damaged or of another network.
pub fn load(path: &Path, parameters: &[(String, Tensor)], ema: &mut [Tensor], adam: &mut Adam) -> Result<Progress> {
    let progress = progress(path)?;
    let tensors: HashMap<String, Tensor> = weights::read(path)?.into_iter().collect();
    let find = |name: &str| tensors.get(name).map(Tensor::shallow_clone);
    tch::no_grad(|| {
        for ((name, parameter), average) in parameters.iter().zip(ema) {
            for (kind, target) in [("model", &mut parameter.shallow_clone()), ("ema", average)] {
                let name = format!("{kind}.{name}");
                let saved = find(&name).filter(|saved| saved.size() == target.size());
                let saved =
                    saved.ok_or_else(|| Error::training(path, format!("{name} is missing or has another shape")))?;
                target.copy_(&saved);
            }
        }
        // Adam makes no step for a batch that is left out.
        adam.restore(progress.step - progress.skipped, &find).map_err(|error| Error::training(path, error.to_string()))
    })?;
    Ok(progress)
}

/// The progress of a checkpoint without its tensors.
///
/// # Errors
/// When the file is missing or no checkpoint.
pub fn progress(path: &Path) -> Result<Progress> {
    let metadata = weights::read_metadata(path)?;
    let json = metadata.get(PROGRESS).ok_or_else(|| Error::training(path, "holds no progress: not a checkpoint"))?;
    serde_json::from_str(json).map_err(|error| Error::training(path, format!("progress of another version: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    fn parameter() -> Vec<(String, Tensor)> {
        vec![("w".into(), Tensor::from_slice(&[1.0f32, -2.0]).view([1, 2]).set_requires_grad(true))]
    }

    fn descend(parameters: &[(String, Tensor)], adam: &mut Adam) {
        let loss = parameters[0].1.square().sum(Kind::Float);
        adam.step(&Tensor::run_backward(&[loss], &[&parameters[0].1], false, false), 0.1, 1.0);
    }

    #[test]
    fn a_batch_that_was_left_out_does_not_change_what_a_resumed_training_does() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("last.safetensors");
        let parameters = parameter();
        let ema = vec![parameters[0].1.detach().copy()];
        let mut adam = Adam::new(parameters.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect(), 0.01);
        descend(&parameters, &mut adam);
        descend(&parameters, &mut adam);
        // Three batches went by, one of them was left out: Adam made two steps.
        let progress = Progress {
            epoch: 0,
            batch: 3,
            step: 3,
            loss_sum: 1.0,
            losses: 2,
            skipped: 1,
            best: None,
            audio_seconds: 0.0,
            wall_seconds: 0.0,
            seed: 1,
            commit: None,
            versions: String::new(),
        };
        save(&path, &progress, &parameters, &ema, &adam).expect("saved");
        let resumed = parameter();
        let mut average = vec![resumed[0].1.detach().copy()];
        let mut other = Adam::new(resumed.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect(), 0.01);
        assert_eq!(load(&path, &resumed, &mut average, &mut other).expect("loaded"), progress);
        descend(&parameters, &mut adam);
        descend(&resumed, &mut other);
        assert!(parameters[0].1.equal(&resumed[0].1), "{} is not {}", resumed[0].1, parameters[0].1);
    }
}
