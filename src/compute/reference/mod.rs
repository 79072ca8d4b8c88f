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
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::{BUILD, Backend, Block, ComputeError, Interrupt, KV_BLOCK, KvBlock, Tile};
use crate::model::{Lightning, LightningWeights, Moe, MoeWeights, Softmax, SoftmaxWeights, TensorRole, TensorView};

pub use softmax::{KvCache, rotate};

/// The plain implementation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reference;

impl Reference {
    /// Logits `head·norm(x)`, `[tokens, vocab]`, as a tensor.
    pub fn logits(&self, (norm, eps): (&Tensor, f64), head: &Tensor, x: &Tensor) -> Result<Tensor, ComputeError> {
        basic::linear(&basic::rms_norm(x, norm, eps)?, head)
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
    type Workspace = ();

    fn load(&self, tensor: TensorView, _: TensorRole) -> Result<Tensor, ComputeError> {
        Ok(Tensor::from_vec(tensor.to_f32(), tensor.shape(), &Device::Cpu)?)
    }

    fn workspace(&self) -> Result<(), ComputeError> {
        Ok(())
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

    fn numerics(&self) -> Option<String> {
        Some(format!("reference, build {BUILD}"))
    }

    fn upload_lightning_state(&self, spec: &Lightning, values: &[f32]) -> Result<Tensor, ComputeError> {
        let shape = (spec.heads, spec.head_dim, spec.head_dim);
        Ok(Tensor::from_slice(values, shape, &Device::Cpu)?)
    }

    fn kv_block(&self, cache: &KvCache, block: usize) -> Result<Arc<dyn KvBlock>, ComputeError> {
        Ok(Arc::new(cache.part(block * KV_BLOCK, KV_BLOCK)?))
    }

    fn kv_block_bytes(&self, spec: &Softmax, _: usize) -> usize {
        KvCache::block_bytes(spec)
    }

    fn share_kv_cache(&self, _: &Softmax, cache: &KvCache, blocks: usize) -> Result<KvCache, ComputeError> {
        ensure(blocks * KV_BLOCK <= cache.len(), || {
            format!("there are no {blocks} full blocks of keys and values")
        })?;
        cache.part(0, blocks * KV_BLOCK)
    }

    fn extend_kv_cache(
        &self,
        spec: &Softmax,
        cache: &mut KvCache,
        blocks: &[&[u8]],
        len: usize,
    ) -> Result<(), ComputeError> {
        *cache = cache.with_blocks(spec, blocks, len)?;
        Ok(())
    }

    fn embed(&self, table: &Tensor, ids: &[u32], x: &mut Tensor) -> Result<(), ComputeError> {
        let ids = Tensor::from_slice(ids, ids.len(), &Device::Cpu)?;
        *x = table.index_select(&ids, 0)?;
        Ok(())
    }

    fn lightning(
        &self,
        (): &mut (),
        block: Block<'_, Tensor>,
        spec: &Lightning,
        weights: &LightningWeights<Tensor>,
        x: &mut Tensor,
        state: &Tensor,
        next: &mut Tensor,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        let h = basic::rms_norm(x, block.norm, block.eps)?;
        let (rows, after) = lightning::forward(spec, weights, &h, state, tile)?;
        *x = basic::residual(block.residual, x, &h, &rows)?;
        *next = after;
        Ok(())
    }

    fn softmax(
        &self,
        (): &mut (),
        block: Block<'_, Tensor>,
        spec: &Softmax,
        weights: &SoftmaxWeights<Tensor>,
        x: &mut Tensor,
        cache: &mut KvCache,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        let h = basic::rms_norm(x, block.norm, block.eps)?;
        let (rows, after) = softmax::forward(spec, weights, &h, cache, tile)?;
        *x = basic::residual(block.residual, x, &h, &rows)?;
        *cache = after;
        Ok(())
    }

    fn moe(
        &self,
        (): &mut (),
        block: Block<'_, Tensor>,
        spec: &Moe,
        weights: &MoeWeights<Tensor>,
        x: &mut Tensor,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        let h = basic::rms_norm(x, block.norm, block.eps)?;
        let rows = moe::forward(spec, weights, &h, interrupt)?;
        *x = basic::residual(block.residual, x, &h, &rows)?;
        Ok(())
    }

    fn head(
        &self,
        (): &mut (),
        norm: (&Tensor, f64),
        head: &Tensor,
        x: &Tensor,
        rows: Range<usize>,
        logits: &mut Vec<f32>,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        interrupt.check()?;
        let available = x.dim(0)?;
        ensure(rows.start <= rows.end && rows.end <= available, || {
            format!("rows {rows:?} are asked of {available}")
        })?;
        let x = x.narrow(0, rows.start, rows.len())?;
        *logits = self.download(&self.logits(norm, head, &x)?)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
