//! A page as three steps over all rows: scores, weights, weighted values. For any instruction set, type of cache and size of a head.

use super::super::gemm::{Element, Gemm, Mat, MatMut, PANEL};
use super::super::kv_cache::{Head, PAGE};
use super::super::pairs::{Pair, PairGemm};
use super::super::simd::{Isa, Kernel, exp, largest, sum};
use super::{Partial, Scratch};

/// A task at one page.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub isa: Isa,
    pub dim: usize,
    pub group: usize,
    pub rows: usize,
    /// Of the first query token; it sees keys up to its own position.
    pub position: usize,
    /// Position of the page's first key.
    pub first_key: usize,
    pub filled: usize,
}

impl At {
    /// Keys that the query of row `row` sees in the page.
    #[inline(always)]
    pub fn visible(&self, row: usize) -> usize {
        let sees = self.position + row / self.group + 1;
        sees.saturating_sub(self.first_key).min(self.filled)
    }

    pub fn attend<E: Element>(self, page: Head<'_, E>, partial: &mut Partial<'_>, scratch: &mut Scratch) {
        let dim = self.dim;
        scratch.scores.resize(self.rows * PAGE, 0.0);
        let panels = page.keys.chunks_exact(dim * PANEL);
        for (first, panel) in (0..self.filled).step_by(PANEL).zip(panels) {
            Gemm {
                a: Mat {
                    data: &scratch.queries,
                    stride: dim,
                },
                b: Mat {
                    data: panel,
                    stride: PANEL,
                },
                c: MatMut {
                    data: &mut scratch.scores[first..],
                    stride: PAGE,
                },
                m: self.rows,
                n: PANEL.min(self.filled - first),
                k: dim,
                accumulate: false,
            }
            .run_on(self.isa);
        }
        self.isa.run(OnlineSoftmax {
            scores: &mut scratch.scores,
            partial,
            key_scales: page.key_scales,
            value_scales: page.value_scales,
            at: self,
        });
        Gemm {
            a: Mat {
                data: &scratch.scores,
                stride: PAGE,
            },
            b: Mat {
                data: page.values,
                stride: dim,
            },
            c: MatMut {
                data: &mut *partial.out,
                stride: dim,
            },
            m: self.rows,
            n: dim,
            k: self.filled,
            accumulate: true,
        }
        .run_on(self.isa);
    }

    pub fn attend_pairs(self, (keys, values): (&[Pair], &[Pair]), partial: &mut Partial<'_>, scratch: &mut Scratch) {
        let dim = self.dim;
        let pairs = dim.div_ceil(2);
        scratch.scores.resize(self.rows * PAGE, 0.0);
        for (first, panel) in (0..self.filled).step_by(PANEL).zip(keys.chunks_exact(pairs * PANEL)) {
            PairGemm {
                a: &scratch.query_pairs,
                a_stride: pairs,
                b: panel,
                b_stride: PANEL,
                c: &mut scratch.scores[first..],
                c_stride: PAGE,
                m: self.rows,
                n: PANEL.min(self.filled - first),
                k: pairs,
                accumulate: false,
            }
            .run_on(self.isa);
        }
        self.isa.run(OnlineSoftmax {
            scores: &mut scratch.scores,
            partial,
            key_scales: &[],
            value_scales: &[],
            at: self,
        });
        let used = self.filled.div_ceil(2);
        scratch.score_pairs.resize(self.rows * PAGE / 2, Pair::default());
        self.isa.run(RoundScores {
            scores: &scratch.scores,
            pairs: &mut scratch.score_pairs,
            at: self,
        });
        PairGemm {
            a: &scratch.score_pairs,
            a_stride: PAGE / 2,
            b: values,
            b_stride: dim,
            c: &mut *partial.out,
            c_stride: dim,
            m: self.rows,
            n: dim,
            k: used,
            accumulate: true,
        }
        .run_on(self.isa);
    }
}

/// Weights of one page to bf16, pair by pair; one without a token is zero.
struct RoundScores<'a> {
    scores: &'a [f32],
    pairs: &'a mut [Pair],
    at: At,
}

impl Kernel for RoundScores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let filled = self.at.filled;
        let rows = self
            .scores
            .chunks_exact(PAGE)
            .zip(self.pairs.chunks_exact_mut(PAGE / 2));
        for (scores, pairs) in rows.take(self.at.rows) {
            for (pair, two) in pairs.iter_mut().zip(scores[..filled].chunks_exact(2)) {
                *pair = Pair::new(two[0], two[1]);
            }
            if filled % 2 == 1 {
                pairs[filled / 2] = Pair::new(scores[filled - 1], 0.0);
            }
        }
    }
}

/// Scores of one page to weights `e^{s-m}`, with the running maximum, sum and output brought to the new maximum. Scales of
/// keys are multiplied to the scores, those of values to the weights.
struct OnlineSoftmax<'a, 'p> {
    scores: &'a mut [f32],
    partial: &'a mut Partial<'p>,
    key_scales: &'a [f32],
    value_scales: &'a [f32],
    at: At,
}

impl Kernel for OnlineSoftmax<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let At { dim, rows, filled, .. } = self.at;
        let partial = self.partial;
        for (row, scores) in self.scores.chunks_exact_mut(PAGE).take(rows).enumerate() {
            let (seen, hidden) = scores[..filled].split_at_mut(self.at.visible(row));
            hidden.fill(0.0);
            for (s, scale) in seen.iter_mut().zip(self.key_scales) {
                *s *= scale;
            }
            let max = largest(seen).max(partial.max[row]);
            if max == f32::NEG_INFINITY {
                continue;
            }
            let shrink = exp::<FMA>(partial.max[row] - max);
            for s in seen.iter_mut() {
                *s = exp::<FMA>(*s - max);
            }
            partial.max[row] = max;
            partial.sum[row] = partial.sum[row] * shrink + sum(seen);
            for (s, scale) in seen.iter_mut().zip(self.value_scales) {
                *s *= scale;
            }
            if shrink < 1.0 {
                for o in &mut partial.out[row * dim..][..dim] {
                    *o *= shrink;
                }
            }
        }
    }
}
