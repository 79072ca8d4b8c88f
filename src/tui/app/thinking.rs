//! What a person does with thinking: how much of it shows, and in which light.

use super::super::transcript::{Account, Fold, Level};
use super::App;
use crate::config::ThinkingFold;

/// What was set, as folds; nothing is the usual way.
pub(super) fn default_fold(fold: ThinkingFold) -> Option<Fold> {
    match fold {
        ThinkingFold::Auto => None,
        ThinkingFold::Folded => Some(Fold::Folded),
        ThinkingFold::Window => Some(Fold::Window),
        ThinkingFold::Full => Some(Fold::Full),
    }
}

impl App {
    /// What the headers of thoughts tell beside the thoughts.
    pub(crate) fn thinking_account(&self) -> Account {
        let reply = &self.setup.settings.reply;
        Account {
            now: self.now,
            budget: reply.thinking_budget.size(),
            loop_guard: reply.loop_guard.size(),
        }
    }

    /// All thinking in the next way, but what was chosen for one block.
    pub(super) fn cycle_default_fold(&mut self) {
        let (next, text) = match self.transcript.default_fold() {
            None => (Some(Fold::Folded), "folded, with its last rows while it is live"),
            Some(Fold::Folded) => (Some(Fold::Window), "in a window of its last 200 rows"),
            Some(Fold::Window) => (Some(Fold::Full), "in full"),
            Some(Fold::Full) => (None, "in a window while it is live, and folded when it is over"),
        };
        self.transcript.set_default_fold(next);
        self.notice(Level::Info, format!("thinking is shown {text}"));
    }

    pub(super) fn toggle_heat(&mut self) {
        self.transcript.set_heat(!self.transcript.has_heat());
    }
}
