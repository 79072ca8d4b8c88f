//! What the conversation's events do to the transcript.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::activity::Phase;
use super::super::format;
use super::super::transcript::{BlockId, Kind, Level, Thought, citation_text};
use super::plans::Plans;
use super::{App, Effect};
use crate::conversation::{Citation, Documents, Ending, Event, Question, Verdict};
use crate::engine::{Finished, StopReason, Token};
use crate::trace::{Channel, Trace};

/// Reasons that are told for files skipped or altered, and files that are named with each.
const REASONS: usize = 5;
const NAMED: usize = 3;

/// A reply that is being written.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// Where the next text of the same channel goes.
    open: Option<(Channel, BlockId)>,
    /// Where the text went that came last, if that is over.
    sealed: Option<(Channel, BlockId)>,
    /// The last block of thinking, to which its citations belong.
    thinking: Option<BlockId>,
    /// When the open thinking began and what has been decoded, on the engine's clock.
    began: Duration,
    elapsed: Duration,
    last: Option<usize>,
    answered: bool,
    cited: Vec<Citation>,
}

impl Reply {
    pub(super) fn is_answering(&self) -> bool {
        matches!(self.open, Some((Channel::Answer, _)))
    }
}

impl App {
    pub(super) fn conversation(&mut self, event: Event) -> Vec<Effect> {
        let now = self.now;
        match event {
            Event::Loading(loading) => self.activity.enter(Phase::Loading(loading), now),
            Event::Documents(documents) => return self.documents(&documents),
            Event::Planned(planned) => return self.planned(planned),
            Event::PlanFailed { message } => self.plan_failed(message),
            Event::Question(question) => self.question(question),
            Event::Prefill(prefill) => {
                self.activity.prefill(prefill, now);
                self.documents_read(prefill.done);
            }
            Event::Token(token) => self.tokens(&[token]),
            Event::Citation(citation) => self.citation(citation),
            Event::Finished(finished) => self.finished(&finished),
            Event::Failed { message } => self.failed(message),
            Event::Refused { message } => self.refused(message),
            Event::Estimated(estimated) => return self.estimated(estimated),
            Event::Continued { .. } => self.continued(),
            Event::Rewound { turn } => self.rewound(turn),
            Event::Kept { state, message } => self.kept(state, &message),
            Event::ThinkingEnded { by } => {
                let why = match by {
                    Ending::Budget => "the thinking was ended: its budget is used up",
                    Ending::Asked => "the thinking was ended, as you asked",
                };
                self.notice(Level::Detail, why);
            }
        }
        Vec::new()
    }

    pub(super) fn conversation_ended(&mut self, reason: Option<String>) {
        self.close_reply();
        self.plans = Plans::default();
        self.revisions_are_void();
        self.activity.enter(Phase::Ended, self.now);
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        self.notice(Level::Error, format!("the conversation has ended{reason}"));
        for question in std::mem::take(&mut self.queue) {
            self.notice(Level::Detail, format!("not answered: {question}"));
        }
    }

    /// A failure that comes while nothing runs is the answer to the next question, which was refused.
    fn failed(&mut self, message: String) {
        self.close_reply();
        if self.activity.phase() == Phase::Ready
            && let Some(question) = self.queue.pop_front()
        {
            self.transcript.push(Kind::Question, question);
        }
        self.activity.enter(Phase::Ready, self.now);
        (self.plans.applying, self.plans.making) = (None, None);
        self.notice(Level::Error, message);
    }

    fn documents(&mut self, documents: &Documents) -> Vec<Effect> {
        self.activity.documents(documents, self.now);
        let before = Arc::clone(self.documents.pack());
        let effects = self.plans_are_void();
        self.take_documents(documents);
        self.take_pack(documents);
        self.link_all();
        if documents.files == 0 && documents.skipped.is_empty() && documents.notes.is_empty() {
            self.notice(Level::Info, "no documents; /load PATH loads some");
            return effects;
        }
        let packed = [
            format::counted(documents.files, "file"),
            format::counted(documents.lines, "line"),
            format::counted(documents.tokens, "token"),
        ];
        self.notice(Level::Info, packed.join(", "));
        // Of documents that change, only what is new is told.
        let known: HashSet<_> = before.skipped.iter().map(|file| (&*file.path, &*file.reason)).collect();
        let skipped = documents.skipped.iter().map(|file| (&*file.path, &*file.reason));
        let skipped: Vec<_> = skipped.filter(|file| !known.contains(file)).collect();
        let known: HashSet<_> = before.notes.iter().map(|file| (&*file.path, &*file.note)).collect();
        let altered = documents.notes.iter().map(|file| (&*file.path, &*file.note));
        let altered: Vec<_> = altered.filter(|file| !known.contains(file)).collect();
        let told = [by_reason("skipped", &skipped), by_reason("altered", &altered)];
        for text in told.into_iter().flatten() {
            self.notice(Level::Detail, text);
        }
        effects
    }

    fn question(&mut self, question: Question) {
        self.close_reply();
        self.over = None;
        // Shown as it was written, if that is what was sent.
        let written = if question.revises.is_some() {
            self.revising.written(&question)
        } else {
            let first = self.queue.pop_front();
            first.filter(|text| self.as_sent(text) == question.text)
        };
        let text = written.unwrap_or_else(|| question.text.clone());
        let block = self.transcript.push(Kind::Question, &*text);
        self.put(&question, block, text);
        if let Some(asked_as) = question.asked_as {
            self.notice(Level::Detail, format!("asked as: {asked_as}"));
        }
        if question.left_out > 0 && !std::mem::replace(&mut self.revising.told_left_out, true) {
            let tokens = format::counted(question.left_out, "token");
            let text = format!("what was thought before ({tokens}) is left out of the context; answers stay in it");
            self.notice(Level::Detail, text);
        }
        self.activity.enter(Phase::Preparing, self.now);
        self.reply = Some(Reply::default());
    }

    /// The last reply goes on: in the block that it ended in.
    fn continued(&mut self) {
        let mut reply = self.over.take().unwrap_or_default();
        reply.open = reply.sealed.take();
        if let Some((Channel::Thinking, block)) = reply.open {
            let now = self.now;
            self.transcript.update_thought(block, |thought| {
                thought.began = now.saturating_sub(thought.took.take().unwrap_or_default());
                thought.trace.resume();
            });
        }
        self.activity.enter(Phase::Preparing, self.now);
        self.reply = Some(reply);
    }

    /// Tokens of one channel that follow each other.
    pub(super) fn tokens(&mut self, tokens: &[Token]) {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return;
        };
        for token in tokens {
            self.activity.token(token, self.now);
        }
        let mut reply = self.reply.take().unwrap_or_default();
        let block = match reply.open {
            Some((channel, block)) if channel == first.channel => block,
            _ => self.open_block(&mut reply, first.channel, last.elapsed),
        };
        match first.channel {
            Channel::Thinking => {
                let rate = self.activity.rate();
                self.transcript.update_thought(block, |thought| {
                    for token in tokens {
                        thought.trace.push(&token.into());
                    }
                    thought.rate = rate;
                });
            }
            Channel::Answer => {
                let text: String = tokens.iter().map(|token| &*token.text).collect();
                reply.answered |= !text.trim().is_empty();
                self.transcript.append(block, &text);
            }
        }
        self.find_links(block, false);
        reply.last = Some(last.index);
        reply.elapsed = last.elapsed;
        self.reply = Some(reply);
    }

    /// Begins the block of a channel with its first tokens, the last of which came at `elapsed` in the reply.
    fn open_block(&mut self, reply: &mut Reply, channel: Channel, elapsed: Duration) -> BlockId {
        self.seal(reply);
        let kind = match channel {
            Channel::Thinking => Kind::Thinking(Box::new(Thought {
                began: self.now.saturating_sub(elapsed.saturating_sub(reply.elapsed)),
                trace: Trace::new(Arc::clone(&self.turning), reply.elapsed),
                ..Thought::default()
            })),
            Channel::Answer => Kind::Answer,
        };
        reply.began = reply.elapsed;
        let block = self.transcript.push(kind, "");
        reply.open = Some((channel, block));
        if channel == Channel::Thinking {
            reply.thinking = Some(block);
        }
        block
    }

    /// The open block has come to its end.
    fn seal(&mut self, reply: &mut Reply) {
        if let Some((_, block)) = reply.open {
            self.find_links(block, true);
        }
        if let Some((Channel::Thinking, block)) = reply.open {
            let took = reply.elapsed.saturating_sub(reply.began);
            self.transcript
                .update_thought(block, |thought| thought.took = Some(took));
        }
        reply.sealed = reply.open.take();
    }

    /// A citation in thinking belongs to its block; one in the answer stands below it, once.
    fn citation(&mut self, citation: Citation) {
        let reply = self.reply.get_or_insert_default();
        match (citation.channel, reply.thinking) {
            (Channel::Thinking, Some(block)) => {
                self.transcript
                    .update_thought(block, |thought| thought.citations.push(citation));
            }
            _ if reply.cited.contains(&citation) => {}
            _ => {
                let verified = citation.verdict == Verdict::Verified;
                let block = self
                    .transcript
                    .push(Kind::Citation { verified }, citation_text(&citation));
                self.find_links(block, true);
                self.mark_quotation(&citation);
                if let Some(reply) = &mut self.reply {
                    reply.cited.push(citation);
                }
            }
        }
    }

    pub(super) fn close_reply(&mut self) -> Option<Reply> {
        let mut reply = self.reply.take()?;
        self.seal(&mut reply);
        Some(reply)
    }

    fn finished(&mut self, finished: &Finished) {
        let partial = finished.reason == StopReason::Cancelled && matches!(self.activity.phase(), Phase::Prefill(_));
        self.activity.finished(finished, self.now);
        self.documents_read(if partial {
            self.activity.context().0
        } else {
            finished.prompt_tokens
        });
        let stopped = match finished.reason {
            StopReason::Prefilled | StopReason::EndOfSequence => None,
            StopReason::MaxTokens => Some("token limit"),
            StopReason::ContextFull => Some("context full"),
            StopReason::Repetition { .. } => Some("repeated itself"),
            StopReason::Cancelled => Some("cancelled"),
        };
        // An answer that was stopped does not make its thinking one.
        let thinking = self.reply.as_ref().and_then(|reply| reply.open);
        if let Some((Channel::Thinking, block)) = thinking {
            self.transcript
                .update_thought(block, |thought| thought.stopped = stopped);
        }
        if let Some(block) = self.reply.as_ref().and_then(|reply| reply.thinking) {
            let experts = finished.experts;
            self.transcript
                .update_thought(block, |thought| thought.experts = experts);
        }
        let reply = self.close_reply();
        let (answered, written) = match &reply {
            Some(reply) => (reply.answered, reply.last.is_some()),
            None => (true, false),
        };
        self.over = reply;
        let text = match finished.reason {
            StopReason::Prefilled => return,
            StopReason::EndOfSequence if answered => return,
            StopReason::EndOfSequence => "the model ended its reply without an answer".to_owned(),
            StopReason::MaxTokens => "stopped: the reply reached its token limit; /continue goes on".to_owned(),
            StopReason::ContextFull => "stopped: the context is full".to_owned(),
            StopReason::Repetition { tokens } => {
                format!(
                    "stopped: the model was repeating itself, for {} tokens",
                    format::count(tokens)
                )
            }
            StopReason::Cancelled if written => "cancelled; what was written is kept, and /continue goes on".to_owned(),
            StopReason::Cancelled => {
                "cancelled; what was read is kept, and the next question goes on from it".to_owned()
            }
        };
        self.notice(Level::Info, text);
    }
}

/// `9 files skipped` and, a line each, the reasons with the files: `binary: a.bin, b.bin, c.bin and 6 more`.
fn by_reason(what: &str, files: &[(&str, &str)]) -> Option<String> {
    let mut lines = vec![format!("{} {what}", format::counted(files.len(), "file"))];
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for &(path, reason) in files {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, paths)) => paths.push(path),
            None => reasons.push((reason, vec![path])),
        }
    }
    for (reason, paths) in reasons.iter().take(REASONS) {
        let named = paths[..paths.len().min(NAMED)].join(", ");
        let more = match paths.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {} more", format::count(more)),
        };
        lines.push(format!("{reason}: {named}{more}"));
    }
    let rest: usize = reasons.iter().skip(REASONS).map(|(_, paths)| paths.len()).sum();
    if rest > 0 {
        lines.push(format!("{} for other reasons", format::count(rest)));
    }
    (lines.len() > 1).then(|| lines.join("\n"))
}
