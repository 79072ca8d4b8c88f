//! Walking through the turning points of thinking.

use super::block::Spot;
use super::{Anchor, Block, BlockId, Transcript};

impl Transcript {
    /// Goes to the next turning point, or the one before: from the one gone to last, else from the first row of the
    /// view, or the last one. A thought that hides it is unfolded.
    pub fn go_to_turn(&mut self, forward: bool) {
        let (block, spot) = if let Some(Anchor { block, spot }) = self.turn {
            (block, spot)
        } else {
            let first = self.first();
            let edge = if forward { first } else { self.down(first, self.view) };
            let block = self.blocks.get(edge.block);
            (
                edge.block,
                block.map_or(Spot::Above(0), |block| block.spot_of(edge.row)),
            )
        };
        let Some((id, turn)) = self.turn_beside(block, spot, forward) else {
            return;
        };
        self.change(id, |block| block.uncover(turn));
        let anchor = Anchor {
            block: id,
            spot: Spot::Text(turn),
        };
        let place = self.place(anchor);
        // A row above it shows what it turns from.
        let (above, _) = self.up(place, self.view / 4);
        self.look_at(above);
        self.turn = Some(anchor);
        self.read_at(anchor);
    }

    /// The turning point nearest to a spot of a block, after or before it.
    fn turn_beside(&self, block: BlockId, spot: Spot, forward: bool) -> Option<(BlockId, usize)> {
        let of = |id: BlockId| self.blocks.get(id).map_or(&[][..], Block::turns).iter().copied();
        if forward {
            let here = of(block)
                .find(|&turn| Spot::Text(turn) > spot)
                .map(|turn| (block, turn));
            here.or_else(|| (block + 1..self.blocks.len()).find_map(|id| Some((id, of(id).next()?))))
        } else {
            let here = of(block)
                .rfind(|&turn| Spot::Text(turn) < spot)
                .map(|turn| (block, turn));
            here.or_else(|| (0..block).rev().find_map(|id| Some((id, of(id).next_back()?))))
        }
    }
}
