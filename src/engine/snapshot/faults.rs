//! Files that fail as they are told to.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use super::files::{Content, Disk, Entry, Files, Mapped};

/// What goes wrong once, the next time that it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The disk is full after so many bytes of a file.
    Full(usize),
    /// The process ends after so many bytes of a file: they stay, and nothing else is done.
    Killed(usize),
    /// It ends when a file is whole but has not its name.
    KilledBeforeName,
    /// The file has its name and not all of its bytes, as after a power cut under a disk that lies.
    Torn(usize),
    /// One bit of a file has turned when it is read.
    Flipped(usize),
    /// Reading fails.
    Unreadable,
    /// A file goes before it is read.
    Gone,
    /// The folder cannot be listed.
    Unlistable,
}

#[derive(Debug, Default)]
pub(super) struct Faulty {
    faults: Mutex<Vec<Fault>>,
    /// What is being written is left as it is.
    killed: AtomicBool,
}

impl Faulty {
    pub fn add(&self, fault: Fault) {
        self.faults().push(fault);
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap()
    }

    /// What goes wrong with the next reading.
    fn reading(&self) -> Option<Fault> {
        self.take(|fault| match fault {
            Fault::Flipped(_) | Fault::Unreadable | Fault::Gone => Some(fault),
            _ => None,
        })
    }

    fn take<T>(&self, wanted: impl Fn(Fault) -> Option<T>) -> Option<T> {
        let mut faults = self.faults();
        let at = faults.iter().position(|fault| wanted(*fault).is_some())?;
        wanted(faults.remove(at))
    }
}

/// Writes only so much.
struct Short<'a> {
    to: &'a mut dyn Write,
    left: usize,
    error: io::ErrorKind,
}

impl Write for Short<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.left);
        if count == 0 && !bytes.is_empty() {
            return Err(self.error.into());
        }
        // Short writes on the way.
        let written = self.to.write(&bytes[..count.div_ceil(2).max(1).min(count)])?;
        self.left -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn read_with(fault: Option<Fault>, path: &Path, at: u64, to: &mut [u8]) -> io::Result<()> {
    match fault {
        Some(Fault::Unreadable) => return Err(io::ErrorKind::TimedOut.into()),
        Some(Fault::Gone) => Disk.remove(path)?,
        _ => {}
    }
    Disk.read(path, at, to)?;
    if let Some(Fault::Flipped(bit)) = fault
        && !to.is_empty()
    {
        let byte = bit / 8 % to.len();
        to[byte] ^= 1 << (bit % 8);
    }
    Ok(())
}

impl Files for Faulty {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        if self.take(|fault| (fault == Fault::Unlistable).then_some(())).is_some() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Disk.list(folder)
    }

    fn read(&self, path: &Path, at: u64, to: &mut [u8]) -> io::Result<()> {
        read_with(self.reading(), path, at, to)
    }

    fn map(&self, path: &Path, at: u64, bytes: usize) -> io::Result<Mapped> {
        match self.reading() {
            None => Disk.map(path, at, bytes),
            fault => {
                let mut read = vec![0; bytes];
                read_with(fault, path, at, &mut read)?;
                Ok(Box::new(read))
            }
        }
    }

    fn write(&self, path: &Path, content: Content<'_>) -> io::Result<()> {
        let fault = self.take(|fault| match fault {
            Fault::Full(left) => Some((left, io::ErrorKind::StorageFull)),
            Fault::Killed(left) => Some((left, io::ErrorKind::BrokenPipe)),
            _ => None,
        });
        let Some((left, error)) = fault else {
            return Disk.write(path, content);
        };
        self.killed.store(error == io::ErrorKind::BrokenPipe, Ordering::Relaxed);
        Disk.write(path, &mut |to| content(&mut Short { to, left, error }))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self
            .take(|fault| (fault == Fault::KilledBeforeName).then_some(()))
            .is_some()
        {
            self.killed.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if let Some(left) = self.take(|fault| {
            if let Fault::Torn(left) = fault {
                Some(left)
            } else {
                None
            }
        }) {
            let file = std::fs::OpenOptions::new().write(true).open(from)?;
            let length = file.metadata()?.len();
            file.set_len(length.saturating_sub(left as u64 % length.max(1) + 1))?;
        }
        Disk.publish(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        // A process that has ended removes nothing.
        if path.extension().is_some_and(|end| end == "part") && self.killed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        Disk.remove(path)
    }

    fn remove_abandoned(&self, path: &Path) -> io::Result<()> {
        Disk.remove_abandoned(path)
    }

    fn touch(&self, path: &Path, used: SystemTime) -> io::Result<()> {
        Disk.touch(path, used)
    }
}
