//! Everything that wakes the application, in one channel: the terminal, the conversation, signals, panics elsewhere.
//!
//! Each source has a thread of its own (the conversation brings its own) and knows nothing of the others. The
//! application's thread waits for the channel and for nothing else.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use ratatui::crossterm::event::{self, KeyEvent, MouseEvent};
use ratatui::layout::Size;

use crate::conversation::{Event, Sink};

/// A reason to wake up.
#[derive(Debug)]
pub enum Message {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    Resize(Size),
    /// Nothing more can be typed: the terminal is gone.
    InputEnded,
    Conversation(Event),
    ConversationEnded,
    /// A thread other than the application's failed.
    Panicked(String),
    Signal(i32),
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
            let _ = guard.0.send(Message::Conversation(event));
        })
    }

    /// Reads the terminal. The thread ends with the process: a read cannot be interrupted.
    pub fn read_terminal(&self) -> io::Result<()> {
        let sender = self.sender.clone();
        thread::Builder::new()
            .name("terminal input".to_owned())
            .spawn(move || {
                loop {
                    let message = match event::read() {
                        Ok(event::Event::Key(key)) => Message::Key(key),
                        Ok(event::Event::Paste(text)) => Message::Paste(text),
                        Ok(event::Event::Mouse(mouse)) => Message::Mouse(mouse),
                        Ok(event::Event::Resize(width, height)) => Message::Resize(Size { width, height }),
                        Ok(event::Event::FocusGained | event::Event::FocusLost) => continue,
                        Err(_) => {
                            let _ = sender.send(Message::InputEnded);
                            return;
                        }
                    };
                    if sender.send(message).is_err() {
                        return;
                    }
                }
            })?;
        Ok(())
    }

    /// Turns the signals that end a process into messages, until the guard is dropped.
    #[cfg(unix)]
    pub fn catch_signals(&self) -> io::Result<SignalGuard> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        use signal_hook::iterator::Signals;

        let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT])?;
        let handle = signals.handle();
        let sender = self.sender.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let _ = sender.send(Message::Signal(signal));
            }
        })?;
        Ok(SignalGuard(handle))
    }
}

/// Stops the thread that waits for signals.
#[cfg(unix)]
pub struct SignalGuard(signal_hook::iterator::Handle);

#[cfg(unix)]
impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct EndGuard(Sender<Message>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        let _ = self.0.send(Message::ConversationEnded);
    }
}
