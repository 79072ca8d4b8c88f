//! The operations that a layer is made of, stated once and implemented several times.
//!
//! [`Backend`] is the contract: [`mod@reference`] writes each operation as plainly as its equation, in candle tensors, and
//! is the oracle of all tests; [`mod@cpu`] is the one that runs. Activations are `[tokens, width]`, row-major, f32.
//!
//! **States are transactional.** A tile reads the state it was given and writes the next one; the engine commits
//! after the last layer. After an error the next state is undefined and a cache may have grown: the engine drops the one
//! and truncates the other, so that an interrupted or failed tile leaves no trace.

pub mod cpu;
mod interrupt;
pub mod reference;

pub use interrupt::{Interrupt, Interrupted};

use std::ops::Range;

use crate::model::{Lightning, LightningWeights, Moe, MoeWeights, Softmax, SoftmaxWeights, TensorView};

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

/// The operations of a layer. Error bounds are against exact arithmetic on the stored weights, for inputs of unit
/// scale: every implementation with f32 activations keeps 1e-4 relative to the largest output of the operation.
pub trait Backend: Send + Sync + 'static {
    /// A weight as the implementation holds it.
    type Tensor: Send + Sync;
    /// Activations, `[tokens, width]`.
    type Rows: Send;
    /// `[heads, head_dim, head_dim]` (key by value), f32.
    type LightningState: Send;
    /// Keys and values of one softmax layer, `[tokens, kv_heads, head_dim]` each; keys are stored rotated.
    type KvCache: Send;

    /// Takes a weight in.
    fn load(&self, tensor: TensorView) -> Result<Self::Tensor, ComputeError>;

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

    /// An empty cache.
    fn kv_cache(&self, spec: &Softmax) -> Result<Self::KvCache, ComputeError>;

    /// Forgets all tokens of the cache from `len` on; a shorter cache stays as it is.
    fn truncate_kv_cache(&self, cache: &mut Self::KvCache, len: usize) -> Result<(), ComputeError>;

    /// Rows `ids` of `table` `[vocab, hidden]`: `[ids, hidden]`. Every id is below `vocab`.
    fn embed(&self, table: &Self::Tensor, ids: &[u32]) -> Result<Self::Rows, ComputeError>;

    /// `x / sqrt(mean(x²) + eps) ⊙ weight`, a row at a time.
    fn rms_norm(&self, x: &Self::Rows, weight: &Self::Tensor, eps: f64) -> Result<Self::Rows, ComputeError>;

    /// The rows of `range`.
    fn slice_rows(&self, x: &Self::Rows, range: Range<usize>) -> Result<Self::Rows, ComputeError>;

    /// `alpha·x + beta·f`.
    fn residual(&self, alpha: f64, x: &Self::Rows, beta: f64, f: &Self::Rows) -> Result<Self::Rows, ComputeError>;

    /// A lightning-attention block on normed input `h` `[tokens, hidden]`: projection with `SiLU`, the recurrence from
    /// `state` (see [`Lightning`]), norm over all heads, gate, output projection. Writes the state after the last token
    /// to `next` and returns `[tile.outputs, hidden]`. Any tile size gives the same result within rounding.
    fn lightning(
        &self,
        spec: &Lightning,
        weights: &LightningWeights<Self::Tensor>,
        h: &Self::Rows,
        state: &Self::LightningState,
        next: &mut Self::LightningState,
        tile: Tile<'_>,
    ) -> Result<Self::Rows, ComputeError>;

    /// A causal softmax-attention block on normed input `h` `[tokens, hidden]`: appends the tile's keys and values to
    /// `cache`, which holds exactly `tile.position` tokens on entry, and returns `[tile.outputs, hidden]`.
    /// Scale `head_dim^-½`; query head `i` reads kv head `i / (heads / kv_heads)`.
    fn softmax(
        &self,
        spec: &Softmax,
        weights: &SoftmaxWeights<Self::Tensor>,
        h: &Self::Rows,
        cache: &mut Self::KvCache,
        tile: Tile<'_>,
    ) -> Result<Self::Rows, ComputeError>;

    /// A mixture-of-experts block on normed input `h`: `[tokens, hidden]` (see [`Moe`]). Of equal probabilities the
    /// lower index goes first.
    fn moe(
        &self,
        spec: &Moe,
        weights: &MoeWeights<Self::Tensor>,
        h: &Self::Rows,
        interrupt: &Interrupt,
    ) -> Result<Self::Rows, ComputeError>;

    /// Logits `head·h` in f32, `[tokens, vocab]`, row-major.
    fn head(&self, head: &Self::Tensor, h: &Self::Rows, interrupt: &Interrupt) -> Result<Vec<f32>, ComputeError>;
}
