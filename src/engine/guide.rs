//! Holding a reply to a form while it is decoded.
//!
//! A guide names the ids that may come next, and the sampler chooses among them. Probability and entropy are still those
//! of the whole vocabulary: they say what the model thought, not what it was allowed.

use std::fmt;
use std::sync::Arc;

/// Which ids may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed<'a> {
    Any,
    /// Ascending; none ends the reply.
    Only(&'a [u32]),
}

/// Follows one reply.
pub trait Guide: Send {
    fn allowed(&mut self) -> Allowed<'_>;
    /// The id that came, chosen or forced.
    fn push(&mut self, id: u32);
    /// Adds to `ids` those that are bound to come next, one after the other, as far as it is known and `most` of them:
    /// each would be the only one allowed. A stop is not among them.
    fn bound(&self, ids: &mut Vec<u32>, most: usize) {
        let _ = (ids, most);
    }
}

/// Makes a guide for each reply.
#[derive(Clone)]
pub struct GuideMaker(Arc<dyn Fn() -> Box<dyn Guide> + Send + Sync>);

impl GuideMaker {
    pub fn new(make: impl Fn() -> Box<dyn Guide> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// A guide for one reply.
    #[must_use]
    pub fn make(&self) -> Box<dyn Guide> {
        (self.0)()
    }
}

impl PartialEq for GuideMaker {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for GuideMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuideMaker")
    }
}
