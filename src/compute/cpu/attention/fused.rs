//! Scores, exponentials and weighted values of a page in one go, with `vdpbf16ps`.
//!
//! Some rows of queries stay in the first-level cache with all their scores, while the page's keys and then its values stream
//! past them; what is written back is one row of output, one maximum and one sum a query. An exponential is eight
//! instructions for 16 of them: `2^x` for `x = (s - m)·log₂e` is a polynomial of what `x` is above a whole number, scaled by that
//! number. Its error is 2.6e-6, a thousandth of what rounding the weights to bf16 does.
//!
//! A page of a head is two pieces of some ten KiB, which the processor's prefetcher finds as each begins and loses as it ends. So the
//! values are asked for line by line while the keys are read, and the next page's keys while the values are.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "several arrays are walked together")]

use std::arch::x86_64::*;

use super::super::gemm::PANEL;
use super::super::kv_cache::{PAGE, Page};
use super::super::pairs::Pair;
use super::super::simd::{Isa, Kernel};
use super::Partial;
use super::plain::At;

/// Rows that go through a page together.
const ROWS: usize = 8;
const LANES: usize = 16;
/// Vectors of a panel of keys, and of the columns of values that are summed together.
const VECTORS: usize = PANEL / LANES;

/// Buffers of one task.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    scores: Scores,
    /// A page that is not in bf16, in bf16.
    keys: Vec<Pair>,
    values: Vec<Pair>,
}

/// Scores of the rows that go together, and then their weights in the same place.
#[derive(Debug)]
#[repr(C, align(64))]
struct Scores([f32; ROWS * PAGE]);

impl Default for Scores {
    fn default() -> Self {
        Self([0.0; ROWS * PAGE])
    }
}

impl At {
    /// Does nothing and says so where this machine or the page is not for it.
    pub(super) fn fuse(
        &self,
        page: &Page,
        next: Option<&Page>,
        kv_head: usize,
        partial: &mut Partial<'_>,
        scratch: &mut super::Scratch,
    ) -> bool {
        let dim = self.dim;
        if self.isa != Isa::Avx512 || !dim.is_multiple_of(PANEL) || !std::arch::is_x86_feature_detected!("avx512bf16") {
            return false;
        }
        let Scratch { scores, keys, values } = &mut scratch.fused;
        let (keys, values, key_scales, value_scales): (&[Pair], &[Pair], &[f32], &[f32]) = match page {
            Page::F32(_) => return false,
            Page::Bf16(pairs) => {
                let (keys, values) = pairs.head(kv_head, dim);
                (keys, values, &[], &[])
            }
            Page::Q8(stored) => {
                let page = stored.head(kv_head, dim);
                keys.resize(dim / 2 * PAGE, Pair::default());
                values.resize(dim / 2 * PAGE, Pair::default());
                self.isa.run(Widen {
                    from: page.keys,
                    width: PANEL,
                    to: keys,
                });
                self.isa.run(Widen {
                    from: page.values,
                    width: dim,
                    to: values,
                });
                (keys, values, page.key_scales, page.value_scales)
            }
        };
        assert!(scratch.query_pairs.len() >= self.rows * dim / 2, "queries");
        assert!(keys.len() >= PAGE * dim / 2 && values.len() >= PAGE * dim / 2, "page");
        assert!(partial.max.len() >= self.rows && partial.sum.len() >= self.rows, "sums");
        assert!(partial.out.len() >= self.rows * dim, "outputs");
        let scales = [key_scales.len(), value_scales.len()];
        assert!(scales == [0, 0] || scales == [PAGE, PAGE], "scales");
        let next = next.map_or(Ahead::NOTHING, |next| match next {
            Page::F32(_) => Ahead::NOTHING,
            Page::Bf16(pairs) => Ahead::of(pairs.head(kv_head, dim).0),
            Page::Q8(stored) => Ahead::of(stored.head(kv_head, dim).keys),
        });
        let mut fused = Fused {
            at: *self,
            queries: &scratch.query_pairs,
            keys,
            values,
            key_scales,
            value_scales,
            partial,
        };
        for row in (0..self.rows).step_by(ROWS) {
            let ahead = [
                if row == 0 { Ahead::of(values) } else { Ahead::NOTHING },
                if row + ROWS >= self.rows { next } else { Ahead::NOTHING },
            ];
            // SAFETY: the features are there, and the operands are as long as was just checked.
            unsafe {
                match self.rows - row {
                    1 => fused.rows::<1>(row, scores, ahead),
                    2 => fused.rows::<2>(row, scores, ahead),
                    3 => fused.rows::<3>(row, scores, ahead),
                    4 => fused.rows::<4>(row, scores, ahead),
                    5 => fused.rows::<5>(row, scores, ahead),
                    6 => fused.rows::<6>(row, scores, ahead),
                    7 => fused.rows::<7>(row, scores, ahead),
                    _ => fused.rows::<ROWS>(row, scores, ahead),
                }
            }
        }
        true
    }
}

/// Memory that is asked for before it is needed, two cache lines a step.
#[derive(Clone, Copy)]
struct Ahead {
    from: *const u8,
    bytes: usize,
}

impl Ahead {
    const NOTHING: Self = Self {
        from: std::ptr::null(),
        bytes: 0,
    };
    const STEP: usize = 128;

    fn of<T>(memory: &[T]) -> Self {
        Self {
            from: memory.as_ptr().cast(),
            bytes: size_of_val(memory),
        }
    }

    /// What `steps` steps ask for, which leaves the rest.
    fn take(&mut self, steps: usize) -> Self {
        let bytes = self.bytes.min(steps * Self::STEP);
        let first = Self { bytes, ..*self };
        self.from = self.from.wrapping_add(bytes);
        self.bytes -= bytes;
        first
    }
}

/// Whole numbers of 8 bits, rows of `width` of them, to bf16, which has all of them: rows two by two become pairs.
struct Widen<'a> {
    from: &'a [i8],
    width: usize,
    to: &'a mut [Pair],
}

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let rows = self.from.chunks_exact(2 * self.width);
        for (to, from) in self.to.chunks_exact_mut(self.width).zip(rows) {
            let (first, second) = from.split_at(self.width);
            for (to, (first, second)) in to.iter_mut().zip(first.iter().zip(second)) {
                *to = Pair::exact(f32::from(*first), f32::from(*second));
            }
        }
    }
}

/// Rows of queries against a page of one head.
struct Fused<'a, 'p> {
    at: At,
    /// `[rows, dim / 2]`
    queries: &'a [Pair],
    /// `[PAGE / PANEL, dim / 2, PANEL]`
    keys: &'a [Pair],
    /// `[PAGE / 2, dim]`
    values: &'a [Pair],
    /// What scores and weights are multiplied by, `[PAGE]` each; or empty.
    key_scales: &'a [f32],
    value_scales: &'a [f32],
    partial: &'a mut Partial<'p>,
}

impl Fused<'_, '_> {
    /// `R` rows from `first` on.
    ///
    /// # Safety
    /// The processor must have the features, and the operands be as long as [`At`] says.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn rows<const R: usize>(&mut self, first: usize, scores: &mut Scores, [mut values, mut next]: [Ahead; 2]) {
        let seen: [usize; R] = std::array::from_fn(|r| self.at.visible(first + r));
        // Later rows see no fewer.
        let most = seen[R - 1];
        let scores = scores.0.as_mut_ptr();
        // SAFETY: handed on to the caller; rows and columns are within the buffer.
        unsafe {
            for panel in 0..most.div_ceil(PANEL) {
                let ahead = values.take(self.at.dim / 2);
                self.scores::<R>(first, panel, scores.add(panel * PANEL), ahead);
            }
            // All rows' first, so that one does not wait for the next to find its own.
            let largest: [f32; R] = std::array::from_fn(|r| largest(seen[r], scores.add(r * PAGE)));
            let shrink: [f32; R] =
                std::array::from_fn(|r| self.weights(first + r, seen[r], most, largest[r], scores.add(r * PAGE)));
            for column in (0..self.at.dim).step_by(PANEL) {
                self.values(first, column, most, scores.cast(), &shrink, next.take(PAGE / 2));
            }
        }
    }

    /// Scores of `R` rows and the keys of a panel.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn scores<const R: usize>(&self, row: usize, panel: usize, to: *mut f32, ahead: Ahead) {
        let pairs = self.at.dim / 2;
        // SAFETY: handed on to the caller.
        unsafe {
            let a = self.queries.as_ptr().add(row * pairs).cast::<i32>();
            let b = self.keys.as_ptr().add(panel * pairs * PANEL);
            let mut sums = dots::<R>(a, pairs, b, PANEL, pairs, ahead);
            if let Some(scales) = self.key_scales.get(panel * PANEL..(panel + 1) * PANEL) {
                for v in 0..VECTORS {
                    let scale = _mm512_loadu_ps(scales.as_ptr().add(v * LANES));
                    for sums in &mut sums {
                        sums[v] = _mm512_mul_ps(sums[v], scale);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    _mm512_store_ps(to.add(r * PAGE + v * LANES), *sum);
                }
            }
        }
    }

    /// One row's scores to weights in bf16, those of the keys that it does not see zero up to `most`. The answer is what the row's
    /// output shrinks by.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn weights(&mut self, row: usize, seen: usize, most: usize, largest: f32, scores: *mut f32) -> f32 {
        let panels = most.div_ceil(PANEL);
        // SAFETY: handed on to the caller.
        unsafe {
            let before = self.partial.max[row];
            let max = before.max(largest);
            if max == f32::NEG_INFINITY {
                // None is seen.
                for key in (0..panels * PANEL).step_by(PANEL) {
                    _mm512_store_si512(scores.cast::<i32>().add(key / 2).cast(), _mm512_setzero_si512());
                }
                return 1.0;
            }
            let maxima = _mm512_set1_ps(max);
            let mut sums = [_mm512_setzero_ps(); VECTORS];
            for key in (0..panels * PANEL).step_by(PANEL) {
                let mut weights = [_mm512_setzero_ps(); VECTORS];
                for v in 0..VECTORS {
                    let key = key + v * LANES;
                    weights[v] = power(mask(seen, key), _mm512_load_ps(scores.add(key)), maxima);
                    sums[v] = _mm512_add_ps(sums[v], weights[v]);
                }
                if let Some(scales) = self.value_scales.get(key..key + PANEL) {
                    for v in 0..VECTORS {
                        weights[v] = _mm512_mul_ps(weights[v], _mm512_loadu_ps(scales.as_ptr().add(v * LANES)));
                    }
                }
                // Never beyond what has been read.
                let pairs = _mm512_cvtne2ps_pbh(weights[1], weights[0]);
                _mm512_store_si512(
                    scores.cast::<i32>().add(key / 2).cast(),
                    std::mem::transmute::<__m512bh, __m512i>(pairs),
                );
            }
            // Nearly always.
            let shrink = if max > before { (before - max).exp() } else { 1.0 };
            self.partial.max[row] = max;
            self.partial.sum[row] =
                self.partial.sum[row] * shrink + _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
            shrink
        }
    }

    /// `R` rows' outputs, shrunk, and the weighted values of the first `most` keys, in the columns from `column` on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn values<const R: usize>(
        &mut self,
        row: usize,
        column: usize,
        most: usize,
        weights: *const i32,
        shrink: &[f32; R],
        ahead: Ahead,
    ) {
        // SAFETY: handed on to the caller.
        unsafe {
            let b = self.values.as_ptr().add(column);
            let sums = dots::<R>(weights, PAGE, b, self.at.dim, most.div_ceil(2), ahead);
            for (r, sums) in sums.iter().enumerate() {
                let shrink = _mm512_set1_ps(shrink[r]);
                for (v, sum) in sums.iter().enumerate() {
                    let out = self
                        .partial
                        .out
                        .as_mut_ptr()
                        .add((row + r) * self.at.dim + column + v * LANES);
                    _mm512_storeu_ps(out, _mm512_fmadd_ps(_mm512_loadu_ps(out), shrink, *sum));
                }
            }
        }
    }
}

/// Lanes of the vector at `key` that a row sees, of which `seen` keys are.
#[inline]
fn mask(seen: usize, key: usize) -> u16 {
    match seen.saturating_sub(key) {
        LANES.. => u16::MAX,
        some => (1 << some) - 1,
    }
}

/// The largest of the first `seen` scores.
///
/// # Safety
/// The processor must have the features, and panels of scores be there up to that one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn largest(seen: usize, scores: *const f32) -> f32 {
    let mut largest = [_mm512_set1_ps(f32::NEG_INFINITY); VECTORS];
    for key in (0..seen).step_by(PANEL) {
        for (v, largest) in largest.iter_mut().enumerate() {
            let key = key + v * LANES;
            // SAFETY: handed on to the caller.
            let scores = unsafe { _mm512_load_ps(scores.add(key)) };
            *largest = _mm512_mask_max_ps(*largest, mask(seen, key), *largest, scores);
        }
    }
    _mm512_reduce_max_ps(_mm512_max_ps(largest[0], largest[1]))
}

/// Sums of products of `pairs` pairs of `R` rows of `a` and a panel's columns of `b`.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn dots<const R: usize>(
    a: *const i32,
    a_stride: usize,
    b: *const Pair,
    b_stride: usize,
    pairs: usize,
    ahead: Ahead,
) -> [[__m512; VECTORS]; R] {
    let mut sums = [[_mm512_setzero_ps(); VECTORS]; R];
    let asking = ahead.bytes.div_ceil(Ahead::STEP).min(pairs);
    // SAFETY: the caller vouches for the lengths.
    unsafe {
        for k in 0..asking {
            let line = ahead.from.wrapping_add(k * Ahead::STEP).cast();
            _mm_prefetch::<_MM_HINT_T1>(line);
            _mm_prefetch::<_MM_HINT_T1>(line.wrapping_add(64));
            dot(&mut sums, a.add(k), a_stride, b.add(k * b_stride));
        }
        for k in asking..pairs {
            dot(&mut sums, a.add(k), a_stride, b.add(k * b_stride));
        }
    }
    sums
}

/// Adds the products of a pair of each row and a panel's columns of one row of pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn dot<const R: usize>(sums: &mut [[__m512; VECTORS]; R], a: *const i32, a_stride: usize, b: *const Pair) {
    // SAFETY: the caller vouches for the lengths; any 64 bytes are 32 numbers in bf16.
    unsafe {
        let b: [__m512bh; VECTORS] =
            std::array::from_fn(|v| std::mem::transmute(_mm512_loadu_si512(b.add(v * LANES).cast())));
        for r in 0..R {
            let a = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*a.add(r * a_stride)));
            for v in 0..VECTORS {
                sums[r][v] = _mm512_dpbf16_ps(sums[r][v], a, b[v]);
            }
        }
    }
}

/// `e^(s - max)` where the mask is set, and zero elsewhere.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn power(mask: u16, s: __m512, max: __m512) -> __m512 {
    /// Minimises the largest relative error over [0, 1).
    const POLYNOMIAL: [f32; 5] = [0.013_534_17, 0.052_011_46, 0.241_442_76, 0.693_003_83, 1.000_002_6];
    let x = _mm512_mul_ps(_mm512_sub_ps(s, max), _mm512_set1_ps(std::f32::consts::LOG2_E));
    // What is above the whole number below.
    let r = _mm512_reduce_ps::<1>(x);
    let mut p = _mm512_set1_ps(POLYNOMIAL[0]);
    for c in &POLYNOMIAL[1..] {
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(*c));
    }
    _mm512_maskz_scalef_ps(mask, p, x)
}
