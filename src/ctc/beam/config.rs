//! What a beam search is set to.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings of a beam search. Scores are natural logs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeamConfig {
    /// Prefixes kept after each frame, `1..=10000`.
    pub beam: usize,
    /// Weight of the language model, `0.0..=10.0`.
    pub alpha: f32,
    /// Added for each word, `-20.0..=20.0`. Without a language model it does not count.
    pub beta: f32,
    /// Prefixes that score this much less than the best are dropped, `0.0..=1000.0`.
    pub score_margin: f32,
    /// Tokens this much less likely than the frame's likeliest begin nothing new, `0.0..=1000.0`.
    pub token_margin: f32,
    /// At most so many tokens of a frame begin something new, `1..=100000`.
    pub top_tokens: usize,
    /// Taken off for each letter of a word that is neither in the vocabulary nor hot, `0.0..=100.0`.
    pub unknown_penalty: f32,
    /// Taken off the log-prob of blank in each frame, `0.0..=100.0`: a network that rather says nothing than something
    /// unsure is overruled by the language model.
    pub blank_penalty: f32,
    /// Weight of the tokens' priors, where the search has some, `0.0..=10.0`.
    pub prior_scale: f32,
    /// Once the best prefix has been done with a token for so long, a prefix without it is dropped where another outdoes
    /// it whatever comes; in ms, `1..=10000000`.
    pub settle_ms: u32,
    /// Words become final sooner, for live text; `None`: once no prefix doubts them.
    pub commit: Option<CommitConfig>,
}

/// How words of live text become final sooner.
///
/// Once the best prefix has been done with a token for `after_ms`, a prefix without it that scores `margin` less is
/// dropped; as time goes on it takes less and less, and from `within_ms` on nothing: there every token is final.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommitConfig {
    /// In ms, `1..=10000000`.
    pub after_ms: u32,
    /// `0.0..=1000.0`.
    pub margin: f32,
    /// In ms, `1..=10000000`.
    pub within_ms: u32,
}

impl Default for CommitConfig {
    fn default() -> Self {
        CommitConfig { after_ms: 60, margin: 4.0, within_ms: 1200 }
    }
}

impl Default for BeamConfig {
    fn default() -> Self {
        BeamConfig {
            beam: 16,
            alpha: 0.5,
            beta: 1.0,
            score_margin: 15.0,
            token_margin: 10.0,
            top_tokens: 40,
            unknown_penalty: 0.5,
            blank_penalty: 0.0,
            prior_scale: 0.0,
            settle_ms: 1000,
            commit: None,
        }
    }
}

impl BeamConfig {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// Names the field, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        let counts = [("beam", self.beam, 10_000), ("top_tokens", self.top_tokens, 100_000)];
        for (what, value, most) in counts {
            Error::within(what, value, 1, most, "")?;
        }
        let commit = self.commit.unwrap_or_default();
        let times = [
            ("settle_ms", self.settle_ms),
            ("commit.after_ms", commit.after_ms),
            ("commit.within_ms", commit.within_ms),
        ];
        for (what, value) in times {
            Error::within(what, value, 1, 10_000_000, "")?;
        }
        let weights = [
            ("alpha", self.alpha, 0.0, 10.0),
            ("beta", self.beta, -20.0, 20.0),
            ("score_margin", self.score_margin, 0.0, 1000.0),
            ("token_margin", self.token_margin, 0.0, 1000.0),
            ("unknown_penalty", self.unknown_penalty, 0.0, 100.0),
            ("blank_penalty", self.blank_penalty, 0.0, 100.0),
            ("prior_scale", self.prior_scale, 0.0, 10.0),
            ("commit.margin", commit.margin, 0.0, 1000.0),
        ];
        for (what, value, low, high) in weights {
            if !(low..=high).contains(&value) {
                return Err(Error::invalid(what, value, format!("{low:.1}..={high:.1}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_out_of_range_are_named() {
        assert!(BeamConfig::default().validate().is_ok());
        let message = |config: BeamConfig| config.validate().expect_err("out of range").to_string();
        assert_eq!(message(BeamConfig { beam: 0, ..Default::default() }), "beam = 0: must be 1..=10000");
        assert_eq!(message(BeamConfig { alpha: f32::NAN, ..Default::default() }), "alpha = NaN: must be 0.0..=10.0");
        assert!(serde_json::from_str::<BeamConfig>(r#"{"beam": 4, "gamma": 1}"#).is_err());
        let read: BeamConfig = serde_json::from_str(r#"{"beam": 4}"#).expect("config");
        assert_eq!(read, BeamConfig { beam: 4, ..Default::default() });
    }
}
