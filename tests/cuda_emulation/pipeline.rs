//! Layers on several cards: they work side by side on pieces of a prompt that follow one another, and say what one card says.
//!
//! The cards are those of `driver`. They write down what lies before what (`FAKE_CUDA_TRACE`), so that it can be told which work has to
//! wait for which, and how long all of it would take if each launch took a time of its own.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;

use thunderhead::compute::cpu::{Cpu, KvType};
use thunderhead::compute::cuda::Cuda;
use thunderhead::compute::cuda::device::{Device, DeviceOptions};
use thunderhead::compute::{ComputeError, Interrupt};
use thunderhead::engine::{Cut, Network, State};
use thunderhead::model::{ModelConfig, ModelWeights, TensorView};
use thunderhead::plan::{Run, Split};

use crate::common::models::random_model_of;
use crate::driver::with_driver;
use crate::numbers::Numbers;

const VOCAB: usize = 30;
/// Bytes of a card that has more than enough.
const MEMORY: usize = 4 << 20;
/// Bytes of an expert of the models here.
const EXPERT: usize = 3 * 16 * 24 * 4;

type Weights = ModelWeights<TensorView>;

/// How a model lies on cards.
struct Cards {
    count: usize,
    /// Bytes for experts on each, if they are copied there.
    experts: Option<usize>,
    kv: KvType,
}

fn network((config, weights): &(ModelConfig, Weights), cards: &Cards) -> Network<Cuda<Device>> {
    let device = |ordinal| {
        let options = DeviceOptions {
            ordinal,
            memory: Some(MEMORY),
            ..DeviceOptions::default()
        };
        Device::open(options).unwrap()
    };
    let mut cuda = Cuda::new(device(0)).with_kv_cache(cards.kv);
    if cards.count > 1 {
        let run = Run {
            kv: cards.kv,
            context: 256,
            tile: 16,
            slab: 64,
            marks: 4,
        };
        let split = Split::of(config, weights, &run, &vec![MEMORY; cards.count]).unwrap();
        assert!(split.layers.iter().all(|layers| !layers.is_empty()), "{split:?}");
        for (ordinal, weights) in (1..).zip(split.weights) {
            cuda = cuda.with_card(device(ordinal), weights);
        }
    }
    if let Some(bytes) = cards.experts {
        cuda = cuda.with_experts_in(&vec![bytes; cards.count], Cpu::new(1).unwrap());
    }
    Network::new(cuda, config.clone(), weights.clone()).unwrap()
}

/// What a sequence says at a place, as bits: the logits of a tile of more tokens, and then of one and another.
#[derive(Debug, PartialEq)]
struct Said {
    tile: Vec<u32>,
    tokens: Vec<u32>,
}

fn says(network: &Network<Cuda<Device>>, state: &mut State<Cuda<Device>>) -> Said {
    let mut advance = |tokens: &[u32], outputs: usize| {
        let mut bits = Vec::new();
        let sink = |_, row: &[f32]| bits.extend(row.iter().map(|x| x.to_bits()));
        network
            .advance(state, tokens, outputs, &Interrupt::new(), sink)
            .unwrap();
        bits
    };
    let tile = advance(&[3, 1, 4, 1, 5, 9], 6);
    let tokens = [advance(&[2], 1), advance(&[6], 1)].concat();
    Said { tile, tokens }
}

/// Prefills a prompt, stopping and going on after each of `stops` reports, and says what comes of it: at its end, and at each mark.
fn read(network: &Network<Cuda<Device>>, prompt: &[u32], cut: Cut, marks: &[usize], stops: &[usize]) -> Vec<Said> {
    let mut state = State::new(network).unwrap();
    let (mut made, mut stops) = (Vec::new(), stops.iter());
    while state.position() < prompt.len() {
        let here = state.position();
        let ahead: Vec<usize> = marks.iter().filter(|m| **m > here).map(|m| m - here).collect();
        let interrupt = Interrupt::new();
        let mut left = stops.next().copied().unwrap_or(usize::MAX);
        let begun = network.begun(&state, &prompt[here..]);
        let mut last = begun;
        let mut progress = |done: usize| {
            assert!(done > last, "progress goes back from {last} to {done}");
            last = done;
            left -= 1;
            if left == 0 {
                interrupt.raise();
            }
        };
        match network.prefill(&mut state, &prompt[here..], cut, &ahead, &interrupt, &mut progress) {
            Ok(done) => made.extend(done.marks),
            Err(ComputeError::Interrupted(_)) => {
                assert_eq!(
                    network.begun(&state, &prompt[here..]),
                    last,
                    "what was done is still there"
                );
            }
            Err(error) => panic!("{error}"),
        }
    }
    let mut said = vec![says(network, &mut state)];
    assert_eq!(made.len(), marks.len());
    for mark in made.iter().rev() {
        state.rewind(mark, network).unwrap();
        said.push(says(network, &mut state));
    }
    said
}

#[track_caller]
fn passes_on(cards: usize, test: &str, variables: &[(&str, &str)]) -> Output {
    let count = cards.to_string();
    let done = with_driver(test, &[&[("FAKE_CUDA_CARDS", &*count)], variables].concat());
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    done
}

#[test]
fn several_cards_say_what_one_says() {
    passes_on(3, "pipeline::inside_bits", &[]);
}

/// Cards that read each other's memory need no other.
#[test]
fn cards_that_reach_each_other_say_it_too() {
    let counted = tempfile::NamedTempFile::new().unwrap();
    let path = counted.path().to_str().unwrap();
    passes_on(
        3,
        "pipeline::inside_bits",
        &[("FAKE_CUDA_PEERS", "1"), ("FAKE_CUDA_RECORD", path)],
    );
    let record = fs::read_to_string(path).unwrap();
    assert!(
        record.contains("copies_between_cards") && !record.contains("copies_to_pinned"),
        "{record}"
    );
}

/// Whatever the tiles, the marks and the places where a prompt is left: bit for bit.
#[test]
#[ignore = "in a process of its own"]
fn inside_bits() {
    let numbers = &mut Numbers(71);
    // The copies differ only.
    let cases = if std::env::var("FAKE_CUDA_PEERS").is_ok() { 1 } else { 4 };
    for case in 0..cases {
        let kinds = ["llsl", "slsll", "lslslls"][case % 3];
        let model = random_model_of(case as u64, kinds, VOCAB, 16);
        let kv = [KvType::Bf16, KvType::F32][case % 2];
        let length = numbers.below(30) + 10;
        let prompt: Vec<u32> = (0..length).map(|_| numbers.below(VOCAB) as u32).collect();
        let mut marks: Vec<usize> = (0..numbers.below(4)).map(|_| numbers.below(length) + 1).collect();
        marks.sort_unstable();
        marks.dedup();
        let stops: Vec<usize> = (0..numbers.below(8)).map(|_| numbers.below(12) + 1).collect();
        let tile = numbers.below(14) + 1;
        let one = Cards {
            count: 1,
            experts: None,
            kv,
        };
        let whole = Cut { tile, slab: 1000 };
        let expected = read(&network(&model, &one), &prompt, whole, &marks, &[]);
        for count in [2, 3] {
            let about = format!(
                "case {case}: {kinds} on {count} cards, {length} tokens in tiles of {tile}, marks {marks:?}, stops {stops:?}"
            );
            // All on the cards, a tile at a time.
            let cards = Cards {
                count,
                experts: None,
                kv,
            };
            let got = read(&network(&model, &cards), &prompt, whole, &marks, &stops);
            assert!(got == expected, "{about}");
            // Experts in room for one or two layers, a few tiles at a time. The processor computes those of single tokens with other
            // numbers.
            let cards = Cards {
                experts: Some((1 + case % 2) * 3 * EXPERT),
                ..cards
            };
            let cut = Cut { tile, slab: 2 * tile };
            let got = read(&network(&model, &cards), &prompt, cut, &marks, &stops);
            let tiles = |all: &[Said]| all.iter().map(|said| said.tile.clone()).collect::<Vec<_>>();
            assert!(tiles(&got) == tiles(&expected), "with experts elsewhere, {about}");
        }
    }
}

/// One piece of work of a trace.
struct Work {
    stream: usize,
    number: usize,
    card: usize,
    cost: f64,
    name: String,
    /// How much of each stream lies before it.
    before: Vec<usize>,
}

impl Work {
    /// Whether other work lies before it.
    fn is_after(&self, other: &Self) -> bool {
        self.before[other.stream] >= other.number && (self.stream, self.number) != (other.stream, other.number)
    }
}

const LAYERS: usize = 3;
const TILES: usize = 12;
const TILE: usize = 6;

/// What cards of [`LAYERS`] layers each did for a prompt of [`TILES`] tiles, and what was counted.
fn traced(cards: usize) -> (Vec<Work>, BTreeMap<String, usize>) {
    let folder = tempfile::tempdir().unwrap();
    let [trace, record] = ["trace", "record"].map(|name| folder.path().join(name));
    passes_on(
        cards,
        "pipeline::inside_traced",
        &[
            ("FAKE_CUDA_TRACE", trace.to_str().unwrap()),
            ("FAKE_CUDA_RECORD", record.to_str().unwrap()),
        ],
    );
    let text = fs::read_to_string(trace).unwrap();
    let work = text.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        let is_kernel = !words[4].starts_with("a_");
        Work {
            stream: number(0),
            number: number(1),
            card: number(2),
            cost: if is_kernel { 1e4 + number(3) as f64 } else { 1.0 },
            name: words[4].to_owned(),
            before: (5..words.len()).map(number).collect(),
        }
    });
    let counted = fs::read_to_string(record).unwrap();
    let counted = counted.lines().filter_map(|line| line.split_once(' '));
    let counted = counted.map(|(name, count)| (name.to_owned(), count.parse().unwrap()));
    (work.collect(), counted.collect())
}

#[test]
#[ignore = "in a process of its own"]
fn inside_traced() {
    let count: usize = std::env::var("FAKE_CUDA_CARDS").unwrap().parse().unwrap();
    let model = random_model_of(5, &"l".repeat(LAYERS * count), VOCAB, 16);
    let cards = Cards {
        count,
        experts: None,
        kv: KvType::Bf16,
    };
    let network = network(&model, &cards);
    let mut state = State::new(&network).unwrap();
    let prompt: Vec<u32> = (0..TILES * TILE).map(|i| (i % VOCAB) as u32).collect();
    let cut = Cut { tile: TILE, slab: 1000 };
    let done = network.prefill(&mut state, &prompt, cut, &[], &Interrupt::new(), &mut |_| {});
    assert_eq!(done.unwrap().tokens, prompt.len());
}

/// When all of it is done, if every launch takes what it costs and begins when what lies before it is done.
fn makespan(work: &[Work]) -> f64 {
    let streams = work.iter().map(|work| work.stream).max().unwrap() + 1;
    let mut ends: Vec<Vec<f64>> = vec![vec![0.0]; streams];
    for work in work {
        // Of its own stream it knows itself.
        let before = |stream: usize| work.before[stream] - usize::from(stream == work.stream);
        let begin = (0..streams).map(|stream| ends[stream][before(stream)]);
        let end = begin.fold(0.0, f64::max) + work.cost;
        assert_eq!(ends[work.stream].len(), work.number, "a trace without a piece of work");
        ends[work.stream].push(end);
    }
    ends.iter().flatten().copied().fold(0.0, f64::max)
}

/// A card is not held up by what another does for the piece before or after: neither lies before the other.
#[test]
fn pieces_pass_side_by_side() {
    for cards in [2, 3] {
        let (work, counted) = traced(cards);
        // The mixer of a tile, by card, tile and layer of the card.
        let mixers: Vec<Vec<&Work>> = (0..cards)
            .map(|card| {
                let of = |work: &&Work| work.card == card && work.name == "lightning_64";
                work.iter().filter(of).collect()
            })
            .collect();
        for mixers in &mixers {
            assert_eq!(mixers.len(), LAYERS * TILES);
        }
        for (first, second) in mixers.iter().zip(&mixers[1..]) {
            for tile in 0..TILES {
                for layer in 0..LAYERS {
                    let here = second[tile * LAYERS + layer];
                    // What the tile was on the card before lies before it.
                    assert!(here.is_after(first[tile * LAYERS + LAYERS - 1]), "tile {tile}");
                    if tile + 1 < TILES {
                        let next = first[(tile + 1) * LAYERS + layer];
                        assert!(
                            !here.is_after(next) && !next.is_after(here),
                            "tile {tile}, layer {layer}"
                        );
                    }
                }
            }
        }
        // Together they take as long as one of them, and what it takes to fill them all.
        let shares = (0..cards).map(|card| work.iter().filter(|w| w.card == card).map(|w| w.cost).sum::<f64>());
        let share = shares.fold(0.0, f64::max);
        let expected = share * (TILES + cards - 1) as f64 / TILES as f64;
        let took = makespan(&work);
        assert!(
            took < expected * 1.1,
            "{cards} cards take {took} where one takes {share}, not {expected}"
        );
        // Nobody waits for a card but to keep pace: a few times in all, when it is opened and when it is left.
        assert!(counted["waits"] <= 8 * cards, "{counted:?}");
        // Of what is asked for only a few steps are not done: a step is some seven launches.
        let most = counted["most_launches_waiting"];
        assert!((14..=48).contains(&most), "{counted:?}");
    }
}

/// What a tile is made of crosses the bus while the one before it is computed.
#[test]
fn inputs_come_beside_what_is_computed() {
    let (work, counted) = traced(1);
    let mixers: Vec<&Work> = work.iter().filter(|work| work.name == "lightning_64").collect();
    let embedded: Vec<&Work> = work.iter().filter(|work| work.name.starts_with("embed_")).collect();
    assert_eq!((mixers.len(), embedded.len()), (LAYERS * TILES, TILES));
    let computes = mixers[0].stream;
    let copies: Vec<&Work> = work
        .iter()
        .filter(|work| work.name == "a_copy_to_the_card" && work.stream != computes)
        .collect();
    // Of the first layer, which all tiles pass first.
    for (tile, (embedded, before)) in embedded[1..].iter().zip(&mixers).enumerate() {
        let of_it = copies.iter().rfind(|copy| embedded.is_after(copy));
        let of_it = of_it.expect("a tile is made of something");
        assert!(!of_it.is_after(before), "tile {}", tile + 1);
    }
    assert!(counted["copies_from_pinned"] >= TILES, "{counted:?}");
    assert!(counted["waits"] <= 8, "{counted:?}");
}

/// Each wait of a stream, left out in turn: most are seen to be missed.
#[test]
fn a_card_that_does_not_wait_for_another_is_a_hazard() {
    for (cards, peers) in [("1", "0"), ("2", "0"), ("2", "1")] {
        let counted = tempfile::NamedTempFile::new().unwrap();
        let path = counted.path().to_str().unwrap();
        passes_on(
            cards.parse().unwrap(),
            "pipeline::inside_traced",
            &[("FAKE_CUDA_RECORD", path), ("FAKE_CUDA_PEERS", peers)],
        );
        let record = fs::read_to_string(path).unwrap();
        let waits = record.lines().find_map(|line| line.strip_prefix("event_waits "));
        let waits: usize = waits.unwrap().parse().unwrap();
        assert!(waits >= 2 * TILES, "{record}");
        let mut caught = 0;
        // Of the last, where everything has been used before.
        for wait in waits - 16..waits - 8 {
            let done = with_driver(
                "pipeline::inside_traced",
                &[
                    ("FAKE_CUDA_CARDS", cards),
                    ("FAKE_CUDA_PEERS", peers),
                    ("FAKE_CUDA_FORGET", &wait.to_string()),
                ],
            );
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            caught += usize::from(done.status.code() == Some(4) && said.contains("a hazard"));
        }
        // What the program has waited for to keep pace needs no other wait.
        assert!(caught >= 3, "{caught} of 8, {cards} cards, peers {peers}");
    }
}
