//! The sessions of a person: a folder each, with its log in it.
//!
//! ```text
//! ~/.local/share/thunderhead/sessions/
//!     20261128-032014-7f3a/
//!         events.jsonl    the record, which is only ever appended to
//!         damaged-1       what stood behind the last whole line when the session was opened again
//!         lock            held by the process that goes on with it
//!     trash/              sessions that were deleted, until they are brought back or purged
//!     index.sqlite        what is found by searching; made again if it is not there
//! ```
//!
//! Files: `journal` (appending), `lock`, `keeper` (a conversation that is kept as it goes), `rest` (its end, where there was no room for it), `fork` (a session that parts from
//! another), `index` (finding one).

mod fork;
pub mod index;
pub mod journal;
mod keeper;
mod lock;
mod rest;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use keeper::{Keeper, Pace, keep};
pub use rest::{Left, Rest};

use self::journal::{Disk, Journal};
use self::lock::{Lock, Unlocked};
use super::line::Header;
use super::note::{Note, Opened};
use super::past::Past;
use super::read::{Record, RecordError, bytes_of};
use super::write::Recorder;

const EVENTS: &str = "events.jsonl";
const TRASH: &str = "trash";
/// Names that are tried for a session.
const NAMES: u32 = 100;

/// Where sessions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
}

/// Why something cannot be done with a session.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("sessions cannot be kept in {path}: {source}")]
    Unusable { path: String, source: io::Error },
    #[error("there is no session `{0}`; `thunderhead sessions list` names them")]
    NoSuch(String),
    #[error("`{name}` begins the names of {count} sessions; write more of it")]
    Ambiguous { name: String, count: usize },
    #[error(
        "the session {name} is open in another thunderhead ({by}). `thunderhead sessions open {name}` shows it as it is, and \
         `thunderhead sessions fork {name}` makes another one of it to go on with"
    )]
    Busy { name: String, by: String },
    #[error(
        "the session {name} is open in another thunderhead ({by}), as far as can be told: its file system knows no locks. If \
         that one has ended, delete {path}"
    )]
    Claimed { name: String, by: String, path: String },
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the session {name}: {message}")]
    Other { name: String, message: String },
}

/// A session that is open to be gone on with: no other process can.
pub struct Open {
    pub name: String,
    pub folder: PathBuf,
    pub(super) journal: Journal,
    /// Held as long as it is open.
    _lock: Lock,
    /// The session's clock at its end.
    pub(super) clock: Duration,
    pub(super) past: Past,
}

impl Store {
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `thunderhead/sessions` in the folder for data of the XDG base directory specification; none without a home.
    #[must_use]
    pub fn usual(variable: impl Fn(&str) -> Option<PathBuf>, home: Option<PathBuf>) -> Option<Self> {
        let data = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
        let data = data.or_else(|| home.map(|home| home.join(".local/share")))?;
        Some(Self::at(data.join("thunderhead").join("sessions")))
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The file of a session.
    #[must_use]
    pub fn events(&self, name: &str) -> PathBuf {
        self.folder(name).join(EVENTS)
    }

    /// The names of all sessions, the newest first.
    ///
    /// # Errors
    /// If the folder cannot be read; one that is not there has none.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        names_in(&self.root).map_err(|source| self.unusable(source))
    }

    /// The names of those that were deleted, the newest first.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn deleted(&self) -> Result<Vec<String>, StoreError> {
        names_in(&self.root.join(TRASH)).map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: io::Error) -> StoreError {
        StoreError::Unusable {
            path: self.root.display().to_string(),
            source,
        }
    }

    /// The session that a name means: all of it, or so much of its beginning that it is the only one; `last` is the one that was
    /// used last.
    ///
    /// # Errors
    /// If there is none, or several.
    pub fn find(&self, name: &str) -> Result<String, StoreError> {
        if is_name(name) && self.events(name).exists() {
            return Ok(name.to_owned());
        }
        let names = self.names()?;
        if name == "last" {
            let last = names.iter().max_by_key(|name| self.used(name));
            return last.cloned().ok_or_else(|| StoreError::NoSuch(name.to_owned()));
        }
        let mut fit = names.iter().filter(|known| !name.is_empty() && known.starts_with(name));
        match (fit.next(), fit.count()) {
            (None, _) => Err(StoreError::NoSuch(name.to_owned())),
            (Some(found), 0) => Ok(found.clone()),
            (Some(_), others) => Err(StoreError::Ambiguous {
                name: name.to_owned(),
                count: others + 1,
            }),
        }
    }

    fn used(&self, name: &str) -> Option<SystemTime> {
        fs::metadata(self.events(name)).and_then(|data| data.modified()).ok()
    }

    /// The session that a person used last: not one in which only programs have asked, if there is another.
    ///
    /// # Errors
    /// If there is none.
    pub fn last_of_person(&self) -> Result<String, StoreError> {
        let mut names = self.names()?;
        names.sort_by_cached_key(|name| std::cmp::Reverse(self.used(name)));
        let is_of_person = |name: &&String| self.read(name).is_ok_and(|record| !Past::of(&record).is_of_programs());
        let last = names.iter().find(is_of_person).or(names.first());
        last.cloned().ok_or_else(|| StoreError::NoSuch("last".to_owned()))
    }

    /// Reads a session as it is, whoever has it open.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, name: &str) -> Result<Record, StoreError> {
        Ok(Record::salvage(&bytes_of(&self.events(name))?))
    }

    /// Begins a session.
    ///
    /// # Errors
    /// If there can be none.
    pub fn create(&self, mut header: Header) -> Result<Open, StoreError> {
        header.began = now();
        let begin = || -> io::Result<Open> {
            private(&self.root)?;
            let name = self.free_name(header.began)?;
            let folder = self.folder(&name);
            let disk = Disk::open(&folder.join(EVENTS))?;
            let lock = Lock::take(&folder).map_err(|why| match why {
                Unlocked::Failed(error) => error,
                Unlocked::Held(_) | Unlocked::Claimed(..) => io::ErrorKind::ResourceBusy.into(),
            })?;
            let mut journal = Journal::new(Box::new(disk), 0, false);
            journal.append(&first_line(&header)?)?;
            Ok(Open {
                name,
                folder,
                journal,
                _lock: lock,
                clock: Duration::ZERO,
                past: Past::default(),
            })
        };
        begin().map_err(|source| self.unusable(source))
    }

    /// Makes the folder of a session that began then.
    fn free_name(&self, began: u64) -> io::Result<String> {
        let mut failed = None;
        for attempt in 0..NAMES {
            let name = name_of(began, attempt);
            match fs::create_dir(self.folder(&name)) {
                Ok(()) => {
                    sync_folder(&self.root);
                    return Ok(name);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::ErrorKind::AlreadyExists.into()))
    }

    /// Opens a session to go on with it. What stands behind its last whole line is put aside.
    ///
    /// # Errors
    /// If another process has it open, or it cannot be read or written.
    pub fn open(&self, name: &str) -> Result<(Open, Record), StoreError> {
        let folder = self.folder(name);
        let other = |error: io::Error| StoreError::Other {
            name: name.to_owned(),
            message: error.to_string(),
        };
        let lock = Lock::take(&folder).map_err(|why| match why {
            Unlocked::Held(by) => StoreError::Busy { name: name.into(), by },
            Unlocked::Claimed(by, path) => StoreError::Claimed {
                name: name.into(),
                by,
                path: path.display().to_string(),
            },
            Unlocked::Failed(error) => other(error),
        })?;
        let path = folder.join(EVENTS);
        let bytes = bytes_of(&path)?;
        let record = Record::salvage(&bytes);
        let rest = &bytes[record.whole..];
        let disk = Disk::open(&path).map_err(other)?;
        if !rest.is_empty() {
            put_aside(&folder, rest).map_err(other)?;
        }
        // A last line that is whole but for its end is ended.
        let unended = record.whole > 0 && bytes[record.whole - 1] != b'\n';
        let mut journal = Journal::new(Box::new(disk), record.whole as u64, !rest.is_empty());
        if record.whole == 0 {
            let header = Header {
                began: now(),
                ..Header::new("", "")
            };
            journal.append(&first_line(&header).map_err(other)?).map_err(other)?;
        } else if unended {
            journal.append(b"\n").map_err(other)?;
        }
        let open = Open {
            name: name.to_owned(),
            folder,
            journal,
            _lock: lock,
            clock: record.end(),
            past: Past::of(&record),
        };
        Ok((open, record))
    }

    /// Writes something down in a session that is not open.
    ///
    /// # Errors
    /// If it is open in another process, or cannot be written.
    pub fn annotate(&self, name: &str, note: &Note) -> Result<(), StoreError> {
        let (mut open, _) = self.open(name)?;
        open.note(note).map_err(|error| StoreError::Other {
            name: name.to_owned(),
            message: error.to_string(),
        })
    }

    /// Puts a session into the trash.
    ///
    /// # Errors
    /// If it is open, or cannot be moved.
    pub fn delete(&self, name: &str) -> Result<(), StoreError> {
        // Nobody is to write where nothing is any more.
        let (open, _) = self.open(name)?;
        drop(open);
        self.shift(name, &self.folder(name), &self.root.join(TRASH).join(name))
    }

    /// Brings a session back from the trash.
    ///
    /// # Errors
    /// If it is not there, or cannot be moved.
    pub fn restore(&self, name: &str) -> Result<(), StoreError> {
        let there = self.root.join(TRASH).join(name);
        if !is_name(name) || !there.exists() {
            return Err(StoreError::NoSuch(name.to_owned()));
        }
        self.shift(name, &there, &self.folder(name))
    }

    fn shift(&self, name: &str, from: &Path, to: &Path) -> Result<(), StoreError> {
        let moved = private(&self.root.join(TRASH)).and_then(|()| fs::rename(from, to));
        moved.map_err(|error| StoreError::Other {
            name: name.to_owned(),
            message: error.to_string(),
        })
    }

    /// Deletes for good what is in the trash; how many there were.
    ///
    /// # Errors
    /// If something cannot be deleted.
    pub fn purge(&self) -> Result<usize, StoreError> {
        let names = self.deleted()?;
        for name in &names {
            let gone = fs::remove_dir_all(self.root.join(TRASH).join(name));
            gone.map_err(|source| self.unusable(source))?;
        }
        Ok(names.len())
    }
}

impl Open {
    #[must_use]
    pub fn past(&self) -> &Past {
        &self.past
    }

    /// Puts something between the session and its file, as tests do that let it fail.
    #[must_use]
    pub fn through(mut self, wrap: impl FnOnce(Box<dyn journal::Medium>) -> Box<dyn journal::Medium>) -> Self {
        self.journal = self.journal.through(wrap);
        self
    }

    /// Appends a note.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note(&mut self, note: &Note) -> io::Result<()> {
        let mut recorder = Recorder::resumed(Vec::new());
        recorder.note(self.clock, note)?;
        self.journal.append(recorder.out())?;
        self.past.note(note);
        Ok(())
    }

    /// The note of a process that goes on with it.
    #[must_use]
    pub fn opened(model: &str, folder: &Path, paths: Vec<String>, flags: Vec<(String, Vec<String>)>) -> Opened {
        Opened {
            wall: now(),
            made_by: Header::new("", "").made_by,
            model: model.to_owned(),
            folder: folder.display().to_string(),
            paths,
            flags,
            asked: false,
        }
    }
}

fn first_line(header: &Header) -> io::Result<Vec<u8>> {
    let mut recorder = Recorder::new(Vec::new(), header)?;
    Ok(std::mem::take(recorder.out()))
}

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_name(name))
        .collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

/// `20261128-032014-7f3a`
fn is_name(name: &str) -> bool {
    let mut parts = name.split('-');
    let digits = |part: Option<&str>, length, hex: bool| {
        part.is_some_and(|part| {
            part.len() == length
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || (hex && matches!(byte, b'a'..=b'f')))
        })
    };
    digits(parts.next(), 8, false)
        && digits(parts.next(), 6, false)
        && digits(parts.next(), 4, true)
        && parts.next().is_none()
}

/// The name of a session that began at this time, in UTC. What comes after the time keeps apart what began at the same.
fn name_of(began: u64, attempt: u32) -> String {
    let (year, month, day, seconds) = civil(began / 1000);
    let mut hash = blake3::Hasher::new();
    for number in [began, u64::from(attempt), u64::from(std::process::id())] {
        hash.update(&number.to_le_bytes());
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let end = &hash.finalize().to_hex()[..4];
    format!(
        "{:04}{month:02}{day:02}-{hours:02}{minutes:02}{:02}-{end}",
        year.min(9999),
        seconds % 60
    )
}

/// Year, month, day and second of the day, in UTC.
#[must_use]
pub fn civil(seconds: u64) -> (u64, u64, u64, u64) {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have their odd day at their end; 400 of them have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day_of_month, second)
}

fn private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// A name in a folder is on the disk only when the folder is. Where folders cannot be synced, one does without.
fn sync_folder(folder: &Path) {
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
}

/// Keeps what is cut off.
fn put_aside(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let taken = |number: &u32| folder.join(format!("damaged-{number}")).exists();
    let number = (1..NAMES).find(|number| !taken(number));
    match number {
        // A tail of nothing but NUL bytes holds nothing.
        _ if bytes.iter().all(|&byte| byte == 0) => Ok(()),
        Some(number) => fs::write(folder.join(format!("damaged-{number}")), bytes),
        None => Ok(()),
    }
}
