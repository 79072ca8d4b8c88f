//! Random models by name: shapes that speed is measured on, here and elsewhere.

use crate::model::{
    Dtype, FeedForward, Layer, Lightning, Mixer, ModelConfig, Moe, Pairing, Residual, Rope, Softmax, lightning_slopes,
};

/// The sizes of a hybrid model of which every `period`-th layer is softmax attention.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub name: &'static str,
    /// What it is for, for help.
    pub about: &'static str,
    pub hidden: usize,
    pub layers: usize,
    pub period: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub experts: usize,
    pub top_k: usize,
    /// Inner width of an expert.
    pub width: usize,
    pub vocab: usize,
    /// Channels of a head that are rotated.
    pub rotary: usize,
    pub rope_theta: f64,
}

/// The weight of the residual in MiniMax-M1's `config.json`.
const ALPHA: f64 = 3.556_558_820_077_845_5;

/// All shapes, the first for comparisons with other engines.
pub const SHAPES: &[Shape] = &[
    Shape {
        name: "hybrid-0.8b",
        about: "16 layers of 1024, 16 experts: 950 M weights, 210 M of them read for a token",
        hidden: 1024,
        layers: 16,
        period: 8,
        heads: 16,
        kv_heads: 4,
        head_dim: 64,
        experts: 16,
        top_k: 2,
        width: 1024,
        vocab: 32_000,
        rotary: 32,
        rope_theta: 1e7,
    },
    Shape {
        name: "hybrid-119m",
        about: "8 layers of 512, 8 experts, rotary over whole heads as transformers has it: 119 M weights",
        hidden: 512,
        layers: 8,
        period: 8,
        heads: 8,
        kv_heads: 2,
        head_dim: 64,
        experts: 8,
        top_k: 2,
        width: 1024,
        vocab: 8192,
        rotary: 64,
        rope_theta: 1e6,
    },
    Shape {
        name: "two-periods",
        about: "16 layers of 256, 4 experts: prefill has a quadratic part, because one softmax layer is not the last",
        hidden: 256,
        layers: 16,
        period: 8,
        heads: 4,
        kv_heads: 1,
        head_dim: 64,
        experts: 4,
        top_k: 2,
        width: 256,
        vocab: 2048,
        rotary: 32,
        rope_theta: 1e7,
    },
    Shape {
        name: "tiny",
        about: "4 layers of 64: for trying the command out",
        hidden: 64,
        layers: 4,
        period: 2,
        heads: 2,
        kv_heads: 1,
        head_dim: 32,
        experts: 4,
        top_k: 2,
        width: 64,
        vocab: 512,
        rotary: 16,
        rope_theta: 1e7,
    },
];

impl Shape {
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        SHAPES.iter().find(|shape| shape.name == name).copied()
    }

    /// Whether the rows of all its matrices are whole blocks of `dtype`.
    #[must_use]
    pub fn holds(&self, dtype: Dtype) -> bool {
        [self.hidden, self.heads * self.head_dim, self.width]
            .into_iter()
            .all(|columns| dtype.divides(columns))
    }

    /// The same as the configuration of a checkpoint.
    #[must_use]
    pub fn config(&self) -> ModelConfig {
        let residual = Residual {
            alpha: ALPHA,
            beta: 1.0,
            from_normed: true,
        };
        let layers = (0..self.layers).map(|index| Layer {
            mixer: if (index + 1).is_multiple_of(self.period) {
                Mixer::Softmax(Softmax {
                    heads: self.heads,
                    kv_heads: self.kv_heads,
                    head_dim: self.head_dim,
                    rope: Rope {
                        dim: self.rotary,
                        theta: self.rope_theta,
                        pairing: Pairing::Halves,
                    },
                })
            } else {
                Mixer::Lightning(Lightning {
                    heads: self.heads,
                    head_dim: self.head_dim,
                    slopes: lightning_slopes(self.heads, index, self.layers),
                    norm_eps: 1e-6,
                })
            },
            mixer_residual: residual,
            feed_forward: FeedForward::Moe(Moe {
                experts: self.experts,
                top_k: self.top_k,
                width: self.width,
            }),
            feed_forward_residual: residual,
        });
        ModelConfig {
            model_type: "minimax_m1".to_owned(),
            hidden: self.hidden,
            vocab: self.vocab,
            layers: layers.collect(),
            norm_eps: 1e-5,
            tied_head: false,
            max_positions: 1 << 20,
            eos: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_found_by_its_name_and_ends_with_softmax() {
        for shape in SHAPES {
            assert_eq!(Shape::named(shape.name), Some(*shape));
            let config = shape.config();
            assert!(matches!(config.layers.last().unwrap().mixer, Mixer::Softmax(_)));
            assert!(shape.heads.is_multiple_of(shape.kv_heads) && shape.rotary <= shape.head_dim);
        }
        assert_eq!(Shape::named("gigantic"), None);
    }
}
