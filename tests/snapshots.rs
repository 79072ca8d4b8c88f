//! States on the disk: what was read once is not read again, and what is taken up is what would have been there.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

mod common;

use std::path::Path;
use std::process::{Command as Process, Output};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::models::{letters, random_model};
use proptest::prelude::*;
use serde_json::Value;
use thunderhead::compute::Backend;
use thunderhead::compute::cpu::{Cpu, Isa, KvType};
use thunderhead::compute::reference::Reference;
use thunderhead::engine::{
    Command, Cut, Engine, EngineOptions, Estimate, Event, EventKind, Finished, GenerateOptions, Identity, Library,
    Network, Snapshots, Speculate, StopReason, Submit, Vocabulary,
};

const VOCAB: usize = 30;
/// Longer than any step of these tests takes on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// An engine that keeps its states in a folder.
struct Talk {
    // Dropped first.
    engine: Engine,
    events: Receiver<Event>,
    snapshots: Arc<Snapshots>,
}

/// Two talks are the same talk if these are the same.
#[derive(Debug, PartialEq)]
struct Said {
    prompt: usize,
    cached: usize,
    reason: StopReason,
    /// Id, and bits of probability and entropy.
    tokens: Vec<(u32, u32, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Model {
    seed: u64,
    kinds: &'static str,
    name: &'static str,
}

const MODEL: Model = Model {
    seed: 7,
    kinds: "lsls",
    name: "random",
};

fn cpu() -> Cpu {
    Cpu::new(1).unwrap()
}

impl Talk {
    fn on(folder: &Path) -> Self {
        Self::with(folder, MODEL, cpu())
    }

    fn with<B: Backend>(folder: &Path, model: Model, backend: B) -> Self {
        let (config, weights) = random_model(model.seed, model.kinds, VOCAB);
        let network = Network::new(backend, config, weights).unwrap();
        let vocabulary = Vocabulary {
            tokenizer: letters("abcdefghijklmnopqrstuvwxyz", &["<x>", "<y>", "<z>", "<eos>"]),
            eos: vec![],
            unused: vec![],
        };
        let options = EngineOptions {
            cut: Cut { tile: 64, slab: 512 },
            context_limit: 100_000,
        };
        let snapshots = Arc::new(Snapshots::open(folder, u64::MAX).unwrap());
        let identity = Identity {
            fingerprint: [model.seed as u8; 32],
            name: model.name.to_owned(),
        };
        let (send, events) = channel();
        let sink = Box::new(move |event| drop(send.send(event)));
        let keeping = Some((snapshots.clone(), identity));
        Self {
            engine: Engine::start_with(network, vocabulary, &options, keeping, sink).unwrap(),
            events,
            snapshots,
        }
    }

    fn run(&self, command: Command) -> (Finished, Vec<(u32, u32, u32)>) {
        self.engine.submit(command);
        let mut tokens = Vec::new();
        loop {
            match self.events.recv_timeout(PATIENCE).expect("the engine answers").kind {
                EventKind::Token(token) => {
                    tokens.push((token.id, token.probability.to_bits(), token.entropy.to_bits()));
                }
                EventKind::Finished(finished) => return (finished, tokens),
                EventKind::Prefill(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn prefill(&self, tokens: &[u32], marks: &[usize]) -> Finished {
        self.run(Command::Prefill {
            tokens: tokens.into(),
            marks: marks.into(),
        })
        .0
    }

    fn generate(&self, prompt: &[u32], marks: &[usize], max_tokens: usize, speculate: Speculate) -> (Said, Finished) {
        let (finished, tokens) = self.run(Command::Generate {
            prompt: prompt.into(),
            marks: marks.into(),
            options: GenerateOptions {
                max_tokens,
                speculate,
                ..Default::default()
            },
        });
        let said = Said {
            prompt: finished.prompt_tokens,
            cached: finished.cached_tokens,
            reason: finished.reason,
            tokens,
        };
        (said, finished)
    }

    fn say(&self, prompt: &[u32]) -> (Said, Finished) {
        self.generate(prompt, &[], 12, Speculate::Off)
    }

    fn estimate(&self, prompt: &[u32]) -> Estimate {
        self.engine.submit(Command::Estimate { prompt: prompt.into() });
        match self.events.recv_timeout(PATIENCE).expect("the engine answers").kind {
            EventKind::Estimated(estimate) => estimate,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until all that was done is written: what is found on the disk afterwards does not hang on how fast the disk is.
    fn settle(&self) {
        // The engine answers when the command before is over, its states handed on for writing.
        self.estimate(&[]);
        assert!(self.snapshots.wait(None));
        assert_eq!(self.snapshots.trouble(), None);
    }

    /// Ends it when everything is written.
    fn close(self) {
        self.settle();
    }
}

fn ids(seed: u32, length: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2_654_435_769) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % VOCAB as u32
    };
    (0..length).map(next).collect()
}

fn joined(parts: &[&[u32]]) -> Vec<u32> {
    parts.concat()
}

#[test]
fn what_was_prefilled_is_not_prefilled_again() {
    let dir = tempfile::tempdir().unwrap();
    let documents = ids(1, 1500);
    let first = Talk::on(dir.path());
    let finished = first.prefill(&documents, &[400, 900]);
    assert_eq!((finished.cached_tokens, finished.restored_tokens), (0, 0));
    let asked = joined(&[&documents, &ids(2, 40)]);
    let (said, finished) = first.say(&asked);
    assert_eq!((said.cached, finished.restored_tokens), (1500, 0), "that is in memory");
    first.close();

    let second = Talk::on(dir.path());
    let finished = second.prefill(&documents, &[400, 900]);
    assert_eq!((finished.cached_tokens, finished.restored_tokens), (1500, 1500));
    // As far as the prompt whose last token has to be read for what follows it.
    let (again, finished) = second.say(&asked);
    assert_eq!((again.cached, finished.restored_tokens), (1539, 39));
    assert_eq!(again.tokens, said.tokens, "bit for bit");
    // The last document is another now.
    let other = joined(&[&documents[..900], &ids(3, 500)]);
    let finished = second.prefill(&other, &[400, 900]);
    assert_eq!((finished.cached_tokens, finished.restored_tokens), (900, 900));
    second.close();

    let third = Talk::on(dir.path());
    let finished = third.prefill(&other, &[400, 900]);
    assert_eq!((finished.cached_tokens, finished.restored_tokens), (1400, 1400));
    let finished = third.prefill(&joined(&[&documents[..600], &ids(9, 30)]), &[]);
    assert_eq!((finished.cached_tokens, finished.restored_tokens), (400, 400));
}

#[test]
fn the_cost_of_going_back_is_known_before_it_is_paid() {
    let dir = tempfile::tempdir().unwrap();
    let documents = ids(1, 2000);
    let first = Talk::on(dir.path());
    first.prefill(&documents, &[700]);
    let turn = joined(&[&documents, &ids(2, 100)]);
    first.say(&turn);
    first.close();
    let second = Talk::on(dir.path());
    let estimate = second.estimate(&turn);
    assert_eq!(
        (estimate.tokens, estimate.kept),
        (2100, 2099),
        "nothing has been loaded yet"
    );
    assert!(estimate.ms.is_some_and(|ms| ms < 1000), "{estimate:?}");
    let edited = joined(&[&documents[..1000], &ids(3, 5000)]);
    let estimate = second.estimate(&edited);
    assert_eq!((estimate.tokens, estimate.kept), (6000, 700));
    assert!(
        estimate.ms.is_some_and(|ms| ms > 0),
        "by what was measured in another run"
    );
    let finished = second.prefill(&edited, &[]);
    assert_eq!(finished.cached_tokens, 700, "what was told");
}

/// With every type of cache, in both implementations, with layers of one kind only.
#[test]
fn restored_is_never_stopped() {
    fn check<B: Backend>(model: Model, backend: impl Fn() -> B) {
        let dir = tempfile::tempdir().unwrap();
        for (length, more) in [(256, 1), (511, 70), (700, 300)] {
            let documents = ids(length as u32, length);
            let question = joined(&[&documents, &ids(4, more)]);
            let whole = Talk::with(&dir.path().join("whole"), model, backend());
            whole.prefill(&documents, &[]);
            let (never_stopped, _) = whole.say(&question);
            let first = Talk::with(dir.path(), model, backend());
            first.prefill(&documents, &[]);
            first.close();
            let second = Talk::with(dir.path(), model, backend());
            let (restored, finished) = second.say(&question);
            // Of a prompt that ends there, the last token is read again.
            assert_eq!(finished.restored_tokens, length);
            assert_eq!(restored, never_stopped, "{length} {more}");
            second.close();
        }
    }
    for kv in [KvType::F32, KvType::Bf16, KvType::Q8, KvType::Auto] {
        check(MODEL, || cpu().with_kv_cache(kv));
    }
    check(MODEL, || cpu().with_isa(Isa::Portable));
    check(MODEL, || Reference);
    for kinds in ["l", "s", "ss"] {
        check(Model { kinds, ..MODEL }, cpu);
    }
}

/// Keys and values change their type at 131,072 tokens.
#[test]
fn long_sequences_have_places_on_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model { kinds: "ls", ..MODEL };
    let documents = ids(1, 20_000);
    let first = Talk::with(dir.path(), model, cpu());
    first.prefill(&documents[..16_300], &[]);
    // A place comes while it decodes.
    let (said, _) = first.generate(&documents[..16_300], &[], 200, Speculate::Off);
    first.prefill(&documents, &[]);
    first.close();
    let second = Talk::with(dir.path(), model, cpu());
    let reply: Vec<u32> = said.tokens.iter().map(|token| token.0).collect();
    let branch = joined(&[&documents[..16_300], &reply[..150], &ids(5, 20)]);
    assert_eq!(second.prefill(&branch, &[]).restored_tokens, 16_384);
    let edited = joined(&[&documents[..18_000], &ids(6, 10)]);
    assert_eq!(second.prefill(&edited, &[]).cached_tokens, 16_384);
    second.close();
}

#[test]
fn other_numbers_never_match() {
    let dir = tempfile::tempdir().unwrap();
    let documents = ids(1, 800);
    let restored = |model: Model, cpu: Cpu| {
        let talk = Talk::with(dir.path(), model, cpu);
        let restored = talk.prefill(&documents, &[]).restored_tokens;
        talk.close();
        restored
    };
    assert_eq!(restored(MODEL, cpu()), 0);
    assert_eq!(restored(MODEL, cpu()), 800);
    assert_eq!(restored(MODEL, Cpu::new(2).unwrap()), 800, "threads change nothing");
    assert_eq!(
        restored(
            Model {
                name: "renamed",
                ..MODEL
            },
            cpu()
        ),
        800
    );
    for kv in [KvType::F32, KvType::Bf16, KvType::Q8] {
        assert_eq!(restored(MODEL, cpu().with_kv_cache(kv)), 0, "{kv:?}");
    }
    if Isa::detect() != Isa::Portable {
        assert_eq!(restored(MODEL, cpu().with_isa(Isa::Portable)), 0);
    }
    assert_eq!(restored(Model { seed: 8, ..MODEL }, cpu()), 0);
    assert_eq!(restored(Model { kinds: "lsll", ..MODEL }, cpu()), 0);
    let talk = Talk::with(dir.path(), MODEL, Reference);
    assert_eq!(talk.prefill(&documents, &[]).restored_tokens, 0);
    talk.close();
    assert_eq!(
        Library::open(dir.path()).list().0.len(),
        if Isa::detect() == Isa::Portable { 7 } else { 8 }
    );
}

#[test]
fn damage_while_it_runs_costs_time_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let documents = ids(1, 1500);
    let first = Talk::on(dir.path());
    first.prefill(&documents, &[500, 1000]);
    let (said, _) = first.say(&documents);
    first.close();
    for (number, flip) in [1usize, 5000, 50_000, 90_001, 140_000].into_iter().enumerate() {
        for entry in walk(dir.path()) {
            let mut bytes = std::fs::read(&entry).unwrap();
            let at = flip % bytes.len();
            bytes[at] ^= 4;
            std::fs::write(&entry, bytes).unwrap();
        }
        let talk = Talk::on(dir.path());
        talk.prefill(&documents, &[500, 1000]);
        let (again, _) = talk.say(&documents);
        assert_eq!(again.tokens, said.tokens, "{number}");
        talk.close();
        // Each damaged file is found when it is needed.
        let kept_again = (0..9).any(|_| {
            let talk = Talk::on(dir.path());
            let cached = talk.prefill(&documents, &[500, 1000]).cached_tokens;
            talk.close();
            cached == 1500
        });
        assert!(kept_again);
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// What is done next in a conversation.
#[derive(Debug, Clone)]
enum Step {
    /// Goes on after all that was said.
    Ask(u32, usize),
    /// Has an earlier turn again, with another question.
    Fork(usize, u32, usize),
    /// Goes back to an earlier turn and asks the same.
    Again(usize),
    /// The documents after this many are others.
    Change(usize, u32),
    /// The program ends and is started again.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0u32..50, 1usize..120).prop_map(|(seed, length)| Step::Ask(seed, length)),
        2 => (0usize..6, 50u32..99, 1usize..60).prop_map(|(turn, seed, length)| Step::Fork(turn, seed, length)),
        1 => (0usize..6).prop_map(Step::Again),
        1 => (0usize..3, 0u32..9).prop_map(|(place, seed)| Step::Change(place, seed)),
        3 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// One program runs through; another is ended and started again in between. They say the same, bit for bit, and the one that
    /// was ended prefills no token that the other has not prefilled.
    #[test]
    fn any_conversation_goes_on_after_any_restarts(
        steps in steps(),
        drafts in prop_oneof![Just(Speculate::Off), Just(Speculate::Always(4))],
        kinds in prop_oneof![Just("ls"), Just("lsl"), Just("ss")],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let model = Model { kinds, ..MODEL };
        let open = |name: &str| Talk::with(&dir.path().join(name), model, cpu());
        let straight = open("straight");
        let mut stopped = open("stopped");
        let places = [300usize, 600, 800];
        let mut documents = ids(1, 900);
        let mut turns: Vec<Vec<u32>> = Vec::new();
        prop_assert_eq!(straight.prefill(&documents, &places).cached_tokens, 0);
        prop_assert_eq!(stopped.prefill(&documents, &places).cached_tokens, 0);
        for step in steps {
            let prompt = match step {
                Step::Restart => {
                    stopped.close();
                    stopped = open("stopped");
                    continue;
                }
                Step::Change(place, seed) => {
                    let kept = places[place];
                    documents = joined(&[&documents[..kept], &ids(seed, 900 - kept)]);
                    turns.clear();
                    let cached = straight.prefill(&documents, &places).cached_tokens;
                    prop_assert_eq!(stopped.prefill(&documents, &places).cached_tokens, cached);
                    prop_assert!(cached >= kept);
                    continue;
                }
                Step::Ask(seed, length) => joined(&[turns.last().unwrap_or(&documents), &ids(seed, length)]),
                Step::Fork(turn, seed, length) => {
                    turns.truncate(turn);
                    joined(&[turns.last().unwrap_or(&documents), &ids(seed, length)])
                }
                Step::Again(turn) => {
                    turns.truncate(turn + 1);
                    match turns.pop() {
                        Some(prompt) => prompt,
                        None => continue,
                    }
                }
            };
            // A place that memory has let go of may be on the disk.
            straight.settle();
            stopped.settle();
            let (said, _) = straight.generate(&prompt, &[], 9, drafts);
            let (again, finished) = stopped.generate(&prompt, &[], 9, drafts);
            prop_assert_eq!(&said, &again);
            prop_assert!(finished.restored_tokens <= finished.cached_tokens);
            let reply: Vec<u32> = said.tokens.iter().map(|token| token.0).collect();
            turns.push(joined(&[&prompt, &reply]));
        }
        straight.close();
        stopped.close();
    }
}

fn thunderhead(folder: &Path, arguments: &[&str]) -> Output {
    let output = Process::new(env!("CARGO_BIN_EXE_thunderhead"))
        .env("THUNDERHEAD_SESSIONS_KEEP", "false")
        .args(arguments)
        .env("THUNDERHEAD_CACHE", folder.join("cache"))
        .env("THUNDERHEAD_CONFIG", "")
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    output
}

fn finished(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
    events.filter(|event: &Value| event["type"] == "finished").collect()
}

/// Id, probability and entropy of each.
fn tokens(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let tokens = events.filter(|event| event["type"] == "token");
    tokens
        .map(|token| serde_json::json!([token["id"], token["probability"], token["entropy"]]))
        .collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Of a hundred files, as many as the last is not.
#[test]
fn the_program_reads_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    std::fs::create_dir(folder.join("src")).unwrap();
    let write = |number: usize, value: usize| {
        let lines = (0..6).map(|i| format!("pub const NAME_{number}_{i}: usize = {};", value + i));
        let text = lines.collect::<Vec<_>>().join("\n");
        std::fs::write(folder.join(format!("src/f{number:02}.rs")), text).unwrap();
    };
    (0..100).for_each(|number| write(number, number * 10));
    let ask = |question: &str, more: &[&str]| {
        let asked = [
            "ask", "--json", "--order", "path", "--draft", "0", "-p", question, "src",
        ];
        thunderhead(folder, &[&asked, more].concat())
    };
    let question = "What is `NAME_42_3` set to?";
    let first = finished(&ask(question, &[]));
    let all = number(&first[0]["prompt_tokens"]);
    assert_eq!(
        (number(&first[0]["cached_tokens"]), first[0].get("restored_tokens")),
        (0, None)
    );
    assert!(all > 5000, "{all}");

    let second = finished(&ask("What is `NAME_77_1` set to?", &[]));
    assert_eq!(second[0]["restored_tokens"], all, "the documents are there");
    assert_eq!(second[0]["cached_tokens"], all);
    assert_eq!(second[1]["cached_tokens"], all, "and nothing but the question is read");

    // The same question in the same words: the reply begins at once, and is the same.
    let (once, again) = (ask(question, &["--snapshots", "off"]), ask(question, &[]));
    assert_eq!(tokens(&once), tokens(&again));
    assert_eq!(number(&finished(&once)[0]["restored_tokens"]), 0);
    let again = finished(&again);
    assert_eq!(
        number(&again[1]["cached_tokens"]),
        number(&again[1]["prompt_tokens"]) - 1
    );

    let listed = thunderhead(folder, &["pack", "--json", "--order", "path", "src"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let last = number(&listed["documents"][99]["tokens"]);
    write(99, 5000);
    let changed = finished(&ask(question, &[]));
    assert_eq!(
        number(&changed[0]["cached_tokens"]),
        all - last,
        "only the last file is read"
    );

    // Another type of keys and values has numbers of its own.
    let other = finished(&ask(question, &["--kv-cache", "f32"]));
    assert_eq!(number(&other[0]["cached_tokens"]), 0);
}

/// Three programs at once, and programs that are killed wherever they are: after each line that they print.
#[cfg(unix)]
#[test]
fn others_at_work_and_killed_ones_harm_nothing() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let text: String = (0..900)
        .map(|i| format!("const ITEM_{i} = {};\n", i * 37 % 1000))
        .collect::<Vec<_>>()
        .concat();
    std::fs::write(folder.join("items.js"), text).unwrap();
    let start_with = |question: &str, snapshots: &str| {
        Process::new(env!("CARGO_BIN_EXE_thunderhead"))
            .args([
                "ask",
                "--json",
                "--draft",
                "0",
                "--tile",
                "256",
                "--snapshots",
                snapshots,
            ])
            .args(["-p", question, "items.js"])
            .env("THUNDERHEAD_CACHE", folder.join("cache"))
            .env("THUNDERHEAD_CONFIG", "")
            .env("THUNDERHEAD_SESSIONS_KEEP", "false")
            .current_dir(folder)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let start = |question: &str| start_with(question, "auto");
    let question = "What is `ITEM_500` set to?";
    for lines in 0..40 {
        let mut child = start(question);
        let out = BufReader::new(child.stdout.take().unwrap());
        // Everything up to there has happened.
        let _ = out.lines().take(lines).count();
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let children = ["ITEM_1", "ITEM_2", "ITEM_3"].map(|name| start(&format!("What is `{name}` set to?")));
    let outputs = children.map(|child| child.wait_with_output().unwrap());
    let totals = outputs
        .each_ref()
        .map(|output| number(&finished(output)[0]["prompt_tokens"]));
    assert_eq!(thunderhead(folder, &["cache", "verify"]).status.code(), Some(0));
    let again = start(question).wait_with_output().unwrap();
    assert_eq!(number(&finished(&again)[0]["cached_tokens"]), totals[0]);
    let straight = start_with(question, "off").wait_with_output().unwrap();
    assert_eq!(number(&finished(&straight)[0]["restored_tokens"]), 0);
    assert_eq!(tokens(&again), tokens(&straight), "bit for bit");
}

#[test]
fn the_cache_is_seen_checked_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let text = "The magic number for garden is 48213.\nThe tiles are blue.\n".repeat(60);
    std::fs::write(folder.join("notes.txt"), text).unwrap();
    let out = |arguments: &[&str]| {
        let output = thunderhead(folder, arguments);
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    assert!(out(&["cache", "list"]).0.contains("nothing is kept"));
    let asked = ["ask", "-p", "What is the magic number for garden?", "notes.txt"];
    thunderhead(folder, &asked);
    let (list, _) = out(&["cache", "list"]);
    assert!(
        list.contains("tokens") && list.contains("just now") && list.contains("build"),
        "{list}"
    );
    let json: Value = serde_json::from_str(&out(&["cache", "list", "--json"]).0).unwrap();
    let bytes = number(&json["bytes"]);
    assert!(number(&json["models"][0]["longest"]) > 256 && bytes > 10_000, "{json}");
    assert_eq!(out(&["cache", "size", "--bytes"]).0.trim(), bytes.to_string());
    assert!(out(&["cache", "size"]).0.contains("of 16 GiB in"));
    assert_eq!(out(&["cache", "verify"]).1, Some(0));

    let file = walk(&folder.join("cache/snapshots")).remove(0);
    let mut content = std::fs::read(&file).unwrap();
    content[100] ^= 1;
    std::fs::write(&file, content).unwrap();
    let (told, code) = out(&["cache", "verify"]);
    assert!(
        told.contains("damaged:") && told.contains("--remove") && code == Some(1),
        "{told}"
    );
    assert_eq!(out(&["cache", "verify", "--remove"]).1, Some(0));
    assert_eq!(out(&["cache", "verify"]).1, Some(0));
    thunderhead(folder, &asked);
    let (pruned, _) = out(&["cache", "prune", "--to", "0"]);
    assert!(pruned.contains("0 bytes are left"), "{pruned}");
    assert!(out(&["cache", "list"]).0.contains("nothing is kept"));
    let off = Process::new(env!("CARGO_BIN_EXE_thunderhead"))
        .env("THUNDERHEAD_SESSIONS_KEEP", "false")
        .args(["cache", "list", "--snapshots", "off"])
        .env("THUNDERHEAD_CONFIG", "")
        .output()
        .unwrap();
    assert_eq!(off.status.code(), Some(2));
}

/// A folder that cannot be written to is told once, and the answer is given all the same.
#[test]
fn without_a_place_the_program_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    std::fs::write(
        folder.join("notes.txt"),
        "The magic number for garden is 48213.\n".repeat(60),
    )
    .unwrap();
    std::fs::write(folder.join("file"), "").unwrap();
    let output = thunderhead(
        folder,
        &[
            "ask",
            "-p",
            "What is the magic number for garden?",
            "--snapshots",
            "file/below",
            "notes.txt",
        ],
    );
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("48213"));
    let aside = String::from_utf8_lossy(&output.stderr);
    assert!(aside.contains("could not be kept"), "{aside}");
}
