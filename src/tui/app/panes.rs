//! How wide the panes beside the conversation are.

use ratatui::layout::Position;

use super::super::view;
use super::{App, Focus};

/// Columns by which a key makes a pane wider.
const STEP: i16 = 4;

/// The columns that the person gave the panes; what it was not told the view decides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Widths {
    pub documents: Option<u16>,
    pub inspector: Option<u16>,
}

impl App {
    /// The pane whose edge is here.
    pub(super) fn edge_at(&self, at: Position) -> Option<Focus> {
        let areas = view::areas(self);
        let (documents, inspector) = view::side_widths(self);
        if documents > 0 && areas.documents.contains(at) && at.x + 1 == areas.documents.right() {
            Some(Focus::Documents)
        } else if inspector > 0 && at.x == self.size.width - inspector && at.y < areas.inspector.bottom() {
            Some(Focus::Inspector)
        } else {
            None
        }
    }

    /// Moves the edge of a pane to a column.
    pub(super) fn move_edge(&mut self, pane: Focus, x: u16) {
        let width = match pane {
            Focus::Inspector => self.size.width.saturating_sub(x),
            _ => x.saturating_add(1),
        };
        self.set_width(pane, width);
    }

    /// Makes the pane that has the keys, else the one that had them last, wider or narrower.
    pub(super) fn widen(&mut self, wider: bool) {
        let (documents, inspector) = view::side_widths(self);
        let pane = match (documents, inspector) {
            (0, 0) => {
                return self
                    .tell("there is no pane beside the conversation; Alt-1 and Alt-3 show one, if there is room");
            }
            (_, 0) => Focus::Documents,
            (0, _) => Focus::Inspector,
            _ => self.beside,
        };
        let now = if pane == Focus::Documents { documents } else { inspector };
        self.set_width(pane, now.saturating_add_signed(if wider { STEP } else { -STEP }));
    }

    /// What the view makes of it is kept, so that going back begins at once.
    fn set_width(&mut self, pane: Focus, width: u16) {
        let wanted = match pane {
            Focus::Inspector => &mut self.widths.inspector,
            _ => &mut self.widths.documents,
        };
        *wanted = Some(width);
        let (documents, inspector) = view::side_widths(self);
        match pane {
            Focus::Inspector => self.widths.inspector = Some(inspector),
            _ => self.widths.documents = Some(documents),
        }
    }
}
