//! Opening documents, and what keys and the mouse do while one is open.
//!
//! The viewer lies over the conversation, which goes on beneath it; closing it shows everything as it was.

use super::super::command::{Action, Group};
use super::super::highlight::{Found, Wish};
use super::super::keymap::Chord;
use super::super::links::{self, Linker, Mark, Target};
use super::super::transcript::Level;
use super::super::view;
use super::super::viewer::{Step, Text, Viewer};
use super::{App, Effect, Focus};
use crate::conversation::{Citation, Documents, Verdict};

/// Documents that are named when several could be meant.
const NAMED: usize = 5;

impl App {
    /// Takes the documents; what is open stays open if it is still among them.
    pub(super) fn take_pack(&mut self, documents: &Documents) {
        self.linker = Linker::new(documents.pack.clone());
        self.search.renew();
        if let Some(viewer) = &mut self.viewer {
            viewer.renew(&documents.pack);
        }
    }

    /// Opens a document at some lines, if it is among the documents.
    pub(super) fn open(&mut self, target: &Target) {
        let documents = &self.linker.pack().documents;
        let index = documents.iter().position(|document| document.path == target.path);
        match index.and_then(|index| Text::new(self.linker.pack(), index)) {
            Some(text) => self.show(text, target.first, target.last),
            None => self.notice(
                Level::Error,
                format!("{} is not among the documents any more", target.path),
            ),
        }
    }

    pub(super) fn show(&mut self, text: Text, first: usize, last: usize) {
        let mut viewer = match self.viewer.take() {
            // The same document: what was searched for and its colours are kept.
            Some(viewer) if *viewer.text() == text => viewer,
            _ => Viewer::new(text, self.size),
        };
        viewer.point_at(first, last);
        self.viewer = Some(viewer);
    }

    /// `/open PATH:LINE`
    pub(super) fn open_written(&mut self, written: &str) {
        if self.linker.pack().documents.is_empty() {
            return self.notice(Level::Error, "there are no documents to open");
        }
        if written.is_empty() {
            return match self.transcript.last_cited().first() {
                Some(target) => self.open(&target.clone()),
                None => self.tell("name a document: /open PATH, or /open PATH:LINE"),
            };
        }
        let exact = |path: &str| self.linker.pack().document(path).is_some();
        let (path, first, last) = if exact(written) {
            (written, 0, 0)
        } else {
            links::parse(written)
        };
        let meant = links::meant(self.linker.pack(), path);
        if let Some(text) = meant.and_then(|index| Text::new(self.linker.pack(), index)) {
            return self.show(text, first, last);
        }
        let matching = links::matching(self.linker.pack(), path);
        if matching.is_empty() {
            return self.notice(Level::Error, format!("no document is called {path}"));
        }
        let named = matching[..matching.len().min(NAMED)].join(", ");
        let more = match matching.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.notice(Level::Error, format!("{path} may be {named}{more}; write more of it"));
    }

    pub(super) fn open_selected(&mut self) -> bool {
        let target = self.transcript.selected_link();
        if let Some(target) = &target {
            self.open(target);
        }
        target.is_some()
    }

    /// Opens what the last answer cites last.
    pub(super) fn open_last_citation(&mut self) {
        match self.transcript.last_cited().last() {
            Some(target) => self.open(&target.clone()),
            None => self.tell("the last answer cites nothing"),
        }
    }

    /// The citation after the one that is open, or before it, and around.
    fn open_citation(&mut self, forward: bool) {
        let cited = self.transcript.last_cited();
        let Some(viewer) = self.viewer.as_ref().filter(|_| !cited.is_empty()) else {
            return;
        };
        let is_open = |target: &Target| target.path == viewer.path() && viewer.points_at(target.first);
        let next = match (cited.iter().position(is_open), forward) {
            (Some(here), true) => (here + 1) % cited.len(),
            (Some(here), false) => (here + cited.len() - 1) % cited.len(),
            (None, true) => 0,
            (None, false) => cited.len() - 1,
        };
        self.open(&cited[next].clone());
    }

    pub(super) fn view(&mut self, step: Step) -> Vec<Effect> {
        if self.step_beyond_document(step) {
            return Vec::new();
        }
        let Some(viewer) = &mut self.viewer else {
            return Vec::new();
        };
        if viewer.step(step) {
            return Vec::new();
        }
        match step {
            Step::Enter => {
                if let Some(viewer) = &mut self.viewer {
                    viewer.enter();
                }
            }
            Step::NextCitation => self.open_citation(true),
            Step::PreviousCitation => self.open_citation(false),
            Step::Copy => return self.copy_selection(),
            _ => self.viewer = None,
        }
        Vec::new()
    }

    /// The help begins with what can be done here.
    pub(super) fn open_help(&mut self) {
        let line = match (&self.viewer, self.focus) {
            (Some(_), _) => view::help::row_of(self, Group::Viewing),
            (None, Focus::Documents) => view::help::row_of(self, Group::Pane),
            (None, Focus::Conversation | Focus::Inspector) => view::help::row_of(self, Group::Reading),
            (None, Focus::Composer) => 0,
        };
        self.help = Some(line.min(view::help::last_scroll(self)));
    }

    /// What is done to the line that is written in an open document; whether one is.
    pub(super) fn viewer_prompt(&mut self, action: Action) -> bool {
        let Some(viewer) = self.viewer.as_mut().filter(|viewer| viewer.is_prompting()) else {
            return false;
        };
        match action {
            Action::Accept => viewer.accept(),
            Action::Cancel => viewer.dismiss(),
            Action::Backspace => viewer.erase(),
            Action::KillToStart | Action::KillWord => viewer.erase_all(),
            _ => {}
        }
        true
    }

    /// A digit of a line number, or Esc that forgets it; whether it was one.
    pub(super) fn viewer_digit(&mut self, chord: Chord) -> bool {
        let covered = self.help.is_some() || self.palette.is_some() || self.picker.is_some();
        let Some(viewer) = self.viewer.as_mut().filter(|viewer| !covered && !viewer.is_prompting()) else {
            return false;
        };
        if chord.code.is_esc() && viewer.has_digits() {
            viewer.forget_digits();
            return true;
        }
        chord.character().is_some_and(|c| viewer.digit(c))
    }

    pub(super) fn highlighted(&mut self, found: Found) {
        match found {
            Found::Document(found) => {
                if let Some(viewer) = &mut self.viewer {
                    viewer.highlighted(found);
                }
            }
            Found::Code(found) => self.transcript.coloured(found),
        }
    }

    /// What has come into view without its colours.
    pub(super) fn highlight(&mut self) -> Option<Effect> {
        if let Some(viewer) = &mut self.viewer {
            return viewer.wanted().map(|wanted| Effect::Highlight(Wish::Document(wanted)));
        }
        if view::is_covered(self) {
            return None;
        }
        let wanted = self.transcript.wanted_colours(self.reply.is_some())?;
        Some(Effect::Highlight(Wish::Code(wanted)))
    }

    /// Looks for links in what a reply has said so far.
    pub(super) fn find_links(&mut self, block: usize, all: bool) {
        self.transcript.find_links(block, &self.linker, all);
    }

    /// Marks the quotation that was looked for.
    pub(super) fn mark_quotation(&mut self, citation: &Citation) {
        let target = Target::of(citation).filter(|target| self.linker.pack().document(&target.path).is_some());
        let mark = match (&citation.verdict, target) {
            (Verdict::Verified, Some(target)) => Mark::Link(target),
            (Verdict::Verified, None) => return,
            (Verdict::Unverified { .. }, _) => Mark::Doubtful,
        };
        self.transcript.mark_quotation(&citation.quote, &mark);
    }
}
