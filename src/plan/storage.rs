//! How weights, keys and values are stored, and so how many bytes of each kind a model has.

use serde::Serialize;

use super::anatomy::{Anatomy, Attention};
use crate::compute::cpu::KvType;
use crate::model::Dtype;

/// What weights are rounded to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Precision {
    /// Every weight takes so many bits.
    Bits(f64),
    /// As `thunderhead convert --to` writes a file: the head no smaller than `q8_0` or `q6_k`, norms and routers in f32.
    Type(Dtype),
}

impl Precision {
    /// A name of a type, or a number of bits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(dtype) = Dtype::ALL.into_iter().find(|dtype| dtype.name() == text) {
            return Some(Self::Type(dtype));
        }
        let bits = text.parse().ok();
        bits.filter(|bits| (0.5..=32.0).contains(bits)).map(Self::Bits)
    }

    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Bits(bits) => format!("{bits} bits"),
            Self::Type(dtype) => dtype.name().to_owned(),
        }
    }

    /// Bytes of so many weights of matrices, of the head, and of what is kept exact.
    fn bytes(self, matrices: f64, head: f64, exact: f64) -> f64 {
        let of = |dtype: Dtype| dtype.block_bytes() as f64 / dtype.block() as f64;
        match self {
            Self::Bits(bits) => bits / 8.0 * (matrices + head + exact),
            Self::Type(dtype) => {
                let of_head = of(dtype).max(match dtype {
                    Dtype::Q4_0 | Dtype::Q4_1 | Dtype::Q5_0 | Dtype::Q5_1 => of(Dtype::Q8_0),
                    _ => of(Dtype::Q6K),
                });
                of(dtype) * matrices + of_head * head + 4.0 * exact
            }
        }
    }
}

/// Bytes of one layer's weights.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct LayerBytes {
    /// What every token passes: attention, norms, router, what is shared or dense.
    pub fixed: f64,
    /// All experts that are chosen among.
    pub experts: f64,
}

/// Bytes of all weights by kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct WeightBytes {
    /// One row of it is read for a token.
    pub embedding: f64,
    /// Of the head if it is not the embedding table, and of the norm before it.
    pub head: f64,
    pub layers: Vec<LayerBytes>,
}

impl WeightBytes {
    #[must_use]
    pub fn of(model: &Anatomy, precision: Precision) -> Self {
        let (hidden, table) = (model.hidden as f64, model.table());
        let layers = model.layers.iter().map(|layer| {
            let exact = layer.feed_forward.router(hidden) + layer.attention.norms() + 2.0 * hidden;
            LayerBytes {
                fixed: precision.bytes(model.fixed(layer) - exact, 0.0, exact),
                experts: precision.bytes(layer.feed_forward.routed(hidden), 0.0, 0.0),
            }
        });
        Self {
            embedding: if model.tied {
                precision.bytes(0.0, table, 0.0)
            } else {
                precision.bytes(table, 0.0, 0.0)
            },
            head: precision.bytes(0.0, if model.tied { 0.0 } else { table }, hidden),
            layers: layers.collect(),
        }
    }

    #[must_use]
    pub fn experts(&self) -> f64 {
        self.layers.iter().map(|layer| layer.experts).sum()
    }

    /// All but experts and embedding table.
    #[must_use]
    pub fn fixed(&self) -> f64 {
        self.head + self.layers.iter().map(|layer| layer.fixed).sum::<f64>()
    }

    #[must_use]
    pub fn total(&self) -> f64 {
        self.embedding + self.fixed() + self.experts()
    }

    /// What one token reads: all that is fixed, its experts, a head that is the embedding table.
    #[must_use]
    pub fn a_token(&self, model: &Anatomy) -> f64 {
        let tied = if model.tied { self.embedding } else { 0.0 };
        tied + self.fixed() + self.experts() * chosen(model)
    }
}

/// The share of the experts that a token reads.
#[must_use]
pub fn chosen(model: &Anatomy) -> f64 {
    model
        .choice()
        .map_or(0.0, |(top_k, experts)| top_k as f64 / experts as f64)
}

/// Bytes of the keys and values of the first `tokens` tokens of one layer.
#[must_use]
pub fn kv_bytes(attention: &Attention, tokens: usize, kind: KvType) -> usize {
    // Of one head: keys and values together are twice its channels.
    attention.kept().map_or(0, |(numbers, together)| {
        numbers / together * kind.bytes(tokens, together) / 2
    })
}
