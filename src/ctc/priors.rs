//! How often a network says each token whatever it hears.
//!
//! Layer 4. A network trained by CTC learns its training texts' tokens along with their sounds; a language model then
//! counts the common ones twice. The search takes `prior_scale` times the log-prior off (Miao, Gowayyed & Metze 2015,
//! "EESEN"), blank apart: how much of a recording is blank is a matter of the frame rate and has a penalty of its own.

use crate::error::{Error, Result};
use crate::text::BLANK;
use serde::{Deserialize, Serialize};

/// The least share that a token counts as having: one that was never said must not win by that.
const LEAST_SHARE: f64 = 1e-4;

/// Log-priors of tokens, natural logs; blank's is 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenPriors {
    log_priors: Vec<f32>,
}

impl TokenPriors {
    /// From the sum of each token's posterior over frames, blank's being left out of account.
    pub fn from_posteriors(sums: &[f64]) -> Self {
        let said = |token: usize| if token == BLANK as usize { 0.0 } else { sums[token] };
        let all: f64 = (0..sums.len()).map(said).sum();
        let log_prior = |token: usize| match token == BLANK as usize {
            true => 0.0,
            false => (said(token) / all.max(f64::MIN_POSITIVE)).max(LEAST_SHARE).ln() as f32,
        };
        TokenPriors { log_priors: (0..sums.len()).map(log_prior).collect() }
    }

    /// Checks the values against a vocabulary of so many tokens, blank among them.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn validate(&self, vocabulary: usize) -> Result<()> {
        if self.log_priors.len() != vocabulary {
            return Err(Error::invalid(
                "log_priors",
                format!("{} values", self.log_priors.len()),
                vocabulary.to_string(),
            ));
        }
        match self.log_priors.iter().find(|value| !(-100.0..=0.0).contains(*value)) {
            Some(value) => Err(Error::invalid("log_priors", value, "-100.0..=0.0")),
            None => Ok(()),
        }
    }

    /// What the search adds to each token's log-prob: `scale` times as much as its log-prior lies below what a token's
    /// does on average, so that nothing is gained or lost by speaking.
    pub(super) fn bias(&self, scale: f32) -> Vec<f32> {
        let spoken = || self.log_priors.iter().skip(BLANK as usize + 1);
        let shares: f32 = spoken().map(|log| log.exp()).sum();
        let mean = spoken().map(|log| log.exp() * log).sum::<f32>() / shares.max(f32::MIN_POSITIVE);
        let bias = |(token, log)| if token == BLANK as usize { 0.0 } else { scale * (mean - log) };
        self.log_priors.iter().enumerate().map(bias).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_tokens_gain_what_common_ones_lose() {
        let priors = TokenPriors::from_posteriors(&[90.0, 6.0, 2.0, 2.0, 0.0]);
        assert!(priors.validate(5).is_ok());
        assert_eq!(priors.validate(4).expect_err("another size").to_string(), "log_priors = 5 values: must be 4");
        let bias = priors.bias(0.5);
        assert_eq!(bias[0], 0.0);
        // Shares 0.6, 0.2, 0.2: half the log of their ratio apart.
        assert!((bias[2] - bias[1] - 0.5 * 3.0f32.ln()).abs() < 1e-6 && bias[2] == bias[3]);
        let mean = 0.6 * bias[1] + 0.2 * bias[2] + 0.2 * bias[3] + 1e-4 * bias[4];
        assert!(mean.abs() < 1e-5, "{mean}");
        assert!(bias[4] < 5.0 && bias[1] < 0.0);
    }
}
