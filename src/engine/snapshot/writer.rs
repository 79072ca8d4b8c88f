//! The thread that writes what is to be kept, so that nobody waits for it.
//!
//! A batch holds on to pages and states by reference, not as bytes; they become bytes here, a record at a time. What cannot be
//! written is not kept, and costs a prefill at some later time; it never makes anything fail.

use std::collections::HashSet;
use std::io;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::budget;
use super::files::{Files, unfinished};
use super::key::Key;
use super::shelf::{FINISHED, Shelf};
use super::volume::{self, Kind, Record, Table};
use crate::compute::ComputeError;

/// A file has at most so many records, or so many bytes beside its last record.
const RECORDS: usize = 64;
const BYTES: u64 = 64 << 20;

/// Of its time the writer works so much while a reply is decoded: 1 part, and waits for `PATIENCE`.
///
/// A reply's threads wait for each other at every step, so on a machine without a spare core each moment of the writer costs a moment of
/// the reply, whatever its priority.
const PATIENCE: u32 = 12;
/// More than this, in bytes, does not wait for a reply: it is memory that others may need.
const MOST_PATIENT: u64 = 2 << 30;

/// What is to be kept.
pub(super) struct Batch {
    pub shelf: Arc<Shelf>,
    /// The keys that the records depend on, which are as much in use as they are.
    pub chain: Vec<Key>,
    pub rate: f64,
    /// Ascending by position.
    pub records: Vec<New>,
}

/// A record to be written.
pub(super) struct New {
    pub kind: Kind,
    pub key: Key,
    pub position: usize,
    /// How long it will be.
    pub bytes: u64,
    pub content: Box<dyn Bytes>,
}

/// What becomes bytes when it is written.
pub(super) trait Bytes: Send {
    fn append_to(&self, to: &mut Vec<u8>) -> Result<(), ComputeError>;
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Less waits, somebody waits for it, or a reply is over.
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    keys: HashSet<Key>,
    bytes: u64,
    trouble: Option<String>,
    /// Replies that are being decoded.
    replies: usize,
    /// Who waits until everything is written.
    waiters: usize,
}

/// While there is one, a reply is being decoded, which comes before what is to be written.
#[must_use]
pub(in crate::engine) struct Decoding(Arc<Queue>);

impl Decoding {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        queue.waiting().replies += 1;
        Self(queue)
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        self.0.waiting().replies -= 1;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn has(&self, key: &Key) -> bool {
        self.waiting().keys.contains(key)
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> u64 {
        self.waiting().bytes
    }

    pub fn trouble(&self) -> Option<String> {
        self.waiting().trouble.clone()
    }

    pub fn add(&self, records: &[New]) {
        let mut waiting = self.waiting();
        waiting.keys.extend(records.iter().map(|record| record.key));
        waiting.bytes += records.iter().map(|record| record.bytes).sum::<u64>();
    }

    fn done(&self, records: &[New]) {
        let mut waiting = self.waiting();
        for record in records {
            waiting.keys.remove(&record.key);
        }
        waiting.bytes -= records.iter().map(|record| record.bytes).sum::<u64>();
        self.changed.notify_all();
    }

    fn complain(&self, trouble: Option<String>) {
        self.waiting().trouble = trouble;
    }

    /// Waits until nothing waits to be written, or until then; says whether that is so.
    pub fn wait(&self, until: Option<Instant>) -> bool {
        let mut waiting = self.waiting();
        waiting.waiters += 1;
        self.changed.notify_all();
        let written = loop {
            if waiting.keys.is_empty() {
                break true;
            }
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break false;
            }
            waiting = self.sleep(waiting, left);
        };
        waiting.waiters -= 1;
        written
    }

    /// Waits after so much work while a reply is decoded, unless somebody waits for what is to be written or too much does.
    pub fn give_way(&self, worked: Duration) {
        let until = Instant::now() + worked * PATIENCE;
        let mut waiting = self.waiting();
        while waiting.replies > 0 && waiting.waiters == 0 && waiting.bytes <= MOST_PATIENT {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = self.sleep(waiting, left);
        }
    }

    fn sleep<'a>(&self, waiting: MutexGuard<'a, Waiting>, most: Duration) -> MutexGuard<'a, Waiting> {
        let woken = self.changed.wait_timeout(waiting, most.min(Duration::from_hours(1)));
        woken.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Writes batches until there is nobody left to send any.
pub(super) fn run(
    batches: &Receiver<Batch>,
    files: &Arc<dyn Files>,
    queue: &Queue,
    root: &std::path::Path,
    budget: u64,
) {
    for batch in batches {
        let mut rest = &batch.records[..];
        while !rest.is_empty() {
            let (volume, after) = rest.split_at(cut(rest));
            let written = write(&**files, root, &batch, volume, budget, queue);
            match written {
                Ok(()) => {
                    queue.complain(None);
                    batch.shelf.touch(batch.chain.iter());
                    budget::evict(&**files, root, budget);
                }
                Err(error) => queue.complain(Some(format!("{}: {error}", root.display()))),
            }
            queue.done(volume);
            rest = after;
        }
    }
}

/// How many of the records come into the next file.
fn cut(records: &[New]) -> usize {
    let mut bytes = 0;
    let fits = records.iter().take(RECORDS).take_while(|record| {
        let fits = bytes < BYTES;
        bytes += record.bytes;
        fits
    });
    fits.count()
}

fn write(
    files: &dyn Files,
    root: &std::path::Path,
    batch: &Batch,
    records: &[New],
    budget: u64,
    queue: &Queue,
) -> io::Result<()> {
    let shelf = &batch.shelf;
    // Another process may have written the same.
    let records: Vec<&New> = records.iter().filter(|record| !shelf.has(&record.key)).collect();
    let Some(last) = records.last() else {
        return Ok(());
    };
    let position = last.position;
    let once = || {
        let mut table = Table {
            owner: shelf.owner.clone(),
            rate: batch.rate,
            records: records.iter().map(|record| blank(record)).collect(),
        };
        let part = unfinished(shelf.folder());
        let written = files.write(&part, &mut |to| {
            let mut began = Instant::now();
            volume::write(to, &mut table, &mut |index, bytes| {
                queue.give_way(began.elapsed());
                began = Instant::now();
                records[index].content.append_to(bytes).map_err(io::Error::other)
            })
        });
        let name = format!("{position:012}-{}{FINISHED}", table_name(&table));
        let published = written.and_then(|()| files.publish(&part, &shelf.folder().join(&name)));
        if let Err(error) = published {
            let _ = files.remove(&part);
            return Err(error);
        }
        shelf.add(name, table);
        Ok(())
    };
    match once() {
        Err(error) if is_full(&error) => {
            let bytes: u64 = records.iter().map(|record| record.bytes).sum();
            let used = budget::used(files, root);
            // As much of what is older makes room as is needed for it.
            budget::evict(files, root, used.saturating_sub(2 * bytes).min(budget));
            once()
        }
        other => other,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

fn blank(record: &New) -> Record {
    Record {
        kind: record.kind,
        key: record.key,
        position: record.position as u64,
        offset: 0,
        length: 0,
        sum: [0; 32],
    }
}

/// The same content has the same name.
fn table_name(table: &Table) -> String {
    let mut hasher = blake3::Hasher::new();
    for record in &table.records {
        hasher.update(&record.key.0).update(&record.sum);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
