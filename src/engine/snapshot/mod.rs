//! States on the disk: what was prefilled once is not prefilled again, by whichever process.
//!
//! A state is that of a model after a sequence of tokens, so that is what names it ([`key`]). Keys and values are kept in blocks of
//! [`KV_BLOCK`](crate::compute::KV_BLOCK) tokens, each once for all sequences that begin with these tokens; lightning states at places
//! worth going on from: ends of documents, ends of prompts and replies, and every 16,384 tokens. A place and the blocks before
//! it are a state. [`volume`] is the file format, [`shelf`] the index of one model, [`writer`] the thread that writes, [`budget`]
//! what is removed; [`timeline`] is where the engine uses them.
//!
//! What must hold:
//! - A state that is restored is bit for bit the one that was kept, or it is not restored. Every record has a sum.
//! - Nothing is restored under another model, configuration, backend, instruction set, cache type or build ([`Identity`],
//!   [`Backend::numerics`](crate::compute::Backend::numerics)).
//! - Files are written whole, under another name, and then named; they never change. Processes share a folder without talking.
//! - Nothing here makes a request fail or wait: what cannot be kept or restored is prefilled.

mod budget;
mod files;
mod key;
mod manage;
mod shelf;
mod timeline;
mod volume;
mod writer;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub use self::budget::Freed;
pub use self::files::{Content, Disk, Entry, Files, Mapped};
pub use self::key::Identity;
pub use self::manage::{Damage, Kept, Library};
pub(super) use self::timeline::{Keeper, OnDisk};
pub(super) use self::writer::Decoding;
use self::writer::{Batch, Queue};

/// More than this is not left waiting to be written: a disk that is so slow is not worth it.
const MOST_WAITING: u64 = 4 << 30;

/// A folder for states, and the thread that writes into it.
pub struct Snapshots {
    files: Arc<dyn Files>,
    root: PathBuf,
    queue: Arc<Queue>,
    batches: Mutex<Sender<Batch>>,
}

impl Snapshots {
    /// `root` need not exist. At most `budget` bytes are kept in it.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn open(root: &Path, budget: u64) -> std::io::Result<Self> {
        Self::with(Arc::new(Disk), root, budget)
    }

    /// The same on other files.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn with(files: Arc<dyn Files>, root: &Path, budget: u64) -> std::io::Result<Self> {
        let (batches, incoming) = channel();
        let queue = Arc::new(Queue::default());
        let (writes, waits, folder) = (files.clone(), queue.clone(), root.to_owned());
        std::thread::Builder::new()
            .name("snapshots".to_owned())
            .spawn(move || writer::run(&incoming, &writes, &waits, &folder, budget))?;
        Ok(Self {
            files,
            root: root.to_owned(),
            queue,
            batches: Mutex::new(batches),
        })
    }

    /// Bytes that are still to be written.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.queue.bytes()
    }

    /// Waits until everything is written, or until then; says whether it is.
    pub fn wait(&self, until: Option<Instant>) -> bool {
        self.queue.wait(until)
    }

    /// Why what was last to be written was not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.queue.trouble()
    }

    /// Says that a reply is decoded until the value is dropped: it comes before what is to be written.
    fn decoding(&self) -> Decoding {
        Decoding::new(self.queue.clone())
    }

    fn write(&self, batch: Batch) {
        if batch.records.is_empty() || self.queue.bytes() > MOST_WAITING {
            return;
        }
        self.queue.add(&batch.records);
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread ends only after this is dropped.
        let _ = batches.send(batch);
    }
}

impl std::fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshots")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
