//! What has been said, as a tree: a question that takes the place of another begins a branch, and nothing is lost.

use std::mem;

use super::Event;
use crate::model::{Message, Role};
use crate::trace::Channel;

/// A question and its reply.
#[derive(Debug)]
struct Turn {
    /// The turn before it.
    parent: Option<usize>,
    question: String,
    /// What the reply answered; empty until it has.
    answer: String,
    /// What was thought before it, and in how many tokens.
    thinking: String,
    thought: usize,
    /// How many turns it takes the place of, one after the other.
    version: u64,
}

/// All turns, numbered from 1, and the one that the conversation stands at.
#[derive(Debug, Default)]
pub(super) struct Turns {
    all: Vec<Turn>,
    last: Option<usize>,
}

impl Turns {
    fn get(&self, number: usize) -> Option<&Turn> {
        self.all.get(number.checked_sub(1)?)
    }

    pub fn question(&self, number: usize) -> Option<&str> {
        self.get(number).map(|turn| &*turn.question)
    }

    /// The turn before a new one, which takes the place of `revises`.
    pub fn before(&self, revises: Option<usize>) -> Option<usize> {
        match revises {
            Some(number) => self.get(number).and_then(|turn| turn.parent),
            None => self.last,
        }
    }

    /// The turns up to this one that have an answer, the last first.
    fn told(&self, up_to: Option<usize>) -> impl Iterator<Item = &Turn> {
        let path = std::iter::successors(up_to.and_then(|number| self.get(number)), |turn| self.get(turn.parent?));
        path.filter(|turn| !turn.answer.is_empty())
    }

    /// What a model is told of all turns up to this one; with what was thought in them, if that is wanted.
    pub fn history(&self, up_to: Option<usize>, thinking: bool) -> Vec<Message> {
        let mut messages: Vec<Message> = self
            .told(up_to)
            .flat_map(|turn| {
                let thinking = thinking && !turn.thinking.is_empty();
                let answer = Message {
                    thinking: thinking.then(|| turn.thinking.clone()),
                    ..Message::new(Role::Assistant, &turn.answer)
                };
                [answer, Message::new(Role::User, &turn.question)]
            })
            .collect();
        messages.reverse();
        messages
    }

    /// Tokens that were thought in the turns up to this one.
    pub fn thought(&self, up_to: Option<usize>) -> usize {
        self.told(up_to).map(|turn| turn.thought).sum()
    }

    /// How many turns one that revises this would take the place of.
    pub fn version(&self, revises: Option<usize>) -> u64 {
        revises
            .and_then(|number| self.get(number))
            .map_or(0, |turn| turn.version + 1)
    }

    /// Begins a turn, at which the conversation stands from now on; gives its number.
    pub fn begin(&mut self, question: &str, revises: Option<usize>) -> usize {
        self.all.push(Turn {
            parent: self.before(revises),
            question: question.to_owned(),
            answer: String::new(),
            thinking: String::new(),
            thought: 0,
            version: self.version(revises),
        });
        self.last = Some(self.all.len());
        self.all.len()
    }

    /// The conversation stands after this turn again, 0 is before the first; whether there is such a turn.
    pub fn go_back(&mut self, number: usize) -> bool {
        let known = number <= self.all.len();
        if known {
            self.last = Some(number).filter(|&number| number > 0);
        }
        known
    }

    pub fn answered(&mut self, number: usize, said: &Said) {
        let turn = number.checked_sub(1).and_then(|index| self.all.get_mut(index));
        if let Some(turn) = turn {
            said.answer.trim().clone_into(&mut turn.answer);
            said.thinking.trim().clone_into(&mut turn.thinking);
            turn.thought = said.thought;
        }
    }
}

/// What a reply said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub answer: String,
    pub thinking: String,
    /// Tokens of thinking.
    pub thought: usize,
}

impl Said {
    pub fn token(&mut self, channel: Channel, text: &str) {
        match channel {
            Channel::Answer => self.answer.push_str(text),
            Channel::Thinking => {
                self.thinking.push_str(text);
                self.thought += 1;
            }
        }
    }
}

/// Turns that were kept, for a conversation to go on from.
#[derive(Debug, Default)]
pub struct Past(pub(super) Turns);

/// So many turns that are missing in what was kept are made up for; it has lost more if it is no conversation.
const MISSING: usize = 1000;

impl Past {
    /// What these events came to.
    #[must_use]
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut turns = Turns::default();
        let (mut number, mut said) = (0, Said::default());
        for event in events {
            match event {
                Event::Question(question) => {
                    turns.answered(number, &mem::take(&mut said));
                    // Those that come keep their numbers.
                    let missing = question.turn.saturating_sub(turns.all.len() + 1);
                    for _ in 0..missing.min(MISSING) {
                        turns.begin("", None);
                    }
                    number = turns.begin(&question.text, question.revises);
                }
                Event::Token(token) => said.token(token.channel, &token.text),
                Event::Rewound { turn } => drop(turns.go_back(*turn)),
                _ => {}
            }
        }
        turns.answered(number, &said);
        Self(turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: &str) -> Said {
        Said {
            answer: answer.to_owned(),
            thinking: "hm".to_owned(),
            thought: 2,
        }
    }

    fn told(turns: &Turns) -> String {
        let history = turns.history(turns.before(None), false);
        let contents: Vec<_> = history.into_iter().map(|message| message.content).collect();
        contents.join(" ")
    }

    #[test]
    fn a_revision_takes_the_place_of_a_turn_and_of_what_came_after_it() {
        let mut turns = Turns::default();
        for (question, answer) in [("a", " A\n"), ("b", "B"), ("c", "C")] {
            let number = turns.begin(question, None);
            turns.answered(number, &said(answer));
        }
        assert_eq!(told(&turns), "a A b B c C");
        let number = turns.begin("b2", Some(2));
        assert_eq!((number, turns.before(None), turns.version(Some(4))), (4, Some(4), 2));
        assert_eq!(told(&turns), "a A", "one without an answer is not told");
        turns.answered(4, &said("B2"));
        assert_eq!(told(&turns), "a A b2 B2");
        turns.begin("c3", Some(3));
        turns.answered(5, &said("C3"));
        assert_eq!(told(&turns), "a A b B c3 C3", "back on the first branch");
        turns.begin("x", Some(99));
        turns.answered(6, &said("X"));
        assert_eq!(told(&turns), "x X");
        assert_eq!(
            (turns.question(4), turns.question(0), turns.question(9)),
            (Some("b2"), None, None)
        );
        turns.answered(0, &said("nothing"));
        assert!(turns.go_back(2) && !turns.go_back(99));
        assert_eq!(told(&turns), "a A b B");
        assert_eq!(turns.thought(turns.before(None)), 4);
        let thoughts = turns.history(Some(2), true);
        let thoughts: Vec<_> = thoughts.iter().map(|message| message.thinking.as_deref()).collect();
        assert_eq!(thoughts, [None, Some("hm"), None, Some("hm")]);
        assert!(turns.go_back(0));
        assert_eq!(told(&turns), "");
    }
}
