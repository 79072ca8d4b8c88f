//! Documents as one token sequence.
//!
//! [`Loader::load`] goes from a [`Selection`] to a [`Pack`] in three steps: *discover* the files, *read* them as text,
//! *encode* them in the layout that the model knows. Nothing is left out in silence: what was found but is not in the pack
//! is in [`Pack::skipped`] with its reason, and what is in it but altered in [`Pack::notes`]. The same files give the same
//! pack, whatever the number of threads, and whether or not a cache had it before.

mod arguments;
mod budget;
mod cache;
mod codec;
mod discover;
mod encoding;
mod exclusion;
mod formats;
mod layout;
mod left_out;
mod load;
mod order;
mod pack;
mod read;
mod rules;
mod sanitize;
mod secrets;
mod selection;
mod spans;
mod template;
mod tree;
mod watch;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use budget::TooLarge;
pub use cache::Cache;
pub use exclusion::Exclusion;
pub(crate) use formats::pdf_worker::{SUBCOMMAND as PDF_READER, main as extract_pdf};
pub use layout::{Layout, RunningLines};
pub use load::{Loader, Progress};
pub use pack::{Document, Line, Pack, Section, SectionKind};
pub use sanitize::sanitize;
pub use secrets::ranges as secret_ranges;
pub use selection::{Cut, Order, Selection, pattern_of};
pub use spans::Spans;
pub use template::Template;
pub use tree::{Node, tree};
pub use watch::Watch;

use crate::compute::Interrupted;

/// A file or folder that was found but is not in the pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub path: String,
    pub kind: Exclusion,
    /// For people, with what can be done about it.
    pub reason: String,
    /// Of the file as it lies on the disk, or of all files of a folder; not known of everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What it would have cost; of what is not text, nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
    /// The tokens were not counted but follow from the bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
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
            estimated: false,
        }
    }
}

/// A file that is in the pack, but not as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub path: String,
    pub note: String,
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
    #[error("{0}")]
    TooLarge(TooLarge),
    #[error("{}", nothing_readable(.0))]
    NothingReadable(Vec<Skipped>),
    #[error("{pattern}: is not a pattern: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error("loading the documents was cancelled")]
    Interrupted(#[from] Interrupted),
    #[error("the threads that read documents cannot be started: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
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
