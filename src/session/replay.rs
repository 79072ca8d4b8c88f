//! A record in the place of a conversation: it plays its events and can answer nothing.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::conversation::{Event, Handle, Request, Sink};
use crate::engine::{Finished, StopReason};

const CANNOT_ANSWER: &str = "this is a recorded session, without a model behind it: nothing can be asked. \
                             `thunderhead PATH…` opens documents with a model";
const HAS_NO_DOCUMENTS: &str = "this is a recorded session, without its documents: they cannot be changed";

/// How fast a record is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed(f64);

impl Speed {
    pub const AS_RECORDED: Self = Self(1.0);

    /// `factor` times as fast as it was recorded; from a thousandth to a million.
    #[must_use]
    pub fn new(factor: f64) -> Option<Self> {
        (1e-3..=1e6).contains(&factor).then_some(Self(factor))
    }

    fn time(self, recorded: Duration) -> Duration {
        Duration::try_from_secs_f64(recorded.as_secs_f64() / self.0).unwrap_or(Duration::MAX)
    }
}

/// What ends a record that stops in the middle, so that nobody waits for the rest of it.
#[must_use]
pub fn conclusion(events: &[(Duration, Event)]) -> Option<Event> {
    let is_told = |event: &Event| {
        matches!(
            event,
            Event::Planned(_)
                | Event::PlanFailed { .. }
                | Event::Estimated(_)
                | Event::Refused { .. }
                | Event::Rewound { .. }
                | Event::Kept { .. }
        )
    };
    let last = events
        .iter()
        .rev()
        .map(|(_, event)| event)
        .find(|event| !is_told(event));
    match last {
        Some(Event::Finished(_) | Event::Failed { .. }) => None,
        Some(_) => Some(Event::Failed {
            message: "the record ends here, in the middle of what was going on".to_owned(),
        }),
        None => Some(Event::Failed {
            message: "there is nothing in this record".to_owned(),
        }),
    }
}

/// Plays `events` to `sink` and then refuses what is asked, until the last handle is dropped.
#[must_use]
pub fn replay(events: Vec<(Duration, Event)>, speed: Speed, mut sink: Sink) -> Handle {
    let (handle, requests) = channel();
    thread::spawn(move || {
        let mut asked = 0;
        if play(events, speed, &mut sink, &requests, &mut asked) == Played::HungUp {
            return;
        }
        for _ in 0..asked {
            refuse(&Request::Ask(String::new()), &mut sink);
        }
        for request in requests {
            refuse(&request, &mut sink);
        }
    });
    Handle::new(handle)
}

#[derive(PartialEq, Eq)]
enum Played {
    Done,
    HungUp,
}

/// Questions that come meanwhile are counted in `asked`, to be refused when the record is at its end.
fn play(
    events: Vec<(Duration, Event)>,
    speed: Speed,
    sink: &mut Sink,
    requests: &Receiver<Request>,
    asked: &mut usize,
) -> Played {
    let began = Instant::now();
    let first = events.first().map_or(Duration::ZERO, |(at, _)| *at);
    // Tokens of the prompt and of the reply, as far as they have come.
    let mut done = (0, 0);
    for (at, event) in events {
        let due = speed.time(at.saturating_sub(first));
        loop {
            let wait = due.saturating_sub(began.elapsed());
            let request = match requests.recv_timeout(wait) {
                Ok(request) => request,
                Err(RecvTimeoutError::Timeout) if began.elapsed() >= due => break,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Played::HungUp,
            };
            match request {
                Request::Cancel => {
                    sink(Event::Finished(stopped(done)));
                    return Played::Done;
                }
                Request::Ask(_) => *asked += 1,
                other => refuse(&other, sink),
            }
        }
        match &event {
            Event::Question(_) => done.1 = 0,
            Event::Prefill(prefill) => done.0 = prefill.done,
            Event::Token(token) => done.1 = token.index.saturating_add(1),
            _ => {}
        }
        sink(event);
    }
    Played::Done
}

fn stopped((prompt_tokens, decoded): (usize, usize)) -> Finished {
    Finished {
        reason: StopReason::Cancelled,
        prompt_tokens,
        thinking_tokens: decoded,
        ..Finished::default()
    }
}

/// Answers what a record cannot do.
fn refuse(request: &Request, sink: &mut Sink) {
    match request {
        Request::Ask(_) => sink(Event::Failed {
            message: CANNOT_ANSWER.to_owned(),
        }),
        Request::Plan(_) | Request::Apply(_) => sink(Event::PlanFailed {
            message: HAS_NO_DOCUMENTS.to_owned(),
        }),
        Request::Revise(_) | Request::Estimate(_) | Request::Continue | Request::Rewind(_) => sink(Event::Refused {
            message: CANNOT_ANSWER.to_owned(),
        }),
        Request::Cancel
        | Request::Hold(_)
        | Request::Discard(_)
        | Request::Answer
        | Request::Title(_)
        | Request::Tags(_) => {}
    }
}
