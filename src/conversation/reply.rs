//! Reading a reply of the bundled model.
//!
//! The model writes `<think>` quotation `<ln>` number `</think>` and then `<ln>` number, or a value, and `<eos>`. Its
//! numbers mean nothing to a person: each is held until its last digit and shown as `path:line`. Every number is a claim
//! and is checked; where a value is asked for, the claim is complete only with the value, so it is checked at the end.
//!
//! Everything is told from token ids, not from text: a document may contain the very text of a control token.

use std::sync::Arc;
use std::time::Duration;

use super::evidence::{Answer, Asked, check};
use super::quote::QuoteModel;
use super::value::bare;
use super::{Citation, Event};
use crate::context::{Line, Pack, sanitize};
use crate::engine::Token;
use crate::trace::Channel;

/// A number with more digits is no line of anything.
const MAX_DIGITS: usize = 18;

/// Where the model says that a value stands.
#[derive(Clone, Copy)]
enum Place {
    Unsaid,
    /// At the line with this running number; `None` if no line could have it.
    At(Option<usize>),
}

/// A reply as it comes.
pub(super) struct QuoteReply {
    model: QuoteModel,
    pack: Arc<Pack>,
    asked: Asked,
    channel: Channel,
    /// Digits of a number that may go on.
    number: Option<String>,
    /// Bytes of a character that is not complete.
    partial: Vec<u8>,
    /// Marks at the end of a value so far, which are not shown if they end its statement.
    marks: String,
    /// What was quoted last, and what is being quoted.
    quote: String,
    quoting: Vec<u8>,
    /// Where a value is said to stand.
    place: Place,
    answer: Vec<u8>,
    answer_tokens: usize,
    last: Option<Token>,
}

impl QuoteReply {
    pub fn new(model: QuoteModel, pack: Arc<Pack>, asked: Asked) -> Self {
        Self {
            model,
            pack,
            asked,
            channel: Channel::Answer,
            number: None,
            partial: Vec::new(),
            marks: String::new(),
            quote: String::new(),
            quoting: Vec::new(),
            place: Place::Unsaid,
            answer: Vec::new(),
            answer_tokens: 0,
            last: None,
        }
    }

    /// Takes the tokens of a reply that goes on; what they show has been shown.
    pub fn resume(&mut self, ids: &[u32]) {
        for (index, &id) in ids.iter().enumerate() {
            self.token(&Token {
                index,
                id,
                text: String::new(),
                channel: Channel::Thinking,
                probability: 0.0,
                entropy: 0.0,
                elapsed: Duration::ZERO,
                forced: false,
            });
        }
    }

    /// Takes a token of the engine and gives what a person sees of it.
    pub fn token(&mut self, token: &Token) -> Vec<Event> {
        if self.last.as_ref().is_some_and(|last| last.index == token.index) {
            return Vec::new();
        }
        let ids = self.model.ids;
        let bytes = self.model.tokenizer.token_bytes(token.id).unwrap_or_default().to_vec();
        if let (Some(digits), [b'0'..=b'9']) = (&mut self.number, bytes.as_slice()) {
            digits.push(char::from(bytes[0]));
            return vec![self.show(token, "")];
        }
        let (mut text, citation) = self.end_of_number();
        if token.id == ids.line {
            text.push_str(&self.complete_text());
            self.number = Some(String::new());
            if !self.quoting.is_empty() {
                self.quote = String::from_utf8_lossy(&std::mem::take(&mut self.quoting)).into_owned();
            }
        } else if [ids.think, ids.end_think, ids.eos].contains(&token.id) {
            text.push_str(&self.complete_text());
        } else {
            match self.channel {
                Channel::Thinking => self.quoting.extend_from_slice(&bytes),
                Channel::Answer => {
                    self.answer.extend_from_slice(&bytes);
                    self.answer_tokens += 1;
                }
            }
            let characters = self.decode(&bytes);
            text.push_str(&self.without_marks(&characters));
        }
        if token.id == ids.think {
            self.channel = Channel::Thinking;
        }
        let mut events = vec![self.show(token, &text)];
        if self.last.as_ref().is_some_and(|last| last.id == ids.end_think) {
            self.channel = Channel::Answer;
        }
        events.extend(citation.map(Event::Citation));
        events
    }

    /// The end of the reply: what was held, and the check of a value.
    pub fn finish(&mut self) -> Vec<Event> {
        let (mut text, citation) = self.end_of_number();
        text.push_str(&self.complete_text());
        let mut citations: Vec<Citation> = citation.into_iter().collect();
        if let Place::At(place) = std::mem::replace(&mut self.place, Place::Unsaid) {
            let answer = String::from_utf8_lossy(&self.answer).into_owned();
            let given = Answer {
                text: &answer,
                tokens: self.answer_tokens,
            };
            let answered = self.channel == Channel::Answer && !answer.trim().is_empty();
            if answered {
                text.push('\n');
                text.push_str(&self.line_shown(place));
            }
            citations.push(self.check(place, answered.then_some(given)));
        }
        let mut events = Vec::new();
        if !text.is_empty()
            && let Some(last) = self.last.clone()
        {
            events.push(self.show(&last, &text));
        }
        events.extend(citations.into_iter().map(Event::Citation));
        events
    }

    fn show(&mut self, token: &Token, text: &str) -> Event {
        let mut shown = token.clone();
        shown.text = sanitize(text).into_owned();
        shown.channel = self.channel;
        self.last = Some(shown.clone());
        Event::Token(shown)
    }

    /// What a number that has ended is shown as, and the check of its claim.
    fn end_of_number(&mut self) -> (String, Option<Citation>) {
        let Some(digits) = self.number.take().filter(|digits| !digits.is_empty()) else {
            return (String::new(), None);
        };
        let running = Some(digits)
            .filter(|d| d.len() <= MAX_DIGITS)
            .and_then(|d| d.parse().ok());
        let valued = self.asked.kind.wants_value();
        let text = match self.channel {
            Channel::Answer if !valued => self.line_shown(running),
            _ => format!(" {}", self.place_shown(running)),
        };
        if valued {
            self.place = Place::At(running);
            return (text, None);
        }
        (text, Some(self.check(running, None)))
    }

    fn check(&self, running: Option<usize>, answer: Option<Answer<'_>>) -> Citation {
        check(&self.pack, &self.asked, running, &self.quote, answer, self.channel)
    }

    fn place_shown(&self, running: Option<usize>) -> String {
        match running.and_then(|n| self.pack.line(n)) {
            Some(Line { document, number, .. }) => format!("{}:{number}", document.path),
            None => "(no such line)".into(),
        }
    }

    /// The place and the line that stands there.
    fn line_shown(&self, running: Option<usize>) -> String {
        let line = running.and_then(|n| self.pack.line(n)).map(|line| line.text.trim());
        let place = self.place_shown(running);
        line.map_or_else(|| place.clone(), |line| format!("{place}\n    {line}"))
    }

    /// Text of a value but for the marks that it ends in so far.
    fn without_marks(&mut self, text: &str) -> String {
        if self.channel == Channel::Thinking || !self.asked.kind.wants_value() {
            return text.to_owned();
        }
        let whole = std::mem::take(&mut self.marks) + text;
        let (shown, marks) = whole.split_at(bare(&whole).len());
        marks.clone_into(&mut self.marks);
        shown.to_owned()
    }

    /// The characters that `bytes` completes.
    fn decode(&mut self, bytes: &[u8]) -> String {
        self.partial.extend_from_slice(bytes);
        let incomplete = match std::str::from_utf8(&self.partial) {
            Err(e) if e.error_len().is_none() => self.partial.len() - e.valid_up_to(),
            Err(_) => incomplete_tail(&self.partial),
            Ok(_) => 0,
        };
        let tail = self.partial.split_off(self.partial.len() - incomplete);
        let whole = std::mem::replace(&mut self.partial, tail);
        String::from_utf8_lossy(&whole).into_owned()
    }

    fn complete_text(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned()
    }
}

/// How many bytes at the end could be the beginning of a character, where something before them is invalid.
fn incomplete_tail(bytes: &[u8]) -> usize {
    let unfinished = |n: &usize| {
        let tail = &bytes[bytes.len() - n..];
        matches!(std::str::from_utf8(tail), Err(e) if e.valid_up_to() == 0 && e.error_len().is_none())
    };
    (1..=bytes.len().min(3)).rev().find(unfinished).unwrap_or(0)
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
