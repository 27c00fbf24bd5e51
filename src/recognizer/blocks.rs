//! Which blocks of the model's grid can run.
//!
//! Layer 6.

use crate::model_dir::Direction;
use crate::nn::BlockLen;

/// Steps in a block of a forward network where only the whole text is waited for: its blocks need no look-ahead, so their
/// length is a matter of speed (a call of the network costs as much as some twenty steps of it) and of latency.
const STEPS_OF_RECORDINGS: usize = 32;

/// The blocks that a session runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockGrid {
    /// Frames that a block brings forward; `usize::MAX` is all there will be.
    chunk: usize,
    /// Frames behind them.
    look_ahead: usize,
}

impl BlockGrid {
    /// As the model states its latency: text comes as soon as it can.
    pub fn new(direction: Direction, stacking: usize) -> Self {
        let (chunk, look_ahead) = match direction {
            Direction::LatencyControlled(grid) => (grid.chunk, grid.look_ahead),
            Direction::Forward => (stacking, 0),
            Direction::Full => (usize::MAX, 0),
        };
        BlockGrid { chunk, look_ahead }
    }

    /// For recordings of which only the whole text is waited for. What the network says is the same.
    pub fn of_recordings(direction: Direction, stacking: usize) -> Self {
        let grid = BlockGrid::new(direction, stacking);
        match direction {
            Direction::Forward => BlockGrid { chunk: grid.chunk * STEPS_OF_RECORDINGS, ..grid },
            _ => grid,
        }
    }

    /// Blocks that `pending` frames make: where each begins among them, and its lengths. Only at the end of the input
    /// (`ended`) may the last ones be shorter than the grid.
    pub fn due(self, pending: usize, ended: bool) -> impl Iterator<Item = (usize, BlockLen)> {
        let BlockGrid { chunk, look_ahead } = self;
        let mut start = 0;
        std::iter::from_fn(move || {
            let left = pending - start;
            if left == 0 || (!ended && left < chunk.saturating_add(look_ahead)) {
                return None;
            }
            let main = chunk.min(left);
            let block = (start, BlockLen { main, right: look_ahead.min(left - main) });
            start += main;
            Some(block)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_dir::Grid;

    fn blocks(direction: Direction, pending: usize, ended: bool) -> Vec<(usize, usize, usize)> {
        BlockGrid::new(direction, 3).due(pending, ended).map(|(start, len)| (start, len.main, len.right)).collect()
    }

    #[test]
    fn blocks_follow_the_grid_and_end_with_the_input() {
        let grid = Direction::LatencyControlled(Grid { chunk: 6, look_ahead: 3 });
        assert_eq!(blocks(grid, 8, false), []);
        assert_eq!(blocks(grid, 9, false), [(0, 6, 3)]);
        assert_eq!(blocks(grid, 16, false), [(0, 6, 3), (6, 6, 3)]);
        assert_eq!(blocks(grid, 16, true), [(0, 6, 3), (6, 6, 3), (12, 4, 0)]);
        assert_eq!(blocks(grid, 13, true), [(0, 6, 3), (6, 6, 1), (12, 1, 0)]);
        assert_eq!(blocks(grid, 0, true), []);
        assert_eq!(blocks(Direction::Forward, 7, false), [(0, 3, 0), (3, 3, 0)]);
        assert_eq!(BlockGrid::of_recordings(Direction::Forward, 3).due(96 + 7, true).count(), 2);
        assert_eq!(BlockGrid::of_recordings(grid, 3), BlockGrid::new(grid, 3));
        assert_eq!(blocks(Direction::Full, 7, false), []);
        assert_eq!(blocks(Direction::Full, 7, true), [(0, 7, 0)]);
    }
}
