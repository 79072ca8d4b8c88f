//! What a kept state is a state of: a hash over the model, what its numbers depend on, and every token up to there.
//!
//! Tokens are hashed in blocks of [`KV_BLOCK`], each into the hash of the one before, so that two sequences have the same keys as
//! far as they are the same, and whoever knows a prefix can name everything that was kept of it.

use std::fmt;

use crate::compute::KV_BLOCK;
use crate::model::ModelConfig;

/// A hash that names something kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub(super) [u8; 32]);

/// Which checkpoint a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Of its weights and its tokenizer.
    pub fingerprint: [u8; 32],
    /// What to call it.
    pub name: String,
}

impl Key {
    /// The key of the empty sequence under a model: of the checkpoint, its configuration as it was understood, and what the numbers
    /// depend on.
    pub(super) fn of_model(identity: &Identity, config: &ModelConfig, numerics: &str) -> Self {
        let config = format!("{config:?}");
        Self::of(
            "model",
            &[&identity.fingerprint, config.as_bytes(), numerics.as_bytes()],
        )
    }

    /// Parts that differ have different hashes, however they are divided.
    fn of(what: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("thunderhead 2026 snapshots");
        for part in [what.as_bytes()].iter().chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        Self(hasher.finalize().into())
    }

    pub(super) fn hex(&self) -> String {
        blake3::Hash::from(self.0).to_hex().to_string()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex()[..12])
    }
}

/// The keys of a sequence.
#[derive(Debug)]
pub(super) struct Chain<'t> {
    tokens: &'t [u32],
    /// After each number of whole blocks, none first.
    ends: Vec<Key>,
}

impl<'t> Chain<'t> {
    pub fn new(model: Key, tokens: &'t [u32]) -> Self {
        let mut ends = Vec::with_capacity(tokens.len() / KV_BLOCK + 1);
        ends.push(model);
        let mut last = model;
        for block in tokens.chunks_exact(KV_BLOCK) {
            last = Key::of("block", &[&last.0, &bytes(block)]);
            ends.push(last);
        }
        Self { tokens, ends }
    }

    /// Whole blocks.
    pub fn blocks(&self) -> usize {
        self.ends.len() - 1
    }

    /// The key of the keys and values of a block.
    pub fn block(&self, index: usize) -> Key {
        self.ends[index + 1]
    }

    /// The key of the place after so many tokens.
    pub fn place(&self, position: usize) -> Key {
        self.after("place", position)
    }

    /// The key of what the model says comes after so many tokens.
    pub fn logits(&self, position: usize) -> Key {
        self.after("logits", position)
    }

    fn after(&self, what: &str, position: usize) -> Key {
        let whole = position / KV_BLOCK;
        let rest = &self.tokens[whole * KV_BLOCK..position];
        Key::of(what, &[&self.ends[whole].0, &bytes(rest)])
    }
}

fn bytes(tokens: &[u32]) -> Vec<u8> {
    tokens.iter().flat_map(|token| token.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_are_the_same_as_far_as_the_tokens_are(
            common in prop::collection::vec(0u32..3, 0..700),
            a in prop::collection::vec(0u32..3, 0..600),
            b in prop::collection::vec(0u32..3, 0..600),
        ) {
            let model = Key([7; 32]);
            let joined = |tail: &[u32]| [&common[..], tail].concat();
            let (a, b) = (joined(&a), joined(&b));
            let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            let (first, second) = (Chain::new(model, &a), Chain::new(model, &b));
            for position in 0..=a.len().min(b.len()) {
                prop_assert_eq!(first.place(position) == second.place(position), position <= same);
            }
            for block in 0..first.blocks().min(second.blocks()) {
                prop_assert_eq!(first.block(block) == second.block(block), (block + 1) * KV_BLOCK <= same);
            }
            let other = Chain::new(Key([8; 32]), &a);
            prop_assert!(first.place(a.len()) != other.place(a.len()));
        }
    }
}
