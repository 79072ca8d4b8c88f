//! Lightning attention by blocks.
//!
//! With decay `λ = e^{-s}` and a block of `m` tokens that starts from state `S`,
//! ```text
//! O = (q ⊙ λ^{i+1})·S + ((q·kᵀ) ⊙ D)·v      D_ij = λ^{i-j} for i ≥ j, else 0      i, j from 0
//! S ← λ^m·S + (k ⊙ λ^{m-1-j})ᵀ·v
//! ```
//! Every power is taken of a difference of positions, so none exceeds 1: `λ^i·λ^{-j}` would overflow within a block.
//! Blocks bound the quadratic part; heads are independent and are what threads share. A single token is the recurrence itself.

use super::disjoint::Disjoint;
use super::elementwise::{Gate, RmsNorm};
use super::gemm::{Gemm, Mat, MatMut};
use super::project::{Activation, Projection};
use super::simd::{Isa, Kernel, mul_add};
use super::weight::Weight;
use super::workspace::{Workspace, all};
use super::{Cpu, MIXED_TOGETHER, Rows};
use crate::compute::{Block, Interrupt, Interrupted, Tile};
use crate::model::{Lightning, LightningWeights};

/// Tokens a block: the score matrix and the scratch of one head then stay in the first-level cache.
const BLOCK: usize = 64;

/// Tokens of a tile that can be cut short afterwards.
const SHORT: usize = 32;

#[derive(Debug, Clone)]
pub struct LightningState {
    /// `[heads, head_dim, head_dim]`, key by value.
    pub(super) values: Vec<f32>,
    /// What the tile that led here was made of, `[tokens, 3·heads·head_dim]`, if it was a short one.
    tile: Vec<f32>,
}

impl LightningState {
    pub(super) fn zero(spec: &Lightning) -> Self {
        Self {
            values: vec![0.0; spec.heads * spec.head_dim * spec.head_dim],
            tile: Vec::new(),
        }
    }

    /// None if these are not as many values as a state has.
    pub(super) fn from_values(spec: &Lightning, values: &[f32]) -> Option<Self> {
        (values.len() == spec.heads * spec.head_dim * spec.head_dim).then(|| Self {
            values: values.to_vec(),
            tile: Vec::new(),
        })
    }

    pub(super) fn copy_from(&mut self, other: &Self) {
        self.values.copy_from_slice(&other.values);
        self.tile.clear();
    }
}

impl Cpu {
    pub(super) fn lightning_block(
        &self,
        workspace: &mut Workspace,
        block: Block<'_, Weight>,
        spec: &Lightning,
        weights: &LightningWeights<Weight>,
        x: &mut Rows,
        state: &LightningState,
        next: &mut LightningState,
        tile: Tile<'_>,
    ) -> Result<(), Interrupted> {
        let (tokens, hidden) = (x.tokens(), x.width);
        let first_output = tokens - tile.outputs;
        let (heads, dim) = (spec.heads, spec.head_dim);
        let width = heads * dim;
        let threads = &workspace.threads;
        let buffers = &mut workspace.mixer;
        workspace.result.resize(tile.outputs * hidden, 0.0);
        let single = tokens == 1;
        if !single {
            next.values.copy_from_slice(&state.values);
        }
        next.tile.clear();
        for start in (0..tokens).step_by(MIXED_TOGETHER) {
            let count = MIXED_TOGETHER.min(tokens - start);
            let skip = first_output.saturating_sub(start).min(count);
            let outputs = count - skip;
            let normed = &mut workspace.normed;
            let these = &x.data[start * hidden..(start + count) * hidden];
            let norm = (block.norm, block.eps);
            self.normalise(
                threads,
                these,
                norm,
                &[&weights.qkv, &weights.gate],
                normed,
                tile.interrupt,
            )?;

            let (qkv, gate) = (&mut buffers.first, &mut buffers.second);
            qkv.resize(count * 3 * width, 0.0);
            gate.resize(outputs * width, 0.0);
            let all = all(&mut workspace.all, count);
            let project_qkv = Projection {
                weight: &weights.qkv,
                input: normed.input(),
                tokens: all,
                activation: Activation::Silu,
                out: qkv,
            };
            let project_gate = Projection {
                weight: &weights.gate,
                input: normed.input(),
                tokens: &all[skip..],
                activation: Activation::Sigmoid,
                out: gate,
            };
            self.project(threads, [project_qkv, project_gate], tile.interrupt)?;

            if !single && tokens <= SHORT {
                next.tile.extend_from_slice(qkv);
            }
            // Head-major, so that each head writes a slice of its own.
            buffers.heads.resize(outputs * width, 0.0);
            let by_head = Disjoint::new(&mut buffers.heads);
            let states = Disjoint::new(&mut next.values);
            let work = count * width * (2 * dim + BLOCK.min(count));
            self.step(threads, heads, work, tile.interrupt, |head, thread| {
                // SAFETY: each head has its own outputs and its own state.
                #[allow(unsafe_code)]
                let (out, after) = unsafe {
                    (
                        by_head.part(head * outputs * dim, outputs * dim),
                        states.part(head * dim * dim, dim * dim),
                    )
                };
                let qkv = &qkv[head * 3 * dim..];
                if single {
                    self.isa.run(Step {
                        qkv: &qkv[..3 * dim],
                        decay: (-spec.slopes[head]).exp() as f32,
                        before: &state.values[head * dim * dim..][..dim * dim],
                        after,
                        out,
                    });
                    return;
                }
                Recurrence {
                    isa: self.isa,
                    qkv,
                    stride: 3 * width,
                    dim,
                    tokens: count,
                    slope: spec.slopes[head],
                    state: after,
                    out,
                    first_output: skip,
                }
                .run(&mut thread.lightning, tile);
            })?;
            if outputs == 0 {
                continue;
            }

            let mixed = &mut buffers.mixed;
            let quantise = mixed.resize(outputs, width, &[&weights.out]);
            let by_head = &buffers.heads;
            self.rows(threads, mixed, outputs, quantise, tile.interrupt, |t, row, _| {
                for (head, out) in row.chunks_exact_mut(dim).enumerate() {
                    out.copy_from_slice(&by_head[(head * outputs + t) * dim..][..dim]);
                }
                self.isa.run(RmsNorm {
                    rows: row,
                    weight: weights.norm.factors(),
                    eps: spec.norm_eps,
                });
                self.isa.run(Gate(row, &gate[t * width..][..width]));
            })?;
            let r = if block.residual.from_normed {
                &normed.rows[skip * hidden..]
            } else {
                &these[skip * hidden..]
            };
            self.project_residual(
                threads,
                &weights.out,
                mixed.input(),
                &all[..outputs],
                (block.residual.alpha as f32, r),
                block.residual.beta as f32,
                &mut workspace.result[(start + skip - first_output) * hidden..][..outputs * hidden],
                tile.interrupt,
            )?;
        }
        std::mem::swap(&mut x.data, &mut workspace.result);
        Ok(())
    }

    /// Makes `next` what the first `count` tokens of the tile that led to it make of `state`; false if it is not known.
    pub(super) fn shorten_lightning_tile(
        &self,
        workspace: &mut Workspace,
        spec: &Lightning,
        state: &LightningState,
        next: &mut LightningState,
        count: usize,
    ) -> Result<bool, Interrupted> {
        let (heads, dim) = (spec.heads, spec.head_dim);
        if count == 0 {
            next.copy_from(state);
            return Ok(true);
        }
        let stride = 3 * heads * dim;
        if next.tile.len() < count * stride {
            return Ok(false);
        }
        next.values.copy_from_slice(&state.values);
        let (qkv, states) = (&next.tile, Disjoint::new(&mut next.values));
        let interrupt = Interrupt::new();
        let tile = Tile {
            position: 0,
            outputs: 0,
            interrupt: &interrupt,
        };
        let work = count * heads * dim * dim;
        self.step(&workspace.threads, heads, work, &interrupt, |head, thread| {
            // SAFETY: each head has its own state.
            #[allow(unsafe_code)]
            let state = unsafe { states.part(head * dim * dim, dim * dim) };
            Recurrence {
                isa: self.isa,
                qkv: &qkv[head * 3 * dim..],
                stride,
                dim,
                tokens: count,
                slope: spec.slopes[head],
                state,
                out: &mut [],
                first_output: count,
            }
            .run(&mut thread.lightning, tile);
        })?;
        next.tile.clear();
        Ok(true)
    }
}

/// One token of one head: `S' = λ·S + kᵀv`, `o = q·S'`.
struct Step<'a> {
    /// `q | k | v`
    qkv: &'a [f32],
    decay: f32,
    /// `[dim, dim]`
    before: &'a [f32],
    after: &'a mut [f32],
    /// `[dim]`, or empty if it is not read.
    out: &'a mut [f32],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let dim = self.qkv.len() / 3;
        let (q, rest) = self.qkv.split_at(dim);
        let (k, v) = rest.split_at(dim);
        self.out.fill(0.0);
        let rows = self.before.chunks_exact(dim).zip(self.after.chunks_exact_mut(dim));
        for ((before, after), (q, k)) in rows.zip(q.iter().zip(k)) {
            for ((after, before), v) in after.iter_mut().zip(before).zip(v) {
                *after = mul_add::<FMA>(self.decay, *before, k * v);
            }
            for (out, after) in self.out.iter_mut().zip(after) {
                *out = mul_add::<FMA>(*q, *after, *out);
            }
        }
    }
}

/// One head over one tile. `qkv` begins at the head's q of the first token; k and v follow at `dim` and `2·dim`.
struct Recurrence<'a> {
    isa: Isa,
    qkv: &'a [f32],
    stride: usize,
    dim: usize,
    tokens: usize,
    slope: f64,
    /// `[dim, dim]`
    state: &'a mut [f32],
    /// `[tokens - first_output, dim]`
    out: &'a mut [f32],
    first_output: usize,
}

impl Recurrence<'_> {
    /// Stops early if the interrupt is raised.
    fn run(mut self, scratch: &mut Scratch, tile: Tile<'_>) {
        scratch.fit(BLOCK.min(self.tokens), self.dim, self.slope);
        for start in (0..self.tokens).step_by(BLOCK) {
            if tile.interrupt.is_raised() {
                return;
            }
            let m = BLOCK.min(self.tokens - start);
            self.transpose_keys(start, m, scratch);
            if start + m > self.first_output {
                self.outputs(start, m, scratch);
            }
            self.update(start, m, scratch);
        }
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
            let decay = scratch.powers[skip + i + 1];
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
                *score *= scratch.powers[i - j];
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
                *k *= scratch.powers[m - 1 - j];
            }
        }
        let decay = scratch.powers[m];
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

/// Buffers of one head's block.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `e^{-s·i}`, each from its own exponent.
    powers: Vec<f32>,
    /// `[dim, m]`
    keys: Vec<f32>,
    /// `[m, dim]`, already decayed.
    queries: Vec<f32>,
    /// `[m, m]`
    scores: Vec<f32>,
}

impl Scratch {
    fn fit(&mut self, block: usize, dim: usize, slope: f64) {
        self.powers.clear();
        self.powers
            .extend((0..=block).map(|i| (-slope * i as f64).exp() as f32));
        self.keys.resize(dim * block, 0.0);
        self.queries.resize(block * dim, 0.0);
        self.scores.resize(block * block, 0.0);
    }
}
