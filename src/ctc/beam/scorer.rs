//! What words are worth: the language model at word borders, a look-ahead inside words, hot words.
//!
//! The part of a prefix's score that does not depend on the frames is a function of its letters alone. It has a settled
//! part, which a prefix keeps, and a pending one (look-ahead and hot words under way), which the next letter replaces.
//! Look-ahead ("smearing", Steinbiss et al. 1994) is the best unigram score of the words that the letters may still
//! become: without it a prefix would pay for a word all at once, and pruning would favour the words' middles.

use super::BeamConfig;
use crate::ctc::TokenPriors;
use crate::ctc::hotwords::{HotWord, HotWords};
use crate::ctc::lexicon::{DEAD, Lexicon, LexiconWords, Spelling};
use crate::error::Result;
use crate::lm::{LmState, NgramLm};
use crate::text::{BLANK, TokenTable};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The least that a language model's score of `<unk>` counts: a model without `<unk>` must not forbid hot words.
const UNKNOWN_FLOOR: f32 = -20.0;

/// A language model with its words as letters.
#[derive(Debug)]
pub(super) struct LanguageModel {
    lm: Arc<NgramLm>,
    lexicon: Lexicon,
    /// Score of `<unk>` without history.
    unknown: f32,
}

impl LanguageModel {
    fn new(lm: Arc<NgramLm>, spelling: &Spelling) -> Self {
        let null = lm.null_state();
        let mut words = LexiconWords::default();
        for (id, word) in lm.words() {
            // A word that the tokens cannot spell cannot be recognised.
            let _ = words.add(id, lm.score(&null, id).0, |into| spelling.spell(word, into));
        }
        let lexicon = words.build();
        let unknown = lm.score(&null, lm.unknown()).0.max(UNKNOWN_FLOOR);
        LanguageModel { lm, lexicon, unknown }
    }
}

/// What all sessions with one model, language model and settings share.
#[derive(Debug)]
pub struct BeamSearch {
    pub(super) config: BeamConfig,
    pub(super) spelling: Spelling,
    language: Option<Arc<LanguageModel>>,
    priors: Option<TokenPriors>,
    /// What priors and blank's penalty add to each token's log-prob.
    bias: Vec<f32>,
    /// Time of an output frame.
    frame: Duration,
}

impl BeamSearch {
    /// `lm`'s words are spelled by `tokens`; those that cannot be are left out. Without `lm` it is the pure prefix
    /// search. `frame` is the time that an output frame stands for.
    ///
    /// # Errors
    /// When `config` has a value out of range.
    pub fn new(tokens: &TokenTable, lm: Option<Arc<NgramLm>>, config: BeamConfig, frame: Duration) -> Result<Self> {
        config.validate()?;
        let spelling = Spelling::new(tokens);
        let language = lm.map(|lm| Arc::new(LanguageModel::new(lm, &spelling)));
        let bias = bias(&config, None, spelling.tokens());
        Ok(BeamSearch { config, spelling, language, priors: None, bias, frame })
    }

    /// The search that takes `priors` off, as much as its settings' `prior_scale` says.
    ///
    /// # Errors
    /// When they do not fit the tokens.
    pub fn with_priors(mut self, priors: TokenPriors) -> Result<Self> {
        priors.validate(self.spelling.tokens())?;
        self.bias = bias(&self.config, Some(&priors), self.spelling.tokens());
        self.priors = Some(priors);
        Ok(self)
    }

    /// The same search with other settings; tokens, priors and language model are shared.
    ///
    /// # Errors
    /// When `config` has a value out of range.
    pub fn with_config(&self, config: BeamConfig) -> Result<Self> {
        config.validate()?;
        let (spelling, language, priors) = (self.spelling.clone(), self.language.clone(), self.priors.clone());
        let bias = bias(&config, priors.as_ref(), spelling.tokens());
        Ok(BeamSearch { config, spelling, language, priors, bias, frame: self.frame })
    }

    /// Output frames that so many milliseconds take.
    fn frames(&self, ms: u32) -> u64 {
        (f64::from(ms) * 1e-3 / self.frame.as_secs_f64().max(1e-3)).ceil() as u64
    }

    /// The settings.
    pub fn config(&self) -> &BeamConfig {
        &self.config
    }

    /// Hot words for sessions of this search; phrases are normalized as all text.
    ///
    /// # Errors
    /// Names the phrase that cannot be spelled, has no words, or has a boost out of range.
    pub fn hot_words(&self, list: &[HotWord]) -> Result<Arc<HotWords>> {
        let known = |word: &str| self.language.as_ref().is_none_or(|model| model.lm.word_id(word).is_some());
        Ok(Arc::new(HotWords::new(list, &self.spelling, known)?))
    }

    /// A number that tells searches apart: their settings, tokens and vocabulary.
    pub(super) fn fingerprint(&self, hot: &HotWords) -> u64 {
        let lexicon = self.language.as_ref().map_or(0, |model| model.lexicon.fingerprint());
        let config = serde_json::to_string(&(&self.config, &self.bias)).unwrap_or_default();
        let sum = config.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let order = self.language.as_ref().map_or(0, |model| model.lm.order());
        lexicon ^ sum ^ hot.fingerprint().rotate_left(7) ^ (self.spelling.tokens() << 8 | order) as u64
    }
}

/// What a search adds to each token's log-prob.
fn bias(config: &BeamConfig, priors: Option<&TokenPriors>, tokens: usize) -> Vec<f32> {
    let mut bias = priors.map_or_else(|| vec![0.0; tokens], |priors| priors.bias(config.prior_scale));
    bias[BLANK as usize] -= config.blank_penalty;
    bias
}

/// Where a prefix is in its last word.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct WordState {
    /// After the last whole word.
    lm: LmState,
    /// Node of the letters so far in the vocabulary, or dead.
    lexicon: u32,
    /// Node of the letters so far in the hot words that the vocabulary lacks, or dead.
    unseen: u32,
    /// Letters so far.
    letters: u32,
    /// State of the hot words.
    hot: u32,
}

/// What tokens can be worth at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    begins: f32,
    goes_on: f32,
}

impl Limits {
    /// Of a token that begins a word, or of one that goes on.
    pub fn of(&self, begins_word: bool) -> f32 {
        if begins_word { self.begins } else { self.goes_on }
    }

    /// Of any token.
    pub fn any(&self) -> f32 {
        self.begins.max(self.goes_on)
    }
}

/// Scores prefixes by their letters.
#[derive(Clone, Copy)]
pub(super) struct Scorer<'a> {
    search: &'a BeamSearch,
    hot: &'a HotWords,
}

impl<'a> Scorer<'a> {
    pub fn new(search: &'a BeamSearch, hot: &'a HotWords) -> Self {
        Scorer { search, hot }
    }

    /// What is added to the log-probability of every token of a frame.
    pub fn bias(&self) -> &'a [f32] {
        &self.search.bias
    }

    /// Frames after which a token that the best prefix is done with counts as settled.
    pub fn settle_frames(&self) -> u64 {
        self.search.frames(self.search.config.settle_ms)
    }

    /// Output frames that so many milliseconds take.
    pub fn frames(&self, ms: u32) -> u64 {
        self.search.frames(ms)
    }

    pub fn config(&self) -> &'a BeamConfig {
        &self.search.config
    }

    /// Before the first word of a session.
    pub fn start(&self) -> WordState {
        let lm = self.search.language.as_ref().map_or_else(LmState::default, |model| model.lm.start_state());
        WordState { lm, lexicon: 0, unseen: 0, letters: 0, hot: self.hot.start() }
    }

    /// At the begin of a segment, after the words of the last.
    pub fn next_segment(&self, state: &WordState) -> WordState {
        WordState { hot: self.hot.start(), ..self.finish(state).1 }
    }

    /// Whether a state can be one of this scorer.
    pub fn fits(&self, state: &WordState) -> bool {
        let nodes = self.search.language.as_ref().map_or(1, |model| model.lexicon.len());
        (state.lexicon == DEAD || (state.lexicon as usize) < nodes)
            && (state.unseen == DEAD || (state.unseen as usize) < self.hot.unseen.len())
            && (state.hot as usize) < self.hot.len()
    }

    /// What the last word's end settles, and the state after it.
    pub fn finish(&self, state: &WordState) -> (f32, WordState) {
        if state.letters == 0 {
            return (0.0, *state);
        }
        let hot = self.hot.border(state.hot);
        let (words, lm) = match &self.search.language {
            None => (0.0, state.lm),
            Some(model) => self.finish_word(model, state),
        };
        (words + self.hot.gained(hot), WordState { lm, lexicon: 0, unseen: 0, letters: 0, hot })
    }

    fn finish_word(&self, model: &LanguageModel, state: &WordState) -> (f32, LmState) {
        let config = &self.search.config;
        if let Some(word) = model.lexicon.word(state.lexicon) {
            let (score, lm) = model.lm.score(&state.lm, word);
            return (config.alpha * score + config.beta, lm);
        }
        let (score, lm) = model.lm.score(&state.lm, model.lm.unknown());
        let excused = self.hot.unseen.word(state.unseen).is_some();
        // Off both paths the letters have paid already.
        let paid = state.lexicon == DEAD && state.unseen == DEAD;
        let penalty = if excused || paid { 0.0 } else { config.unknown_penalty * state.letters as f32 };
        (config.alpha * score.max(UNKNOWN_FLOOR) + config.beta - penalty, lm)
    }

    /// What the token settles, and the state after it; `finished` is [`Scorer::finish`] of `state`.
    pub fn extend(&self, state: &WordState, token: u32, finished: &(f32, WordState)) -> (f32, WordState) {
        let (mut settled, mut word) = if self.search.spelling.begins_word(token) { *finished } else { (0.0, *state) };
        for &letter in self.search.spelling.letters(token) {
            word.letters += 1;
            if let Some(model) = &self.search.language {
                let was_known = word.lexicon != DEAD || word.unseen != DEAD;
                word.lexicon = model.lexicon.step(word.lexicon, letter);
                word.unseen = self.hot.unseen.step(word.unseen, letter);
                if word.lexicon == DEAD && word.unseen == DEAD {
                    let letters = if was_known { word.letters as f32 } else { 1.0 };
                    settled -= self.search.config.unknown_penalty * letters;
                }
            }
            word.hot = self.hot.step(word.hot, letter);
            settled += self.hot.gained(word.hot);
        }
        (settled, word)
    }

    /// Whether the token begins a word.
    pub fn begins_word(&self, token: u32) -> bool {
        self.search.spelling.begins_word(token)
    }

    /// The most that a token can be worth after `state`, settled and pending together; `finished` is what the last
    /// word's end settles, where that is known already. Most tokens need no closer look.
    pub fn limits(&self, state: &WordState, finished: Option<f32>) -> Limits {
        if !self.hot.is_empty() {
            return Limits { begins: f32::INFINITY, goes_on: f32::INFINITY };
        }
        let Some(model) = &self.search.language else {
            return Limits { begins: 0.0, goes_on: 0.0 };
        };
        let config = self.config();
        let worth = |best: f32| config.alpha * best + config.beta;
        let known =
            if state.lexicon == DEAD { model.unknown } else { model.lexicon.best(state.lexicon).max(model.unknown) };
        let ended = finished.unwrap_or(if state.letters == 0 { 0.0 } else { config.beta });
        // A token without letters, the border alone, leaves nothing pending.
        Limits { begins: ended + worth(model.lexicon.best(0)).max(0.0), goes_on: worth(known) }
    }

    /// What the letters of the last word and the hot words under way are worth until the next letter.
    pub fn pending(&self, state: &WordState) -> f32 {
        let held = self.hot.held(state.hot);
        match &self.search.language {
            Some(model) if state.letters > 0 => {
                let config = &self.search.config;
                let known = if state.lexicon == DEAD { model.unknown } else { model.lexicon.best(state.lexicon) };
                let best = if state.unseen == DEAD { known } else { known.max(model.unknown) };
                held + config.alpha * best + config.beta
            }
            _ => held,
        }
    }
}
