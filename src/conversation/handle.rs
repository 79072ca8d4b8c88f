//! How a front end talks to a conversation: requests in, events out, nothing shared.

use std::sync::mpsc::{SendError, Sender};

use super::Event;

/// What a front end may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Answer a question. Questions queue; each is answered by events up to `finished` or `failed`.
    Ask(String),
    /// Stop what is running, prefill or reply; what is done is kept.
    Cancel,
}

/// Where events go. Called on the conversation's thread; must not block for long.
pub type Sink = Box<dyn FnMut(Event) + Send>;

/// The sending end of a conversation. Dropping the last one ends it.
#[derive(Debug, Clone)]
pub struct Handle(Sender<Request>);

impl Handle {
    #[must_use]
    pub fn new(requests: Sender<Request>) -> Self {
        Self(requests)
    }

    /// # Errors
    /// If the conversation has ended.
    pub fn send(&self, request: Request) -> Result<(), SendError<Request>> {
        self.0.send(request)
    }
}
