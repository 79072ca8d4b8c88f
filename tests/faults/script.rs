//! A conversation that says the same each time, and somebody who asks and listens.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use thunderhead::conversation::{Event, Handle, KeptState, Question, Request, Sink};
use thunderhead::engine::{Finished, StopReason, Token};
use thunderhead::session::store::{Left, Open, Pace, keep};
use thunderhead::session::{Note, Record, Sent};
use thunderhead::trace::Channel;

const PATIENCE: Duration = Duration::from_secs(20);

/// What somebody saw.
#[derive(Debug, Default)]
pub struct Heard {
    /// Of the conversation.
    pub events: Vec<Event>,
    /// The questions that the conversation got.
    pub answered: Vec<String>,
    pub waited: bool,
    pub resumed: bool,
    pub lost: bool,
    /// There was no room when it was left, and all of it was kept elsewhere.
    pub left: bool,
    pub copied: Option<Record>,
}

/// Asks so many questions, one after the other, and listens until the last is answered or the disk is dead.
pub fn converse(open: Open, pace: Pace, disk: &super::Shared, questions: usize, tokens: usize) -> Heard {
    let (send, events) = channel();
    let dead = disk.clone();
    let sink: Sink = Box::new(move |event| {
        // A process that is dead shows nothing any more.
        if !dead.is_dead() {
            let _ = send.send(event);
        }
    });
    let (handle, keeper) = keep(open, sink, pace, |sink| scripted(sink, tokens));
    let mut heard = Heard::default();
    for number in 0..questions {
        handle.send(Request::Ask(format!("question {number}"))).unwrap();
        loop {
            match events.recv_timeout(Duration::from_millis(5)) {
                Ok(event) => {
                    let is_end = matches!(event, Event::Finished(_));
                    heard.take(event);
                    if is_end {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) if disk.is_dead() => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }
    drop(handle);
    if let Left::Full(mut rest) = keeper.finish(PATIENCE) {
        heard.left = true;
        // Somewhere else there is room, for all of it.
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = elsewhere.path().join("copy.jsonl");
        rest.copy_to(&copy).unwrap();
        heard.copied = Some(Record::open(&copy).unwrap());
        while rest.retry().is_err() {
            assert!(!disk.is_dead(), "it was not full but broken");
        }
        assert_eq!(rest.lines(), 0);
    }
    for event in events.try_iter() {
        heard.take(event);
    }
    heard
}

impl Heard {
    fn take(&mut self, event: Event) {
        match event {
            Event::Kept { state, .. } => match state {
                KeptState::Waiting => self.waited = true,
                KeptState::Resumed => self.resumed = true,
                KeptState::Lost => self.lost = true,
                KeptState::Told => {}
            },
            event => {
                if let Event::Question(question) = &event {
                    self.answered.push(question.text.clone());
                }
                self.events.push(event);
            }
        }
    }
}

/// Answers every question with so many tokens.
fn scripted(mut sink: Sink, tokens: usize) -> Handle {
    let (handle, requests) = channel();
    thread::spawn(move || {
        let mut turn = 0;
        for request in requests {
            let Request::Ask(text) = request else { continue };
            turn += 1;
            sink(Event::Question(Question {
                turn,
                text,
                ..Question::default()
            }));
            for index in 0..tokens {
                sink(Event::Token(token(index, index * 2 < tokens)));
            }
            sink(Event::Finished(Finished {
                reason: StopReason::EndOfSequence,
                prompt_tokens: 9,
                thinking_tokens: tokens / 2,
                answer_tokens: tokens / 2,
                ..Finished::default()
            }));
        }
    });
    Handle::new(handle)
}

pub fn token(index: usize, thinks: bool) -> Token {
    Token {
        index,
        id: index as u32 + 1,
        text: format!(" word{index}"),
        channel: if thinks { Channel::Thinking } else { Channel::Answer },
        probability: 0.5,
        entropy: 0.25,
        elapsed: Duration::from_millis(index as u64),
        forced: false,
    }
}

/// What was sent, as it is written down.
pub fn texts(record: &Record) -> Vec<String> {
    let sent = |note: &Note| match note {
        Note::Sent {
            what: Sent::Ask { text },
            ..
        } => Some(text.clone()),
        _ => None,
    };
    record.notes.iter().filter_map(|(_, _, note)| sent(note)).collect()
}

/// Whether every event of a record is one of another, in its order.
pub fn kept_in_order(record: &Record, all: &Record) -> bool {
    let mut rest = all.events.iter();
    record
        .events
        .iter()
        .all(|(_, event)| rest.any(|(_, known)| known == event))
}
