//! Why a conversion ended before its end.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::ModelError;

#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("{}: there is such a file already; remove it or choose another name", .0.display())]
    Exists(PathBuf),
    #[error("{}: another conversion is writing this file", .0.display())]
    Busy(PathBuf),
    #[error("{}: the disk is full; {missing} more bytes are needed. What is done is kept: free some space and run the same command again", path.display())]
    Full { path: PathBuf, missing: u64 },
    #[error("{}: cannot be written: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("stopped with {done} of {total} tensors done, kept in {}; the same command goes on from there", path.display())]
    Interrupted { path: PathBuf, done: usize, total: usize },
}

impl ConvertError {
    /// What an error of the system means; `missing` bytes were still to be written.
    pub(super) fn io(path: &Path, source: io::Error, missing: u64) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, missing },
            _ => Self::Io { path, source },
        }
    }
}
