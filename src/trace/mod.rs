//! Reasoning text: where it begins and ends, and where it turns.
//!
//! This room depends on nothing: the engine uses it to tell thinking from answer while it decodes.

mod think;
mod turning;

pub use think::{CLOSE_TAG, Channel, OPEN_TAG, Span, ThinkSplitter};
pub use turning::{Scan, turning_points};
