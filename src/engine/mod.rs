//! One model, one state: prefill, decode, sampling, stop rules.

mod event;

pub use event::{
    Command, Event, EventKind, Finished, GenerateOptions, Prefill, RequestId, Sampling, StopReason, Token,
};
