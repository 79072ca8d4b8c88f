//! Whether the person is there, and telling them when something long is over while they are not.

use std::time::Duration;

use super::super::activity::Phase;
use super::super::format;
use super::super::notify::Notification;
use super::{App, Effect, Input};
use crate::trace::Channel;

/// What is known of where the person looks.
#[derive(Debug, Default)]
pub struct Attention {
    /// Whether the terminal has the focus, if it says it.
    focused: Option<bool>,
    /// When the last key came, or another sign of the person.
    seen: Option<Duration>,
    job: Option<Job>,
    /// Nothing is told for now.
    muted: bool,
}

/// What runs, from the first step on to the last.
#[derive(Debug, Clone, Copy)]
struct Job {
    began: Duration,
    replying: bool,
    cancelled: bool,
}

impl App {
    /// Takes note of an input before it has its effect.
    pub(super) fn attend(&mut self, input: &Input) {
        match input {
            Input::Focus(focused) => self.attention.focused = Some(*focused),
            Input::Key(_) | Input::Paste(_) | Input::Mouse(_) => self.attention.seen = Some(self.now),
            _ => {}
        }
    }

    /// Looks whether a job has begun or ended; what is to be told of it.
    pub(super) fn after_job(&mut self) -> Option<Effect> {
        if self.activity.is_busy() {
            let began = self.now;
            let job = self.attention.job.get_or_insert(Job {
                began,
                replying: false,
                cancelled: false,
            });
            job.replying |= matches!(self.activity.phase(), Phase::Replying(_));
            job.cancelled |= self.activity.is_cancelling();
            return None;
        }
        // What waits begins at once.
        if !self.queue.is_empty() && self.activity.phase() != Phase::Ended {
            return None;
        }
        let job = self.attention.job.take()?;
        let took = self.now.saturating_sub(job.began);
        let after = Duration::from_secs(self.setup.settings.notify.after.0);
        if job.cancelled || took < after || self.attention.muted || self.is_watched(job) {
            return None;
        }
        let what = match self.activity.phase() {
            Phase::Ended => "the conversation has ended",
            _ if job.replying => "the reply is there",
            _ if self.activity.has_documents() => "the documents are read",
            _ => "the documents could not be read",
        };
        Some(Effect::Notify(Notification {
            title: "thunderhead".to_owned(),
            body: format!("{what}, after {}", format::clock(took)),
        }))
    }

    /// Of a terminal that does not say, a person is taken to look at it who did something since the job began.
    fn is_watched(&self, job: Job) -> bool {
        let seen = self.attention.seen.is_some_and(|seen| seen > job.began);
        self.attention.focused.unwrap_or(seen)
    }

    pub(super) fn toggle_notifications(&mut self) {
        self.attention.muted = !self.attention.muted;
        let after = self.setup.settings.notify.after.0;
        let text = if self.attention.muted {
            "nothing is told any more when something long is over".to_owned()
        } else {
            format!("when something took {after} s and you look elsewhere, the terminal tells it")
        };
        self.tell(text);
    }

    /// What the terminal is called while this goes on; it changes with the work, not with the time.
    #[must_use]
    pub fn title(&self) -> String {
        let phase = match self.activity.phase() {
            _ if self.activity.is_cancelling() => "cancelling".to_owned(),
            Phase::Starting | Phase::Preparing => "preparing".to_owned(),
            Phase::Loading(loading) => format!("loading {}%", format::percent(loading.files, loading.total_files)),
            Phase::Prefill(prefill) => format!("prefill {}%", format::percent(prefill.done, prefill.total)),
            Phase::Replying(Channel::Thinking) => "thinking".to_owned(),
            Phase::Replying(Channel::Answer) => "answering".to_owned(),
            Phase::Ready => "ready".to_owned(),
            Phase::Ended => "ended".to_owned(),
        };
        format!("{phase} · thunderhead")
    }
}
