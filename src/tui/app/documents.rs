//! The documents pane in the application: its keys, its mouse, and what it asks for.

use std::sync::Arc;

use ratatui::layout::Position;

use super::super::activity::Phase;
use super::super::command::Action;
use super::super::documents::keys::Command;
use super::super::documents::{Opened, Unlisted, frame_rows};
use super::super::links::Target;
use super::super::view::{self, Areas};
use super::{App, Effect, Focus};
use crate::conversation::{Change, Documents};

impl App {
    /// What is done to the filter that is being written; whether one is.
    pub(super) fn filter_action(&mut self, action: Action) -> bool {
        let pane = &mut self.documents;
        if self.focus != Focus::Documents || !pane.is_filtering() {
            return false;
        }
        match action {
            Action::Accept => pane.end_filter(true),
            Action::Cancel => pane.end_filter(false),
            Action::Backspace => pane.erase_filter(),
            Action::RowUp => pane.step(-1),
            Action::RowDown => pane.step(1),
            _ => {}
        }
        true
    }

    pub(super) fn documents_command(&mut self, command: Command) -> Vec<Effect> {
        let pane = &mut self.documents;
        pane.message = None;
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
            Command::Back => self.focus_on(Focus::Composer),
            Command::Close => self.close_documents(),
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
                    self.focus_on(Focus::Composer);
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
                self.focus_on(Focus::Composer);
                self.composer.replace("/load ");
            }
            Command::Reload => return self.reload(),
        }
        Vec::new()
    }

    /// The documents are these.
    pub(super) fn take_documents(&mut self, documents: &Documents) {
        self.documents
            .set_pack(Arc::clone(&documents.pack), documents.offset, documents.context_limit);
        let unlisted = documents.files.saturating_sub(documents.pack.documents.len());
        self.documents.unlisted = Unlisted {
            documents: unlisted,
            tokens: if unlisted > 0 { documents.tokens } else { 0 },
        };
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

    /// A click; whether it was on the pane.
    pub(super) fn documents_click(&mut self, at: Position, areas: &Areas) -> bool {
        let area = areas.documents;
        if !area.contains(at) {
            return false;
        }
        self.focus_on(Focus::Documents);
        let pane = &mut self.documents;
        let frame = frame_rows(area.height);
        let first = area.y + u16::from(frame > 0);
        let rows = area.height - frame;
        if (first..first + rows).contains(&at.y) {
            pane.click(usize::from(at.y - first), usize::from(at.x - area.x));
        }
        true
    }
}
