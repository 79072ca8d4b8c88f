//! What is kept, for a person to see, check and remove.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::budget::{self, Freed};
use super::files::{Disk, Files};
use super::shelf::FINISHED;
use super::volume::{self, Kind, Table, Unusable};

/// A folder of states.
pub struct Library {
    files: Box<dyn Files>,
    root: PathBuf,
}

/// What is kept of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub model: String,
    pub numerics: String,
    pub files: usize,
    pub bytes: u64,
    /// Places to go on from.
    pub places: usize,
    /// Tokens whose keys and values are kept.
    pub tokens: u64,
    /// Tokens up to the furthest place.
    pub longest: u64,
    pub used: SystemTime,
}

/// A file that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub path: PathBuf,
    pub what: String,
}

impl Library {
    #[must_use]
    pub fn open(root: &Path) -> Self {
        Self {
            files: Box::new(Disk),
            root: root.to_owned(),
        }
    }

    /// Bytes of everything that is kept.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        budget::used(&*self.files, &self.root)
    }

    /// What is kept of each model and each kind of numbers, what was used last first; and the files that cannot be read.
    #[must_use]
    pub fn list(&self) -> (Vec<Kept>, Vec<Damage>) {
        let mut models: BTreeMap<_, Kept> = BTreeMap::new();
        let mut damaged = Vec::new();
        for file in self.whole() {
            let table = match volume::read(&*self.files, &file.path, file.entry.bytes) {
                Ok(table) => table,
                Err(error) => {
                    damaged.extend(damage(&file.path, &error));
                    continue;
                }
            };
            let kept = models.entry(table.owner.model).or_insert_with(|| Kept {
                model: table.owner.name.clone(),
                numerics: table.owner.numerics.clone(),
                files: 0,
                bytes: 0,
                places: 0,
                tokens: 0,
                longest: 0,
                used: SystemTime::UNIX_EPOCH,
            });
            kept.files += 1;
            kept.bytes += file.entry.bytes;
            kept.used = kept.used.max(file.entry.used);
            for record in &table.records {
                match record.kind {
                    Kind::Block => kept.tokens += crate::compute::KV_BLOCK as u64,
                    Kind::Place => {
                        kept.places += 1;
                        kept.longest = kept.longest.max(record.position);
                    }
                    Kind::Logits => {}
                }
            }
        }
        let mut models: Vec<_> = models.into_values().collect();
        models.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.model.cmp(&b.model)));
        (models, damaged)
    }

    /// Reads everything that is kept and compares it with its sums; `progress` hears of the bytes of each file. Gives the number of files
    /// that are as they were written, and those that are not.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> (usize, Vec<Damage>) {
        let mut right = 0;
        let mut damaged = Vec::new();
        for file in self.whole() {
            match self.check(&file.path, file.entry.bytes) {
                Ok(()) => right += 1,
                Err(error) => damaged.extend(damage(&file.path, &error)),
            }
            progress(file.entry.bytes);
        }
        (right, damaged)
    }

    fn check(&self, path: &Path, bytes: u64) -> Result<(), Unusable> {
        let Table { records, .. } = volume::read(&*self.files, path, bytes)?;
        for record in &records {
            volume::content(&*self.files, path, record)?;
        }
        Ok(())
    }

    /// Removes what was used longest ago until at most `budget` bytes are left.
    pub fn prune(&self, budget: u64) -> Freed {
        budget::evict(&*self.files, &self.root, budget)
    }

    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, damage: &Damage) -> io::Result<()> {
        self.files.remove(&damage.path)
    }

    fn whole(&self) -> impl Iterator<Item = budget::Kept> {
        let all = budget::all(&*self.files, &self.root).into_iter();
        all.filter(|kept| kept.entry.name.ends_with(FINISHED))
    }
}

/// A file that has gone meanwhile is not damaged.
fn damage(path: &Path, error: &Unusable) -> Option<Damage> {
    if matches!(error, Unusable::Io(error) if error.kind() == io::ErrorKind::NotFound) {
        return None;
    }
    Some(Damage {
        path: path.to_owned(),
        what: error.to_string(),
    })
}
