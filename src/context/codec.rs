//! Encoded documents as bytes, for the cache: token ids as variable-length integers, most of them two bytes.

use std::ops::Range;

use super::cache::Key;
use super::layout::{Body, Encoded, Layout};
use super::selection::Cut;
use crate::model::Tokenizer;

/// Changes whenever the same text would be encoded otherwise.
const VERSION: u8 = 1;

/// What the tokens of a body depend on.
pub(super) struct Keys(blake3::Hasher);

impl Keys {
    pub fn new(tokenizer: &Tokenizer, layout: &Layout, cut: Cut) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[VERSION]).update(&tokenizer.fingerprint());
        hasher.update(format!("{}\0{cut:?}\0", layout.tag()).as_bytes());
        Self(hasher)
    }

    pub fn of(&self, body: &Body) -> Key {
        let mut hasher = self.0.clone();
        hasher.update(body.text.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

pub(super) fn to_bytes(encoded: &Encoded) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.tokens.len() * 2 + encoded.lines.len() * 2 + 8);
    push(encoded.lines.len() as u32, &mut bytes);
    let mut before = 0;
    for line in &encoded.lines {
        push(line.start - before, &mut bytes);
        push(line.end - line.start, &mut bytes);
        before = line.start;
    }
    for &id in &encoded.tokens {
        push(id, &mut bytes);
    }
    bytes
}

/// `None` if these are not the bytes of a document with so many lines.
pub(super) fn from_bytes(bytes: &[u8], lines: usize) -> Option<Encoded> {
    let mut bytes = bytes;
    if take(&mut bytes)? as usize != lines {
        return None;
    }
    let mut spans: Vec<Range<u32>> = Vec::with_capacity(lines);
    let mut start = 0u32;
    for _ in 0..lines {
        start = start.checked_add(take(&mut bytes)?)?;
        spans.push(start..start.checked_add(take(&mut bytes)?)?);
    }
    let mut tokens = Vec::with_capacity(bytes.len() / 2);
    while !bytes.is_empty() {
        tokens.push(take(&mut bytes)?);
    }
    let fits = spans.iter().all(|line| line.end as usize <= tokens.len());
    tokens.shrink_to_fit();
    fits.then_some(Encoded { tokens, lines: spans })
}

fn push(mut n: u32, bytes: &mut Vec<u8>) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u32> {
    let mut n = 0u32;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_lead_back(lines in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..5), 0..20)) {
            let mut encoded = Encoded::default();
            for line in &lines {
                let start = encoded.tokens.len() as u32;
                encoded.tokens.extend(line);
                encoded.lines.push(start..encoded.tokens.len() as u32);
            }
            let bytes = to_bytes(&encoded);
            prop_assert_eq!(from_bytes(&bytes, lines.len()), Some(encoded));
            prop_assert_eq!(from_bytes(&bytes, lines.len() + 1), None);
        }

        #[test]
        fn foreign_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200), lines in 0usize..9) {
            if let Some(encoded) = from_bytes(&bytes, lines) {
                prop_assert!(encoded.lines.iter().all(|line| line.end as usize <= encoded.tokens.len()));
            }
        }
    }
}
