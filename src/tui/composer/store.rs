//! What was written, on the disk: the history of earlier runs.
//!
//! * A file of lines, each a JSON string, the newest last. What is not such a line (one that was cut by a crash, one of
//!   another program) is passed over.
//! * An entry is appended by one write, so that several processes can append at once. A lock beside the file keeps them
//!   from doing so while it is made shorter, which is done to a copy that then takes its place.
//! * What is being written is kept beside it, see `unsent`.
//! * All of it happens on a thread of its own: no disk makes the terminal wait. An error is told once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use super::history;
use super::unsent::{Unsent, left_behind};

/// A larger file is made shorter, to half of this.
const LARGEST: u64 = 4 << 20;
/// A larger entry is not kept: it is a document.
const LARGEST_ENTRY: usize = 1 << 20;
/// How long the end of the process waits for what is still to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// `$THUNDERHEAD_HISTORY`, none if that is empty; else `history` in our folder for state of the XDG base directory
/// specification.
#[must_use]
pub fn default_path(variable: impl Fn(&str) -> Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    if let Some(path) = variable("THUNDERHEAD_HISTORY") {
        return (!path.as_os_str().is_empty()).then_some(path);
    }
    let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let state = state.or_else(|| home.map(|home| home.join(".local/state")))?;
    Some(state.join("thunderhead").join("history"))
}

/// The thread that reads the file and then writes to it.
#[derive(Debug)]
pub struct Store {
    tasks: Sender<Task>,
    done: Receiver<()>,
}

#[derive(Debug)]
enum Task {
    Remember(String),
    KeepDraft(String),
}

/// What the thread has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What was read at the start, the oldest first.
    Entries(Vec<String>),
    Failed(String),
}

impl Store {
    /// # Errors
    /// If there can be no thread.
    pub fn start(path: PathBuf, tell: impl Fn(Told) + Send + 'static) -> io::Result<Self> {
        let (tasks, received) = mpsc::channel();
        let (finished, done) = mpsc::channel();
        thread::Builder::new().name("history".to_owned()).spawn(move || {
            let say = |doing: &str, error: &io::Error| {
                tell(Told::Failed(format!(
                    "the history cannot be {doing}: {}: {error}",
                    path.display()
                )));
            };
            // What was not sent is the last thing that was written.
            let unsent = left_behind(&path);
            let kept = unsent.iter().try_for_each(|text| append(&path, text));
            match kept.and_then(|()| open(&path)) {
                Ok(entries) => tell(Told::Entries(entries)),
                Err(error) => {
                    say("read", &error);
                    tell(Told::Entries(unsent));
                }
            }
            let mut unsent = Unsent::beside(&path);
            let mut failed = false;
            for task in received {
                let written = match task {
                    Task::Remember(entry) => append(&path, &entry),
                    Task::KeepDraft(text) if text.len() > LARGEST_ENTRY => Ok(()),
                    Task::KeepDraft(text) => unsent.keep(&text),
                };
                if let Err(error) = written.as_ref().map_err(|error| (!failed).then_some(error)) {
                    if let Some(error) = error {
                        say("written", error);
                    }
                    failed = true;
                }
            }
            unsent.finish();
            let _ = finished.send(());
        })?;
        Ok(Self { tasks, done })
    }

    pub fn remember(&self, entry: String) {
        // The thread is gone only if it panicked.
        let _ = self.tasks.send(Task::Remember(entry));
    }

    /// Keeps what is being written for the next run, should this one be killed; an empty text is nothing to keep.
    pub fn keep_draft(&self, text: String) {
        let _ = self.tasks.send(Task::KeepDraft(text));
    }

    /// Waits until everything is written; not for ever, for a disk may hang.
    pub fn finish(self) {
        drop(self.tasks);
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

/// Reads the file, and makes it shorter if it has become long.
fn open(path: &Path) -> io::Result<Vec<String>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    if bytes.len() as u64 <= LARGEST {
        return Ok(parse(&bytes));
    }
    let _lock = lock(path)?;
    // Others may have appended, or made it shorter.
    let entries = parse(&fs::read(path)?);
    let mut lines = Vec::new();
    let mut size = 0;
    for entry in entries.iter().rev().take(history::MOST / 2) {
        let line = line(entry);
        size += line.len() as u64;
        if size > LARGEST / 2 {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    let beside = sibling(path, &format!("{}.new", std::process::id()));
    let written = private(OpenOptions::new().write(true).create(true).truncate(true))
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(lines.concat().as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map(|()| entries)
}

/// The entries of a file, each where it was last.
fn parse(bytes: &[u8]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut entries: Vec<String> = bytes
        .rsplit(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<String>(line).ok())
        .filter(|entry| !entry.trim().is_empty() && seen.insert(entry.clone()))
        .take(history::MOST)
        .collect();
    entries.reverse();
    entries
}

pub(super) fn line(entry: &str) -> String {
    format!("{}\n", serde_json::Value::from(entry))
}

fn append(path: &Path, entry: &str) -> io::Result<()> {
    if entry.len() > LARGEST_ENTRY {
        return Ok(());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let lock = lock(path)?;
    let mut file = private(OpenOptions::new().read(true).append(true).create(true)).open(path)?;
    // A line that was cut stays alone.
    let mut line = line(entry);
    if file.seek(SeekFrom::End(-1)).is_ok() {
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.insert(0, '\n');
        }
    }
    let written = file.write_all(line.as_bytes());
    drop(lock);
    written
}

/// Held while the file is changed. Where locks do not exist, one does without.
fn lock(path: &Path) -> io::Result<File> {
    let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(sibling(path, "lock"))?;
    match file.lock() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        _ => Ok(file),
    }
}

pub(super) fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{ending}"));
    path.with_file_name(name)
}

/// What a person has written is for no one else to read.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn started(path: &Path) -> (Store, Vec<String>) {
        let (sender, receiver) = mpsc::channel();
        let store = Store::start(path.to_owned(), move |told| sender.send(told).unwrap()).unwrap();
        match receiver.recv().unwrap() {
            Told::Entries(entries) => (store, entries),
            Told::Failed(message) => panic!("{message}"),
        }
    }

    #[test]
    fn where_it_is() {
        let home = || Some(PathBuf::from("/home/someone"));
        let with = |name: &'static str, value: &'static str| {
            default_path(move |asked| (asked == name).then(|| value.into()), home())
        };
        assert_eq!(
            with("", ""),
            Some("/home/someone/.local/state/thunderhead/history".into())
        );
        assert_eq!(
            with("XDG_STATE_HOME", "/state"),
            Some("/state/thunderhead/history".into())
        );
        assert_eq!(
            with("XDG_STATE_HOME", "state"),
            with("", ""),
            "relative ones do not count"
        );
        assert_eq!(with("THUNDERHEAD_HISTORY", "x/y"), Some("x/y".into()));
        assert_eq!(with("THUNDERHEAD_HISTORY", ""), None);
        assert_eq!(default_path(|_| None, None), None);
    }

    #[test]
    fn the_next_run_has_what_this_one_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/history");
        let (store, entries) = started(&path);
        assert_eq!(entries, [""; 0]);
        for entry in ["one", "two\nlines \"quoted\" \u{1b}[31m 你", "one"] {
            store.remember(entry.to_owned());
        }
        store.finish();
        let (store, entries) = started(&path);
        assert_eq!(entries, ["two\nlines \"quoted\" \u{1b}[31m 你", "one"]);
        store.finish();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_line_that_was_cut_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        fs::write(&path, b"\"a\"\n\0\0\xff\n17\n{}\n\"cut of").unwrap();
        append(&path, "b").unwrap();
        assert_eq!(parse(&fs::read(&path).unwrap()), ["a", "b"]);
    }

    #[test]
    fn several_append_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for n in 0..50 {
                        append(path, &format!("{writer} {n} {}", "x".repeat(n * 100))).unwrap();
                    }
                });
            }
        });
        assert_eq!(parse(&fs::read(&path).unwrap()).len(), 200);
    }

    #[test]
    fn a_long_file_is_made_shorter_and_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let entry = |n: usize| format!("{n} {}", "long ".repeat(200));
        let all: String = (0..5_000).map(|n| line(&entry(n))).collect();
        assert!(all.len() as u64 > LARGEST);
        fs::write(&path, &all).unwrap();
        assert_eq!(open(&path).unwrap().len(), 5_000, "what was read is all there");
        let left = parse(&fs::read(&path).unwrap());
        assert!(fs::metadata(&path).unwrap().len() <= LARGEST / 2);
        assert_eq!(left.last(), Some(&entry(4_999)));
        assert!(left.len() > 1_000);
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 2, "the file and its lock");
    }

    #[test]
    fn what_cannot_be_written_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let (sender, receiver) = mpsc::channel();
        let store = Store::start(file.join("history"), move |told| drop(sender.send(told))).unwrap();
        store.remember("a".to_owned());
        store.remember("b".to_owned());
        store.finish();
        let failed = receiver.iter().filter(|told| matches!(told, Told::Failed(_))).count();
        assert!((1..=2).contains(&failed), "{failed}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes);
        }

        #[test]
        fn any_text_comes_back(entries in prop::collection::vec("(?s).{1,20}", 0..6)) {
            let file: String = entries.iter().map(|entry| line(entry)).collect();
            let read = parse(file.as_bytes());
            for entry in entries.iter().filter(|entry| !entry.trim().is_empty()) {
                prop_assert!(read.contains(entry));
            }
        }
    }
}
