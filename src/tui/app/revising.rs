//! Turns that are had again: another reply to a question, or another question in its place.
//!
//! What was said stays where it is; what is no part of the conversation any more is only drawn as past. First it is asked what
//! it costs to go back: what is soon done is done at once, and what takes longer waits for a yes.

use std::time::Duration;

use super::super::activity::Phase;
use super::super::format;
use super::super::transcript::{BlockId, Level};
use super::{App, Effect};
use crate::conversation::{Estimated, Question, Revision};

/// What takes longer is asked about.
const SOON: Duration = Duration::from_secs(5);
/// What is more is asked about while it is not known how fast this machine reads.
const FEW: usize = 4096;

#[derive(Debug, Default)]
pub struct Revising {
    turns: Vec<Put>,
    /// The question that is being written again, and what was in the field before.
    pub editing: Option<(usize, String)>,
    /// What it is being worked out for what it costs.
    pub working: Option<Wanted>,
    /// What waits for an answer, with its price.
    pub asked: Option<(Wanted, Estimated)>,
    /// What has been sent off.
    sent: Option<Wanted>,
    /// The turn that the conversation was taken back to, until the next question; 0 is before the first.
    back: Option<usize>,
    /// It has been told that earlier thinking is not in the context.
    pub told_left_out: bool,
}

/// A question that was put to the model.
#[derive(Debug)]
struct Put {
    turn: usize,
    /// The turn before it.
    parent: Option<usize>,
    block: BlockId,
    /// As it was written.
    text: String,
}

/// A revision, with the question as it was written, if there is a new one.
#[derive(Debug)]
pub struct Wanted {
    pub revision: Revision,
    written: Option<String>,
}

impl Revising {
    fn turn(&self, number: usize) -> Option<&Put> {
        self.turns.iter().rfind(|put| put.turn == number)
    }

    /// The turn that the conversation stands at, if it does at one.
    pub fn standing(&self) -> Option<usize> {
        match self.back {
            Some(turn) => Some(turn).filter(|&turn| turn > 0),
            None => self.turns.last().map(|put| put.turn),
        }
    }

    /// The turn before one; 0 is none.
    pub fn before(&self, turn: usize) -> usize {
        self.turn(turn).and_then(|put| put.parent).unwrap_or(0)
    }

    /// Whether one can go back to it.
    pub fn has(&self, turn: usize) -> bool {
        turn == 0 || self.turn(turn).is_some()
    }

    /// All turns with those before them and what was asked, in their order.
    pub fn tree(&self) -> impl Iterator<Item = (usize, Option<usize>, &str)> {
        self.turns.iter().map(|put| (put.turn, put.parent, &*put.text))
    }

    /// The blocks of a question with its reply: the first, and the first of the next one, if there is one.
    pub fn blocks(&self, turn: usize) -> Option<(BlockId, Option<BlockId>)> {
        let at = self.turns.iter().rposition(|put| put.turn == turn)?;
        Some((self.turns[at].block, self.turns.get(at + 1).map(|next| next.block)))
    }

    /// The question that a block belongs to, and what it was.
    pub fn turn_of(&self, block: BlockId) -> Option<(usize, &str)> {
        let put = self.turns.iter().rfind(|put| put.block <= block)?;
        Some((put.turn, &put.text))
    }

    /// The questions that took each other's place, the oldest first; those last that were put again last.
    pub fn versions(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<(Option<usize>, Vec<usize>)> = Vec::new();
        for put in &self.turns {
            let at = groups.iter().position(|(parent, _)| *parent == put.parent);
            let mut group = at.map_or((put.parent, Vec::new()), |at| groups.remove(at));
            group.1.push(put.turn);
            groups.push(group);
        }
        groups.into_iter().map(|(_, turns)| turns).collect()
    }

    /// What the person wrote, of a question that takes the place of another.
    pub fn written(&mut self, question: &Question) -> Option<String> {
        let revised = question.revises?;
        let sent = self.sent.take().filter(|wanted| wanted.revision.turn == revised);
        match sent {
            Some(Wanted {
                revision,
                written: Some(written),
            }) => (revision.question.as_ref() == Some(&question.text)).then_some(written),
            Some(_) => self.turn(revised).map(|put| put.text.clone()),
            None => None,
        }
    }
}

impl App {
    /// Takes note of a question that is on its way, and shows as past what is no part of the conversation any more.
    pub(super) fn put(&mut self, question: &Question, block: BlockId, text: String) {
        let turns = &self.revising.turns;
        let last = turns.last().map(|put| put.turn);
        let parent = match question.revises {
            Some(revised) => turns.iter().rfind(|put| put.turn == revised).and_then(|put| put.parent),
            None => self.revising.standing(),
        };
        self.revising.back = None;
        let again = question
            .revises
            .and_then(|revised| self.revising.turn(revised))
            .map(|put| put.text == text);
        // A record may not number its turns.
        let turn = question.turn.max(last.map_or(1, |last| last.saturating_add(1)));
        self.revising.turns.push(Put {
            turn,
            parent,
            block,
            text,
        });
        if let Some(again) = again {
            self.mark_past();
            let text = if again {
                "another reply in the place of the one above, which stays there, dimmed"
            } else {
                "in the place of a question above; what was said stays there, dimmed"
            };
            self.notice(Level::Detail, text);
        }
    }

    /// Of all turns those are past that do not lead to the last one.
    fn mark_past(&mut self) {
        let turns = &self.revising.turns;
        let mut standing = self.revising.standing();
        let mut end = self.transcript.blocks().len();
        let mut ranges = Vec::new();
        for put in turns.iter().rev() {
            let stands = standing == Some(put.turn);
            if stands {
                standing = put.parent;
            }
            ranges.push((put.block..end, !stands));
            end = put.block;
        }
        for (range, past) in ranges {
            self.transcript.set_past(range, past);
        }
    }

    /// The conversation stands after this turn again.
    pub(super) fn go_back_to(&mut self, turn: usize) {
        self.revising.back = Some(turn);
        self.mark_past();
    }

    /// The turn that `argument` names; without it the one that is being read, or else the last.
    fn named_turn(&mut self, argument: &str) -> Option<(usize, String)> {
        let reading = self.focus() == super::Focus::Conversation;
        let read = reading.then(|| self.transcript.cursor_block());
        let read = read.and_then(|block| self.revising.turns.iter().rfind(|put| put.block <= block));
        let found = match argument {
            "" if read.is_some() => read,
            "" => self.revising.turns.last(),
            number => number.parse().ok().and_then(|number| self.revising.turn(number)),
        };
        let found = found.map(|put| (put.turn, put.text.clone()));
        if found.is_none() {
            let text = match argument {
                "" => "nothing has been asked yet".to_owned(),
                _ => format!("there is no question {argument}; the first is 1"),
            };
            self.notice(Level::Error, text);
        }
        found
    }

    /// `/retry [N]`: another reply to the last question, or to an earlier one.
    pub(super) fn retry(&mut self, argument: &str) -> Vec<Effect> {
        let Some((turn, _)) = self.named_turn(argument) else {
            return Vec::new();
        };
        self.estimate(Wanted {
            revision: Revision { turn, question: None },
            written: None,
        })
    }

    /// `/edit [N]`: the last question, or an earlier one, back in the field.
    pub(super) fn edit_question(&mut self, argument: &str) {
        if let Some((turn, text)) = self.named_turn(argument) {
            self.leave_editing();
            let draft = self.composer.whole();
            self.composer.replace(text);
            self.revising.editing = Some((turn, draft));
            self.focus_on(super::Focus::Composer);
        }
    }

    /// Lets go of a question that is being written again; whether there was one.
    pub(super) fn leave_editing(&mut self) -> bool {
        let editing = self.revising.editing.take();
        if let Some((_, draft)) = &editing {
            self.composer.replace(draft);
        }
        editing.is_some()
    }

    /// Has it worked out what a revision costs. What is being written is stopped, for it would be past as well.
    fn estimate(&mut self, wanted: Wanted) -> Vec<Effect> {
        if self.activity.phase() == Phase::Ended {
            self.notice(
                Level::Error,
                "the conversation has ended; nothing can be asked any more",
            );
            return Vec::new();
        }
        let mut effects = Vec::new();
        if self.reply.is_some() {
            self.activity.cancel();
            effects.push(Effect::Cancel);
        }
        effects.push(Effect::Estimate(wanted.revision.clone()));
        self.revising.asked = None;
        self.revising.working = Some(wanted);
        effects
    }

    /// The question in the field, in the place of the one that it was.
    pub(super) fn send_edited(&mut self, turn: usize, text: String) -> Vec<Effect> {
        let revision = Revision {
            turn,
            question: Some(self.as_sent(&text)),
        };
        self.estimate(Wanted {
            revision,
            written: Some(text),
        })
    }

    /// What something costs, in words.
    pub fn price(&self, estimated: &Estimated) -> String {
        let missing = estimated.tokens.saturating_sub(estimated.kept);
        let time = self.activity.prefill_time(missing).or_else(|| estimated.time());
        format::replay(estimated.kept, estimated.tokens, time)
    }

    pub(super) fn estimated(&mut self, estimated: Estimated) -> Vec<Effect> {
        let wanted = self
            .revising
            .working
            .take_if(|wanted| wanted.revision.turn == estimated.turn);
        let Some(wanted) = wanted else {
            // What the next question has to read after it was gone back.
            if self.revising.back == Some(estimated.turn) {
                let text = format!("the next question: {}", self.price(&estimated));
                self.notice(Level::Detail, text);
            }
            return Vec::new();
        };
        let tokens = estimated.tokens.saturating_sub(estimated.kept);
        let is_soon = match self.activity.prefill_time(tokens).or_else(|| estimated.time()) {
            Some(time) => time <= SOON,
            None => tokens <= FEW,
        };
        if is_soon {
            return self.revise(wanted);
        }
        self.revising.asked = Some((wanted, estimated));
        Vec::new()
    }

    fn revise(&mut self, wanted: Wanted) -> Vec<Effect> {
        let revision = wanted.revision.clone();
        self.revising.sent = Some(wanted);
        self.transcript.follow();
        vec![Effect::Revise(revision)]
    }

    /// The price is agreed to.
    pub(super) fn agree(&mut self) -> Vec<Effect> {
        match self.revising.asked.take() {
            Some((wanted, _)) => self.revise(wanted),
            None => Vec::new(),
        }
    }

    /// It is not: a question that was written is in the field again.
    pub(super) fn disagree(&mut self) {
        if let Some((wanted, _)) = self.revising.asked.take() {
            self.give_back(wanted);
        }
    }

    fn give_back(&mut self, wanted: Wanted) {
        if let Some(written) = wanted.written {
            let draft = self.composer.whole();
            self.composer.replace(written);
            self.revising.editing = Some((wanted.revision.turn, draft));
        }
    }

    /// Something was not possible.
    pub(super) fn refused(&mut self, message: String) {
        let sent = self.revising.sent.take();
        if let Some(wanted) = self.revising.working.take().or(sent) {
            self.give_back(wanted);
        }
        self.notice(Level::Error, message);
    }

    /// Nothing will be answered any more.
    pub(super) fn revisions_are_void(&mut self) {
        (self.revising.working, self.revising.sent, self.revising.asked) = (None, None, None);
    }

    /// Ends the thinking of the reply that is being written.
    pub(super) fn answer_now(&mut self) -> Vec<Effect> {
        if self.reply.as_ref().is_some_and(|reply| !reply.is_answering()) {
            return vec![Effect::AnswerNow];
        }
        self.tell("nothing is being thought that could be ended");
        Vec::new()
    }

    /// Goes on with the last reply.
    pub(super) fn continue_reply(&mut self) -> Vec<Effect> {
        if self.reply.is_some() {
            self.tell("the reply is still being written");
            return Vec::new();
        }
        vec![Effect::Continue]
    }
}
