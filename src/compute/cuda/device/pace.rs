//! How far whoever asks may be ahead of the card.
//!
//! A tile of a prompt is asked for while the ones before it are computed, so that the card never waits to be asked. But what has been
//! asked for cannot be taken back: when a prompt is cancelled, no more than a few steps of it are still computed.

use std::collections::VecDeque;
use std::time::Duration;

use cudarc::driver::sys;

use super::event::Event;
use crate::compute::{ComputeError, Interrupt};

/// Steps that may be unfinished when another is asked for.
const AHEAD: usize = 3;
/// How often a wait looks whether a step is done, or the prompt cancelled: a part of any step.
const LOOK: Duration = Duration::from_micros(200);

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The ends of steps that may be unfinished, in order.
    ends: VecDeque<Event>,
    spare: Vec<Event>,
}

impl Pace {
    /// What the stream has been asked for so far ends a step.
    pub fn end(&mut self, stream: sys::CUstream) -> Result<(), ComputeError> {
        let event = self.spare.pop().map_or_else(Event::new, Ok)?;
        event.record(stream)?;
        self.ends.push_back(event);
        Ok(())
    }

    /// Waits until no more than [`AHEAD`] steps are unfinished.
    pub fn keep(&mut self, interrupt: &Interrupt) -> Result<(), ComputeError> {
        while self.ends.len() > AHEAD {
            if self.ends[0].has_passed()? {
                self.spare.extend(self.ends.pop_front());
            } else {
                interrupt.check()?;
                std::thread::sleep(LOOK);
            }
        }
        Ok(())
    }
}
