//! Products in bf16, pair by pair: `C[m, n] (+)= Σ_k A[m, 2k]·B[2k, n] + A[m, 2k+1]·B[2k+1, n]`, summed in f32.
//!
//! A pair is two numbers that are summed one after the other, in one 32-bit word, the first in the low half: what
//! `vdpbf16ps` multiplies in one lane, twice as many numbers an instruction as f32. Keys are pairs of channels of a token,
//! values pairs of tokens of a channel, so attention needs no rearranging. Machines without that instruction
//! compute the same equation on widened halves.

use half::bf16;

use super::simd::{Isa, Kernel, mul_add};

/// Two numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Pair(u32);

impl Pair {
    #[inline(always)]
    pub fn new(first: f32, second: f32) -> Self {
        Self(u32::from(round(first)) | u32::from(round(second)) << 16)
    }

    /// Of two numbers that bf16 has.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn exact(first: f32, second: f32) -> Self {
        Self(first.to_bits() >> 16 | second.to_bits() & 0xffff_0000)
    }

    pub fn to_le_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    pub fn from_le_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    /// The same with number `index` replaced.
    pub fn with(self, index: usize, x: f32) -> Self {
        let shift = 16 * index;
        Self(self.0 & !(0xffff << shift) | u32::from(bf16::from_f32(x).to_bits()) << shift)
    }

    #[inline(always)]
    pub fn first(self) -> f32 {
        f32::from_bits(self.0 << 16)
    }

    #[inline(always)]
    pub fn second(self) -> f32 {
        f32::from_bits(self.0 & 0xffff_0000)
    }
}

/// To the nearest bf16, ties to even; not a number stays one.
#[inline(always)]
fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    if x.is_nan() {
        (bits >> 16 | 0x40) as u16
    } else {
        (rounded >> 16) as u16
    }
}

/// `C[m, n] = A[m, k]·B[k, n]` over `k` pairs, or `+=` with `accumulate`. All row-major; row `i` begins at `i·stride`.
pub(super) struct PairGemm<'a> {
    pub a: &'a [Pair],
    pub a_stride: usize,
    pub b: &'a [Pair],
    pub b_stride: usize,
    pub c: &'a mut [f32],
    pub c_stride: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub accumulate: bool,
}

/// Columns of C that are computed together.
const COLUMNS: usize = 32;
/// Rows of C that are computed together.
const ROWS: usize = 8;

impl PairGemm<'_> {
    pub fn run_on(self, isa: Isa) {
        if self.m == 0 || self.n == 0 {
            return;
        }
        assert!(self.k <= self.a_stride || self.m == 1, "rows of A");
        assert!(self.a.len() >= (self.m - 1) * self.a_stride + self.k, "A");
        assert!(
            self.k == 0 || self.b.len() >= (self.k - 1) * self.b_stride + self.n,
            "B"
        );
        assert!(self.c.len() >= (self.m - 1) * self.c_stride + self.n, "C");
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 && std::arch::is_x86_feature_detected!("avx512bf16") {
            let vectors = self.n / avx512::LANES * avx512::LANES;
            // SAFETY: the features are there, and the operands are as long as was just checked.
            #[allow(unsafe_code)]
            unsafe {
                avx512::multiply(&mut PairGemm {
                    n: vectors,
                    c: &mut *self.c,
                    ..self
                });
            }
            if vectors < self.n {
                isa.run(PairGemm {
                    b: self.b.get(vectors..).unwrap_or_default(),
                    c: &mut self.c[vectors..],
                    n: self.n - vectors,
                    ..self
                });
            }
            return;
        }
        isa.run(self);
    }

    #[inline(always)]
    fn tile<const FMA: bool, const R: usize>(&mut self, row: usize, column: usize) {
        let width = COLUMNS.min(self.n - column);
        let mut sums = [[0.0f32; COLUMNS]; R];
        for k in 0..self.k {
            let b = &self.b[k * self.b_stride + column..][..width];
            for (r, sums) in sums.iter_mut().enumerate() {
                let a = self.a[(row + r) * self.a_stride + k];
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = mul_add::<FMA>(a.second(), b.second(), mul_add::<FMA>(a.first(), b.first(), *sum));
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let c = &mut self.c[(row + r) * self.c_stride + column..][..width];
            for (c, sum) in c.iter_mut().zip(sums) {
                *c = if self.accumulate { *c + sum } else { *sum };
            }
        }
    }
}

impl Kernel for PairGemm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(mut self) {
        for column in (0..self.n).step_by(COLUMNS) {
            let mut row = 0;
            while row + ROWS <= self.m {
                self.tile::<FMA, ROWS>(row, column);
                row += ROWS;
            }
            while row < self.m {
                self.tile::<FMA, 1>(row, column);
                row += 1;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    #![allow(unsafe_code)]
    #![allow(clippy::needless_range_loop, reason = "several arrays are walked together")]

    use std::arch::x86_64::*;

    use super::PairGemm;

    /// Columns of a vector.
    pub const LANES: usize = 16;

    /// # Safety
    /// The processor must have the features; `gemm.n` must be a multiple of 16, and its operands as long as its sizes say.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn multiply(gemm: &mut PairGemm<'_>) {
        let mut column = 0;
        // SAFETY: handed on to the caller.
        unsafe {
            while column + 2 * LANES <= gemm.n {
                rows::<2>(gemm, column);
                column += 2 * LANES;
            }
            if column < gemm.n {
                rows::<1>(gemm, column);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn rows<const V: usize>(gemm: &mut PairGemm<'_>, column: usize) {
        let mut row = 0;
        while row < gemm.m {
            // SAFETY: handed on to the caller.
            unsafe {
                match gemm.m - row {
                    8.. => tile::<8, V>(gemm, row, column),
                    7 => tile::<7, V>(gemm, row, column),
                    6 => tile::<6, V>(gemm, row, column),
                    5 => tile::<5, V>(gemm, row, column),
                    4 => tile::<4, V>(gemm, row, column),
                    3 => tile::<3, V>(gemm, row, column),
                    2 => tile::<2, V>(gemm, row, column),
                    _ => tile::<1, V>(gemm, row, column),
                }
            }
            row += 8;
        }
    }

    /// `R` rows and `V` vectors of C.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn tile<const R: usize, const V: usize>(gemm: &mut PairGemm<'_>, row: usize, column: usize) {
        // SAFETY: within the lengths that the caller vouches for.
        unsafe {
            let a = gemm.a.as_ptr().add(row * gemm.a_stride);
            let b = gemm.b.as_ptr().add(column);
            let mut sums = [[_mm512_setzero_ps(); V]; R];
            for k in 0..gemm.k {
                let b = b.add(k * gemm.b_stride);
                let b: [_; V] = std::array::from_fn(|v| _mm512_loadu_si512(b.add(v * LANES).cast()));
                for r in 0..R {
                    let a = _mm512_set1_epi32(a.add(r * gemm.a_stride + k).cast::<i32>().read());
                    for v in 0..V {
                        sums[r][v] = _mm512_dpbf16_ps(sums[r][v], as_bf16(a), as_bf16(b[v]));
                    }
                }
            }
            let c = gemm.c.as_mut_ptr().add(row * gemm.c_stride + column);
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    let c = c.add(r * gemm.c_stride + v * LANES);
                    let sum = if gemm.accumulate {
                        _mm512_add_ps(_mm512_loadu_ps(c), *sum)
                    } else {
                        *sum
                    };
                    _mm512_storeu_ps(c, sum);
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn as_bf16(v: __m512i) -> __m512bh {
        // SAFETY: both are 64 bytes of any value.
        unsafe { std::mem::transmute(v) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rounding_is_that_of_the_crate() {
        for bits in (0..=u32::MAX).step_by(65_521) {
            let x = f32::from_bits(bits);
            let pair = Pair::new(x, -x);
            assert_eq!(pair, Pair::default().with(1, -x).with(0, x), "{x}");
            let (first, exact) = (pair.first(), bf16::from_f32(x).to_f32());
            assert!(first.to_bits() == exact.to_bits() || first.is_nan() && exact.is_nan());
        }
    }

    proptest! {
        #[test]
        fn equals_the_plain_product(m in 1usize..20, n in 1usize..100, k in 0usize..40, pad in 0usize..3, accumulate: bool, seed: u64) {
            let mut state = seed | 1;
            let mut next = || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0 };
            let (a_stride, b_stride, c_stride) = (k + pad, n + pad, n + 2 * pad);
            let a: Vec<Pair> = (0..m * a_stride).map(|_| Pair::new(next(), next())).collect();
            let b: Vec<Pair> = (0..k * b_stride).map(|_| Pair::new(next(), next())).collect();
            let before: Vec<f32> = (0..m * c_stride).map(|_| next()).collect();
            for isa in Isa::available() {
                let mut c = before.clone();
                PairGemm { a: &a, a_stride, b: &b, b_stride, c: &mut c, c_stride, m, n, k, accumulate }.run_on(isa);
                for i in 0..m {
                    for j in 0..c_stride {
                        let kept = if accumulate || j >= n { f64::from(before[i * c_stride + j]) } else { 0.0 };
                        let sum = (0..if j < n { k } else { 0 }).map(|x| {
                            let (a, b) = (a[i * a_stride + x], b[x * b_stride + j]);
                            f64::from(a.first()) * f64::from(b.first()) + f64::from(a.second()) * f64::from(b.second())
                        });
                        prop_assert!((f64::from(c[i * c_stride + j]) - kept - sum.sum::<f64>()).abs() < 2e-5, "{isa:?} {i} {j}");
                    }
                }
            }
        }
    }
}
