//! The documents pane in the application: its keys, its mouse, and what it asks for.

use std::sync::Arc;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Position;

use super::super::activity::Phase;
use super::super::command::Action;
use super::super::documents::keys::{self, Command};
use super::super::documents::{Opened, frame_rows};
use super::super::links::Target;
use super::super::view::{self, Areas};
use super::{App, Effect};
use crate::conversation::{Change, Documents};

impl App {
    /// A key while the pane has the focus; nothing if it is not for the pane.
    pub(super) fn documents_key(&mut self, key: KeyEvent, action: Option<Action>) -> Option<Vec<Effect>> {
        if !self.documents.focused {
            return None;
        }
        self.documents.message = None;
        if matches!(
            action,
            Some(Action::Interrupt | Action::Redraw | Action::Suspend | Action::Documents)
        ) {
            return None;
        }
        if self.documents.is_filtering() {
            self.filter_key(key);
            return Some(Vec::new());
        }
        let Some(command) = keys::find(keys::PANE, key) else {
            let is_help = action == Some(Action::Help) || key.code == KeyCode::Char('?');
            self.help = is_help.then(|| view::help::in_documents(self));
            return Some(Vec::new());
        };
        Some(self.documents_command(command))
    }

    fn filter_key(&mut self, key: KeyEvent) {
        let pane = &mut self.documents;
        match key.code {
            KeyCode::Enter | KeyCode::Tab => pane.end_filter(true),
            KeyCode::Esc => pane.end_filter(false),
            KeyCode::Backspace => pane.erase_filter(),
            KeyCode::Up => pane.step(-1),
            KeyCode::Down => pane.step(1),
            KeyCode::Char(c) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                pane.write_filter(c.encode_utf8(&mut [0; 4]));
            }
            _ => {}
        }
    }

    fn documents_command(&mut self, command: Command) -> Vec<Effect> {
        let pane = &mut self.documents;
        let page = pane.page();
        match command {
            Command::Up => pane.step(-1),
            Command::Down => pane.step(1),
            Command::PageUp => pane.step(-page),
            Command::PageDown => pane.step(page),
            Command::HalfUp => pane.step(-(page / 2).max(1)),
            Command::HalfDown => pane.step((page / 2).max(1)),
            Command::First => pane.first(),
            Command::Last => pane.last(),
            Command::Fold => pane.fold(),
            Command::Unfold => pane.unfold(),
            Command::Filter => pane.begin_filter(),
            Command::Sort => pane.toggle_order(),
            Command::LeftOut => pane.toggle_left_out(),
            Command::Mark => pane.mark(),
            Command::Back if pane.drop_filter() => {}
            Command::Back => pane.focused = false,
            Command::Close => (pane.shown, pane.focused) = (false, false),
            Command::Open => {
                if let Opened::Document(path) = pane.open() {
                    self.open(&Target {
                        path,
                        first: 0,
                        last: 0,
                    });
                }
            }
            Command::Mention => {
                if let Some(path) = pane.under_cursor().map(str::to_owned) {
                    self.documents.focused = false;
                    self.mention(&path);
                }
            }
            Command::Unload => {
                let unload = pane.to_unload();
                if unload.is_empty() {
                    pane.message = Some("this is not loaded".to_owned());
                    return Vec::new();
                }
                pane.unmark();
                return self.plan(Change {
                    unload,
                    ..Change::default()
                });
            }
            Command::Include => match pane.to_include() {
                Ok(include) => {
                    pane.unmark();
                    return self.plan(Change {
                        include,
                        ..Change::default()
                    });
                }
                Err(reason) => pane.message = Some(reason),
            },
            Command::Add if !self.composer.is_empty() => {
                pane.message = Some("send or delete first what you are writing".to_owned());
            }
            Command::Add => {
                pane.focused = false;
                self.composer.replace("/load ");
            }
            Command::Reload => return self.reload(),
        }
        Vec::new()
    }

    /// Opens the pane and gives it the keys, or closes it if it has them.
    pub(super) fn toggle_documents(&mut self) {
        let pane = &mut self.documents;
        (pane.shown, pane.focused) = (!pane.focused, !pane.focused);
        pane.message = None;
    }

    /// The documents are these.
    pub(super) fn take_documents(&mut self, documents: &Documents) {
        self.documents
            .set_pack(Arc::clone(&documents.pack), documents.offset, documents.context_limit);
        self.completion.forget();
    }

    /// Tells the pane what the model has read.
    pub(super) fn documents_read(&mut self, done: usize) {
        let running = matches!(self.activity.phase(), Phase::Prefill(_));
        self.documents.read(done, running);
    }

    /// The wheel over the pane; whether it was there.
    pub(super) fn documents_wheel(&mut self, at: Position, rows: isize) -> bool {
        let over = view::areas(self).documents.contains(at);
        if over {
            self.documents.scroll(rows);
        }
        over
    }

    /// A click; whether it was on the pane. A click anywhere else gives the keys back to the question.
    pub(super) fn documents_click(&mut self, at: Position, areas: &Areas) -> bool {
        let area = areas.documents;
        if !area.contains(at) {
            if areas.composer.contains(at) || areas.transcript.contains(at) {
                self.documents.focused = false;
            }
            return false;
        }
        let pane = &mut self.documents;
        pane.focused = true;
        pane.message = None;
        let frame = frame_rows(area.height);
        let first = area.y + u16::from(frame > 0);
        let rows = area.height - frame;
        if (first..first + rows).contains(&at.y) {
            pane.click(usize::from(at.y - first), usize::from(at.x - area.x));
        }
        true
    }
}
