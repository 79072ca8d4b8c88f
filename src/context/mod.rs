//! Documents as one token sequence.
//!
//! [`load`] goes from paths to a [`Pack`] in three steps: *discover* the files, *read* them as text, *encode* them in
//! the layout that the model knows. Nothing is left out in silence: what was found but is not in the pack is in
//! [`Pack::skipped`] with its reason. The same files give the same pack, whatever the number of threads.

mod discover;
mod layout;
mod pack;
mod read;
mod sanitize;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

pub use layout::{Layout, RunningLines};
pub use pack::{Document, Line, Pack};
pub use sanitize::sanitize;

use crate::compute::{Interrupt, Interrupted};
use crate::model::Tokenizer;

/// Something that was found but is not in the pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub path: String,
    pub reason: String,
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
    #[error("{}", nothing_readable(.0))]
    NothingReadable(Vec<Skipped>),
    #[error("loading the documents was cancelled")]
    Interrupted(#[from] Interrupted),
}

/// Loads `paths` (files, folders, `-` for standard input). `progress` is called from several threads.
pub fn load(
    paths: &[PathBuf],
    tokenizer: &Tokenizer,
    layout: &Layout,
    interrupt: &Interrupt,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Pack, ContextError> {
    let mut found = discover::discover(paths, interrupt)?;
    let total_files = found.sources.len();
    let (files, tokens) = (AtomicUsize::new(0), AtomicUsize::new(0));
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
    let encoded: Vec<_> = found
        .sources
        .par_iter()
        .map(|source| {
            interrupt.check()?;
            let outcome = match read::read(source) {
                Ok(text) => Ok(layout.encode(tokenizer, &source.name, text, interrupt, &|n| report(0, n))?),
                Err(reason) => Err(reason),
            };
            report(1, 0);
            Ok(outcome)
        })
        .collect::<Result<_, Interrupted>>()?;

    let mut bodies = Vec::with_capacity(encoded.len());
    for (source, outcome) in found.sources.iter().zip(encoded) {
        match outcome {
            Ok(body) => {
                if let Some(note) = &body.note {
                    found.skipped.push(Skipped {
                        path: source.name.clone(),
                        reason: note.clone(),
                    });
                }
                bodies.push(body);
            }
            Err(reason) => found.skipped.push(Skipped {
                path: source.name.clone(),
                reason,
            }),
        }
    }
    found.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    if bodies.is_empty() && !paths.is_empty() {
        return Err(ContextError::NothingReadable(found.skipped));
    }
    interrupt.check()?;
    let pack = layout.assemble(tokenizer, bodies, found.skipped);
    report(0, pack.tokens.len().saturating_sub(tokens.load(Ordering::Relaxed)));
    Ok(pack)
}

fn nothing_readable(skipped: &[Skipped]) -> String {
    const SHOWN: usize = 10;
    if skipped.is_empty() {
        return "nothing to read: no file was found. Name files or folders with text in them".into();
    }
    let mut text = String::from("nothing to read; skipped were");
    for Skipped { path, reason } in skipped.iter().take(SHOWN) {
        text.push_str(&format!("\n  {path}: {reason}"));
    }
    if skipped.len() > SHOWN {
        text.push_str(&format!("\n  and {} more", skipped.len() - SHOWN));
    }
    text
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
