//! A driver that times what it is asked to launch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::work::{Seen, Work};
use crate::compute::cuda::{Address, Driver, Launch, Sent, Source};
use crate::compute::{ComputeError, Interrupt};

/// Launches are repeated until they take about so long together, or are so many.
const LONG_ENOUGH: f64 = 0.02;
const MOST: usize = 256;

/// A launch that was timed.
#[derive(Debug, Clone)]
pub(super) struct Time {
    pub kernel: String,
    pub work: Work,
    pub seconds: f64,
    pub launches: usize,
}

/// A card behind a watch.
#[derive(Debug)]
pub(super) struct Timed<D> {
    shared: Arc<Shared<D>>,
}

#[derive(Debug)]
struct Shared<D> {
    card: D,
    watch: Mutex<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    is_on: bool,
    seen: Seen,
    /// By kernel and shape.
    times: BTreeMap<(String, String), Time>,
}

impl<D> Clone for Timed<D> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Kernels that can be launched again on what they have written: others count in place, or turn what they read.
fn can_repeat(kernel: &str) -> bool {
    ["rope", "count_slots", "scan_slots", "place_slots"]
        .iter()
        .all(|other| !kernel.starts_with(other))
}

impl<D: Driver> Timed<D> {
    pub fn new(card: D) -> Self {
        Self {
            shared: Arc::new(Shared {
                card,
                watch: Mutex::default(),
            }),
        }
    }

    fn watch(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Times what is launched from here on, or does not.
    pub fn switch(&self, is_on: bool) {
        self.watch().is_on = is_on;
    }

    /// What was timed, the longest of a kernel first.
    pub fn times(&self) -> Vec<Time> {
        std::mem::take(&mut self.watch().times).into_values().collect()
    }

    fn time(&self, launch: Launch<'_>, count: usize) -> Result<f64, ComputeError> {
        let card = &self.shared.card;
        card.synchronise()?;
        let start = Instant::now();
        for _ in 0..count {
            card.launch(launch)?;
        }
        card.synchronise()?;
        Ok(start.elapsed().as_secs_f64() / count as f64)
    }
}

impl<D: Driver> Driver for Timed<D> {
    fn allocate(&self, bytes: usize) -> Result<Address, ComputeError> {
        self.shared.card.allocate(bytes)
    }

    fn free(&self, address: Address) {
        self.shared.card.free(address);
    }

    fn write(&self, to: Address, bytes: &[u8]) -> Result<(), ComputeError> {
        self.shared.card.write(to, bytes)
    }

    fn read(&self, from: Address, bytes: &mut [u8]) -> Result<(), ComputeError> {
        self.shared.card.read(from, bytes)
    }

    fn copy(&self, from: Address, to: Address, bytes: usize) -> Result<(), ComputeError> {
        self.shared.card.copy(from, to, bytes)
    }

    fn clear(&self, address: Address, bytes: usize) -> Result<(), ComputeError> {
        self.shared.card.clear(address, bytes)
    }

    fn launch(&self, launch: Launch<'_>) -> Result<(), ComputeError> {
        let (is_on, work) = {
            let mut watch = self.watch();
            (watch.is_on, watch.seen.work(launch))
        };
        let Some(work) = work.filter(|_| is_on) else {
            return self.shared.card.launch(launch);
        };
        let mut count = 1;
        let mut seconds = self.time(launch, 1)?;
        if can_repeat(launch.kernel) {
            // The first is slower: the kernel is looked up, weights come from afar.
            while count < MOST && seconds * (count as f64) < LONG_ENOUGH / 4.0 {
                count = (count * 4).min(MOST);
                seconds = self.time(launch, count)?;
            }
        }
        let time = Time {
            kernel: launch.kernel.to_owned(),
            seconds,
            launches: count,
            work,
        };
        let key = (time.kernel.clone(), time.work.shape.clone());
        self.watch().times.insert(key, time);
        Ok(())
    }

    fn has_arrived(&self, sent: Sent) -> Result<bool, ComputeError> {
        self.shared.card.has_arrived(sent)
    }

    fn send(&self, parts: Vec<(Address, Source)>) -> Result<Sent, ComputeError> {
        self.shared.card.send(parts)
    }

    fn arrive(&self, sent: Sent, interrupt: &Interrupt) -> Result<(), ComputeError> {
        self.shared.card.arrive(sent, interrupt)
    }

    fn synchronise(&self) -> Result<(), ComputeError> {
        self.shared.card.synchronise()
    }

    fn multiprocessors(&self) -> usize {
        self.shared.card.multiprocessors()
    }
}
