//! Everything that wakes the application, in one channel: the terminal, the conversation, signals, panics elsewhere.
//!
//! Each source has a thread of its own (the conversation brings its own) and knows nothing of the others. The
//! application's thread waits for the channel and for nothing else.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use super::Counter;
use super::app::Input;
use super::clipboard::{self, Program};
use super::completion::Entry;
use super::editor::{self, Edited, Editing};
use super::export::{self, Writing};
use super::sessions::{News, Progress, Task};
use crate::conversation::Sink;
use crate::session::Note;
use crate::session::store::index::Index;
use crate::session::store::{Store, StoreError, now};

/// A reason to wake up.
#[derive(Debug)]
pub enum Message {
    Input(Input),
    /// A key, a paste or the mouse, with the time at which it came: it may have to wait for its turn.
    Typed(Instant, Input),
    /// Nothing more can be typed: the terminal is gone.
    InputEnded,
    ConversationEnded,
    /// A thread other than the application's failed.
    Panicked(String),
    /// The editor is done: the terminal is ours again.
    Edited(Edited),
    /// The process is asked to end.
    Signal(i32),
    /// The process was stopped, and goes on.
    Continued,
}

/// The ends of the channel.
pub struct Inbox {
    pub sender: Sender<Message>,
    pub receiver: Receiver<Message>,
}

impl Inbox {
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, receiver }
    }

    /// Where the conversation sends its events; when it drops it, the application is told.
    pub fn sink(&self) -> Sink {
        let guard = EndGuard(self.sender.clone());
        Box::new(move |event| {
            // Nobody listens any more only while the application ends.
            let _ = guard.0.send(Message::Input(Input::Conversation(event)));
        })
    }
}

impl Inbox {
    /// Lists a folder on a thread of its own, for it may lie on a disk that is slow. One that cannot be read is empty.
    pub fn list_folder(&self, path: PathBuf) -> io::Result<()> {
        let sender = self.sender.clone();
        spawn("folder", move || {
            let entries = entries(&path);
            let _ = sender.send(Message::Input(Input::FolderListed { path, entries }));
        })
    }
}

impl Inbox {
    /// Starts the editor, which has the terminal until it is done.
    pub fn edit(&self, editing: Editing) -> io::Result<()> {
        let sender = self.sender.clone();
        spawn("editor", move || {
            let _ = sender.send(Message::Edited(editor::run(editing)));
        })
    }

    /// Has the first of these programs that can take a text, on a thread of its own.
    pub fn copy(&self, programs: Vec<&'static Program>, text: String) -> io::Result<()> {
        let sender = self.sender.clone();
        spawn("copy", move || {
            let copied = clipboard::copy(&programs, text);
            let _ = sender.send(Message::Input(Input::Copied(copied)));
        })
    }
}

impl Inbox {
    /// Counts the tokens of what was pasted, on a thread of its own: it may be a book.
    pub fn count(&self, count: Counter, pasted: Arc<str>) -> io::Result<()> {
        let sender = self.sender.clone();
        spawn("count", move || {
            let tokens = (count.0)(&pasted);
            let _ = sender.send(Message::Input(Input::Counted { pasted, tokens }));
        })
    }

    /// Writes a file on a thread of its own, for its disk may be slow.
    pub fn write(&self, mut writing: Writing) -> io::Result<()> {
        let sender = self.sender.clone();
        if let Some(path) = writing.path.to_str() {
            writing.path = at_home(path).into();
        }
        spawn("export", move || {
            let _ = sender.send(Message::Input(Input::Written(export::write(&writing))));
        })
    }
}

impl Inbox {
    /// Does something with sessions on a thread of its own: a disk may be slow, and there may be thousands.
    pub fn sessions(&self, store: Store, task: Task) -> io::Result<()> {
        let sender = self.sender.clone();
        spawn("sessions", move || {
            let mut tell = |news| sender.send(Message::Input(Input::Sessions(news))).is_ok();
            if let Err(error) = do_task(&store, task, &mut tell) {
                tell(News::Failed(error.to_string()));
                // What was taken for done is not.
                let _ = do_task(&store, Task::List, &mut tell);
            }
        })
    }

    /// Tells of a session about the same documents, if there is one.
    pub fn offer(&self, store: Store, folder: String, paths: Vec<String>) -> io::Result<()> {
        let sender = self.sender.clone();
        spawn("offer", move || {
            // Who has no sessions has no index.
            if !store.root().exists() {
                return;
            }
            let offered = Index::open(&store).and_then(|mut index| {
                index.refresh(|| true)?;
                index.last_about(&folder, &paths)
            });
            if let Ok(Some(session)) = offered {
                let session = Box::new(session);
                let news = News::Offered { session, now: now() };
                let _ = sender.send(Message::Input(Input::Sessions(news)));
            }
        })
    }
}

/// Turns that are found at most.
const MOST_HITS: usize = 200;

fn do_task(store: &Store, task: Task, tell: &mut impl FnMut(News) -> bool) -> Result<(), StoreError> {
    match task {
        Task::List => {
            let mut index = Index::open(store)?;
            // What was known is there at once, and what has changed since a little later.
            let mut progress = Progress::Reading;
            loop {
                let sessions = index.sessions()?;
                let listening = tell(News::Listed {
                    sessions,
                    now: now(),
                    progress,
                });
                if progress == Progress::Done || !listening {
                    return Ok(());
                }
                index.refresh(|| true)?;
                progress = Progress::Done;
            }
        }
        Task::Search(text) => {
            let hits = Index::open(store)?.search(&text, MOST_HITS)?;
            tell(News::Found { text, hits });
        }
        Task::Rename { name, title } => store.annotate(&name, &Note::Renamed { title })?,
        Task::Tag { name, tags } => store.annotate(&name, &Note::Tagged { tags })?,
        Task::Delete(name) => store.delete(&name)?,
        Task::Restore(name) => store.restore(&name)?,
    }
    Ok(())
}

/// Entries of a folder that are looked at; who has more writes a part of the name.
const ENTRIES: usize = 10_000;

/// A path that begins with `~/`, in the person's home: here no shell does it.
pub fn at_home(path: &str) -> String {
    let home = std::env::home_dir().and_then(|home| home.into_os_string().into_string().ok());
    match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => home + rest,
        _ => path.to_owned(),
    }
}

fn entries(path: &Path) -> Vec<Entry> {
    let path = path
        .to_str()
        .map_or_else(|| path.to_owned(), |path| at_home(path).into());
    let listed = std::fs::read_dir(path).into_iter().flatten().flatten();
    listed
        .take(ENTRIES)
        .filter_map(|entry| {
            Some(Entry {
                name: entry.file_name().into_string().ok()?,
                // Through symbolic links.
                is_folder: entry.path().is_dir(),
            })
        })
        .collect()
}

struct EndGuard(Sender<Message>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        let _ = self.0.send(Message::ConversationEnded);
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[cfg(unix)]
pub use super::reading::Reading;
#[cfg(not(unix))]
pub use other::{Reading, is_from_keyboard, suspend};
#[cfg(unix)]
pub use unix::{is_from_keyboard, suspend};

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Instant;

    use ratatui::crossterm::terminal;
    use ratatui::layout::Size;
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
    use signal_hook::iterator::{Handle, Signals};

    use super::super::app::Input;
    use super::super::decode::Decoder;
    use super::{Inbox, Message, Reading, spawn};

    impl Inbox {
        /// Reads the terminal: one thread reads, another decodes. They end with the process. The terminal may have been
        /// asked for its background.
        pub fn read_terminal(&self, asked: bool) -> io::Result<Reading> {
            let (pieces, received) = mpsc::channel();
            let reading = Reading::of_terminal(pieces)?;
            let sender = self.sender.clone();
            spawn("terminal decoder", move || {
                let mut decoder = Decoder::new(asked);
                loop {
                    let piece = if decoder.is_waiting() {
                        received.recv_timeout(decoder.patience())
                    } else {
                        received.recv().map_err(|_| RecvTimeoutError::Disconnected)
                    };
                    let inputs = match piece {
                        Ok(piece) => decoder.feed(&piece),
                        Err(RecvTimeoutError::Timeout) => decoder.timeout(),
                        Err(RecvTimeoutError::Disconnected) => {
                            let _ = sender.send(Message::InputEnded);
                            return;
                        }
                    };
                    for input in inputs {
                        let _ = sender.send(Message::Typed(Instant::now(), input));
                    }
                }
            })?;
            Ok(reading)
        }

        /// Turns changes of size, and the signals that end a process, into messages until the guard is dropped.
        pub fn catch_signals(&self) -> io::Result<SignalGuard> {
            let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGCONT, SIGWINCH])?;
            let handle = signals.handle();
            let sender = self.sender.clone();
            spawn("signals", move || {
                for signal in signals.forever() {
                    let message = match (signal, terminal::size()) {
                        (SIGWINCH, Ok((width, height))) => Message::Input(Input::Resize(Size { width, height })),
                        (SIGWINCH, Err(_)) => continue,
                        (SIGCONT, _) => Message::Continued,
                        _ => Message::Signal(signal),
                    };
                    let _ = sender.send(message);
                }
            })?;
            Ok(SignalGuard(handle))
        }
    }

    /// Whether a key of a terminal that is not raw sends this signal, to every program in front.
    pub fn is_from_keyboard(signal: i32) -> bool {
        matches!(signal, SIGINT | SIGQUIT)
    }

    /// Stops the process until the shell continues it.
    pub fn suspend() -> io::Result<()> {
        signal_hook::low_level::raise(SIGTSTP)
    }

    /// Stops the thread that waits for signals.
    pub struct SignalGuard(Handle);

    impl Drop for SignalGuard {
        fn drop(&mut self) {
            self.0.close();
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;
    use std::time::Instant;

    use ratatui::crossterm::event::{self, Event};
    use ratatui::layout::Size;

    use super::super::app::Input;
    use super::{Inbox, Message, spawn};

    /// How often the thread that reads can be stopped.
    const PATIENCE: Duration = Duration::from_millis(50);

    /// The thread that reads.
    #[derive(Debug)]
    pub struct Reading {
        wanted: Arc<AtomicBool>,
    }

    impl Reading {
        /// Returns when nothing is read any more.
        pub fn pause(&mut self) -> io::Result<()> {
            self.wanted.store(false, Ordering::SeqCst);
            thread::sleep(2 * PATIENCE);
            Ok(())
        }

        pub fn go_on(&mut self) -> io::Result<()> {
            self.wanted.store(true, Ordering::SeqCst);
            Ok(())
        }
    }

    impl Inbox {
        /// Reads the terminal; the thread ends with the process.
        pub fn read_terminal(&self, _asked: bool) -> io::Result<Reading> {
            let sender = self.sender.clone();
            let wanted = Arc::new(AtomicBool::new(true));
            let ours = Arc::clone(&wanted);
            spawn("terminal input", move || {
                loop {
                    if !ours.load(Ordering::SeqCst) {
                        thread::sleep(PATIENCE);
                        continue;
                    }
                    // What cannot be waited for fails when it is read.
                    if !event::poll(PATIENCE).unwrap_or(true) {
                        continue;
                    }
                    let input = match event::read() {
                        Ok(Event::Key(key)) => Input::Key(key),
                        Ok(Event::Paste(text)) => Input::Paste(text),
                        Ok(Event::Mouse(mouse)) => Input::Mouse(mouse),
                        Ok(Event::Resize(width, height)) => Input::Resize(Size { width, height }),
                        Ok(Event::FocusGained) => Input::Focus(true),
                        Ok(Event::FocusLost) => Input::Focus(false),
                        Err(_) => {
                            let _ = sender.send(Message::InputEnded);
                            return;
                        }
                    };
                    if sender.send(Message::Typed(Instant::now(), input)).is_err() {
                        return;
                    }
                }
            })?;
            Ok(Reading { wanted })
        }

        /// There are no signals to catch.
        pub fn catch_signals(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// There are no signals.
    pub fn is_from_keyboard(_: i32) -> bool {
        false
    }

    /// There is no shell that would continue it.
    pub fn suspend() -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_at_home_is_moved_there() {
        for path in ["a", "a~", "~someone/x", "./~", "/~/x", ""] {
            assert_eq!(at_home(path), path);
        }
        assert!(!at_home("~/x").is_empty());
    }

    #[test]
    fn a_folder_is_listed_and_what_is_none_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let mut listed = entries(folder.path());
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let listed: Vec<_> = listed.iter().map(|entry| (&*entry.name, entry.is_folder)).collect();
        assert_eq!(listed, [("file", false), ("folder", true)]);
        assert_eq!(entries(&folder.path().join("file")), []);
    }
}
