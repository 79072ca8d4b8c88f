//! From a question about documents to a reply that points back into them.

mod event;

pub use event::{Citation, Documents, Event, Question, Skipped, Verdict};
