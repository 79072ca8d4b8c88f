//! The stream that every front end reads: `ask --json` prints it, the application draws it, records keep it and
//! give it back.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::context::{Note, Pack, Skipped};
use crate::engine::{Finished, Prefill, Token};
use crate::trace::Channel;

/// One step of a conversation. Serialised as one JSON object with its kind in `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Documents are being read; sent now and then, and once at the end.
    Loading(Loading),
    /// The documents are packed; their prefill follows, and ends with `finished` and reason `prefilled`.
    Documents(Documents),
    /// What a change to the documents would come to, before it is paid for.
    Planned(Planned),
    /// A change to the documents that is not possible; they stay as they are.
    PlanFailed {
        message: String,
    },
    /// A question is on its way to the model.
    Question(Question),
    /// What another reply in the place of one would cost; after `rewound`, what the next question will.
    Estimated(Estimated),
    /// The last reply, which was stopped, goes on where it ended: its tokens go on counting.
    Continued {
        turn: usize,
    },
    /// The thinking of the reply has been ended, and not by the model.
    ThinkingEnded {
        by: Ending,
    },
    /// Something other than a question that is not possible; nothing has changed.
    Refused {
        message: String,
    },
    /// The conversation stands after this turn again; 0 is before the first. What came after it stays readable.
    Rewound {
        turn: usize,
    },
    /// Something about the session on the disk that a person should know.
    Kept {
        state: KeptState,
        message: String,
    },
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loading {
    pub files: usize,
    pub total_files: usize,
    pub tokens: usize,
}

/// What was packed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Documents {
    /// The documents themselves, for a front end in the same process.
    #[serde(skip)]
    pub pack: Arc<Pack>,
    /// Tokens that stand before the pack in every prompt.
    pub offset: usize,
    pub files: usize,
    pub lines: usize,
    pub tokens: usize,
    /// The longest context of the model, or the limit that was set.
    pub context_limit: usize,
    /// Tokens of what was said before, which the next question has to read again after these documents.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replay: usize,
    /// Every file that was found but not packed.
    pub skipped: Vec<Skipped>,
    /// Every file that is packed otherwise than it is.
    pub notes: Vec<Note>,
}

impl PartialEq for Documents {
    /// Equal as a stream: the pack is not part of it.
    fn eq(&self, other: &Self) -> bool {
        let key = |d: &Self| (d.offset, d.files, d.lines, d.tokens, d.context_limit, d.replay);
        key(self) == key(other) && self.skipped == other.skipped && self.notes == other.notes
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A change to the documents that is ready to be made. [`Request::Apply`](super::Request::Apply) makes it,
/// [`Request::Discard`](super::Request::Discard) forgets it, and so does the next plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub id: u64,
    pub cause: Cause,
    /// Documents by name.
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
    /// What was newly named and yet stays out.
    pub refused: Vec<Skipped>,
    /// Of all documents after the change.
    pub tokens: usize,
    pub context_limit: usize,
    /// Tokens of the prompt that would have to be prefilled; the others are there already, in memory or on the disk.
    pub prefill: usize,
    /// Tokens that all prompts begin with after the change.
    #[serde(default)]
    pub prompt: usize,
    /// About how long that takes, in milliseconds, if it is known how fast this model was here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
}

/// Why a change was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It was asked for.
    Asked,
    /// Files have changed on the disk.
    Changed,
}

/// A question as the model gets it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The number of this question with its reply, from 1 in the order in which they were asked. None is given twice.
    #[serde(default)]
    pub turn: usize,
    /// The turn whose place this one takes. That turn and all that came after it stay readable, but are not a part of
    /// the conversation any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revises: Option<usize>,
    /// What the person wrote.
    pub text: String,
    /// The wording that the model was given, if it is not `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_as: Option<String>,
    /// Tokens that were thought in the turns before and are not a part of the prompt.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// What it would cost to have a turn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimated {
    pub turn: usize,
    /// Of the prompt.
    pub tokens: usize,
    /// Of them, what the nearest state that is kept has read, in memory or on the disk; the others are to be prefilled.
    pub kept: usize,
    /// About how long that takes, in milliseconds, if it is known how fast this model is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
}

impl Estimated {
    /// About how long it takes.
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        self.ms.map(Duration::from_millis)
    }
}

/// How a session is being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptState {
    /// Nothing is wrong with it.
    Told,
    /// There is no room; everything waits until there is.
    Waiting,
    /// There is room again.
    Resumed,
    /// It is not kept, or not any more.
    Lost,
}

/// Who ended the thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Its budget is used up.
    Budget,
    /// [`Request::Answer`](super::Request::Answer).
    Asked,
}

/// A quotation or a place, checked against the documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    pub channel: Channel,
    pub path: String,
    /// From 1, within the file.
    pub line: usize,
    /// The chapter, page, heading or cell that the line lies in, if the document has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The text said to stand there; empty if only a place is named.
    pub quote: String,
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether a citation holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The quotation stands on that very line, and the line is what was asked for.
    Verified,
    /// It does not, or it cannot be told; `reason` says which.
    Unverified { reason: String },
}
