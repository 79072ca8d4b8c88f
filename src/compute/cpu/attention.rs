//! Softmax attention with an online softmax over a paged cache.
//!
//! For each query the maximum `m`, the sum `l = Σ e^{s-m}` and the weighted values `o = Σ e^{s-m}·v` are carried from page to
//! page; when the maximum grows, `l` and `o` shrink by the difference. Partial results over disjoint pages merge by the same
//! rule, which is how a single decoded token is spread over threads. All query heads that share a key-value head go
//! through a page together.

use rayon::prelude::*;

use super::gemm::{Gemm, Mat, MatMut, PANEL};
use super::simd::{Isa, Kernel, exp, largest, sum};
use super::{Cpu, Rows};
use crate::compute::{Interrupt, Interrupted, Tile};
use crate::model::{Rope, Softmax, SoftmaxWeights, TensorView};

/// Tokens a page. A page is allocated whole, and a cache never moves what it holds.
pub(super) const PAGE: usize = 256;
/// Query tokens that go through the pages together.
const QUERY_BLOCK: usize = 32;
/// Pages that one task of a split query takes at least.
const PAGES_A_SPLIT: usize = 16;

/// Keys (rotated, transposed) and values of one layer.
#[derive(Debug)]
pub struct KvCache {
    kv_heads: usize,
    dim: usize,
    len: usize,
    /// `[kv_heads, PAGE / PANEL, dim, PANEL]` a page: as a product reads them, one after the other.
    keys: Vec<Box<[f32]>>,
    /// `[kv_heads, PAGE, dim]` a page.
    values: Vec<Box<[f32]>>,
}

impl KvCache {
    pub(super) fn new(spec: &Softmax) -> Self {
        Self {
            kv_heads: spec.kv_heads,
            dim: spec.head_dim,
            len: 0,
            keys: Vec::new(),
            values: Vec::new(),
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        let len = len.min(self.len);
        self.len = len;
        self.keys.truncate(len.div_ceil(PAGE));
        self.values.truncate(len.div_ceil(PAGE));
    }

    /// Appends one token's keys and values, each `[kv_heads, dim]`.
    fn push(&mut self, key: &[f32], value: &[f32]) {
        let slot = self.len % PAGE;
        if slot == 0 {
            let page = || vec![0.0; self.kv_heads * self.dim * PAGE].into_boxed_slice();
            self.keys.push(page());
            self.values.push(page());
        }
        let page = self.len / PAGE;
        for (head, key) in key.chunks_exact(self.dim).enumerate() {
            let panel = (head * PAGE / PANEL + slot / PANEL) * self.dim;
            for (i, k) in key.iter().enumerate() {
                self.keys[page][(panel + i) * PANEL + slot % PANEL] = *k;
            }
        }
        for (head, v) in value.chunks_exact(self.dim).enumerate() {
            self.values[page][(head * PAGE + slot) * self.dim..][..self.dim].copy_from_slice(v);
        }
        self.len += 1;
    }

    fn page_keys(&self, page: usize, head: usize) -> &[f32] {
        &self.keys[page][head * self.dim * PAGE..][..self.dim * PAGE]
    }

    fn page_values(&self, page: usize, head: usize) -> &[f32] {
        &self.values[page][head * PAGE * self.dim..][..PAGE * self.dim]
    }
}

impl Cpu {
    pub(super) fn softmax_block(
        &self,
        spec: &Softmax,
        weights: &SoftmaxWeights<TensorView>,
        h: &Rows,
        cache: &mut KvCache,
        tile: Tile<'_>,
    ) -> Result<Rows, Interrupted> {
        let dim = spec.head_dim;
        let mut keys = self.matmul(&h.data, &weights.k, tile.interrupt)?;
        let values = self.matmul(&h.data, &weights.v, tile.interrupt)?;
        rotate(spec.rope, dim, spec.kv_heads, tile.position, &mut keys);
        let kv_width = spec.kv_heads * dim;
        for (key, value) in keys.chunks_exact(kv_width).zip(values.chunks_exact(kv_width)) {
            cache.push(key, value);
        }
        if tile.outputs == 0 {
            return Ok(Rows::empty(h.width));
        }

        let first = tile.position + h.tokens() - tile.outputs;
        let mut queries = self.matmul(h.last(tile.outputs), &weights.q, tile.interrupt)?;
        rotate(spec.rope, dim, spec.heads, first, &mut queries);
        let scale = 1.0 / (dim as f32).sqrt();
        for q in &mut queries {
            *q *= scale;
        }
        let y = self.attend(spec, &queries, first, cache, tile.interrupt)?;
        Ok(Rows {
            data: self.matmul(&y, &weights.out, tile.interrupt)?,
            width: h.width,
        })
    }

    /// `queries` is `[tokens, heads·dim]`, rotated and scaled; the first is at `position`. Returns the same shape.
    fn attend(
        &self,
        spec: &Softmax,
        queries: &[f32],
        position: usize,
        cache: &KvCache,
        interrupt: &Interrupt,
    ) -> Result<Vec<f32>, Interrupted> {
        let width = spec.heads * spec.head_dim;
        let tokens = queries.len() / width;
        let mut tasks = Vec::new();
        for start in (0..tokens).step_by(QUERY_BLOCK) {
            let count = QUERY_BLOCK.min(tokens - start);
            let pages = (position + start + count).div_ceil(PAGE);
            for kv_head in 0..spec.kv_heads {
                let blocks = tokens.div_ceil(QUERY_BLOCK) * spec.kv_heads;
                let splits = (2 * self.threads())
                    .div_ceil(blocks)
                    .min(pages.div_ceil(PAGES_A_SPLIT))
                    .max(1);
                let share = pages.div_ceil(splits);
                for first_page in (0..pages).step_by(share) {
                    tasks.push(Task {
                        start,
                        count,
                        kv_head,
                        pages: first_page..pages.min(first_page + share),
                    });
                }
            }
        }
        let run = |task: &Task| task.run(self.isa, spec, queries, position, cache, interrupt);
        let partials: Vec<Partial> = if self.threads() == 1 || tasks.len() == 1 {
            tasks.iter().map(run).collect::<Result<_, _>>()?
        } else {
            self.pool
                .install(|| tasks.par_iter().map(run).collect::<Result<_, _>>())?
        };

        let mut out = vec![0.0; queries.len()];
        let mut parts = tasks.iter().zip(partials).peekable();
        while let Some((task, mut sum)) = parts.next() {
            while let Some((_, more)) =
                parts.next_if(|(next, _)| (next.start, next.kv_head) == (task.start, task.kv_head))
            {
                sum.merge(&more, spec.head_dim);
            }
            sum.write(task, spec, &mut out);
        }
        Ok(out)
    }
}

/// A block of query tokens of one key-value head against a range of pages.
struct Task {
    start: usize,
    count: usize,
    kv_head: usize,
    pages: std::ops::Range<usize>,
}

/// Unnormalised attention of `rows` queries: `[rows]`, `[rows]`, `[rows, dim]`.
struct Partial {
    max: Vec<f32>,
    sum: Vec<f32>,
    out: Vec<f32>,
}

impl Task {
    fn run(
        &self,
        isa: Isa,
        spec: &Softmax,
        queries: &[f32],
        position: usize,
        cache: &KvCache,
        interrupt: &Interrupt,
    ) -> Result<Partial, Interrupted> {
        let dim = spec.head_dim;
        let group = spec.heads / spec.kv_heads;
        let rows = self.count * group;
        // Row t·group + g is query head kv_head·group + g of token t: contiguous in memory for one token.
        let mut q = Vec::with_capacity(rows * dim);
        for t in self.start..self.start + self.count {
            let at = (t * spec.heads + self.kv_head * group) * dim;
            q.extend_from_slice(&queries[at..at + group * dim]);
        }
        let mut partial = Partial {
            max: vec![f32::NEG_INFINITY; rows],
            sum: vec![0.0; rows],
            out: vec![0.0; rows * dim],
        };
        let mut scores = vec![0.0; rows * PAGE];
        for page in self.pages.clone() {
            interrupt.check()?;
            let first_key = page * PAGE;
            let filled = PAGE.min(cache.len - first_key);
            let panels = cache.page_keys(page, self.kv_head).chunks_exact(dim * PANEL);
            for (first, panel) in (0..filled).step_by(PANEL).zip(panels) {
                Gemm {
                    a: Mat { data: &q, stride: dim },
                    b: Mat {
                        data: panel,
                        stride: PANEL,
                    },
                    c: MatMut {
                        data: &mut scores[first..],
                        stride: PAGE,
                    },
                    m: rows,
                    n: PANEL.min(filled - first),
                    k: dim,
                    accumulate: false,
                }
                .run_on(isa);
            }
            isa.run(OnlineSoftmax {
                scores: &mut scores,
                partial: &mut partial,
                dim,
                group,
                position: position + self.start,
                first_key,
                filled,
            });
            Gemm {
                a: Mat {
                    data: &scores,
                    stride: PAGE,
                },
                b: Mat {
                    data: cache.page_values(page, self.kv_head),
                    stride: dim,
                },
                c: MatMut {
                    data: &mut partial.out,
                    stride: dim,
                },
                m: rows,
                n: dim,
                k: filled,
                accumulate: true,
            }
            .run_on(isa);
        }
        Ok(partial)
    }
}

/// Scores of one page to weights `e^{s-m}`, with the running maximum, sum and output brought to the new maximum.
struct OnlineSoftmax<'a> {
    scores: &'a mut [f32],
    partial: &'a mut Partial,
    dim: usize,
    group: usize,
    /// Of the first query token; it sees keys up to its own position.
    position: usize,
    /// Position of the page's first key.
    first_key: usize,
    filled: usize,
}

impl Kernel for OnlineSoftmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (row, scores) in self
            .scores
            .chunks_exact_mut(PAGE)
            .take(self.partial.max.len())
            .enumerate()
        {
            let sees = self.position + row / self.group + 1;
            let visible = sees.saturating_sub(self.first_key).min(self.filled);
            let (seen, hidden) = scores[..self.filled].split_at_mut(visible);
            hidden.fill(0.0);
            let max = largest(seen).max(self.partial.max[row]);
            if max == f32::NEG_INFINITY {
                continue;
            }
            let shrink = exp::<FMA>(self.partial.max[row] - max);
            for s in seen.iter_mut() {
                *s = exp::<FMA>(*s - max);
            }
            self.partial.max[row] = max;
            self.partial.sum[row] = self.partial.sum[row] * shrink + sum(seen);
            if shrink < 1.0 {
                for o in &mut self.partial.out[row * self.dim..][..self.dim] {
                    *o *= shrink;
                }
            }
        }
    }
}

impl Partial {
    fn merge(&mut self, other: &Self, dim: usize) {
        for row in 0..self.max.len() {
            let max = self.max[row].max(other.max[row]);
            if max == f32::NEG_INFINITY {
                continue;
            }
            let (mine, theirs) = ((self.max[row] - max).exp(), (other.max[row] - max).exp());
            self.max[row] = max;
            self.sum[row] = self.sum[row] * mine + other.sum[row] * theirs;
            let range = row * dim..(row + 1) * dim;
            for (o, p) in self.out[range.clone()].iter_mut().zip(&other.out[range]) {
                *o = *o * mine + p * theirs;
            }
        }
    }

    fn write(&self, task: &Task, spec: &Softmax, out: &mut [f32]) {
        let dim = spec.head_dim;
        let group = spec.heads / spec.kv_heads;
        for (row, values) in self.out.chunks_exact(dim).enumerate() {
            let (t, g) = (task.start + row / group, row % group);
            let at = (t * spec.heads + task.kv_head * group + g) * dim;
            for (o, v) in out[at..at + dim].iter_mut().zip(values) {
                *o = v / self.sum[row];
            }
        }
    }
}

/// Rotates the first `rope.dim` channels of every head, pairing `j` with `j + dim/2`; the others are left alone. `x` is
/// `[tokens, heads·dim]`, the first token at `position`. Angles are f64: at a million tokens f32 would be off by 0.03 rad.
fn rotate(rope: Rope, dim: usize, heads: usize, position: usize, x: &mut [f32]) {
    let half = rope.dim / 2;
    let frequencies: Vec<f64> = (0..half)
        .map(|j| rope.theta.powf(-2.0 * j as f64 / rope.dim as f64))
        .collect();
    let mut turns = vec![(0.0, 0.0); half];
    for (t, token) in x.chunks_exact_mut(heads * dim).enumerate() {
        for (turn, frequency) in turns.iter_mut().zip(&frequencies) {
            let (sin, cos) = ((position + t) as f64 * frequency).sin_cos();
            *turn = (cos as f32, sin as f32);
        }
        for head in token.chunks_exact_mut(dim) {
            let (low, high) = head[..rope.dim].split_at_mut(half);
            for ((a, b), (cos, sin)) in low.iter_mut().zip(high).zip(&turns) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_leaves_the_other_channels_and_the_norm() {
        let rope = Rope { dim: 4, theta: 1e4 };
        let x: Vec<f32> = (0..24).map(|i| i as f32 - 7.5).collect();
        let mut y = x.clone();
        rotate(rope, 6, 2, 5, &mut y);
        for (head, (a, b)) in x.chunks(6).zip(y.chunks(6)).enumerate() {
            assert_eq!(a[4..], b[4..], "head {head}");
            assert_ne!(a[..4], b[..4], "head {head}");
            let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>();
            assert!((norm(a) - norm(b)).abs() < 1e-3);
        }
    }

    #[test]
    fn rotation_is_exact_at_a_million_tokens() {
        let rope = Rope { dim: 64, theta: 1e7 };
        let mut x = vec![0.0; 64];
        x[..32].fill(1.0);
        rotate(rope, 64, 1, 1 << 20, &mut x);
        for j in 0..32 {
            let angle = f64::from(1 << 20) * 1e7f64.powf(-f64::from(j) / 32.0);
            assert!((f64::from(x[j as usize]) - angle.cos()).abs() < 1e-6);
            assert!((f64::from(x[j as usize + 32]) - angle.sin()).abs() < 1e-6);
        }
    }
}
