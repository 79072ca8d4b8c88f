//! What it costs a reply that states are written to the disk beside it.
//!
//! `cargo test --release --test snapshot_writing -- --ignored --nocapture`

#![allow(clippy::unwrap_used)] // a helper that fails fails its test
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use thunderhead::bench::shape::Shape;
use thunderhead::bench::synthetic;
use thunderhead::compute::cpu::Cpu;
use thunderhead::engine::{
    Command, Cut, Engine, EngineOptions, Event, EventKind, Finished, GenerateOptions, Identity, Network, Snapshots,
    Submit, Vocabulary,
};
use thunderhead::model::Dtype;

use common::models::letters;

/// Attention as wide as MiniMax-M1's, in one period of it, between small experts: a state has 28 MiB.
const SHAPE: Shape = Shape {
    name: "wide-states",
    about: "",
    hidden: 1024,
    layers: 8,
    period: 8,
    heads: 64,
    kv_heads: 8,
    head_dim: 128,
    experts: 2,
    top_k: 1,
    width: 256,
    vocab: 512,
    rotary: 64,
    rope_theta: 1e7,
};
const PROMPT: usize = 2048;
/// From one place to the next.
const APART: usize = 64;
const REPLY: usize = 192;
const TIMES: usize = 5;

fn tokens(seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..PROMPT).map(|_| rng.next_u32() % SHAPE.vocab as u32).collect()
}

struct Run {
    engine: Engine,
    events: Receiver<Event>,
    snapshots: Option<Arc<Snapshots>>,
}

impl Run {
    fn start(folder: Option<&Path>) -> Self {
        let config = SHAPE.config();
        let weights = synthetic(&config, Dtype::Q8_0);
        let network = Network::new(Cpu::new(2).unwrap(), config, weights).unwrap();
        let vocabulary = Vocabulary {
            tokenizer: letters("abcdefghijklmnopqrstuvwxyz", &[]),
            eos: vec![],
            unused: vec![],
        };
        let options = EngineOptions {
            cut: Cut { tile: 256, slab: 2048 },
            context_limit: 100_000,
        };
        let snapshots = folder.map(|folder| Arc::new(Snapshots::open(folder, u64::MAX).unwrap()));
        let identity = Identity {
            fingerprint: [1; 32],
            name: SHAPE.name.to_owned(),
        };
        let (send, events) = channel();
        let sink = Box::new(move |event| drop(send.send(event)));
        let keeping = snapshots.clone().map(|snapshots| (snapshots, identity));
        let engine = Engine::start_with(network, vocabulary, &options, keeping, sink).unwrap();
        Self {
            engine,
            events,
            snapshots,
        }
    }

    fn run(&self, command: Command) -> Finished {
        self.engine.submit(command);
        loop {
            match self.events.recv().unwrap().kind {
                EventKind::Finished(finished) => return finished,
                EventKind::Failed(message) => panic!("{message}"),
                _ => {}
            }
        }
    }

    /// Tokens a second of a reply right after a prompt whose states are still being written, how many bytes waited then, and how
    /// many still do at its end.
    fn reply(&self, seed: u64) -> (f64, u64, u64) {
        let prompt = tokens(seed);
        let marks: Vec<usize> = (1..PROMPT / APART).map(|place| place * APART).collect();
        self.run(Command::Prefill {
            tokens: prompt.clone().into(),
            marks: marks.into(),
        });
        let waiting = || self.snapshots.as_ref().map_or(0, |snapshots| snapshots.waiting());
        let before = waiting();
        let began = Instant::now();
        let finished = self.run(Command::Generate {
            prompt: [&prompt[..], &[7]].concat().into(),
            marks: [].into(),
            options: GenerateOptions {
                max_tokens: REPLY,
                loop_guard: 0,
                ..GenerateOptions::default()
            },
        });
        assert!(began.elapsed() < Duration::from_mins(10));
        let after = waiting();
        if let Some(snapshots) = &self.snapshots {
            assert!(snapshots.wait(None));
        }
        let decoded = finished.thinking_tokens + finished.answer_tokens;
        (decoded as f64 / finished.decode.as_secs_f64(), before, after)
    }
}

/// MiniMax-M1: a place has 280 MiB, and a block of keys and values 10 MiB as bf16 (docs/performance.md).
#[test]
fn what_states_of_m1_take() {
    let config = Shape {
        hidden: 6144,
        layers: 80,
        ..SHAPE
    }
    .config();
    assert_eq!(config.lightning_state_bytes(), 280 << 20);
}

#[test]
#[ignore = "measures, and writes gigabytes"]
fn writing_states_does_not_stall_a_reply() {
    let folder = tempfile::tempdir().unwrap();
    let (without, with) = (Run::start(None), Run::start(Some(folder.path())));
    let (mut plain, mut kept) = (Vec::new(), Vec::new());
    for seed in 0..TIMES as u64 {
        plain.push(without.reply(seed).0);
        let (rate, before, after) = with.reply(seed);
        kept.push(rate);
        println!("{before} bytes waited when the reply began, {after} when it ended");
    }
    for rates in [&mut plain, &mut kept] {
        rates.sort_by(f64::total_cmp);
    }
    let (plain, kept) = (plain[TIMES / 2], kept[TIMES / 2]);
    println!("{plain:.1} tokens a second without states, {kept:.1} while they are written");
    assert!(kept > 0.8 * plain, "{kept} of {plain}");
}
