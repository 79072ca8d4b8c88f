//! The engine's thread: commands in, events out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::generate::{Generation, Start, Vocabulary};
use super::snapshot::{Keeper, OnDisk};
use super::timeline::{Marks, Timeline};
use super::{
    Command, Cut, Estimate, Event, EventKind, Finished, GenerateOptions, Identity, Network, Reach, RequestId,
    Snapshots, StopReason, Submit, Ticket,
};
use crate::compute::{Backend, ComputeError, Interrupt};

/// Where events go; called on the engine's thread.
pub type EventSink = Box<dyn FnMut(Event) + Send>;

/// What the engine needs to know beside the network.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// How a prompt is cut for prefill.
    pub cut: Cut,
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
    disk: Option<OnDisk>,
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
        Self::start_with(network, vocabulary, options, None, events)
    }

    /// The same with states kept on the disk, for the checkpoint that the network is of.
    ///
    /// # Errors
    /// If the state cannot be made or the thread cannot be started.
    pub fn start_with<B: Backend>(
        network: Network<B>,
        vocabulary: Vocabulary,
        options: &EngineOptions,
        snapshots: Option<(Arc<Snapshots>, Identity)>,
        events: EventSink,
    ) -> Result<Self, ComputeError> {
        let (commands, inbox) = channel();
        let keeper = snapshots.and_then(|(snapshots, identity)| Keeper::new(snapshots, &identity, &network));
        let disk = keeper.as_ref().map(Keeper::on_disk);
        let worker = Worker {
            timeline: Timeline::new(network, options.cut, keeper)?,
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
            disk,
        })
    }
}

impl Submit for Engine {
    fn submit(&self, command: Command) -> Ticket {
        let ticket = Ticket::new(RequestId(self.next_id.fetch_add(1, Ordering::Relaxed)));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(Interrupt::is_shared);
        open.push(ticket.interrupt.clone());
        // The thread ends only after this handle is dropped, so the channel is open.
        let _ = self.commands.send((ticket.clone(), command));
        ticket
    }

    fn on_disk(&self, tokens: &[u32]) -> Option<Reach> {
        self.disk.as_ref()?.reach(tokens, 0, 0)
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
                Ok(Ok(kind)) => kind,
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

    fn execute(&mut self, ticket: &Ticket, command: &Command) -> Result<EventKind, EngineError> {
        match command {
            Command::Prefill { tokens, marks } => self.prefill(ticket, tokens, marks).map(EventKind::Finished),
            Command::Generate { prompt, marks, options } => {
                self.generate(ticket, prompt, marks, options).map(EventKind::Finished)
            }
            Command::Estimate { prompt } => Ok(EventKind::Estimated(self.estimate(prompt))),
        }
    }

    fn estimate(&self, prompt: &[u32]) -> Estimate {
        let before = &prompt[..prompt.len().saturating_sub(1)];
        let reach = self.timeline.reach(before);
        let kept = self.timeline.kept_on_disk(before, reach).unwrap_or(Reach {
            tokens: reach,
            rate: 0.0,
        });
        let rate = if self.timeline.rate > 0.0 {
            self.timeline.rate
        } else {
            kept.rate
        };
        let kept = kept.tokens;
        let seconds = (prompt.len() - kept) as f64 / rate;
        Estimate {
            tokens: prompt.len(),
            kept,
            ms: (rate > 0.0).then_some((seconds * 1e3) as u64),
        }
    }

    fn prefill(&mut self, ticket: &Ticket, tokens: &[u32], marks: &[usize]) -> Result<Finished, EngineError> {
        self.check_length(tokens)?;
        let finished = self.sync(ticket, tokens, Marks::Documents(marks))?;
        if finished.reason == StopReason::Prefilled {
            self.timeline.mark_documents()?;
        }
        Ok(finished)
    }

    fn generate(
        &mut self,
        ticket: &Ticket,
        prompt: &[u32],
        marks: &[usize],
        options: &GenerateOptions,
    ) -> Result<Finished, EngineError> {
        self.check_length(prompt)?;
        // A reply needs the logits of the prompt's last token, which is therefore always evaluated: unless it was the last
        // one of a reply that goes on.
        let (last, before) = prompt.split_last().ok_or(EngineError::EmptyPrompt)?;
        let resumed = options.resumed.min(prompt.len());
        let (mut finished, start) = match self.timeline.take_logits(prompt, &ticket.interrupt) {
            Err(ComputeError::Interrupted(_)) => {
                return Ok(Finished {
                    reason: StopReason::Cancelled,
                    ..nothing_done(prompt)
                });
            }
            Err(error) => return Err(error.into()),
            Ok(Some((logits, restored))) => {
                let all_there = Finished {
                    cached_tokens: prompt.len(),
                    restored_tokens: restored,
                    ..nothing_done(prompt)
                };
                (all_there, Start::Logits(logits))
            }
            Ok(None) => (self.sync(ticket, before, Marks::Prompt(marks))?, Start::Append(*last)),
        };
        finished.prompt_tokens = prompt.len() - resumed;
        finished.cached_tokens = finished.cached_tokens.min(finished.prompt_tokens);
        finished.restored_tokens = finished.restored_tokens.min(finished.cached_tokens);
        if finished.reason == StopReason::Cancelled {
            return Ok(finished);
        }
        // A reply that goes on is begun anew from where it began; and one place for each prompt is enough.
        if resumed == 0 && marks.is_empty() {
            self.timeline.mark()?;
        }
        let finished = Generation {
            timeline: &mut self.timeline,
            vocabulary: &self.vocabulary,
            options,
            context_limit: self.context_limit,
            ticket,
            events: &mut self.events,
        }
        .run(start, &prompt[prompt.len() - resumed..], finished)?;
        self.timeline.keep_here_on_disk()?;
        Ok(finished)
    }

    fn check_length(&self, tokens: &[u32]) -> Result<(), EngineError> {
        if tokens.len() > self.context_limit {
            return Err(EngineError::TooLong {
                tokens: tokens.len(),
                limit: self.context_limit,
            });
        }
        Ok(())
    }

    /// Brings the state to `tokens`, and says how far it came.
    fn sync(&mut self, ticket: &Ticket, tokens: &[u32], marks: Marks<'_>) -> Result<Finished, EngineError> {
        let started = Instant::now();
        let events = &mut self.events;
        let mut progress = |prefill| {
            events(Event {
                request: ticket.id,
                kind: EventKind::Prefill(prefill),
            });
        };
        let synced = self.timeline.sync(tokens, marks, &ticket.interrupt, &mut progress);
        let mut finished = nothing_done(tokens);
        finished.prefill = started.elapsed();
        match synced {
            Ok(reused) => {
                finished.cached_tokens = reused.tokens;
                finished.restored_tokens = reused.restored;
            }
            Err(ComputeError::Interrupted(_)) => finished.reason = StopReason::Cancelled,
            Err(error) => return Err(error.into()),
        }
        Ok(finished)
    }
}

/// The account of a request before anything is done for it.
fn nothing_done(tokens: &[u32]) -> Finished {
    Finished {
        reason: StopReason::Prefilled,
        prompt_tokens: tokens.len(),
        ..Finished::default()
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
