//! Why a checkpoint could not be used: every message names the file, what was expected, and what to do.

use std::path::PathBuf;

/// An error in a model's files.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: {what}", path.display())]
    Malformed { path: PathBuf, what: String },
    #[error("{}: {what} is not supported. {advice}", path.display())]
    Unsupported {
        path: PathBuf,
        what: String,
        advice: String,
    },
    #[error("{}: {problem}", path.display())]
    Tensor { path: PathBuf, problem: String },
    #[error("{}: {what}", path.display())]
    Missing { path: PathBuf, what: String },
}

impl ModelError {
    pub(crate) fn malformed(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Malformed {
            path: path.into(),
            what: what.into(),
        }
    }

    pub(crate) fn tensor(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::Tensor {
            path: path.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}
