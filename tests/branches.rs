//! A conversation that is revised, stopped and continued: what the model is told depends on the turns that stand, and on nothing
//! else.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::models::{letters, random_model};
use proptest::prelude::*;
use thunderhead::compute::cpu::Cpu;
use thunderhead::context::{Layout, Selection, Template};
use thunderhead::conversation::{EngineEvents, Event, Handle, Past, Request, Revision, Setup, start};
use thunderhead::engine::{
    self, Command, Cut, Engine, EngineOptions, EventKind, Finished, GenerateOptions, Network, RequestId, StopReason,
    Submit, Ticket, Token, Vocabulary,
};
use thunderhead::model::{ChatTemplate, Tokenizer};
use thunderhead::trace::Channel;

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz<>/\u{10a}";
const VOCAB: usize = 33;
const TEMPLATE: &str = "{% for m in messages %}{{ m.role }}/{{ m.content }}<eos>{% endfor %}{% if add_generation_prompt %}ai/<think>{% endif %}";
const PATIENCE: Duration = Duration::from_mins(1);
/// Tokens of a reply, of which two are thinking and one closes it.
const LENGTH: usize = 9;

fn tokenizer() -> Tokenizer {
    letters(ALPHABET, &["<think>", "</think>", "<eos>"])
}

fn model_engine(events: EngineEvents) -> Engine {
    let (config, weights) = random_model(11, "ls", VOCAB);
    let network = Network::new(Cpu::new(1).unwrap(), config, weights).unwrap();
    // Control tokens are left to those who ask for them, so that every reply is as long as the others.
    let vocabulary = Vocabulary {
        tokenizer: tokenizer(),
        eos: vec![],
        unused: (26..VOCAB as u32).collect(),
    };
    let options = EngineOptions {
        cut: Cut { tile: 16, slab: 48 },
        context_limit: 10_000,
    };
    Engine::start(network, vocabulary, &options, events).unwrap()
}

type Prompts = Arc<Mutex<Vec<Vec<u32>>>>;

/// Keeps the prompts of whole replies.
struct Watched<S> {
    inner: S,
    prompts: Prompts,
}

impl<S: Submit> Submit for Watched<S> {
    fn submit(&self, command: Command) -> Ticket {
        if let Command::Generate { prompt, options, .. } = &command
            && options.resumed == 0
        {
            self.prompts.lock().unwrap().push(prompt.to_vec());
        }
        self.inner.submit(command)
    }
}

/// Says again what was said.
struct Script {
    events: Mutex<EngineEvents>,
    replies: Mutex<std::vec::IntoIter<Vec<Token>>>,
}

impl Submit for Script {
    fn submit(&self, command: Command) -> Ticket {
        let ticket = Ticket::new(RequestId(1));
        let mut events = self.events.lock().unwrap();
        let mut send = |kind| {
            events(engine::Event {
                request: ticket.id,
                kind,
            });
        };
        if let Command::Generate { .. } = command {
            for token in self.replies.lock().unwrap().next().unwrap() {
                send(EventKind::Token(token));
            }
        }
        send(EventKind::Finished(Finished {
            reason: StopReason::EndOfSequence,
            ..Finished::default()
        }));
        ticket
    }
}

struct Talk {
    handle: Handle,
    events: Receiver<Event>,
    prompts: Prompts,
}

impl Talk {
    fn start<S: Submit + 'static>(engine: impl FnOnce(EngineEvents) -> S + Send + 'static) -> Self {
        Self::with(LENGTH, 2, engine)
    }

    fn with<S: Submit + 'static>(
        max_tokens: usize,
        thinking_budget: usize,
        engine: impl FnOnce(EngineEvents) -> S + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chat_template.jinja"), TEMPLATE).unwrap();
        let prompts = Prompts::default();
        let kept = prompts.clone();
        let setup = Setup {
            selection: Selection::default(),
            layout: Layout::Documents(Template::default()),
            cache: None,
            tokenizer: tokenizer(),
            chat_template: ChatTemplate::load(folder.path()).unwrap(),
            context_limit: 10_000,
            places: 4,
            watch: false,
            options: GenerateOptions {
                max_tokens,
                thinking_budget,
                loop_guard: 0,
                ..GenerateOptions::default()
            },
            grounded: true,
            past: Past::default(),
            start_engine: Box::new(move |events| {
                Ok(Box::new(Watched {
                    inner: engine(events),
                    prompts: kept,
                }))
            }),
        };
        let (send, events) = channel();
        let handle = start(setup, Box::new(move |event| drop(send.send(event))));
        let talk = Self {
            handle,
            events,
            prompts,
        };
        talk.until_end();
        talk
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event")
    }

    fn until_end(&self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next();
            let end = matches!(
                event,
                Event::Finished(_) | Event::Failed { .. } | Event::Refused { .. } | Event::Estimated(_)
            );
            events.push(event);
            if end {
                return events;
            }
        }
    }

    fn request(&self, request: Request) -> Vec<Event> {
        self.handle.send(request).unwrap();
        self.until_end()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ask(String),
    /// A question that is stopped as soon as so many tokens of its reply have been heard.
    AskAndStop(String, usize),
    Again(usize),
    Edit(usize, String),
    Continue,
    Estimate(usize),
}

/// A turn as its events tell it.
#[derive(Debug, Clone, Default)]
struct Told {
    parent: Option<usize>,
    question: String,
    tokens: Vec<Token>,
}

/// All turns by number, and the last.
#[derive(Default)]
struct Tale {
    turns: BTreeMap<usize, Told>,
    last: Option<usize>,
}

impl Tale {
    fn hear(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Question(question) => {
                    let parent = match question.revises {
                        Some(revised) => self.turns[&revised].parent,
                        None => self.last,
                    };
                    self.last = Some(question.turn);
                    let told = Told {
                        parent,
                        question: question.text.clone(),
                        tokens: Vec::new(),
                    };
                    assert!(
                        self.turns.insert(question.turn, told).is_none(),
                        "a number is given once"
                    );
                }
                Event::Continued { turn } => assert_eq!(Some(*turn), self.last),
                Event::Token(token) => {
                    let told = self.turns.get_mut(&self.last.unwrap()).unwrap();
                    told.tokens.push(token.clone());
                }
                _ => {}
            }
        }
    }

    /// The turns that stand.
    fn standing(&self) -> Vec<&Told> {
        let mut path: Vec<&Told> = std::iter::successors(self.last.map(|last| &self.turns[&last]), |told| {
            Some(&self.turns[&told.parent?])
        })
        .collect();
        path.reverse();
        path
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let question = || "[a-z]{1,6}";
    let step = prop_oneof![
        3 => question().prop_map(Step::Ask),
        2 => (question(), 1..LENGTH).prop_map(|(text, n)| Step::AskAndStop(text, n)),
        2 => (1usize..6).prop_map(Step::Again),
        2 => (1usize..6, question()).prop_map(|(turn, text)| Step::Edit(turn, text)),
        3 => Just(Step::Continue),
        1 => (1usize..6).prop_map(Step::Estimate),
    ];
    prop::collection::vec(step, 1..10)
}

fn ids(tokens: &[Token]) -> Vec<u32> {
    tokens.iter().map(|token| token.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn prompts_and_replies_are_those_of_a_conversation_of_the_turns_that_stand(steps in steps()) {
        let talk = Talk::start(model_engine);
        let mut tale = Tale::default();
        for step in &steps {
            let events = match step.clone() {
                Step::Ask(question) => talk.request(Request::Ask(question)),
                Step::AskAndStop(question, after) => {
                    talk.handle.send(Request::Ask(question)).unwrap();
                    let mut events = Vec::new();
                    while events.iter().filter(|event| matches!(event, Event::Token(_))).count() < after {
                        events.push(talk.next());
                    }
                    talk.handle.send(Request::Cancel).unwrap();
                    events.extend(talk.until_end());
                    events
                }
                Step::Again(turn) => talk.request(Request::Revise(Revision { turn, question: None })),
                Step::Edit(turn, text) => talk.request(Request::Revise(Revision { turn, question: Some(text) })),
                Step::Continue => talk.request(Request::Continue),
                Step::Estimate(turn) => talk.request(Request::Estimate(Revision { turn, question: None })),
            };
            tale.hear(&events);
        }
        let standing = tale.standing();
        if standing.is_empty() {
            return Ok(());
        }

        // A new conversation about these turns, with an engine that gives the same replies, asks for them by the same prompts.
        let replies: Vec<Vec<Token>> = standing.iter().map(|told| told.tokens.clone()).collect();
        let fresh = Talk::start(move |events| Script {
            events: Mutex::new(events),
            replies: Mutex::new(replies.into_iter()),
        });
        for told in &standing {
            fresh.request(Request::Ask(told.question.clone()));
        }
        let prompts = fresh.prompts.lock().unwrap().clone();
        let last = talk.prompts.lock().unwrap().last().cloned();
        prop_assert_eq!(prompts.last(), last.as_ref());

        // And each reply, however it was stopped and continued, is what a new engine says to its prompt in one go.
        for (told, prompt) in standing.iter().zip(prompts) {
            let (send, events) = channel();
            let engine = model_engine(Box::new(move |event| drop(send.send(event))));
            engine.submit(Command::Generate {
                prompt: prompt.into(),
                marks: Arc::default(),
                options: GenerateOptions {
                    max_tokens: told.tokens.len(),
                    thinking_budget: 2,
                    thinking_open: true,
                    loop_guard: 0,
                    ..GenerateOptions::default()
                },
            });
            let mut said = Vec::new();
            while let EventKind::Prefill(_) | EventKind::Token(_) = {
                let event = events.recv_timeout(PATIENCE).unwrap().kind;
                if let EventKind::Token(token) = &event {
                    said.push(token.clone());
                }
                event
            } {}
            prop_assert_eq!(ids(&said), ids(&told.tokens));
            let texts = |tokens: &[Token]| -> Vec<(usize, Channel, String)> {
                tokens.iter().map(|token| (token.index, token.channel, token.text.clone())).collect()
            };
            prop_assert_eq!(texts(&said), texts(&told.tokens));
        }
    }
}

#[test]
fn a_reply_is_had_again_without_prefill() {
    let talk = Talk::start(model_engine);
    talk.request(Request::Ask("first".into()));
    talk.request(Request::Ask("second".into()));
    let revision = |turn| Revision { turn, question: None };
    let [Event::Estimated(estimate)] = talk.request(Request::Estimate(revision(2)))[..] else {
        panic!()
    };
    assert!(estimate.tokens - estimate.kept < 8, "{estimate:?}");
    let events = talk.request(Request::Revise(revision(2)));
    let Some(Event::Question(question)) = events.first() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (question.turn, question.revises, &*question.text),
        (3, Some(2), "second")
    );
    let Some(Event::Finished(finished)) = events.last() else {
        panic!()
    };
    assert_eq!(finished.cached_tokens, estimate.kept);
    let [Event::Refused { message }] = &talk.request(Request::Revise(revision(9)))[..] else {
        panic!()
    };
    assert!(message.contains("no turn 9"), "{message}");
}

#[test]
fn what_cannot_go_on_is_refused() {
    let talk = Talk::start(model_engine);
    assert!(matches!(&talk.request(Request::Continue)[..], [Event::Refused { .. }]));
    talk.request(Request::Ask("first".into()));
    let events = talk.request(Request::Continue);
    assert_eq!(events[0], Event::Continued { turn: 1 });
    let tokens = events.iter().filter(|event| matches!(event, Event::Token(_))).count();
    assert_eq!(tokens, LENGTH);
}

#[test]
fn an_answer_is_asked_for_and_it_is_told_who_ended_the_thinking() {
    let talk = Talk::with(5_000, 4_000, model_engine);
    talk.handle.send(Request::Ask("first".into())).unwrap();
    talk.handle.send(Request::Answer).unwrap();
    let told = |events: &[Event]| {
        events
            .iter()
            .find_map(|event| match event {
                Event::ThinkingEnded { by } => Some(*by),
                _ => None,
            })
            .unwrap()
    };
    let first = told(&talk.until_end());
    assert_eq!(first, thunderhead::conversation::Ending::Asked);
    let second = told(&talk.request(Request::Ask("second".into())));
    assert_eq!(second, thunderhead::conversation::Ending::Budget);
}
