//! Sessions as files: the events of a conversation, kept as they came.
//!
//! A record is text, a JSON object a line: a header, then the events with their times on the session's clock. It is only
//! ever appended to, so that what was written once stays readable whatever happens later: [`Record::parse`] takes a file
//! up to the first line that is damaged and says what it left. Tokens, of which there may be a hundred thousand, are
//! written in runs.
//!
//! Files: `line` (what stands in a line), `write` (events to lines), `read` (lines to events), `account` (turns and their
//! figures), `replay` (a record in the place of a conversation), `shipped` (the records that come with the program).

mod account;
mod line;
mod read;
mod replay;
mod shipped;
#[cfg(test)]
mod tests;
mod write;

pub use account::{Turn, turns};
pub use line::{Header, VERSION};
pub use read::{Record, RecordError};
pub use replay::{Speed, conclusion, replay};
pub use shipped::{shipped, shipped_names};
pub use write::Recorder;
