//! One model, one state: prefill, decode, sampling, stop rules.
//!
//! [`Engine`] owns a thread and is spoken to by [`Command`]s and [`Event`]s only. Below it, a [`Network`] is the model
//! without a state, a [`State`] is what a sequence has left behind, and both can be used without the thread.

mod event;
mod generate;
mod guide;
mod network;
mod order;
mod sampler;
mod score;
mod slab;
mod snapshot;
mod speculation;
mod state;
mod submit;
mod timeline;
mod versions;
mod worker;

pub use event::{
    CardExperts, Command, Estimate, Event, EventKind, Finished, GenerateOptions, Prefill, RequestId, Sampling,
    StopReason, Token,
};
pub use generate::Vocabulary;
pub use guide::{Allowed, Guide, GuideMaker};
pub use network::{Cut, Network, Prefilled};
pub use order::pieces;
pub use sampler::{Choice, NotANumber, Sampler};
pub use score::{Score, ScoreError, score};
pub use snapshot::{Content, Damage, Disk, Entry, Files, Freed, Identity, Kept, Library, Mapped, Snapshots};
pub use speculation::{Drafts, LONGEST_DRAFT, Lookup, Match, Speculate};
pub use state::{Mark, State};
pub use submit::{Gate, Reach, Submit, Ticket};
pub use worker::{Engine, EngineOptions, EventSink};
