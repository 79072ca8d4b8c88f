//! Experts that the card lacks, computed on the processor: whoever has which, the sum is the same, and nobody waits for a copy.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::sync::Arc;
use std::sync::mpsc::channel;

use thunderhead::compute::cpu::{Cpu, KvType};
use thunderhead::compute::cuda::Cuda;
use thunderhead::compute::{Backend, Block, ComputeError, Interrupt};
use thunderhead::engine::{
    Command, Cut, Engine, EngineOptions, Event, EventKind, GenerateOptions, Network, Speculate, Submit, Vocabulary,
};
use thunderhead::model::{Checkpoint, Dtype, ExpertWeights, Moe, MoeWeights, TensorRole, TensorView, bundled};

use crate::backend::{Emulated, RESIDUAL, norm};
use crate::device::Order;
use crate::driver::{passes, with_driver};
use crate::numbers::{Numbers, close, doubles};
use crate::streaming::{Cards, golden, network, off_after, wants};

/// A layer of experts on a backend, from a seed.
struct Layer<B: Backend> {
    backend: B,
    hidden: usize,
    spec: Moe,
    norm: B::Tensor,
    weights: MoeWeights<B::Tensor>,
    workspace: B::Workspace,
}

impl<B: Backend> Layer<B> {
    fn new(backend: B, seed: u64, spec: &Moe, hidden: usize, dtypes: [Dtype; 2]) -> Self {
        let numbers = &mut Numbers(seed);
        let mut matrix = |[rows, columns]: [usize; 2], dtype, role| {
            let values = numbers.values(rows * columns, (columns as f32).powf(-0.5));
            let view = TensorView::from_f32_as("w", dtype, vec![rows, columns], &values);
            backend.load(view, role).unwrap()
        };
        let (inner, outer) = ([spec.width, hidden], [hidden, spec.width]);
        let weights = MoeWeights {
            router: Some(matrix([spec.experts, hidden], Dtype::F32, TensorRole::Router)),
            experts: (0..spec.experts)
                .map(|_| ExpertWeights {
                    gate: matrix(inner, dtypes[0], TensorRole::Expert),
                    up: matrix(inner, dtypes[0], TensorRole::Expert),
                    down: matrix(outer, dtypes[1], TensorRole::Expert),
                })
                .collect(),
        };
        Self {
            norm: norm(&backend, numbers, hidden),
            workspace: backend.workspace().unwrap(),
            spec: spec.clone(),
            backend,
            hidden,
            weights,
        }
    }

    fn of(&mut self, x: &mut B::Rows, interrupt: &Interrupt) -> Result<(), ComputeError> {
        let block = Block {
            norm: &self.norm,
            eps: 1e-5,
            residual: RESIDUAL,
        };
        let (workspace, spec) = (&mut self.workspace, &self.spec);
        self.backend.moe(workspace, block, spec, &self.weights, x, interrupt)
    }

    fn rows(&mut self, values: &[f32]) -> Vec<f32> {
        let mut x = self.backend.upload(values, self.hidden).unwrap();
        self.of(&mut x, &Interrupt::new()).unwrap();
        self.backend.download(&x).unwrap()
    }

    /// How many experts were asked for since the program began, and how many were there.
    fn tally(&self) -> (u64, u64) {
        let card = self.backend.residency().unwrap();
        (card.asked, card.there)
    }
}

/// Bytes of an expert's place.
fn place(spec: &Moe, hidden: usize, dtypes: [Dtype; 2]) -> usize {
    let part = |dtype: Dtype| dtype.row_bytes(spec.width * hidden).next_multiple_of(256);
    2 * part(dtypes[0]) + part(dtypes[1])
}

fn beside(seed: u64, spec: &Moe, hidden: usize, dtypes: [Dtype; 2], places: usize) -> Layer<Cuda<Emulated>> {
    let room = places * place(spec, hidden, dtypes);
    let cuda = Cuda::new(Emulated::new(Order::ALL[seed as usize % 4]))
        .with_kv_cache(KvType::F32)
        .with_experts_in(&[room], Cpu::new(2).unwrap());
    Layer::new(cuda, seed, spec, hidden, dtypes)
}

/// Places for none, some and all of the experts, one to six rows, weights of every type: as with all of them on the card. Activations are
/// rounded twice for weights of few bits, which shows in the fifth digit.
#[test]
fn any_split_is_the_same_sum() {
    let mut splits = BTreeSet::new();
    for seed in 0..20 {
        let numbers = &mut Numbers(1000 + seed);
        let (dtypes, unit) = [
            ([Dtype::Bf16; 2], 8),
            ([Dtype::Q8_0; 2], 32),
            ([Dtype::Q4K, Dtype::Q6K], 256),
            ([Dtype::Q5_0, Dtype::Q4_1], 32),
            ([Dtype::Q8_0, Dtype::F16], 32),
        ][seed as usize % 5];
        let experts = 1 + numbers.below(9);
        let spec = Moe {
            experts,
            top_k: 1 + numbers.below(experts.min(3)),
            width: unit * (1 + numbers.below(if unit > 32 { 1 } else { 3 })),
        };
        let hidden = unit * (1 + numbers.below(if unit > 32 { 1 } else { 4 }));
        let whole = Cuda::new(Emulated::new(Order::Forward)).with_kv_cache(KvType::F32);
        let mut whole = Layer::new(whole, seed, &spec, hidden, dtypes);
        let places = numbers.below(experts + 1);
        let mut layer = beside(seed, &spec, hidden, dtypes, places);
        for step in 0..8 {
            // More go to all experts of a layer, which must have room then.
            let most = 4.max((experts - 1) / spec.top_k);
            let rows = 1 + numbers.below(most);
            let values = numbers.values(rows * hidden, 1.0);
            let before = layer.tally();
            let (got, expected) = (doubles(&layer.rows(&values)), doubles(&whole.rows(&values)));
            let after = layer.tally();
            let (asked, there) = (after.0 - before.0, after.1 - before.1);
            splits.insert((there > 0, there < asked));
            // What the kernels do not read lies on the card in bf16, and on the processor as it is stored.
            let tolerance = if seed % 5 == 3 { 1e-2 } else { 1e-4 };
            let what = format!("{spec:?} of {dtypes:?} with {places} places, step {step}: {there} of {asked}");
            close(&what, &got, &expected, tolerance).unwrap();
        }
    }
    // Nothing was there, something, everything.
    assert!(
        splits.is_superset(&[(false, true), (true, true), (true, false)].into()),
        "{splits:?}"
    );
}

/// What is used often comes to the card, and drives out what is not.
#[test]
fn what_is_used_often_has_a_place() {
    let (hidden, dtypes) = (64, [Dtype::Bf16; 2]);
    let spec = Moe {
        experts: 8,
        top_k: 2,
        width: 16,
    };
    let mut layer = beside(7, &spec, hidden, dtypes, 2);
    let numbers = &mut Numbers(70);
    let [first, second] = [0, 1].map(|_| numbers.values(hidden, 1.0));
    let hits = |layer: &mut Layer<_>, values: &[f32], times: usize| {
        let before = layer.tally();
        for _ in 0..times {
            layer.rows(values);
        }
        let after = layer.tally();
        (after.0 - before.0, after.1 - before.1)
    };
    // Two are empty: one is filled with each token, beside it.
    assert_eq!(hits(&mut layer, &first, 3), (6, 3));
    assert_eq!(hits(&mut layer, &first, 10), (20, 20));
    // Another token that comes once does not change that; one that stays does.
    hits(&mut layer, &second, 1);
    assert_eq!(hits(&mut layer, &first, 10), (20, 20));
    hits(&mut layer, &second, 100);
    assert_eq!(hits(&mut layer, &second, 10), (20, 20));
}

/// A cancel while the processor computes leaves the rows as they were.
#[test]
fn a_cancel_between_the_two_leaves_no_trace() {
    let (hidden, dtypes) = (64, [Dtype::Bf16; 2]);
    let spec = Moe {
        experts: 4,
        top_k: 2,
        width: 64,
    };
    let interrupt = Interrupt::new();
    let cuda = Cuda::new(Emulated::new(Order::Forward).cancelling(interrupt.clone()))
        .with_kv_cache(KvType::F32)
        .with_experts_in(&[0], Cpu::new(2).unwrap());
    let mut layer = Layer::new(cuda, 5, &spec, hidden, dtypes);
    let values = Numbers(50).values(hidden, 1.0);
    let mut x = layer.backend.upload(&values, hidden).unwrap();
    assert!(matches!(
        layer.of(&mut x, &interrupt),
        Err(ComputeError::Interrupted(_))
    ));
    assert_eq!(layer.backend.download(&x).unwrap(), values);
    // And it goes on from there.
    layer.of(&mut x, &Interrupt::new()).unwrap();
    let whole = Cuda::new(Emulated::new(Order::Forward)).with_kv_cache(KvType::F32);
    let expected = Layer::new(whole, 5, &spec, hidden, dtypes).rows(&values);
    close(
        "after a cancel",
        &doubles(&layer.backend.download(&x).unwrap()),
        &doubles(&expected),
        1e-4,
    )
    .unwrap();
}

/// A model of nine experts, with room for four.
const GOLDEN: &str = "bf16-pre-norm";
const ROOM: usize = 4 * 3072;

#[test]
#[ignore = "in a process of its own"]
fn inside_slow() {
    let (whole, _) = wants(GOLDEN);
    let cards = Cards {
        memory: &[whole],
        weights: &[],
        experts: Some(&[ROOM]),
    };
    let network = network(GOLDEN, &cards);
    let error = off_after(GOLDEN, &network, 0);
    assert!(error < 2e-4, "{error:.1e}");
    let card = network.residency().unwrap();
    assert!(card.asked > 0 && card.there == 0 && card.copied > 0, "{card:?}");
}

/// Copies that never end hold up no token.
#[test]
fn tokens_wait_for_no_copy() {
    let record = tempfile::NamedTempFile::new().unwrap();
    let path = record.path().to_str().unwrap();
    let done = with_driver(
        "beside::inside_slow",
        &[("FAKE_CUDA_SLOW", "1"), ("FAKE_CUDA_RECORD", path)],
    );
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    let text = fs::read_to_string(path).unwrap();
    let entries = text.lines().filter_map(|line| line.split_once(' '));
    let record: HashMap<&str, &str> = entries.collect();
    // Only the stream that copies has waited, before the one copy, for what was computed until then.
    assert_eq!(record["event_waits"], "1", "{text}");
}

#[test]
#[ignore = "in a process of its own"]
fn inside_steady() {
    let (whole, _) = wants(GOLDEN);
    let cards = Cards {
        memory: &[whole],
        weights: &[],
        experts: Some(&[ROOM]),
    };
    let network = network(GOLDEN, &cards);
    // Again and again, until most of what is asked for is there.
    let mut before = network.residency().unwrap();
    for round in 0.. {
        let error = off_after(GOLDEN, &network, 0);
        assert!(error < 2e-4, "{error:.1e}");
        let now = network.residency().unwrap();
        if 10 * (now.there - before.there) >= 4 * (now.asked - before.asked) {
            break;
        }
        assert!(round < 200, "{now:?}");
        before = now;
    }
}

/// Copies beside what is computed, with an order between the streams wherever they meet.
#[test]
fn experts_come_while_tokens_are_decoded() {
    passes("beside::inside_steady");
}

/// A reply says at its end how it fared.
#[test]
fn a_reply_says_how_often_experts_were_there() {
    let checkpoint = Checkpoint::open(&golden(GOLDEN)).unwrap();
    let cuda = Cuda::new(Emulated::new(Order::Forward))
        .with_kv_cache(KvType::F32)
        .with_experts_in(&[ROOM], Cpu::new(1).unwrap());
    let network = Network::new(cuda, checkpoint.config, checkpoint.weights).unwrap();
    let vocabulary = Vocabulary {
        tokenizer: bundled().unwrap().tokenizer().unwrap(),
        eos: Vec::new(),
        unused: Vec::new(),
    };
    let options = EngineOptions {
        cut: Cut { tile: 8, slab: 8 },
        context_limit: 40,
    };
    let (events, received) = channel();
    let sink = Box::new(move |event: Event| drop(events.send(event.kind)));
    let engine = Engine::start(network, vocabulary, &options, sink).unwrap();
    engine.submit(Command::Generate {
        prompt: Arc::from([1, 2, 3, 4, 5]),
        marks: Arc::from([]),
        options: GenerateOptions {
            max_tokens: 6,
            speculate: Speculate::Off,
            ..GenerateOptions::default()
        },
    });
    let finished = received.iter().find_map(|event| match event {
        EventKind::Finished(finished) => Some(finished),
        EventKind::Failed(why) => panic!("{why}"),
        _ => None,
    });
    let experts = finished.unwrap().experts;
    assert_eq!((experts.places, experts.all), (4, 9));
    assert!(
        experts.asked >= 6 && experts.there > 0 && experts.there < experts.asked,
        "{experts:?}"
    );
}
