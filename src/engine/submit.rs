//! Handing work to an engine without knowing which: the conversation needs no more than this.

use super::{Command, RequestId};
use crate::compute::Interrupt;

/// A submitted command: the id its events carry and the flag that cancels it.
#[derive(Debug, Clone)]
pub struct Ticket {
    pub id: RequestId,
    pub interrupt: Interrupt,
}

/// Whatever takes commands and answers by events.
pub trait Submit: Send {
    /// Queues a command. Its events arrive at the callback the engine was started with.
    fn submit(&self, command: Command) -> Ticket;
}
