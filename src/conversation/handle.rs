//! How a front end talks to a conversation: requests in, events out, nothing shared.

use std::sync::mpsc::{SendError, Sender};

use super::Event;

/// What a front end may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Answer a question. Questions queue; each is answered by events up to `finished` or `failed`.
    Ask(String),
    /// End the thinking of the reply that is being written, now or as soon as it begins; the answer follows.
    Answer,
    /// Another reply in the place of one that was given, of a turn and of all that came after it; waits like a question.
    Revise(Revision),
    /// Work out what that would cost; answered by `estimated` or `refused`, when nothing runs.
    Estimate(Revision),
    /// Go on with the last reply, which was stopped; answered by `continued` and the rest of it, or by `refused`.
    Continue,
    /// Go back: the conversation stands after this turn again, 0 is before the first; answered by `rewound` or `refused`.
    Rewind(usize),
    /// Give the session a title, or tags: this is for what keeps the conversation, which itself does nothing with it.
    Title(String),
    Tags(Vec<String>),
    /// Decode nothing more until this is sent again with `false`: what is said cannot be kept meanwhile.
    Hold(bool),
    /// Stop what is running, prefill or reply, else a plan that is being worked out; what is done is kept.
    Cancel,
    /// Work out what a change to the documents would cost; answered by `planned` or `plan_failed`.
    Plan(Change),
    /// Make the planned change with this id; answered as loading is, by `documents`, `prefill` and `finished`.
    Apply(u64),
    /// Forget the planned change with this id.
    Discard(u64),
}

/// A turn to be had again. The conversation goes on from the turn before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    pub turn: usize,
    /// The question in its place; the same once more, if there is none.
    pub question: Option<String>,
}

/// A change to the documents. Without anything in it, everything is read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Files, folders, globs and lists to load besides, as on the command line.
    pub load: Vec<String>,
    /// Documents, or folders of them, to take out, by the names they are shown with.
    pub unload: Vec<String>,
    /// What was left out and is to be taken in all the same, by the names it is shown with.
    pub include: Vec<String>,
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
