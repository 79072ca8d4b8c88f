//! A record as turns with their replies.

use std::collections::HashMap;
use std::time::Duration;

use crate::conversation::{Citation, Event};
use crate::engine::StopReason;
use crate::session::past::Past;
use crate::session::read::Record;
use crate::trace::Channel;

/// What was said, in the order in which it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Talk {
    pub title: String,
    pub model: String,
    /// Milliseconds since 1970; 0 if that is not known.
    pub began: u64,
    pub documents: Vec<String>,
    pub turns: Vec<TalkTurn>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct TalkTurn {
    pub number: usize,
    pub revises: Option<usize>,
    /// The turn before it.
    pub parent: Option<usize>,
    /// It is a part of the conversation as it stands.
    pub stands: bool,
    pub question: String,
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Thinking {
        text: String,
        tokens: usize,
        took: Duration,
    },
    Answer(String),
    /// Below the answer, each once.
    Citation(Citation),
    /// What became of the reply, if it did not end by itself.
    Note(String),
}

impl Talk {
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let past = Past::of(record);
        let mut turns: Vec<TalkTurn> = Vec::new();
        let mut parents: HashMap<usize, Option<usize>> = HashMap::new();
        let mut standing = None;
        let mut last = None;
        for (_, event) in &record.events {
            match event {
                Event::Question(question) => {
                    let number = question.turn.max(turns.last().map_or(1, |turn| turn.number + 1));
                    let parent = match question.revises {
                        Some(revised) => parents.get(&revised).copied().flatten(),
                        None => standing,
                    };
                    parents.insert(number, parent);
                    standing = Some(number);
                    last = None;
                    turns.push(TalkTurn {
                        number,
                        revises: question.revises,
                        parent,
                        question: question.text.clone(),
                        ..TalkTurn::default()
                    });
                }
                Event::Rewound { turn } => standing = Some(*turn).filter(|&turn| turn > 0),
                event => {
                    if let Some(turn) = turns.last_mut() {
                        turn.take(event, &mut last);
                    }
                }
            }
        }
        let mut on_path = standing;
        for turn in turns.iter_mut().rev() {
            if on_path == Some(turn.number) {
                turn.stands = true;
                on_path = turn.parent;
            }
        }
        Self {
            title: past.title(),
            model: record.header.model.clone(),
            began: record.header.began,
            documents: past.order,
            turns,
        }
    }
}

impl TalkTurn {
    /// `last` is the index of the last token, and when it came.
    fn take(&mut self, event: &Event, last: &mut Option<(usize, Duration)>) {
        match event {
            Event::Token(token) => {
                // One that crosses a tag comes twice.
                let again = last.is_some_and(|(index, _)| index == token.index);
                let before = last.map_or(Duration::ZERO, |(_, elapsed)| elapsed);
                *last = Some((token.index, token.elapsed));
                match (token.channel, self.text_so_far(token.channel)) {
                    (Channel::Thinking, Some(Piece::Thinking { text, tokens, took })) => {
                        text.push_str(&token.text);
                        *tokens += usize::from(!again);
                        *took += token.elapsed.saturating_sub(before);
                    }
                    (Channel::Answer, Some(Piece::Answer(text))) => text.push_str(&token.text),
                    (Channel::Thinking, _) => self.pieces.push(Piece::Thinking {
                        text: token.text.clone(),
                        tokens: 1,
                        took: token.elapsed.saturating_sub(before),
                    }),
                    (Channel::Answer, _) => self.pieces.push(Piece::Answer(token.text.clone())),
                }
            }
            Event::Citation(citation) if citation.channel == Channel::Answer => {
                let piece = Piece::Citation(citation.clone());
                if !self.pieces.contains(&piece) {
                    self.pieces.push(piece);
                }
            }
            Event::Finished(finished) => {
                let why = match finished.reason {
                    StopReason::EndOfSequence | StopReason::Prefilled => return,
                    StopReason::MaxTokens => "stopped at its token limit",
                    StopReason::ContextFull => "stopped: the context was full",
                    StopReason::Repetition { .. } => "stopped: it repeated itself",
                    StopReason::Cancelled => "cancelled",
                };
                self.pieces.push(Piece::Note(why.to_owned()));
            }
            Event::Failed { message } => self.pieces.push(Piece::Note(message.clone())),
            _ => {}
        }
    }

    /// The piece that a token of a channel goes on with: citations stand in between.
    fn text_so_far(&mut self, channel: Channel) -> Option<&mut Piece> {
        let said = |piece: &&mut Piece| !matches!(piece, Piece::Citation(_));
        let last = self.pieces.iter_mut().rev().find(said)?;
        match (&*last, channel) {
            (Piece::Thinking { .. }, Channel::Thinking) | (Piece::Answer(_), Channel::Answer) => Some(last),
            _ => None,
        }
    }
}

/// The same session without what was thought.
pub(super) fn without_thinking(record: &Record) -> Record {
    let is_thought = |event: &Event| match event {
        Event::Token(token) => token.channel == Channel::Thinking,
        Event::Citation(citation) => citation.channel == Channel::Thinking,
        _ => false,
    };
    let mut kept = 0;
    // How many are kept before each.
    let mut before = Vec::with_capacity(record.events.len() + 1);
    for (_, event) in &record.events {
        before.push(kept);
        kept += usize::from(!is_thought(event));
    }
    before.push(kept);
    let mut less = record.clone();
    less.events.retain(|(_, event)| !is_thought(event));
    for (index, ..) in &mut less.notes {
        *index = before.get(*index).copied().unwrap_or(kept);
    }
    less.questions.clear();
    less
}
