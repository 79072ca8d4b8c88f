//! Searching in the application: its prompt, and walking from match to match.

use super::super::command::Action;
use super::super::search::{Hit, Scope};
use super::super::viewer::{Step, Text, Viewer};
use super::{App, Focus};

impl App {
    /// Begins to search; where the documents have the keys, them.
    pub(super) fn open_search(&mut self, written: &str) {
        let scope = match (self.focus, self.search.scope) {
            (Focus::Documents, _) => Scope::Documents,
            (Focus::Inspector, Scope::Documents) => Scope::Traces,
            (_, last) => last,
        };
        self.search.open(&mut self.transcript, scope);
        if !written.is_empty() {
            self.write_search(written);
            self.accept_search();
        }
    }

    pub(super) fn write_search(&mut self, text: &str) {
        self.search.write(&mut self.transcript, |prompt, _| prompt.write(text));
    }

    /// What a key means while the prompt is open; whether it is.
    pub(super) fn search_action(&mut self, action: Action) -> bool {
        if !self.search.is_prompting() {
            return false;
        }
        let (search, transcript) = (&mut self.search, &mut self.transcript);
        match action {
            Action::Accept => self.accept_search(),
            Action::Cancel => search.dismiss(transcript),
            Action::SearchScope => search.change_scope(transcript, true),
            Action::SearchScopeBack => search.change_scope(transcript, false),
            Action::Backspace if search.prompt().is_none_or(|prompt| prompt.text().is_empty()) => {
                search.dismiss(transcript);
            }
            Action::Backspace => search.write(transcript, |prompt, _| prompt.erase()),
            Action::KillToStart | Action::KillWord => search.write(transcript, |prompt, _| prompt.erase_all()),
            Action::RowUp => search.write(transcript, |prompt, history| prompt.recall(true, history)),
            Action::RowDown => search.write(transcript, |prompt, history| prompt.recall(false, history)),
            Action::PageUp => search.choose(false),
            Action::PageDown => search.choose(true),
            _ => {}
        }
        true
    }

    fn accept_search(&mut self) {
        // Of documents, those are listed that have been gone through.
        let chosen = self.search.chosen();
        self.search.accept(&mut self.transcript);
        if let Some(hit) = chosen {
            self.open_hit(&hit);
        } else if self.search.is_active() {
            self.focus_on(Focus::Conversation);
        }
    }

    /// To the next match, or the one before.
    pub(super) fn next_match(&mut self, forward: bool) {
        if self.search.is_active() {
            self.search.step(&mut self.transcript, forward);
        } else {
            self.tell("nothing is being searched for; / searches");
        }
    }

    /// Whether there is something to do between two frames.
    #[must_use]
    pub fn is_working(&self) -> bool {
        self.search.is_working() || self.viewer.as_ref().is_some_and(Viewer::is_searching)
    }

    /// Does a little of what there is to do between two frames.
    pub fn work(&mut self) {
        self.dirty = true;
        if let Some(hit) = self.search.go_on(&mut self.transcript, self.linker.pack()) {
            self.open_hit(&hit);
        }
        if let Some(viewer) = self.viewer.as_mut().filter(|viewer| viewer.is_searching()) {
            viewer.go_on();
        }
    }

    /// Opens a document at a match.
    fn open_hit(&mut self, hit: &Hit) {
        let Some(pattern) = self.search.pattern().cloned() else {
            return;
        };
        if let Some(text) = Text::new(self.linker.pack(), hit.text) {
            let line = text.spot(hit.at.start).line + 1;
            self.show(text, line, line);
            if let Some(viewer) = &mut self.viewer {
                viewer.search_for(&pattern, hit.at.start);
            }
        }
    }

    /// From the last match of a document that is open to the first one of the next that has some; whether that is so.
    pub(super) fn step_beyond_document(&mut self, step: Step) -> bool {
        let forward = match step {
            Step::NextMatch => true,
            Step::PreviousMatch => false,
            _ => return false,
        };
        let Some((viewer, pattern)) = self.viewer.as_ref().zip(self.search.pattern()) else {
            return false;
        };
        let documents = self.search.documents();
        if !viewer.is_at_edge(pattern, forward) || documents.len() < 2 {
            return false;
        }
        let path = viewer.path();
        let here = self
            .linker
            .pack()
            .documents
            .iter()
            .position(|document| document.path == path);
        here.is_some_and(|here| {
            self.search.beyond(here, forward);
            true
        })
    }
}
