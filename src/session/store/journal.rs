//! A file that is only ever appended to, line by line, and stays right when a write fails.
//!
//! * A line that could not be written whole is taken back, or ended, before the next one is written.
//! * What has not been synced is remembered, so that it can be written again if the system says that it is lost: on a network
//!   file system a full disk is often told only then.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where the bytes go: a file, or in tests something that fails.
pub trait Medium: Send {
    /// Appends some of `bytes`, and says how many.
    ///
    /// # Errors
    /// As of a file.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts it off after so many bytes.
    ///
    /// # Errors
    /// As of a file.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// What brings everything that was appended to the disk; may be called on another thread.
    fn syncer(&self) -> Syncer;
}

/// See [`Medium::syncer`].
pub type Syncer = Box<dyn FnMut() -> io::Result<()> + Send>;

/// A file.
#[derive(Debug)]
pub struct Disk(Arc<File>);

impl Disk {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// If it can be neither.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        Ok(Self(Arc::new(options.open(path)?)))
    }
}

impl Medium for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &*self.0, bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn syncer(&self) -> Syncer {
        let file = Arc::clone(&self.0);
        Box::new(move || file.sync_data())
    }
}

/// The file, with what is known of its end.
pub struct Journal {
    medium: Box<dyn Medium>,
    /// Its length: all whole lines.
    length: u64,
    /// So much of it is on the disk.
    synced: u64,
    /// The rest of it.
    pending: Vec<u8>,
    /// What stands after `length`, if anything does, is a part of a line.
    torn: bool,
    /// What stands after `synced` may be lost.
    unsure: bool,
    /// Nothing can be taken back, as in a file that the system lets no one cut.
    uncut: bool,
}

impl Journal {
    /// Goes on after `length` bytes; what stands behind them, if something does, is no line.
    #[must_use]
    pub fn new(medium: Box<dyn Medium>, length: u64, torn: bool) -> Self {
        Self {
            medium,
            length,
            synced: length,
            pending: Vec::new(),
            torn,
            unsure: false,
            uncut: false,
        }
    }

    pub(super) fn through(mut self, wrap: impl FnOnce(Box<dyn Medium>) -> Box<dyn Medium>) -> Self {
        self.medium = wrap(self.medium);
        self
    }

    /// What brings the file to the disk; may be called on another thread.
    #[must_use]
    pub fn syncer(&self) -> Syncer {
        self.medium.syncer()
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// If they are not all written. They may be appended again, or not: what was written of them does not count.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.mend()?;
        self.write(lines)?;
        self.length += lines.len() as u64;
        self.pending.extend_from_slice(lines);
        Ok(())
    }

    /// Makes good what went wrong before.
    fn mend(&mut self) -> io::Result<()> {
        if self.unsure && !self.uncut {
            self.medium.truncate(self.synced)?;
            self.torn = false;
            let pending = std::mem::take(&mut self.pending);
            let written = self.write(&pending);
            self.pending = pending;
            // It is begun again.
            self.torn = false;
            written?;
        }
        self.unsure = false;
        if self.torn {
            if self.uncut || self.medium.truncate(self.length).is_err() {
                self.uncut = true;
                // The part stays a line of its own, and cannot be taken for the whole one, which comes again.
                self.write(b"!\n")?;
            }
            self.torn = false;
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.medium.append(bytes) {
                Ok(0) => {
                    self.torn = true;
                    return Err(io::ErrorKind::WriteZero.into());
                }
                Ok(written) => bytes = &bytes[written.min(bytes.len())..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.torn = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// How much is to be synced; nothing if all is.
    #[must_use]
    pub fn unsynced(&self) -> Option<u64> {
        (self.synced < self.length || self.unsure).then_some(self.length)
    }

    /// How many bytes of the file are sure to be whole lines, which is not known of one that cannot be cut, and the lines that come
    /// after them and may be lost.
    #[must_use]
    pub fn certain(&self) -> (Option<u64>, &[u8]) {
        match (self.uncut, self.unsure) {
            (true, _) => (None, &[]),
            (false, true) => (Some(self.synced), &self.pending),
            (false, false) => (Some(self.length), &[]),
        }
    }

    /// What came of syncing when it was so long.
    ///
    /// # Errors
    /// If it failed; what may be lost is written again before anything else is.
    pub fn synced(&mut self, length: u64, outcome: io::Result<()>) -> io::Result<()> {
        match outcome {
            Ok(()) if self.unsure => self.mend(),
            Ok(()) => {
                let done = length.saturating_sub(self.synced).min(self.pending.len() as u64);
                self.pending.drain(..done as usize);
                self.synced += done;
                Ok(())
            }
            Err(error) => {
                self.unsure = true;
                Err(error)
            }
        }
    }

    /// Tries again what failed; whether everything that was appended is written now.
    ///
    /// # Errors
    /// If it is not.
    pub fn retry(&mut self) -> io::Result<()> {
        self.mend()
    }
}
