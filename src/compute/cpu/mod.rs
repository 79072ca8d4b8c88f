//! The operations on the CPU: f32 activations, weights used where they lie in the map, several threads.

mod arena;
mod attention;
pub mod ceilings;
mod disjoint;
mod elementwise;
mod gemm;
mod kv_cache;
mod lightning;
mod moe;
mod pairs;
mod pool;
mod project;
mod quantised;
mod rope;
pub mod simd;
mod stored;
mod weight;
mod workspace;

use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;

use self::arena::Arena;
pub use self::kv_cache::{KvCache, KvType};
pub use self::lightning::LightningState;
pub(super) use self::moe::Slot;
use self::pool::Pool;
use self::project::{Activation, Projection};
pub use self::simd::Isa;
use self::weight::Input;
pub use self::weight::Weight;
pub use self::workspace::Workspace;
use self::workspace::{Threads, all};
use super::{BUILD, Backend, Block, ComputeError, Expectation, Interrupt, KV_BLOCK, KvBlock, Tile};
use crate::model::{Lightning, LightningWeights, Moe, MoeWeights, Softmax, SoftmaxWeights, TensorRole, TensorView};

/// Tokens that a mixer takes at a time, however large the tile: its projections then stay in the last-level cache.
const MIXED_TOGETHER: usize = 512;

/// The CPU implementation: a pool of threads, and the instruction set chosen for it.
#[derive(Debug)]
pub struct Cpu {
    pool: Pool,
    isa: Isa,
    kv: KvType,
    /// Where quantised weights are packed; none if they are used where they lie.
    arena: Option<Arena>,
}

impl Cpu {
    /// `threads`: 0 takes one for each core.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn new(threads: usize) -> Result<Self, ComputeError> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            n => n,
        };
        let pool =
            Pool::new(threads).map_err(|e| ComputeError::Backend(format!("cannot start {threads} threads: {e}")))?;
        Ok(Self {
            pool,
            isa: Isa::detect(),
            kv: KvType::default(),
            arena: Some(Arena::default()),
        })
    }

    /// The same on another instruction set, or on the best one that the machine has if it has not this one.
    #[must_use]
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa.or_best();
        self
    }

    /// The same with keys and values in another type.
    #[must_use]
    pub fn with_kv_cache(mut self, kv: KvType) -> Self {
        self.kv = kv;
        self
    }

    /// The same with quantised weights used where they lie instead of being copied into the order that products read: for
    /// models that do not fit in memory.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.arena = None;
        self
    }
}

/// Activations, `[tokens, width]`.
#[derive(Debug, Clone)]
pub struct Rows {
    data: Vec<f32>,
    width: usize,
}

impl Rows {
    fn tokens(&self) -> usize {
        self.data.len() / self.width
    }
}

impl Backend for Cpu {
    type Tensor = Weight;
    type Rows = Rows;
    type LightningState = LightningState;
    type KvCache = KvCache;
    type Workspace = Workspace;

    fn load(&self, tensor: TensorView, role: TensorRole) -> Result<Weight, ComputeError> {
        let name = tensor.name().to_owned();
        Weight::new(tensor, role, self.arena.as_ref())
            .map_err(|e| ComputeError::Backend(format!("no memory for the weights {name}: {e}")))
    }

    fn expect(&self, tensor: &Weight, expectation: Expectation) {
        tensor.expect(expectation);
    }

    fn workspace(&self) -> Result<Workspace, ComputeError> {
        Ok(Workspace {
            threads: Threads::new(self.pool.threads()),
            ..Workspace::default()
        })
    }

    fn upload(&self, values: &[f32], width: usize) -> Result<Rows, ComputeError> {
        Ok(Rows {
            data: values.to_vec(),
            width,
        })
    }

    fn download(&self, rows: &Rows) -> Result<Vec<f32>, ComputeError> {
        Ok(rows.data.clone())
    }

    fn lightning_state(&self, spec: &Lightning) -> Result<LightningState, ComputeError> {
        Ok(LightningState::zero(spec))
    }

    fn copy_lightning_state(&self, from: &LightningState, to: &mut LightningState) -> Result<(), ComputeError> {
        to.copy_from(from);
        Ok(())
    }

    fn download_lightning_state(&self, state: &LightningState) -> Result<Vec<f32>, ComputeError> {
        Ok(state.values.clone())
    }

    fn shorten_tile(
        &self,
        workspace: &mut Workspace,
        spec: &Lightning,
        state: &LightningState,
        next: &mut LightningState,
        count: usize,
    ) -> Result<bool, ComputeError> {
        Ok(self.shorten_lightning_tile(workspace, spec, state, next, count)?)
    }

    fn kv_cache(&self, spec: &Softmax) -> Result<KvCache, ComputeError> {
        Ok(KvCache::new(spec, self.kv))
    }

    fn truncate_kv_cache(&self, cache: &mut KvCache, len: usize) -> Result<(), ComputeError> {
        cache.truncate(len);
        Ok(())
    }

    /// Packed weights and mapped ones go through the same products in the same order, and so do few threads and many.
    fn numerics(&self) -> Option<String> {
        Some(format!(
            "cpu {}, keys and values {:?}, build {BUILD}",
            self.isa.in_full(),
            self.kv
        ))
    }

    fn upload_lightning_state(&self, spec: &Lightning, values: &[f32]) -> Result<LightningState, ComputeError> {
        LightningState::from_values(spec, values)
            .ok_or_else(|| ComputeError::Backend(format!("a lightning state does not have {} values", values.len())))
    }

    fn kv_block(&self, cache: &KvCache, block: usize) -> Result<Arc<dyn KvBlock>, ComputeError> {
        stored::shared(cache, block)
    }

    fn kv_block_bytes(&self, spec: &Softmax, block: usize) -> usize {
        stored::page_bytes(spec, self.kv, block * KV_BLOCK)
    }

    fn share_kv_cache(&self, _: &Softmax, cache: &KvCache, blocks: usize) -> Result<KvCache, ComputeError> {
        cache
            .first_pages(blocks)
            .ok_or_else(|| ComputeError::Backend(format!("there are no {blocks} full pages of keys and values")))
    }

    fn extend_kv_cache(
        &self,
        _: &Softmax,
        cache: &mut KvCache,
        blocks: &[&[u8]],
        len: usize,
    ) -> Result<(), ComputeError> {
        stored::extend(cache, blocks, len)
    }

    fn embed(&self, table: &Weight, ids: &[u32], x: &mut Rows) -> Result<(), ComputeError> {
        x.width = table.columns();
        x.data.resize(ids.len() * x.width, 0.0);
        table.look_up(ids, &mut x.data);
        Ok(())
    }

    fn lightning(
        &self,
        workspace: &mut Workspace,
        block: Block<'_, Weight>,
        spec: &Lightning,
        weights: &LightningWeights<Weight>,
        x: &mut Rows,
        state: &LightningState,
        next: &mut LightningState,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        Ok(self.lightning_block(workspace, block, spec, weights, x, state, next, tile)?)
    }

    fn softmax(
        &self,
        workspace: &mut Workspace,
        block: Block<'_, Weight>,
        spec: &Softmax,
        weights: &SoftmaxWeights<Weight>,
        x: &mut Rows,
        cache: &mut KvCache,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        Ok(self.softmax_block(workspace, block, spec, weights, x, cache, tile)?)
    }

    fn moe(
        &self,
        workspace: &mut Workspace,
        block: Block<'_, Weight>,
        spec: &Moe,
        weights: &MoeWeights<Weight>,
        x: &mut Rows,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        Ok(self.moe_block(workspace, block, spec, weights, x, interrupt)?)
    }

    /// Activations are rounded to 8 bits twice, the second time what the first has left: the error is that of f32.
    fn head(
        &self,
        workspace: &mut Workspace,
        norm: (&Weight, f64),
        head: &Weight,
        x: &Rows,
        rows: Range<usize>,
        logits: &mut Vec<f32>,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        let x = &x.data[rows.start * x.width..rows.end * x.width];
        let threads = &workspace.threads;
        let normed = &mut workspace.normed;
        let (count, width) = (rows.len(), head.columns());
        self.normalise(threads, x, norm, &[], normed, interrupt)?;
        if head.is_quantised() {
            normed.quantise_with_rest(self.isa, width, &mut workspace.result);
        }
        logits.resize(count * head.rows(), 0.0);
        let projection = Projection {
            weight: head,
            input: Input {
                remainder: Some(count as u32),
                ..normed.input()
            },
            tokens: all(&mut workspace.all, count),
            activation: Activation::None,
            out: logits,
        };
        Ok(self.project(threads, [projection], interrupt)?)
    }
}
