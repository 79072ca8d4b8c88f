//! Completing names in the composer: which keys choose, and what is put into the text.

use std::path::Path;

use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Position;

use super::super::command::Action;
use super::super::completion::{Ask, Entry, Source, word};
use super::super::documents::Pane;
use super::super::keymap::Chord;
use super::super::view;
use super::{App, Effect};

impl Source for Pane {
    fn documents(&self) -> Vec<(String, usize)> {
        self.names().collect()
    }

    fn left_out(&self) -> Vec<(String, usize)> {
        self.left_out_names().collect()
    }
}

impl App {
    /// Offers what could complete the text as it is now.
    pub(super) fn update_completion(&mut self) -> Option<Effect> {
        let (text, cursor) = (self.composer.text(), self.composer.cursor());
        let ask = self.completion.update(text, cursor, &self.documents)?;
        Some(match ask {
            Ask::Folder(path) => Effect::ListFolder(path),
            Ask::Themes => Effect::NameThemes,
        })
    }

    pub(super) fn themes_named(&mut self, names: Vec<String>) {
        self.completion.themes_named(names, &self.documents);
    }

    pub(super) fn folder_listed(&mut self, path: &Path, entries: Vec<Entry>) {
        self.completion.listed(path, entries, &self.documents);
    }

    /// A key while names are offered; nothing if it was not for them.
    pub(super) fn completion_key(&mut self, action: Action, chord: Chord) -> Option<Vec<Effect>> {
        let offer = self.completion.offer.as_ref()?;
        if view::completion::area(self, &view::areas(self)).is_empty() {
            return None;
        }
        match (action, chord.code) {
            (Action::Up, _) => self.completion.choose(-1),
            (Action::Down, _) => self.completion.choose(1),
            (_, KeyCode::Tab) => self.take_completion(),
            (Action::Send, _) if offer.takes_enter() => {
                let completes = offer.completes();
                self.take_completion();
                if completes {
                    return Some(self.perform(Action::Send, ""));
                }
            }
            (Action::Cancel, _) => self.completion.dismiss(),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// A click on what is offered; whether it was there.
    pub(super) fn completion_click(&mut self, at: Position) -> bool {
        let Some(index) = view::completion::at(self, &view::areas(self), at) else {
            return false;
        };
        if let Some(search) = &mut self.composer.search {
            search.pick(index);
            self.completion.hold();
            self.composer.take_found();
        } else {
            self.completion.pick(index);
            self.take_completion();
        }
        true
    }

    fn take_completion(&mut self) {
        if let Some(offer) = self.completion.offer.take() {
            self.composer.splice(offer.word.range.clone(), &offer.text());
        }
    }

    /// Names a document in the question that is being written.
    pub(super) fn mention(&mut self, path: &str) {
        let before = &self.composer.text()[..self.composer.cursor()];
        let space = if before.is_empty() || before.ends_with(char::is_whitespace) {
            ""
        } else {
            " "
        };
        let quote = if path.contains(char::is_whitespace) { "\"" } else { "" };
        let text = format!("{space}@{quote}{path}{quote} ");
        self.composer.insert(&text);
    }

    /// A question as the model gets it: a document that is named with `@` is named without.
    pub(super) fn as_sent(&self, text: &str) -> String {
        word::without_marks(text, |name| self.documents.knows(name))
    }
}
