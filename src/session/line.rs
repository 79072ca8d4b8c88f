//! What stands in a line of a record.
//!
//! From version 2 on every line ends with a sum over what stands before it, so that a bit that flipped is found also where
//! the line is still JSON. A reader of version 1 passes over the sum as over any field that it does not know.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::Token;
use crate::trace::Channel;

/// The version of the format that is written. A later one may add kinds of lines and fields, which this one passes over.
pub const VERSION: u32 = 2;

/// The first line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "session")]
pub struct Header {
    pub version: u32,
    /// The program that wrote it, with its version.
    pub made_by: String,
    /// The model that replied.
    pub model: String,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When it began, in milliseconds since 1970; 0 if that is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub began: u64,
    /// The session that this one was a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked: Option<Forked>,
}

/// Where a session parted from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forked {
    /// The other one's name.
    pub from: String,
    /// The last turn that they have in common; 0 if there is none.
    pub turn: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Header {
    /// The header of a record that this program makes.
    #[must_use]
    pub fn new(model: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            made_by: concat!("thunderhead ", env!("CARGO_PKG_VERSION")).to_owned(),
            model: model.into(),
            note: note.into(),
            began: 0,
            forked: None,
        }
    }
}

/// What stands before the sum of a line, and the digits of the sum.
const SUM: &[u8] = b",\"sum\":\"";
const SUM_DIGITS: usize = 8;

/// Ends a line, which is a JSON object with something in it, with its sum.
pub(super) fn seal(line: &mut Vec<u8>) {
    debug_assert_eq!(line.last(), Some(&b'}'));
    line.pop();
    let sum = sum(line);
    line.extend_from_slice(SUM);
    line.extend_from_slice(&sum);
    line.extend_from_slice(b"\"}\n");
}

/// Whether the sum of a line is right; nothing if it has none.
pub(super) fn is_sound(line: &[u8]) -> Option<bool> {
    let inner = line.strip_suffix(b"\"}")?;
    let (before, digits) = inner.split_at_checked(inner.len().checked_sub(SUM_DIGITS)?)?;
    let summed = before.strip_suffix(SUM)?;
    Some(sum(summed) == digits)
}

fn sum(bytes: &[u8]) -> [u8; SUM_DIGITS] {
    let mut digits = [0; SUM_DIGITS];
    digits.copy_from_slice(&blake3::hash(bytes).to_hex().as_bytes()[..SUM_DIGITS]);
    digits
}

/// An event with its time.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stamped<E> {
    /// Milliseconds on the session's clock.
    pub at: u64,
    #[serde(flatten)]
    pub event: E,
}

/// What every line after the header has.
#[derive(Debug, Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: std::borrow::Cow<'a, str>,
}

/// The kind of [`Run`]; no event is called so.
pub(super) const RUN: &str = "tokens";

/// Tokens of one channel that follow each other, in columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "tokens")]
pub(super) struct Run {
    /// When the first of them came; the others came as long after it as they were decoded later.
    pub at: u64,
    pub channel: Channel,
    /// The index of the first in its reply.
    pub from: usize,
    pub texts: Vec<String>,
    /// Probabilities and entropies, in thousandths.
    pub p: Vec<u32>,
    pub h: Vec<u32>,
    /// Milliseconds of decoding since the token before; of the first, since decoding began.
    pub ms: Vec<u32>,
    /// Left out if they are not known, and then all 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u32>,
    /// All of them were inserted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
}

impl Run {
    pub fn of(at: Duration, token: &Token) -> Self {
        let mut run = Self {
            at: millis(at),
            channel: token.channel,
            from: token.index,
            texts: Vec::new(),
            p: Vec::new(),
            h: Vec::new(),
            ms: Vec::new(),
            ids: Vec::new(),
            forced: token.forced,
        };
        run.push(token, millis(token.elapsed));
        run
    }

    /// Whether `token` goes on where this run ends.
    pub fn takes(&self, token: &Token) -> bool {
        self.channel == token.channel
            && self.forced == token.forced
            && self.from.checked_add(self.texts.len()) == Some(token.index)
            && millis(token.elapsed) >= self.elapsed()
    }

    pub fn push(&mut self, token: &Token, later: u64) {
        self.texts.push(token.text.clone());
        self.p.push(thousandths(token.probability.min(1.0)));
        self.h.push(thousandths(token.entropy));
        self.ms.push(u32::try_from(later).unwrap_or(u32::MAX));
        self.ids.push(token.id);
    }

    /// Milliseconds of decoding up to the last token.
    pub fn elapsed(&self) -> u64 {
        self.ms.iter().map(|&ms| u64::from(ms)).sum()
    }

    /// The tokens with their times; nothing if the columns do not fit each other.
    pub fn tokens(self) -> Option<impl Iterator<Item = (Duration, Token)>> {
        let count = self.texts.len();
        let columns = [self.p.len(), self.h.len(), self.ms.len()];
        let ids = if self.ids.is_empty() { vec![0; count] } else { self.ids };
        if count == 0 || columns != [count; 3] || ids.len() != count {
            return None;
        }
        self.from.checked_add(count)?;
        let Self {
            at,
            channel,
            from,
            forced,
            ..
        } = self;
        let first = self.ms[0];
        let columns = self.texts.into_iter().zip(self.p).zip(self.h).zip(self.ms).zip(ids);
        let mut elapsed = 0;
        Some(columns.enumerate().map(move |(i, ((((text, p), h), ms), id))| {
            elapsed += u64::from(ms);
            let token = Token {
                index: from + i,
                id,
                text,
                channel,
                probability: p.min(1000) as f32 / 1000.0,
                entropy: h as f32 / 1000.0,
                elapsed: Duration::from_millis(elapsed),
                forced,
            };
            let after = Duration::from_millis(elapsed - u64::from(first));
            (Duration::from_millis(at).saturating_add(after), token)
        }))
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// To the nearest; what is no number is 0.
fn thousandths(value: f32) -> u32 {
    (value * 1000.0).round() as u32
}
