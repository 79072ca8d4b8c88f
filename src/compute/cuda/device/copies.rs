//! Copies to the card beside what it computes.
//!
//! A second stream is fed by a thread of its own: it reads what is to be copied, from the disk if it must, into memory that the
//! driver has pinned, so that neither who computes nor the card waits for it. A copy begins after what had been asked of the card when
//! it was sent, and what reads it says so ([`Copies::arrive`]); beyond that the streams know nothing of each other.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use cudarc::driver::sys;

use super::event::Event;
use super::library::check;
use super::lock;
use crate::compute::cuda::driver::{Address, Sent, Source};
use crate::compute::{ComputeError, Interrupt};

/// Bytes of a piece of pinned memory, and how many there are: one is filled while the card reads another.
const PIECE: usize = 8 << 20;
const PIECES: usize = 3;
/// How often a wait looks whether it has been cancelled.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Copies {
    jobs: Option<Sender<Job>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    last: u64,
    arrived: u64,
}

#[derive(Debug)]
struct Job {
    number: u64,
    /// What comes before it on the stream that computes.
    after: Event,
    parts: Vec<(Address, Source)>,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    /// What has been handed to the card, with the event after it, in order.
    done: VecDeque<(u64, Event)>,
    spare: Vec<Event>,
    failed: Option<String>,
}

impl Copies {
    /// Starts the thread. The context is current on the one that calls.
    pub fn start(context: sys::CUcontext) -> Result<Self, ComputeError> {
        let stage = Stage::new(context)?;
        let shared = Arc::<Shared>::default();
        let (jobs, queue) = channel();
        let progress = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("copies".to_owned())
            .spawn(move || stage.run(&queue, &progress))
            .map_err(|error| ComputeError::Backend(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            jobs: Some(jobs),
            shared,
            thread: Some(thread),
            last: 0,
            arrived: 0,
        })
    }

    /// Begins to copy, after all that `stream` has been asked for so far.
    pub fn send(&mut self, parts: Vec<(Address, Source)>, stream: sys::CUstream) -> Result<Sent, ComputeError> {
        let spare = lock(&self.shared.progress).spare.pop();
        let after = spare.map_or_else(Event::new, Ok)?;
        after.record(stream)?;
        self.last += 1;
        let job = Job {
            number: self.last,
            after,
            parts,
        };
        match self.jobs.as_ref().map(|jobs| jobs.send(job)) {
            Some(Ok(())) => Ok(Sent(self.last)),
            _ => Err(ComputeError::Backend("nothing copies to the card any more".to_owned())),
        }
    }

    /// Whether the copies up to `sent` have been made; if so, what `stream` is asked for from here on lies behind them.
    pub fn has_arrived(&mut self, sent: Sent, stream: sys::CUstream) -> Result<bool, ComputeError> {
        if sent.0 <= self.arrived {
            return Ok(true);
        }
        let progress = lock(&self.shared.progress);
        if let Some(why) = &progress.failed {
            return Err(ComputeError::Backend(why.clone()));
        }
        let event = progress.done.iter().find(|(number, _)| *number == sent.0);
        if !event.map_or(Ok(false), |(_, event)| event.has_passed())? {
            return Ok(false);
        }
        drop(progress);
        self.arrive(sent, stream, &Interrupt::new())?;
        Ok(true)
    }

    /// Puts what `stream` is asked for from here on behind the copies up to `sent`.
    pub fn arrive(&mut self, sent: Sent, stream: sys::CUstream, interrupt: &Interrupt) -> Result<(), ComputeError> {
        if sent.0 <= self.arrived {
            return Ok(());
        }
        let mut progress = lock(&self.shared.progress);
        loop {
            if let Some(why) = &progress.failed {
                return Err(ComputeError::Backend(why.clone()));
            }
            if progress.done.back().is_some_and(|(number, _)| *number >= sent.0) {
                break;
            }
            interrupt.check()?;
            let waited = self.shared.changed.wait_timeout(progress, LOOK);
            progress = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
        while let Some((number, event)) = progress.done.pop_front() {
            // Copies are made in order: the last that is needed is enough.
            if number == sent.0 {
                event.hold(stream)?;
            }
            progress.spare.push(event);
            if number == sent.0 {
                break;
            }
        }
        self.arrived = sent.0;
        Ok(())
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Stage {
    context: sys::CUcontext,
    stream: sys::CUstream,
    pieces: Vec<Piece>,
}

/// Pinned memory, and the place on the stream after which it can be written again.
struct Piece {
    memory: *mut c_void,
    free: Event,
}

// SAFETY: handles of the driver, and memory that belongs to this alone; the context is made current on the thread that uses them.
#[allow(unsafe_code)]
unsafe impl Send for Stage {}

impl Stage {
    fn new(context: sys::CUcontext) -> Result<Self, ComputeError> {
        let mut stage = Self {
            context,
            stream: null_mut(),
            pieces: Vec::with_capacity(PIECES),
        };
        let flags = sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: handles are written to places of their types; what was made is given back when `stage` is dropped.
        #[allow(unsafe_code)]
        unsafe {
            check(sys::cuStreamCreate(&raw mut stage.stream, flags), "making a stream")?;
            for _ in 0..PIECES {
                let free = Event::new()?;
                let mut memory = null_mut();
                check(sys::cuMemHostAlloc(&raw mut memory, PIECE, 0), "pinning memory")?;
                stage.pieces.push(Piece { memory, free });
            }
        }
        Ok(stage)
    }

    fn run(mut self, queue: &Receiver<Job>, shared: &Shared) {
        // SAFETY: the context lives as long as the device, which joins this thread.
        #[allow(unsafe_code)]
        let entered = unsafe { check(sys::cuCtxSetCurrent(self.context), "entering the card's context") };
        let mut failed = entered.err();
        for job in queue {
            let number = job.number;
            let copied = match failed.take() {
                Some(error) => Err(error),
                None => self.copy(job),
            };
            let mut progress = lock(&shared.progress);
            match copied {
                Ok((event, spare)) => {
                    progress.done.push_back((number, event));
                    progress.spare.push(spare);
                }
                Err(error) => {
                    progress.failed.get_or_insert(error.to_string());
                    failed = Some(error);
                }
            }
            drop(progress);
            shared.changed.notify_all();
        }
    }

    /// Hands a job to the stream. Returns the event after it, and the one before it, which can be used again.
    fn copy(&mut self, job: Job) -> Result<(Event, Event), ComputeError> {
        job.after.hold(self.stream)?;
        for (to, source) in &job.parts {
            let mut to = *to;
            for bytes in source.bytes().chunks(PIECE) {
                self.pieces.rotate_left(1);
                let Piece { memory, free } = &self.pieces[0];
                free.wait()?;
                // SAFETY: the piece is as long as the longest chunk and nothing reads it once its event has passed; the place on the
                // card is of a buffer that lives until the copy has arrived.
                #[allow(unsafe_code)]
                unsafe {
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory.cast(), bytes.len());
                    check(
                        sys::cuMemcpyHtoDAsync_v2(to, *memory, bytes.len(), self.stream),
                        "copying to the card",
                    )?;
                }
                free.record(self.stream)?;
                to += bytes.len() as u64;
            }
        }
        let event = Event::new()?;
        event.record(self.stream)?;
        Ok((event, job.after))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // SAFETY: everything was made by `new`, and what the stream has been asked for is waited for before it goes.
        #[allow(unsafe_code)]
        unsafe {
            if !self.stream.is_null() {
                let _ = sys::cuCtxSetCurrent(self.context);
                let _ = sys::cuStreamSynchronize(self.stream);
                let _ = sys::cuStreamDestroy_v2(self.stream);
            }
            for piece in &self.pieces {
                let _ = sys::cuMemFreeHost(piece.memory);
            }
        }
    }
}
