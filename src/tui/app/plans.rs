//! Changes to the documents: asked for, planned with what they would cost, and then made or forgotten.
//!
//! The conversation works out one plan at a time, and keeps only the one that it made last: a new one takes the place of
//! both, so the newest change that was asked for is the only one that is waited for. While it keeps a plan that was asked
//! for it does not look at the disk, so each is made or discarded, never just dropped. A plan that is still shown and
//! not kept any more is made again when it is answered with yes, and asks once more.

use std::time::Duration;

use super::super::activity::Phase;
use super::super::documents::keys::Answer;
use super::super::format;
use super::super::keymap::Chord;
use super::super::transcript::Level;
use super::super::view;
use super::super::words;
use super::{App, Effect, Focus};
use crate::conversation::{Cause, Change, Planned};

#[derive(Debug, Default)]
pub struct Plans {
    /// What was asked for last.
    pub change: Change,
    /// Since when it is being worked out.
    pub working: Option<Duration>,
    /// What was asked for, and waits for an answer.
    pub asked: Option<Planned>,
    /// What has changed on the disk.
    pub changed: Option<Planned>,
    /// A change is being made, or will be when the reply is done.
    pub applying: Option<Applying>,
    /// What is being made, and what has been.
    pub making: Option<Change>,
    pub made: Vec<Change>,
    /// The plan that the conversation keeps.
    kept: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applying {
    Now,
    AfterReply,
    /// After something else that runs.
    Later,
}

/// By how many tokens a plan is too large.
#[must_use]
pub fn excess(planned: &Planned) -> Option<usize> {
    let limit = planned.context_limit;
    (limit > 0 && planned.tokens > limit).then(|| planned.tokens - limit)
}

impl App {
    /// Has a change worked out.
    pub(super) fn plan(&mut self, change: Change) -> Vec<Effect> {
        if self.activity.phase() == Phase::Ended {
            self.notice(
                Level::Error,
                "the conversation has ended; nothing can be loaded any more",
            );
            return Vec::new();
        }
        let mut effects = self.forget();
        self.plans.working = Some(self.now);
        self.plans.change = change.clone();
        effects.push(Effect::Plan(change));
        effects
    }

    /// `/load`, `/unload`, `/include`: a change from words as in a shell.
    pub(super) fn plan_of_words(&mut self, line: &str, what: &str, change: fn(Vec<String>) -> Change) -> Vec<Effect> {
        match words::split(line) {
            Ok(words) if words.is_empty() => self.notice(Level::Error, format!("say what to {what}: /{what} NAME…")),
            Ok(words) => return self.plan(change(words)),
            Err(message) => self.notice(Level::Error, message),
        }
        Vec::new()
    }

    /// Takes in what has changed on the disk, or, if nothing is known to have changed, has everything read again.
    pub(super) fn reload(&mut self) -> Vec<Effect> {
        match &self.plans.changed {
            Some(planned) if self.plans.kept == Some(planned.id) => {
                let planned = planned.clone();
                self.apply(&planned)
            }
            _ => self.plan(Change::default()),
        }
    }

    pub(super) fn planned(&mut self, planned: Planned) -> Vec<Effect> {
        self.plans.kept = Some(planned.id);
        let nothing = planned.added.is_empty() && planned.removed.is_empty() && planned.changed.is_empty();
        match planned.cause {
            Cause::Changed => {
                self.documents
                    .set_changed(&[&*planned.changed, &*planned.removed].concat());
                self.plans.changed = (!nothing).then_some(planned);
            }
            Cause::Asked => {
                self.plans.working = None;
                let told = nothing.then(|| nothing_to_do(&planned));
                self.plans.asked = Some(planned);
                if let Some(told) = told {
                    self.notice(Level::Info, told);
                    return self.forget();
                }
            }
        }
        Vec::new()
    }

    pub(super) fn plan_failed(&mut self, message: String) {
        self.plans.working = None;
        (self.plans.applying, self.plans.making) = (None, None);
        self.notice(Level::Error, message);
    }

    /// The documents are new: what was planned for the old ones is void, and what is still asked for is planned anew.
    pub(super) fn plans_are_void(&mut self) -> Vec<Effect> {
        (self.plans.changed, self.plans.applying) = (None, None);
        let made = self.plans.making.take();
        self.plans.made.extend(made);
        match &self.plans.asked {
            Some(_) => self.plan(self.plans.change.clone()),
            None => Vec::new(),
        }
    }

    /// Whether a key answers what is planned; while something is written, only Esc does.
    pub(super) fn can_answer(&self, answer: Answer, chords: &[Chord]) -> bool {
        let writing = self.focus == Focus::Composer && !self.composer.is_empty();
        let is_escape = chords.iter().all(|chord| chord.code.is_esc());
        let asked = self.plans.asked.is_some() || self.revising.asked.is_some();
        match answer {
            Answer::Apply => asked && !writing,
            Answer::Forget => asked && (!writing || is_escape),
            Answer::Reload => !asked && self.plans.changed.is_some() && !writing,
        }
    }

    pub(super) fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        let of_turn = self.revising.asked.is_some();
        match answer {
            Answer::Apply if of_turn => self.agree(),
            Answer::Forget if of_turn => {
                self.disagree();
                Vec::new()
            }
            Answer::Apply => self.confirm(),
            Answer::Forget => self.forget(),
            Answer::Reload => self.reload(),
        }
    }

    fn confirm(&mut self) -> Vec<Effect> {
        match self.plans.asked.take() {
            Some(planned) if excess(&planned).is_some() => {
                // It cannot be agreed to; it stays until it is forgotten.
                self.plans.asked = Some(planned);
                Vec::new()
            }
            Some(planned) if self.plans.kept == Some(planned.id) => self.apply(&planned),
            Some(_) => self.plan(self.plans.change.clone()),
            None => Vec::new(),
        }
    }

    fn forget(&mut self) -> Vec<Effect> {
        let Some(planned) = self.plans.asked.take() else {
            return Vec::new();
        };
        if self.plans.kept == Some(planned.id) {
            self.plans.kept = None;
            return vec![Effect::Discard(planned.id)];
        }
        Vec::new()
    }

    fn apply(&mut self, planned: &Planned) -> Vec<Effect> {
        if let Some(excess) = excess(planned) {
            let text = format!("the documents would be {} too long", format::counted(excess, "token"));
            self.notice(Level::Error, text);
            return Vec::new();
        }
        self.plans.kept = None;
        self.plans.making = (planned.cause == Cause::Asked).then(|| self.plans.change.clone());
        self.plans.applying = Some(match self.activity.is_busy() {
            true if self.reply.is_some() => Applying::AfterReply,
            true => Applying::Later,
            false => Applying::Now,
        });
        vec![Effect::Apply(planned.id)]
    }
}

/// `nothing to change`, with what stays out.
fn nothing_to_do(planned: &Planned) -> String {
    let refused = planned.refused.iter().take(view::plan::REFUSED);
    let refused = refused.map(|skipped| format!("{} stays out: {}", skipped.path, skipped.reason));
    std::iter::once("the documents would stay as they are".to_owned())
        .chain(refused)
        .collect::<Vec<_>>()
        .join("\n")
}
