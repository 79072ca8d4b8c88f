//! Sessions whose writing fails: killed at any moment, without power, without room, on a disk that loses and turns bits.
//!
//! Whatever happens, a session opens again and has what it must have. `THUNDERHEAD_FAULTS=20000 cargo test --release --test
//! faults -- --nocapture` is the long run of docs/reliability.md, and prints its figures.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]
#![allow(clippy::print_stdout, reason = "the figures are this test's result")]

mod killed;
mod medium;
mod script;

use std::fs;
use std::path::Path;
use std::time::Duration;

use medium::{Faults, Shared};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use script::{Heard, converse, kept_in_order, texts};
use thunderhead::conversation::Event;
use thunderhead::session::store::{Pace, Store};
use thunderhead::session::{Header, Record};

/// How often, if nothing is said.
const RUNS: u64 = 150;

fn runs() -> u64 {
    std::env::var("THUNDERHEAD_FAULTS")
        .ok()
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(RUNS)
}

fn rng(kind: u64, run: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(kind << 32 | run)
}

fn below(rng: &mut impl Rng, limit: u64) -> u64 {
    rng.next_u64() % limit.max(1)
}

fn pace() -> Pace {
    Pace {
        sync: Duration::from_millis(1),
        retry: Duration::from_millis(1),
    }
}

/// A session that is written through a medium that fails in its way, up to its end or to the failure.
fn session(store: &Store, faults: Faults) -> (String, Shared, Heard) {
    let open = store.create(Header::new("none", "")).unwrap();
    let name = open.name.clone();
    let shared = Shared::new(faults);
    let open = open.through(|inner| shared.medium(inner));
    let heard = converse(open, pace(), &shared, 3, 12);
    (name, shared, heard)
}

/// Opens a session again, goes on with it and reads it: what it had then is still there, and so is what was added.
fn goes_on(store: &Store, name: &str, run: u64) -> Record {
    let before = store.read(name).unwrap();
    let (open, record) = store.open(name).unwrap_or_else(|error| panic!("run {run}: {error}"));
    assert_eq!(before.events, record.events, "run {run}");
    let shared = Shared::new(Faults::default());
    let open = open.through(|inner| shared.medium(inner));
    let heard = converse(open, pace(), &shared, 1, 3);
    let after = store.read(name).unwrap();
    let all: Vec<&Event> = after.events.iter().map(|(_, event)| event).collect();
    let had: Vec<&Event> = before.events.iter().map(|(_, event)| event).collect();
    assert_eq!(all[..had.len()], had[..], "run {run}: what was there is there");
    let new: Vec<Event> = all[had.len()..].iter().map(|&event| event.clone()).collect();
    assert_eq!(new, heard.events, "run {run}: what was added is there");
    before
}

#[test]
fn killed_at_any_write_it_has_all_that_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let mut torn = 0;
    for run in 0..runs() {
        let mut rng = rng(1, run);
        let faults = Faults {
            die_at: Some(below(&mut rng, 60)),
            part: below(&mut rng, 300) as usize,
            ..Faults::default()
        };
        let (name, _, heard) = session(&store, faults);
        let record = goes_on(&store, &name, run);
        torn += u64::from(!record.notices.is_empty());
        let events: Vec<Event> = record.events.iter().map(|(_, event)| event.clone()).collect();
        assert!(
            events.starts_with(&heard.events),
            "run {run}: {} were seen",
            heard.events.len()
        );
        for sent in &heard.answered {
            assert!(texts(&record).contains(sent), "run {run}: {sent} was sent");
        }
        fs::remove_dir_all(store.folder(&name)).unwrap();
    }
    println!(
        "killed while writing: {} runs, {torn} with a torn line, all recovered",
        runs()
    );
}

#[test]
fn without_power_it_has_all_that_was_synced() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let mut lost = 0;
    for run in 0..runs() {
        let mut rng = rng(2, run);
        let faults = Faults {
            die_at: Some(below(&mut rng, 60)),
            part: below(&mut rng, 300) as usize,
            ..Faults::default()
        };
        let (name, shared, _) = session(&store, faults);
        let path = store.events(&name);
        let mut bytes = fs::read(&path).unwrap();
        let synced = shared.synced().min(bytes.len() as u64) as usize;
        let certain = Record::salvage(&bytes[..synced]).events;
        // Of what was not synced any part is there; the rest is cut off, NUL bytes, or not what was written.
        let cut = synced + below(&mut rng, (bytes.len() - synced) as u64 + 1) as usize;
        lost += (bytes.len() - cut) as u64;
        match below(&mut rng, 3) {
            0 => bytes.truncate(cut),
            1 => bytes[cut..].fill(0),
            _ => bytes[cut..]
                .iter_mut()
                .for_each(|byte| *byte = below(&mut rng, 256) as u8),
        }
        fs::write(&path, &bytes).unwrap();
        let record = goes_on(&store, &name, run);
        assert!(record.events.starts_with(&certain), "run {run}");
        fs::remove_dir_all(store.folder(&name)).unwrap();
    }
    println!(
        "power cut: {} runs, {lost} unsynced bytes lost, nothing that was synced",
        runs()
    );
}

#[test]
fn where_there_is_no_room_it_waits_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let (mut paused, mut left, mut short) = (0, 0, 0);
    for run in 0..runs() {
        let mut rng = rng(3, run);
        let faults = Faults {
            full_at: Some((below(&mut rng, 50), 1 + below(&mut rng, 4))),
            full_sync: (below(&mut rng, 4) == 0).then(|| below(&mut rng, 3)),
            short: below(&mut rng, 2) == 0,
            uncut: below(&mut rng, 4) == 0,
            part: below(&mut rng, 200) as usize,
            ..Faults::default()
        };
        let (name, shared, heard) = session(&store, faults);
        paused += u64::from(heard.waited);
        left += u64::from(heard.left);
        short += u64::from(faults.short);
        assert!(
            !heard.waited || heard.resumed || heard.left,
            "run {run}: it goes on when there is room"
        );
        let record = goes_on(&store, &name, run);
        let events: Vec<Event> = record.events.iter().map(|(_, event)| event.clone()).collect();
        // What there was no room for was not shown.
        let shown = if heard.left { heard.events.len() } else { events.len() };
        assert_eq!(events[..shown], heard.events, "run {run}: everything, once, in order");
        if let Some(copy) = &heard.copied {
            assert_eq!(copy.events, record.events, "run {run}: the copy is all of it");
        }
        assert_eq!(heard.answered.len(), 3, "run {run}");
        assert!(
            record.notices.is_empty() || faults.uncut,
            "run {run}: {:?}",
            record.notices
        );
        assert!(shared.attempts() > 0);
        fs::remove_dir_all(store.folder(&name)).unwrap();
    }
    println!(
        "no room: {} runs, {paused} paused, of them {left} were left before there was room, {short} with short writes, nothing lost",
        runs()
    );
}

#[test]
fn a_disk_that_cannot_be_written_any_more_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    for run in 0..runs().min(100) {
        let faults = Faults {
            broken_at: Some(below(&mut rng(4, run), 40)),
            ..Faults::default()
        };
        let (name, _, heard) = session(&store, faults);
        assert_eq!(heard.answered.len(), 3, "run {run}: it goes on");
        assert!(heard.lost, "run {run}: and says that it is not kept");
        let record = goes_on(&store, &name, run);
        let events: Vec<Event> = record.events.iter().map(|(_, event)| event.clone()).collect();
        assert!(heard.events.starts_with(&events), "run {run}");
        fs::remove_dir_all(store.folder(&name)).unwrap();
    }
}

#[test]
fn bits_that_flip_cost_their_lines_and_files_that_are_torn_what_was_torn_off() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let (name, _, heard) = session(&store, Faults::default());
    let path = store.events(&name);
    let whole = fs::read(&path).unwrap();
    let lines = whole.split_inclusive(|&byte| byte == b'\n').count();
    let all = store.read(&name).unwrap();
    assert_eq!(all.events.len(), heard.events.len());
    let (mut flipped, mut missing) = (0, 0);
    for run in 0..runs() {
        let mut rng = rng(5, run);
        let mut bytes = whole.clone();
        let flips = 1 + below(&mut rng, 8);
        for _ in 0..flips {
            let at = below(&mut rng, bytes.len() as u64) as usize;
            bytes[at] ^= 1 << below(&mut rng, 8);
        }
        if below(&mut rng, 3) == 0 {
            bytes.truncate(below(&mut rng, bytes.len() as u64) as usize);
        }
        let cut = whole.len() - bytes.len();
        fs::write(&path, &bytes).unwrap();
        let record = goes_on(&store, &name, run);
        assert!(kept_in_order(&record, &all), "run {run}: nothing is made up");
        if cut == 0 {
            // A flip in a line end costs two lines.
            let lost = all.events.len() - record.events.len();
            assert!(lost as u64 <= 2 * flips, "run {run}: {lost} of {lines}");
            missing += lost;
        }
        flipped += flips;
        clear(&store, &name);
    }
    println!(
        "bit flips and torn files: {} runs, {flipped} bits, {missing} events lost, none wrong",
        runs()
    );
}

/// What is put aside accumulates.
fn clear(store: &Store, name: &str) {
    for entry in fs::read_dir(store.folder(name)).unwrap().flatten() {
        if Path::new(&entry.file_name()).starts_with("damaged")
            || entry.file_name().to_string_lossy().starts_with("damaged")
        {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}
