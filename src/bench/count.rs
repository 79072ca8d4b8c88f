//! How many operations and bytes a token takes, as a function of its position.
//!
//! A multiply-add is two operations. With `h` the hidden width, `w = heads·d` and `g = kv_heads·d` the widths of queries and of keys,
//! a token at position `p` (so many are before it) takes
//!
//! ```text
//! lightning layer   projections  2h(3w + w) + 2wh         attention  4wd: S ← λS + kᵀv and q·S
//! softmax layer     projections  2h(w + 2g) + 2wh         attention  4w(p + 1): q·k and p·v
//! experts           router       2hE                      top-k      6kh·width
//! head              2h·vocab, where logits are asked for
//! ```
//! In the last layer a token whose output nobody reads takes its keys and values only: `4hw` and `2wd` in a lightning layer,
//! `4hg` in a softmax layer, and no experts. Norms, gates, rotations and the other passes over a row are `O(h)` and left
//! out; so are the products inside a block that blocked lightning attention does to save others.

use std::ops::{Add, AddAssign, Range};

use serde::Serialize;

use crate::compute::cpu::KvType;
use crate::model::{FeedForward, LayerWeights, Mixer, MixerWeights, ModelConfig, ModelWeights, TensorView};

/// Operations by what they are limited by.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Cost {
    /// Products with weights.
    pub weights: f64,
    /// The recurrence of lightning layers: the same for every token.
    pub lightning: f64,
    /// Scores and sums over keys and values: grows with the position.
    pub softmax: f64,
}

impl Cost {
    /// Of appending the tokens at `positions`, the last `outputs` of which are asked for their logits.
    #[must_use]
    pub fn of(config: &ModelConfig, positions: Range<usize>, outputs: usize) -> Self {
        let tokens = positions.len() as f64;
        let outputs = outputs.min(positions.len());
        let read = positions.end - outputs..positions.end;
        let mut cost = Self {
            weights: 2.0 * (config.hidden * config.vocab * outputs) as f64,
            ..Self::default()
        };
        for (index, layer) in config.layers.iter().enumerate() {
            let last = index + 1 == config.layers.len();
            // Of these tokens the layer's output is read; of the others only what they leave behind.
            let whole = if last { read.clone() } else { positions.clone() };
            let (all, kept) = (whole.len() as f64, tokens - whole.len() as f64);
            let hidden = config.hidden as f64;
            match &layer.mixer {
                Mixer::Lightning(spec) => {
                    let width = (spec.heads * spec.head_dim) as f64;
                    cost.weights += 10.0 * hidden * width * all + 4.0 * hidden * width * kept;
                    cost.lightning += width * spec.head_dim as f64 * (4.0 * all + 2.0 * kept);
                }
                Mixer::Softmax(spec) => {
                    let width = (spec.heads * spec.head_dim) as f64;
                    let kv = (spec.kv_heads * spec.head_dim) as f64;
                    cost.weights += 4.0 * hidden * (width + kv) * all + 4.0 * hidden * kv * kept;
                    cost.softmax += 4.0 * width * keys(&whole);
                }
            }
            let FeedForward::Moe(spec) = &layer.feed_forward;
            let router = if spec.experts > 1 { spec.experts } else { 0 };
            cost.weights += 2.0 * hidden * (router + 3 * spec.top_k * spec.width) as f64 * all;
        }
        cost
    }

    #[must_use]
    pub fn total(&self) -> f64 {
        self.weights + self.lightning + self.softmax
    }
}

/// The sum of `p + 1` over the positions.
fn keys(positions: &Range<usize>) -> f64 {
    positions.len() as f64 * (positions.start + positions.end + 1) as f64 / 2.0
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            weights: self.weights + other.weights,
            lightning: self.lightning + other.lightning,
            softmax: self.softmax + other.softmax,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Bytes of a model: what it holds, and what one decoded token reads.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Footprint {
    /// Numbers in all weights.
    pub parameters: u64,
    pub weight_bytes: u64,
    /// Of the weights, for one token: one row of the embedding table, `top_k` of the experts, all of the rest.
    pub weight_bytes_a_token: f64,
    /// Of the lightning states in f32; a token reads and writes them.
    pub state_bytes: u64,
    /// How keys and values are stored.
    pub kv: KvType,
}

impl Footprint {
    #[must_use]
    pub fn of(config: &ModelConfig, weights: &ModelWeights<TensorView>, kv: KvType) -> Self {
        let mut footprint = Self {
            kv,
            state_bytes: config.lightning_state_bytes() as u64,
            ..Self::default()
        };
        let row = 1.0 / config.vocab as f64;
        footprint.add(&weights.embedding, if weights.head.is_some() { row } else { 1.0 });
        for tensor in weights.head.iter().chain([&weights.norm]) {
            footprint.add(tensor, 1.0);
        }
        for (layer, weights) in config.layers.iter().zip(&weights.layers) {
            let FeedForward::Moe(moe) = &layer.feed_forward;
            footprint.add_layer(weights, moe.top_k as f64 / moe.experts as f64);
        }
        footprint
    }

    fn add_layer(&mut self, weights: &LayerWeights<TensorView>, chosen: f64) {
        let mixer = match &weights.mixer {
            MixerWeights::Lightning(w) => [&w.qkv, &w.gate, &w.norm, &w.out],
            MixerWeights::Softmax(w) => [&w.q, &w.k, &w.v, &w.out],
        };
        let norms = [&weights.mixer_norm, &weights.feed_forward_norm];
        for tensor in mixer.into_iter().chain(norms).chain(&weights.moe.router) {
            self.add(tensor, 1.0);
        }
        for expert in &weights.moe.experts {
            for tensor in [&expert.gate, &expert.up, &expert.down] {
                self.add(tensor, chosen);
            }
        }
    }

    fn add(&mut self, tensor: &TensorView, read: f64) {
        let bytes = tensor.bytes().len();
        self.parameters += tensor.elements() as u64;
        self.weight_bytes += bytes as u64;
        self.weight_bytes_a_token += read * bytes as f64;
    }

    /// Bytes of all keys and values of so many tokens.
    #[must_use]
    pub fn kv_bytes(&self, config: &ModelConfig, tokens: usize) -> usize {
        let of = |mixer: &Mixer| match mixer {
            Mixer::Softmax(spec) => spec.kv_heads * self.kv.bytes(tokens, spec.head_dim),
            Mixer::Lightning(_) => 0,
        };
        config.layers.iter().map(|layer| of(&layer.mixer)).sum()
    }

    /// Bytes that must pass when the token at `position` is decoded.
    #[must_use]
    pub fn decode(&self, config: &ModelConfig, position: usize) -> f64 {
        self.weight_bytes_a_token + 2.0 * self.state_bytes as f64 + self.kv_bytes(config, position + 1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Shape, synthetic};
    use crate::model::Dtype;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()), "{a} and {b}");
    }

    fn config(name: &str) -> ModelConfig {
        Shape::named(name).unwrap().config()
    }

    #[test]
    fn tokens_cost_the_same_one_by_one_and_together() {
        for shape in crate::bench::SHAPES {
            let config = shape.config();
            let together = Cost::of(&config, 100..117, 17);
            let mut one_by_one = Cost::default();
            for position in 100..117 {
                one_by_one += Cost::of(&config, position..position + 1, 1);
            }
            close(together.total(), one_by_one.total());
            // The prompt's tokens take less each, the last one as much.
            let prompt = Cost::of(&config, 100..116, 0) + Cost::of(&config, 116..117, 1);
            close(prompt.total(), Cost::of(&config, 100..117, 1).total());
            assert!(prompt.total() < together.total());
        }
    }

    #[test]
    fn only_softmax_layers_before_the_last_one_make_a_prompt_quadratic() {
        let softmax = |name: &str, tokens| Cost::of(&config(name), 0..tokens, 0).softmax;
        assert!(softmax("hybrid-119m", 1 << 20).abs() < 1.0);
        let (short, long) = (softmax("two-periods", 1 << 10), softmax("two-periods", 1 << 20));
        assert!((long / short / f64::from(1 << 20) - 1.0).abs() < 1e-2);
    }

    #[test]
    fn a_decoded_token_multiplies_with_every_weight_it_reads_once() {
        let config = config("hybrid-119m");
        let weights = synthetic(&config, Dtype::Bf16);
        let footprint = Footprint::of(&config, &weights, KvType::Auto);
        assert_eq!(footprint.parameters, 118_927_360);
        // Two operations for each weight of a matrix, two bytes each; the rest is one row of the table, norms and routers.
        let operations = Cost::of(&config, 0..1, 1).weights;
        let ratio = footprint.weight_bytes_a_token / operations;
        assert!((1.0..1.01).contains(&ratio), "{ratio}");
        let later = footprint.decode(&config, 1000) - footprint.decode(&config, 0);
        close(later, 1000.0 * 2.0 * 128.0 * 2.0);
        // Half of it beyond 131,072 tokens, and a scale for each head.
        let far = footprint.kv_bytes(&config, 131_073) - footprint.kv_bytes(&config, 131_072);
        assert_eq!(far, 2 * 2 * (64 + 4));
    }
}
