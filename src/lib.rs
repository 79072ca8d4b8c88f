//! Long-context reasoning in the terminal.
//!
//! The rooms, each using only those below it: [`cli`] and [`tui`] (what a person sees), [`session`] (records), [`conversation`] (questions
//! about documents), [`context`] (documents as one token sequence), [`mod@bench`] (what a model costs), [`plan`] (what it would need and
//! where that goes), [`engine`] (one model, one
//! state), [`convert`] (a checkpoint as one file of other types), [`compute`] (the operations of a layer), [`model`] (a checkpoint on
//! disk), [`trace`] (reasoning text), [`config`] (what a person has set).

pub mod bench;
pub mod cli;
pub mod compute;
pub mod config;
pub mod context;
pub mod conversation;
pub mod convert;
pub mod engine;
pub mod model;
pub mod plan;
pub mod session;
pub mod trace;
pub mod tui;
