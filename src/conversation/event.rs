//! The stream that every front end reads: `ask --json` prints it, the application draws it, tests replay it.

use serde::Serialize;

use crate::context::{Note, Skipped};
use crate::engine::{Finished, Prefill, Token};
use crate::trace::Channel;

/// One step of a conversation. Serialised as one JSON object with its kind in `type`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Documents are being read; sent now and then, and once at the end.
    Loading(Loading),
    /// The documents are packed; their prefill follows, and ends with `finished` and reason `prefilled`.
    Documents(Documents),
    /// A question is on its way to the model.
    Question(Question),
    Prefill(Prefill),
    /// One token; its text is already what a person should see.
    Token(Token),
    /// A place in the documents that the reply points to, after the text that points there.
    Citation(Citation),
    /// The reply is complete.
    Finished(Finished),
    /// The question could not be answered; `message` says why and what to do.
    Failed {
        message: String,
    },
}

/// How far reading the documents has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Loading {
    pub files: usize,
    pub total_files: usize,
    pub tokens: usize,
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Documents {
    pub files: usize,
    pub lines: usize,
    pub tokens: usize,
    /// The longest context of the model, or the limit that was set.
    pub context_limit: usize,
    /// Every file that was found but not packed.
    pub skipped: Vec<Skipped>,
    /// Every file that is packed otherwise than it is.
    pub notes: Vec<Note>,
}

/// A question as the model gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// What the person wrote.
    pub text: String,
    /// The wording that the model was given, if it is not `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_as: Option<String>,
}

/// A quotation or a place, checked against the documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Citation {
    pub channel: Channel,
    pub path: String,
    /// From 1, within the file.
    pub line: usize,
    /// The text said to stand there; empty if only a place is named.
    pub quote: String,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether a citation holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The quotation stands on that very line, and the line is what was asked for.
    Verified,
    /// It does not, or it cannot be told; `reason` says which.
    Unverified { reason: String },
}
