//! The session on the disk: going on with it, going back in it, parting from it.

use super::super::activity::Activity;
use super::super::transcript::Level;
use super::{App, Effect};
use crate::conversation::{Event, KeptState};

impl App {
    /// Takes what was said in a session that is gone on with, and what it left unanswered.
    pub fn go_on(&mut self, opening: Vec<Event>, unanswered: Vec<String>, notices: Vec<String>) {
        if !opening.is_empty() {
            self.recall(opening);
            // All of that is over; nothing has been heard of what begins now.
            self.close_reply();
            (self.reply, self.over) = (None, None);
            self.activity = Activity::default();
            self.unlinked = true;
        }
        for notice in notices {
            self.notice(Level::Info, notice);
        }
        let mut unanswered = unanswered.into_iter();
        if let Some(last) = unanswered.next_back() {
            for text in unanswered {
                self.notice(Level::Detail, format!("not answered: {text}"));
            }
            self.composer.replace(last);
            self.notice(
                Level::Info,
                "what you sent last was not answered, and is in the field again",
            );
        }
        self.fit();
    }

    /// Finds the documents in what was said before they were there.
    pub(super) fn link_all(&mut self) {
        if std::mem::take(&mut self.unlinked) {
            for block in 0..self.transcript.blocks().len() {
                self.find_links(block, true);
            }
        }
    }

    pub(super) fn kept(&mut self, state: KeptState, message: &str) {
        match state {
            KeptState::Told => self.notice(Level::Info, message),
            KeptState::Waiting | KeptState::Lost => {
                self.unkept = Some(state);
                self.notice(Level::Error, message);
            }
            KeptState::Resumed => {
                self.unkept = None;
                self.notice(Level::Info, message);
            }
        }
    }

    /// What is wrong with keeping the session, for as long as it is.
    pub(in super::super) fn unkept(&self) -> Option<&'static str> {
        Some(match self.unkept? {
            KeptState::Waiting => "disk full: waiting",
            _ => "not kept",
        })
    }

    /// `/rewind [N]`: back to after a question and its reply; without a number, to before the last.
    pub(super) fn rewind(&mut self, argument: &str) -> Vec<Effect> {
        if self.is_answering() {
            return Vec::new();
        }
        let turn = match argument {
            "" => self.revising.standing().map(|turn| self.revising.before(turn)),
            number => number.parse().ok().filter(|&turn| self.revising.has(turn)),
        };
        match turn {
            Some(turn) => vec![Effect::Rewind(turn)],
            None if argument.is_empty() => {
                self.notice(Level::Error, "there is nothing to go back from");
                Vec::new()
            }
            None => {
                self.notice(
                    Level::Error,
                    format!("there is no question {argument} to go back to; 0 is before the first"),
                );
                Vec::new()
            }
        }
    }

    pub(super) fn rewound(&mut self, turn: usize) {
        self.close_reply();
        self.over = None;
        self.go_back_to(turn);
        let text = match turn {
            0 => "back at the beginning; what was said stays there, dimmed".to_owned(),
            turn => format!("back after question {turn}; what came after it stays there, dimmed"),
        };
        self.notice(Level::Detail, text);
    }

    /// `/fork [N]`: another session that has everything up to a question and its reply, and to go on with that.
    pub(super) fn fork(&mut self, argument: &str) -> Vec<Effect> {
        let turn = match argument {
            "" => self.revising.standing(),
            number => number.parse().ok().filter(|&turn| self.revising.has(turn)),
        };
        if self.setup.session.is_none() {
            self.notice(
                Level::Error,
                "this conversation is not kept, so that nothing can part from it",
            );
            return Vec::new();
        }
        let Some(turn) = turn else {
            let text = match argument {
                "" => "nothing has been asked yet".to_owned(),
                _ => format!("there is no question {argument}; 0 is before the first"),
            };
            self.notice(Level::Error, text);
            return Vec::new();
        };
        if self.is_answering() {
            return Vec::new();
        }
        vec![Effect::Fork(turn)]
    }

    /// Says so if a question is being answered, or waits for that.
    fn is_answering(&mut self) -> bool {
        if self.reply.is_some() {
            self.tell("a reply is being written; Esc stops it");
        } else if !self.queue.is_empty() {
            self.tell("a question waits for its answer; Esc stops it");
        } else {
            return false;
        }
        true
    }
}
