//! The ledger over the conversation: opening it, moving in it, and going to a thought.

use ratatui::layout::Position;

use super::super::command::Action;
use super::super::inspector::ledger::Ledger;
use super::super::view;
use super::{App, Focus};

impl App {
    pub(super) fn toggle_ledger(&mut self) {
        self.ledger = match self.ledger {
            Some(_) => None,
            None => Some(Ledger::new(self.transcript.thinking())),
        };
    }

    /// What a key means while the ledger is open; whether it is.
    pub(super) fn ledger_action(&mut self, action: Action) -> bool {
        let Some(ledger) = &mut self.ledger else {
            return false;
        };
        let page = ledger.page();
        match action {
            Action::RowUp => ledger.step(-1),
            Action::RowDown => ledger.step(1),
            Action::PageUp => ledger.step(-page),
            Action::PageDown => ledger.step(page),
            Action::ToStart => ledger.step(isize::MIN),
            Action::Follow => ledger.step(isize::MAX),
            Action::LedgerSort => ledger.sort_by_next(),
            Action::LedgerReverse => ledger.reverse(),
            Action::LedgerMark => {
                if let Some((left, right)) = ledger.mark() {
                    self.compare_blocks(left, right);
                }
            }
            Action::Accept => self.go_to_chosen(),
            Action::Cancel | Action::Ledger => self.ledger = None,
            _ => {}
        }
        true
    }

    fn go_to_chosen(&mut self) {
        let chosen = self.ledger.take().and_then(|ledger| ledger.chosen());
        if let Some(block) = chosen {
            self.transcript.begin_with(block);
            self.focus_on(Focus::Conversation);
        }
    }

    /// A click while the ledger is open, which lies over the conversation. A click on the line that the cursor is on goes
    /// to its thought, and one outside closes the ledger.
    pub(super) fn ledger_click(&mut self, at: Position) -> bool {
        let area = view::ledger_area(self);
        let Some(ledger) = &mut self.ledger else {
            return false;
        };
        if !area.contains(at) {
            self.ledger = None;
        } else if ledger.click(at, area) {
            self.go_to_chosen();
        }
        true
    }
}
