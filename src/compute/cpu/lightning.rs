//! Lightning attention by blocks.
//!
//! With decay `λ = e^{-s}` and a block of `m` tokens that starts from state `S`,
//! ```text
//! O = (q ⊙ λ^{i+1})·S + ((q·kᵀ) ⊙ D)·v      D_ij = λ^{i-j} for i ≥ j, else 0      i, j from 0
//! S ← λ^m·S + (k ⊙ λ^{m-1-j})ᵀ·v
//! ```
//! Every power is taken of a difference of positions, so none exceeds 1: `λ^i·λ^{-j}` would overflow within a block.
//! Blocks bound the quadratic part; heads are independent and are what threads share.

use rayon::prelude::*;

use super::elementwise::{Gate, RmsNorm, Silu};
use super::gemm::{Gemm, Mat, MatMut};
use super::simd::Isa;
use super::{Cpu, Rows};
use crate::compute::{Interrupt, Interrupted, Tile};
use crate::model::{Lightning, LightningWeights, TensorView};

/// Tokens a block: the score matrix and the scratch of one head then stay in the first-level cache.
const BLOCK: usize = 64;
/// Multiply-adds of one head's tile under which threads do not pay.
const WORTH_A_THREAD: usize = 1 << 16;

/// `[heads, head_dim, head_dim]`, key by value.
#[derive(Debug, Clone)]
pub struct LightningState(pub(super) Vec<f32>);

impl Cpu {
    pub(super) fn lightning_block(
        &self,
        spec: &Lightning,
        weights: &LightningWeights<TensorView>,
        h: &Rows,
        state: &LightningState,
        next: &mut LightningState,
        tile: Tile<'_>,
    ) -> Result<Rows, Interrupted> {
        let mut qkv = self.matmul(&h.data, &weights.qkv, tile.interrupt)?;
        self.each_chunk(&mut qkv, |isa, chunk| isa.run(Silu(chunk)));

        let (heads, dim, tokens) = (spec.heads, spec.head_dim, h.tokens());
        let width = heads * dim;
        // Head-major, so that each head writes a slice of its own.
        let mut by_head = vec![0.0; tile.outputs * width];
        next.0.copy_from_slice(&state.0);
        let one_head = |head: usize, out: &mut [f32], state: &mut [f32]| {
            Recurrence {
                isa: self.isa,
                qkv: &qkv[head * 3 * dim..],
                stride: 3 * width,
                dim,
                tokens,
                powers: powers(spec.slopes[head], BLOCK.min(tokens)),
                state,
                out,
                first_output: tokens - tile.outputs,
            }
            .run(tile.interrupt)
        };
        // The states go through chunks of one head; with no outputs there is no slice to zip them with.
        let states = next.0.chunks_exact_mut(dim * dim).enumerate();
        let mut outs = by_head.chunks_mut((tile.outputs * dim).max(1));
        let work: Vec<_> = states
            .map(|(head, s)| (head, outs.next().unwrap_or_default(), s))
            .collect();
        if self.threads() == 1 || tokens * dim * dim < WORTH_A_THREAD {
            for (head, out, state) in work {
                one_head(head, out, state)?;
            }
        } else {
            self.pool.install(|| {
                work.into_par_iter()
                    .try_for_each(|(head, out, state)| one_head(head, out, state))
            })?;
        }
        if tile.outputs == 0 {
            return Ok(Rows::empty(h.width));
        }

        let mut y = vec![0.0; tile.outputs * width];
        for (t, row) in y.chunks_exact_mut(width).enumerate() {
            for (head, out) in row.chunks_exact_mut(dim).enumerate() {
                out.copy_from_slice(&by_head[(head * tile.outputs + t) * dim..][..dim]);
            }
        }
        let norm = weights.norm.to_f32();
        self.each_rows(&mut y, width, |isa, rows| {
            isa.run(RmsNorm {
                rows,
                weight: &norm,
                eps: spec.norm_eps,
            });
        });
        let gate = self.matmul(h.last(tile.outputs), &weights.gate, tile.interrupt)?;
        self.isa.run(Gate(&mut y, &gate));
        Ok(Rows {
            data: self.matmul(&y, &weights.out, tile.interrupt)?,
            width: h.width,
        })
    }
}

/// `e^{-s·i}` for `i` in `0..=count`, each from its own exponent.
fn powers(slope: f64, count: usize) -> Vec<f32> {
    (0..=count).map(|i| (-slope * i as f64).exp() as f32).collect()
}

/// One head over one tile. `qkv` begins at the head's q of the first token; k and v follow at `dim` and `2·dim`.
struct Recurrence<'a> {
    isa: Isa,
    qkv: &'a [f32],
    stride: usize,
    dim: usize,
    tokens: usize,
    powers: Vec<f32>,
    /// `[dim, dim]`
    state: &'a mut [f32],
    /// `[tokens - first_output, dim]`
    out: &'a mut [f32],
    first_output: usize,
}

impl Recurrence<'_> {
    fn run(mut self, interrupt: &Interrupt) -> Result<(), Interrupted> {
        let block = BLOCK.min(self.tokens);
        let mut scratch = Scratch::new(block, self.dim);
        for start in (0..self.tokens).step_by(BLOCK) {
            interrupt.check()?;
            let m = BLOCK.min(self.tokens - start);
            self.transpose_keys(start, m, &mut scratch);
            if start + m > self.first_output {
                self.outputs(start, m, &mut scratch);
            }
            self.update(start, m, &mut scratch);
        }
        Ok(())
    }

    fn token(&self, t: usize) -> &[f32] {
        &self.qkv[t * self.stride..][..3 * self.dim]
    }

    fn values(&self, start: usize) -> Mat<'_> {
        Mat {
            data: &self.qkv[start * self.stride + 2 * self.dim..],
            stride: self.stride,
        }
    }

    fn transpose_keys(&self, start: usize, m: usize, scratch: &mut Scratch) {
        for j in 0..m {
            for (a, k) in self.token(start + j)[self.dim..2 * self.dim].iter().enumerate() {
                scratch.keys[a * m + j] = *k;
            }
        }
    }

    fn outputs(&mut self, start: usize, m: usize, scratch: &mut Scratch) {
        let dim = self.dim;
        // Outputs before `first_output` are not asked for: begin at the block's first wanted row.
        let skip = self.first_output.saturating_sub(start);
        let rows = m - skip;
        for (i, row) in scratch.queries[..rows * dim].chunks_exact_mut(dim).enumerate() {
            let decay = self.powers[skip + i + 1];
            for (scaled, q) in row.iter_mut().zip(self.token(start + skip + i)) {
                *scaled = decay * q;
            }
        }
        Gemm {
            a: Mat {
                data: &self.qkv[(start + skip) * self.stride..],
                stride: self.stride,
            },
            b: Mat {
                data: &scratch.keys,
                stride: m,
            },
            c: MatMut {
                data: &mut scratch.scores,
                stride: m,
            },
            m: rows,
            n: m,
            k: dim,
            accumulate: false,
        }
        .run_on(self.isa);
        for (i, row) in scratch.scores[..rows * m].chunks_exact_mut(m).enumerate() {
            let i = skip + i;
            for (j, score) in row[..=i].iter_mut().enumerate() {
                *score *= self.powers[i - j];
            }
            row[i + 1..].fill(0.0);
        }
        let values = Mat {
            data: &self.qkv[start * self.stride + 2 * dim..],
            stride: self.stride,
        };
        let out = &mut self.out[(start + skip - self.first_output) * dim..];
        Gemm {
            a: Mat {
                data: &scratch.queries,
                stride: dim,
            },
            b: Mat {
                data: self.state,
                stride: dim,
            },
            c: MatMut {
                data: &mut *out,
                stride: dim,
            },
            m: rows,
            n: dim,
            k: dim,
            accumulate: false,
        }
        .run_on(self.isa);
        Gemm {
            a: Mat {
                data: &scratch.scores,
                stride: m,
            },
            b: values,
            c: MatMut { data: out, stride: dim },
            m: rows,
            n: dim,
            k: m,
            accumulate: true,
        }
        .run_on(self.isa);
    }

    fn update(&mut self, start: usize, m: usize, scratch: &mut Scratch) {
        let dim = self.dim;
        for row in scratch.keys[..dim * m].chunks_exact_mut(m) {
            for (j, k) in row.iter_mut().enumerate() {
                *k *= self.powers[m - 1 - j];
            }
        }
        let decay = self.powers[m];
        for s in self.state.iter_mut() {
            *s *= decay;
        }
        let mut state = std::mem::take(&mut self.state);
        Gemm {
            a: Mat {
                data: &scratch.keys,
                stride: m,
            },
            b: self.values(start),
            c: MatMut {
                data: &mut *state,
                stride: dim,
            },
            m: dim,
            n: dim,
            k: m,
            accumulate: true,
        }
        .run_on(self.isa);
        std::mem::swap(&mut self.state, &mut state);
    }
}

struct Scratch {
    /// `[dim, m]`
    keys: Vec<f32>,
    /// `[m, dim]`, already decayed.
    queries: Vec<f32>,
    /// `[m, m]`
    scores: Vec<f32>,
}

impl Scratch {
    fn new(block: usize, dim: usize) -> Self {
        Self {
            keys: vec![0.0; dim * block],
            queries: vec![0.0; block * dim],
            scores: vec![0.0; block * block],
        }
    }
}
