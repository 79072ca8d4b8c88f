//! Handing work to an engine without knowing which: the conversation needs no more than this.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    /// Holds back its reply.
    pub gate: Gate,
}

impl Ticket {
    #[must_use]
    pub fn new(id: RequestId) -> Self {
        Self {
            id,
            interrupt: Interrupt::new(),
            answer: Interrupt::new(),
            gate: Gate::default(),
        }
    }
}

/// As long as it is closed, no further token of a reply is decoded; what comes after it is what would have come without it.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn set_closed(&self, closed: bool) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = closed;
        self.0.1.notify_all();
    }

    /// Waits until it is open, or nobody wants the reply any more; how long that took.
    pub(super) fn wait(&self, interrupt: &Interrupt) -> Duration {
        let mut closed = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !*closed {
            return Duration::ZERO;
        }
        let began = Instant::now();
        while *closed && !interrupt.is_raised() {
            let woken = self.0.1.wait_timeout(closed, HEARD_WITHIN);
            closed = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        began.elapsed()
    }
}

/// A cancel is heard after this time at most.
const HEARD_WITHIN: Duration = Duration::from_millis(20);

/// Whatever takes commands and answers by events.
pub trait Submit: Send {
    /// Queues a command. Its events arrive at the callback the engine was started with.
    fn submit(&self, command: Command) -> Ticket;

    /// What the states on the disk have read of these tokens, if there is such a state; also while something else runs.
    fn on_disk(&self, tokens: &[u32]) -> Option<Reach> {
        let _ = tokens;
        None
    }
}

/// How far a state reaches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    pub tokens: usize,
    /// Tokens a second of prefill when it was written; 0 if that was not known.
    pub rate: f64,
}
