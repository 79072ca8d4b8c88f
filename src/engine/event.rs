//! What goes into the engine and what comes out: the only things that cross its thread.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Drafts, GuideMaker, Speculate};
use crate::compute::Residency;
use crate::trace::{Channel, Piece};

/// Identifies one command and every event that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// Work for the engine. A command names the whole token sequence; the engine keeps the longest part of it that it
/// already holds and computes the rest.
#[derive(Debug, Clone)]
pub enum Command {
    /// Bring the state to exactly these tokens, and remember it there and after each of `marks` tokens, ascending: places
    /// to which a later command may come back.
    Prefill { tokens: Arc<[u32]>, marks: Arc<[usize]> },
    /// The same, then decode a reply. The state is remembered after each of `marks` tokens, ascending, or before the reply
    /// if there are none, until newer ones crowd it out.
    Generate {
        prompt: Arc<[u32]>,
        marks: Arc<[usize]>,
        options: GenerateOptions,
    },
    /// Say what a reply to this prompt would cost before its first token.
    Estimate { prompt: Arc<[u32]> },
}

/// How to decode a reply.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    pub sampling: Sampling,
    /// Most tokens of the reply, thinking included.
    pub max_tokens: usize,
    /// Most tokens of thinking; then the closing tag is inserted and the answer follows.
    pub thinking_budget: usize,
    /// Stop after this many consecutive tokens with p > 0.99 (MiniMax-M1 report, §4.1); 0 never stops.
    pub loop_guard: usize,
    /// The reply begins inside an open `<think>`.
    pub thinking_open: bool,
    /// So many of the prompt's last tokens are the beginning of the reply, which goes on from there. They count as its
    /// own, but for `max_tokens`.
    pub resumed: usize,
    /// Ids that end the reply, beside those of the model.
    pub stop: Vec<u32>,
    /// Holds the reply to a form.
    pub guide: Option<GuideMaker>,
    /// Whether tokens are drafted. It changes the time that the reply takes, and nothing else.
    pub speculate: Speculate,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            sampling: Sampling::default(),
            max_tokens: 100_000,
            thinking_budget: 80_000,
            loop_guard: 3_000,
            thinking_open: false,
            resumed: 0,
            stop: Vec::new(),
            guide: None,
            speculate: Speculate::default(),
        }
    }
}

/// How the next token is chosen. Filters apply in this order: temperature, top-k, top-p, min-p.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f32,
    /// Keep the k most probable; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set with at least this much probability; 1 keeps all.
    pub top_p: f32,
    /// Drop what is less probable than this share of the most probable; 0 drops nothing.
    pub min_p: f32,
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
        }
    }
}

/// Progress of the engine on one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub request: RequestId,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// Sent when prefill starts, after each tile and when it ends.
    Prefill(Prefill),
    /// One token of the reply.
    Token(Token),
    /// The request is done; nothing follows for it.
    Finished(Finished),
    /// The answer to [`Command::Estimate`]; nothing follows for it.
    Estimated(Estimate),
    /// The request failed; the state is what it was before the failing tile. Nothing follows for it.
    Failed(String),
}

/// How far prefill has come, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prefill {
    /// Tokens in the state, those reused included.
    pub done: usize,
    pub total: usize,
    /// Tokens that were in the state already.
    pub cached: usize,
    /// Tokens a second over the last second or so; 0 before the first tile.
    pub rate: f64,
}

/// What is there already of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens of the prompt.
    pub tokens: usize,
    /// Of them, how many the nearest state that is kept has read, in memory or on the disk.
    pub kept: usize,
    /// About how long the others will take, in milliseconds, if prefill has been measured.
    pub ms: Option<u64>,
}

/// One decoded token. A token whose text crosses the closing tag is reported twice with the same `index`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Position in the reply, from 0.
    pub index: usize,
    pub id: u32,
    /// What this token adds; may be empty while a character or a tag is incomplete. Never contains the tags.
    pub text: String,
    pub channel: Channel,
    /// Probability of the emitted id under the full softmax, before any filter.
    pub probability: f32,
    /// Entropy of the full softmax, nats.
    pub entropy: f32,
    /// Since decoding began.
    #[serde(rename = "seconds", with = "seconds")]
    pub elapsed: Duration,
    /// Inserted to end the thinking, not chosen by the model.
    pub forced: bool,
}

impl<'a> From<&'a Token> for Piece<'a> {
    fn from(token: &'a Token) -> Self {
        Self {
            index: token.index,
            text: &token.text,
            probability: token.probability,
            entropy: token.entropy,
            elapsed: token.elapsed,
            forced: token.forced,
        }
    }
}

/// The end of a request and its account.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub reason: StopReason,
    /// Tokens of the prompt, without those of a reply that goes on.
    pub prompt_tokens: usize,
    /// Of them, reused.
    pub cached_tokens: usize,
    /// Of those, read from the disk; the others were in memory.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restored_tokens: usize,
    /// Of the whole reply, also of what was there when it went on.
    pub thinking_tokens: usize,
    pub answer_tokens: usize,
    #[serde(rename = "prefill_seconds", with = "seconds")]
    pub prefill: Duration,
    #[serde(rename = "decode_seconds", with = "seconds")]
    pub decode: Duration,
    #[serde(default, skip_serializing_if = "Drafts::is_none")]
    pub drafts: Drafts,
    #[serde(default, skip_serializing_if = "CardExperts::is_none")]
    pub experts: CardExperts,
}

/// How a reply fared with experts that do not all have room on the card.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CardExperts {
    /// How often one was needed, and how often it was on the card; else the processor computed it.
    pub asked: u64,
    pub there: u64,
    /// How many have room, and how many there are.
    pub places: usize,
    pub all: usize,
}

impl CardExperts {
    /// What has been since `before`.
    pub(super) fn since(before: Option<Residency>, now: Option<Residency>) -> Self {
        let (Some(before), Some(now)) = (before, now) else {
            return Self::default();
        };
        Self {
            asked: now.asked - before.asked,
            there: now.there - before.there,
            places: now.places,
            all: now.experts,
        }
    }

    #[must_use]
    pub fn is_none(&self) -> bool {
        self.all == 0
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Why a request ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// A prefill reached its last token.
    #[default]
    Prefilled,
    /// The model ended its reply.
    EndOfSequence,
    MaxTokens,
    /// No room is left in the context.
    ContextFull,
    /// The loop guard: this many consecutive tokens with p > 0.99.
    Repetition {
        tokens: usize,
    },
    Cancelled,
}

/// Seconds to the microsecond.
mod seconds {
    use std::time::Duration;

    use serde::de::{Deserialize, Deserializer, Error};

    /// No session lasts longer, so that sums of times that were read never overflow.
    const LONGEST: f64 = 1e12;

    pub fn serialize<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e6)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let duration = Some(seconds).filter(|seconds| (0.0..=LONGEST).contains(seconds));
        let duration = duration.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        duration.ok_or_else(|| D::Error::custom(format!("{seconds} is no time in seconds")))
    }
}
