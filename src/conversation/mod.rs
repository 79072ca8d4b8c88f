//! From a question about documents to a reply that points back into them.

mod chat;
mod citations;
mod code;
mod definition;
mod event;
mod evidence;
#[cfg(test)]
mod fuzz_tests;
mod grounded;
mod handle;
mod library;
pub(crate) mod places;
mod quotations;
mod quote;
mod reply;
mod span;
#[cfg(test)]
mod testing;
mod turns;
mod value;
#[cfg(test)]
mod verified_tests;
mod words;
mod worker;

pub use crate::context::{Exclusion, Note, Skipped};
pub use event::{Cause, Citation, Documents, Ending, Estimated, Event, KeptState, Loading, Planned, Question, Verdict};
pub use handle::{Change, Handle, Request, Revision, Sink};
pub use library::alter;
pub use quote::{Prompt, QuoteModel};
pub use span::HOW_TO_ASK;
pub use turns::Past;
pub use worker::{EngineEvents, Setup, StartEngine, start};
