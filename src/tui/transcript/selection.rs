//! What is selected: a range of what was said, by blocks and bytes of their sources.
//!
//! It is found from rows and columns once, when it is made. What grows, folds or is wrapped anew after that does not
//! change it, and it is copied from the sources, so that what a fold within it hides is copied too. The header of what is
//! folded stands for all that is hidden.

use std::ops::Range;

use super::super::select::Unit;
use super::block::{Row, Spot};
use super::copying::after_blank_lines;
use super::reading::index_at;
use super::{Anchor, Block, BlockId, Fold, Place, Transcript};

/// Bytes of the source of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    block: BlockId,
    at: Range<usize>,
}

/// One end of a selection: what was pointed at, and all of its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    pointed: Stretch,
    whole: Stretch,
}

/// From one end to the other, both with it, in either order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    unit: Unit,
    from: End,
    to: End,
}

impl Selection {
    /// Where it begins and where it ends, each a block and a byte of it.
    fn ends(&self) -> ((BlockId, usize), (BlockId, usize)) {
        let (from, to) = (&self.from.whole, &self.to.whole);
        let begin = (from.block, from.at.start).min((to.block, to.at.start));
        let end = (from.block, from.at.end).max((to.block, to.at.end));
        (begin, end)
    }
}

impl Block {
    /// The bytes that a row stands for at a column after the margin.
    fn stretch_at(&self, row: usize, column: usize) -> Range<usize> {
        let length = self.source().len();
        match self.row(row) {
            Row::Text(_) => {
                let cells = self.cells(row);
                match cells.get(index_at(&cells, column)) {
                    Some(cell) if column < cell.to => cell.at.clone(),
                    Some(cell) => cell.at.end..cell.at.end,
                    None => {
                        let start = self.row_start(row).unwrap_or(length);
                        start..start
                    }
                }
            }
            Row::Header if self.fold() == Fold::Folded => 0..length,
            Row::Gap | Row::Header => 0..0,
            Row::Hidden(_) => 0..self.shown_text().start,
            Row::Cited(_) => length..length,
        }
    }
}

impl Transcript {
    /// What is at a column and row of the view; beyond it, what is nearest.
    fn stretch(&mut self, column: usize, row: usize) -> Option<Stretch> {
        let first = self.first();
        let place = self.down(first, row.min(self.view - 1));
        self.stretch_of(place, column)
    }

    fn stretch_of(&mut self, place: Place, column: usize) -> Option<Stretch> {
        let place = self.down(place, 0);
        let Some(block) = self.blocks.get(place.block) else {
            let block = self.blocks.len().checked_sub(1)?;
            let end = self.blocks[block].source().len();
            return Some(Stretch { block, at: end..end });
        };
        let column = column.saturating_sub(block.margin(self.width));
        Some(Stretch {
            block: place.block,
            at: block.stretch_at(place.row, column),
        })
    }

    fn end(&self, pointed: Stretch, unit: Unit) -> End {
        let whole = Stretch {
            block: pointed.block,
            at: unit.around(self.blocks[pointed.block].source(), &pointed.at),
        };
        End { pointed, whole }
    }

    /// The button is pressed at a row and column of the view: the cursor goes there, and a selection may begin. One of
    /// characters begins when the button is moved.
    pub fn press(&mut self, column: usize, row: usize, unit: Unit) {
        self.pressed = self.stretch(column, row);
        self.selection = None;
        self.point(column, row);
        if unit != Unit::Character {
            self.select_to(column, row, unit);
        }
    }

    /// The button is moved while it is held, to a row and column of the view: what is between is selected.
    pub fn drag(&mut self, column: usize, row: usize) {
        let unit = self
            .selection
            .as_ref()
            .map_or(Unit::Character, |selection| selection.unit);
        let still = self.selection.is_none() && self.stretch(column, row) == self.pressed;
        if !still {
            self.select_to(column, row, unit);
            self.point(column, row);
        }
    }

    /// Extends what is selected, or selects from the cursor on.
    pub fn extend_to(&mut self, column: usize, row: usize) {
        if self.selection.is_none() {
            self.pressed = self.under_cursor();
        }
        self.drag(column, row);
    }

    /// The cursor goes to a row and column of the view.
    fn point(&mut self, column: usize, row: usize) {
        let first = self.first();
        let place = self.down(first, row.min(self.view - 1));
        let margin = self.blocks.get(place.block).map_or(0, |block| block.margin(self.width));
        self.put_cursor(place, column.saturating_sub(margin));
        self.goal = None;
    }

    fn select_to(&mut self, column: usize, row: usize, unit: Unit) {
        let Some(to) = self.stretch(column, row) else {
            return;
        };
        let from = match &self.selection {
            Some(selection) => selection.from.clone(),
            None => self.end(self.pressed.clone().unwrap_or_else(|| to.clone()), unit),
        };
        let to = self.end(to, unit);
        self.set_selection(Selection { unit, from, to });
    }

    /// What is being selected must not be scrolled away from by what is said.
    fn set_selection(&mut self, selection: Selection) {
        if self.is_following() {
            let first = self.first();
            self.look_at(first);
        }
        self.selection = Some(selection);
    }

    fn under_cursor(&mut self) -> Option<Stretch> {
        let place = self.cursor_place();
        let column = self.cursor_column(place);
        let margin = self.blocks.get(place.block)?.margin(self.width);
        self.stretch_of(place, margin + column)
    }

    /// The block and the byte that the cursor is on.
    pub fn here(&mut self) -> Option<(BlockId, usize)> {
        self.under_cursor().map(|stretch| (stretch.block, stretch.at.start))
    }

    /// Begins to select at the cursor; again, by the same unit, ends it.
    pub fn toggle_selection(&mut self, unit: Unit) {
        let selection = match self.selection.take() {
            Some(selection) if selection.unit == unit => None,
            Some(Selection { from, to, .. }) => Some(Selection {
                unit,
                from: self.end(from.pointed, unit),
                to: self.end(to.pointed, unit),
            }),
            None => self.under_cursor().map(|pointed| {
                let from = self.end(pointed, unit);
                let to = from.clone();
                Selection { unit, from, to }
            }),
        };
        if let Some(selection) = selection {
            self.set_selection(selection);
        }
    }

    /// The cursor goes to the other end of what is selected.
    pub fn swap_ends(&mut self) {
        let Some(selection) = &mut self.selection else {
            return;
        };
        std::mem::swap(&mut selection.from, &mut selection.to);
        let Stretch { block, at } = selection.to.pointed.clone();
        self.cursor = Some(Anchor {
            block,
            spot: Spot::Text(at.start),
        });
        self.goal = None;
        let place = self.place(Anchor {
            block,
            spot: Spot::Text(at.start),
        });
        self.show(place);
    }

    /// The cursor has moved.
    pub(super) fn extend_to_cursor(&mut self) {
        if self.selection.is_none() {
            return;
        }
        let pointed = self.under_cursor();
        if let (Some(mut selection), Some(pointed)) = (self.selection.take(), pointed) {
            selection.to = self.end(pointed, selection.unit);
            self.selection = Some(selection);
        }
    }

    /// Whether something was selected.
    pub fn drop_selection(&mut self) -> bool {
        self.selection.take().is_some()
    }

    /// The bytes of a block that are selected.
    pub(super) fn selected_in(&self, block: BlockId) -> Option<Range<usize>> {
        let (begin, end) = self.selection.as_ref()?.ends();
        if !(begin.0..=end.0).contains(&block) {
            return None;
        }
        let length = self.blocks[block].source().len();
        let from = if begin.0 == block { begin.1 } else { 0 };
        let to = if end.0 == block { end.1 } else { length };
        Some(from..to)
    }

    /// What is selected, as it came; a blank line stands between blocks that are apart.
    pub fn selected_text(&self) -> Option<String> {
        let (begin, end) = self.selection.as_ref()?.ends();
        let mut text = String::new();
        for id in begin.0..=end.0 {
            let block = self.blocks.get(id)?;
            let mut part = block.source().get(self.selected_in(id)?)?;
            if id > begin.0 {
                part = after_blank_lines(part);
            }
            if id < end.0 {
                part = part.trim_end();
            }
            if !text.is_empty() && !part.is_empty() {
                text.push_str(if block.has_gap() { "\n\n" } else { "\n" });
            }
            text.push_str(part);
        }
        Some(text)
    }
}
