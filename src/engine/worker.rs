//! The engine's thread: commands in, events out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::generate::{Generation, Vocabulary};
use super::timeline::Timeline;
use super::{Command, Event, EventKind, Finished, Network, RequestId, StopReason, Submit, Ticket};
use crate::compute::{Backend, ComputeError, Interrupt};

/// Where events go; called on the engine's thread.
pub type EventSink = Box<dyn FnMut(Event) + Send>;

/// What the engine needs to know beside the network.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Tokens of a prefill tile.
    pub tile: usize,
    /// Longest sequence, prompt and reply together.
    pub context_limit: usize,
}

/// A handle to a model on a thread of its own. Dropping it cancels what runs and ends the thread.
#[derive(Debug)]
pub struct Engine {
    commands: Sender<(Ticket, Command)>,
    next_id: AtomicU64,
    /// Tickets that may still be running, to be cancelled when the engine is dropped.
    open: Mutex<Vec<Interrupt>>,
}

impl Engine {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the state cannot be made or the thread cannot be started.
    pub fn start<B: Backend>(
        network: Network<B>,
        vocabulary: Vocabulary,
        options: &EngineOptions,
        events: EventSink,
    ) -> Result<Self, ComputeError> {
        let (commands, inbox) = channel();
        let worker = Worker {
            timeline: Timeline::new(network, options.tile)?,
            vocabulary,
            context_limit: options.context_limit,
            events,
        };
        std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || worker.run(&inbox))
            .map_err(|e| ComputeError::Backend(format!("cannot start the engine's thread: {e}")))?;
        Ok(Self {
            commands,
            next_id: AtomicU64::new(0),
            open: Mutex::default(),
        })
    }
}

impl Submit for Engine {
    fn submit(&self, command: Command) -> Ticket {
        let ticket = Ticket {
            id: RequestId(self.next_id.fetch_add(1, Ordering::Relaxed)),
            interrupt: Interrupt::new(),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(Interrupt::is_shared);
        open.push(ticket.interrupt.clone());
        // The thread ends only after this handle is dropped, so the channel is open.
        let _ = self.commands.send((ticket.clone(), command));
        ticket
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for interrupt in self.open.get_mut().unwrap_or_else(PoisonError::into_inner) {
            interrupt.raise();
        }
    }
}

struct Worker<B: Backend> {
    timeline: Timeline<B>,
    vocabulary: Vocabulary,
    context_limit: usize,
    events: EventSink,
}

impl<B: Backend> Worker<B> {
    fn run(mut self, inbox: &Receiver<(Ticket, Command)>) {
        while let Ok((ticket, command)) = inbox.recv() {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.execute(&ticket, &command)));
            let kind = match outcome {
                Ok(Ok(finished)) => EventKind::Finished(finished),
                Ok(Err(error)) => EventKind::Failed(error.to_string()),
                Err(_) => {
                    // The state may be half written: nothing of it is trusted.
                    let _ = self.timeline.reset();
                    EventKind::Failed("internal error in the engine; the context will be prefilled again".to_owned())
                }
            };
            (self.events)(Event {
                request: ticket.id,
                kind,
            });
        }
    }

    fn execute(&mut self, ticket: &Ticket, command: &Command) -> Result<Finished, EngineError> {
        let started = Instant::now();
        let (prompt, options) = match command {
            Command::Prefill { tokens, .. } => (tokens, None),
            Command::Generate { prompt, options } => (prompt, Some(options)),
        };
        let marks = match command {
            Command::Prefill { marks, .. } => Some(&**marks),
            Command::Generate { .. } => None,
        };
        let mut finished = Finished {
            reason: StopReason::Prefilled,
            prompt_tokens: prompt.len(),
            cached_tokens: 0,
            thinking_tokens: 0,
            answer_tokens: 0,
            prefill: Duration::ZERO,
            decode: Duration::ZERO,
        };
        if prompt.len() > self.context_limit {
            return Err(EngineError::TooLong {
                tokens: prompt.len(),
                limit: self.context_limit,
            });
        }
        // A reply needs the logits of the prompt's last token, which is therefore always evaluated.
        let before_reply = match options {
            None => prompt.len(),
            Some(_) => prompt.len().checked_sub(1).ok_or(EngineError::EmptyPrompt)?,
        };
        let events = &mut self.events;
        let mut progress = |prefill| {
            events(Event {
                request: ticket.id,
                kind: EventKind::Prefill(prefill),
            });
        };
        let synced = self
            .timeline
            .sync(&prompt[..before_reply], marks, &ticket.interrupt, &mut progress);
        finished.prefill = started.elapsed();
        match synced {
            Ok(cached) => finished.cached_tokens = cached,
            Err(ComputeError::Interrupted(_)) => {
                finished.reason = StopReason::Cancelled;
                return Ok(finished);
            }
            Err(error) => return Err(error.into()),
        }
        let Some(options) = options else {
            self.timeline.mark_documents()?;
            return Ok(finished);
        };
        self.timeline.mark()?;
        Generation {
            timeline: &mut self.timeline,
            vocabulary: &self.vocabulary,
            options,
            context_limit: self.context_limit,
            ticket,
            events: &mut self.events,
        }
        .run(prompt[before_reply], finished)
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    #[error("the prompt has {tokens} tokens, but the context holds {limit}")]
    TooLong { tokens: usize, limit: usize },
    #[error("the prompt is empty")]
    EmptyPrompt,
    #[error(transparent)]
    Compute(#[from] ComputeError),
    #[error(transparent)]
    NotANumber(#[from] super::sampler::NotANumber),
}
