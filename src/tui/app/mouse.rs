//! What the mouse does.
//!
//! A press acts at once, but on text, where it may begin a selection: there it is a click when it is released where it was
//! pressed. Text that is dragged over beyond the edge of what is in view comes into view, the faster the further out the
//! mouse is, and where the screen ends with the text the faster the longer it is held there: by time, for a mouse that is
//! held still says nothing.

use std::time::Duration;

use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::super::select::Unit;
use super::super::view;
use super::scrollbars::Bar;
use super::{App, Effect, Focus};

/// Rows that the wheel moves.
pub(super) const WHEEL: isize = 3;
/// Columns that it moves to the sides.
const SIDEWAYS: usize = 2;
/// How soon a press must follow another to count with it.
const AGAIN: Duration = Duration::from_millis(400);
/// How often what is dragged over scrolls.
const SCROLL: Duration = Duration::from_millis(40);
/// Held at the end of the screen, it is a row further out after each.
const HASTE: Duration = Duration::from_millis(500);
/// Rows at once at most.
const FASTEST: u16 = 12;

/// What the mouse has been doing.
#[derive(Debug, Default)]
pub struct Mouse {
    /// The last press: when and where, and how many there have been in a row.
    pressed: Option<(Duration, Position, usize)>,
    held: Option<Held>,
}

/// What the button is held on.
#[derive(Debug, Clone, Copy)]
enum Held {
    /// The edge of a pane.
    Edge(Focus),
    Bar(Bar),
    Text(Text),
    /// What is being written.
    Field,
}

/// Text that is being selected.
#[derive(Debug, Clone, Copy)]
struct Text {
    /// In an open document, not in the conversation.
    document: bool,
    from: Position,
    at: Position,
    moved: bool,
    /// Since when the mouse is beyond the edge, and when it scrolled last.
    beyond: Option<(Duration, Duration)>,
}

impl App {
    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        let at = Position::new(mouse.column, mouse.row);
        match mouse.kind {
            MouseEventKind::ScrollUp => self.wheel(at, -WHEEL),
            MouseEventKind::ScrollDown => self.wheel(at, WHEEL),
            MouseEventKind::ScrollLeft => self.wheel_sideways(false),
            MouseEventKind::ScrollRight => self.wheel_sideways(true),
            MouseEventKind::Down(MouseButton::Left) => return self.press(at, mouse.modifiers),
            MouseEventKind::Drag(MouseButton::Left) => self.drag(at),
            MouseEventKind::Up(MouseButton::Left) => return self.release(),
            _ => {}
        }
        Vec::new()
    }

    fn wheel(&mut self, at: Position, rows: isize) {
        if !self.begun.is_empty() {
            self.turn_hints(rows > 0);
        } else if let Some(scrolled) = self.help {
            self.help = Some(scrolled.saturating_add_signed(rows).min(view::help::last_scroll(self)));
        } else if let Some(viewer) = &mut self.viewer {
            viewer.scroll(rows);
        } else if self.compare_wheel(rows) {
        } else if let Some(ledger) = &mut self.ledger {
            ledger.step(rows);
        } else if !self.documents_wheel(at, rows) && !self.inspector_wheel(at, rows) {
            self.transcript.scroll(rows);
        }
    }

    fn wheel_sideways(&mut self, right: bool) {
        if let Some(viewer) = self.viewer.as_mut().filter(|_| self.help.is_none()) {
            viewer.shift(right, SIDEWAYS);
        }
    }

    /// How many times the button was pressed here in a row, with this one.
    fn count_press(&mut self, at: Position) -> usize {
        let count = match self.pointer.pressed {
            Some((when, before, count)) if before == at && self.now < when + AGAIN => count + 1,
            _ => 1,
        };
        self.pointer.pressed = Some((self.now, at, count));
        count
    }

    fn press(&mut self, at: Position, modifiers: KeyModifiers) -> Vec<Effect> {
        if self.help.is_none() && self.viewer.is_none() && (self.compare_click(at) || self.ledger_click(at)) {
            return Vec::new();
        }
        self.pointer.held = None;
        let unit = match self.count_press(at) % 3 {
            1 => Unit::Character,
            2 => Unit::Word,
            _ => Unit::Line,
        };
        if self.help.take().is_some() {
            return Vec::new();
        }
        if let Some(bar) = self.bar_at(at) {
            self.pointer.held = Some(Held::Bar(bar));
            self.drag_bar(bar, at);
            return Vec::new();
        }
        let extend = modifiers.contains(KeyModifiers::SHIFT);
        if let Some(viewer) = &mut self.viewer {
            match viewer.text_area() {
                Some(area) if area.contains(at) && extend => viewer.extend_to(at),
                Some(area) if area.contains(at) => viewer.press(at, unit),
                _ => {
                    viewer.click(at);
                    return Vec::new();
                }
            }
            self.hold(at, true, extend);
            return Vec::new();
        }
        let areas = view::areas(self);
        if self.inspector_click(at, &areas) {
        } else if let Some(edge) = self.edge_at(at) {
            self.pointer.held = Some(Held::Edge(edge));
        } else if self.completion_click(at) || self.documents_click(at, &areas) {
        } else if self.composer_press(at, &areas, unit) {
            self.pointer.held = Some(Held::Field);
        } else if view::rule::pill_area(self, &areas).is_some_and(|pill| pill.contains(at)) {
            self.transcript.follow();
        } else if areas.transcript.contains(at) {
            let (column, row) = within(areas.transcript, at);
            // What does something when it is clicked on does so each time.
            let unit = if self.acts(column, row) { Unit::Character } else { unit };
            if extend {
                self.transcript.extend_to(column, row);
            } else {
                self.transcript.press(column, row, unit);
            }
            self.hold(at, false, extend || unit != Unit::Character);
        }
        Vec::new()
    }

    fn hold(&mut self, at: Position, document: bool, moved: bool) {
        self.pointer.held = Some(Held::Text(Text {
            document,
            from: at,
            at,
            moved,
            beyond: None,
        }));
    }

    /// Where text is that can be dragged over.
    fn text_area(&self, document: bool) -> Option<Rect> {
        let area = match &self.viewer {
            Some(viewer) if document => viewer.text_area(),
            None if !document => Some(view::areas(self).transcript),
            _ => None,
        };
        area.filter(|area| !area.is_empty())
    }

    fn drag(&mut self, at: Position) {
        match self.pointer.held {
            None => {}
            Some(Held::Edge(edge)) => self.move_edge(edge, at.x),
            Some(Held::Bar(bar)) => self.drag_bar(bar, at),
            Some(Held::Field) => self.composer_drag(at),
            Some(Held::Text(text)) => {
                let moved = at != text.from;
                if moved {
                    // What is pressed next is pressed for the first time.
                    self.pointer.pressed = None;
                }
                self.drag_text(Text {
                    at,
                    moved: text.moved || moved,
                    ..text
                });
            }
        }
    }

    fn drag_text(&mut self, mut text: Text) {
        let Some(area) = self.text_area(text.document).filter(|_| text.moved) else {
            self.pointer.held = None;
            return;
        };
        if !text.document {
            self.focus_on(Focus::Conversation);
        }
        let out = rows_beyond(area, self.size.height, text);
        text.beyond = (out != 0).then(|| text.beyond.unwrap_or((self.now, self.now)));
        self.pointer.held = Some(Held::Text(text));
        self.select_to(area, text);
    }

    fn select_to(&mut self, area: Rect, text: Text) {
        let at = Position {
            x: text.at.x,
            y: text.at.y.clamp(area.top(), area.bottom() - 1),
        };
        if let Some(viewer) = &mut self.viewer {
            viewer.drag(at);
        } else {
            let (column, row) = within(area, at);
            self.transcript.drag(column, row);
        }
    }

    /// When what is dragged over scrolls next.
    pub(super) fn next_scroll(&self) -> Option<Duration> {
        match self.pointer.held? {
            Held::Text(text) => text.beyond.map(|(_, last)| last + SCROLL),
            Held::Edge(_) | Held::Bar(_) | Held::Field => None,
        }
    }

    /// Scrolls what is dragged over, as far as it is time to.
    pub(super) fn scroll_dragged(&mut self) {
        let Some(Held::Text(mut text)) = self.pointer.held else {
            return;
        };
        let (Some((since, last)), Some(area)) = (text.beyond, self.text_area(text.document)) else {
            return;
        };
        if self.now < last + SCROLL {
            return;
        }
        let out = rows_beyond(area, self.size.height, text);
        let hasty = ((self.now.saturating_sub(since)).as_millis() / HASTE.as_millis()) as u16;
        let at_end = out.unsigned_abs() == 1 && !beyond(area, text.at);
        let rows = if at_end { 1 + hasty } else { out.unsigned_abs() };
        let rows = out.signum() * rows.min(FASTEST).cast_signed();
        text.beyond = Some((since, self.now));
        self.pointer.held = Some(Held::Text(text));
        match &mut self.viewer {
            Some(viewer) => viewer.scroll(isize::from(rows)),
            None => self.transcript.scroll(isize::from(rows)),
        }
        self.select_to(area, text);
    }

    fn release(&mut self) -> Vec<Effect> {
        let text = match self.pointer.held.take() {
            Some(Held::Text(text)) => text,
            Some(Held::Field) => return self.composer_release(),
            _ => return Vec::new(),
        };
        if text.moved {
            let copies = self.setup.settings.ui.copy_on_select;
            return if copies { self.copy_selection() } else { Vec::new() };
        }
        if !text.document && self.text_area(false).is_some_and(|area| area.contains(text.at)) {
            return self.click_text(text.at);
        }
        Vec::new()
    }

    /// A click on the conversation: on what it does something to, else the keys go where the cursor has gone. Who writes,
    /// and folds or opens something meanwhile, goes on writing.
    fn click_text(&mut self, at: Position) -> Vec<Effect> {
        let (column, row) = within(view::areas(self).transcript, at);
        let done = self.act_on(column, row);
        if done.is_none() || self.focus != Focus::Composer {
            self.focus_on(Focus::Conversation);
        }
        done.unwrap_or_default()
    }

    /// Opens the link, copies the address, or folds by the header, at a column and row of the conversation; nothing if
    /// there is none of them.
    pub(super) fn act_on(&mut self, column: usize, row: usize) -> Option<Vec<Effect>> {
        if let Some(target) = self.transcript.link_at(column as u16, row) {
            self.open(&target);
        } else if let Some(address) = self.transcript.address_at(column, row) {
            return Some(self.copy(Some(address), ""));
        } else if let Some(id) = self.transcript.header_at(row) {
            self.transcript.cycle_fold(id);
        } else if column != 0 || !self.transcript.toggle_segment_at(row) {
            return None;
        }
        Some(Vec::new())
    }

    /// Whether a click at a column and row of the conversation does something.
    fn acts(&mut self, column: usize, row: usize) -> bool {
        self.transcript.link_at(column as u16, row).is_some()
            || self.transcript.address_at(column, row).is_some()
            || self.transcript.header_at(row).is_some()
            || (column == 0 && self.transcript.segment_begins_at(row).is_some())
    }

    /// The terminal is not looked at any more: where the button is released will not be said.
    pub(super) fn let_go_of_mouse(&mut self) {
        self.pointer.held = None;
    }
}

/// Column and row within an area.
fn within(area: Rect, at: Position) -> (usize, usize) {
    (
        usize::from(at.x.saturating_sub(area.x)),
        usize::from(at.y.saturating_sub(area.y)),
    )
}

/// Whether a place is above or below an area.
fn beyond(area: Rect, at: Position) -> bool {
    at.y < area.top() || at.y >= area.bottom()
}

/// By how many rows the mouse is beyond the text, up if negative. Where the screen has nothing beyond it, its last row is
/// that, if the mouse has gone there.
fn rows_beyond(area: Rect, height: u16, text: Text) -> i16 {
    let (first, last) = (area.top(), area.bottom() - 1);
    let y = text.at.y;
    if y < first {
        -((first - y).cast_signed())
    } else if y > last {
        (y - last).cast_signed()
    } else {
        i16::from(y + 1 == height && text.from.y < y) - i16::from(y == 0 && text.from.y > 0)
    }
}
