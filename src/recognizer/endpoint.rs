//! Endpoint rules: when a segment of speech is over. Pure: decided from counts of output frames.
//!
//! Layer 6. Source: the three rules of Kaldi's online decoding (`online-endpoint.h`), on CTC blanks instead of silence
//! phones.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Segments shorter than twice this never end at a shorter pause than `LongSpeech` asks for.
const SHORTEST_LONG: Duration = Duration::from_secs(10);

/// Which rule ended a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointRule {
    /// Nothing was said for long.
    NoSpeech,
    /// A pause after speech.
    AfterSpeech,
    /// A short pause after speech that went on for long; the longer, the shorter the pause that is enough.
    LongSpeech,
}

/// The rules' settings.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointConfig {
    /// `NoSpeech`: silence without any word before it.
    pub no_speech: Duration,
    /// `AfterSpeech`: silence after words.
    pub after_speech: Duration,
    /// `LongSpeech`: segments at least this long ...
    pub long_speech: Duration,
    /// ... end at a silence of this length. Segments twice as long and more end at a shorter one, in inverse proportion
    /// to their length, so that none goes on without end.
    pub long_speech_pause: Duration,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        EndpointConfig {
            no_speech: Duration::from_secs(5),
            after_speech: Duration::from_millis(1200),
            long_speech: Duration::from_secs(20),
            long_speech_pause: Duration::from_millis(500),
        }
    }
}

/// The rules for output frames of a fixed length.
#[derive(Debug, Clone)]
pub struct Endpointer {
    config: EndpointConfig,
    frame: Duration,
}

impl Endpointer {
    /// `frame`: time from one output frame to the next.
    pub fn new(config: EndpointConfig, frame: Duration) -> Self {
        Endpointer { config, frame }
    }

    /// The rule that ends a segment of `frames` output frames whose last `trailing_blanks` were blank; `spoken` says
    /// whether anything else was.
    pub fn decide(&self, frames: u64, trailing_blanks: u64, spoken: bool) -> Option<EndpointRule> {
        let time = |frames: u64| self.frame.mul_f64(frames as f64);
        let silence = time(trailing_blanks.min(frames));
        if !spoken {
            return (silence >= self.config.no_speech).then_some(EndpointRule::NoSpeech);
        }
        if silence >= self.config.after_speech {
            return Some(EndpointRule::AfterSpeech);
        }
        let (length, long) = (time(frames), self.config.long_speech);
        let over = (length.as_secs_f64() / long.max(SHORTEST_LONG).as_secs_f64() / 2.0).max(1.0);
        let ends = trailing_blanks > 0 && length >= long && silence >= self.config.long_speech_pause.div_f64(over);
        ends.then_some(EndpointRule::LongSpeech)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_at_its_border() {
        let endpointer = Endpointer::new(EndpointConfig::default(), Duration::from_millis(100));
        for (frames, blanks, spoken, wanted) in [
            (49, 49, false, None),
            (50, 50, false, Some(EndpointRule::NoSpeech)),
            (30, 11, true, None),
            (30, 12, true, Some(EndpointRule::AfterSpeech)),
            (199, 5, true, None),
            (200, 4, true, None),
            (200, 5, true, Some(EndpointRule::LongSpeech)),
            (399, 4, true, None),
            (500, 4, true, Some(EndpointRule::LongSpeech)),
            (1990, 1, true, None),
            (2000, 1, true, Some(EndpointRule::LongSpeech)),
            (20_000, 0, true, None),
            (3, 60, false, None),
        ] {
            assert_eq!(endpointer.decide(frames, blanks, spoken), wanted, "{frames} {blanks} {spoken}");
        }
    }
}
