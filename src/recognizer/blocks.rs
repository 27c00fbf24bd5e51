//! Which blocks of the model's grid can run.
//!
//! Layer 6.

use crate::model_dir::Direction;
use crate::nn::BlockLen;

/// Blocks that `pending` frames make: where each begins among them, and its lengths. Only at the end of the input
/// (`ended`) may the last ones be shorter than the grid.
pub(super) fn due(
    direction: Direction,
    stacking: usize,
    pending: usize,
    ended: bool,
) -> impl Iterator<Item = (usize, BlockLen)> {
    let (chunk, look_ahead) = match direction {
        Direction::LatencyControlled(grid) => (grid.chunk, grid.look_ahead),
        Direction::Forward => (stacking, 0),
        Direction::Full => (if ended { pending } else { usize::MAX }, 0),
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_dir::Grid;

    fn blocks(direction: Direction, pending: usize, ended: bool) -> Vec<(usize, usize, usize)> {
        due(direction, 3, pending, ended).map(|(start, len)| (start, len.main, len.right)).collect()
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
        assert_eq!(blocks(Direction::Full, 7, false), []);
        assert_eq!(blocks(Direction::Full, 7, true), [(0, 7, 0)]);
    }
}
