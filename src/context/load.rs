//! From a selection to a pack: discover, read and encode, put together.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::{collections::HashMap, num::NonZero};

use rayon::prelude::*;

use super::cache::Cache;
use super::codec::{self, Keys};
use super::discover::{self, Found, LeftOut, Source};
use super::layout::Body;
use super::left_out;
use super::read::{self, Refusal};
use super::selection::{Cut, Selection};
use super::{ContextError, Layout, Note, Pack, Skipped, TooLarge};
use crate::compute::{Interrupt, Interrupted};
use crate::model::Tokenizer;

/// How far loading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub files: usize,
    pub total_files: usize,
    pub tokens: usize,
}

/// Turns selections into packs.
#[derive(Clone, Copy)]
pub struct Loader<'a> {
    pub tokenizer: &'a Tokenizer,
    pub layout: &'a Layout,
    /// A pack has fewer tokens.
    pub limit: usize,
    pub cache: Option<&'a Cache>,
}

/// Reading goes on for so many times the limit, to be able to say what is too large.
const READ_BEYOND: usize = 4;

/// Why encoding the files ended early.
enum Stop {
    Interrupted,
    TooLarge,
}

impl From<Interrupted> for Stop {
    fn from(Interrupted: Interrupted) -> Self {
        Self::Interrupted
    }
}

/// A document with what is to be said about it.
struct Loaded {
    body: Body,
    note: Option<String>,
}

impl Loader<'_> {
    /// Loads a selection. `progress` is called from several threads.
    ///
    /// # Errors
    /// If a path is not there, nothing can be read, or all of it together does not fit; and when interrupted.
    pub fn load(
        &self,
        selection: &Selection,
        interrupt: &Interrupt,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pack, ContextError> {
        let found = discover::discover(selection, interrupt)?;
        let meter = Meter {
            files: AtomicUsize::new(0),
            tokens: AtomicUsize::new(0),
            total_files: found.sources.len(),
            progress,
        };
        meter.add(0, 0);
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let pack = pool.install(|| self.load_found(selection, found, &meter, interrupt));
        if let Some(cache) = self.cache {
            // A cache that cannot be written costs time, and nothing else.
            let _ = cache.save();
        }
        pack
    }

    fn load_found(
        &self,
        selection: &Selection,
        found: Found,
        meter: &Meter<'_>,
        interrupt: &Interrupt,
    ) -> Result<Pack, ContextError> {
        let keys = Keys::new(self.tokenizer, self.layout, selection.cut);
        let sizes = Mutex::new(Vec::new());
        let load_one = |source: &Source| {
            interrupt.check()?;
            if meter.tokens.load(Ordering::Relaxed) / READ_BEYOND > self.limit {
                return Err(Stop::TooLarge);
            }
            let outcome = self.load_one(source, selection.cut, &keys, interrupt, &|n| meter.add(0, n))?;
            if let Ok(loaded) = &outcome {
                let mut sizes = sizes.lock().unwrap_or_else(PoisonError::into_inner);
                sizes.push((source.name.clone(), codec::token_count(&loaded.body.encoded)));
            }
            meter.add(1, 0);
            Ok(outcome)
        };
        let loaded: Result<Vec<_>, Stop> = found.sources.par_iter().map(load_one).collect();
        let too_large = |tokens, sizes| {
            ContextError::TooLarge(TooLarge {
                tokens,
                limit: self.limit,
                files_read: meter.files.load(Ordering::Relaxed),
                total_files: meter.total_files,
                sizes,
            })
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(Stop::Interrupted) => return Err(Interrupted.into()),
            Err(Stop::TooLarge) => {
                let sizes = sizes.into_inner().unwrap_or_else(PoisonError::into_inner);
                return Err(too_large(meter.tokens.load(Ordering::Relaxed), sizes));
            }
        };
        drop(sizes);

        let mut bodies = Vec::with_capacity(loaded.len());
        let mut notes = Vec::new();
        let mut left_out = found.left_out;
        for (source, outcome) in found.sources.into_iter().zip(loaded) {
            match outcome {
                Ok(Loaded { body, note }) => {
                    let path = source.name;
                    notes.extend(note.map(|note| Note { path, note }));
                    bodies.push(body);
                }
                Err(refusal) => left_out.push(LeftOut {
                    skipped: Skipped::new(source.name, refusal.kind, refusal.reason),
                    path: source.path,
                }),
            }
        }
        if bodies.is_empty() && !selection.paths.is_empty() {
            let skipped = left_out.into_iter().map(|left_out| left_out.skipped).collect();
            return Err(ContextError::NothingReadable(skipped));
        }
        arrange(&mut bodies, &selection.keep);
        interrupt.check()?;
        let mut pack = self.layout.assemble(self.tokenizer, bodies);
        pack.notes = notes;
        if !pack.documents.is_empty() && pack.tokens.len() >= self.limit {
            let size = |d: &super::Document| (d.path.clone(), d.tokens.len());
            return Err(too_large(pack.tokens.len(), pack.documents.iter().map(size).collect()));
        }
        pack.skipped = self.account(left_out, selection, &pack, &keys, interrupt)?;
        meter.add(
            0,
            pack.tokens.len().saturating_sub(meter.tokens.load(Ordering::Relaxed)),
        );
        Ok(pack)
    }

    fn load_one(
        &self,
        source: &Source,
        cut: Cut,
        keys: &Keys,
        interrupt: &Interrupt,
        progress: &dyn Fn(usize),
    ) -> Result<Result<Loaded, Refusal>, Interrupted> {
        let text = match read::read(source, self.cache, interrupt) {
            Ok(text) => text,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut body = Body::new(source, text.text, text.sections, cut);
        body.encoded = self.encode(&body, keys, interrupt, progress)?;
        Ok(Ok(Loaded { body, note: text.note }))
    }

    /// The tokens of a document, from the cache if they are there.
    fn encode(
        &self,
        body: &Body,
        keys: &Keys,
        interrupt: &Interrupt,
        progress: &dyn Fn(usize),
    ) -> Result<Arc<[u8]>, Interrupted> {
        let key = self.cache.map(|cache| (cache, keys.of(body)));
        let kept = key.and_then(|(cache, key)| cache.get(&key));
        if let Some(bytes) = kept.filter(|bytes| codec::from_bytes(bytes, body.lines.len()).is_some()) {
            progress(codec::token_count(&bytes));
            return Ok(bytes.into());
        }
        let encoded = self.layout.encode(self.tokenizer, body, interrupt, progress)?;
        let bytes: Arc<[u8]> = codec::to_bytes(&encoded).into();
        if let Some((cache, key)) = key {
            cache.put(key, bytes.clone());
        }
        Ok(bytes)
    }

    /// What was left out, with what it would have cost.
    fn account(
        &self,
        left_out: Vec<LeftOut>,
        selection: &Selection,
        pack: &Pack,
        keys: &Keys,
        interrupt: &Interrupt,
    ) -> Result<Vec<Skipped>, Interrupted> {
        let bytes: usize = pack.documents.iter().map(|d| d.text.len()).sum();
        let tokens_a_byte = if bytes > 0 {
            pack.tokens.len() as f64 / bytes as f64
        } else {
            1.0 / 3.0
        };
        let estimate = |bytes: u64| (bytes as f64 * tokens_a_byte).round() as usize;
        let count = |path: &PathBuf, name: &str| -> Result<Option<usize>, Interrupted> {
            let source = Source {
                name: name.to_owned(),
                path: Some(path.clone()),
                explicit: true,
            };
            let loaded = self.load_one(&source, Cut::default(), keys, interrupt, &|_| ())?;
            Ok(loaded.ok().map(|loaded| {
                let pack = self.layout.assemble(self.tokenizer, vec![loaded.body]);
                pack.tokens.len()
            }))
        };
        let exactly = selection.count_left_out.then_some(&count as _);
        let mut skipped = left_out::account(left_out, &estimate, exactly, interrupt)?;
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(skipped)
    }
}

/// Documents that were there before stay where they were; others follow.
fn arrange(bodies: &mut [Body], before: &[String]) {
    if before.is_empty() {
        return;
    }
    let place: HashMap<&str, usize> = before
        .iter()
        .enumerate()
        .map(|(at, name)| (name.as_str(), at))
        .collect();
    bodies.sort_by_key(|body| place.get(body.path.as_str()).copied().unwrap_or(usize::MAX));
}

struct Meter<'a> {
    files: AtomicUsize,
    tokens: AtomicUsize,
    total_files: usize,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl Meter<'_> {
    fn add(&self, files: usize, tokens: usize) {
        let files = self.files.fetch_add(files, Ordering::Relaxed) + files;
        let tokens = self.tokens.fetch_add(tokens, Ordering::Relaxed) + tokens;
        (self.progress)(Progress {
            files,
            total_files: self.total_files,
            tokens,
        });
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
