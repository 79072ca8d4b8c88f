//! Handing work to an engine without knowing which: the conversation needs no more than this.

use super::{Command, RequestId};
use crate::compute::Interrupt;

/// A submitted command: the id its events carry and the flags that change its course.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub id: RequestId,
    /// Cancels it.
    pub interrupt: Interrupt,
    /// Ends the thinking of a reply, now or as soon as it begins: the closing tag is inserted and the answer follows.
    pub answer: Interrupt,
}

impl Ticket {
    #[must_use]
    pub fn new(id: RequestId) -> Self {
        Self {
            id,
            interrupt: Interrupt::new(),
            answer: Interrupt::new(),
        }
    }
}

/// Whatever takes commands and answers by events.
pub trait Submit: Send {
    /// Queues a command. Its events arrive at the callback the engine was started with.
    fn submit(&self, command: Command) -> Ticket;
}
