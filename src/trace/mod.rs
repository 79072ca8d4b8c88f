//! Reasoning text: where it begins and ends, and later what it is made of.
//!
//! This room depends on nothing: the engine uses it to tell thinking from answer while it decodes.

mod think;

pub use think::{CLOSE_TAG, Channel, OPEN_TAG, Span, ThinkSplitter};
