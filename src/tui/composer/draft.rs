//! The text that is being written, its cursor and its rows.
//!
//! The cursor is a byte offset at a boundary: between clusters, and never inside of a chip. Every change goes through
//! [`Draft::change`], which keeps chips whole, the rows true and the cursor at a boundary, and remembers how to take the
//! change back. What a key costs depends on the rows that it touches, not on how much has been written.

use std::ops::Range;
use std::sync::Arc;

use super::super::select::Unit;
use super::super::text::{cells, clusters, width};
use super::super::wrap::Rows;
use super::piece::{Chip, Piece};
pub use super::undo::Kind;
use super::undo::{Step, Undo};

#[derive(Debug)]
pub struct Draft {
    piece: Piece,
    cursor: usize,
    /// The column that moves up and down try to keep.
    goal: Option<usize>,
    rows: Rows,
    /// Columns of the field; the rows have one less, if they can.
    field: usize,
    undo: Undo,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            piece: Piece::default(),
            cursor: 0,
            goal: None,
            rows: Rows::new(1),
            field: 1,
            undo: Undo::default(),
        }
    }
}

impl Draft {
    pub fn piece(&self) -> &Piece {
        &self.piece
    }

    pub fn text(&self) -> &str {
        self.piece.text()
    }

    pub fn len(&self) -> usize {
        self.piece.len()
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// To the first boundary from an offset on.
    pub fn move_to(&mut self, offset: usize) {
        self.cursor = self.boundary(offset);
        self.goal = None;
        self.undo.close();
    }

    /// Puts `with` in the place of what stands there and the cursor after it, and returns what stood there. What was
    /// inserted may join with its neighbours to one cluster.
    pub fn change(&mut self, range: Range<usize>, with: impl Into<Piece>, kind: Kind) -> Piece {
        let with = with.into();
        let range = self.piece.widened(range);
        if range.is_empty() && with.is_empty() {
            return Piece::default();
        }
        let before = self.cursor;
        let removed = self.put(range.clone(), &with);
        self.cursor = self.boundary(range.start + with.len());
        self.goal = None;
        let step = Step {
            at: range.start,
            removed: removed.clone(),
            inserted: with,
            before,
            after: self.cursor,
        };
        self.undo.record(step, kind);
        removed
    }

    fn put(&mut self, range: Range<usize>, with: &Piece) -> Piece {
        let removed = self.piece.replace(range.clone(), with);
        self.rows.splice(self.piece.text(), range, with.len());
        removed
    }

    /// Has the chips for what was pasted say how many tokens it is, which is no change.
    pub fn tell_tokens(&mut self, pasted: &Arc<str>, tokens: usize) {
        for range in self.piece.tell_tokens(pasted, tokens) {
            let len = range.len();
            self.rows.splice(self.piece.text(), range, len);
        }
    }

    /// Takes the last group of changes back. Whether there was one.
    pub fn undo(&mut self) -> bool {
        let steps = self.undo.undo();
        for step in &steps {
            self.put(step.at..step.at + step.inserted.len(), &step.removed);
            self.cursor = step.before;
        }
        self.goal = None;
        !steps.is_empty()
    }

    /// Does again what was taken back. Whether there was anything.
    pub fn redo(&mut self) -> bool {
        let steps = self.undo.redo();
        for step in &steps {
            self.put(step.at..step.at + step.removed.len(), &step.inserted);
            self.cursor = step.after;
        }
        self.goal = None;
        !steps.is_empty()
    }

    /// From here on all changes are taken back at once, or no longer.
    pub fn gather(&mut self, gathering: bool) {
        self.undo.gather(gathering);
    }

    /// Begins anew, with nothing to take back.
    pub fn clear(&mut self) -> Piece {
        self.undo = Undo::default();
        self.rows = Rows::new(self.rows.width());
        self.cursor = 0;
        self.goal = None;
        std::mem::take(&mut self.piece)
    }

    // Boundaries.

    /// The first boundary from `offset` on.
    pub fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.len());
        loop {
            let at = cluster_from(self.text(), offset);
            match self.piece.chip_around(at) {
                Some(chip) => offset = chip.range.end,
                None => return at,
            }
        }
    }

    /// The last boundary before `offset`; 0 if there is none.
    pub fn before(&self, offset: usize) -> usize {
        let mut at = offset;
        loop {
            at = cluster_before(self.text(), at);
            let Some(chip) = self.piece.chip_around(at) else {
                return at;
            };
            at = chip.range.start;
            if cluster_from(self.text(), at) == at {
                return at;
            }
        }
    }

    /// The first boundary after `offset`; the end if there is none.
    pub fn after(&self, offset: usize) -> usize {
        if let Some(chip) = self.piece.chip_from(offset) {
            return self.boundary(chip.range.end);
        }
        let next = clusters(&self.text()[offset..]).next();
        self.boundary(next.map_or(offset, |(_, cluster)| offset + cluster.len()))
    }

    /// The last boundary up to `offset`.
    pub fn boundary_before(&self, offset: usize) -> usize {
        let at = self.boundary(offset);
        if at > offset { self.before(at) } else { at }
    }

    /// The word that an offset lies in: letters in a row, a mark, a chip, white space; from where to where.
    pub fn word_around(&self, offset: usize) -> (usize, usize) {
        let at = self.boundary_before(offset);
        if let Some(chip) = self.piece.chip_from(at) {
            return (chip.range.start, chip.range.end);
        }
        let cluster = clusters(&self.text()[at..]).next().map_or("", |(_, cluster)| cluster);
        if matches!(cluster, "" | "\n") {
            return (at, at);
        }
        let word = Unit::Word.around(self.text(), &(at..at + cluster.len()));
        (self.boundary_before(word.start), self.boundary(word.end))
    }

    pub fn line_start(&self, offset: usize) -> usize {
        self.text()[..offset].rfind('\n').map_or(0, |at| at + 1)
    }

    /// The offset of the line end, or of the end.
    pub fn line_end(&self, offset: usize) -> usize {
        let found = self.text()[offset..].find('\n');
        found.map_or(self.len(), |at| offset + at)
    }

    /// The chip at a cursor's place, else the one that ends there.
    pub fn chip_at(&self, offset: usize) -> Option<&Chip> {
        let chips = self.piece.chips();
        let from = chips.iter().find(|chip| chip.range.start == offset);
        from.or_else(|| chips.iter().find(|chip| chip.range.end == offset))
    }

    // Rows.

    /// Wraps for a field this wide, in columns; rows are one narrower, so that the cursor after the last character has a
    /// place.
    pub fn set_field(&mut self, field: usize) {
        self.field = field;
        let wide = field.saturating_sub(1).max(1);
        if self.rows.width() != wide {
            self.rows = Rows::of(self.text(), wide);
        }
    }

    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The row and the column of the cursor.
    pub fn place(&self) -> (usize, usize) {
        let row = self.rows.row_of(self.cursor);
        let column = width(&self.text()[self.rows.range(row).start..self.cursor]);
        (row, column.min(self.field.saturating_sub(1)))
    }

    /// A row up; whether there is one.
    pub fn row_up(&mut self) -> bool {
        let (row, column) = self.place();
        let Some(above) = row.checked_sub(1) else {
            return false;
        };
        let goal = self.goal.unwrap_or(column);
        let at = self.offset_at(above, goal);
        self.move_to(self.boundary_before(at));
        self.goal = Some(goal);
        true
    }

    /// A row down; whether there is one.
    pub fn row_down(&mut self) -> bool {
        let (row, column) = self.place();
        if row + 1 >= self.rows.count() {
            return false;
        }
        let goal = self.goal.unwrap_or(column);
        self.move_to(self.offset_at(row + 1, goal));
        self.goal = Some(goal);
        true
    }

    /// The last offset of a row at or before a column; never one that belongs to the next row.
    pub fn offset_at(&self, row: usize, goal: usize) -> usize {
        let range = self.rows.range(row);
        let last_row = row + 1 == self.rows.count();
        let line = &self.text()[range.clone()];
        let mut at = range.start;
        let mut column = 0;
        for (offset, cluster) in clusters(line) {
            let next = column + cells(cluster, column);
            let ends_row = offset + cluster.len() == line.len() && !last_row;
            if next > goal || ends_row || cluster == "\n" {
                break;
            }
            column = next;
            at = range.start + offset + cluster.len();
        }
        at
    }
}

/// A cluster boundary before `offset` and near it, or 0: between two ASCII characters there is one, but for CR LF, and
/// those are not in a draft.
fn restart(text: &str, offset: usize) -> usize {
    let bytes = text.as_bytes();
    (1..offset)
        .rev()
        .find(|&at| bytes[at - 1].is_ascii() && bytes[at].is_ascii())
        .unwrap_or(0)
}

/// The first cluster boundary from `offset` on.
fn cluster_from(text: &str, offset: usize) -> usize {
    let start = restart(text, offset);
    let mut all = clusters(&text[start..]).map(|(at, _)| start + at);
    all.find(|&at| at >= offset).unwrap_or(text.len())
}

/// The last cluster boundary before `offset`, or 0.
fn cluster_before(text: &str, offset: usize) -> usize {
    let start = restart(text, offset);
    let all = clusters(&text[start..]).map(|(at, _)| start + at);
    all.take_while(|&at| at < offset).last().unwrap_or(0)
}
