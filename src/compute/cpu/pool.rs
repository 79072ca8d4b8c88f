//! Threads that work on one thing together, and wait for each other without going to sleep in between.
//!
//! Decoding one token is about a hundred parallel steps of some ten microseconds each. Starting a step by waking threads
//! costs as much as the step: so the threads of a pool spin for a while after each step, and sleep only when
//! nothing comes. A step has numbered tasks that threads take one after the other; nothing is allocated, and no lock is waited for.

use std::any::Any;
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};

/// Looks for a new step before a thread goes to sleep: some 100 µs, more than lies between two steps of one token.
const SPINS: usize = 4_000;
/// Spins after which a thread offers its core to others each time: a loaded machine must not wait for a spinning thread.
const POLITE: usize = 1_000;
/// A thread takes what is left divided by the threads and this: large parts at first, single tasks at the end, so that all end
/// together.
const SHARES: usize = 2;

/// A fixed number of threads, the caller's among them.
pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

struct Worker {
    handle: Option<JoinHandle<()>>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    /// Counts steps; a change is the signal to begin.
    step: AtomicUsize,
    /// What to do in the step that runs. Written before `step` changes and read after; not written again before `running` is zero.
    job: UnsafeCell<Option<Job>>,
    /// Workers that have not finished the step.
    running: AtomicUsize,
    /// Workers that sleep or are about to.
    asleep: AtomicUsize,
    /// A step runs; a second caller waits its turn.
    turn: Mutex<()>,
    closing: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A step: a closure for each thread. The reference is valid until `running` is zero again.
#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(usize) + Sync));

// SAFETY: the closure behind the pointer is `Sync`, and `Pool::broadcast` keeps it alive until no thread uses it.
#[allow(unsafe_code)]
unsafe impl Send for Job {}

// SAFETY: everything but `job` is `Sync`; `job` is written by the one caller that has the turn while no worker reads it: they
// read between a change of `step` and their decrement of `running`, both of which order the accesses.
#[allow(unsafe_code)]
unsafe impl Sync for Shared {}

impl Pool {
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads)
            .map(|i| {
                let shared = Arc::clone(&shared);
                let handle = thread::Builder::new()
                    .name(format!("compute-{i}"))
                    .spawn(move || shared.work(i))?;
                Ok(Worker {
                    thread: handle.thread().clone(),
                    handle: Some(handle),
                })
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { shared, workers })
    }

    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `some(thread, range)` for consecutive ranges of the tasks `0..tasks`, on any of the threads, and returns when all are
    /// done. `thread` is below [`threads`](Self::threads); no two calls run on one thread at a time.
    ///
    /// # Panics
    /// If a call panics; the others are finished first.
    pub fn run(&self, tasks: usize, some: impl Fn(usize, Range<usize>) + Sync) {
        if tasks <= 1 || self.workers.is_empty() {
            some(0, 0..tasks);
            return;
        }
        // Neighbouring tasks read neighbouring memory, and taking one costs as much as a short task.
        let parts = self.threads() * SHARES;
        let next = AtomicUsize::new(0);
        self.broadcast(&|thread| {
            let take = |start: usize| (start < tasks).then(|| start + ((tasks - start) / parts).max(1));
            while let Ok(start) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
                some(thread, start..take(start).unwrap_or(tasks));
            }
        });
    }

    /// Runs `body` once on every thread.
    fn broadcast(&self, body: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        let turn = shared.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: only the lifetime is erased. This function does not return or unwind before `running` is zero, after
        // which no worker touches the job again.
        #[allow(unsafe_code, clippy::transmute_ptr_to_ptr)]
        let job =
            Job(unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(body) });
        // SAFETY: this caller has the turn and the last step is over, so no other thread looks at it.
        #[allow(unsafe_code)]
        unsafe {
            *shared.job.get() = Some(job);
        }
        shared.running.store(self.workers.len(), Ordering::Relaxed);
        // Sequentially consistent with the worker's announcement of its sleep: one of the two sees the other.
        shared.step.fetch_add(1, Ordering::SeqCst);
        if shared.asleep.load(Ordering::SeqCst) > 0 {
            for worker in &self.workers {
                worker.thread.unpark();
            }
        }
        let mine = catch_unwind(AssertUnwindSafe(|| body(0)));
        let mut spins = 0;
        while shared.running.load(Ordering::Acquire) > 0 {
            relax(&mut spins);
        }
        drop(turn);
        let theirs = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(payload) = mine.err().or(theirs) {
            resume_unwind(payload);
        }
    }
}

impl Shared {
    fn work(&self, thread: usize) {
        let mut seen = 0;
        loop {
            let mut spins = 0;
            while self.step.load(Ordering::Acquire) == seen {
                if self.closing.load(Ordering::Relaxed) {
                    return;
                }
                if spins < SPINS {
                    relax(&mut spins);
                    continue;
                }
                self.asleep.fetch_add(1, Ordering::SeqCst);
                if self.step.load(Ordering::SeqCst) == seen && !self.closing.load(Ordering::SeqCst) {
                    thread::park();
                }
                self.asleep.fetch_sub(1, Ordering::SeqCst);
            }
            seen = seen.wrapping_add(1);
            // SAFETY: it was written before the step began and is not written again before this thread's decrement of `running`.
            #[allow(unsafe_code)]
            let job = unsafe { *self.job.get() };
            if let Some(Job(body)) = job {
                // SAFETY: `broadcast` waits for that decrement before the closure ends.
                #[allow(unsafe_code)]
                let body = unsafe { &*body };
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body(thread))) {
                    *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
                }
            }
            self.running.fetch_sub(1, Ordering::Release);
        }
    }
}

/// Waits a moment.
fn relax(spins: &mut usize) {
    *spins += 1;
    if *spins < POLITE {
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        for worker in &mut self.workers {
            worker.thread.unpark();
            if let Some(handle) = worker.handle.take() {
                // A worker catches the panics of its tasks, so it ends in order.
                let _ = handle.join();
            }
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn every_task_runs_once_in_every_step() {
        let pool = Pool::new(4).unwrap();
        for tasks in (0..200).chain([1, 3, 4, 5]) {
            let sum = AtomicU64::new(0);
            let count = AtomicU64::new(0);
            pool.run(tasks, |_, range| {
                for i in range {
                    sum.fetch_add(i as u64, Ordering::Relaxed);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!(count.into_inner(), tasks as u64);
            assert_eq!(sum.into_inner(), (tasks * tasks.saturating_sub(1) / 2) as u64);
        }
    }

    #[test]
    fn a_panic_comes_to_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(3).unwrap();
        for bad in 0..20 {
            let ran = AtomicU64::new(0);
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                pool.run(20, |_, range| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    assert!(!range.contains(&bad), "task {bad}");
                });
            }));
            assert!(outcome.is_err());
        }
        let ran = AtomicU64::new(0);
        pool.run(20, |_, range| {
            ran.fetch_add(range.len() as u64, Ordering::Relaxed);
        });
        assert_eq!(ran.into_inner(), 20);
    }

    #[test]
    fn callers_take_turns() {
        let pool = Pool::new(2).unwrap();
        let total = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(7, |thread, range| {
                            assert!(thread < pool.threads());
                            total.fetch_add(range.sum::<usize>() as u64, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 3 * 200 * 21);
    }
}
