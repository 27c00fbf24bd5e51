//! One of several classes for a whole recording, with models whose head is `classify`.
//!
//! Layer 6.

use super::{Recognizer, Segment, Transcript, Word};
use crate::audio::AudioSource;
use crate::error::{Error, Result};
use crate::model_dir::Head;
use crate::nn::Mode;
use crate::stage::{Frames, Stage};
use std::time::Duration;
use tch::{Kind, Tensor};

/// What a recording is, by a classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    /// Every class with its probability, the likeliest first. The empty class is none of the others.
    pub classes: Vec<(String, f32)>,
    /// Length of the audio.
    pub duration: Duration,
}

impl Classification {
    /// The likeliest class.
    pub fn best(&self) -> &str {
        self.classes.first().map_or("", |(class, _)| class)
    }
}

impl Recognizer {
    /// The class of a whole source.
    ///
    /// # Errors
    /// When the source cannot be read or is shorter than a frame, or the model's head is another.
    pub fn classify(&self, source: &mut dyn AudioSource) -> Result<Classification> {
        if self.model.config.encoder.head != Head::Classify {
            let reason = "writes text, no classes: use `eddy transcribe`, or train with head = \"classify\"";
            return Err(Error::model(&self.model.path, reason));
        }
        let rate = source.sample_rate();
        let mut front_end = self.front_end(rate)?;
        let mut frames = Frames::new(front_end.dim());
        let mut samples = 0u64;
        while let Some(block) = source.next_block()? {
            samples += block.samples.len() as u64;
            front_end.push(&block.samples, &mut frames)?;
        }
        front_end.finish(&mut frames)?;
        if frames.is_empty() {
            return Err(Error::Shape("too short for a class: less than a frame".to_string()));
        }
        let (kind, device) = self.encoder.options();
        let log_probs = tch::no_grad(|| {
            let x = Tensor::from_slice(&frames.data).view([1, frames.len() as i64, frames.dim as i64]);
            let x = x.to_kind(kind).to_device(device);
            self.encoder.classify(&x, &[frames.len() as i64], self.direction, Mode::Infer)
        })?;
        let mut probabilities = Frames::new(self.tokens().len());
        super::append_log_probs(&log_probs.exp().to_kind(Kind::Float), &mut probabilities)?;
        let named = |(id, &probability): (usize, &f32)| (self.tokens().decode(&[id as i64]), probability);
        let mut classes: Vec<(String, f32)> = probabilities.data.iter().enumerate().map(named).collect();
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(Classification { classes, duration: Duration::from_secs_f64(samples as f64 / f64::from(rate)) })
    }

    /// The class as a word as long as the recording.
    pub(super) fn class_as_transcript(&self, source: &mut dyn AudioSource) -> Result<Transcript> {
        let Classification { classes, duration } = self.classify(source)?;
        let best = classes.into_iter().next().filter(|(class, _)| !class.is_empty());
        let word = best.map(|(text, confidence)| Word { text, start: Duration::ZERO, end: duration, confidence });
        Ok(Transcript { segments: Segment::new(word.into_iter().collect()).into_iter().collect(), duration })
    }
}
