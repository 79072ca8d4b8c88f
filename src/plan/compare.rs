//! Operations of a long thought, against a model all of softmax attention and against DeepSeek-R1.
//!
//! The report of MiniMax-M1 says that it takes less than half of what R1 takes for 64K generated tokens, and about a quarter for
//! 100K; it does not say how operations are counted, and the answer depends on that.

use serde::Serialize;

use super::anatomy::{Anatomy, Attention};
use super::known::deepseek_r1;

/// How the operations of attention are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// Keys and values of all heads, those before a token only.
    Causal,
    /// The same with values as wide as keys, as kernels with one width for both compute it.
    Padded,
    /// Every token meets as many keys as the last one: the whole square of a context, or the last token of it by itself.
    Square,
    /// Scores and sums over the latent itself, which is less to read and more to compute; keys before a token only.
    Absorbed,
}

impl Convention {
    pub const ALL: [Self; 4] = [Self::Causal, Self::Padded, Self::Square, Self::Absorbed];

    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Causal => "keys and values of each head, causal half",
            Self::Padded => "the same, values as wide as keys",
            Self::Square => "whole square, or the last token alone",
            Self::Absorbed => "MLA over its latent, causal half",
        }
    }

    fn core_a_key(self, attention: &Attention) -> f64 {
        let plain = attention.core_a_key();
        let Attention::Latent {
            heads,
            nope,
            rope,
            value,
            kv_rank,
            ..
        } = *attention
        else {
            return if self == Self::Square { 2.0 * plain } else { plain };
        };
        let heads = heads as f64;
        match self {
            Self::Causal => plain,
            Self::Padded => 2.0 * heads * 2.0 * (nope + rope).max(value) as f64,
            Self::Square => 2.0 * plain,
            Self::Absorbed => 2.0 * heads * (2 * kv_rank + rope) as f64,
        }
    }

    /// Operations of generating so many tokens from nothing.
    #[must_use]
    pub fn operations(self, model: &Anatomy, tokens: usize) -> f64 {
        let n = tokens as f64;
        let core: f64 = model.layers.iter().map(|layer| self.core_a_key(&layer.attention)).sum();
        let rest = model.operations(tokens);
        rest.weights + rest.lightning + core * n * n / 2.0
    }
}

/// Of R1's operations, in one convention, what a model takes for 64K and for 100K generated tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AgainstR1 {
    pub convention: Convention,
    pub at_64k: f64,
    pub at_100k: f64,
}

/// Lengths that the report speaks of.
pub const LENGTHS: [usize; 2] = [65_536, 100_000];

#[must_use]
pub fn against_r1(model: &Anatomy) -> Vec<AgainstR1> {
    let r1 = deepseek_r1();
    let ratio =
        |convention: Convention, tokens| convention.operations(model, tokens) / convention.operations(&r1, tokens);
    let of = |convention| AgainstR1 {
        convention,
        at_64k: ratio(convention, LENGTHS[0]),
        at_100k: ratio(convention, LENGTHS[1]),
    };
    Convention::ALL.into_iter().map(of).collect()
}
