//! The application without a terminal: to measure it, and to make pictures of it.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::{Position, Rect, Size};

use super::app::{App, Effect, Input, Setup};
use super::highlight::Highlighter;
use super::inbox::{Inbox, Message};
use super::{Theme, ask_for_colours};
use crate::conversation::Event;

/// How long colours may take to come.
const COLOURS: Duration = Duration::from_secs(2);

/// An application with every setting as by default, that is told what happens, and when. What it wants done outside is not done, but for the colours of code.
pub struct Offscreen {
    app: App,
    frame: Buffer,
    inbox: Inbox,
    highlighter: Option<Highlighter>,
}

impl Offscreen {
    #[must_use]
    pub fn new(model: &str, theme: Theme, width: u16, height: u16) -> Self {
        let setup = Setup {
            model: model.to_owned(),
            theme,
            ..Setup::default()
        };
        let size = Size { width, height };
        Self {
            app: App::new(setup, size),
            frame: Buffer::empty(Rect::from((Position::ORIGIN, size))),
            inbox: Inbox::new(),
            highlighter: None,
        }
    }

    /// `now` is the time since the start.
    pub fn event(&mut self, now: Duration, event: Event) {
        self.input(now, Input::Conversation(event));
    }

    pub fn key(&mut self, now: Duration, key: KeyEvent) {
        self.input(now, Input::Key(key));
    }

    pub fn paste(&mut self, now: Duration, text: &str) {
        self.input(now, Input::Paste(text.to_owned()));
    }

    fn input(&mut self, now: Duration, input: Input) {
        for effect in self.app.handle(now, input) {
            if let Effect::Highlight(wish) = effect {
                ask_for_colours(&mut self.highlighter, &self.inbox, wish);
            }
        }
    }

    /// Waits for the colours of what is in view.
    pub fn settle(&mut self, now: Duration) {
        self.input(now, Input::Tick);
        if self.highlighter.is_none() {
            return;
        }
        while let Ok(Message::Input(input)) = self.inbox.receiver.recv_timeout(COLOURS) {
            self.input(now, input);
        }
    }

    /// A frame, as the terminal would show it, and where its cursor is.
    pub fn draw(&mut self) -> (&Buffer, Option<Position>) {
        self.frame.reset();
        let cursor = self.app.draw(self.frame.area, &mut self.frame);
        (&self.frame, cursor)
    }
}
