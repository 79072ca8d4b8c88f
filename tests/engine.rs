//! The engine through its messages: reuse of what is there, stop rules, cancelling.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::models::{letters, random_model, table_model};
use thunderhead::compute::Interrupt;
use thunderhead::compute::cpu::Cpu;
use thunderhead::engine::{
    Allowed, Command, Cut, Engine, EngineOptions, Estimate, Event, EventKind, Finished, GenerateOptions, Guide,
    GuideMaker, Network, Prefill, Sampling, StopReason, Submit, Ticket, Token, Vocabulary,
};
use thunderhead::model::{ModelConfig, ModelWeights, TensorView};
use thunderhead::trace::Channel;

/// The last is how byte-level tokenizers write a newline.
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz<>/\u{10a}";
const THINK: u32 = 30;
const END_THINK: u32 = 31;
const EOS: u32 = 32;
const VOCAB: usize = 33;
/// Longer than any step of these tests takes on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn vocabulary() -> Vocabulary {
    Vocabulary {
        tokenizer: letters(ALPHABET, &["<think>", "</think>", "<eos>"]),
        eos: vec![EOS],
        unused: vec![],
    }
}

/// The same without an end of sequence.
fn endless() -> Vocabulary {
    Vocabulary {
        eos: vec![],
        ..vocabulary()
    }
}

fn id(letter: char) -> u32 {
    ALPHABET.find(letter).unwrap() as u32
}

fn ids(text: &str) -> Vec<u32> {
    text.chars().map(id).collect()
}

/// An engine and what it says. `on_event` runs on the engine's thread, before the event is passed on.
struct Talk {
    engine: Engine,
    events: Receiver<Event>,
}

impl Talk {
    fn with(
        (config, weights): (ModelConfig, ModelWeights<TensorView>),
        vocabulary: Vocabulary,
        options: &EngineOptions,
        mut on_event: impl FnMut(&Event) + Send + 'static,
    ) -> Self {
        let (send, events) = channel();
        let network = Network::new(Cpu::new(1).unwrap(), config, weights).unwrap();
        let sink = Box::new(move |event: Event| {
            on_event(&event);
            let _ = send.send(event);
        });
        Self {
            engine: Engine::start(network, vocabulary, options, sink).unwrap(),
            events,
        }
    }

    fn new(model: (ModelConfig, ModelWeights<TensorView>)) -> Self {
        Self::with(
            model,
            vocabulary(),
            &EngineOptions {
                cut: Cut { tile: 16, slab: 48 },
                context_limit: 1000,
            },
            |_| {},
        )
    }

    fn prefill(&self, tokens: &[u32]) -> Outcome {
        self.prefill_marked(tokens, &[])
    }

    fn prefill_marked(&self, tokens: &[u32], marks: &[usize]) -> Outcome {
        let ticket = self.engine.submit(Command::Prefill {
            tokens: tokens.into(),
            marks: marks.into(),
        });
        self.collect(&ticket)
    }

    fn generate(&self, prompt: &[u32], options: GenerateOptions) -> Outcome {
        self.generate_marked(prompt, &[], options)
    }

    fn generate_marked(&self, prompt: &[u32], marks: &[usize], options: GenerateOptions) -> Outcome {
        let ticket = self.engine.submit(Command::Generate {
            prompt: prompt.into(),
            marks: marks.into(),
            options,
        });
        self.collect(&ticket)
    }

    fn estimate(&self, prompt: &[u32]) -> Estimate {
        self.engine.submit(Command::Estimate { prompt: prompt.into() });
        match self.events.recv_timeout(PATIENCE).expect("the engine answers").kind {
            EventKind::Estimated(estimate) => estimate,
            other => panic!("{other:?}"),
        }
    }

    fn collect(&self, ticket: &Ticket) -> Outcome {
        let mut outcome = Outcome {
            prefill: vec![],
            tokens: vec![],
            end: Err("nothing".to_owned()),
        };
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("the engine answers");
            assert_eq!(event.request, ticket.id);
            match event.kind {
                EventKind::Prefill(p) => outcome.prefill.push(p),
                EventKind::Token(t) => outcome.tokens.push(t),
                EventKind::Finished(f) => {
                    outcome.end = Ok(f);
                    return outcome;
                }
                EventKind::Estimated(_) => panic!("nothing was estimated"),
                EventKind::Failed(message) => {
                    outcome.end = Err(message);
                    return outcome;
                }
            }
        }
    }
}

#[derive(Debug)]
struct Outcome {
    prefill: Vec<Prefill>,
    tokens: Vec<Token>,
    end: Result<Finished, String>,
}

impl Outcome {
    fn finished(&self) -> Finished {
        *self.end.as_ref().unwrap()
    }

    fn reason(&self) -> StopReason {
        self.finished().reason
    }

    fn text(&self, channel: Channel) -> String {
        self.tokens
            .iter()
            .filter(|t| t.channel == channel)
            .map(|t| t.text.as_str())
            .collect()
    }

    fn ids(&self) -> Vec<u32> {
        self.tokens.iter().map(|t| t.id).collect()
    }
}

/// After each letter of `cycle` comes the next one, for certain.
fn follows(cycle: &'static [u32]) -> (ModelConfig, ModelWeights<TensorView>) {
    table_model(VOCAB, move |i| {
        let at = cycle.iter().position(|c| *c == i);
        at.map(|at| (cycle[(at + 1) % cycle.len()], 30.0)).into_iter().collect()
    })
}

#[test]
fn a_reply_ends_at_the_end_of_sequence_and_is_split_into_channels() {
    let talk = Talk::new(follows(&[0, THINK, 1, 2, END_THINK, 3, 4, EOS]));
    let outcome = talk.generate(&ids("a"), GenerateOptions::default());
    assert_eq!(outcome.reason(), StopReason::EndOfSequence);
    assert_eq!(
        (outcome.text(Channel::Thinking), outcome.text(Channel::Answer)),
        ("bc".to_owned(), "de".to_owned())
    );
    assert_eq!(outcome.ids(), [THINK, 1, 2, END_THINK, 3, 4]);
    assert_eq!(
        outcome.tokens.iter().map(|t| t.index).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5]
    );
    assert!(
        outcome
            .tokens
            .iter()
            .all(|t| t.probability > 0.99 && t.entropy < 0.01 && !t.forced)
    );
    let finished = outcome.finished();
    assert_eq!(
        (
            finished.prompt_tokens,
            finished.thinking_tokens + finished.answer_tokens
        ),
        (1, 6)
    );
}

#[test]
fn a_prompt_that_opens_the_tag_begins_in_thinking() {
    let talk = Talk::new(follows(&[0, 1, END_THINK, 2, EOS]));
    let outcome = talk.generate(
        &ids("a"),
        GenerateOptions {
            thinking_open: true,
            ..Default::default()
        },
    );
    assert_eq!(
        (outcome.text(Channel::Thinking), outcome.text(Channel::Answer)),
        ("b".to_owned(), "c".to_owned())
    );
}

#[test]
fn max_tokens_and_the_context_are_limits() {
    let talk = Talk::new(follows(&[0, 1, 2]));
    let outcome = talk.generate(
        &ids("a"),
        GenerateOptions {
            max_tokens: 7,
            ..Default::default()
        },
    );
    assert_eq!((outcome.reason(), outcome.tokens.len()), (StopReason::MaxTokens, 7));

    let options = EngineOptions {
        cut: Cut { tile: 16, slab: 48 },
        context_limit: 10,
    };
    let talk = Talk::with(follows(&[0, 1, 2]), vocabulary(), &options, |_| {});
    let outcome = talk.generate(&ids("abc"), GenerateOptions::default());
    assert_eq!((outcome.reason(), outcome.tokens.len()), (StopReason::ContextFull, 7));
    let outcome = talk.generate(&ids("abcabcabcabc"), GenerateOptions::default());
    let message = outcome.end.unwrap_err();
    assert!(message.contains("12") && message.contains("10"), "{message}");
}

#[test]
fn the_thinking_budget_closes_the_tag_and_the_answer_follows() {
    // Thinks b c b c … for ever; after the closing tag it answers d and ends.
    let model = || {
        table_model(VOCAB, |i| match i {
            0 => vec![(THINK, 30.0)],
            THINK | 2 => vec![(1, 30.0)],
            1 => vec![(2, 30.0)],
            // the tag, or the newline that it ends in where it is spelt out
            END_THINK | 29 => vec![(3, 30.0)],
            _ => vec![(EOS, 30.0)],
        })
    };
    let options = || GenerateOptions {
        thinking_budget: 11,
        ..Default::default()
    };
    let outcome = Talk::new(model()).generate(&ids("a"), options());
    assert_eq!(outcome.reason(), StopReason::EndOfSequence);
    assert_eq!(outcome.text(Channel::Answer), "d");
    let forced: Vec<u32> = outcome.tokens.iter().filter(|t| t.forced).map(|t| t.id).collect();
    assert_eq!(forced, [END_THINK]);
    let thought = outcome
        .tokens
        .iter()
        .filter(|t| !t.forced && t.channel == Channel::Thinking)
        .count();
    assert_eq!(thought, 11);

    // Without a token for the tag, its text is inserted.
    let spelt = Vocabulary {
        tokenizer: letters(ALPHABET, &["<think>", "<unused>", "<eos>"]),
        ..vocabulary()
    };
    let talk = Talk::with(
        model(),
        spelt,
        &EngineOptions {
            cut: Cut { tile: 16, slab: 48 },
            context_limit: 1000,
        },
        |_| {},
    );
    let outcome = talk.generate(&ids("a"), options());
    assert_eq!(outcome.text(Channel::Answer).trim(), "d");
    assert!(!outcome.text(Channel::Thinking).contains('<'), "{outcome:?}");
    assert!(outcome.tokens.iter().filter(|t| t.forced).count() > 1);
}

#[test]
fn the_loop_guard_counts_consecutive_certain_tokens() {
    let options = |loop_guard| GenerateOptions {
        loop_guard,
        max_tokens: 500,
        ..Default::default()
    };
    let certain = Talk::new(follows(&[0, 1, 2]));
    let outcome = certain.generate(&ids("a"), options(100));
    assert_eq!(
        (outcome.reason(), outcome.tokens.len()),
        (StopReason::Repetition { tokens: 100 }, 100)
    );
    assert_eq!(certain.generate(&ids("a"), options(0)).reason(), StopReason::MaxTokens);

    // One uncertain token in each round of three begins the count anew.
    let wavering = Talk::new(table_model(VOCAB, |i| match i {
        0 => vec![(1, 30.0)],
        1 => vec![(2, 30.0)],
        _ => vec![(0, 5.0), (5, 4.5)],
    }));
    assert_eq!(wavering.generate(&ids("a"), options(3)).reason(), StopReason::MaxTokens);
}

#[test]
fn unused_ids_are_never_produced() {
    let vocabulary = Vocabulary {
        unused: vec![1, 7],
        ..vocabulary()
    };
    let options = EngineOptions {
        cut: Cut { tile: 16, slab: 48 },
        context_limit: 1000,
    };
    let talk = Talk::with(
        table_model(VOCAB, |_| vec![(1, 9.0), (7, 8.0), (2, 3.0)]),
        vocabulary,
        &options,
        |_| {},
    );
    for temperature in [0.0, 1.0, 5.0] {
        let sampling = Sampling {
            temperature,
            seed: 3,
            ..Default::default()
        };
        let outcome = talk.generate(
            &ids("a"),
            GenerateOptions {
                sampling,
                max_tokens: 200,
                ..Default::default()
            },
        );
        assert!(outcome.tokens.iter().all(|t| t.id != 1 && t.id != 7));
    }
}

/// Allows `b` after `a` and nothing after that.
struct OneStep(Option<u32>);

impl Guide for OneStep {
    fn allowed(&mut self) -> Allowed<'_> {
        Allowed::Only(if self.0.is_none() { &[1, 5] } else { &[] })
    }

    fn push(&mut self, id: u32) {
        self.0 = Some(id);
    }
}

#[test]
fn a_guide_holds_the_reply_to_what_it_allows() {
    let talk = Talk::new(table_model(VOCAB, |_| vec![(3, 9.0), (5, 2.0), (1, 1.0)]));
    let guide = Some(GuideMaker::new(|| Box::new(OneStep(None))));
    for _ in 0..2 {
        let outcome = talk.generate(
            &ids("a"),
            GenerateOptions {
                guide: guide.clone(),
                ..Default::default()
            },
        );
        assert_eq!((outcome.ids(), outcome.reason()), (vec![5], StopReason::EndOfSequence));
        // What the model thought of it, not what was left.
        assert!(outcome.tokens[0].probability < 0.01);
    }
}

#[test]
fn sampling_depends_on_the_seed_alone() {
    let options = |seed| GenerateOptions {
        sampling: Sampling {
            temperature: 1.0,
            top_p: 0.95,
            seed,
            ..Default::default()
        },
        max_tokens: 40,
        ..Default::default()
    };
    let model = || random_model(5, "ls", VOCAB);
    let first = Talk::new(model()).generate(&ids("hello"), options(1)).ids();
    assert_eq!(Talk::new(model()).generate(&ids("hello"), options(1)).ids(), first);
    assert_ne!(Talk::new(model()).generate(&ids("hello"), options(2)).ids(), first);
}

#[test]
fn nothing_is_prefilled_twice_and_reuse_changes_nothing() {
    let model = || random_model(9, "lls", VOCAB);
    let options = || GenerateOptions {
        max_tokens: 12,
        ..Default::default()
    };
    let talk = Talk::new(model());
    let documents = ids("thequickbrownfoxjumpsoverthelazydogandthequickbrownfox");
    let outcome = talk.prefill(&documents);
    assert_eq!(outcome.reason(), StopReason::Prefilled);
    assert_eq!(outcome.prefill.first().unwrap().done, 0);
    let end = outcome.prefill.last().unwrap();
    assert_eq!((end.done, end.total, end.cached), (documents.len(), documents.len(), 0));

    let ask = |question: &str| -> Vec<u32> { documents.iter().copied().chain(ids(question)).collect() };
    for question in ["where", "whence", "wherefore", "w"] {
        let outcome = talk.generate(&ask(question), options());
        let cached = outcome.finished().cached_tokens;
        assert!(
            cached >= documents.len(),
            "{question}: only {cached} tokens were reused"
        );
        let fresh = Talk::new(model()).generate(&ask(question), options());
        assert_eq!(fresh.finished().cached_tokens, 0);
        assert_eq!(outcome.ids(), fresh.ids(), "{question}");
        for (a, b) in outcome.tokens.iter().zip(&fresh.tokens) {
            assert!((a.probability - b.probability).abs() < 1e-4);
        }
    }

    // A conversation that goes on reuses the reply too.
    let first = talk.generate(&ask("where"), options());
    let mut longer = ask("where");
    longer.extend(first.ids());
    longer.extend(ids("andthen"));
    let second = talk.generate(&longer, options());
    assert!(second.finished().cached_tokens >= ask("where").len() + first.tokens.len() - 1);
    assert_eq!(second.ids(), Talk::new(model()).generate(&longer, options()).ids());

    // Other documents: nothing in common, nothing reused, nothing left behind.
    let other = ids("completelydifferent");
    assert_eq!(talk.prefill(&other).finished().cached_tokens, 0);
    assert_eq!(
        talk.generate(&other, options()).ids(),
        Talk::new(model()).generate(&other, options()).ids()
    );
}

#[test]
fn cancelling_a_prefill_keeps_what_has_been_done() {
    // At the end of a slab, and in the middle of one.
    for at in [48, 70] {
        cancel_a_prefill(at);
    }
}

fn cancel_a_prefill(at: usize) {
    let flag: Arc<OnceLock<Interrupt>> = Arc::default();
    let raise = flag.clone();
    let (gate, wait): (Sender<()>, Receiver<()>) = channel();
    let talk = Talk::with(
        random_model(2, "ls", VOCAB),
        vocabulary(),
        &EngineOptions {
            cut: Cut { tile: 16, slab: 48 },
            context_limit: 1000,
        },
        move |event| {
            match &event.kind {
                // The first event waits until the test holds the ticket.
                EventKind::Prefill(p) if p.done == 0 => wait.recv().unwrap(),
                EventKind::Prefill(p) if p.done >= at && p.done < 200 => raise.get().unwrap().raise(),
                _ => {}
            }
        },
    );
    let documents: Vec<u32> = (0..200).map(|i| i % 26).collect();
    let ticket = talk.engine.submit(Command::Prefill {
        tokens: documents.as_slice().into(),
        marks: [].into(),
    });
    flag.set(ticket.interrupt.clone()).unwrap();
    gate.send(()).unwrap();
    let outcome = talk.collect(&ticket);
    assert_eq!(outcome.reason(), StopReason::Cancelled);
    let done = outcome.prefill.last().unwrap().done;
    assert!((at..at + 32).contains(&done), "it went on to {done}");

    let outcome = talk.prefill(&documents);
    assert_eq!(outcome.finished().cached_tokens, done);
    let options = || GenerateOptions {
        max_tokens: 8,
        ..Default::default()
    };
    let question = [documents, ids("where")].concat();
    let fresh = Talk::new(random_model(2, "ls", VOCAB)).generate(&question, options());
    let reused = talk.generate(&question, options());
    assert_eq!(reused.finished().cached_tokens, 200);
    assert_eq!(reused.ids(), fresh.ids());
}

#[test]
fn cancelling_a_reply_keeps_what_was_said() {
    let flag: Arc<OnceLock<Interrupt>> = Arc::default();
    let raise = flag.clone();
    let (gate, wait): (Sender<()>, Receiver<()>) = channel();
    let talk = Talk::with(
        follows(&[0, 1, 2]),
        vocabulary(),
        &EngineOptions {
            cut: Cut { tile: 16, slab: 48 },
            context_limit: 1000,
        },
        move |event| match &event.kind {
            EventKind::Prefill(p) if p.done == 0 => wait.recv().unwrap(),
            EventKind::Token(t) if t.index == 4 => raise.get().unwrap().raise(),
            _ => {}
        },
    );
    let ticket = talk.engine.submit(Command::Generate {
        prompt: ids("ab").into(),
        marks: Arc::default(),
        options: GenerateOptions::default(),
    });
    flag.set(ticket.interrupt.clone()).unwrap();
    gate.send(()).unwrap();
    let outcome = talk.collect(&ticket);
    assert_eq!(
        (outcome.reason(), outcome.text(Channel::Answer).as_str()),
        (StopReason::Cancelled, "cabca")
    );
}

/// Thinks without an end: `abab…`; after the closing tag comes `cc…`.
fn thinker() -> (ModelConfig, ModelWeights<TensorView>) {
    table_model(VOCAB, |i| match i {
        0 => vec![(1, 20.0)],
        1 => vec![(0, 20.0)],
        END_THINK | 2 => vec![(2, 20.0)],
        _ => vec![(0, 20.0)],
    })
}

#[test]
fn an_answer_that_is_asked_for_comes_at_the_next_token() {
    let flag: Arc<OnceLock<Interrupt>> = Arc::default();
    let raise = flag.clone();
    let (gate, wait) = channel::<()>();
    let options = EngineOptions {
        cut: Cut { tile: 16, slab: 48 },
        context_limit: 1000,
    };
    let talk = Talk::with(thinker(), vocabulary(), &options, move |event| match &event.kind {
        EventKind::Prefill(p) if p.done == 0 => wait.recv().unwrap(),
        EventKind::Token(t) if t.index == 4 => raise.get().unwrap().raise(),
        _ => {}
    });
    let ticket = talk.engine.submit(Command::Generate {
        prompt: ids("xya").into(),
        marks: Arc::default(),
        options: GenerateOptions {
            thinking_open: true,
            max_tokens: 10,
            loop_guard: 0,
            ..Default::default()
        },
    });
    flag.set(ticket.answer.clone()).unwrap();
    gate.send(()).unwrap();
    let outcome = talk.collect(&ticket);
    assert_eq!(
        (&*outcome.text(Channel::Thinking), &*outcome.text(Channel::Answer)),
        ("babab", "cccc")
    );
    let forced: Vec<usize> = outcome.tokens.iter().filter(|t| t.forced).map(|t| t.index).collect();
    assert_eq!(forced, [5]);
    assert_eq!(outcome.reason(), StopReason::MaxTokens);
}

#[test]
fn an_answer_that_is_asked_for_before_the_reply_comes_without_thinking() {
    let talk = Talk::new(thinker());
    let ticket = talk.engine.submit(Command::Generate {
        prompt: ids("xya").repeat(200).into(),
        marks: Arc::default(),
        options: GenerateOptions {
            thinking_open: true,
            max_tokens: 3,
            ..Default::default()
        },
    });
    ticket.answer.raise();
    let outcome = talk.collect(&ticket);
    assert!(outcome.tokens[0].forced, "{:?}", outcome.tokens);
    assert_eq!(outcome.text(Channel::Answer), "cc");
}

#[test]
fn a_reply_that_stopped_goes_on_from_its_last_token() {
    let model = || random_model(7, "lsl", VOCAB);
    let options = |max_tokens, resumed| GenerateOptions {
        max_tokens,
        resumed,
        thinking_open: true,
        thinking_budget: 9,
        loop_guard: 0,
        ..Default::default()
    };
    let prompt = ids("thequickbrownfoxjumpsoverthelazydog");
    let whole = Talk::new(model()).generate(&prompt, options(30, 0));
    for first in [1, 5, 9, 10, 17] {
        let talk = Talk::new(model());
        let mut tokens = talk.generate(&prompt, options(first, 0)).tokens;
        for more in [1, 4] {
            let so_far: Vec<u32> = prompt.iter().copied().chain(tokens.iter().map(|t| t.id)).collect();
            let next = talk.generate(&so_far, options(more, tokens.len()));
            let finished = next.finished();
            assert_eq!(finished.prompt_tokens, prompt.len());
            assert!(
                next.prefill.iter().all(|prefill| prefill.cached == prefill.total),
                "nothing is computed twice: {:?}",
                next.prefill
            );
            assert_eq!(next.tokens.len(), more);
            tokens.extend(next.tokens);
            assert_eq!(finished.thinking_tokens + finished.answer_tokens, tokens.len());
        }
        let so_far: Vec<u32> = prompt.iter().copied().chain(tokens.iter().map(|t| t.id)).collect();
        let left = whole.tokens.len() - tokens.len();
        tokens.extend(talk.generate(&so_far, options(left, tokens.len())).tokens);
        let told = |tokens: &[Token]| -> Vec<(usize, u32, String, Channel, bool)> {
            tokens
                .iter()
                .map(|t| (t.index, t.id, t.text.clone(), t.channel, t.forced))
                .collect()
        };
        assert_eq!(told(&tokens), told(&whole.tokens), "stopped after {first}");
    }
}

#[test]
fn a_reply_that_was_cancelled_goes_on_without_prefill() {
    let flag: Arc<OnceLock<Interrupt>> = Arc::default();
    let raise = flag.clone();
    let (gate, wait) = channel::<()>();
    let engine = EngineOptions {
        cut: Cut { tile: 16, slab: 48 },
        context_limit: 1000,
    };
    let options = |resumed| GenerateOptions {
        max_tokens: 20,
        loop_guard: 0,
        resumed,
        ..Default::default()
    };
    let mut held = Some(wait);
    let talk = Talk::with(
        random_model(4, "ls", VOCAB),
        endless(),
        &engine,
        move |event| match &event.kind {
            EventKind::Prefill(_) => {
                if let Some(wait) = held.take() {
                    wait.recv().unwrap();
                }
            }
            EventKind::Token(t) if t.index == 6 => raise.get().unwrap().raise(),
            _ => {}
        },
    );
    let prompt = ids("someprompt");
    let ticket = talk.engine.submit(Command::Generate {
        prompt: prompt.clone().into(),
        marks: Arc::default(),
        options: options(0),
    });
    flag.set(ticket.interrupt.clone()).unwrap();
    gate.send(()).unwrap();
    let first = talk.collect(&ticket);
    assert_eq!((first.reason(), first.tokens.len()), (StopReason::Cancelled, 7));
    let so_far: Vec<u32> = prompt.iter().copied().chain(first.ids()).collect();
    let second = talk.generate(&so_far, options(7));
    assert!(second.prefill.iter().all(|prefill| prefill.cached == prefill.total));
    let whole = Talk::with(random_model(4, "ls", VOCAB), endless(), &engine, |_| {}).generate(&prompt, options(0));
    assert_eq!([first.ids(), second.ids()].concat()[..20], whole.ids()[..]);
}

#[test]
fn what_a_reply_would_cost_is_what_it_costs() {
    let talk = Talk::new(random_model(3, "lsl", VOCAB));
    let options = || GenerateOptions {
        max_tokens: 9,
        ..Default::default()
    };
    let documents: Vec<u32> = (0..100).map(|i| i % 26).collect();
    talk.prefill_marked(&documents, &[30, 60]);
    let prompt = |question: &str| -> Vec<u32> { documents.iter().copied().chain(ids(question)).collect() };
    let mut changed = prompt("x");
    changed[70] = 25;
    // A question of five tokens is asked with a place after its fourth.
    let asked = [
        prompt("where"),
        prompt("whence"),
        changed,
        prompt("where"),
        ids("other"),
    ];
    for prompt in asked {
        let Estimate { tokens, kept, .. } = talk.estimate(&prompt);
        assert_eq!(talk.estimate(&prompt).kept, kept, "asking changes nothing");
        let marks = [prompt.len() - 2];
        let finished = talk.generate_marked(&prompt, &marks, options()).finished();
        assert_eq!((tokens, kept), (prompt.len(), finished.cached_tokens));
        let again = talk.estimate(&prompt);
        assert_eq!(again.kept, prompt.len() - 2, "to have a reply again costs nothing");
    }
    assert_eq!(talk.estimate(&[]).kept, 0);
}

#[test]
fn corrupt_weights_are_an_error_and_not_a_crash() {
    let (config, mut weights) = random_model(3, "l", VOCAB);
    let shape = weights.norm.shape().to_vec();
    weights.norm = TensorView::from_f32("nan", shape.clone(), &vec![f32::NAN; shape[0]]);
    let outcome = Talk::new((config, weights)).generate(&ids("abc"), GenerateOptions::default());
    assert!(outcome.end.unwrap_err().contains("not a number"));
}

#[test]
fn an_empty_prompt_is_an_error() {
    let outcome = Talk::new(follows(&[0, 1])).generate(&[], GenerateOptions::default());
    assert!(outcome.end.unwrap_err().contains("empty"));
}

#[test]
fn dropping_the_engine_ends_what_runs() {
    let talk = Talk::new(follows(&[0, 1]));
    let options = GenerateOptions {
        max_tokens: usize::MAX,
        loop_guard: 0,
        ..Default::default()
    };
    talk.engine.submit(Command::Generate {
        prompt: ids("a").into(),
        marks: Arc::default(),
        options,
    });
    drop(talk.engine);
    // The channel closes when the thread has ended.
    while talk.events.recv_timeout(PATIENCE).is_ok() {}
}

#[test]
fn a_change_to_the_documents_goes_on_from_the_mark_before_it() {
    let documents: Vec<u32> = (0..200).map(|i| i % 26).collect();
    let marks = [10, 37, 64, 150];
    let options = || GenerateOptions {
        max_tokens: 8,
        ..Default::default()
    };
    let talk = Talk::new(random_model(2, "ls", VOCAB));
    assert_eq!(talk.prefill_marked(&documents, &marks).finished().cached_tokens, 0);
    // Asking does not lose the marks.
    talk.generate(&[documents.clone(), ids("where")].concat(), options());
    for (changed, reached) in [(199, 150), (150, 150), (149, 64), (40, 37), (12, 10), (3, 0)] {
        let mut edited = documents.clone();
        edited[changed] = 25 - edited[changed];
        let again = talk.prefill_marked(&edited, &marks);
        assert_eq!(again.finished().cached_tokens, reached, "changed at {changed}");
        let question = [edited, ids("where")].concat();
        let reused = talk.generate(&question, options());
        let fresh = Talk::new(random_model(2, "ls", VOCAB)).generate(&question, options());
        let text = |outcome: &Outcome| outcome.tokens.iter().map(|t| t.id).collect::<Vec<_>>();
        assert_eq!(text(&reused), text(&fresh), "changed at {changed}");
        talk.prefill_marked(&documents, &marks);
    }
    // Documents that are added leave those before them alone.
    let longer = [documents.clone(), vec![7; 30]].concat();
    assert_eq!(talk.prefill_marked(&longer, &[64, 200]).finished().cached_tokens, 200);
    // Marks that are not wanted any more are dropped.
    let mut edited = longer;
    edited[180] = 25;
    assert_eq!(talk.prefill_marked(&edited, &[64, 200]).finished().cached_tokens, 64);
}
