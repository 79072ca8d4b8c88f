//! The list of commands in the application: opening it, and doing what was chosen.

use super::super::command::{Action, Argument};
use super::super::palette::Palette;
use super::{App, Effect, Focus};

impl App {
    pub(super) fn open_palette(&mut self) {
        self.palette = Some(Palette::new());
    }

    /// What a key means while the list is open.
    pub(super) fn palette_action(&mut self, action: Action) -> Vec<Effect> {
        let page = self.transcript.page();
        let Some(palette) = &mut self.palette else {
            return Vec::new();
        };
        match action {
            Action::Accept => return self.run_chosen(),
            Action::Cancel => self.palette = None,
            Action::RowUp => palette.choose(-1),
            Action::RowDown => palette.choose(1),
            Action::PageUp => palette.choose(-page),
            Action::PageDown => palette.choose(page),
            Action::Backspace => palette.erase(),
            Action::KillToStart | Action::KillWord => palette.erase_all(),
            Action::Help => {
                self.palette = None;
                self.open_help();
            }
            _ => {}
        }
        Vec::new()
    }

    /// Does what is chosen; of a command that may have an argument, its beginning is written instead.
    pub(super) fn run_chosen(&mut self) -> Vec<Effect> {
        let Some(palette) = self.palette.take() else {
            return Vec::new();
        };
        let Some(found) = palette.found.get(palette.chosen) else {
            return Vec::new();
        };
        match found.command.slash {
            Some((name, Argument::Optional(_))) if self.composer.is_empty() => {
                self.focus_on(Focus::Composer);
                self.composer.replace(format!("/{name} "));
                Vec::new()
            }
            _ => self.perform(found.command.action, ""),
        }
    }
}
