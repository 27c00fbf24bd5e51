//! The learning rate as a pure function of the step.
//!
//! Layer 8.

use super::recipe::OptimizerRecipe;

/// Linear warm-up, then half a cosine down to `final_ratio` of the highest rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    peak: f64,
    warmup: u64,
    total: u64,
    final_ratio: f64,
}

impl Schedule {
    /// For a training of `total` steps.
    pub fn new(recipe: &OptimizerRecipe, total: u64) -> Self {
        let OptimizerRecipe { learning_rate: peak, warmup_steps: warmup, final_ratio, .. } = *recipe;
        Schedule { peak, warmup, total, final_ratio }
    }

    /// Learning rate of step `step`, from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self.total.saturating_sub(self.warmup).max(1);
        let progress = ((step - self.warmup) as f64 / span as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.peak * (self.final_ratio + (1.0 - self.final_ratio) * cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_peaks_and_falls_to_the_final_ratio() {
        let recipe = OptimizerRecipe { learning_rate: 2.0, warmup_steps: 4, final_ratio: 0.1, ..Default::default() };
        let schedule = Schedule::new(&recipe, 104);
        let near = |step, wanted: f64| assert!((schedule.rate(step) - wanted).abs() < 1e-9, "step {step}");
        near(0, 0.5);
        near(3, 2.0);
        near(4, 2.0);
        near(54, 2.0 * 0.55);
        near(104, 0.2);
        near(1000, 0.2);
    }
}
