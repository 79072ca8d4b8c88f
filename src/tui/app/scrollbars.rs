//! Dragging scroll bars: the conversation's, and that of an open document.

use ratatui::layout::{Position, Rect};

use super::super::view;
use super::App;

/// A thumb that is held.
#[derive(Debug, Clone, Copy)]
pub struct Bar {
    /// In an open document, not in the conversation.
    document: bool,
    /// How many rows below the thumb's first one it was taken.
    taken: u16,
}

impl App {
    /// The scroll bar at this place, as it is held when it is pressed there: by the thumb, which jumps to where it is
    /// pressed beside it.
    pub(super) fn bar_at(&mut self, at: Position) -> Option<Bar> {
        let document = self.viewer.is_some();
        let (area, thumb) = self.bar(document)?;
        let on_bar = at.x + 1 == area.right() && area.contains(at);
        on_bar.then(|| Bar {
            document,
            taken: if thumb.contains(at) {
                at.y - thumb.y
            } else {
                thumb.height / 2
            },
        })
    }

    /// The area of a scroll bar, and the thumb in it.
    fn bar(&mut self, document: bool) -> Option<(Rect, Rect)> {
        match &self.viewer {
            Some(viewer) if document => viewer.bar(),
            None if !document => {
                let area = view::areas(self).transcript;
                Some((area, self.transcript.thumb(area)?))
            }
            _ => None,
        }
    }

    pub(super) fn drag_bar(&mut self, bar: Bar, at: Position) {
        let Some((area, thumb)) = self.bar(bar.document) else {
            return;
        };
        let travel = area.height - thumb.height;
        let top = at.y.saturating_sub(area.y).saturating_sub(bar.taken).min(travel);
        match &mut self.viewer {
            // It stays where it is while the mouse is moved to the sides only.
            _ if area.y + top == thumb.y => {}
            Some(viewer) => viewer.scroll_to_share(usize::from(top), usize::from(travel)),
            None => self.transcript.scroll_to_share(area, top),
        }
    }
}
