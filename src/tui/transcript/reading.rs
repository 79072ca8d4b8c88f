//! The reading cursor: a place in the text that keys move, and the view with it.
//!
//! It is tied to a byte of a source, or to a row that is not text, so that growth, folds and widths leave it where it
//! is. What is scrolled away from under it does not take it along: it is drawn, and moves on, at the edge of the view.
//! Moving it leaves following, except to the end and beyond.

use std::rc::Rc;

use super::super::select::Class;
use super::block::{Row, Spot};
use super::body::Cell;
use super::{Anchor, BlockId, Kind, Place, Transcript};

/// How the cursor moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    Up,
    Down,
    Left,
    Right,
    NextWord,
    PreviousWord,
    WordEnd,
    RowStart,
    RowText,
    RowEnd,
    HalfUp,
    HalfDown,
    PageUp,
    PageDown,
    ViewTop,
    ViewMiddle,
    ViewBottom,
    PreviousBlock,
    NextBlock,
    PreviousQuestion,
    NextQuestion,
    Start,
    End,
}

/// A place to point at in a row of text.
#[derive(Debug, Clone)]
struct Pointed {
    place: Place,
    cells: Rc<[Cell]>,
    index: usize,
}

impl Transcript {
    /// Moves the cursor, and what is selected with it.
    pub fn go(&mut self, motion: Motion) {
        let here = self.cursor_place();
        let half = (self.view / 2).max(1).cast_signed();
        match motion {
            Motion::Up => self.go_rows(here, -1),
            Motion::Down => self.go_rows(here, 1),
            Motion::HalfUp => self.go_pages(here, -half),
            Motion::HalfDown => self.go_pages(here, half),
            Motion::PageUp => self.go_pages(here, -self.page()),
            Motion::PageDown => self.go_pages(here, self.page()),
            Motion::Left => self.go_to_cell(here, |transcript, at| transcript.neighbour(at, false)),
            Motion::Right => self.go_to_cell(here, |transcript, at| transcript.neighbour(at, true)),
            Motion::NextWord => self.go_to_cell(here, Self::next_word),
            Motion::PreviousWord => self.go_to_cell(here, Self::previous_word),
            Motion::WordEnd => self.go_to_cell(here, Self::word_end),
            Motion::RowStart => self.go_to_column(here, 0),
            Motion::RowText => {
                let cells = self.cells(here);
                let text = cells.iter().find(|cell| self.class(here.block, cell) != Class::Space);
                self.go_to_column(here, text.map_or(0, |cell| cell.from));
            }
            Motion::RowEnd => self.go_to_column(here, usize::MAX),
            Motion::ViewTop => self.go_in_view(0),
            Motion::ViewMiddle => self.go_in_view(self.view / 2),
            Motion::ViewBottom => self.go_in_view(self.view),
            Motion::PreviousBlock => {
                let block = self.block_before(here, |_| true);
                self.go_to_block(block);
            }
            Motion::NextBlock => {
                let block = self.block_after(here, |_| true);
                self.go_to_block(block);
            }
            Motion::PreviousQuestion => {
                let block = self.block_before(here, |kind| *kind == Kind::Question);
                self.go_to_block(block);
            }
            Motion::NextQuestion => {
                let block = self.block_after(here, |kind| *kind == Kind::Question);
                self.go_to_block(block);
            }
            Motion::Start => {
                self.go_to_start();
                self.put_cursor(Place { block: 0, row: 0 }, 0);
                self.goal = None;
            }
            Motion::End => {
                self.follow();
                self.cursor = None;
                self.goal = None;
            }
        }
        self.extend_to_cursor();
    }

    /// The block that the cursor is in.
    pub fn cursor_block(&mut self) -> BlockId {
        self.cursor_place().block
    }

    /// The row that the cursor is in, which is in view.
    pub(super) fn cursor_place(&mut self) -> Place {
        let first = self.first();
        let last = self.last_in_view();
        match self.cursor {
            Some(cursor) => {
                let place = self.place(cursor);
                self.down(place, 0).clamp(first, last)
            }
            None if self.is_following() => last,
            None => first,
        }
    }

    /// The last row in view that there is; the first if there is none.
    fn last_in_view(&mut self) -> Place {
        let first = self.first();
        let after = self.down(first, self.view);
        self.up(after, 1).0.max(first)
    }

    /// The row of the view, and the column, that the cursor is drawn in.
    pub fn cursor(&mut self) -> Option<(usize, usize)> {
        let place = self.cursor_place();
        let block = self.blocks.get(place.block)?;
        let margin = match block.row(place.row.min(block.height().checked_sub(1)?)) {
            Row::Gap | Row::Header => 0,
            _ => block.margin(self.width),
        };
        let column = self.cursor_column(place);
        let first = self.first();
        let row = self.distance(first, place);
        Some((row, (margin + column).min(self.width - 1)))
    }

    /// The column of the cursor in its row, after the margin.
    pub(super) fn cursor_column(&self, place: Place) -> usize {
        let cells = self.cells(place);
        let index = self.cursor_index(place, &cells);
        cells.get(index).map_or(0, |cell| cell.from)
    }

    /// Which of the cells of its row the cursor is on.
    fn cursor_index(&self, place: Place, cells: &[Cell]) -> usize {
        let on = |at: usize| cells.iter().position(|cell| cell.at.contains(&at));
        let found = match self.cursor {
            Some(Anchor {
                block,
                spot: Spot::Text(at),
            }) if block == place.block => on(at),
            _ => None,
        };
        found.unwrap_or_else(|| index_at(cells, self.goal.unwrap_or(0)))
    }

    fn cells(&self, place: Place) -> Vec<Cell> {
        self.blocks
            .get(place.block)
            .map_or_else(Vec::new, |block| block.cells(place.row))
    }

    fn class(&self, block: BlockId, cell: &Cell) -> Class {
        let text = self.blocks[block].source().get(cell.at.clone()).unwrap_or_default();
        Class::of(text)
    }

    /// Puts the cursor in a row, as near to a column as there is something; beyond all columns is the end of the text.
    pub(super) fn put_cursor(&mut self, place: Place, column: usize) {
        let place = self.down(place, 0);
        let Some(block) = self.blocks.get(place.block) else {
            return;
        };
        let mut cells = block.cells(place.row);
        if column == usize::MAX {
            let last = cells
                .iter()
                .rposition(|cell| self.class(place.block, cell) != Class::Space);
            cells.truncate(last.map_or(cells.len(), |last| last + 1));
        }
        let spot = match cells.get(index_at(&cells, column)) {
            Some(cell) => Spot::Text(cell.at.start),
            None => block.spot_of(place.row),
        };
        self.cursor = Some(Anchor {
            block: place.block,
            spot,
        });
    }

    /// The cursor goes to what was gone to by other ways than its own.
    pub(super) fn read_at(&mut self, anchor: Anchor) {
        self.cursor = Some(anchor);
        self.goal = None;
        self.extend_to_cursor();
    }

    /// Scrolls as little as is needed to have a row in view, and leaves following.
    pub(super) fn show(&mut self, place: Place) {
        let first = self.first();
        if place < first {
            self.look_at(place);
        } else if place >= self.down(first, self.view) {
            let (top, _) = self.up(place, self.view - 1);
            self.look_at(top);
        } else if self.is_following() {
            self.look_at(first);
        }
    }

    fn go_to_column(&mut self, here: Place, column: usize) {
        self.put_cursor(here, column);
        self.goal = Some(column);
        self.show(here);
    }

    fn go_in_view(&mut self, row: usize) {
        let (first, last) = (self.first(), self.last_in_view());
        let place = self.down(first, row).min(last);
        let goal = self.goal_from(place);
        self.put_cursor(place, goal);
        self.show(place);
    }

    /// The column to keep to, which is set by the first of several moves.
    fn goal_from(&mut self, here: Place) -> usize {
        let column = self.cursor_column(here);
        *self.goal.get_or_insert(column)
    }

    /// Beyond the last row is the end, which is followed.
    fn go_rows(&mut self, here: Place, rows: isize) {
        let goal = self.goal_from(here);
        let place = if rows < 0 {
            self.up(here, rows.unsigned_abs()).0
        } else {
            self.down(here, rows.unsigned_abs())
        };
        if place.block == self.blocks.len() {
            return self.go_to_end(here, goal);
        }
        self.put_cursor(place, goal);
        self.show(place);
    }

    /// Follows, with the cursor in the last row; where something is selected it stays what it was.
    fn go_to_end(&mut self, last: Place, column: usize) {
        self.follow();
        if self.selection.is_some() {
            self.put_cursor(last, column);
        } else {
            self.cursor = None;
        }
    }

    /// The view and the cursor move together.
    fn go_pages(&mut self, here: Place, rows: isize) {
        let goal = self.goal_from(here);
        let before = self.first();
        let place = if rows < 0 {
            self.up(here, rows.unsigned_abs()).0
        } else {
            self.down(here, rows.unsigned_abs())
        };
        self.scroll(rows);
        let moved = self.first() != before;
        if place.block == self.blocks.len() {
            let last = self.last_in_view();
            return self.go_to_end(last, goal);
        }
        self.put_cursor(place, goal);
        if !moved {
            self.show(place);
        }
    }

    fn go_to_block(&mut self, block: Option<BlockId>) {
        let Some(block) = block else {
            return;
        };
        self.measure(block);
        let row = (0..self.blocks[block].height()).find(|&row| self.blocks[block].row(row) != Row::Gap);
        let place = Place {
            block,
            row: row.unwrap_or(0),
        };
        let first = self.first();
        if place < first || place >= self.down(first, self.view) {
            self.look_at(place);
        }
        self.go_to_column(place, 0);
    }

    /// The block before the one of a place, or that itself if the place is not at its beginning.
    fn block_before(&mut self, here: Place, wanted: fn(&Kind) -> bool) -> Option<BlockId> {
        let begins = |row: usize| matches!(self.blocks.get(here.block).map(|block| block.row(row)), Some(Row::Gap));
        let inside = here.row > usize::from(here.row > 0 && begins(0));
        let end = (here.block + usize::from(inside)).min(self.blocks.len());
        (0..end).rev().find(|&id| self.is_wanted(id, wanted))
    }

    fn block_after(&mut self, here: Place, wanted: fn(&Kind) -> bool) -> Option<BlockId> {
        (here.block + 1..self.blocks.len()).find(|&id| self.is_wanted(id, wanted))
    }

    fn is_wanted(&mut self, id: BlockId, wanted: fn(&Kind) -> bool) -> bool {
        wanted(&self.blocks[id].kind) && self.measure(id) > 0
    }

    /// Moves by cells, if there is one to move to.
    fn go_to_cell(&mut self, here: Place, motion: impl FnOnce(&mut Self, Pointed) -> Option<Pointed>) {
        let cells = self.cells(here);
        let index = self.cursor_index(here, &cells);
        let from = Pointed {
            place: here,
            cells: cells.into(),
            index,
        };
        if let Some(to) = motion(self, from) {
            self.cursor = Some(Anchor {
                block: to.place.block,
                spot: Spot::Text(to.cells[to.index].at.start),
            });
            self.goal = None;
            self.show(to.place);
        }
    }

    /// The next cell, or the one before, over the ends of rows and blocks.
    fn neighbour(&mut self, at: Pointed, forward: bool) -> Option<Pointed> {
        let next = if forward {
            at.index.checked_add(1)
        } else {
            at.index.checked_sub(1)
        };
        if let Some(index) = next.filter(|&index| index < at.cells.len()) {
            return Some(Pointed { index, ..at });
        }
        let mut place = at.place;
        loop {
            if forward {
                place = self.down(place, 1);
                if place.block == self.blocks.len() {
                    return None;
                }
            } else {
                let (above, missing) = self.up(place, 1);
                if missing > 0 {
                    return None;
                }
                place = above;
            }
            let cells: Rc<[Cell]> = self.cells(place).into();
            if !cells.is_empty() {
                let index = if forward { 0 } else { cells.len() - 1 };
                return Some(Pointed { place, cells, index });
            }
        }
    }

    /// What a cell is of; nothing where there is none.
    fn class_at(&self, at: &Pointed) -> Option<Class> {
        at.cells.get(at.index).map(|cell| self.class(at.place.block, cell))
    }

    /// Whether two cells, one after the other, are of the same word.
    fn are_joined(&self, a: &Pointed, b: &Pointed) -> bool {
        let (Some(left), Some(right)) = (a.cells.get(a.index), b.cells.get(b.index)) else {
            return false;
        };
        let touch = left.at.end == right.at.start || right.at.end == left.at.start;
        a.place.block == b.place.block && touch && self.class_at(a) == self.class_at(b)
    }

    fn next_word(&mut self, from: Pointed) -> Option<Pointed> {
        let mut at = from;
        let mut left = false;
        loop {
            let next = self.neighbour(at.clone(), true)?;
            left |= !self.are_joined(&at, &next);
            if left && self.class_at(&next) != Some(Class::Space) {
                return Some(next);
            }
            at = next;
        }
    }

    /// The beginning of the word, or of the one before.
    fn previous_word(&mut self, from: Pointed) -> Option<Pointed> {
        let mut at = self.neighbour(from, false)?;
        while self.class_at(&at) == Some(Class::Space) {
            at = self.neighbour(at, false)?;
        }
        while let Some(before) = self.neighbour(at.clone(), false) {
            if !self.are_joined(&before, &at) {
                break;
            }
            at = before;
        }
        Some(at)
    }

    /// The end of the word, or of the next one.
    fn word_end(&mut self, from: Pointed) -> Option<Pointed> {
        let mut at = self.neighbour(from, true)?;
        while self.class_at(&at) == Some(Class::Space) {
            at = self.neighbour(at, true)?;
        }
        while let Some(next) = self.neighbour(at.clone(), true) {
            if !self.are_joined(&at, &next) {
                break;
            }
            at = next;
        }
        Some(at)
    }
}

/// The cell at a column, or the last before it.
pub(super) fn index_at(cells: &[Cell], column: usize) -> usize {
    cells.partition_point(|cell| cell.from <= column).saturating_sub(1)
}
