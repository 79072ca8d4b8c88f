//! Decoding one reply: choose, emit, append, until a stop rule holds.

use std::collections::VecDeque;
use std::time::Instant;

use super::sampler::{Choice, Sampler};
use super::speculation::Ahead;
use super::timeline::Timeline;
use super::worker::{EngineError, EventSink};
use super::{
    Allowed, CardExperts, Event, EventKind, Finished, GenerateOptions, Guide, GuideMaker, StopReason, Ticket, Token,
};
use crate::compute::{Backend, ComputeError};
use crate::model::Tokenizer;
use crate::trace::{CERTAIN, CLOSE_TAG, Channel, ThinkSplitter};

/// What ids mean.
#[derive(Clone)]
pub struct Vocabulary {
    pub tokenizer: Tokenizer,
    /// Ids that end a reply.
    pub eos: Vec<u32>,
    /// Ids that are never produced.
    pub unused: Vec<u32>,
}

pub(super) struct Generation<'a, B: Backend> {
    pub timeline: &'a mut Timeline<B>,
    pub vocabulary: &'a Vocabulary,
    pub options: &'a GenerateOptions,
    pub context_limit: usize,
    pub ticket: &'a Ticket,
    pub events: &'a mut EventSink,
}

/// What a reply begins with.
pub(super) enum Start {
    /// The prompt's last token, which is not in the state yet.
    Append(u32),
    /// What the model said after it.
    Logits(Vec<f32>),
}

impl<B: Backend> Generation<'_, B> {
    /// Decodes a reply, or goes on with one whose tokens so far are `resumed`.
    pub fn run(mut self, start: Start, resumed: &[u32], finished: Finished) -> Result<Finished, EngineError> {
        self.timeline.begin_reply();
        let _first = self.timeline.decoding();
        let before = self.timeline.network.residency();
        let decoded = self.decode(start, resumed, finished);
        self.timeline.settle()?;
        Ok(Finished {
            drafts: self.timeline.drafts(),
            experts: CardExperts::since(before, self.timeline.network.residency()),
            ..decoded?
        })
    }

    fn decode(&mut self, start: Start, resumed: &[u32], mut finished: Finished) -> Result<Finished, EngineError> {
        let started = Instant::now();
        let mut sampler = Sampler::new(self.options.sampling, self.vocabulary.unused.clone());
        let mut reply = Reply::new(self.options, started);
        let mut guide = self.options.guide.as_ref().map(GuideMaker::make);
        for &id in resumed {
            reply.resume(self.vocabulary.tokenizer.token_bytes(id).unwrap_or_default());
            if let Some(guide) = &mut guide {
                guide.push(id);
            }
        }
        reply.repeats_nothing();
        let (mut append, mut logits) = match start {
            Start::Append(id) => (Some(id), Vec::new()),
            Start::Logits(logits) => (None, logits),
        };
        let mut forced: VecDeque<u32> = VecDeque::new();
        finished.reason = loop {
            reply.started += self.ticket.gate.wait(&self.ticket.interrupt);
            if let Some(id) = append {
                let ahead = Ahead {
                    speculate: self.options.speculate,
                    most: if forced.is_empty() { self.room(&reply) } else { 0 },
                    guide: guide.as_deref_mut().map(|guide| guide as &mut dyn Guide),
                };
                match self.timeline.step(id, ahead, &mut logits, &self.ticket.interrupt) {
                    Ok(()) => {}
                    Err(ComputeError::Interrupted(_)) => break StopReason::Cancelled,
                    Err(error) => return Err(error.into()),
                }
            }
            if reply.tokens == resumed.len() {
                // The prompt's last token belongs to prefill.
                finished.prefill += started.elapsed();
                reply.started = Instant::now();
            }
            if let Some(reason) = self.exhausted(&reply) {
                self.timeline.keep_logits(logits);
                break reason;
            }
            if forced.is_empty() && reply.is_to_answer(self.options, self.ticket) {
                forced.extend(self.closing_tag());
            }
            let was_forced = !forced.is_empty();
            let choice = match forced.pop_front() {
                Some(id) => super::sampler::describe(&logits, id)?,
                None => match guide.as_mut().map_or(Allowed::Any, |g| g.allowed()) {
                    Allowed::Only([]) => break StopReason::EndOfSequence,
                    allowed => sampler.choose(&logits, allowed)?,
                },
            };
            if let Some(guide) = &mut guide {
                guide.push(choice.id);
            }
            if !was_forced && (self.vocabulary.eos.contains(&choice.id) || self.options.stop.contains(&choice.id)) {
                break StopReason::EndOfSequence;
            }
            let bytes = self.vocabulary.tokenizer.token_bytes(choice.id).unwrap_or_default();
            for token in reply.push(choice, bytes, was_forced) {
                self.emit(token);
            }
            append = Some(choice.id);
        };
        finished.decode = reply.started.elapsed();
        (finished.thinking_tokens, finished.answer_tokens) = (reply.thinking, reply.tokens - reply.thinking);
        for token in reply.finish() {
            self.emit(token);
        }
        Ok(finished)
    }

    /// Tokens that can be said after the one that is appended next.
    fn room(&self, reply: &Reply) -> usize {
        let said = reply.tokens - self.options.resumed.min(reply.tokens);
        let left = self.context_limit.saturating_sub(self.timeline.position() + 1);
        left.min(self.options.max_tokens.saturating_sub(said))
    }

    fn exhausted(&self, reply: &Reply) -> Option<StopReason> {
        if reply.tokens - self.options.resumed.min(reply.tokens) >= self.options.max_tokens {
            Some(StopReason::MaxTokens)
        } else if self.timeline.position() >= self.context_limit {
            Some(StopReason::ContextFull)
        } else if self.options.loop_guard > 0 && reply.certain_run >= self.options.loop_guard {
            Some(StopReason::Repetition {
                tokens: reply.certain_run,
            })
        } else {
            None
        }
    }

    /// The closing tag as the model knows it: its own token, or the text on a line of its own.
    fn closing_tag(&self) -> Vec<u32> {
        let tokenizer = &self.vocabulary.tokenizer;
        let mut ids = match tokenizer.special(CLOSE_TAG) {
            Some(id) => vec![id],
            None => tokenizer.encode(&format!("\n{CLOSE_TAG}\n\n")),
        };
        let vocab = self.timeline.network.config().vocab;
        ids.retain(|id| (*id as usize) < vocab);
        ids
    }

    fn emit(&mut self, token: Token) {
        (self.events)(Event {
            request: self.ticket.id,
            kind: EventKind::Token(token),
        });
    }
}

/// The reply so far: what has been counted and what is held back.
struct Reply {
    splitter: ThinkSplitter,
    started: Instant,
    tokens: usize,
    thinking: usize,
    /// Consecutive tokens above [`CERTAIN`].
    certain_run: usize,
    last: Option<Token>,
    /// Text that was held back when a reply stopped, and was shown then: it does not come again when it goes on.
    shown: String,
}

impl Reply {
    fn new(options: &GenerateOptions, started: Instant) -> Self {
        Self {
            splitter: ThinkSplitter::new(options.thinking_open),
            started,
            tokens: 0,
            thinking: 0,
            certain_run: 0,
            last: None,
            shown: String::new(),
        }
    }

    /// Takes a token that was said before.
    fn resume(&mut self, bytes: &[u8]) {
        let spans = self.splitter.push(bytes);
        let channel = spans.first().map_or(self.splitter.channel(), |s| s.channel);
        self.tokens += 1;
        self.thinking += usize::from(channel == Channel::Thinking);
    }

    /// What a reply that stopped has held back has been shown at its end.
    fn repeats_nothing(&mut self) {
        self.shown = self
            .splitter
            .clone()
            .finish()
            .into_iter()
            .map(|span| span.text)
            .collect();
    }

    /// Whether the thinking has to end here.
    fn is_to_answer(&self, options: &GenerateOptions, ticket: &Ticket) -> bool {
        let over = self.thinking >= options.thinking_budget || ticket.answer.is_raised();
        self.splitter.channel() == Channel::Thinking && over
    }

    /// The events of one token: one, or one for each channel it has text in.
    fn push(&mut self, choice: Choice, bytes: &[u8], forced: bool) -> Vec<Token> {
        let mut spans = self.splitter.push(bytes);
        if let Some(first) = spans.first_mut() {
            let shown = std::mem::take(&mut self.shown);
            if let Some(rest) = first.text.strip_prefix(&shown) {
                first.text = rest.to_owned();
            }
        }
        let channel = self.splitter.channel();
        let probability = choice.log_probability.exp() as f32;
        let token = Token {
            index: self.tokens,
            id: choice.id,
            text: String::new(),
            channel: spans.first().map_or(channel, |s| s.channel),
            probability,
            entropy: choice.entropy as f32,
            elapsed: self.started.elapsed(),
            forced,
        };
        self.tokens += 1;
        self.thinking += usize::from(token.channel == Channel::Thinking);
        self.certain_run = if probability > CERTAIN { self.certain_run + 1 } else { 0 };
        self.last = Some(token.clone());
        if spans.is_empty() {
            return vec![token];
        }
        spans
            .into_iter()
            .map(|span| Token {
                text: span.text,
                channel: span.channel,
                ..token.clone()
            })
            .collect()
    }

    /// What was held back for a tag or a character that never came, as more text of the last token.
    fn finish(self) -> Vec<Token> {
        let Some(last) = self.last else { return Vec::new() };
        let held = self.splitter.finish();
        // Nothing has come after what has been shown.
        let held = if self.shown.is_empty() { held } else { Vec::new() };
        held.into_iter()
            .map(|span| Token {
                text: span.text,
                channel: span.channel,
                ..last.clone()
            })
            .collect()
    }
}
