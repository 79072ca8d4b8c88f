//! How much room there is, and what goes first when it is used up.
//!
//! What was used longest ago goes. Whatever is used is touched together with all that it builds on, so nothing is older than what
//! depends on it; of the same age, the later part of a sequence goes before the earlier.

use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::files::{Entry, Files, UNFINISHED};
use super::shelf::FINISHED;

/// An unfinished file of this age is left by a process that has ended, where locks do not say it.
const ABANDONED: Duration = Duration::from_hours(24);
/// It takes less than this from making a file to locking it.
const JUST_MADE: Duration = Duration::from_mins(1);

/// A file of kept state.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub path: PathBuf,
    pub entry: Entry,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    pub files: usize,
    pub bytes: u64,
}

/// All files, of all models.
pub(super) fn all(files: &dyn Files, root: &Path) -> Vec<Kept> {
    let mut kept = Vec::new();
    for folder in files.list(root).unwrap_or_default() {
        let folder = root.join(folder.name);
        for entry in files.list(&folder).unwrap_or_default() {
            let path = folder.join(&entry.name);
            kept.push(Kept { path, entry });
        }
    }
    kept
}

/// Bytes of all whole files.
pub(super) fn used(files: &dyn Files, root: &Path) -> u64 {
    let kept = all(files, root);
    let whole = kept.iter().filter(|kept| kept.entry.name.ends_with(FINISHED));
    whole.map(|kept| kept.entry.bytes).sum()
}

/// Removes what goes first until at most `budget` bytes are left, and what was never finished.
pub(super) fn evict(files: &dyn Files, root: &Path, budget: u64) -> Freed {
    let (mut whole, rest): (Vec<_>, Vec<_>) = all(files, root)
        .into_iter()
        .partition(|kept| kept.entry.name.ends_with(FINISHED));
    for part in rest.iter().filter(|kept| kept.entry.name.ends_with(UNFINISHED)) {
        remove_part(files, part);
    }
    // Names begin with the position.
    whole.sort_by(|a, b| {
        let key = |kept: &Kept| (kept.entry.used, Reverse(kept.entry.name.clone()));
        key(a).cmp(&key(b))
    });
    let mut left: u64 = whole.iter().map(|kept| kept.entry.bytes).sum();
    let mut freed = Freed::default();
    for kept in whole {
        if left <= budget {
            break;
        }
        match files.remove(&kept.path) {
            Ok(()) => {
                freed.files += 1;
                freed.bytes += kept.entry.bytes;
            }
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => continue,
        }
        left -= kept.entry.bytes;
    }
    freed
}

fn remove_part(files: &dyn Files, part: &Kept) {
    let age = SystemTime::now().duration_since(part.entry.used).unwrap_or_default();
    if age < JUST_MADE {
        return;
    }
    let removed = files.remove_abandoned(&part.path);
    if removed.is_err_and(|error| error.kind() == io::ErrorKind::Unsupported) && age > ABANDONED {
        let _ = files.remove(&part.path);
    }
}
