//! The end of a session for which there was no room when it was left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::{EVENTS, Open};

/// How a session was left.
#[derive(Debug)]
pub enum Left {
    /// All of it is on the disk.
    Kept,
    /// Nothing was ever asked in it, and it is gone.
    Empty,
    /// There is no room for the end of it.
    Full(Box<Rest>),
    /// Something of it is lost: what, in words.
    Lost(String),
}

/// What is still to be written. The session stays open, so that nobody else goes on with it.
pub struct Rest {
    open: Open,
    /// Whole lines.
    lines: Vec<u8>,
}

impl Rest {
    pub(super) fn new(open: Open, lines: Vec<u8>) -> Self {
        Self { open, lines }
    }

    /// The name of the session.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.open.name
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.open.folder
    }

    /// How many lines of it wait.
    #[must_use]
    pub fn lines(&self) -> usize {
        let (_, unsure) = self.open.journal.certain();
        [unsure, &self.lines]
            .iter()
            .map(|lines| String::from_utf8_lossy(lines).lines().count())
            .sum()
    }

    /// Tries again to write it where it belongs.
    ///
    /// # Errors
    /// If there still is no room.
    pub fn retry(&mut self) -> io::Result<()> {
        let journal = &mut self.open.journal;
        journal.retry()?;
        if !self.lines.is_empty() {
            journal.append(&self.lines)?;
            self.lines.clear();
        }
        let Some(length) = journal.unsynced() else {
            return Ok(());
        };
        let outcome = journal.syncer()();
        journal.synced(length, outcome)
    }

    /// Writes the whole session with its end to another file, which is not there yet.
    ///
    /// # Errors
    /// If it cannot be written; then there is no such file.
    pub fn copy_to(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut copy = options.open(path)?;
        let written = self.write_to(&mut copy);
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written
    }

    fn write_to(&self, copy: &mut File) -> io::Result<()> {
        let (certain, unsure) = self.open.journal.certain();
        let mut bytes = fs::read(self.open.folder.join(EVENTS))?;
        match certain {
            Some(certain) => bytes.truncate(usize::try_from(certain).unwrap_or(usize::MAX)),
            // A part of a line stays one.
            None if !bytes.ends_with(b"\n") => bytes.extend_from_slice(b"!\n"),
            None => {}
        }
        copy.write_all(&bytes)?;
        copy.write_all(unsure)?;
        copy.write_all(&self.lines)?;
        copy.sync_all()
    }
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest")
            .field("name", &self.open.name)
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}
