//! What is being written, on the disk, for the case that the process is killed.
//!
//! Each process has a file of its own beside the history, locked as long as it lives. What it is told is appended as a
//! line, so that a kill in the middle of that leaves the line before; the last whole line counts. A process that starts
//! looks for files that nobody has locked: their owners are gone, and what they hold goes into the history.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::store::{line, private, sibling};

/// A larger file begins anew.
const LARGEST: u64 = 1 << 20;
const NAME: &str = "draft-";

/// The file of this process.
#[derive(Debug)]
pub struct Unsent {
    path: PathBuf,
    file: Option<File>,
}

impl Unsent {
    /// `history` is the file beside which it lies.
    pub fn beside(history: &Path) -> Self {
        Self {
            path: sibling(history, &format!("{NAME}{}", std::process::id())),
            file: None,
        }
    }

    /// Keeps a text in the place of the one before; an empty one is none.
    pub fn keep(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return self.file.as_ref().map_or(Ok(()), |file| file.set_len(0));
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(create(&self.path)?),
        };
        if file.metadata()?.len() > LARGEST {
            file.set_len(0)?;
        }
        file.write_all(line(text).as_bytes())
    }

    /// Nothing is left to keep.
    pub fn finish(&mut self) {
        if self.file.take().is_some() {
            // Left behind, it is empty or will be found; neither is worth a word at the end.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let file = private(OpenOptions::new().read(true).append(true).create(true)).open(path)?;
    match file.try_lock() {
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        locked => locked.map(|()| file).map_err(io::Error::from),
    }
}

/// What processes that are gone were writing. Their files are gone then too.
pub fn left_behind(history: &Path) -> Vec<String> {
    let folder = history.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(all) = fs::read_dir(folder.unwrap_or(Path::new("."))) else {
        return Vec::new();
    };
    let begin = sibling(history, NAME);
    let begin = begin.file_name().unwrap_or_default().as_encoded_bytes();
    let ours = all
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(begin));
    let mut paths: Vec<_> = ours.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| take(path)).collect()
}

/// The text in a file whose owner is gone.
fn take(path: &Path) -> Option<String> {
    let mut file = private(OpenOptions::new().read(true).write(true)).open(path).ok()?;
    file.try_lock().ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let _ = fs::remove_file(path);
    let mut lines = bytes.rsplit(|&byte| byte == b'\n');
    lines.find_map(|line| serde_json::from_slice(line).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_that_is_gone_was_writing_is_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("state/history");
        assert_eq!(left_behind(&history), [""; 0]);
        let mut unsent = Unsent::beside(&history);
        for text in ["", "one", "two\nlines 你"] {
            unsent.keep(text).unwrap();
        }
        assert_eq!(left_behind(&history), [""; 0], "its owner lives");
        drop(unsent.file.take());
        assert_eq!(left_behind(&history), ["two\nlines 你"]);
        assert_eq!(left_behind(&history), [""; 0]);
    }

    #[test]
    fn what_was_sent_is_not_kept_and_a_line_that_was_cut_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("history");
        let mut unsent = Unsent::beside(&history);
        unsent.keep("sent").unwrap();
        unsent.keep("").unwrap();
        drop(unsent.file.take());
        assert_eq!(left_behind(&history), [""; 0]);
        unsent.keep("whole").unwrap();
        let file = unsent.file.as_mut().unwrap();
        file.write_all(b"\"cut of").unwrap();
        drop(unsent.file.take());
        assert_eq!(left_behind(&history), ["whole"]);
        unsent.keep("x").unwrap();
        unsent.finish();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
