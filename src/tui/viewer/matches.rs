//! From match to match.

use super::super::text::width;
use super::{Viewer, draw};

impl Viewer {
    pub(super) fn next_match(&mut self, forward: bool) {
        let Some(search) = &mut self.search else {
            return;
        };
        let here = self.text.offset(self.cursor);
        let index = match (search.current, forward) {
            // The cursor was moved away from it: from where the cursor is.
            (Some(current), _) if !self.on_match(current) => self.from(here, forward),
            (Some(current), true) if current + 1 < self.found() => Some(current + 1),
            (Some(_), true) => (!self.is_searching()).then_some(0),
            (Some(current), false) => current.checked_sub(1).or(self.found().checked_sub(1)),
            (None, _) => self.from(here, forward),
        };
        if let Some(index) = index.filter(|&index| index < self.found()) {
            self.show_match(index);
        }
    }

    fn found(&self) -> usize {
        self.search.as_ref().map_or(0, |search| search.found().len())
    }

    fn from(&self, offset: usize, forward: bool) -> Option<usize> {
        let search = self.search.as_ref()?;
        if forward {
            search.first_from(offset)
        } else {
            search.last_before(offset)
        }
    }

    /// Whether the cursor is in the row of this match.
    fn on_match(&self, index: usize) -> bool {
        let found = self.search.as_ref().and_then(|search| search.found().get(index));
        found.is_some_and(|found| self.row(self.text.spot(found.start)).spot() == self.row(self.cursor).spot())
    }

    /// Goes to the match that is being looked for, when it has been found.
    pub(super) fn arrive(&mut self) {
        let Some(search) = self.search.as_ref().filter(|search| search.current.is_none()) else {
            return;
        };
        if let Some(index) = search.first_from(self.text.offset(search.origin)) {
            self.show_match(index);
        }
    }

    fn show_match(&mut self, index: usize) {
        let Some(search) = &mut self.search else {
            return;
        };
        let Some(found) = search.found().get(index).cloned() else {
            return;
        };
        search.current = Some(index);
        let spot = self.text.spot(found.start);
        self.go_to(spot);
        if !self.wrap {
            let row = self.row(spot);
            let before = self.text.text_of(&row).get(..spot.at - row.from).unwrap_or_default();
            let (column, room) = (width(before), draw::text_width(self));
            let needed = (column + found.len().min(room)).saturating_sub(room);
            if column < self.left || needed > self.left {
                self.left = if needed == 0 {
                    0
                } else {
                    column.saturating_sub(room / 2)
                };
            }
        }
    }
}
