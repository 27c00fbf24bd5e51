//! Smaller models: leaving out the n-grams that matter least.
//!
//! Source: Stolcke, Entropy-based Pruning of Backoff Language Models (1998). As there, histories are weighed by the
//! probability that the model itself gives them.

use super::WordId;
use super::table::{Level, NgramTable};

/// How far to prune.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PruneTo {
    /// Leave out n-grams whose absence changes the perplexity by a smaller part than this, 1e-8 for example.
    Threshold(f64),
    /// The threshold that leaves at most so many n-grams of all lengths.
    Ngrams(usize),
}

/// What is left of a distribution for the words that are not listed: below this it is rounding.
const SMALLEST_MASS: f64 = 1e-10;

/// The distribution after one history.
struct History<'a> {
    node: u32,
    words: &'a [WordId],
    log10_prob: f64,
}

/// Masses of a history's listed words.
struct Masses {
    /// What the listed words leave.
    rest: f64,
    /// What their probabilities after the shorter history leave.
    lower_rest: f64,
    /// Probability of each after the history, and after the shorter one.
    probs: Vec<(f64, f64)>,
}

impl NgramTable {
    /// The model without the n-grams that matter least, its back-off weights made right again. Unigrams stay, and so does
    /// every n-gram that is the history of one that stays.
    pub fn prune(&self, to: PruneTo) -> Self {
        let scores = self.scores();
        let threshold = match to {
            PruneTo::Threshold(threshold) => threshold,
            PruneTo::Ngrams(count) => nth_largest(&scores, count.saturating_sub(self.levels[0].words.len())),
        };
        let keep = |level: usize, node: usize| level == 0 || scores[level][node] >= threshold;
        let mut pruned = NgramTable { vocabulary: self.vocabulary.clone(), levels: Vec::new() };
        for (index, level) in self.levels.iter().enumerate() {
            pruned.levels.push(retain(level, |node| keep(index, node), |node| keep(index + 1, node)));
        }
        while pruned.levels.len() > 1 && pruned.levels.last().is_some_and(|level| level.words.is_empty()) {
            pruned.levels.pop();
        }
        if let Some(level) = pruned.levels.last_mut() {
            level.first.clear();
        }
        pruned.renormalize();
        pruned
    }

    /// By what part the perplexity grows without each n-gram; at least as much as without any of its continuations,
    /// which need it.
    fn scores(&self) -> Vec<Vec<f64>> {
        let mut scores: Vec<Vec<f64>> = self.levels.iter().map(|level| vec![0.0; level.words.len()]).collect();
        for length in 1..self.order() {
            let scores = &mut scores[length];
            self.each_history(length, |history| {
                let masses = self.masses(history.words, history.node);
                let first = self.levels[length - 1].first[history.node as usize] as usize;
                for (index, &probs) in masses.probs.iter().enumerate() {
                    scores[first + index] = growth(&masses, probs, history.log10_prob);
                }
            });
        }
        for length in (1..self.order() - 1).rev() {
            let (lower, higher) = scores.split_at_mut(length + 1);
            for (node, score) in lower[length].iter_mut().enumerate() {
                let children = self.levels[length].first[node] as usize..self.levels[length].first[node + 1] as usize;
                *score = higher[0][children].iter().copied().fold(*score, f64::max);
            }
        }
        scores
    }

    /// Calls `visit` with every history of `length` words that has continuations.
    fn each_history(&self, length: usize, mut visit: impl FnMut(&History)) {
        let mut words = Vec::new();
        for root in 0..self.levels[0].words.len() as u32 {
            // `<s>` is never predicted; it is met as often as sentences end.
            let like = if root == self.vocabulary.begin { self.vocabulary.end } else { root };
            let log10_prob = f64::from(self.levels[0].log_probs[like as usize]);
            self.descend(length, root, log10_prob, &mut words, &mut visit);
        }
    }

    fn descend(
        &self,
        length: usize,
        node: u32,
        log10_prob: f64,
        words: &mut Vec<WordId>,
        visit: &mut impl FnMut(&History),
    ) {
        let level = &self.levels[words.len()];
        let children = level.first[node as usize]..level.first[node as usize + 1];
        words.push(level.words[node as usize]);
        if words.len() == length {
            if !children.is_empty() {
                visit(&History { node, words, log10_prob });
            }
        } else {
            for child in children {
                let log10_prob = log10_prob + f64::from(self.levels[words.len()].log_probs[child as usize]);
                self.descend(length, child, log10_prob, words, visit);
            }
        }
        words.pop();
    }

    fn masses(&self, words: &[WordId], node: u32) -> Masses {
        let (level, shorter) = (&self.levels[words.len()], &words[1..]);
        let first = &self.levels[words.len() - 1].first;
        let shorter_node = self.walk(shorter);
        let lower = |word: WordId| {
            let found = shorter_node.and_then(|node| self.child(shorter.len(), node, word));
            found.map_or_else(
                || self.log10_prob(shorter, word),
                |found| self.levels[shorter.len()].log_probs[found as usize],
            )
        };
        let prob = |log10: f32| 10f64.powf(f64::from(log10));
        let children = first[node as usize] as usize..first[node as usize + 1] as usize;
        let probs: Vec<(f64, f64)> =
            children.map(|child| (prob(level.log_probs[child]), prob(lower(level.words[child])))).collect();
        let rest = (1.0 - probs.iter().map(|probs| probs.0).sum::<f64>()).max(0.0);
        let lower_rest = (1.0 - probs.iter().map(|probs| probs.1).sum::<f64>()).max(0.0);
        Masses { rest, lower_rest, probs }
    }

    /// Makes the probabilities of every history sum to 1: those of the shortest first, since longer ones back off to them.
    fn renormalize(&mut self) {
        for length in 1..self.order() {
            let mut weights = vec![0.0; self.levels[length - 1].words.len()];
            self.each_history(length, |history| {
                let Masses { rest, lower_rest, .. } = self.masses(history.words, history.node);
                let weight = rest.max(SMALLEST_MASS) / lower_rest.max(SMALLEST_MASS);
                weights[history.node as usize] = weight.log10() as f32;
            });
            self.levels[length - 1].backoffs = weights;
        }
        if let Some(level) = self.levels.last_mut() {
            level.backoffs.fill(0.0);
        }
    }
}

/// By what part the perplexity grows without an n-gram.
fn growth(masses: &Masses, (prob, lower): (f64, f64), log10_history: f64) -> f64 {
    if masses.lower_rest <= SMALLEST_MASS {
        // Nothing to back off to.
        return f64::INFINITY;
    }
    let weight = (masses.rest + prob) / (masses.lower_rest + lower);
    let others =
        if masses.rest > 0.0 { masses.rest * (weight.ln() - (masses.rest / masses.lower_rest).ln()) } else { 0.0 };
    let own = prob * (lower.ln() + weight.ln() - prob.ln());
    // Below 0 by rounding alone.
    (-10f64.powf(log10_history) * (own + others)).exp_m1().max(0.0)
}

/// The score that exactly `count` n-grams reach, up to ties, which are all left out.
fn nth_largest(scores: &[Vec<f64>], count: usize) -> f64 {
    let mut all: Vec<f64> = scores.iter().skip(1).flatten().copied().collect();
    if count >= all.len() {
        return 0.0;
    }
    let (_, first_out, _) = all.select_nth_unstable_by(count, |a, b| b.total_cmp(a));
    first_out.next_up()
}

/// A level with the nodes that `keep`; `keep_next` tells those of the next level.
fn retain(level: &Level, keep: impl Fn(usize) -> bool, keep_next: impl Fn(usize) -> bool) -> Level {
    let kept: Vec<usize> = (0..level.words.len()).filter(|&node| keep(node)).collect();
    let mut first = Vec::new();
    if !level.first.is_empty() {
        let mut next = 0;
        for &node in &kept {
            first.push(next);
            next +=
                (level.first[node]..level.first[node + 1]).filter(|&child| keep_next(child as usize)).count() as u32;
        }
        first.push(next);
    }
    Level {
        words: kept.iter().map(|&node| level.words[node]).collect(),
        log_probs: kept.iter().map(|&node| level.log_probs[node]).collect(),
        backoffs: kept.iter().map(|&node| level.backoffs[node]).collect(),
        first,
    }
}
