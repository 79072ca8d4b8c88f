//! Being told when documents change on the disk.
//!
//! The folders that documents lie in are watched, not whole trees: a tree may hold a hundred thousand folders that
//! nothing was loaded from. What exactly has changed is found by loading again, which the cache makes cheap.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use notify::{Config, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};

use super::Pack;

/// Editors write in several steps; a change is told when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(300);
/// And the next one not before so long.
const BETWEEN: Duration = Duration::from_secs(1);
/// Where the system cannot watch, folders are looked at this often.
const POLL: Duration = Duration::from_secs(3);

/// Watches until it is dropped.
pub struct Watch {
    _watcher: Box<dyn Watcher + Send>,
}

impl Watch {
    /// Calls `changed`, on a thread of its own, after something has happened beside the documents of `pack`. `None` if
    /// there is nothing to watch, or no way to.
    #[must_use]
    pub fn start(pack: &Pack, changed: impl Fn() + Send + 'static) -> Option<Self> {
        let files = pack.documents.iter().filter_map(|document| document.file.as_deref());
        let folders: BTreeSet<PathBuf> = files.filter_map(Path::parent).map(folder).collect();
        Self::folders(&folders, changed)
    }

    /// The same for what happens in these folders.
    #[must_use]
    pub fn folders(folders: &BTreeSet<PathBuf>, changed: impl Fn() + Send + 'static) -> Option<Self> {
        if folders.is_empty() {
            return None;
        }
        let (send, receive) = channel();
        let handler = move |event: notify::Result<notify::Event>| {
            // That a file was read is no change; of an error nobody knows what it hides.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                let _ = send.send(());
            }
        };
        let watcher = watch::<RecommendedWatcher>(folders, handler.clone(), Config::default())
            .or_else(|| watch::<PollWatcher>(folders, handler, Config::default().with_poll_interval(POLL)))?;
        thread::spawn(move || {
            while receive.recv().is_ok() {
                loop {
                    match receive.recv_timeout(QUIET) {
                        Ok(()) => {}
                        Err(RecvTimeoutError::Timeout) => break,
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
                changed();
                thread::sleep(BETWEEN);
            }
        });
        Some(Self { _watcher: watcher })
    }
}

fn folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        ".".into()
    } else {
        path.to_owned()
    }
}

fn watch<W: Watcher + Send + 'static>(
    folders: &BTreeSet<PathBuf>,
    handler: impl notify::EventHandler,
    config: Config,
) -> Option<Box<dyn Watcher + Send>> {
    let mut watcher = W::new(handler, config).ok()?;
    for folder in folders {
        watcher.watch(folder, RecursiveMode::NonRecursive).ok()?;
    }
    Some(Box::new(watcher))
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Spans};
    use super::*;
    use std::fs;

    fn pack(files: &[PathBuf]) -> Pack {
        let document = |file: &PathBuf| Document {
            path: file.display().to_string(),
            file: Some(file.clone()),
            text: String::new(),
            lines: Spans::default(),
            line_tokens: Spans::default(),
            first_line: 1,
            tokens: 0..0,
            sections: Vec::new(),
            gap: None,
        };
        Pack {
            documents: files.iter().map(document).collect(),
            ..Pack::default()
        }
    }

    #[test]
    fn a_change_is_told_until_nobody_watches() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        fs::write(&file, "one").unwrap();
        let (send, told) = channel();
        let watch = Watch::start(&pack(std::slice::from_ref(&file)), move || {
            let _ = send.send(());
        });
        assert!(watch.is_some());
        fs::write(&file, "two").unwrap();
        told.recv_timeout(Duration::from_secs(30)).unwrap();
        drop(watch);
        assert!(
            told.recv_timeout(Duration::from_secs(30))
                .is_err_and(|e| e == RecvTimeoutError::Disconnected)
        );
    }

    #[test]
    fn without_files_there_is_nothing_to_watch() {
        assert!(Watch::start(&pack(&[]), || ()).is_none());
    }
}
