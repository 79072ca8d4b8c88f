//! Sessions as files: the events of a conversation, kept as they came.
//!
//! A record is text, a JSON object a line: a header, then the events with their times on the session's clock. It is only
//! ever appended to, so that what was written once stays readable whatever happens later: [`Record::parse`] passes over the
//! lines that are damaged and says what it left. Tokens, of which there may be a hundred thousand, are written in runs.
//!
//! Files: `line` (what stands in a line), `note` (what is no event), `write` (events to lines), `read` (lines to events), `account`
//! (turns and their figures), `past` (what a conversation goes on from), `replay` (a record in the place of a conversation),
//! `shipped` (the records that come with the program), `export` (for others, and back), `store` (the sessions of a person: a folder each).

mod account;
pub mod export;
mod line;
mod note;
mod past;
mod read;
mod replay;
mod shipped;
pub mod store;
#[cfg(test)]
mod tests;
mod write;

pub use account::{Turn, turns};
pub use line::{Forked, Header, VERSION};
pub use note::{Note, Opened, Packed, Sent};
pub use past::{Past, changed_since, documents_of, title_of};
pub use read::{Record, RecordError};
pub use replay::{Speed, conclusion, replay};
pub use shipped::{shipped, shipped_names};
pub use write::Recorder;
