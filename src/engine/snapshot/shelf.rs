//! What was kept of one model: an index over the files in its folder.
//!
//! Files come and go by other hands, so the folder is listed again before it is relied on, and a file that cannot be read or is not
//! what was written is as if it had never been.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::files::{Files, Mapped};
use super::key::{Chain, Key};
use super::volume::{self, Kind, Owner, Record, Table, Unusable};
use crate::compute::KV_BLOCK;

/// How the names of whole files end.
pub(super) const FINISHED: &str = ".snap";

pub(super) struct Shelf {
    files: Arc<dyn Files>,
    folder: PathBuf,
    pub owner: Owner,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    volumes: HashMap<String, Arc<Volume>>,
    /// Files that are not to be looked at again.
    refused: HashSet<String>,
    spots: HashMap<Key, Spot>,
    /// Positions of places, and how many there are of each.
    places: BTreeMap<u64, usize>,
}

#[derive(Debug)]
struct Volume {
    name: String,
    table: Table,
}

/// Where a record is.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    volume: Arc<Volume>,
    record: usize,
}

impl Spot {
    fn record(&self) -> &Record {
        &self.volume.table.records[self.record]
    }

    /// Tokens a second when it was written; 0 if that was not known.
    pub fn rate(&self) -> f64 {
        self.volume.table.rate
    }
}

/// A state that was kept, of a prefix of what was looked for.
#[derive(Debug)]
pub(super) struct Found {
    pub position: usize,
    pub place: Spot,
    /// The blocks that are not held already, ascending.
    pub blocks: Vec<Spot>,
}

impl Shelf {
    pub fn new(files: Arc<dyn Files>, root: &Path, owner: Owner) -> Self {
        Self {
            files,
            folder: root.join(&owner.model.hex()[..32]),
            owner,
            index: Mutex::default(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what has come into the folder, and forgets what has gone.
    pub fn refresh(&self) {
        let Ok(entries) = self.files.list(&self.folder) else {
            return;
        };
        let entries: HashMap<_, _> = entries
            .into_iter()
            .filter(|entry| entry.name.ends_with(FINISHED))
            .map(|entry| (entry.name, entry.bytes))
            .collect();
        let mut index = self.index();
        let before = index.volumes.len();
        index.volumes.retain(|name, _| entries.contains_key(name));
        let mut changed = index.volumes.len() != before;
        for (name, bytes) in entries {
            if index.volumes.contains_key(&name) || index.refused.contains(&name) {
                continue;
            }
            match volume::read(&*self.files, &self.folder.join(&name), bytes) {
                Ok(table) if table.owner.model == self.owner.model => {
                    index.volumes.insert(name.clone(), Arc::new(Volume { name, table }));
                    changed = true;
                }
                // It may be readable the next time.
                Err(Unusable::Io(_)) => {}
                Ok(_) | Err(Unusable::Damaged(_)) => {
                    index.refused.insert(name);
                }
            }
        }
        if changed {
            index.rebuild();
        }
    }

    pub fn has(&self, key: &Key) -> bool {
        self.index().spots.contains_key(key)
    }

    /// The longest prefix of the chain's first `most` tokens that was kept and is longer than `least`, if its first `held` blocks of keys
    /// and values need not be read.
    pub fn find(&self, chain: &Chain<'_>, most: usize, held: usize, least: usize) -> Option<Found> {
        let index = self.index();
        let mut blocks = Vec::new();
        for block in held..chain.blocks() {
            match index.spots.get(&chain.block(block)) {
                Some(spot) => blocks.push(spot.clone()),
                None => break,
            }
        }
        let reach = (held + blocks.len() + 1) * KV_BLOCK - 1;
        let most = most.min(reach);
        if most <= least {
            return None;
        }
        let positions = index.places.range(least as u64 + 1..=most as u64).rev();
        let found = positions.map(|(position, _)| *position as usize).find_map(|position| {
            let place = index.spots.get(&chain.place(position))?;
            Some((position, place.clone()))
        });
        let (position, place) = found?;
        blocks.truncate((position / KV_BLOCK).saturating_sub(held));
        Some(Found {
            position,
            place,
            blocks,
        })
    }

    /// Where something lies.
    pub fn spot(&self, key: &Key) -> Option<Spot> {
        self.index().spots.get(key).cloned()
    }

    /// The content of a record. A file that does not give it is forgotten, and removed if it is damaged.
    pub fn read(&self, spot: &Spot) -> Result<Mapped, Unusable> {
        let name = &spot.volume.name;
        let path = self.folder.join(name);
        let content = volume::content(&*self.files, &path, spot.record());
        if let Err(error) = &content {
            if matches!(error, Unusable::Damaged(_)) {
                let _ = self.files.remove(&path);
            }
            let mut index = self.index();
            index.refused.insert(name.clone());
            index.volumes.remove(name);
            index.rebuild();
        }
        content
    }

    /// Takes in a file that has just been written.
    pub fn add(&self, name: String, table: Table) {
        let mut index = self.index();
        index.refused.remove(&name);
        index.volumes.insert(name.clone(), Arc::new(Volume { name, table }));
        index.rebuild();
    }

    /// Says that these records were used: their files are then all of one age, and what depends on others is not older than they are.
    pub fn touch<'k>(&self, keys: impl Iterator<Item = &'k Key>) {
        let names: HashSet<String> = {
            let index = self.index();
            let spots = keys.filter_map(|key| index.spots.get(key));
            spots.map(|spot| spot.volume.name.clone()).collect()
        };
        let now = SystemTime::now();
        for name in names {
            let _ = self.files.touch(&self.folder.join(name), now);
        }
    }
}

impl Index {
    fn rebuild(&mut self) {
        self.spots.clear();
        self.places.clear();
        for volume in self.volumes.values() {
            for (index, record) in volume.table.records.iter().enumerate() {
                let spot = Spot {
                    volume: volume.clone(),
                    record: index,
                };
                let other = self.spots.insert(record.key, spot);
                if record.kind == Kind::Place && other.is_none() {
                    *self.places.entry(record.position).or_default() += 1;
                }
            }
        }
    }
}
