use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;

use super::faults::{Fault, Faulty};
use super::files::{Disk, Files};
use super::key::{Chain, Key};
use super::shelf::{FINISHED, Shelf};
use super::volume::{Kind, Owner};
use super::writer::{Batch, Bytes, Decoding, New, Queue};
use super::{Library, Snapshots};
use crate::compute::{ComputeError, KV_BLOCK};

impl Bytes for Vec<u8> {
    fn append_to(&self, to: &mut Vec<u8>) -> Result<(), ComputeError> {
        to.extend(self);
        Ok(())
    }
}

/// A folder, as one process sees it. What a record holds is told by its key.
struct Process {
    snapshots: Snapshots,
    shelf: Arc<Shelf>,
    files: Arc<Faulty>,
}

fn owner(model: u8) -> Owner {
    Owner {
        model: Key([model; 32]),
        name: "model".into(),
        numerics: "exact".into(),
    }
}

fn content(key: Key, length: usize) -> Vec<u8> {
    key.0.into_iter().cycle().take(length).collect()
}

impl Process {
    fn new(root: &Path, budget: u64, model: u8) -> Self {
        let files = Arc::new(Faulty::default());
        let snapshots = Snapshots::with(files.clone(), root, budget).unwrap();
        let shelf = Arc::new(Shelf::new(files.clone(), root, owner(model)));
        Self {
            snapshots,
            shelf,
            files,
        }
    }

    /// Keeps the blocks of a sequence and places in it.
    fn keep(&self, tokens: &[u32], places: &[usize]) {
        let chain = Chain::new(self.shelf.owner.model, tokens);
        let blocks = (0..chain.blocks()).map(|block| (Kind::Block, chain.block(block), (block + 1) * KV_BLOCK));
        let places = places.iter().map(|place| (Kind::Place, chain.place(*place), *place));
        let mut records: Vec<New> = blocks
            .chain(places)
            .filter(|(_, key, _)| !self.shelf.has(key))
            .map(|(kind, key, position)| New {
                kind,
                key,
                position,
                bytes: 100,
                content: Box::new(content(key, 100)),
            })
            .collect();
        records.sort_by_key(|record| (record.position, record.kind == Kind::Place));
        self.snapshots.write(Batch {
            shelf: self.shelf.clone(),
            chain: (0..chain.blocks()).map(|block| chain.block(block)).collect(),
            rate: 123.0,
            records,
        });
        assert!(self.snapshots.wait(None));
    }

    /// How far a sequence can be restored; what is read must be what was kept.
    fn restore(&self, tokens: &[u32]) -> usize {
        self.shelf.refresh();
        let chain = Chain::new(self.shelf.owner.model, tokens);
        loop {
            let Some(found) = self.shelf.find(&chain, tokens.len(), 0, 0) else {
                return 0;
            };
            assert_eq!(found.blocks.len(), found.position / KV_BLOCK);
            let keys = (0..found.blocks.len()).map(|block| chain.block(block));
            let keys = keys.chain([chain.place(found.position)]);
            let spots = found.blocks.iter().chain([&found.place]);
            let whole = keys.zip(spots).all(|(key, spot)| match self.shelf.read(spot) {
                Ok(bytes) => {
                    assert_eq!((*bytes).as_ref(), content(key, 100), "what was kept");
                    true
                }
                Err(_) => false,
            });
            if whole {
                self.shelf.touch(
                    (0..found.blocks.len())
                        .map(|block| chain.block(block))
                        .collect::<Vec<_>>()
                        .iter(),
                );
                return found.position;
            }
        }
    }
}

fn sequence(seed: u32, length: usize) -> Vec<u32> {
    (0..length as u32).map(|i| i.wrapping_mul(seed + 3) % 1000).collect()
}

fn whole_files(root: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let mut files: Vec<_> = files
        .filter(|path| path.to_string_lossy().ends_with(FINISHED))
        .collect();
    files.sort();
    files
}

#[test]
fn the_longest_prefix_is_found_by_any_process() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("not/yet");
    let tokens = sequence(1, 3000);
    let first = Process::new(&root, u64::MAX, 1);
    first.keep(&tokens, &[300, 1024, 2500]);
    let second = Process::new(&root, u64::MAX, 1);
    assert_eq!(second.restore(&tokens), 2500);
    assert_eq!(second.restore(&tokens[..2499]), 1024);
    assert_eq!(second.restore(&tokens[..1024]), 1024);
    assert_eq!(second.restore(&tokens[..299]), 0);
    let mut other = tokens.clone();
    other[1500] += 1;
    assert_eq!(second.restore(&other), 1024, "what is the same is shared");
    second.keep(&other, &[2000, 3000]);
    assert_eq!((first.restore(&other), first.restore(&tokens)), (3000, 2500));
    // Blocks before the change are there once.
    let records = |process: &Process| Library::open(&process.snapshots.root).list().0[0].tokens as usize / KV_BLOCK;
    assert_eq!(records(&first), 11 + 6);
    assert_eq!(Process::new(&root, u64::MAX, 2).restore(&tokens), 0, "another model");
}

#[test]
fn a_file_of_another_model_is_not_used_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = sequence(1, 600);
    Process::new(dir.path(), u64::MAX, 1).keep(&tokens, &[600]);
    let process = Process::new(dir.path(), u64::MAX, 2);
    let file = whole_files(dir.path()).remove(0);
    std::fs::create_dir_all(process.shelf.folder()).unwrap();
    std::fs::rename(&file, process.shelf.folder().join(file.file_name().unwrap())).unwrap();
    assert_eq!(process.restore(&tokens), 0);
}

/// Every way to cut a file, and every byte of one that turns.
#[test]
fn what_is_not_as_it_was_written_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = sequence(1, 700);
    Process::new(dir.path(), u64::MAX, 1).keep(&tokens, &[300, 700]);
    let path = whole_files(dir.path()).remove(0);
    let whole = std::fs::read(&path).unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let process = Process::new(dir.path(), u64::MAX, 1);
        let reached = process.restore(&tokens);
        process.keep(&tokens, &[300, 700]);
        assert_eq!(process.restore(&tokens), 700, "what is missing is kept again");
        for file in whole_files(dir.path()) {
            let _ = std::fs::remove_file(file);
        }
        reached
    };
    for cut in (0..whole.len()).step_by(7) {
        assert_eq!(check(&whole[..cut]), 0, "cut at {cut}");
    }
    for at in (0..whole.len()).step_by(5) {
        let mut turned = whole.clone();
        turned[at] ^= 1 << (at % 8);
        check(&turned);
    }
    assert_eq!(check(&[&whole[..], b"x"].concat()), 0);
    assert_eq!(check(&vec![0; whole.len()]), 0);
    assert_eq!(check(&whole), 700);
}

#[test]
fn what_was_used_longest_ago_goes_first_and_nothing_before_what_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::new(dir.path(), u64::MAX, 1);
    let (old, new) = (sequence(1, 2000), sequence(2, 2000));
    process.keep(&old[..1000], &[1000]);
    process.keep(&old, &[2000]);
    process.keep(&new, &[2000]);
    let long_ago = SystemTime::now() - Duration::from_secs(1000);
    for file in whole_files(dir.path()) {
        Disk.touch(&file, long_ago).unwrap();
    }
    assert_eq!(process.restore(&new), 2000);
    let library = Library::open(dir.path());
    let freed = library.prune(library.bytes() - 1);
    assert_eq!(
        (freed.files, process.restore(&old), process.restore(&new)),
        (1, 1000, 2000)
    );
    library.prune(0);
    assert_eq!((library.bytes(), process.restore(&new)), (0, 0));
    // The budget holds by itself, and what has just been written stays.
    let small = Process::new(dir.path(), 3000, 1);
    for seed in 0..20 {
        let tokens = sequence(seed, 1000);
        small.keep(&tokens, &[1000]);
        assert_eq!(small.restore(&tokens), 1000);
        assert!(library.bytes() <= 3000);
    }
}

#[test]
fn what_was_left_unfinished_is_removed_when_nobody_writes_it() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::new(dir.path(), u64::MAX, 1);
    let tokens = sequence(1, 600);
    process.keep(&tokens, &[600]);
    let part = |name: &str| process.shelf.folder().join(name);
    for name in ["a.part", "b.part", "c.part"] {
        std::fs::write(part(name), "half").unwrap();
        Disk.touch(&part(name), SystemTime::now() - Duration::from_secs(100))
            .unwrap();
    }
    Disk.touch(&part("a.part"), SystemTime::now()).unwrap();
    let writing = std::fs::File::open(part("b.part")).unwrap();
    writing.lock().unwrap();
    Library::open(dir.path()).prune(u64::MAX);
    let there = ["a.part", "b.part", "c.part"].map(|name| part(name).exists());
    assert_eq!(there, [true, true, false]);
    assert_eq!(process.restore(&tokens), 600);
}

#[test]
fn a_full_disk_makes_room_and_then_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::new(dir.path(), u64::MAX, 1);
    let (old, new) = (sequence(1, 1000), sequence(2, 1000));
    process.keep(&old, &[1000]);
    process.files.add(Fault::Full(150));
    process.keep(&new, &[1000]);
    assert_eq!((process.restore(&new), process.snapshots.trouble()), (1000, None));
    process.files.add(Fault::Full(150));
    process.files.add(Fault::Full(150));
    let last = sequence(3, 1000);
    process.keep(&last, &[1000]);
    assert!(
        process
            .snapshots
            .trouble()
            .is_some_and(|trouble| trouble.contains("storage"))
    );
    assert_eq!(process.restore(&last), 0);
    process.keep(&last, &[1000]);
    assert_eq!((process.restore(&last), process.snapshots.trouble()), (1000, None));
}

#[test]
fn damage_is_told_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::new(dir.path(), u64::MAX, 1);
    process.keep(&sequence(1, 600), &[600]);
    process.keep(&sequence(2, 600), &[600]);
    let library = Library::open(dir.path());
    let mut read = 0;
    assert_eq!(library.verify(&mut |bytes| read += bytes), (2, vec![]));
    assert_eq!(read, library.bytes());
    let file = whole_files(dir.path()).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (right, damaged) = library.verify(&mut |_| ());
    assert_eq!((right, damaged.len(), &damaged[0].path), (1, 1, &file));
    library.remove(&damaged[0]).unwrap();
    assert_eq!(library.verify(&mut |_| ()), (1, vec![]));
    let (models, _) = library.list();
    assert_eq!(
        (models.len(), models[0].longest, models[0].files, models[0].places),
        (1, 600, 1, 1)
    );
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0usize..2000).prop_map(Fault::Full),
        (0usize..2000).prop_map(Fault::Killed),
        Just(Fault::KilledBeforeName),
        (0usize..2000).prop_map(Fault::Torn),
        (0usize..20_000).prop_map(Fault::Flipped),
        Just(Fault::Unreadable),
        Just(Fault::Gone),
        Just(Fault::Unlistable),
    ]
}

proptest! {
    // `PROPTEST_CASES` says how many.
    /// Whatever goes wrong in whichever order, what is restored is what was kept (asserted in `restore`), and once nothing goes
    /// wrong any more everything is kept and restored.
    #[test]
    fn after_any_faults_everything_recovers(
        steps in prop::collection::vec((0u32..3, 256usize..1500, prop::collection::vec(faults(), 0..3), 0..4u8), 1..8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut process = Process::new(dir.path(), 12_000, 1);
        for (seed, length, faults, what) in steps {
            for fault in faults {
                process.files.add(fault);
            }
            let tokens = sequence(seed, length);
            match what {
                0 => process = Process::new(dir.path(), 12_000, 1),
                1 => { process.restore(&tokens); }
                _ => process.keep(&tokens, &[length / 2, length]),
            }
        }
        let process = Process::new(dir.path(), 12_000, 1);
        let tokens = sequence(1, 1200);
        process.restore(&tokens);
        process.keep(&tokens, &[1200]);
        prop_assert_eq!(process.restore(&tokens), 1200);
    }
}

#[test]
fn the_writer_gives_way_to_a_reply_until_somebody_waits_for_it() {
    let queue = Arc::new(Queue::default());
    let record = New {
        kind: Kind::Block,
        key: Key([1; 32]),
        position: KV_BLOCK,
        bytes: 100,
        content: Box::new(Vec::<u8>::new()),
    };
    queue.add(std::slice::from_ref(&record));
    let worked = Duration::from_hours(1);
    // Nothing is decoded, so it goes on at once.
    queue.give_way(worked);

    let writer = |until: &dyn Fn(&Queue)| {
        let (send, gone_on) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                queue.give_way(worked);
                send.send(()).unwrap();
            });
            assert!(gone_on.recv_timeout(Duration::from_millis(100)).is_err(), "it waits");
            loop {
                until(&queue);
                if gone_on.recv_timeout(Duration::from_millis(10)).is_ok() {
                    break;
                }
            }
        });
    };
    let first = Decoding::new(queue.clone());
    let second = Mutex::new(Some(Decoding::new(queue.clone())));
    // Not everything is written by then, but the writer was not kept from it.
    writer(&|queue| assert!(!queue.wait(Some(Instant::now() + Duration::from_millis(10)))));
    drop(first);
    writer(&|_| drop(second.lock().unwrap().take()));
}

#[test]
fn too_much_does_not_wait_for_a_reply() {
    let queue = Arc::new(Queue::default());
    let large = New {
        kind: Kind::Place,
        key: Key([1; 32]),
        position: KV_BLOCK,
        bytes: 3 << 30,
        content: Box::new(Vec::<u8>::new()),
    };
    queue.add(&[large]);
    let _reply = Decoding::new(queue.clone());
    queue.give_way(Duration::from_hours(1));
}
