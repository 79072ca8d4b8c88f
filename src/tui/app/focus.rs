//! Which pane has the keys, and what they mean there.

use super::super::keymap::Context;
use super::super::view;
use super::super::viewer::Viewer;
use super::{App, Effect};

/// What the keys are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Focus {
    /// Writing a question.
    #[default]
    Composer,
    /// Reading.
    Conversation,
    Documents,
    Inspector,
}

impl App {
    pub(in crate::tui) fn focus(&self) -> Focus {
        self.focus
    }

    /// Gives the keys to a pane, which is shown then.
    pub(super) fn focus_on(&mut self, focus: Focus) {
        self.focus = focus;
        self.inspector.over = false;
        match focus {
            Focus::Documents => (self.documents.shown, self.beside) = (true, focus),
            Focus::Inspector => (self.inspector.shown, self.beside) = (true, focus),
            Focus::Composer | Focus::Conversation => {}
        }
        self.documents.message = None;
    }

    /// Whether a line is being written that is not the question.
    pub(super) fn is_prompting(&self) -> bool {
        self.palette.is_some()
            || self.picker.is_some()
            || self.search.is_prompting()
            || self.viewer.as_ref().is_some_and(Viewer::is_prompting)
            || (self.viewer.is_none()
                && match self.focus {
                    Focus::Documents => self.documents.is_filtering(),
                    Focus::Composer => self.composer.search.is_some(),
                    Focus::Inspector => self.inspector.is_filtering(),
                    Focus::Conversation => false,
                })
    }

    /// Where keys have their meaning now, the most specific first.
    pub(in crate::tui) fn contexts(&self) -> Vec<Context> {
        if self.help.is_some() {
            return vec![Context::Help, Context::Global];
        }
        if self.picker.is_some() && self.palette.is_none() {
            return vec![Context::Sessions, Context::Prompt, Context::Global];
        }
        if self.is_prompting() {
            let of_search = (self.palette.is_none() && self.search.is_prompting()).then_some(Context::Search);
            return of_search
                .into_iter()
                .chain([Context::Prompt, Context::Global])
                .collect();
        }
        if self.compare.is_some() && self.viewer.is_none() {
            return vec![Context::Compare, Context::Global];
        }
        if self.ledger.is_some() && self.viewer.is_none() {
            return vec![Context::Ledger, Context::Global];
        }
        if self.viewer.is_some() {
            return vec![Context::Viewer, Context::Global];
        }
        let mut contexts = Vec::new();
        // What costs is agreed to only when its price can be seen.
        if !view::areas(self).plan.is_empty() {
            contexts.push(Context::Plan);
        }
        match self.focus {
            Focus::Composer => {
                let text = self.composer.text();
                contexts.extend(text.is_empty().then_some(Context::Empty));
                contexts.extend(text.starts_with('/').then_some(Context::Slash));
                contexts.push(Context::Composer);
            }
            Focus::Conversation => contexts.push(Context::Conversation),
            Focus::Documents => contexts.push(Context::Documents),
            Focus::Inspector => contexts.push(Context::Inspector),
        }
        contexts.extend([Context::Panes, Context::Global]);
        contexts
    }

    /// Gives the keys to the pane after this one, of those that are shown.
    pub(super) fn next_pane(&mut self, forward: bool) {
        let all = [
            (Focus::Composer, true),
            (Focus::Documents, self.documents.shown),
            (Focus::Conversation, true),
            (Focus::Inspector, self.inspector.shown),
        ];
        let shown: Vec<Focus> = all
            .iter()
            .filter(|(_, shown)| *shown)
            .map(|&(focus, _)| focus)
            .collect();
        let here = shown.iter().position(|&focus| focus == self.focus).unwrap_or(0);
        let step = if forward { 1 } else { shown.len() - 1 };
        self.focus_on(shown[(here + step) % shown.len()]);
    }

    /// Shows the documents and gives them the keys, or closes them if they have them.
    pub(super) fn toggle_documents(&mut self) {
        if self.focus == Focus::Documents {
            self.close_documents();
        } else {
            self.focus_on(Focus::Documents);
        }
    }

    pub(super) fn close_documents(&mut self) {
        self.documents.shown = false;
        self.focus_on(Focus::Composer);
    }

    /// Shows the inspector and gives it the keys, or closes it if it has them.
    pub(super) fn toggle_inspector(&mut self) {
        if self.focus == Focus::Inspector {
            self.inspector.shown = false;
            self.focus_on(Focus::Composer);
        } else {
            self.focus_on(Focus::Inspector);
        }
    }

    /// Shows the inspector over the conversation, until something is chosen in it.
    pub(super) fn inspect_over(&mut self) {
        self.beneath = self.focus;
        self.focus = Focus::Inspector;
        self.inspector.over = true;
    }

    /// Esc while nothing runs: lets go of what is selected, else from writing to reading and back.
    pub(super) fn step_back(&mut self) -> Vec<Effect> {
        if self.search.is_active() && self.focus == Focus::Conversation {
            self.search.forget();
        } else if !self.leave_editing() && !self.transcript.let_go() {
            self.focus_on(match self.focus {
                Focus::Composer => Focus::Conversation,
                Focus::Inspector if self.inspector.over => self.beneath,
                _ => Focus::Composer,
            });
        }
        Vec::new()
    }
}
