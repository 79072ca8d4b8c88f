//! Grouped-query softmax attention with all its scores.
//!
//! ```text
//! q, k = R_p·(W_q·h), R_p·(W_k·h);  v = W_v·h           p the absolute position
//! A = softmax( q·Kᵀ / √head_dim + M )                   M = 0 where key position ≤ p, else -∞
//! out = W_out·(A·V over all heads)                      query head i reads kv head i / (heads / kv_heads)
//! ```
//!
//! `R_p` turns pair `j < dim/2` of channels ([`Pairing`](crate::model::Pairing)) by `p·theta^(-2j/dim)`; channels from `dim` on
//! pass through. Angles are f64, their cosines and sines f32.

use candle_core::{DType, Device, Tensor};

use super::basic::{EXP, in_blocks, last_rows, linear, softmax};
use super::ensure;
use crate::compute::{ComputeError, KV_BLOCK, KvBlock, Tile};
use crate::model::{Pairing, Rope, Softmax, SoftmaxWeights};

/// Keys, rotated, and values of one layer.
#[derive(Debug, Clone)]
pub struct KvCache {
    keys: Tensor,
    values: Tensor,
}

impl KvBlock for KvCache {
    fn write(&self, to: &mut Vec<u8>) -> Result<(), ComputeError> {
        let missing = KV_BLOCK.saturating_sub(self.len());
        for tensor in [&self.keys, &self.values] {
            let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
            let zeros = missing * values.len() / self.len().max(1);
            let values = values.into_iter().chain(std::iter::repeat_n(0.0, zeros));
            to.extend(values.flat_map(f32::to_le_bytes));
        }
        Ok(())
    }
}

impl KvCache {
    pub(super) fn new(spec: &Softmax) -> Result<Self, ComputeError> {
        let empty = Tensor::zeros((0, spec.kv_heads, spec.head_dim), DType::F32, &Device::Cpu)?;
        Ok(Self {
            keys: empty.clone(),
            values: empty,
        })
    }

    /// Tokens held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.dims().first().copied().unwrap_or(0)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `[tokens, kv_heads, head_dim]`
    #[must_use]
    pub fn keys(&self) -> &Tensor {
        &self.keys
    }

    /// `[tokens, kv_heads, head_dim]`
    #[must_use]
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    pub(super) fn truncate(&mut self, len: usize) -> Result<(), ComputeError> {
        let len = len.min(self.len());
        self.keys = self.keys.narrow(0, 0, len)?;
        self.values = self.values.narrow(0, 0, len)?;
        Ok(())
    }

    /// The tokens from `first` on, at most `most`.
    pub(super) fn part(&self, first: usize, most: usize) -> Result<Self, ComputeError> {
        ensure(first <= self.len(), || {
            format!("there are no keys from token {first} on")
        })?;
        let tokens = most.min(self.len() - first);
        Ok(Self {
            keys: self.keys.narrow(0, first, tokens)?,
            values: self.values.narrow(0, first, tokens)?,
        })
    }

    /// Keys and then values, f32, with zeros after the last token.
    pub(super) fn block_bytes(spec: &Softmax) -> usize {
        2 * KV_BLOCK * spec.kv_heads * spec.head_dim * size_of::<f32>()
    }

    /// The same with blocks appended, up to `len` tokens.
    pub(super) fn with_blocks(&self, spec: &Softmax, blocks: &[&[u8]], len: usize) -> Result<Self, ComputeError> {
        let added = len.checked_sub(self.len());
        let fit = self.len().is_multiple_of(KV_BLOCK)
            && added.is_some_and(|added| added.div_ceil(KV_BLOCK) == blocks.len())
            && blocks.iter().all(|block| block.len() == Self::block_bytes(spec));
        ensure(fit, || "kept keys and values do not fit".to_owned())?;
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for block in blocks {
            let (key, value) = block.split_at(block.len() / 2);
            for (to, from) in [(&mut keys, key), (&mut values, value)] {
                to.extend(from.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
        }
        let tensor = |values: Vec<f32>| {
            let shape = (blocks.len() * KV_BLOCK, spec.kv_heads, spec.head_dim);
            Tensor::from_vec(values, shape, &Device::Cpu)?.narrow(0, 0, added.unwrap_or(0))
        };
        self.append(&tensor(keys)?, &tensor(values)?)
    }

    fn append(&self, keys: &Tensor, values: &Tensor) -> Result<Self, ComputeError> {
        if self.is_empty() {
            return Ok(Self {
                keys: keys.clone(),
                values: values.clone(),
            });
        }
        Ok(Self {
            keys: Tensor::cat(&[&self.keys, keys], 0)?,
            values: Tensor::cat(&[&self.values, values], 0)?,
        })
    }
}

/// The rotary embedding of `x` `[tokens, heads, head_dim]`, whose first token is at `position`.
pub fn rotate(x: &Tensor, position: usize, rope: Rope) -> Result<Tensor, ComputeError> {
    let (tokens, heads, head_dim) = x.dims3()?;
    let half = rope.dim / 2;
    ensure(2 * half <= head_dim, || {
        format!("{} channels cannot be rotated in heads of {head_dim}", rope.dim)
    })?;
    if half == 0 || tokens == 0 {
        return Ok(x.clone());
    }
    let angles: Vec<f64> = (position..position + tokens)
        .flat_map(|p| (0..half).map(move |j| p as f64 * rope.theta.powf(-2.0 * j as f64 / rope.dim as f64)))
        .collect();
    let table = |f: fn(f64) -> f64| {
        let values: Vec<f32> = angles.iter().map(|angle| f(*angle) as f32).collect();
        Tensor::from_vec(values, (tokens, 1, half), x.device())
    };
    let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
    let (a, b) = match rope.pairing {
        Pairing::Halves => (x.narrow(2, 0, half)?, x.narrow(2, half, half)?),
        Pairing::Neighbours => {
            let pairs = x.narrow(2, 0, 2 * half)?.reshape((tokens, heads, half, 2))?;
            (pairs.narrow(3, 0, 1)?.squeeze(3)?, pairs.narrow(3, 1, 1)?.squeeze(3)?)
        }
    };
    let rotated_a = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let rotated_b = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    let rotated = match rope.pairing {
        Pairing::Halves => Tensor::cat(&[rotated_a, rotated_b], 2)?,
        Pairing::Neighbours => Tensor::stack(&[rotated_a, rotated_b], 3)?.reshape((tokens, heads, 2 * half))?,
    };
    if 2 * half == head_dim {
        return Ok(rotated);
    }
    let rest = x.narrow(2, 2 * half, head_dim - 2 * half)?;
    Ok(Tensor::cat(&[rotated, rest], 2)?)
}

/// The rows that are read, `[tile.outputs, hidden]`, and the cache with the tile appended.
pub fn forward(
    spec: &Softmax,
    weights: &SoftmaxWeights<Tensor>,
    h: &Tensor,
    cache: &KvCache,
    tile: Tile<'_>,
) -> Result<(Tensor, KvCache), ComputeError> {
    tile.interrupt.check()?;
    let (heads, kv_heads, d) = (spec.heads, spec.kv_heads, spec.head_dim);
    let (_, hidden) = h.dims2()?;
    let read = last_rows(h, tile.outputs)?;
    ensure(kv_heads > 0 && heads.is_multiple_of(kv_heads), || {
        format!("{heads} heads cannot share {kv_heads} kv heads")
    })?;
    ensure(cache.len() == tile.position, || {
        format!(
            "a tile at position {} met a cache of {} tokens",
            tile.position,
            cache.len()
        )
    })?;

    let project = |x: &Tensor, w: &Tensor, heads: usize| {
        let (rows, width) = (x.dim(0)?, heads * d);
        let y = in_blocks(rows, width, width * hidden, tile.interrupt, x, |first, count| {
            linear(&x.narrow(0, first, count)?, w)
        })?;
        Ok::<_, ComputeError>(y.reshape((rows, heads, d))?)
    };
    let keys = rotate(&project(h, &weights.k, kv_heads)?, tile.position, spec.rope)?;
    let values = project(h, &weights.v, kv_heads)?;
    let after = cache.append(&keys, &values)?;
    if tile.outputs == 0 {
        return Ok((read, after));
    }

    let len = after.len();
    let first_read = len - tile.outputs;
    let q = rotate(&project(&read, &weights.q, heads)?, first_read, spec.rope)?;
    let scale = (d as f64).powf(-0.5);
    let cost = heads * (len * (2 * d + EXP) + d * hidden);
    let rows = in_blocks(tile.outputs, hidden, cost, tile.interrupt, h, |first, count| {
        let mask = causal_mask(first_read + first, count, len, h.device())?;
        let mut concatenated = Vec::with_capacity(heads);
        for head in 0..heads {
            tile.interrupt.check()?;
            let kv_head = head / (heads / kv_heads);
            let q = q.narrow(0, first, count)?.narrow(1, head, 1)?.squeeze(1)?;
            let k = after.keys.narrow(1, kv_head, 1)?.squeeze(1)?;
            let v = after.values.narrow(1, kv_head, 1)?.squeeze(1)?;
            let scores = ((linear(&q, &k)? * scale)? + &mask)?;
            concatenated.push(softmax(&scores)?.matmul(&v)?);
        }
        linear(&Tensor::cat(&concatenated, 1)?, &weights.out)
    })?;
    Ok((rows, after))
}

/// `[count, len]`: zero where a query, the first of them at `position`, may look; -∞ where it may not.
fn causal_mask(position: usize, count: usize, len: usize, device: &Device) -> Result<Tensor, ComputeError> {
    let mask: Vec<f32> = (position..position + count)
        .flat_map(|p| (0..len).map(move |key| if key <= p { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Ok(Tensor::from_vec(mask, (count, len), device)?)
}
