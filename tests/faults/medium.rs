//! A file that fails as it is told to.

use std::io;
use std::sync::{Arc, Mutex};

use thunderhead::session::store::journal::{Medium, Syncer};

/// How it fails. Attempts to write are counted from 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The process dies in this attempt: from then on nothing happens any more.
    pub die_at: Option<u64>,
    /// There is no room from this attempt on, for so many.
    pub full_at: Option<(u64, u64)>,
    /// That there is no room is told by this sync, and what was written since the one before is lost.
    pub full_sync: Option<u64>,
    /// From this attempt on nothing can be written any more.
    pub broken_at: Option<u64>,
    /// Writes take only a part of what they are given.
    pub short: bool,
    /// So many bytes of the write that fails arrive all the same.
    pub part: usize,
    /// It cannot be made shorter.
    pub uncut: bool,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    attempts: u64,
    syncs: u64,
    length: u64,
    synced: u64,
    dead: bool,
}

/// What is known of it from outside.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub fn new(faults: Faults) -> Self {
        Self(Arc::new(Mutex::new(State {
            faults,
            ..State::default()
        })))
    }

    pub fn medium(&self, inner: Box<dyn Medium>) -> Box<dyn Medium> {
        Box::new(Failing {
            inner,
            shared: self.clone(),
        })
    }

    pub fn is_dead(&self) -> bool {
        self.0.lock().unwrap().dead
    }

    pub fn attempts(&self) -> u64 {
        self.0.lock().unwrap().attempts
    }

    /// So many bytes of what went through it are safe.
    pub fn synced(&self) -> u64 {
        self.0.lock().unwrap().synced
    }
}

struct Failing {
    inner: Box<dyn Medium>,
    shared: Shared,
}

impl Failing {
    /// A part of a write that fails.
    fn part(&mut self, state: &mut State, bytes: &[u8]) {
        let part = state.faults.part.min(bytes.len().saturating_sub(1));
        if part > 0 {
            state.length += self.inner.append(&bytes[..part]).unwrap() as u64;
        }
    }
}

impl Medium for Failing {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shared = self.shared.clone();
        let mut state = shared.0.lock().unwrap();
        let attempt = state.attempts;
        state.attempts += 1;
        let faults = state.faults;
        if state.dead {
            return Err(io::Error::other("dead"));
        }
        if faults.die_at == Some(attempt) {
            self.part(&mut state, bytes);
            state.dead = true;
            return Err(io::Error::other("dead"));
        }
        if faults.broken_at.is_some_and(|at| attempt >= at) {
            self.part(&mut state, bytes);
            return Err(io::Error::other("broken"));
        }
        if faults
            .full_at
            .is_some_and(|(from, count)| (from..from + count).contains(&attempt))
        {
            self.part(&mut state, bytes);
            return Err(io::ErrorKind::StorageFull.into());
        }
        let most = if faults.short {
            bytes.len().div_ceil(3)
        } else {
            bytes.len()
        };
        let written = self.inner.append(&bytes[..most])?;
        state.length += written as u64;
        Ok(written)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let shared = self.shared.clone();
        let state = shared.0.lock().unwrap();
        if state.dead || state.faults.uncut {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.inner.truncate(length)
    }

    fn syncer(&self) -> Syncer {
        let mut inner = self.inner.syncer();
        let shared = self.shared.clone();
        Box::new(move || {
            let length = {
                let mut state = shared.0.lock().unwrap();
                let sync = state.syncs;
                state.syncs += 1;
                if state.dead {
                    return Err(io::Error::other("dead"));
                }
                // Where nothing can be taken back, a write is not told of late.
                if state.faults.full_sync == Some(sync) && !state.faults.uncut {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                state.length
            };
            inner()?;
            let mut state = shared.0.lock().unwrap();
            if !state.dead {
                state.synced = state.synced.max(length);
            }
            Ok(())
        })
    }
}
