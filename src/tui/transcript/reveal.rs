//! Bringing a part of what was said into view, and back to where one was.

use std::ops::Range;

use super::block::{Folds, Spot};
use super::{Anchor, BlockId, Place, Transcript};

/// Where a person is; following, if the view begins nowhere.
#[derive(Debug, Clone)]
pub struct Bookmark {
    top: Option<Anchor>,
    cursor: Option<Anchor>,
}

impl Transcript {
    pub fn bookmark(&mut self) -> Bookmark {
        let first = (!self.is_following()).then(|| self.first());
        Bookmark {
            top: first.and_then(|first| self.anchor(first)),
            cursor: self.cursor,
        }
    }

    pub fn return_to(&mut self, bookmark: &Bookmark) {
        match bookmark.top {
            None => self.follow(),
            Some(anchor) => {
                let place = self.place(anchor);
                self.look_at(place);
            }
        }
        self.cursor = bookmark.cursor;
        self.extend_to_cursor();
    }

    /// What the view begins with: a block and a byte of it.
    pub fn first_spot(&mut self) -> (BlockId, usize) {
        let first = self.first();
        let first = self.down(first, 0);
        let offset = self
            .blocks
            .get(first.block)
            .map_or(0, |block| match block.spot_of(first.row) {
                Spot::Above(_) => 0,
                Spot::Text(offset) => offset,
                Spot::Below(_) => block.source().len(),
            });
        (first.block, offset)
    }

    /// Where the person reads: the cursor's block and byte; without a cursor, what the view begins with.
    pub fn reading_spot(&mut self) -> (BlockId, usize) {
        let here = self.cursor.is_some().then(|| self.here()).flatten();
        here.unwrap_or_else(|| self.first_spot())
    }

    /// Whether a byte of a block is in view, and is where the cursor is, if there is one.
    pub fn reads_at(&mut self, id: BlockId, offset: usize) -> bool {
        let is_here = |cursor: Anchor| (cursor.block, cursor.spot) == (id, Spot::Text(offset));
        self.cursor.is_none_or(is_here) && self.is_in_view(id, offset)
    }

    fn row_with(&mut self, id: BlockId, offset: usize) -> Place {
        self.place(Anchor {
            block: id,
            spot: Spot::Text(offset),
        })
    }

    fn is_shown(&mut self, place: Place) -> bool {
        let first = self.first();
        place >= first && place < self.down(first, self.view)
    }

    /// Whether a byte of a block is in view.
    fn is_in_view(&mut self, id: BlockId, offset: usize) -> bool {
        if !self.blocks.get(id).is_some_and(|block| block.shows(offset)) {
            return false;
        }
        let place = self.row_with(id, offset);
        self.is_shown(place)
    }

    /// Brings a part of a block into view, unfolding what hides it, and stops following. Returns how the block was folded,
    /// if it had to be unfolded.
    pub fn reveal_text(&mut self, id: BlockId, at: &Range<usize>) -> Option<Folds> {
        let hidden = !self.blocks[id].shows(at.start);
        let folds = hidden.then(|| self.blocks[id].folds(at.start));
        if hidden {
            let first = self.is_following().then(|| self.first());
            if let Some(first) = first {
                self.look_at(first);
            }
            self.change(id, |block| block.uncover(at.start));
        }
        let place = self.row_with(id, at.start);
        if !self.is_shown(place) {
            let (above, _) = self.up(place, self.view / 3);
            self.look_at(above);
        } else if self.is_following() {
            let first = self.first();
            self.look_at(first);
        }
        self.read_at(Anchor {
            block: id,
            spot: Spot::Text(at.start),
        });
        folds
    }

    /// Begins the view with the header of a block.
    pub fn begin_with(&mut self, id: BlockId) {
        let header = self.header(id);
        self.look_at(header);
    }

    pub fn set_folds(&mut self, id: BlockId, folds: Folds) {
        self.change(id, |block| block.set_folds(folds));
    }
}
