//! What went wrong, and the exit code that says so.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::compute::ComputeError;
use crate::convert::ConvertError;
use crate::engine::ScoreError;
use crate::model::ModelError;

/// The table of exit codes, as `--help` and the manual show it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    something failed while running; the message says what
  2    the command line or the configuration is wrong
  3    the model cannot be loaded
  4    the documents or the session cannot be loaded, or do not fit
  5    the question cannot be answered as it is put
  130  cancelled with Ctrl-C (128 + the number of the signal, also for others)";

/// An error that ends the program.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Compute(#[from] ComputeError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error(transparent)]
    Score(#[from] ScoreError),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Input(String),
    #[error("{0}")]
    Question(String),
    #[error("{0}")]
    Engine(String),
    #[error(transparent)]
    Terminal(#[from] crate::tui::Error),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

impl CliError {
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Model(_) | Self::Convert(ConvertError::Model(_)) => 3,
            Self::Convert(ConvertError::Interrupted { .. }) => 130,
            Self::Input(_) => 4,
            Self::Question(_) => 5,
            Self::Compute(_)
            | Self::Convert(_)
            | Self::Score(_)
            | Self::Write(_)
            | Self::Engine(_)
            | Self::Terminal(_) => 1,
        })
    }
}

/// Prints `error` the way every error of the program looks.
pub fn report(error: &CliError) {
    // A reader that closed the pipe has what it wanted.
    if let CliError::Write(e) = error
        && e.kind() == io::ErrorKind::BrokenPipe
    {
        return;
    }
    let _ = writeln!(io::stderr(), "thunderhead: {error}");
}
