//! The operations on the CPU: f32 activations, weights used where they lie in the map, several threads.

mod attention;
mod elementwise;
mod gemm;
mod lightning;
mod matmul;
mod moe;
pub mod simd;

use std::num::NonZero;
use std::ops::Range;

use rayon::prelude::*;

pub use self::attention::KvCache;
use self::elementwise::{Residual, RmsNorm};
pub use self::lightning::LightningState;
pub use self::simd::Isa;
use super::{Backend, ComputeError, Interrupt, Tile};
use crate::model::{Lightning, LightningWeights, Moe, MoeWeights, Softmax, SoftmaxWeights, TensorView};

/// Elements under which an element-wise pass stays on one thread.
const WORTH_A_THREAD: usize = 1 << 16;

/// The CPU implementation: a thread pool and the instruction set chosen for it.
#[derive(Debug)]
pub struct Cpu {
    pool: rayon::ThreadPool,
    isa: Isa,
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
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("compute-{i}"))
            .build()
            .map_err(|e| ComputeError::Backend(format!("cannot start {threads} threads: {e}")))?;
        Ok(Self {
            pool,
            isa: Isa::detect(),
        })
    }

    /// The same on another instruction set, if the machine has it; for tests and comparisons.
    #[must_use]
    pub fn portable(mut self) -> Self {
        self.isa = Isa::Portable;
        self
    }

    fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs an element-wise pass in pieces.
    fn each_chunk(&self, data: &mut [f32], pass: impl Fn(Isa, &mut [f32]) + Sync) {
        self.each_rows(data, 1, pass);
    }

    /// Runs a row-wise pass on runs of whole rows.
    fn each_rows(&self, data: &mut [f32], width: usize, pass: impl Fn(Isa, &mut [f32]) + Sync) {
        if self.threads() == 1 || data.len() < WORTH_A_THREAD {
            pass(self.isa, data);
        } else {
            let rows = (data.len() / width).div_ceil(self.threads());
            self.pool.install(|| {
                data.par_chunks_mut(rows * width)
                    .for_each(|chunk| pass(self.isa, chunk));
            });
        }
    }
}

/// Activations, `[tokens, width]`.
#[derive(Debug, Clone)]
pub struct Rows {
    data: Vec<f32>,
    width: usize,
}

impl Rows {
    fn empty(width: usize) -> Self {
        Self {
            data: Vec::new(),
            width,
        }
    }

    fn tokens(&self) -> usize {
        self.data.len() / self.width
    }

    fn row(&self, token: usize) -> &[f32] {
        &self.data[token * self.width..][..self.width]
    }

    fn last(&self, count: usize) -> &[f32] {
        &self.data[self.data.len() - count * self.width..]
    }
}

impl Backend for Cpu {
    type Tensor = TensorView;
    type Rows = Rows;
    type LightningState = LightningState;
    type KvCache = KvCache;

    fn load(&self, tensor: TensorView) -> Result<TensorView, ComputeError> {
        Ok(tensor)
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
        Ok(LightningState(vec![0.0; spec.heads * spec.head_dim * spec.head_dim]))
    }

    fn copy_lightning_state(&self, from: &LightningState, to: &mut LightningState) -> Result<(), ComputeError> {
        to.0.copy_from_slice(&from.0);
        Ok(())
    }

    fn download_lightning_state(&self, state: &LightningState) -> Result<Vec<f32>, ComputeError> {
        Ok(state.0.clone())
    }

    fn kv_cache(&self, spec: &Softmax) -> Result<KvCache, ComputeError> {
        Ok(KvCache::new(spec))
    }

    fn truncate_kv_cache(&self, cache: &mut KvCache, len: usize) -> Result<(), ComputeError> {
        cache.truncate(len);
        Ok(())
    }

    fn embed(&self, table: &TensorView, ids: &[u32]) -> Result<Rows, ComputeError> {
        let width = table.shape()[1];
        let mut data = vec![0.0; ids.len() * width];
        for (row, id) in data.chunks_exact_mut(width).zip(ids) {
            table.dtype().widen(table.row(*id as usize), row);
        }
        Ok(Rows { data, width })
    }

    fn rms_norm(&self, x: &Rows, weight: &TensorView, eps: f64) -> Result<Rows, ComputeError> {
        let weight = weight.to_f32();
        let mut rows = x.clone();
        self.each_rows(&mut rows.data, x.width, |isa, rows| {
            isa.run(RmsNorm {
                rows,
                weight: &weight,
                eps,
            });
        });
        Ok(rows)
    }

    fn slice_rows(&self, x: &Rows, range: Range<usize>) -> Result<Rows, ComputeError> {
        Ok(Rows {
            data: x.data[range.start * x.width..range.end * x.width].to_vec(),
            width: x.width,
        })
    }

    fn residual(&self, alpha: f64, x: &Rows, beta: f64, f: &Rows) -> Result<Rows, ComputeError> {
        let mut out = f.clone();
        self.isa.run(Residual {
            alpha: alpha as f32,
            x: &x.data,
            beta: beta as f32,
            f: &mut out.data,
        });
        Ok(out)
    }

    fn lightning(
        &self,
        spec: &Lightning,
        weights: &LightningWeights<TensorView>,
        h: &Rows,
        state: &LightningState,
        next: &mut LightningState,
        tile: Tile<'_>,
    ) -> Result<Rows, ComputeError> {
        Ok(self.lightning_block(spec, weights, h, state, next, tile)?)
    }

    fn softmax(
        &self,
        spec: &Softmax,
        weights: &SoftmaxWeights<TensorView>,
        h: &Rows,
        cache: &mut KvCache,
        tile: Tile<'_>,
    ) -> Result<Rows, ComputeError> {
        Ok(self.softmax_block(spec, weights, h, cache, tile)?)
    }

    fn moe(
        &self,
        spec: &Moe,
        weights: &MoeWeights<TensorView>,
        h: &Rows,
        interrupt: &Interrupt,
    ) -> Result<Rows, ComputeError> {
        Ok(self.moe_block(spec, weights, h, interrupt)?)
    }

    fn head(&self, head: &TensorView, h: &Rows, interrupt: &Interrupt) -> Result<Vec<f32>, ComputeError> {
        Ok(self.matmul(&h.data, head, interrupt)?)
    }
}
