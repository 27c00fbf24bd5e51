//! Tokens that leave the search.
//!
//! Where frames are sure, few new prefixes push old ones out, and one that differs in a token long past may live on. A
//! second prefix that ends alike meets the same future, so the worse of the two is dropped once the difference is old.
//! Every alignment dropped has one that is kept, in the same state and at least as likely; what is lost are its
//! contributions to sums (texts that several prefixes spell), and what is won is its place in the beam. Before that, one
//! that doubts a token just said and scores far less than the best is given up: live text cannot wait for it.

use super::config::CommitConfig;
use super::prefix::Prefix;
use super::scorer::Scorer;
use super::scratch::Scratch;
use super::search::BeamState;
use super::trace::ROOT;
use crate::ctc::lexicon::DEAD;

/// Frames between two ages at which doubts are weighed.
const COMMIT_STEP: u64 = 2;

impl BeamState {
    /// Moves the tokens that all prefixes have, and have done with, out of the trace, at the places that the leader
    /// gives them.
    pub fn agree(&mut self, scorer: Scorer, scratch: &mut Scratch) {
        if let Some(commit) = scorer.config().commit {
            self.drop_behind(commit, scorer, scratch);
        }
        self.drop_outdone(scorer.settle_frames(), scratch);
        let mut root = self.trace.common(self.prefixes.iter().map(|prefix| prefix.node));
        // A token that is still being said has no end yet.
        let said = |prefix: &Prefix| prefix.label_path.prob < prefix.blank_path.prob;
        if root != ROOT && self.prefixes.iter().any(|prefix| prefix.node == root && !said(prefix)) {
            root = self.trace.parent(root);
        }
        let count = (self.trace.node(root).depth - self.trace.node(ROOT).depth) as usize;
        let already = self.agreed.len();
        let leader = &self.prefixes[self.leader];
        let path = leader.path();
        if count > 0 {
            self.trace.emissions(leader.node, path.run, path.chain, &mut self.agreed);
            self.agreed.truncate(already + count);
        }
        let base = leader.settled;
        self.offset += f64::from(base);
        let kept = &mut scratch.kept;
        self.trace.begin_compaction(root, kept);
        for prefix in &self.prefixes {
            self.trace.mark(prefix.node, [prefix.blank_path.chain, prefix.label_path.chain], kept);
        }
        self.trace.sweep(kept);
        for prefix in &mut self.prefixes {
            prefix.node = kept.node(prefix.node);
            prefix.blank_path.chain = kept.place(prefix.blank_path.chain);
            prefix.label_path.chain = kept.place(prefix.label_path.chain);
            prefix.settled -= base;
        }
    }

    /// The leader's last token that it had done with so many frames ago, where some prefix lacks it.
    fn doubted(&self, frames: u64) -> Option<u32> {
        let leader = &self.prefixes[self.leader];
        let due = self.next_frame.saturating_sub(frames);
        let old = self.trace.said_before(leader.node, leader.path().run, leader.path().chain, due);
        let all_have_it = || self.prefixes.iter().all(|prefix| self.trace.passes(prefix.node, old));
        (old != ROOT && !all_have_it()).then_some(old)
    }

    /// Drops prefixes that doubt what [`CommitConfig`] asks to be final.
    fn drop_behind(&mut self, commit: CommitConfig, scorer: Scorer, scratch: &mut Scratch) {
        let (after, within) = (scorer.frames(commit.after_ms), scorer.frames(commit.within_ms));
        let ages = within.saturating_sub(after).max(1);
        let mut age = after;
        while let Some(old) = self.doubted(age) {
            let left = within.saturating_sub(age).min(ages) as f32 / ages as f32;
            let least = self.prefixes[self.leader].score - commit.margin * left;
            let behind = |prefix: &Prefix| prefix.score < least && !self.trace.passes(prefix.node, old);
            scratch.dropped.clear();
            scratch.dropped.extend(self.prefixes.iter().map(behind));
            self.drop_prefixes(scratch);
            if age >= within {
                return;
            }
            age = (age + COMMIT_STEP).min(within);
        }
    }

    /// Drops prefixes without some token that the leader had done with `settle_frames` ago, if another prefix outdoes
    /// them. One that a live prefix goes on from stays: its alignments are part of that one's.
    fn drop_outdone(&mut self, settle_frames: u64, scratch: &mut Scratch) {
        let Some(old) = self.doubted(settle_frames) else { return };
        let Scratch { order, dropped, kept, .. } = scratch;
        order.clear();
        order.extend(0..self.prefixes.len() as u32);
        // A node comes after its parent, so this is every prefix before those that it goes on from.
        order.sort_unstable_by_key(|&slot| std::cmp::Reverse(self.prefixes[slot as usize].node));
        dropped.clear();
        dropped.resize(self.prefixes.len(), false);
        self.trace.begin_compaction(ROOT, kept);
        for &slot in order.iter() {
            let prefix = &self.prefixes[slot as usize];
            let free = !kept.has(prefix.node) && !self.trace.passes(prefix.node, old);
            let mut others = self.prefixes.iter().zip(dropped.iter()).filter(|(_, dropped)| !**dropped);
            if free && others.any(|(other, _)| other.outdoes(prefix)) {
                dropped[slot as usize] = true;
            } else {
                self.trace.mark(prefix.node, [0; 2], kept);
            }
        }
        self.drop_prefixes(scratch);
    }

    /// Drops the prefixes that `scratch.dropped` marks; the leader is not among them.
    fn drop_prefixes(&mut self, scratch: &Scratch) {
        let dropped = &scratch.dropped;
        if !dropped.contains(&true) {
            return;
        }
        let leading = self.prefixes[self.leader].node;
        self.prefixes.iter().for_each(|prefix| self.trace.set_live(prefix.node, DEAD));
        let mut slot = 0;
        self.prefixes.retain(|_| {
            slot += 1;
            !dropped[slot - 1]
        });
        self.leader = self.prefixes.iter().position(|prefix| prefix.node == leading).unwrap_or(0);
        self.link_live();
    }
}
