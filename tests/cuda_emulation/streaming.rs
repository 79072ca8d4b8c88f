//! Models whose experts do not all have room on the card: planned to the byte, copied beside what is computed, and as right as others.
//!
//! The card is that of `driver`: its streams do their work as late as they may, and what two of them touch without an order ends the
//! program (`emulator/hazards.hpp`).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thunderhead::compute::cpu::{Cpu, KvType};
use thunderhead::compute::cuda::Cuda;
use thunderhead::compute::cuda::device::{Device, DeviceOptions};
use thunderhead::compute::{Interrupt, Residency};
use thunderhead::engine::{Cut, Network, State};
use thunderhead::model::Checkpoint;
use thunderhead::plan::{Fit, Run, Split};

use crate::driver::{passes, with_driver};

/// What a card gives out is a multiple of this.
const STEP: usize = 64 << 10;
/// Models with more than one layer of experts, the second a small one.
const GOLDENS: [&str; 2] = ["m1-bf16", "bf16-pre-norm"];
const CUT: Cut = Cut { tile: 5, slab: 12 };
const CONTEXT: usize = 36;
/// Tokens that are prefilled, in two slabs; the others are decoded.
const PROMPT: usize = 24;

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

fn run() -> Run {
    Run {
        kv: KvType::F32,
        context: CONTEXT,
        tile: CUT.tile,
        slab: CUT.slab,
        marks: 0,
    }
}

/// Cards with so much memory each, how many weights are loaded before the first of each but the first, and bytes for experts.
pub struct Cards<'a> {
    pub memory: &'a [usize],
    pub weights: &'a [usize],
    pub experts: Option<&'a [usize]>,
}

fn off(name: &str, memory: usize, experts: Option<usize>) -> (f64, Residency) {
    off_on(
        name,
        &Cards {
            memory: &[memory],
            weights: &[],
            experts: experts.as_slice().first().map(std::slice::from_ref),
        },
    )
}

/// How far the log-probabilities of a golden are off, and what became of the experts.
fn off_on(name: &str, cards: &Cards<'_>) -> (f64, Residency) {
    let network = network(name, cards);
    (off_after(name, &network, PROMPT), network.residency().unwrap())
}

/// A golden's network on cards.
pub fn network(name: &str, cards: &Cards<'_>) -> Network<Cuda<Device>> {
    let checkpoint = Checkpoint::open(&golden(name)).unwrap();
    let mut devices = cards.memory.iter().enumerate().map(|(ordinal, memory)| {
        let options = DeviceOptions {
            ordinal,
            memory: Some(*memory),
            ..DeviceOptions::default()
        };
        Device::open(options).unwrap()
    });
    let mut cuda = Cuda::new(devices.next().unwrap())
        .with_kv_cache(KvType::F32)
        .with_context(CONTEXT);
    for (device, weights) in devices.zip(cards.weights) {
        cuda = cuda.with_card(device, *weights);
    }
    if let Some(bytes) = cards.experts {
        cuda = cuda.with_experts_in(bytes, Cpu::new(2).unwrap());
    }
    Network::new(cuda, checkpoint.config, checkpoint.weights).unwrap()
}

/// Prefills `prompt` of a golden's tokens and decodes the others: how far the log-probabilities are off.
pub fn off_after(name: &str, network: &Network<Cuda<Device>>, prompt: usize) -> f64 {
    let golden: Value = serde_json::from_slice(&fs::read(golden(name).join("golden.json")).unwrap()).unwrap();
    let expected: Vec<f64> = serde_json::from_value(golden["next_logprobs"].clone()).unwrap();
    let tokens: Vec<u32> = serde_json::from_value(golden["tokens"].clone()).unwrap();
    let mut state = State::new(network).unwrap();
    let interrupt = Interrupt::new();
    let mut done = 0;
    while done < prompt {
        let prefilled = network
            .prefill(&mut state, &tokens[done..prompt], CUT, &[], &interrupt, &mut |_| {})
            .unwrap();
        done += prefilled.tokens;
    }
    let mut off = 0.0_f64;
    for at in prompt..CONTEXT - 1 {
        network
            .advance(&mut state, &tokens[at..=at], 1, &interrupt, |_, logits| {
                let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = logits.iter().map(|x| f64::from(x - most).exp()).sum();
                let logprob = f64::from(logits[tokens[at + 1] as usize] - most) - sum.ln();
                off = off.max((logprob - expected[at]).abs());
            })
            .unwrap();
    }
    off
}

/// What a model wants of a card, in whole steps: for all of it, and with one layer's experts.
pub fn wants(name: &str) -> (usize, usize) {
    let checkpoint = Checkpoint::open(&golden(name)).unwrap();
    match Fit::of(&checkpoint.config, &checkpoint.weights, &run(), 0) {
        Fit::Not { whole, least } => (whole.next_multiple_of(STEP), least.next_multiple_of(STEP)),
        fit => panic!("{fit:?} in no memory"),
    }
}

fn room(name: &str, memory: usize) -> Option<usize> {
    let checkpoint = Checkpoint::open(&golden(name)).unwrap();
    match Fit::of(&checkpoint.config, &checkpoint.weights, &run(), memory) {
        Fit::Whole => None,
        Fit::Experts { bytes } => Some(bytes),
        Fit::Not { .. } => panic!("{name} does not fit into {memory}"),
    }
}

#[test]
fn what_was_planned_is_enough_and_numbers_are_the_same() {
    passes("streaming::inside_planned");
}

#[test]
#[ignore = "in a process of its own"]
fn inside_planned() {
    for name in GOLDENS {
        let (whole, least) = wants(name);
        assert_eq!(room(name, whole), None);
        let (error, card) = off(name, whole, None);
        assert!(error < 2e-4, "{name} is off by {error:.1e}");
        assert!(card.most <= card.memory && card.copied == 0, "{card:?}");
        // A layer at a time, and half of what there is.
        for memory in [least, usize::midpoint(least, whole)] {
            let Some(bytes) = room(name, memory) else { continue };
            let (error, card) = off(name, memory, Some(bytes));
            assert!(error < 2e-4, "{name} in {memory} bytes is off by {error:.1e}");
            assert!(card.most <= card.memory && card.places < card.experts, "{card:?}");
            assert!(card.copied > 0 && card.asked > card.there, "{card:?}");
        }
    }
}

/// A prompt in two slabs copies every expert at most twice, however many tiles it has; those that stay are not copied again.
#[test]
fn a_slab_copies_an_expert_once() {
    passes("streaming::inside_slabs");
}

#[test]
#[ignore = "in a process of its own"]
fn inside_slabs() {
    let name = GOLDENS[0];
    let (_, least) = wants(name);
    let checkpoint = Checkpoint::open(&golden(name)).unwrap();
    let expert: usize = {
        let expert = &checkpoint.weights.layers[0].moe.experts[0];
        [&expert.gate, &expert.up, &expert.down]
            .map(|part| part.bytes().len())
            .iter()
            .sum()
    };
    let prompted = |places: usize| {
        let memory = (least + places * expert).next_multiple_of(STEP);
        let device = Device::open(DeviceOptions {
            memory: Some(memory),
            ..DeviceOptions::default()
        });
        let cuda = Cuda::new(device.unwrap())
            .with_kv_cache(KvType::F32)
            .with_context(CONTEXT)
            .with_experts_in(&[places * expert], Cpu::new(1).unwrap());
        let network = Network::new(cuda, checkpoint.config.clone(), checkpoint.weights.clone()).unwrap();
        let mut state = State::new(&network).unwrap();
        let mut done = 0;
        while done < PROMPT {
            let ids = vec![1; PROMPT - done];
            let prefilled = network.prefill(&mut state, &ids, CUT, &[], &Interrupt::new(), &mut |_| {});
            done += prefilled.unwrap().tokens;
        }
        (network.residency().unwrap().copied as usize).div_ceil(expert)
    };
    // Seven layers of four experts each are of use to a prompt, the eighth is not.
    assert_eq!(prompted(4), 2 * 28);
    // Half of them stay, and two layers pass through the other half.
    let copied = prompted(16);
    assert!((28..=28 + 28 - 8).contains(&copied), "{copied}");
    assert_eq!(prompted(28), 28);
}

/// Each wait for an event, left out in turn: the driver that is none sees that something has no order.
#[test]
fn a_wait_that_is_left_out_is_a_hazard() {
    let counted = tempfile::NamedTempFile::new().unwrap();
    let path = counted.path().to_str().unwrap();
    let done = with_driver("streaming::inside_few", &[("FAKE_CUDA_RECORD", path)]);
    assert!(done.status.success(), "{done:?}");
    let record = fs::read_to_string(path).unwrap();
    let waits = record
        .lines()
        .find_map(|line| line.strip_prefix("event_waits "))
        .unwrap();
    let waits: usize = waits.parse().unwrap();
    assert!(waits >= 8, "{record}");
    let mut caught = 0;
    for wait in 0..waits {
        let done = with_driver("streaming::inside_few", &[("FAKE_CUDA_FORGET", &wait.to_string())]);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        caught += usize::from(done.status.code() == Some(4) && said.contains("a hazard"));
    }
    // A wait for a place that nobody has used yet has nothing to wait for.
    assert!(caught >= 3, "{caught}");
}

#[test]
#[ignore = "in a process of its own"]
fn inside_few() {
    // Room for four of nine experts, three a layer.
    let (whole, _) = wants(GOLDENS[1]);
    let (error, _) = off(GOLDENS[1], whole, Some(4 * 3072));
    assert!(error < 2e-4, "{error:.1e}");
}

/// As long as is planned with, where a card has room for what that leaves.
#[test]
fn slabs_are_long_where_experts_are_copied() {
    let config = Checkpoint::open(&golden(GOLDENS[0])).unwrap().config;
    let run = Run {
        context: 100_000,
        tile: 512,
        slab: 4096,
        ..run()
    };
    let slab = |bytes| run.with_long_slabs(&config, bytes).slab;
    assert_eq!(slab(1 << 40), 32_768);
    assert_eq!(slab(1 << 20), 2048);
    let sizes: Vec<usize> = (20..36).map(|power| slab(1 << power)).collect();
    assert!(sizes.is_sorted() && sizes.contains(&8192), "{sizes:?}");
    let short = Run { context: 3000, ..run };
    assert_eq!(short.with_long_slabs(&config, 1 << 40).slab, 3000);
}

/// Layers on two cards that are each too small for all of them, and on two that have no room for all experts.
#[test]
fn two_cards_have_the_layers_between_them() {
    let done = with_driver("streaming::inside_two", &[("FAKE_CUDA_CARDS", "2")]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "in a process of its own"]
fn inside_two() {
    let name = GOLDENS[0];
    let (whole, _) = wants(name);
    let checkpoint = Checkpoint::open(&golden(name)).unwrap();
    let split = |memory: usize| Split::of(&checkpoint.config, &checkpoint.weights, &run(), &[memory; 2]);
    let sizes = || (1..).map(|n| n * STEP);
    let least = sizes().find(|memory| split(*memory).is_some()).unwrap();
    let enough = sizes()
        .find(|memory| split(*memory).is_some_and(|split| split.experts.is_none()))
        .unwrap();
    assert!(least < enough && enough < whole, "{least} {enough} {whole}");
    for memory in [enough, least] {
        let split = split(memory).unwrap();
        assert_eq!(split.layers.len(), 2);
        assert_eq!((split.layers[0].start, split.layers[1].end), (0, 8));
        assert!(!split.layers[0].is_empty() && !split.layers[1].is_empty());
        let (error, card) = off_on(
            name,
            &Cards {
                memory: &[memory; 2],
                weights: &split.weights,
                experts: split.experts.as_deref(),
            },
        );
        assert!(error < 2e-4, "in {memory} bytes each it is off by {error:.1e}");
        assert_eq!(card.memory, 2 * memory as u64);
        assert_eq!(card.copied > 0, split.experts.is_some(), "{card:?}");
    }
}
