//! Folding of thinking: whole blocks, and the segments in them.
//!
//! What is folded stays where it is on the screen, and what one reads stays in view.

use std::ops::Range;

use super::block::{Fold, Row, Spot, Thought};
use super::{Anchor, BlockId, Transcript};

impl Transcript {
    /// How much of thinking shows, unless it was chosen for a block; without it, it is open while live only.
    pub fn default_fold(&self) -> Option<Fold> {
        self.default_fold
    }

    pub fn set_default_fold(&mut self, default: Option<Fold>) {
        let first = self.first();
        let anchor = self.anchor(first).filter(|_| !self.is_following());
        self.default_fold = default;
        for id in 0..self.blocks.len() {
            if self.blocks[id].thought().is_some() {
                self.change(id, |block| block.set_default(default));
            }
        }
        if let Some(anchor) = anchor {
            let target = self.place(anchor);
            self.look_at(target);
        }
    }

    pub fn has_heat(&self) -> bool {
        self.heat
    }

    pub fn set_heat(&mut self, heat: bool) {
        self.heat = heat;
    }

    /// Folds or unfolds a thinking block. Its header stays in its row of the screen if it is in view, else it becomes
    /// the first one, so that what was unfolded is what one sees.
    pub fn cycle_fold(&mut self, id: BlockId) {
        let row = self.blocks[id].header_row().unwrap_or(0);
        let live = self.blocks[id].thought().is_some_and(Thought::is_live);
        let follow = live && self.is_following();
        let header = Spot::Above(row);
        self.keep(id, header, !follow, super::Block::cycle_fold);
    }

    /// The segment that begins in a row of the view, if one does, and whether it is folded.
    pub fn segment_begins_at(&mut self, row: usize) -> Option<(BlockId, usize, bool)> {
        let first = self.first();
        let place = self.down(first, row);
        let (number, folded) = self.blocks.get(place.block)?.segment_begins(place.row)?;
        (row < self.view).then_some((place.block, number, folded))
    }

    /// Folds the segment that begins in a row of the view, or unfolds it; whether one does.
    pub fn toggle_segment_at(&mut self, row: usize) -> bool {
        let Some((id, number, folded)) = self.segment_begins_at(row) else {
            return false;
        };
        self.fold_segment(id, number, !folded);
        true
    }

    /// The same for the segment that is read; a block that does not show it is unfolded.
    pub fn toggle_segment(&mut self) {
        if let Some((id, number)) = self.segment_read() {
            let shows = self.blocks[id].fold() != Fold::Folded;
            let folded = self.blocks[id].is_segment_folded(number);
            self.fold_segment(id, number, shows && !folded);
        }
    }

    /// Folds a segment, or unfolds it.
    pub fn toggle_segment_of(&mut self, id: BlockId, number: usize) {
        let folded = self.blocks.get(id).is_some_and(|block| block.is_segment_folded(number));
        self.fold_segment(id, number, !folded);
    }

    fn fold_segment(&mut self, id: BlockId, number: usize, fold: bool) {
        let Some(start) = self.segment_bytes(id, number).map(|bytes| bytes.start) else {
            return;
        };
        self.keep(id, Spot::Text(start), true, |block| {
            block.fold_segments(number..number + 1, |_| fold);
            if !fold {
                block.uncover(start);
            }
        });
    }

    /// Folds all segments of the thinking that is read, or unfolds them.
    pub fn fold_segments(&mut self, fold: bool) {
        let Some(id) = self.thinking_read() else {
            return;
        };
        let spot = self
            .segment_read()
            .and_then(|(_, number)| self.segment_bytes(id, number));
        let spot = spot.map_or(Spot::Above(0), |bytes| Spot::Text(bytes.start));
        self.keep(id, spot, true, |block| {
            let all = block.thought().map_or(0, |thought| thought.trace.segment_count());
            block.fold_segments(0..all, |_| fold);
            block.open();
        });
    }

    /// Folds all segments of a thinking block but one.
    pub fn fold_all_but(&mut self, id: BlockId, kept: usize) {
        let Some(bytes) = self.segment_bytes(id, kept) else {
            return;
        };
        self.keep(id, Spot::Text(bytes.start), true, |block| {
            let all = block.thought().map_or(0, |thought| thought.trace.segment_count());
            block.fold_segments(0..all, |number| number != kept);
            block.open();
        });
    }

    /// Brings a segment into view, its first row a little below the top.
    pub fn go_to_segment(&mut self, id: BlockId, number: usize) {
        if let Some(bytes) = self.segment_bytes(id, number) {
            self.go_to_byte(id, bytes.start);
        }
    }

    /// Brings a byte of a block into view; what hides it is unfolded.
    pub fn go_to_byte(&mut self, id: BlockId, offset: usize) {
        self.change(id, |block| block.uncover(offset));
        let anchor = Anchor {
            block: id,
            spot: Spot::Text(offset),
        };
        let place = self.place(anchor);
        let (above, _) = self.up(place, self.view / 4);
        if above < self.last_view() {
            self.look_at(above);
        } else {
            self.follow();
        }
    }

    /// Brings a byte of a block into view, and the reading cursor to it.
    pub fn read_from(&mut self, id: BlockId, offset: usize) {
        self.go_to_byte(id, offset);
        self.read_at(Anchor {
            block: id,
            spot: Spot::Text(offset),
        });
    }

    fn segment_bytes(&self, id: BlockId, number: usize) -> Option<Range<usize>> {
        let trace = &self.blocks.get(id)?.thought()?.trace;
        (number < trace.segment_count()).then(|| trace.segment_bytes(number))
    }

    /// The thinking that is read: what the cursor is in, else what is in view, else the newest.
    pub fn thinking_read(&mut self) -> Option<BlockId> {
        let cursor = self.cursor.is_some().then(|| self.cursor_place().block);
        let is_thinking = |id: &BlockId| self.blocks.get(*id).is_some_and(|block| block.thought().is_some());
        cursor.filter(is_thinking).or_else(|| self.thinking())
    }

    /// The segment that is read: the one that the cursor is in, or where one has just gone to, else the first in view; at the
    /// end of what is followed, the last one.
    pub fn segment_read(&mut self) -> Option<(BlockId, usize)> {
        let id = self.thinking_read()?;
        let last = self.blocks[id].thought()?.trace.segment_count().checked_sub(1)?;
        let here = match self.turn {
            Some(turn) if turn.block == id => Some(self.place(turn)),
            _ if self.cursor.is_some() => Some(self.cursor_place()),
            _ if self.is_following() => return Some((id, last)),
            _ => None,
        };
        let from = here.filter(|here| here.block == id).map(|here| here.row);
        let offset = self.byte_from(id, from);
        let segment = self.blocks[id].thought()?.trace.segment_at(offset)?;
        Some((id, segment.min(last)))
    }

    /// The first byte of a block from a row on; without one, from the first row in view on.
    fn byte_from(&mut self, id: BlockId, row: Option<usize>) -> usize {
        let first = self.first();
        let height = self.measure(id);
        let row = match row {
            Some(row) => row,
            None if first.block == id => first.row,
            None => 0,
        };
        let block = &self.blocks[id];
        let last = height.min(row + self.view);
        let text = (row..last).find_map(|row| block.text_range(row));
        // A folded one has none: it is read from its beginning, unless it has been passed.
        match text {
            Some(range) => range.start,
            None if first.block > id || (row < height && matches!(block.row(row), Row::Cited(_))) => {
                block.source().len()
            }
            None => 0,
        }
    }

    /// The bytes of a block that are in view.
    pub fn bytes_in_view(&mut self, id: BlockId) -> Option<Range<usize>> {
        let first = self.first();
        let after = self.down(first, self.view);
        let height = self.measure(id);
        let from = if first.block == id { first.row } else { 0 };
        let to = if after.block == id { after.row } else { height };
        if id < first.block || id > after.block {
            return None;
        }
        let block = &self.blocks[id];
        let shown = |row: &usize| block.text_range(*row).is_some();
        let (first, last) = ((from..to).find(shown)?, (from..to).rfind(shown)?);
        Some(block.text_range(first)?.start..block.text_range(last)?.end)
    }

    /// Changes what a block shows. A spot of it stays in its row of the screen if that is in view, else it becomes the
    /// first one; where `follow` is not to be left, the end stays in view.
    fn keep(&mut self, id: BlockId, spot: Spot, leave: bool, change: impl FnOnce(&mut super::Block)) {
        let anchor = Anchor { block: id, spot };
        let place = self.place(anchor);
        let first = self.first();
        let above = if place < first { 0 } else { self.distance(first, place) };
        self.change(id, change);
        if !leave {
            return;
        }
        let place = self.place(anchor);
        let (target, missing) = self.up(place, above);
        if missing == 0 && target < self.last_view() {
            self.look_at(target);
        }
    }
}
