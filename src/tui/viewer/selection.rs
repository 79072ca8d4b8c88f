//! What is selected of a document: from one byte of it to another.

use std::ops::Range;

use ratatui::layout::{Position, Rect};

use super::super::select::Unit;
use super::rows::Row;
use super::{Spot, Step, Viewer, columns, draw};

/// From one end to the other, both with it, in either order.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    unit: Unit,
    from: End,
    to: End,
}

/// What was pointed at, and all of its unit.
#[derive(Debug, Clone)]
struct End {
    pointed: Range<usize>,
    whole: Range<usize>,
}

impl Viewer {
    /// The bytes that are selected.
    pub(super) fn selected(&self) -> Option<Range<usize>> {
        let Selection { from, to, .. } = self.selection.as_ref()?;
        let (from, to) = (&from.whole, &to.whole);
        Some(from.start.min(to.start)..from.end.max(to.end))
    }

    /// What is selected, else the line that the cursor is in.
    pub fn copied(&self) -> &str {
        match self.selected() {
            Some(range) => self.text.document().text.get(range).unwrap_or_default(),
            None => self.text.line(self.cursor.line),
        }
    }

    /// Whether something was selected.
    pub fn drop_selection(&mut self) -> bool {
        self.selection.take().is_some()
    }

    /// Where text can be selected; nowhere while sections are listed.
    pub fn text_area(&self) -> Option<Rect> {
        let areas = draw::areas(self);
        self.outline.is_none().then_some(areas.gutter.union(areas.body))
    }

    /// The button is pressed: the cursor goes there, and a selection may begin. One of characters begins when the button
    /// is moved.
    pub fn press(&mut self, at: Position, unit: Unit) {
        self.selection = None;
        self.click(at);
        self.pressed = self.part_at(at).map(|(_, part)| part);
        if unit != Unit::Character {
            self.select_to(at, unit);
        }
    }

    /// The button is moved while it is held: what is between is selected.
    pub fn drag(&mut self, at: Position) {
        let unit = self
            .selection
            .as_ref()
            .map_or(Unit::Character, |selection| selection.unit);
        if self.selection.is_some() || self.part_at(at).map(|(_, part)| part) != self.pressed {
            self.select_to(at, unit);
        }
    }

    /// Extends what is selected, or selects from the cursor on.
    pub fn extend_to(&mut self, at: Position) {
        if self.selection.is_none() {
            self.pressed = Some(self.part_in(&self.row(self.cursor), 0));
        }
        self.drag(at);
    }

    fn select_to(&mut self, at: Position, unit: Unit) {
        let Some((row, to)) = self.part_at(at) else {
            return;
        };
        let from = match &self.selection {
            Some(selection) => selection.from.clone(),
            None => self.end(self.pressed.clone().unwrap_or_else(|| to.clone()), unit),
        };
        let to = self.end(to, unit);
        self.cursor = row.spot();
        self.selection = Some(Selection { unit, from, to });
    }

    fn end(&self, pointed: Range<usize>, unit: Unit) -> End {
        let whole = unit.around(&self.text.document().text, &pointed);
        End { pointed, whole }
    }

    /// The row and the bytes at a place of the screen; beyond the text, those that are nearest.
    fn part_at(&self, at: Position) -> Option<(Row, Range<usize>)> {
        let body = draw::areas(self).body;
        let y = at.y.clamp(body.y, body.bottom().saturating_sub(1).max(body.y)) - body.y;
        let row = self.visible().take(usize::from(y) + 1).last()?;
        let column = usize::from(at.x.saturating_sub(body.x)) + if self.wrap { 0 } else { self.left };
        let part = self.part_in(&row, column);
        Some((row, part))
    }

    /// The bytes of the cluster at a column of a row; none, where the row has ended.
    fn part_in(&self, row: &Row, column: usize) -> Range<usize> {
        let text = self.text.text_of(row);
        let start = self.text.offset(row.spot());
        let cluster = columns(text).find(|(.., to)| column < *to);
        match cluster {
            Some((at, cluster, ..)) => start + at..start + at + cluster.len(),
            None => start + text.len()..start + text.len(),
        }
    }

    /// Begins to select at the cursor; again, by the same unit, ends it.
    pub(super) fn toggle_selection(&mut self, unit: Unit) {
        self.selection = match self.selection.take() {
            Some(selection) if selection.unit == unit => None,
            Some(Selection { from, to, .. }) => Some(Selection {
                unit,
                from: self.end(from.pointed, unit),
                to: self.end(to.pointed, unit),
            }),
            None => {
                let from = self.end(self.part_in(&self.row(self.cursor), 0), unit);
                let to = from.clone();
                Some(Selection { unit, from, to })
            }
        };
    }

    /// Moves the end of the selection within its row; whether something is selected, and this is such a step.
    pub(super) fn selecting_step(&mut self, step: Step) -> bool {
        let Some(selection) = &self.selection else {
            return false;
        };
        let (row, column) = self.place_of(&selection.to.pointed);
        let text = self.text.text_of(&row);
        let spans = || columns(text).filter(|(.., from, to)| from < to);
        let column = match step {
            Step::Left => spans()
                .take_while(|(.., to)| *to <= column)
                .last()
                .map_or(0, |(.., from, _)| from),
            Step::Right => spans()
                .find(|(.., from, _)| *from > column)
                .map_or(column, |(.., from, _)| from),
            Step::LineStart => 0,
            Step::LineEnd => spans().last().map_or(0, |(.., from, _)| from),
            _ => return false,
        };
        self.head_to(&row, column);
        true
    }

    /// The row and the column of what is pointed at.
    fn place_of(&self, pointed: &Range<usize>) -> (Row, usize) {
        let row = self.row(self.text.spot(pointed.start));
        let start = self.text.offset(row.spot());
        let at = pointed.start.saturating_sub(start);
        let column = columns(self.text.text_of(&row))
            .take_while(|(from, ..)| *from < at)
            .last();
        (row, column.map_or(0, |(.., to)| to))
    }

    /// The cursor has gone to another row: the end of the selection goes along, in its column.
    pub(super) fn extend_to_cursor(&mut self) {
        let Some(selection) = &self.selection else {
            return;
        };
        let (row, column) = self.place_of(&selection.to.pointed);
        if row.spot() != self.cursor {
            self.head_to(&self.row(self.cursor), column);
        }
    }

    fn head_to(&mut self, row: &Row, column: usize) {
        let pointed = self.part_in(row, column);
        if let Some(mut selection) = self.selection.take() {
            selection.to = self.end(pointed, selection.unit);
            self.selection = Some(selection);
        }
        let room = draw::text_width(self);
        if !self.wrap {
            self.left = self.left.clamp((column + 1).saturating_sub(room), column);
        }
    }

    /// The columns of a row that are selected, as bytes of it: from, to, and whether the line has nothing to show for it.
    pub(super) fn selected_in(&self, row: &Row) -> Option<(usize, usize, bool)> {
        let range = self.selected()?;
        let (start, end) = (
            self.text.offset(row.spot()),
            self.text.offset(Spot {
                line: row.line,
                at: row.to,
            }),
        );
        let (from, to) = (range.start.max(start), range.end.min(end));
        let is_empty = start == end && range.start <= start && end < range.end;
        (from < to || is_empty).then(|| (from - start, to.max(from) - start, is_empty))
    }
}
