//! A checkpoint becomes one GGUF file: each weight rounded to the type that was asked for, tokenizer and chat template
//! with it.
//!
//! [`Plan`] says what the file will hold, [`run`] writes it. The file is written under another name, with a journal of
//! what is finished, so that a conversion that was interrupted goes on where it was; it appears under its own name when it is
//! whole.

mod error;
mod job;
mod journal;
mod plan;

pub use error::ConvertError;
pub use job::{Progress, Summary, run};
pub use plan::Plan;
