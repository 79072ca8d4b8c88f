//! The few things that are done with files, so that tests can have them fail.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// A file or a folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub bytes: u64,
    /// When it was used last.
    pub used: SystemTime,
}

/// Writes the content of a file.
pub type Content<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Bytes of a file: a map of them, or read.
pub type Mapped = Box<dyn AsRef<[u8]> + Send + Sync>;

/// A place for files.
pub trait Files: Send + Sync {
    /// What is in a folder; nothing if there is no such folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// Fills `to` from a place in a file.
    fn read(&self, path: &Path, at: u64, to: &mut [u8]) -> io::Result<()>;

    /// Bytes of a file, to be read where they lie.
    fn map(&self, path: &Path, at: u64, bytes: usize) -> io::Result<Mapped>;

    /// Makes a file that was not there, with a lock on it while it is written; it is on the disk when this returns.
    fn write(&self, path: &Path, content: Content<'_>) -> io::Result<()>;

    /// Gives a file its name, for good.
    fn publish(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a file that nobody is writing.
    fn remove_abandoned(&self, path: &Path) -> io::Result<()>;

    /// Says that a file was used.
    fn touch(&self, path: &Path, used: SystemTime) -> io::Result<()>;
}

/// The files of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut list = Vec::new();
        for entry in entries {
            let entry = entry?;
            // What others remove meanwhile, and names that are none of ours, are passed over.
            let (Ok(name), Ok(data)) = (entry.file_name().into_string(), entry.metadata()) else {
                continue;
            };
            list.push(Entry {
                name,
                bytes: if data.is_file() { data.len() } else { 0 },
                used: data.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            });
        }
        Ok(list)
    }

    fn read(&self, path: &Path, at: u64, to: &mut [u8]) -> io::Result<()> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(to)
    }

    fn map(&self, path: &Path, at: u64, bytes: usize) -> io::Result<Mapped> {
        let file = File::open(path)?;
        if file.metadata()?.len().saturating_sub(at) < bytes as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes == 0 {
            return Ok(Box::new(Vec::new()));
        }
        // SAFETY: the map is read-only, and files are never changed once they have their names: they are removed, which leaves
        // maps as they are. Who cuts one short by other means while it is read ends this process.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::MmapOptions::new().offset(at).len(bytes).map(&file) }?;
        // All of it is needed. What the disk does not give is an error here; found out by an access, it would be the end.
        #[cfg(target_os = "linux")]
        match map.advise(memmap2::Advice::PopulateRead) {
            // Before Linux 5.14.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            populated => populated?,
        }
        Ok(Box::new(map))
    }

    fn write(&self, path: &Path, content: Content<'_>) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        // Where there are no locks, an unfinished file is told by its age.
        let _ = file.try_lock();
        let mut buffered = BufWriter::with_capacity(1 << 20, &file);
        content(&mut buffered)?;
        buffered.flush()?;
        file.sync_all()
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        #[cfg(unix)]
        if let Some(folder) = to.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_abandoned(&self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => fs::remove_file(path),
            Err(error) => Err(error.into()),
        }
    }

    fn touch(&self, path: &Path, used: SystemTime) -> io::Result<()> {
        File::open(path)?.set_times(FileTimes::new().set_modified(used))
    }
}

/// A path for a file while it is written, which no other process and no other thread takes.
pub(super) fn unfinished(folder: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{}-{now:x}-{count}{UNFINISHED}", std::process::id()))
}

/// How the names of such files end.
pub(super) const UNFINISHED: &str = ".part";
