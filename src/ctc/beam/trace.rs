//! How prefixes came about: a tree of tokens that they share, and chains of the places of their tokens.
//!
//! Both are kept in flat arrays. What no live prefix reaches any more is dropped by [`Trace::compact`], so their size
//! depends on the beam, not on the segment's length.

use crate::ctc::Emission;
use crate::ctc::lexicon::DEAD;
use serde::{Deserialize, Serialize};

/// The root's index.
pub(super) const ROOT: u32 = 0;

/// A token after its parent's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    parent: u32,
    pub token: u32,
    /// Tokens from the segment's start.
    pub depth: u32,
    #[serde(skip, default = "dead")]
    first_child: u32,
    #[serde(skip, default = "dead")]
    sibling: u32,
    /// Place of the live prefix that ends here.
    #[serde(skip, default = "dead")]
    pub live: u32,
}

fn dead() -> u32 {
    DEAD
}

/// The place of a token whose run is over, after that of the token before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    previous: u32,
    run: Run,
}

/// Where a token is said.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Run {
    pub first: u64,
    /// One past the last frame.
    pub end: u64,
    pub peak: f32,
}

impl Run {
    fn emission(&self, token: u32) -> Emission {
        let last_frame = self.end.saturating_sub(1);
        Emission { token: i64::from(token), first_frame: self.first, last_frame, log_prob: self.peak }
    }
}

/// Tree and chains; index 0 is the tree's root and the chains' end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trace {
    nodes: Vec<Node>,
    places: Vec<Place>,
}

impl Trace {
    /// A root with the token that the last segment ended with (or blank).
    pub fn new(token: u32) -> Self {
        let root = Node { parent: DEAD, token, depth: 0, first_child: DEAD, sibling: DEAD, live: DEAD };
        Trace { nodes: vec![root], places: vec![Place { previous: 0, run: Run::default() }] }
    }

    /// Back to a root alone; keeps the memory.
    pub fn clear(&mut self, token: u32) {
        self.nodes.truncate(1);
        self.places.truncate(1);
        self.nodes[0] = Node { parent: DEAD, token, depth: 0, first_child: DEAD, sibling: DEAD, live: DEAD };
    }

    pub fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    /// Marks the node as the end of the prefix at `slot`, or of none.
    pub fn set_live(&mut self, node: u32, slot: u32) {
        self.nodes[node as usize].live = slot;
    }

    /// Where the prefix without the last token of `node` is live.
    pub fn live_parent(&self, node: u32) -> Option<u32> {
        let parent = self.nodes[node as usize].parent;
        let live = self.nodes.get(parent as usize)?.live;
        (live != DEAD).then_some(live)
    }

    /// The node of `token` after `parent`, made where there is none.
    pub fn child(&mut self, parent: u32, token: u32) -> u32 {
        let mut child = self.nodes[parent as usize].first_child;
        while child != DEAD {
            let node = &self.nodes[child as usize];
            if node.token == token {
                return child;
            }
            child = node.sibling;
        }
        let depth = self.nodes[parent as usize].depth + 1;
        self.nodes.push(Node { parent, token, depth, first_child: DEAD, sibling: DEAD, live: DEAD });
        let child = self.nodes.len() as u32 - 1;
        self.link(child);
        child
    }

    /// Puts a node among its parent's children.
    fn link(&mut self, child: u32) {
        let parent = self.nodes[child as usize].parent as usize;
        self.nodes[child as usize].sibling = self.nodes[parent].first_child;
        self.nodes[parent].first_child = child;
    }

    /// A run that is over, after the chain `previous`.
    pub fn place(&mut self, previous: u32, run: Run) -> u32 {
        self.places.push(Place { previous, run });
        self.places.len() as u32 - 1
    }

    /// Tokens of a prefix after the root, last first.
    pub fn tokens(&self, mut node: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::from_fn(move || {
            let here = self.nodes.get(node as usize).filter(|_| node != ROOT)?;
            node = here.parent;
            Some(here.token)
        })
    }

    /// Appends the emissions after the root of the prefix at `node`; `run` is its last token's, `chain` those before.
    pub fn emissions(&self, node: u32, run: Run, mut chain: u32, into: &mut Vec<Emission>) {
        let start = into.len();
        let mut run = run;
        for token in self.tokens(node) {
            into.push(run.emission(token));
            let place = &self.places[chain as usize];
            (run, chain) = (place.run, place.previous);
        }
        into[start..].reverse();
    }

    /// Node of the longest prefix that all of `ends` are or go on from.
    pub fn common(&self, ends: impl Iterator<Item = u32>) -> u32 {
        let deepest = |mut a: u32, mut b: u32| {
            while a != b {
                // A node comes after its parent.
                if a > b { a = self.parent(a) } else { b = self.parent(b) }
            }
            a
        };
        ends.reduce(deepest).unwrap_or(ROOT)
    }

    /// The node without the last token of `node`, which is not the root.
    pub fn parent(&self, node: u32) -> u32 {
        self.nodes[node as usize].parent
    }

    /// The last node on the way to `node` whose token was done with before frame `due`; the root where there is none.
    pub fn said_before(&self, mut node: u32, mut run: Run, mut chain: u32, due: u64) -> u32 {
        while node != ROOT && run.end > due {
            let place = &self.places[chain as usize];
            (run, chain) = (place.run, place.previous);
            node = self.nodes[node as usize].parent;
        }
        node
    }

    /// Whether the prefix at `node` is the one at `earlier`, which is not the root, or goes on from it.
    pub fn passes(&self, mut node: u32, earlier: u32) -> bool {
        while node > earlier {
            node = self.nodes[node as usize].parent;
        }
        node == earlier
    }

    /// Begins a compaction that makes `root` the root; every live prefix is to be marked, then [`Trace::sweep`] called.
    pub fn begin_compaction(&self, root: u32, kept: &mut Kept) {
        kept.root = root;
        kept.nodes.clear();
        kept.nodes.resize(self.nodes.len(), DEAD);
        kept.places.clear();
        kept.places.resize(self.places.len(), DEAD);
        (kept.nodes[root as usize], kept.places[0]) = (0, 0);
    }

    /// Keeps what the prefix at `node` with two alignments, `chains`, reaches.
    pub fn mark(&mut self, node: u32, chains: [u32; 2], kept: &mut Kept) {
        let mut at = node;
        while kept.nodes[at as usize] == DEAD {
            kept.nodes[at as usize] = 0;
            at = self.nodes[at as usize].parent;
        }
        let below = self.nodes[node as usize].depth - self.nodes[kept.root as usize].depth;
        for chain in chains {
            self.mark_chain(chain, below.saturating_sub(1), kept);
        }
    }

    /// Keeps `count` places and cuts the chain behind them.
    fn mark_chain(&mut self, chain: u32, count: u32, kept: &mut Kept) {
        let mut at = chain;
        for left in (0..count).rev() {
            if kept.places[at as usize] != DEAD {
                return;
            }
            kept.places[at as usize] = 0;
            let place = &mut self.places[at as usize];
            if left == 0 {
                place.previous = 0;
            }
            at = place.previous;
        }
    }

    /// Drops what was not marked; `kept` then gives the new indices.
    pub fn sweep(&mut self, kept: &mut Kept) {
        let mut count = 0;
        for old in kept.root as usize..self.nodes.len() {
            if kept.nodes[old] == DEAD {
                continue;
            }
            kept.nodes[old] = count;
            let Node { parent, token, depth, live, .. } = self.nodes[old];
            let parent = if count == ROOT { DEAD } else { kept.nodes[parent as usize] };
            self.nodes[count as usize] = Node { parent, token, depth, first_child: DEAD, sibling: DEAD, live };
            count += 1;
        }
        self.nodes.truncate(count as usize);
        (1..count).for_each(|child| self.link(child));
        let mut count = 0;
        for old in 0..self.places.len() {
            if kept.places[old] == DEAD {
                continue;
            }
            kept.places[old] = count;
            let Place { previous, run } = self.places[old];
            self.places[count as usize] = Place { previous: kept.places[previous as usize], run };
            count += 1;
        }
        self.places.truncate(count as usize);
    }

    /// Nodes and places held.
    pub fn size(&self) -> usize {
        self.nodes.len() + self.places.len()
    }

    /// After reading: whether every index leads to something before it, so that no walk fails or runs in a circle.
    pub fn is_sound(&self, tokens: usize) -> bool {
        let node_fits = |(index, node): (usize, &Node)| {
            let parent = self.nodes.get(node.parent as usize).filter(|_| (node.parent as usize) < index);
            (node.token as usize) < tokens
                && if index == 0 {
                    node.parent == DEAD
                } else {
                    parent.is_some_and(|parent| parent.depth.checked_add(1) == Some(node.depth))
                }
        };
        let place_fits =
            |(index, place): (usize, &Place)| (place.previous as usize) < index || (index == 0 && place.previous == 0);
        !self.nodes.is_empty()
            && !self.places.is_empty()
            && self.nodes.iter().enumerate().all(node_fits)
            && self.places.iter().enumerate().all(place_fits)
    }

    /// After reading: the lists of children, which are not written.
    pub fn relink(&mut self) {
        (1..self.nodes.len() as u32).for_each(|child| self.link(child));
    }

    /// Whether there is such a node, and such places.
    pub fn has(&self, node: u32, chains: [u32; 2]) -> bool {
        (node as usize) < self.nodes.len() && chains.iter().all(|&chain| (chain as usize) < self.places.len())
    }
}

/// What a compaction keeps, then its new indices; memory that is used again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    root: u32,
    nodes: Vec<u32>,
    places: Vec<u32>,
}

impl Kept {
    /// Whether a node is marked.
    pub fn has(&self, node: u32) -> bool {
        self.nodes[node as usize] != DEAD
    }

    pub fn node(&self, old: u32) -> u32 {
        self.nodes[old as usize]
    }

    /// A chain that nothing of is left ends at once.
    pub fn place(&self, old: u32) -> u32 {
        let new = self.places[old as usize];
        if new == DEAD { 0 } else { new }
    }
}
