//! Folding of thinking: whole blocks, and the segments in them.
//!
//! What is folded stays where it is on the screen, and what one reads stays in view.

use std::ops::Range;

use super::block::{Fold, Spot, Thought};
use super::{Anchor, BlockId, Place, Transcript};

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

    /// Folds the segment that begins in a row of the view, or unfolds it; whether one does.
    pub fn toggle_segment_at(&mut self, row: usize) -> bool {
        let first = self.first();
        let place = self.down(first, row);
        let begins = self
            .blocks
            .get(place.block)
            .and_then(|block| block.segment_begins(place.row));
        let Some((number, folded)) = begins.filter(|_| row < self.view) else {
            return false;
        };
        self.fold_segment(place.block, number, !folded);
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

    fn segment_bytes(&self, id: BlockId, number: usize) -> Option<Range<usize>> {
        let trace = &self.blocks.get(id)?.thought()?.trace;
        (number < trace.segment_count()).then(|| trace.segment_bytes(number))
    }

    /// The thinking that is read: that in view, else the newest.
    pub fn thinking_read(&mut self) -> Option<BlockId> {
        self.thinking()
    }

    /// The segment that is read: of the first row in view that has one; at the end of what is followed, the last one.
    pub fn segment_read(&mut self) -> Option<(BlockId, usize)> {
        let id = self.thinking_read()?;
        let trace = &self.blocks[id].thought()?.trace;
        let last = trace.segment_count().checked_sub(1)?;
        if self.is_following() {
            return Some((id, last));
        }
        let offset = match self.turn {
            Some(Anchor {
                block,
                spot: Spot::Text(offset),
            }) if block == id => offset,
            _ => self.first_byte(id)?,
        };
        Some((id, self.blocks[id].thought()?.trace.segment_at(offset)?.min(last)))
    }

    /// The first byte of a block that is in view.
    fn first_byte(&mut self, id: BlockId) -> Option<usize> {
        let first = self.first();
        let start = Place { block: id, row: 0 };
        let row = if first.block == id { first.row } else { 0 };
        let height = self.measure(id);
        (first <= start || first.block == id)
            .then(|| (row..height).find_map(|row| self.blocks[id].text_range(row)))?
            .map(|range| range.start)
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
