//! What a record says besides the conversation: who opened it, what the person sent, which documents there were.

use serde::{Deserialize, Serialize};

use crate::conversation::{Change, Request, Revision};

/// A line of a record that is no event of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Note {
    /// The program has opened the session, to go on with it.
    Opened(Opened),
    /// What the person sent, before the conversation got it.
    Sent {
        /// Milliseconds since 1970.
        wall: u64,
        #[serde(flatten)]
        what: Sent,
    },
    /// The documents, as far as they differ from those before.
    Packed {
        #[serde(default)]
        documents: Vec<Packed>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gone: Vec<String>,
    },
    /// The person has changed the documents.
    Changed {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        load: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unload: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        include: Vec<String>,
    },
    /// The person has given it a title; an empty one takes it back.
    Renamed { title: String },
    /// The tags that it has from now on.
    Tagged { tags: Vec<String> },
    /// The program has closed it in order.
    Closed { wall: u64 },
}

/// The kinds of notes, by which they are told from events.
pub(super) const KINDS: [&str; 7] = ["opened", "sent", "packed", "changed", "renamed", "tagged", "closed"];

/// How the program was started: enough to start it so again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Milliseconds since 1970.
    pub wall: u64,
    pub made_by: String,
    pub model: String,
    /// Where the paths lie.
    pub folder: String,
    pub paths: Vec<String>,
    /// The flags that were given, without their dashes, and their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<(String, Vec<String>)>,
    /// By `ask` for another program: no terminal shows the answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}

/// What is sent to be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Sent {
    Ask {
        text: String,
    },
    Revise {
        turn: usize,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    Continue,
}

impl Sent {
    /// What of a request has to be written down before it is passed on.
    #[must_use]
    pub fn of(request: &Request) -> Option<Self> {
        match request {
            Request::Ask(text) => Some(Self::Ask { text: text.clone() }),
            Request::Revise(Revision { turn, question }) => Some(Self::Revise {
                turn: *turn,
                text: question.clone(),
            }),
            Request::Continue => Some(Self::Continue),
            _ => None,
        }
    }

    /// What the person wrote, if it is anything.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Ask { text } => Some(text),
            Self::Revise { text, .. } => text.as_deref(),
            Self::Continue => None,
        }
    }
}

/// A document and what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    pub path: String,
    pub bytes: usize,
    /// The first 16 bytes of its BLAKE3, in hexadecimal digits.
    pub hash: String,
}

impl Note {
    #[must_use]
    pub fn changed(change: &Change) -> Self {
        let Change { load, unload, include } = change.clone();
        Self::Changed { load, unload, include }
    }
}
