//! Documents as one token sequence.
//!
//! [`load`] goes from paths to a [`Pack`] in three steps: *discover* the files, *read* them as text, *encode* them in
//! the layout that the model knows. Nothing is left out in silence: what was found but is not in the pack is in
//! [`Pack::skipped`] with its reason, and what is in it but altered in [`Pack::notes`]. The same files give the same pack, whatever the number of threads.

mod discover;
mod encoding;
mod exclusion;
mod formats;
mod layout;
mod pack;
mod read;
mod sanitize;
mod tree;

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rayon::prelude::*;
use serde::Serialize;

pub use exclusion::Exclusion;
pub(crate) use formats::pdf_worker::main as extract_pdf;
pub use layout::{Layout, RunningLines};
pub use pack::{Document, Line, Pack, Section, SectionKind};
pub use sanitize::sanitize;
pub use tree::{Node, tree};

use self::discover::Source;
use crate::compute::{Interrupt, Interrupted};
use crate::model::Tokenizer;

/// A file or folder that was found but is not in the pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub path: String,
    pub kind: Exclusion,
    /// For people, with what can be done about it.
    pub reason: String,
    /// Of the file as it lies on the disk, or of all files of a folder; not known of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What it would have cost; of what is not text, nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
}

impl Skipped {
    #[must_use]
    pub fn new(path: impl Into<String>, kind: Exclusion, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            kind,
            reason: reason.into(),
            bytes: None,
            tokens: None,
        }
    }
}

/// A file that is in the pack, but not as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub path: String,
    pub note: String,
}

/// How far loading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub files: usize,
    pub total_files: usize,
    pub tokens: usize,
}

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error("{}: there is no such file or folder", .0.display())]
    NotFound(PathBuf),
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}", too_large(.0))]
    TooLarge(TooLarge),
    #[error("{}", nothing_readable(.0))]
    NothingReadable(Vec<Skipped>),
    #[error("loading the documents was cancelled")]
    Interrupted(#[from] Interrupted),
    #[error("the threads that read documents cannot be started: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// Documents that do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// Tokens of the documents that were read.
    pub tokens: usize,
    pub limit: usize,
    pub files_read: usize,
    pub total_files: usize,
    /// The largest documents with their tokens.
    pub largest: Vec<(String, usize)>,
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

/// Loads `paths` (files, folders, `-` for standard input) into a pack of fewer than `limit` tokens. `progress` is
/// called from several threads.
pub fn load(
    paths: &[PathBuf],
    tokenizer: &Tokenizer,
    layout: &Layout,
    limit: usize,
    interrupt: &Interrupt,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Pack, ContextError> {
    let mut found = discover::discover(paths, interrupt)?;
    let total_files = found.sources.len();
    let (files, tokens) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let sizes = Mutex::new(Vec::new());
    let report = |done: usize, added: usize| {
        let files = files.fetch_add(done, Ordering::Relaxed) + done;
        let tokens = tokens.fetch_add(added, Ordering::Relaxed) + added;
        progress(Progress {
            files,
            total_files,
            tokens,
        });
    };
    report(0, 0);
    let encode = |source: &Source| {
        interrupt.check()?;
        if tokens.load(Ordering::Relaxed) / READ_BEYOND > limit {
            return Err(Stop::TooLarge);
        }
        let outcome = match read::read(source, interrupt) {
            Ok(text) => {
                let body = layout.encode(tokenizer, &source.name, text, interrupt, &|n| report(0, n))?;
                let mut sizes = sizes.lock().unwrap_or_else(PoisonError::into_inner);
                sizes.push((source.name.clone(), body.tokens()));
                Ok(body)
            }
            Err(refusal) => Err(refusal),
        };
        report(1, 0);
        Ok(outcome)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let encoded: Result<Vec<_>, Stop> = pool.install(|| found.sources.par_iter().map(encode).collect());
    let too_large = |tokens, sizes| {
        ContextError::TooLarge(TooLarge {
            tokens,
            limit,
            files_read: files.load(Ordering::Relaxed),
            total_files,
            largest: largest(sizes),
        })
    };
    let encoded = match encoded {
        Ok(encoded) => encoded,
        Err(Stop::Interrupted) => return Err(Interrupted.into()),
        Err(Stop::TooLarge) => {
            let sizes = sizes.into_inner().unwrap_or_else(PoisonError::into_inner);
            return Err(too_large(tokens.load(Ordering::Relaxed), sizes));
        }
    };

    let mut bodies = Vec::with_capacity(encoded.len());
    let mut notes = Vec::new();
    for (source, outcome) in found.sources.iter().zip(encoded) {
        match outcome {
            Ok(body) => {
                notes.extend(body.note.clone().map(|note| Note {
                    path: source.name.clone(),
                    note,
                }));
                bodies.push(body);
            }
            Err(refusal) => found
                .skipped
                .push(Skipped::new(&source.name, refusal.kind, refusal.reason)),
        }
    }
    found.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    if bodies.is_empty() && !paths.is_empty() {
        return Err(ContextError::NothingReadable(found.skipped));
    }
    interrupt.check()?;
    let mut pack = layout.assemble(tokenizer, bodies);
    pack.skipped = found.skipped;
    pack.notes = notes;
    if !pack.documents.is_empty() && pack.tokens.len() >= limit {
        let sizes = pack
            .documents
            .iter()
            .map(|d| (d.path.clone(), d.tokens.len()))
            .collect();
        return Err(too_large(pack.tokens.len(), sizes));
    }
    report(0, pack.tokens.len().saturating_sub(tokens.load(Ordering::Relaxed)));
    Ok(pack)
}

fn largest(mut sizes: Vec<(String, usize)>) -> Vec<(String, usize)> {
    const NAMED: usize = 5;
    sizes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sizes.truncate(NAMED);
    sizes
}

fn too_large(error: &TooLarge) -> String {
    let TooLarge {
        tokens,
        limit,
        files_read,
        total_files,
        largest,
    } = error;
    let part = if files_read < total_files {
        format!(" ({files_read} of {total_files} files were read)")
    } else {
        String::new()
    };
    let largest: Vec<String> = largest
        .iter()
        .map(|(path, tokens)| format!("{path}: {tokens} tokens"))
        .collect();
    format!(
        "the documents take {tokens} tokens{part}, and the context has {limit}. Leave some out; the largest are\n  {}",
        largest.join("\n  ")
    )
}

fn nothing_readable(skipped: &[Skipped]) -> String {
    const SHOWN: usize = 10;
    if skipped.is_empty() {
        return "nothing to read: no file was found. Name files or folders with text in them".into();
    }
    let shown = skipped
        .iter()
        .take(SHOWN)
        .map(|Skipped { path, reason, .. }| format!("{path}: {reason}"));
    let more = skipped
        .len()
        .checked_sub(SHOWN + 1)
        .map(|rest| format!("and {} more", rest + 1));
    let lines: Vec<String> = shown.chain(more).collect();
    format!("nothing to read; skipped were\n  {}", lines.join("\n  "))
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
