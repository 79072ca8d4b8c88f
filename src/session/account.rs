//! The turns of a session and their figures.

use std::time::Duration;

use crate::conversation::Event;
use crate::engine::{Finished, StopReason};
use crate::trace::Channel;

/// A question and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub number: usize,
    /// The turn whose place it takes.
    pub revises: Option<usize>,
    pub question: String,
    pub thinking_tokens: usize,
    pub answer_tokens: usize,
    pub citations: usize,
    /// Prefill and decoding together.
    pub took: Duration,
    /// How the reply ended; nothing if the record does not say, or it failed.
    pub reason: Option<StopReason>,
}

/// The turns of a session, in the order in which they were asked.
#[must_use]
pub fn turns<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut last_token = None;
    for event in events {
        if let Event::Question(question) = event {
            last_token = None;
            turns.push(Turn {
                number: question.turn.max(turns.len() + 1),
                revises: question.revises,
                question: question.text.clone(),
                thinking_tokens: 0,
                answer_tokens: 0,
                citations: 0,
                took: Duration::ZERO,
                reason: None,
            });
        }
        let Some(turn) = turns.last_mut() else { continue };
        match event {
            // One that crosses a tag comes twice.
            Event::Token(token) if last_token != Some(token.index) => {
                last_token = Some(token.index);
                turn.took = turn.took.max(token.elapsed);
                match token.channel {
                    Channel::Thinking => turn.thinking_tokens += 1,
                    Channel::Answer => turn.answer_tokens += 1,
                }
            }
            Event::Citation(_) => turn.citations += 1,
            Event::Finished(Finished {
                reason,
                prefill,
                decode,
                ..
            }) if *reason != StopReason::Prefilled => {
                turn.took = *prefill + *decode;
                turn.reason = Some(*reason);
            }
            _ => {}
        }
    }
    turns
}
