//! From a question about documents to a reply that points back into them.

mod event;
mod handle;

pub use event::{Citation, Documents, Event, Loading, Question, Skipped, Verdict};
pub use handle::{Handle, Request, Sink};
