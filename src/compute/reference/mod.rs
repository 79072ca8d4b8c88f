//! Each operation as plainly as its equation, in candle tensors: f32 on the CPU.
//!
//! This is the oracle of the other implementations, so it shares no algorithm with them: the recurrence runs token by
//! token, softmax attention forms its scores, an expert sees the rows of its tokens.
//!
//! - Projections: `x·Wᵀ`, weights widened to f32 when they are loaded.
//! - Norm: `x / sqrt(mean(x²) + ε) ⊙ w`.
//! - `SiLU`: `x·σ(x)`, `σ(x) = 1 / (1 + e^{-x})`.
//! - The mixers and the experts: see `lightning`, `softmax` and `moe`.
//!
//! **Differentiable.** Rows, states and weights are tensors and every operation is made of operations with a gradient,
//! so that `backward` reaches weights that are variables, through states and caches into earlier tiles too. Only the
//! choice of the experts is constant, and [`Backend::head`] leaves the tensors for the host: [`Reference::logits`]
//! stays among them. The graph of a tile is as deep as the tile is long; training uses short ones.
//!
//! **Interruptible.** Rows of a tile that do not depend on each other are computed in blocks of a few milliseconds, with
//! a look at the interrupt before each; the recurrence looks at every token. Blocks change no result.
//!
//! **Transactional.** A state or a cache is assigned after all else has succeeded.

mod basic;
mod lightning;
mod moe;
mod softmax;

use std::ops::Range;

use candle_core::{Device, Tensor};

use super::{Backend, ComputeError, Interrupt, Tile};
use crate::model::{Lightning, LightningWeights, Moe, MoeWeights, Softmax, SoftmaxWeights, TensorView};

pub use softmax::{KvCache, rotate};

/// The plain implementation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reference;

impl Reference {
    /// Logits `head·h`, `[tokens, vocab]`, as a tensor.
    pub fn logits(&self, head: &Tensor, h: &Tensor) -> Result<Tensor, ComputeError> {
        basic::linear(h, head)
    }
}

impl From<candle_core::Error> for ComputeError {
    fn from(error: candle_core::Error) -> Self {
        Self::Backend(error.to_string())
    }
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), ComputeError> {
    if holds {
        Ok(())
    } else {
        Err(ComputeError::Backend(message()))
    }
}

impl Backend for Reference {
    type Tensor = Tensor;
    type Rows = Tensor;
    type LightningState = Tensor;
    type KvCache = KvCache;

    fn load(&self, tensor: TensorView) -> Result<Tensor, ComputeError> {
        Ok(Tensor::from_vec(tensor.to_f32(), tensor.shape(), &Device::Cpu)?)
    }

    fn upload(&self, values: &[f32], width: usize) -> Result<Tensor, ComputeError> {
        ensure(width > 0 && values.len().is_multiple_of(width), || {
            format!("{} values are not rows of {width}", values.len())
        })?;
        Ok(Tensor::from_slice(values, (values.len() / width, width), &Device::Cpu)?)
    }

    fn download(&self, rows: &Tensor) -> Result<Vec<f32>, ComputeError> {
        Ok(rows.flatten_all()?.to_vec1()?)
    }

    fn lightning_state(&self, spec: &Lightning) -> Result<Tensor, ComputeError> {
        lightning::zero_state(spec)
    }

    fn copy_lightning_state(&self, from: &Tensor, to: &mut Tensor) -> Result<(), ComputeError> {
        *to = from.clone();
        Ok(())
    }

    fn download_lightning_state(&self, state: &Tensor) -> Result<Vec<f32>, ComputeError> {
        Ok(state.flatten_all()?.to_vec1()?)
    }

    fn kv_cache(&self, spec: &Softmax) -> Result<KvCache, ComputeError> {
        KvCache::new(spec)
    }

    fn truncate_kv_cache(&self, cache: &mut KvCache, len: usize) -> Result<(), ComputeError> {
        cache.truncate(len)
    }

    fn embed(&self, table: &Tensor, ids: &[u32]) -> Result<Tensor, ComputeError> {
        let ids = Tensor::from_slice(ids, ids.len(), &Device::Cpu)?;
        Ok(table.index_select(&ids, 0)?)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor, ComputeError> {
        basic::rms_norm(x, weight, eps)
    }

    fn slice_rows(&self, x: &Tensor, range: Range<usize>) -> Result<Tensor, ComputeError> {
        let rows = x.dim(0)?;
        ensure(range.start <= range.end && range.end <= rows, || {
            format!("rows {range:?} are asked of {rows}")
        })?;
        Ok(x.narrow(0, range.start, range.len())?)
    }

    fn residual(&self, alpha: f64, x: &Tensor, beta: f64, f: &Tensor) -> Result<Tensor, ComputeError> {
        Ok(((x * alpha)? + (f * beta)?)?)
    }

    fn lightning(
        &self,
        spec: &Lightning,
        weights: &LightningWeights<Tensor>,
        h: &Tensor,
        state: &Tensor,
        next: &mut Tensor,
        tile: Tile<'_>,
    ) -> Result<Tensor, ComputeError> {
        let (rows, after) = lightning::forward(spec, weights, h, state, tile)?;
        *next = after;
        Ok(rows)
    }

    fn softmax(
        &self,
        spec: &Softmax,
        weights: &SoftmaxWeights<Tensor>,
        h: &Tensor,
        cache: &mut KvCache,
        tile: Tile<'_>,
    ) -> Result<Tensor, ComputeError> {
        let (rows, after) = softmax::forward(spec, weights, h, cache, tile)?;
        *cache = after;
        Ok(rows)
    }

    fn moe(
        &self,
        spec: &Moe,
        weights: &MoeWeights<Tensor>,
        h: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, ComputeError> {
        moe::forward(spec, weights, h, interrupt)
    }

    fn head(&self, head: &Tensor, h: &Tensor, interrupt: &Interrupt) -> Result<Vec<f32>, ComputeError> {
        interrupt.check()?;
        self.download(&self.logits(head, h)?)
    }
}

#[cfg(test)]
mod tests;
