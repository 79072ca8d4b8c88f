//! Drafting changes the time that a reply takes, and nothing else: every reply is had without drafts and with them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::models::{letters, random_model, table_model};
use common::talk_with;
use proptest::prelude::*;
use thunderhead::compute::cpu::{Cpu, KvType};
use thunderhead::compute::reference::Reference;
use thunderhead::compute::{Backend, Interrupt};
use thunderhead::conversation::{self, Request};
use thunderhead::engine::{
    Allowed, Command, Cut, Drafts, Engine, EngineOptions, Event, EventKind, Finished, GenerateOptions, Guide,
    GuideMaker, LONGEST_DRAFT, Network, Sampling, Speculate, State, StopReason, Submit, Ticket, Token, Vocabulary,
};
use thunderhead::model::{Checkpoint, ModelConfig, ModelWeights, TensorView, bundled};

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz<>/\u{10a}";
const THINK: u32 = 30;
const END_THINK: u32 = 31;
const EOS: u32 = 32;
const VOCAB: usize = 33;
/// Longer than any step of these tests takes on a loaded machine, documents included.
const PATIENCE: Duration = Duration::from_mins(10);

type Model = (ModelConfig, ModelWeights<TensorView>);

/// Which flag is raised at which token's event.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Raise {
    Never,
    Cancel(usize),
    Answer(usize),
}

struct Talk {
    engine: Engine,
    events: Receiver<Event>,
    raise: Arc<Mutex<(Raise, Option<Ticket>)>>,
}

#[derive(Debug)]
struct Outcome {
    tokens: Vec<Token>,
    finished: Finished,
    /// Tokens that the prompt's prefill had to compute.
    computed: usize,
}

impl Talk {
    fn new(model: Model, context_limit: usize) -> Self {
        let (config, weights) = model;
        let network = Network::new(Cpu::new(1).unwrap(), config, weights).unwrap();
        let vocabulary = Vocabulary {
            tokenizer: letters(ALPHABET, &["<think>", "</think>", "<eos>"]),
            eos: vec![EOS],
            unused: vec![],
        };
        let options = EngineOptions {
            cut: Cut { tile: 16, slab: 48 },
            context_limit,
        };
        let (send, events) = channel();
        let raise = Arc::new(Mutex::new((Raise::Never, None::<Ticket>)));
        let flags = Arc::clone(&raise);
        let sink = move |event: Event| {
            if let EventKind::Token(token) = &event.kind {
                // Held while the test submits, so that the ticket is there.
                let (raise, ticket) = &*flags.lock().unwrap();
                match (*raise, ticket) {
                    (Raise::Cancel(at), Some(ticket)) if at == token.index => ticket.interrupt.raise(),
                    (Raise::Answer(at), Some(ticket)) if at == token.index => ticket.answer.raise(),
                    _ => {}
                }
            }
            let _ = send.send(event);
        };
        Self {
            engine: Engine::start(network, vocabulary, &options, Box::new(sink)).unwrap(),
            events,
            raise,
        }
    }

    fn generate(&self, prompt: &[u32], options: &GenerateOptions, speculate: Speculate) -> Outcome {
        self.generate_raising(prompt, options, speculate, Raise::Never)
    }

    fn generate_raising(
        &self,
        prompt: &[u32],
        options: &GenerateOptions,
        speculate: Speculate,
        raise: Raise,
    ) -> Outcome {
        let options = GenerateOptions {
            speculate,
            ..options.clone()
        };
        {
            let mut flags = self.raise.lock().unwrap();
            let ticket = self.engine.submit(Command::Generate {
                prompt: prompt.into(),
                marks: [].into(),
                options,
            });
            *flags = (raise, Some(ticket));
        }
        let (mut tokens, mut computed) = (Vec::new(), 0);
        loop {
            match self.events.recv_timeout(PATIENCE).expect("the engine answers").kind {
                EventKind::Prefill(prefill) => computed = prefill.done - prefill.cached,
                EventKind::Token(token) => tokens.push(token),
                EventKind::Finished(finished) => {
                    return Outcome {
                        tokens,
                        finished,
                        computed,
                    };
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// All but the times, and what drafting did.
fn told(outcome: &Outcome) -> (Vec<Token>, Finished) {
    let tokens = outcome.tokens.iter().map(|token| Token {
        elapsed: Duration::ZERO,
        // Rounding differs between tiles.
        probability: 0.0,
        entropy: 0.0,
        ..token.clone()
    });
    let finished = Finished {
        prefill: Duration::ZERO,
        decode: Duration::ZERO,
        drafts: Drafts::default(),
        ..outcome.finished
    };
    (tokens.collect(), finished)
}

/// The same events, but for the times.
fn assert_same(plain: &Outcome, drafted: &Outcome) {
    for (a, b) in plain.tokens.iter().zip(&drafted.tokens) {
        assert!((a.probability - b.probability).abs() < 1e-3, "{a:?} {b:?}");
        assert!((a.entropy - b.entropy).abs() < 1e-2, "{a:?} {b:?}");
    }
    assert_eq!(told(plain), told(drafted));
    let Drafts {
        tiles,
        drafted: ids,
        accepted,
    } = drafted.finished.drafts;
    assert!(accepted <= ids && tiles <= ids && ids <= tiles * LONGEST_DRAFT);
    assert_eq!(plain.finished.drafts, Drafts::default());
}

const WAYS: [Speculate; 5] = [
    Speculate::Always(1),
    Speculate::Always(3),
    Speculate::Always(7),
    Speculate::Always(LONGEST_DRAFT),
    Speculate::Adaptive,
];

/// After each letter of `cycle` comes the next one, for certain.
fn follows(cycle: &'static [u32]) -> Model {
    table_model(VOCAB, move |i| {
        let at = cycle.iter().position(|c| *c == i);
        at.map(|at| (cycle[(at + 1) % cycle.len()], 30.0)).into_iter().collect()
    })
}

/// A prompt in which things come again, as in documents that are then quoted.
fn repeating() -> impl Strategy<Value = Vec<u32>> {
    let piece = prop::collection::vec(0u32..26, 4..20);
    (
        prop::collection::vec(piece, 1..4),
        prop::collection::vec(0usize..3, 2..8),
    )
        .prop_map(|(pieces, order)| {
            order
                .iter()
                .flat_map(|i| pieces[i % pieces.len()].iter().copied())
                .collect()
        })
}

fn kinds() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![Just('l'), Just('s')], 1..4).prop_map(|k| k.into_iter().collect())
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let filters = (
        prop_oneof![Just(0usize), Just(5)],
        prop_oneof![Just(1.0f32), Just(0.9)],
        any::<u64>(),
    );
    (prop_oneof![Just(0.0f32), Just(0.3), Just(1.0)], filters).prop_map(|(temperature, (top_k, top_p, seed))| {
        Sampling {
            temperature,
            top_k,
            top_p,
            min_p: 0.0,
            seed,
        }
    })
}

fn ids(outcome: &Outcome) -> Vec<u32> {
    outcome.tokens.iter().map(|token| token.id).collect()
}

/// Two candidates so close that rounding may decide between them.
fn is_a_tie(plain: &Outcome, drafted: &Outcome, sampling: Sampling) -> bool {
    let differs = plain.tokens.iter().zip(&drafted.tokens).find(|(a, b)| a.id != b.id);
    sampling.temperature > 0.0 || differs.is_some_and(|(a, b)| (a.probability - b.probability).abs() < 1e-3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_model_says_the_same(
        seed: u64, kinds in kinds(), prompt in repeating(), sampling in sampling(),
        way in prop::sample::select(&WAYS[..]), max_tokens in 1usize..60,
    ) {
        let options = GenerateOptions { sampling, max_tokens, ..Default::default() };
        let model = || random_model(seed, &kinds, VOCAB);
        let plain = Talk::new(model(), 1000).generate(&prompt, &options, Speculate::Off);
        let talk = Talk::new(model(), 1000);
        let drafted = talk.generate(&prompt, &options, way);
        if ids(&plain) != ids(&drafted) {
            prop_assert!(is_a_tie(&plain, &drafted, sampling), "{plain:?} {drafted:?}");
            return Ok(());
        }
        assert_same(&plain, &drafted);
        // The engine is where it would have been: the reply goes on, and nothing of it is computed again.
        if drafted.finished.reason == StopReason::MaxTokens {
            let so_far = [&prompt[..], &ids(&drafted)].concat();
            let options = GenerateOptions { max_tokens: 5, resumed: max_tokens, ..options };
            let on = talk.generate(&so_far, &options, way);
            prop_assert_eq!(on.computed, 0);
            let fresh = Talk::new(model(), 1000).generate(&so_far, &options, Speculate::Off);
            prop_assert!(ids(&on) == ids(&fresh) || is_a_tie(&on, &fresh, sampling), "{on:?} {fresh:?}");
        }
    }

    #[test]
    fn a_part_of_a_tile_is_a_tile_of_that_part(
        seed: u64, kinds in kinds(), before in prop::collection::vec(0u32..26, 0..70),
        tile in prop::collection::vec(0u32..26, 1..30), part in any::<prop::sample::Index>(),
        after in prop::collection::vec(0u32..26, 1..5),
    ) {
        let (config, weights) = random_model(seed, &kinds, VOCAB);
        let part = part.index(tile.len() + 1);
        // Not in bf16: the two sum in another order, and a key that lies between two numbers may be rounded to either.
        let cpu = Cpu::new(2).unwrap().with_kv_cache(KvType::F32);
        let accepted = Network::new(cpu, config.clone(), weights.clone()).unwrap();
        accepting_a_part(&accepted, &before, &tile, part, &after);
        accepting_a_part(&Network::new(Reference, config, weights).unwrap(), &before, &tile, part, &after);
    }
}

fn accepting_a_part<B: Backend>(network: &Network<B>, before: &[u32], tile: &[u32], part: usize, after: &[u32]) {
    let advance = |state: &mut State<B>, ids: &[u32]| {
        let mut rows = Vec::new();
        let sink = |_: usize, row: &[f32]| rows.extend_from_slice(row);
        network.advance(state, ids, ids.len(), &Interrupt::new(), sink).unwrap();
        rows
    };
    let close = |a: &[f32], b: &[f32]| {
        let scale = b.iter().fold(1.0f32, |m, x| m.max(x.abs()));
        assert_eq!(a.len(), b.len());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-4 * scale));
    };
    let mut plain = State::new(network).unwrap();
    let mut drafted = State::new(network).unwrap();
    for state in [&mut plain, &mut drafted] {
        advance(state, before);
    }
    // An interrupted tile leaves no trace.
    let raised = Interrupt::new();
    raised.raise();
    assert!(network.verify(&mut drafted, tile, &raised, |_, _| {}).is_err());
    let mut rows = Vec::new();
    let sink = |_: usize, row: &[f32]| rows.extend_from_slice(row);
    network.verify(&mut drafted, tile, &Interrupt::new(), sink).unwrap();
    network.accept(&mut drafted, tile, part).unwrap();
    let expected = advance(&mut plain, &tile[..part]);
    close(&rows[..expected.len()], &expected);
    assert_eq!(drafted.position(), plain.position());
    // And once more from there, so that what the first left behind matters.
    network
        .verify(&mut drafted, tile, &Interrupt::new(), |_, _| {})
        .unwrap();
    network.accept(&mut drafted, tile, tile.len() - part).unwrap();
    advance(&mut plain, &tile[..tile.len() - part]);
    close(&advance(&mut drafted, after), &advance(&mut plain, after));
}

#[test]
fn a_quotation_is_drafted() {
    let cycle: &[u32] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    let options = GenerateOptions {
        max_tokens: 100,
        ..Default::default()
    };
    let outcome = Talk::new(follows(cycle), 1000).generate(cycle, &options, Speculate::Always(8));
    // `a` and `b` are evaluated alone, for no three tokens have come again yet; then nine at a time, and the last eight.
    assert_eq!(
        outcome.finished.drafts,
        Drafts {
            tiles: 11,
            drafted: 87,
            accepted: 87
        }
    );
    let outcome = Talk::new(follows(cycle), 1000).generate(cycle, &options, Speculate::Adaptive);
    assert!(outcome.finished.drafts.accepted > 0, "{:?}", outcome.finished.drafts);
}

/// Thinks `b c d e` for ever, unless it is stopped; answers `f g h i` over and over.
fn thinker() -> Model {
    table_model(VOCAB, |i| match i {
        1 | 2 | 3 | 5 | 6 | 7 => vec![(i + 1, 30.0)],
        THINK | 4 => vec![(1, 30.0)],
        END_THINK | 8 => vec![(5, 30.0)],
        _ => vec![(THINK, 30.0)],
    })
}

#[test]
fn every_limit_holds_in_the_middle_of_a_draft() {
    let prompt: Vec<u32> = [THINK, 1, 2, 3, 4].repeat(3);
    let base = GenerateOptions {
        thinking_open: true,
        max_tokens: 60,
        loop_guard: 0,
        ..Default::default()
    };
    let mut cases = Vec::new();
    for n in 0..14 {
        cases.push((
            GenerateOptions {
                max_tokens: n,
                ..base.clone()
            },
            1000,
            Raise::Never,
        ));
        cases.push((
            GenerateOptions {
                thinking_budget: n,
                ..base.clone()
            },
            1000,
            Raise::Never,
        ));
        cases.push((
            GenerateOptions {
                loop_guard: n,
                ..base.clone()
            },
            1000,
            Raise::Never,
        ));
        cases.push((base.clone(), prompt.len() + n, Raise::Never));
        cases.push((base.clone(), 1000, Raise::Answer(n)));
        cases.push((base.clone(), 1000, Raise::Cancel(n)));
    }
    for (options, limit, raise) in cases {
        for way in [
            Speculate::Always(3),
            Speculate::Always(LONGEST_DRAFT),
            Speculate::Adaptive,
        ] {
            let off = Talk::new(thinker(), limit);
            let plain = off.generate_raising(&prompt, &options, Speculate::Off, raise);
            let talk = Talk::new(thinker(), limit);
            let drafted = talk.generate_raising(&prompt, &options, way, raise);
            assert_same(&plain, &drafted);
            // Whatever stopped it, it goes on as it would have.
            let so_far = [&prompt[..], &ids(&drafted)].concat();
            if so_far.len() > limit {
                continue;
            }
            let on = GenerateOptions {
                max_tokens: 6,
                resumed: drafted.tokens.len(),
                ..base.clone()
            };
            let (plain, drafted) = (
                off.generate(&so_far, &on, Speculate::Off),
                talk.generate(&so_far, &on, way),
            );
            assert_same(&plain, &drafted);
            assert_eq!(plain.computed, drafted.computed, "{raise:?}");
        }
    }
}

#[test]
fn a_reply_that_ends_inside_a_draft_has_ended() {
    // The documents say that more comes after `d`; the model knows better.
    let prompt: Vec<u32> = [0, 1, 2, 3, 9, 10, 11].repeat(2).into_iter().chain([0]).collect();
    let model = || {
        table_model(VOCAB, |i| match i {
            0..=2 => vec![(i + 1, 30.0)],
            _ => vec![(EOS, 30.0)],
        })
    };
    let options = GenerateOptions::default();
    let plain = Talk::new(model(), 1000).generate(&prompt, &options, Speculate::Off);
    assert_eq!(plain.finished.reason, StopReason::EndOfSequence);
    let talk = Talk::new(model(), 1000);
    let drafted = talk.generate(&prompt, &options, Speculate::Always(6));
    assert_same(&plain, &drafted);
    assert_eq!(
        drafted.finished.drafts,
        Drafts {
            tiles: 1,
            drafted: 6,
            accepted: 3
        }
    );
    // What was drafted and not said is nowhere.
    let other: Vec<u32> = prompt.iter().copied().chain([1, 2, 3, 20]).collect();
    let again = talk.generate(&other, &options, Speculate::Always(6));
    assert_same(
        &Talk::new(model(), 1000).generate(&other, &options, Speculate::Off),
        &Outcome {
            finished: Finished {
                cached_tokens: 0,
                restored_tokens: 0,
                ..again.finished
            },
            ..again
        },
    );
}

/// Any letter but that of two steps ago; after the twentieth, the alphabet from its beginning.
#[derive(Default)]
struct Odd {
    said: Vec<u32>,
    allowed: Vec<u32>,
}

impl Guide for Odd {
    fn allowed(&mut self) -> Allowed<'_> {
        let said = self.said.len();
        self.allowed = match said {
            0..20 => (0..26).filter(|id| said < 2 || *id != self.said[said - 2]).collect(),
            20..46 => vec![said as u32 - 20],
            _ => vec![],
        };
        Allowed::Only(&self.allowed)
    }

    fn push(&mut self, id: u32) {
        self.said.push(id);
    }

    fn bound(&self, ids: &mut Vec<u32>, most: usize) {
        let said = self.said.len();
        if said >= 20 {
            ids.extend((said as u32 - 20..26).take(most));
        }
    }
}

#[test]
fn a_guide_is_asked_for_every_token() {
    for seed in 0..12 {
        let model = || random_model(seed, "lsl", VOCAB);
        let prompt: Vec<u32> = (0..26).chain(5..20).chain(0..9).collect();
        let options = GenerateOptions {
            guide: Some(GuideMaker::new(|| Box::new(Odd::default()))),
            ..Default::default()
        };
        let plain = Talk::new(model(), 1000).generate(&prompt, &options, Speculate::Off);
        assert_eq!(
            (plain.tokens.len(), plain.finished.reason),
            (46, StopReason::EndOfSequence)
        );
        for way in WAYS {
            let drafted = Talk::new(model(), 1000).generate(&prompt, &options, way);
            assert_same(&plain, &drafted);
            if way == Speculate::Always(7) {
                assert!(
                    drafted.finished.drafts.accepted >= 20,
                    "what is bound to come is drafted"
                );
            }
        }
    }
}

/// Pearson's χ² of how often each outcome came against how often it should have.
fn chi_square(counts: &HashMap<Vec<u32>, usize>, expected: &HashMap<Vec<u32>, f64>) -> f64 {
    let all: usize = counts.values().sum();
    assert!(
        counts.keys().all(|outcome| expected.contains_key(outcome)),
        "something impossible was said"
    );
    let deviation = expected.iter().map(|(outcome, p)| {
        let (count, mean) = (counts.get(outcome).copied().unwrap_or(0) as f64, p * all as f64);
        (count - mean).powi(2) / mean
    });
    deviation.sum()
}

#[test]
fn sampling_keeps_its_distribution() {
    const SAID: usize = 3;
    // After each of four letters comes one of three, by these odds; the documents say that it is the first.
    let odds = [(1u32, 0.5f64), (2, 0.3), (3, 0.2)];
    let next = |i: u32, step: u32| (i + step) % 4;
    let model = table_model(VOCAB, |i| match i {
        0..4 => odds
            .iter()
            .map(|(step, p)| (next(i, *step), 40.0 + p.ln() as f32))
            .collect(),
        _ => vec![],
    });
    let prompt: Vec<u32> = [0, 1, 2, 3].repeat(4).into_iter().chain([0]).collect();
    for (temperature, top_p) in [(1.0f64, 1.0f32), (0.7, 1.0), (1.0, 0.75)] {
        // The tokens of the odds after temperature and top-p.
        let kept = if top_p < 1.0 { 2 } else { 3 };
        let weights = odds[..kept].iter().map(|(step, p)| (*step, p.powf(1.0 / temperature)));
        let total: f64 = weights.clone().map(|(_, w)| w).sum();
        let mut expected = HashMap::from([(vec![], 1.0)]);
        for _ in 0..SAID {
            expected = expected
                .iter()
                .flat_map(|(said, p)| {
                    let last = said.last().copied().unwrap_or(0);
                    weights
                        .clone()
                        .map(move |(step, w)| ([&said[..], &[next(last, step)]].concat(), p * w / total))
                })
                .collect();
        }
        let talk = Talk::new(model.clone(), 1000);
        let (mut counts, mut drafts) = (HashMap::new(), Drafts::default());
        for seed in 0..4_000 {
            let sampling = Sampling {
                temperature: temperature as f32,
                top_p,
                seed,
                ..Default::default()
            };
            let options = GenerateOptions {
                sampling,
                max_tokens: SAID,
                ..Default::default()
            };
            let outcome = talk.generate(&prompt, &options, Speculate::Always(2));
            *counts.entry(ids(&outcome)).or_default() += 1;
            drafts.drafted += outcome.finished.drafts.drafted;
            drafts.accepted += outcome.finished.drafts.accepted;
        }
        assert!(
            drafts.accepted > 1_000 && drafts.drafted - drafts.accepted > 1_000,
            "{drafts:?}"
        );
        // With 26 degrees of freedom 54 is exceeded once in a thousand; with 7, 24.
        let bound = if kept == 3 { 54.1 } else { 24.3 };
        let deviation = chi_square(&counts, &expected);
        assert!(
            deviation < bound,
            "χ² is {deviation} at temperature {temperature}, top-p {top_p}"
        );
    }
}

/// What is said to two questions over three files, but for the times.
fn conversation(checkpoint: Checkpoint, grounded: bool, speculate: Speculate) -> (Vec<conversation::Event>, Drafts) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = [
        "src/engine/sampler.rs",
        "src/compute/interrupt.rs",
        "src/engine/submit.rs",
    ]
    .map(|path| root.join(path));
    let options = GenerateOptions {
        speculate,
        max_tokens: 120,
        ..Default::default()
    };
    let (send, events) = channel();
    let handle = talk_with(checkpoint, &paths, grounded, options, move |event| {
        let _ = send.send(event);
    });
    let questions = [
        "Where is `describe` defined?",
        "Quote the line with \"Someone else still\"",
        "Find `greedy`",
    ];
    for question in questions {
        handle.send(Request::Ask(question.to_owned())).unwrap();
    }
    let (mut said, mut drafts, mut left) = (Vec::new(), Drafts::default(), questions.len());
    while left > 0 {
        let mut event = events.recv_timeout(PATIENCE).expect("the conversation goes on");
        match &mut event {
            conversation::Event::Token(token) => {
                token.elapsed = Duration::ZERO;
                (token.probability, token.entropy) = (0.0, 0.0);
            }
            conversation::Event::Finished(finished) => {
                (finished.prefill, finished.decode) = (Duration::ZERO, Duration::ZERO);
                let Drafts {
                    tiles,
                    drafted,
                    accepted,
                } = std::mem::take(&mut finished.drafts);
                drafts.tiles += tiles;
                drafts.drafted += drafted;
                drafts.accepted += accepted;
                left -= usize::from(finished.reason != StopReason::Prefilled);
            }
            conversation::Event::Question(_) | conversation::Event::Citation(_) => {}
            conversation::Event::Failed { message } => panic!("{message}"),
            _ => continue,
        }
        said.push(event);
    }
    (said, drafts)
}

#[test]
fn trained_models_say_the_same_about_documents() {
    let pico_8 = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/pico-8");
    let models: [fn(&Path) -> Checkpoint; 2] = [|_| bundled().unwrap(), |path| Checkpoint::open(path).unwrap()];
    for model in models {
        for grounded in [true, false] {
            let (plain, none) = conversation(model(&pico_8), grounded, Speculate::Off);
            assert_eq!(none, Drafts::default());
            for way in [Speculate::Always(8), Speculate::Adaptive] {
                let (drafted, drafts) = conversation(model(&pico_8), grounded, way);
                assert_eq!(plain, drafted, "grounded {grounded}, {way:?}");
                if grounded {
                    assert!(
                        drafts.accepted >= 30,
                        "a quotation in a line's only place is drafted: {drafts:?}"
                    );
                }
            }
        }
    }
}
