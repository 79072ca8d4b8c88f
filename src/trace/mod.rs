//! Reasoning text: where it begins and ends, how it is structured, where it turns, and how sure its tokens are.
//!
//! This room depends on nothing: the engine uses it to tell thinking from answer while it decodes.

mod align;
mod columns;
mod line;
mod phrases;
mod reasoning;
mod scan;
mod think;
mod turning;

pub use align::{Pair, align};
pub use reasoning::{Bucket, CERTAIN, Mean, Piece, Segment, Statistics, Trace};
pub use scan::SegmentKind;
pub use think::{CLOSE_TAG, Channel, OPEN_TAG, Span, ThinkSplitter};
pub use turning::{Change as TurningChange, Turning};
