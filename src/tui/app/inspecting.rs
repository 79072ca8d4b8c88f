//! What keys and the mouse do in the inspector.

use ratatui::layout::{Position, Rect};

use super::super::command::Action;
use super::super::inspector::Reading;
use super::super::inspector::keys::Command;
use super::super::transcript::BlockId;
use super::super::view::{self, Areas};
use super::{App, Focus};

impl App {
    /// Shows the outline: beside the conversation if it is there, else over it.
    pub(super) fn open_outline(&mut self) {
        if self.inspector.over {
            self.focus_on(self.beneath);
        } else if self.inspector.shown && !view::areas(self).inspector.is_empty() {
            self.focus_on(Focus::Inspector);
        } else {
            self.inspect_over();
        }
    }

    /// Tells the inspector what is read, before anything is done in it or drawn of it.
    pub(in crate::tui) fn reading(&mut self, area: Rect) -> Option<Reading> {
        let reading = Reading::of(&mut self.transcript)?;
        let thought = self.transcript.blocks()[reading.block].thought()?;
        self.inspector.see(&reading, thought, area);
        Some(reading)
    }

    pub(super) fn inspect(&mut self, command: Command) {
        if command == Command::Close && self.inspector.over {
            self.focus_on(self.beneath);
            return;
        }
        if command == Command::Close {
            self.inspector.shown = false;
            self.focus_on(Focus::Conversation);
            return;
        }
        let area = view::areas(self).inspector;
        let Some(reading) = self.reading(area) else {
            return;
        };
        let Some(thought) = self.transcript.blocks()[reading.block].thought() else {
            return;
        };
        let trace = &thought.trace;
        let inspector = &mut self.inspector;
        let page = inspector.page();
        let far = trace.segment_count().cast_signed();
        match command {
            Command::Up => inspector.step(-1, &reading, trace),
            Command::Down => inspector.step(1, &reading, trace),
            Command::PageUp => inspector.step(-page, &reading, trace),
            Command::PageDown => inspector.step(page, &reading, trace),
            Command::First => inspector.step(-far, &reading, trace),
            Command::Last => inspector.step(far, &reading, trace),
            Command::Filter => inspector.begin_filter(),
            Command::Jump | Command::Fold | Command::Others => {
                let Some(number) = inspector.chosen(&reading, trace) else {
                    return;
                };
                match command {
                    Command::Fold => self.transcript.toggle_segment_of(reading.block, number),
                    Command::Others => self.transcript.fold_all_but(reading.block, number),
                    _ => self.show_segment(reading.block, number),
                }
            }
            Command::Earlier | Command::Later => {
                let columns = if command == Command::Later { 1 } else { -1 };
                if let Some(byte) = inspector.byte_beside(columns, area, &reading, trace) {
                    inspector.let_go();
                    self.transcript.go_to_byte(reading.block, byte);
                }
            }
            Command::Close => {}
        }
    }

    /// The segment that the inspector's cursor is on.
    pub(super) fn chosen_segment(&mut self) -> Option<(BlockId, usize)> {
        let area = view::areas(self).inspector;
        let reading = self.reading(area)?;
        let trace = &self.transcript.blocks()[reading.block].thought()?.trace;
        Some((reading.block, self.inspector.chosen(&reading, trace)?))
    }

    fn show_segment(&mut self, block: BlockId, number: usize) {
        self.transcript.go_to_segment(block, number);
        if self.inspector.over || view::is_covered(self) {
            self.focus_on(Focus::Conversation);
        }
    }

    /// What is done while the filter is being written; whether it is.
    pub(super) fn outline_filter_action(&mut self, action: Action) -> bool {
        if self.focus != Focus::Inspector || !self.inspector.is_filtering() {
            return false;
        }
        match action {
            Action::Accept => self.inspector.end_filter(true),
            Action::Cancel => self.inspector.end_filter(false),
            Action::Backspace => self.inspector.erase_filter(),
            Action::RowUp => self.inspect(Command::Up),
            Action::RowDown => self.inspect(Command::Down),
            _ => {}
        }
        true
    }

    /// The wheel over the inspector; whether it was there.
    pub(super) fn inspector_wheel(&mut self, at: Position, rows: isize) -> bool {
        let area = view::areas(self).inspector;
        if !area.contains(at) {
            return false;
        }
        if let Some(reading) = self.reading(area)
            && let Some(thought) = self.transcript.blocks()[reading.block].thought()
        {
            self.inspector.step(rows, &reading, &thought.trace);
        }
        true
    }

    /// A click; whether it was on the inspector.
    pub(super) fn inspector_click(&mut self, at: Position, areas: &Areas) -> bool {
        let area = areas.inspector;
        if !area.contains(at) {
            if self.inspector.over {
                self.focus_on(self.beneath);
                return true;
            }
            return false;
        }
        if !self.inspector.over {
            self.focus_on(Focus::Inspector);
        }
        let Some(reading) = self.reading(area) else {
            return true;
        };
        let Some(trace) = self.transcript.blocks()[reading.block]
            .thought()
            .map(|thought| &thought.trace)
        else {
            return true;
        };
        if let Some(byte) = self.inspector.byte_at(at, area, trace) {
            self.transcript.go_to_byte(reading.block, byte);
        } else if let Some(number) = self.inspector.segment_at(at, area, trace) {
            self.inspector.let_go();
            self.show_segment(reading.block, number);
        }
        true
    }
}
