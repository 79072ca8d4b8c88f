//! One process at a time goes on with a session.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Held while a session is written to. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// Where the file system knows no locks, the file itself is the lock.
    owned: Option<PathBuf>,
}

/// Why there is no lock.
#[derive(Debug)]
pub enum Unlocked {
    /// Another process has it; what is known of it.
    Held(String),
    /// As `Held`, on a file system without locks: the process may be long gone. The file to be deleted then.
    Claimed(String, PathBuf),
    Failed(io::Error),
}

impl From<io::Error> for Unlocked {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Lock {
    /// Takes the lock of a folder.
    ///
    /// # Errors
    /// If another process has it, or there can be none.
    pub fn take(folder: &Path) -> Result<Self, Unlocked> {
        Self::with(folder, File::try_lock)
    }

    fn with(folder: &Path, lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Self, Unlocked> {
        let path = folder.join("lock");
        let mut file = options().truncate(false).open(&path)?;
        match lock(&file) {
            Ok(()) => {
                sign(&mut file)?;
                Ok(Self { file, owned: None })
            }
            Err(TryLockError::WouldBlock) => Err(Unlocked::Held(signature(&mut file))),
            Err(TryLockError::Error(error)) if knows_no_locks(&error) => Self::claim(folder),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The lock of a file system that has none: a file that only one process can make.
    fn claim(folder: &Path) -> Result<Self, Unlocked> {
        let path = folder.join("owner");
        match options().create_new(true).open(&path) {
            Ok(mut file) => {
                sign(&mut file)?;
                Ok(Self {
                    file,
                    owned: Some(path),
                })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let mut text = String::new();
                let _ = File::open(&path).and_then(|file| file.take(200).read_to_string(&mut text));
                Err(Unlocked::Claimed(text.trim().to_owned(), path))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = match &self.owned {
            Some(path) => fs::remove_file(path),
            None => self.file.unlock(),
        };
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// `ENOLCK` and `EOPNOTSUPP` of network file systems.
fn knows_no_locks(error: &io::Error) -> bool {
    const ENOLCK: i32 = 37;
    error.kind() == io::ErrorKind::Unsupported || (cfg!(target_os = "linux") && error.raw_os_error() == Some(ENOLCK))
}

fn sign(file: &mut File) -> io::Result<()> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // Who it is only helps people: a disk that is full is told when something is kept.
    let _ = file.set_len(0);
    file.seek(SeekFrom::Start(0))?;
    let _ = write!(file, "process {} {}", std::process::id(), host.trim());
    Ok(())
}

fn signature(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(200).read_to_string(&mut text);
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_and_then_another() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let Err(Unlocked::Held(who)) = Lock::take(folder.path()) else {
            panic!("two have it")
        };
        assert!(who.contains(&format!("process {}", std::process::id())), "{who}");
        drop(first);
        Lock::take(folder.path()).unwrap();
    }

    #[test]
    fn where_there_are_no_locks_a_file_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let none = |_: &File| Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
        let first = Lock::with(folder.path(), none).unwrap();
        let Err(Unlocked::Claimed(who, path)) = Lock::with(folder.path(), none) else {
            panic!("two have it")
        };
        assert!(who.contains("process") && path.exists());
        drop(first);
        Lock::with(folder.path(), none).unwrap();
        let refused = |_: &File| Err(TryLockError::Error(io::ErrorKind::PermissionDenied.into()));
        assert!(matches!(Lock::with(folder.path(), refused), Err(Unlocked::Failed(_))));
    }
}
