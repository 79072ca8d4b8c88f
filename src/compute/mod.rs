//! The operations that a layer is made of, stated once and implemented several times.
//!
//! [`Backend`] is the contract: [`mod@reference`] writes each operation as plainly as its equation, in candle tensors, and
//! is the oracle of all tests; [`mod@cpu`] is the one that runs; [`mod@cuda`] launches the kernels of a graphics card. Activations are `[tokens, width]`, row-major, f32.
//!
//! **States are transactional.** A tile reads the state it was given and writes the next one; the engine commits
//! after the last layer. After an error the next state is undefined and a cache may have grown: the engine drops the one
//! and truncates the other, so that an interrupted or failed tile leaves no trace.

pub mod cpu;
pub mod cuda;
mod interrupt;
pub mod reference;

pub use interrupt::{Interrupt, Interrupted};

use std::ops::Range;
use std::sync::Arc;

use crate::model::{
    Lightning, LightningWeights, Moe, MoeWeights, Residual, Softmax, SoftmaxWeights, TensorRole, TensorView,
};

/// Why an operation did not finish.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("the compute backend failed: {0}")]
    Backend(String),
}

/// The tokens that an operation works on.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// Absolute position of the first token.
    pub position: usize,
    /// How many of the last tokens' outputs anyone will read, `0..=tokens`. A mixer updates its state with every token
    /// but returns only these rows: the last layer of a prompt needs none.
    pub outputs: usize,
    /// Asked at least every 50 ms of work.
    pub interrupt: &'a Interrupt,
}

/// Tokens of a block of keys and values: what is kept of a cache, and restored, as one.
pub const KV_BLOCK: usize = 256;

/// What the numbers of this build depend on: its sources, dependencies, compiler and target, as a hash (`build.rs`).
const BUILD: &str = env!("NUMERICS_OF_BUILD");

/// Keys and values of one block of one layer, as they were when it was taken: what is done to the cache afterwards does not show.
pub trait KvBlock: Send + Sync {
    /// Appends them as bytes, in whatever order the implementation reads them.
    fn write(&self, to: &mut Vec<u8>) -> Result<(), ComputeError>;
}

/// What a weight is in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    Soon,
    NotForAWhile,
}

/// What a card has in it, and what was done about the experts that have no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Residency {
    /// Bytes of its memory, and the most that were in use.
    pub memory: u64,
    pub most: u64,
    /// Experts that do not all have room, and how many of them do.
    pub experts: usize,
    pub places: usize,
    /// How often one was needed by less than a slab, and how often it was there.
    pub asked: u64,
    pub there: u64,
    /// Bytes of experts that were copied.
    pub copied: u64,
}

fn not_kept() -> ComputeError {
    ComputeError::Backend("states of this implementation cannot be kept".to_owned())
}

/// What stands around a mixer or a feed-forward `f`: `h = norm(x)`, `x ← alpha·r + beta·f(h)`, where `r` is `h` or `x`.
///
/// `norm(x) = x / sqrt(mean(x²) + eps) ⊙ weight`, a row at a time.
#[derive(Debug)]
pub struct Block<'a, T> {
    /// `[hidden]`
    pub norm: &'a T,
    pub eps: f64,
    pub residual: Residual,
}

impl<T> Clone for Block<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Block<'_, T> {}

/// The operations of a layer. Error bounds are against exact arithmetic on the stored weights, for inputs of unit
/// scale. With weights in a floating-point type and a cache in f32 every implementation keeps 1e-4 relative to the largest
/// output of the operation. Quantised weights may be multiplied with activations in 8 bits (one scale for 32 of them):
/// 2e-2 then; `cpu::KvType` says what a smaller cache costs.
///
/// An operation that fails leaves `x` as it was. What it has done to a state it was to write is undefined, and a cache
/// may have grown.
pub trait Backend: Send + Sync + 'static {
    /// A weight as the implementation holds it.
    type Tensor: Send + Sync;
    /// Activations, `[tokens, width]`.
    type Rows: Send;
    /// `[heads, head_dim, head_dim]` (key by value), f32.
    type LightningState: Send + Sync;
    /// Keys and values of one softmax layer, `[tokens, kv_heads, head_dim]` each; keys are stored rotated.
    type KvCache: Send;
    /// Buffers that the operations on one sequence use again and again. It holds no state: any will do, one at a time.
    type Workspace: Send;

    /// Takes a weight in.
    fn load(&self, tensor: TensorView, role: TensorRole) -> Result<Self::Tensor, ComputeError>;

    /// Says that a weight will be used soon, or not for a while: a weight that lies on disk can be read ahead, and make room.
    /// Changes no result.
    fn expect(&self, _: &Self::Tensor, _: Expectation) {}

    /// What memory of its own the implementation has, and how experts fared that have no room in it.
    fn residency(&self) -> Option<Residency> {
        None
    }

    /// Where a weight lies, of places that work side by side, each what it is asked for one after the other.
    fn place(&self, _: &Self::Tensor) -> usize {
        0
    }

    /// Has rows that meet the weights of another place next set out for it.
    fn send_rows(&self, x: &mut Self::Rows, place: usize) -> Result<(), ComputeError> {
        let _ = (x, place);
        Ok(())
    }

    /// Moves a state to where its layer is.
    fn move_lightning_state(&self, state: &mut Self::LightningState, place: usize) -> Result<(), ComputeError> {
        let _ = (state, place);
        Ok(())
    }

    /// Moves a cache to where its layer is.
    fn move_kv_cache(&self, cache: &mut Self::KvCache, place: usize) -> Result<(), ComputeError> {
        let _ = (cache, place);
        Ok(())
    }

    /// Empty buffers.
    fn workspace(&self) -> Result<Self::Workspace, ComputeError>;

    /// `[tokens, width]` activations from host memory.
    fn upload(&self, values: &[f32], width: usize) -> Result<Self::Rows, ComputeError>;

    /// Activations to host memory, row-major.
    fn download(&self, rows: &Self::Rows) -> Result<Vec<f32>, ComputeError>;

    /// The zero state.
    fn lightning_state(&self, spec: &Lightning) -> Result<Self::LightningState, ComputeError>;

    /// Copies `from` into `to`, so that a state can be kept while the sequence goes on.
    fn copy_lightning_state(
        &self,
        from: &Self::LightningState,
        to: &mut Self::LightningState,
    ) -> Result<(), ComputeError>;

    /// A state to host memory, `[heads, head_dim, head_dim]`.
    fn download_lightning_state(&self, state: &Self::LightningState) -> Result<Vec<f32>, ComputeError>;

    /// Makes `next`, which a tile from `state` has just been written to, what the first `count` of its tokens alone would have
    /// made it, and says whether that could be done: for short tiles an implementation may remember keys and values.
    /// If it could not, neither has changed.
    fn shorten_tile(
        &self,
        workspace: &mut Self::Workspace,
        spec: &Lightning,
        state: &Self::LightningState,
        next: &mut Self::LightningState,
        count: usize,
    ) -> Result<bool, ComputeError> {
        let _ = (workspace, spec, state, next, count);
        Ok(false)
    }

    /// An empty cache.
    fn kv_cache(&self, spec: &Softmax) -> Result<Self::KvCache, ComputeError>;

    /// Forgets all tokens of the cache from `len` on; a shorter cache stays as it is.
    fn truncate_kv_cache(&self, cache: &mut Self::KvCache, len: usize) -> Result<(), ComputeError>;

    /// All that the numbers in a state depend on beside the model and the tokens, in words: two backends with the same words give the
    /// same numbers up to the division into tiles. None if states of this one cannot be kept; the next five operations then fail.
    fn numerics(&self) -> Option<String> {
        None
    }

    /// A state from host memory, `[heads, head_dim, head_dim]`: what [`download_lightning_state`](Self::download_lightning_state) gave.
    fn upload_lightning_state(&self, spec: &Lightning, values: &[f32]) -> Result<Self::LightningState, ComputeError> {
        let _ = (spec, values);
        Err(not_kept())
    }

    /// The block of keys and values number `block`: tokens `block·KV_BLOCK..(block + 1)·KV_BLOCK`, as far as the cache has them.
    fn kv_block(&self, cache: &Self::KvCache, block: usize) -> Result<Arc<dyn KvBlock>, ComputeError> {
        let _ = (cache, block);
        Err(not_kept())
    }

    /// How many bytes a [`KvBlock`] of this number writes, whether or not it is full.
    fn kv_block_bytes(&self, spec: &Softmax, block: usize) -> usize {
        let _ = (spec, block);
        0
    }

    /// A cache of the first `blocks` blocks of another, which are full. What is done to one does not show in the other.
    fn share_kv_cache(
        &self,
        spec: &Softmax,
        cache: &Self::KvCache,
        blocks: usize,
    ) -> Result<Self::KvCache, ComputeError> {
        let _ = (spec, cache, blocks);
        Err(not_kept())
    }

    /// Appends blocks to a cache of full ones, from what they wrote, so that it has `len` tokens.
    fn extend_kv_cache(
        &self,
        spec: &Softmax,
        cache: &mut Self::KvCache,
        blocks: &[&[u8]],
        len: usize,
    ) -> Result<(), ComputeError> {
        let _ = (spec, cache, blocks, len);
        Err(not_kept())
    }

    /// Makes `x` the rows `ids` of `table` `[vocab, hidden]`: `[ids, hidden]`. Every id is below `vocab`.
    fn embed(&self, table: &Self::Tensor, ids: &[u32], x: &mut Self::Rows) -> Result<(), ComputeError>;

    /// A lightning-attention block on `x` `[tokens, hidden]`, which becomes `[tile.outputs, hidden]`. `f(h)` is the projection
    /// with `SiLU`, the recurrence from `state` (see [`Lightning`]), norm over all heads, gate, output projection. Writes
    /// the state after the last token to `next`. Any tile size gives the same result within rounding.
    fn lightning(
        &self,
        workspace: &mut Self::Workspace,
        block: Block<'_, Self::Tensor>,
        spec: &Lightning,
        weights: &LightningWeights<Self::Tensor>,
        x: &mut Self::Rows,
        state: &Self::LightningState,
        next: &mut Self::LightningState,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError>;

    /// A causal softmax-attention block on `x` `[tokens, hidden]`, which becomes `[tile.outputs, hidden]`. Appends the
    /// tile's keys and values to `cache`, which holds exactly `tile.position` tokens on entry. Scale `head_dim^-½`;
    /// query head `i` reads kv head `i / (heads / kv_heads)`.
    fn softmax(
        &self,
        workspace: &mut Self::Workspace,
        block: Block<'_, Self::Tensor>,
        spec: &Softmax,
        weights: &SoftmaxWeights<Self::Tensor>,
        x: &mut Self::Rows,
        cache: &mut Self::KvCache,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError>;

    /// A mixture-of-experts block on `x` `[tokens, hidden]` (see [`Moe`]). Of equal probabilities the lower index goes first.
    fn moe(
        &self,
        workspace: &mut Self::Workspace,
        block: Block<'_, Self::Tensor>,
        spec: &Moe,
        weights: &MoeWeights<Self::Tensor>,
        x: &mut Self::Rows,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError>;

    /// Makes `logits` `head·norm(x)` of the rows `rows` of `x`, in f32: `[rows, vocab]`, row-major.
    fn head(
        &self,
        workspace: &mut Self::Workspace,
        norm: (&Self::Tensor, f64),
        head: &Self::Tensor,
        x: &Self::Rows,
        rows: Range<usize>,
        logits: &mut Vec<f32>,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError>;
}
