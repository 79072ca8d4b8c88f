//! Deterministic random weights: the same on every machine, with any number of threads.

use std::sync::Arc;

use rayon::prelude::*;

use crate::model::{
    Dtype, ExpertWeights, FeedForward, LayerWeights, LightningWeights, Mixer, MixerWeights, ModelConfig, ModelWeights,
    MoeWeights, SoftmaxWeights, TensorView,
};

/// Elements made at a time: what a thread holds in f32. Whole blocks of every type.
const CHUNK: usize = 1 << 14;

/// Random weights for `config`, matrices of `dtype`, norms and routers in f32 as quantised checkpoints keep them.
///
/// Element `i` of the `n`-th tensor is a hash of `n` and `i`, about normal. The spread of a matrix is `1.4/√columns`, so that
/// activations keep their size from layer to layer; norms are `1 ± 0.1`.
///
/// # Panics
/// If a row of a matrix is not a whole number of `dtype`'s blocks ([`Shape::holds`](super::Shape::holds)).
#[must_use]
pub fn synthetic(config: &ModelConfig, dtype: Dtype) -> ModelWeights<TensorView> {
    let mut random = Random { dtype, tensors: 0 };
    let hidden = config.hidden;
    ModelWeights {
        embedding: random.scaled("token_embd", dtype, &[config.vocab, hidden], 1.0),
        layers: config
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| {
                let mut at = |name: &str, shape: &[usize]| random.matrix(&format!("blk.{index}.{name}"), shape);
                let mixer = match &layer.mixer {
                    Mixer::Lightning(spec) => {
                        let width = spec.heads * spec.head_dim;
                        MixerWeights::Lightning(LightningWeights {
                            qkv: at("attn_qkv", &[3 * width, hidden]),
                            gate: at("attn_gate", &[width, hidden]),
                            norm: at("attn_norm_2", &[width]),
                            out: at("attn_output", &[hidden, width]),
                        })
                    }
                    Mixer::Softmax(spec) => {
                        let (width, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
                        MixerWeights::Softmax(SoftmaxWeights {
                            q: at("attn_q", &[width, hidden]),
                            k: at("attn_k", &[kv, hidden]),
                            v: at("attn_v", &[kv, hidden]),
                            out: at("attn_output", &[hidden, width]),
                        })
                    }
                };
                let FeedForward::Moe(spec) = &layer.feed_forward;
                LayerWeights {
                    mixer_norm: at("attn_norm", &[hidden]),
                    mixer,
                    feed_forward_norm: at("ffn_norm", &[hidden]),
                    moe: MoeWeights {
                        experts: (0..spec.experts)
                            .map(|expert| ExpertWeights {
                                gate: at(&format!("ffn_gate.{expert}"), &[spec.width, hidden]),
                                up: at(&format!("ffn_up.{expert}"), &[spec.width, hidden]),
                                down: at(&format!("ffn_down.{expert}"), &[hidden, spec.width]),
                            })
                            .collect(),
                        router: (spec.experts > 1).then(|| {
                            let name = format!("blk.{index}.ffn_gate_inp");
                            random.scaled(&name, Dtype::F32, &[spec.experts, hidden], 1.0 / (hidden as f32).sqrt())
                        }),
                    },
                }
            })
            .collect(),
        norm: random.matrix("output_norm", &[hidden]),
        head: (!config.tied_head).then(|| random.matrix("output", &[config.vocab, hidden])),
    }
}

struct Random {
    dtype: Dtype,
    /// Tensors made so far: the seed of the next one.
    tensors: u64,
}

impl Random {
    /// A matrix, or a norm if the shape has one dimension.
    fn matrix(&mut self, name: &str, shape: &[usize]) -> TensorView {
        match shape {
            [_] => self.make(name, Dtype::F32, shape, 0.1, 1.0),
            [.., columns] => self.make(name, self.dtype, shape, 1.4 / (*columns as f32).sqrt(), 0.0),
            [] => unreachable!("every tensor of a model has a dimension"),
        }
    }

    fn scaled(&mut self, name: &str, dtype: Dtype, shape: &[usize], spread: f32) -> TensorView {
        self.make(name, dtype, shape, spread, 0.0)
    }

    fn make(&mut self, name: &str, dtype: Dtype, shape: &[usize], spread: f32, centre: f32) -> TensorView {
        let seed = mix(self.tensors);
        self.tensors += 1;
        let elements: usize = shape.iter().product();
        let mut bytes = vec![0; dtype.row_bytes(elements)];
        bytes
            .par_chunks_mut(dtype.row_bytes(CHUNK))
            .enumerate()
            .for_each(|(chunk, bytes)| {
                let first = (chunk * CHUNK) as u64;
                let values: Vec<f32> = (first..)
                    .take(bytes.len() / dtype.block_bytes() * dtype.block())
                    .map(|i| centre + spread * normal(seed.wrapping_add(i)))
                    .collect();
                let narrowed = dtype.narrow(&values, bytes);
                narrowed.expect("numbers of about unit size fit every type");
            });
        let len = bytes.len();
        TensorView::new(name, dtype, shape.to_vec(), Arc::new(bytes), 0..len)
    }
}

/// One step of splitmix64: a bijection of 64 bits that leaves no pattern of its argument.
pub(super) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// About normal with mean 0 and variance 1: the sum of four uniform numbers of 16 bits, whose variance is `4·(2¹⁶)²/12`.
pub(super) fn normal(index: u64) -> f32 {
    const SPREAD: f32 = 37_837.2; // 2¹⁶/√3
    let bits = mix(index);
    let sum = (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
    (sum as f32 - 131_070.0) / SPREAD
}

/// `count` random ids below `vocab`, the same for the same `seed`.
#[must_use]
pub fn tokens(count: usize, vocab: usize, seed: u64) -> Vec<u32> {
    let seed = mix(seed ^ 0x0000_746f_6b65_6e73);
    let ids = (0..count as u64).map(|i| mix(seed.wrapping_add(i)) % vocab as u64);
    ids.map(|id| id as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Shape;

    #[test]
    fn weights_are_the_same_on_any_number_of_threads_and_have_the_shape_of_the_configuration() {
        let config = Shape::named("tiny").unwrap().config();
        let make = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| synthetic(&config, Dtype::Bf16))
        };
        let (one, three) = (make(1), make(3));
        assert_eq!(one.embedding.bytes(), three.embedding.bytes());
        assert_eq!(one.layers.len(), config.layers.len());
        for (a, b) in one.layers.iter().zip(&three.layers) {
            assert_eq!(a.moe.experts[1].down.bytes(), b.moe.experts[1].down.bytes());
        }
        // No two tensors alike.
        let experts = &one.layers[0].moe.experts;
        assert_ne!(experts[0].gate.bytes(), experts[0].up.bytes());
        assert_ne!(experts[0].gate.bytes(), experts[1].gate.bytes());
    }

    #[test]
    fn values_have_the_mean_and_the_spread_that_is_said() {
        let n = 200_000;
        let values: Vec<f64> = (0..n).map(|i| f64::from(normal(i))).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.01, "{variance}");
    }

    #[test]
    fn tokens_are_in_the_vocabulary_and_spread_over_it() {
        let ids = tokens(10_000, 512, 1);
        assert!(ids.iter().all(|id| *id < 512));
        let mut seen = [false; 512];
        for id in &ids {
            seen[*id as usize] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
        assert_ne!(ids, tokens(10_000, 512, 2));
    }
}
