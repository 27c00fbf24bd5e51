//! What a recipe's fields may be.

use super::{NoiseKind, TokenRecipe, TrainConfig};
use crate::error::{Error, Result};
use crate::model_dir::{DirectionConfig, Head};

impl TrainConfig {
    /// A class is of a whole recording: nothing joined, nothing but classes.
    fn validate_head(&self) -> Result<()> {
        let classify = self.model.head == Head::Classify;
        if classify != (self.model.tokens == TokenRecipe::Classes) {
            return Err(Error::invalid("model.tokens", "classes", "with the head classify, and only there"));
        }
        if classify && self.train.consistency > 0.0 {
            return Err(Error::invalid("train.consistency", self.train.consistency, "0 for classes"));
        }
        if classify && self.augment.join_probability > 0.0 {
            return Err(Error::invalid("augment.join_probability", self.augment.join_probability, "0 for classes"));
        }
        Ok(())
    }

    /// The state is cut between whole steps, and between whole blocks.
    fn validate_bptt(&self) -> Result<()> {
        let chunks = match &self.model.direction {
            DirectionConfig::LatencyControlled(grids) => grids.iter().map(|grid| grid.chunk).collect(),
            DirectionConfig::Forward | DirectionConfig::Full => Vec::new(),
        };
        let steps = chunks.into_iter().chain([self.model.stacking]);
        match steps.filter(|&step| step > 0).find(|&step| !self.train.bptt_frames.is_multiple_of(step)) {
            Some(step) => {
                Err(Error::invalid("train.bptt_frames", self.train.bptt_frames, format!("a multiple of {step}, or 0")))
            }
            None => Ok(()),
        }
    }

    /// Checks every field that the network's own check does not see.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        if self.name.is_empty() || self.name.contains(['/', '\\']) {
            return Err(Error::invalid("name", format!("{:?}", self.name), "a folder's name"));
        }
        self.front_end.validate()?;
        self.validate_data()?;
        self.validate_head()?;
        self.validate_bptt()?;
        self.validate_numbers()?;
        self.validate_layers()?;
        self.validate_augment()
    }

    fn validate_data(&self) -> Result<()> {
        if self.data.train.is_empty() {
            return Err(Error::invalid("data.train", "[]", "at least one manifest"));
        }
        if let Some(set) = self.data.train.iter().find(|set| !(0.0..=1000.0).contains(&set.weight())) {
            let what = format!("weight of {}", set.manifest().display());
            return Err(Error::invalid(what, set.weight(), "0..=1000"));
        }
        Ok(())
    }

    fn validate_numbers(&self) -> Result<()> {
        let (train, augment) = (&self.train, &self.augment);
        for (what, value, low, high) in [
            ("train.epochs", train.epochs as f64, 1.0, 1e6),
            ("train.batch_seconds", train.batch_seconds, 1.0, 3600.0),
            ("train.learning_rate", train.learning_rate, 1e-8, 1.0),
            ("train.final_ratio", train.final_ratio, 0.0, 1.0),
            ("data.dev_share", self.data.dev_share, 0.0, 0.9),
            ("train.weight_decay", train.weight_decay, 0.0, 1.0),
            ("train.clip_norm", train.clip_norm, 1e-3, 1e6),
            ("train.dropout", train.dropout, 0.0, 0.9),
            ("train.consistency", train.consistency, 0.0, 10.0),
            ("train.ema_decay", train.ema_decay, 0.0, 0.99999),
            ("train.checkpoint_minutes", train.checkpoint_minutes, 0.0, 1e4),
            ("train.keep_epochs", train.keep_epochs as f64, 1.0, 1000.0),
            ("augment.noise_probability", augment.noise_probability, 0.0, 1.0),
            ("augment.band_limit_probability", augment.band_limit_probability, 0.0, 1.0),
            ("augment.mu_law_probability", augment.mu_law_probability, 0.0, 1.0),
            ("augment.reverb_probability", augment.reverb_probability, 0.0, 1.0),
            ("augment.tilt", augment.tilt, 0.0, 0.9),
            ("augment.join_probability", augment.join_probability, 0.0, 1.0),
            ("augment.join_seconds", augment.join_seconds, 0.0, 3600.0),
            ("augment.wordless_share", augment.wordless_share, 0.0, 1.0),
            ("augment.time_masks_per_second", augment.time_masks_per_second, 0.0, 20.0),
            ("augment.frequency_masks", augment.frequency_masks as f64, 0.0, 20.0),
        ] {
            Error::within(what, value, low, high, "")?;
        }
        Ok(())
    }

    /// Layers to freeze and to drop.
    fn validate_layers(&self) -> Result<()> {
        let train = &self.train;
        // The projection is one more; with that too nothing would be left to train.
        let layers = self.model.layers + 1;
        if train.drop_layers > layers {
            return Err(Error::invalid("train.drop_layers", train.drop_layers, format!("at most {layers}")));
        }
        let most = layers.saturating_sub(train.drop_layers.max(1));
        if train.freeze_layers > most {
            let allowed = format!("at most {most}, with train.drop_layers = {}", train.drop_layers);
            return Err(Error::invalid("train.freeze_layers", train.freeze_layers, allowed));
        }
        Ok(())
    }

    fn validate_augment(&self) -> Result<()> {
        let augment = &self.augment;
        if augment.noise_kinds.is_empty() {
            return Err(Error::invalid("augment.noise_kinds", "[]", "at least one kind"));
        }
        let recorded = augment.noise_kinds.contains(&NoiseKind::Recorded) && augment.noise_probability > 0.0;
        if self.data.noise.is_empty() && recorded {
            tracing::warn!("augment.noise_kinds has recorded noise and data.noise names none: white noise stands in");
        }
        if self.data.noise.is_empty() && augment.wordless_share > 0.0 {
            tracing::warn!("augment.wordless_share has no effect: data.noise names no sounds");
        }
        let fits = |rate: &u32| (4000..=192_000).contains(rate);
        if augment.band_limit_rates_hz.is_empty() || !augment.band_limit_rates_hz.iter().all(fits) {
            let rates = format!("{:?}", augment.band_limit_rates_hz);
            return Err(Error::invalid("augment.band_limit_rates_hz", rates, "one rate or more within 4000..=192000"));
        }
        for (what, [from, to], low, high) in [
            ("augment.speed", augment.speed, 0.5, 2.0),
            ("augment.gain_db", augment.gain_db, -60.0, 60.0),
            ("augment.snr_db", augment.snr_db, -20.0, 100.0),
            ("augment.reverb_seconds", augment.reverb_seconds, 0.01, 5.0),
        ] {
            if !(low <= from && from <= to && to <= high) {
                return Err(Error::invalid(what, format!("[{from}, {to}]"), format!("rising within {low}..={high}")));
            }
        }
        Ok(())
    }
}
