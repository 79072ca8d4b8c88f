//! One mutable sequence of tokens and its state.
//!
//! A caller names the whole sequence it wants; [`Timeline::sync`] keeps what is already there, or takes up from the disk what reaches
//! further. A lightning state cannot be cut back, so marks are kept at places worth returning to: ends of documents, and each
//! prompt before its reply.

use super::snapshot::Keeper;
use super::speculation::Speculation;
use super::state::{Mark, State};
use super::{Cut, Network, Prefill};
use crate::compute::{Backend, ComputeError, Interrupt};

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Marks kept beside the one of the last prefill; the oldest goes first.
const MARKS: usize = 6;
/// Fewest tokens by which the cost of others is told.
const MEASURED: usize = 256;
/// Shortest time over which a rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Places to remember on the way, ascending.
#[derive(Debug, Clone, Copy)]
pub(super) enum Marks<'a> {
    /// They and no others are places in the documents.
    Documents(&'a [usize]),
    /// Places in a prompt.
    Prompt(&'a [usize]),
}

impl Marks<'_> {
    /// Those beyond `here`, counted from there.
    fn after(self, here: usize) -> Vec<usize> {
        let (Self::Documents(marks) | Self::Prompt(marks)) = self;
        let ahead = marks.partition_point(|&mark| mark <= here);
        marks[ahead..].iter().map(|mark| mark - here).collect()
    }
}

pub(super) struct Timeline<B: Backend> {
    pub network: Network<B>,
    pub(super) state: State<B>,
    /// In the middle of a reply the state may be behind them.
    pub(super) tokens: Vec<u32>,
    /// Places in and the end of the last [`Command::Prefill`](super::Command::Prefill), ascending: documents, which every
    /// prompt begins with.
    pub(super) documents: Vec<Arc<Mark<B>>>,
    pub(super) marks: Vec<Arc<Mark<B>>>,
    /// The logits after the last token, if that was a step of a reply.
    pub(super) logits: Option<Vec<f32>>,
    pub(super) speculation: Speculation,
    cut: Cut,
    /// What is kept on the disk.
    pub(super) keeper: Option<Keeper>,
    /// Prefill when it was measured last, in tokens a second; 0 if it was not.
    pub(super) rate: f64,
}

/// Where tokens that are there came from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reused {
    /// All of them.
    pub tokens: usize,
    /// Those that were on the disk only.
    pub restored: usize,
}

impl<B: Backend> Timeline<B> {
    pub fn new(network: Network<B>, cut: Cut, keeper: Option<Keeper>) -> Result<Self, ComputeError> {
        Ok(Self {
            state: State::new(&network)?,
            network,
            tokens: Vec::new(),
            documents: Vec::new(),
            marks: Vec::new(),
            logits: None,
            speculation: Speculation::default(),
            cut,
            keeper,
            rate: 0.0,
        })
    }

    pub fn position(&self) -> usize {
        self.tokens.len()
    }

    /// Forgets everything.
    pub fn reset(&mut self) -> Result<(), ComputeError> {
        self.state = State::new(&self.network)?;
        self.tokens.clear();
        self.speculation = Speculation::default();
        self.marks.clear();
        self.documents.clear();
        self.logits = None;
        self.went_back(0);
        Ok(())
    }

    /// Makes the sequence equal to `wanted`, reporting progress; returns how many tokens were there already. When
    /// interrupted, the tiles done so far stay. Marks are kept where it is said.
    pub fn sync(
        &mut self,
        wanted: &[u32],
        marks: Marks<'_>,
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(Prefill),
    ) -> Result<Reused, ComputeError> {
        let mut reused = self.reuse(wanted, interrupt)?;
        let here = reused.tokens;
        let cached = here + self.network.begun(&self.state, &wanted[here..]);
        reused.tokens = cached;
        let started = Instant::now();
        self.logits = None;
        if let Marks::Documents(marks) = marks {
            self.documents
                .retain(|mark| marks.binary_search(&mark.position()).is_ok());
        }
        let mut report = Prefill {
            done: cached,
            total: wanted.len(),
            cached,
            rate: 0.0,
        };
        progress(report);
        let mut window = (Instant::now(), cached);
        while self.position() < wanted.len() {
            let here = self.position();
            let mut slab_progress = |tokens| {
                report.done = here + tokens;
                let elapsed = window.0.elapsed();
                if report.rate == 0.0 || elapsed >= RATE_WINDOW {
                    report.rate = (report.done - window.1) as f64 / elapsed.as_secs_f64().max(1e-9);
                    if elapsed >= RATE_WINDOW {
                        window = (Instant::now(), report.done);
                    }
                }
                progress(report);
            };
            let remembered = marks.after(here);
            let mut places = self.places_between(here, wanted.len(), self.network.lengths(self.cut).0);
            for place in &mut places {
                *place -= here;
            }
            places.extend_from_slice(&remembered);
            places.sort_unstable();
            places.dedup();
            let done = self.network.prefill(
                &mut self.state,
                &wanted[here..],
                self.cut,
                &places,
                interrupt,
                &mut slab_progress,
            )?;
            self.tokens.extend_from_slice(&wanted[here..here + done.tokens]);
            let computed = self.tokens.len().saturating_sub(cached);
            if computed >= MEASURED {
                self.rate = computed as f64 / started.elapsed().as_secs_f64().max(1e-9);
            }
            let passed: Vec<_> = done.marks.into_iter().map(Arc::new).collect();
            self.keep_on_disk(&passed)?;
            for mark in passed {
                match marks {
                    _ if remembered.binary_search(&(mark.position() - here)).is_err() => {}
                    Marks::Documents(_) => self.keep_documents(mark),
                    Marks::Prompt(_) => self.keep(mark),
                }
            }
        }
        Ok(reused)
    }

    /// Keeps the logits after the last token, for a reply that goes on.
    pub fn keep_logits(&mut self, logits: Vec<f32>) {
        self.logits = Some(logits);
    }

    /// The logits after `wanted`, if they were kept, in memory or on the disk; the sequence is then `wanted`. Of its tokens, how many were
    /// on the disk.
    pub fn take_logits(
        &mut self,
        wanted: &[u32],
        interrupt: &Interrupt,
    ) -> Result<Option<(Vec<f32>, usize)>, ComputeError> {
        match self.logits.take_if(|_| self.tokens == wanted) {
            Some(logits) => Ok(Some((logits, 0))),
            None => self.restore_logits(wanted, interrupt),
        }
    }

    /// How many of these tokens would be there without computing any.
    pub fn reach(&self, wanted: &[u32]) -> usize {
        let common = self.common(wanted);
        if common == self.tokens.len() {
            return common + self.network.begun(&self.state, &wanted[common..]);
        }
        let kept = self
            .all_marks()
            .map(|mark| mark.position())
            .filter(|&position| position <= common);
        kept.max().unwrap_or(0)
    }

    pub(super) fn common(&self, wanted: &[u32]) -> usize {
        self.tokens.iter().zip(wanted).take_while(|(a, b)| a == b).count()
    }

    /// Remembers this place as the end of documents.
    pub fn mark_documents(&mut self) -> Result<(), ComputeError> {
        let mark = Arc::new(self.state.mark(&self.network)?);
        self.keep_documents(mark.clone());
        self.keep_on_disk(&[mark])
    }

    fn keep_documents(&mut self, mark: Arc<Mark<B>>) {
        self.documents.retain(|kept| kept.position() < mark.position());
        self.documents.push(mark);
    }

    /// Remembers this place until newer ones crowd it out.
    pub fn mark(&mut self) -> Result<(), ComputeError> {
        let here = self.position();
        if self.all_marks().any(|m| m.position() == here) {
            return Ok(());
        }
        let mark = Arc::new(self.state.mark(&self.network)?);
        self.keep(mark.clone());
        self.keep_on_disk(&[mark])
    }

    fn keep(&mut self, mark: Arc<Mark<B>>) {
        if self.all_marks().any(|kept| kept.position() == mark.position()) {
            return;
        }
        if self.marks.len() == MARKS {
            self.marks.remove(0);
        }
        self.marks.push(mark);
    }

    fn all_marks(&self) -> impl Iterator<Item = &Arc<Mark<B>>> {
        self.documents.iter().chain(&self.marks)
    }

    /// Goes back to the latest place from which `wanted` can be reached by appending, or on to a state on the disk that is nearer.
    fn reuse(&mut self, wanted: &[u32], interrupt: &Interrupt) -> Result<Reused, ComputeError> {
        self.settle()?;
        let kept = self.reach(wanted);
        if let Some(tokens) = self.restore(wanted, kept, interrupt)? {
            return Ok(Reused {
                tokens,
                restored: tokens - kept,
            });
        }
        let common = self.common(wanted);
        let mut position = common;
        if common < self.tokens.len() {
            self.marks.retain(|m| m.position() <= common);
            self.documents.retain(|m| m.position() <= common);
            let best = self.documents.iter().chain(&self.marks).max_by_key(|m| m.position());
            position = if let Some(mark) = best {
                self.state.rewind(mark, &self.network)?;
                mark.position()
            } else {
                self.state = State::new(&self.network)?;
                0
            };
            self.forget(position);
            self.went_back(position);
        }
        Ok(Reused {
            tokens: position,
            restored: 0,
        })
    }
}
