//! Small dense products on f32, row-major: `C (+)= A·B`.
//!
//! Everything else reduces to this one shape: a weight panel is widened and transposed to `[K, PANEL]`, cached keys
//! lie transposed, and the lightning state is a `[K, N]` matrix already. The kernel keeps an `MR × PANEL` tile of C in
//! registers and streams through A and B once. The compiler makes good code of it for 16 registers; for the 32 wide ones of
//! AVX-512 it is written out.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::simd::{Isa, Kernel, mul_add};

/// Columns of C computed together; also the width of a packed weight panel.
pub const PANEL: usize = 32;
/// Rows of C computed together.
const MR: usize = 8;

/// What B may be stored as; it is widened to f32 as it is read.
pub trait Element: Copy {
    fn widen(self) -> f32;

    /// 16 of them, those of `mask`; the others are zero and not touched.
    ///
    /// # Safety
    /// The processor must have AVX-512, and those of `mask` must be readable.
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    unsafe fn load(from: *const Self, mask: u16) -> __m512;
}

impl Element for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }

    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(from: *const Self, mask: u16) -> __m512 {
        // SAFETY: as the caller vouches.
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }
}

impl Element for i8 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from(self)
    }

    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn load(from: *const Self, mask: u16) -> __m512 {
        // SAFETY: as the caller vouches.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, from))) }
    }
}

/// A row-major matrix inside a slice; row `i` begins at `i·stride`.
#[derive(Clone, Copy)]
pub struct Mat<'a, E = f32> {
    pub data: &'a [E],
    pub stride: usize,
}

/// A row-major matrix to write to.
pub struct MatMut<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
}

/// `C[m, n] = A[m, k]·B[k, n]`, or `+=` with `accumulate`.
pub struct Gemm<'a, E = f32> {
    pub a: Mat<'a>,
    pub b: Mat<'a, E>,
    pub c: MatMut<'a>,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub accumulate: bool,
}

impl<E: Element> Gemm<'_, E> {
    pub fn run_on(self, isa: Isa) {
        #[cfg(target_arch = "x86_64")]
        if isa == Isa::Avx512 {
            if self.m == 0 || self.n == 0 {
                return;
            }
            let reach = |rows: usize, stride: usize, width: usize| rows.saturating_sub(1) * stride + width;
            assert!(self.a.data.len() >= reach(self.m, self.a.stride, self.k), "A");
            assert!(
                self.k == 0 || self.b.data.len() >= reach(self.k, self.b.stride, self.n),
                "B"
            );
            assert!(self.c.data.len() >= reach(self.m, self.c.stride, self.n), "C");
            // SAFETY: this variant exists only where the features are, and the operands are as long as was just checked.
            #[allow(unsafe_code)]
            unsafe {
                avx512::multiply(self);
            }
            return;
        }
        isa.run(self);
    }
}

impl<E: Element> Kernel for Gemm<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let Gemm {
            a,
            b,
            mut c,
            m,
            n,
            k,
            accumulate,
        } = self;
        let mut column = 0;
        while column < n {
            let width = PANEL.min(n - column);
            let mut row = 0;
            while row < m {
                let rows = MR.min(m - row);
                let at = Tile {
                    a,
                    b,
                    row,
                    column,
                    width,
                    k,
                    accumulate,
                };
                match rows {
                    1 => at.compute::<FMA, 1>(&mut c),
                    2 => at.compute::<FMA, 2>(&mut c),
                    3 => at.compute::<FMA, 3>(&mut c),
                    4 => at.compute::<FMA, 4>(&mut c),
                    5 => at.compute::<FMA, 5>(&mut c),
                    6 => at.compute::<FMA, 6>(&mut c),
                    7 => at.compute::<FMA, 7>(&mut c),
                    _ => at.compute::<FMA, MR>(&mut c),
                }
                row += rows;
            }
            column += width;
        }
    }
}

struct Tile<'a, E> {
    a: Mat<'a>,
    b: Mat<'a, E>,
    row: usize,
    column: usize,
    width: usize,
    k: usize,
    accumulate: bool,
}

impl<E: Element> Tile<'_, E> {
    #[inline(always)]
    fn compute<const FMA: bool, const ROWS: usize>(&self, c: &mut MatMut<'_>) {
        let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &self.a.data[(self.row + r) * self.a.stride..][..self.k]);
        let acc = if self.width == PANEL {
            self.full::<FMA, ROWS>(&rows)
        } else {
            self.tail::<FMA, ROWS>(&rows)
        };
        for (r, acc) in acc.iter().enumerate() {
            let out = &mut c.data[(self.row + r) * c.stride + self.column..][..self.width];
            if self.accumulate {
                for (o, v) in out.iter_mut().zip(acc) {
                    *o += v;
                }
            } else {
                out.copy_from_slice(&acc[..self.width]);
            }
        }
    }

    #[inline(always)]
    fn full<const FMA: bool, const ROWS: usize>(&self, rows: &[&[f32]; ROWS]) -> [[f32; PANEL]; ROWS] {
        let mut acc = [[0.0f32; PANEL]; ROWS];
        for i in 0..self.k {
            let b: &[E; PANEL] = self.b.data[i * self.b.stride + self.column..]
                .first_chunk()
                .expect("a full panel has PANEL columns");
            for (acc, row) in acc.iter_mut().zip(rows) {
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = mul_add::<FMA>(row[i], b.widen(), *acc);
                }
            }
        }
        acc
    }

    #[inline(always)]
    fn tail<const FMA: bool, const ROWS: usize>(&self, rows: &[&[f32]; ROWS]) -> [[f32; PANEL]; ROWS] {
        let mut acc = [[0.0f32; PANEL]; ROWS];
        for i in 0..self.k {
            let b = &self.b.data[i * self.b.stride + self.column..][..self.width];
            for (acc, row) in acc.iter_mut().zip(rows) {
                for (acc, b) in acc.iter_mut().zip(b) {
                    *acc = mul_add::<FMA>(row[i], b.widen(), *acc);
                }
            }
        }
        acc
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    #![allow(unsafe_code)]
    #![allow(clippy::needless_range_loop, reason = "several arrays are walked together")]

    use std::arch::x86_64::*;

    use super::{Element, Gemm};

    const LANES: usize = 16;

    /// # Safety
    /// The processor must have the features, and the operands be as long as their sizes say.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,fma")]
    pub unsafe fn multiply<E: Element>(mut gemm: Gemm<'_, E>) {
        for column in (0..gemm.n).step_by(2 * LANES) {
            let mut row = 0;
            while row < gemm.m {
                // SAFETY: handed on to the caller.
                unsafe {
                    match gemm.m - row {
                        8.. => tile::<E, 8>(&mut gemm, row, column),
                        7 => tile::<E, 7>(&mut gemm, row, column),
                        6 => tile::<E, 6>(&mut gemm, row, column),
                        5 => tile::<E, 5>(&mut gemm, row, column),
                        4 => tile::<E, 4>(&mut gemm, row, column),
                        3 => tile::<E, 3>(&mut gemm, row, column),
                        2 => tile::<E, 2>(&mut gemm, row, column),
                        _ => tile::<E, 1>(&mut gemm, row, column),
                    }
                }
                row += 8;
            }
        }
    }

    /// `R` rows and up to two vectors of C.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,fma")]
    unsafe fn tile<E: Element, const R: usize>(gemm: &mut Gemm<'_, E>, row: usize, column: usize) {
        let left = gemm.n - column;
        let mask = |lanes: usize| if lanes >= LANES { u16::MAX } else { (1 << lanes) - 1 };
        let masks = [mask(left), mask(left.saturating_sub(LANES))];
        // SAFETY: within the lengths that the caller vouches for; what the masks leave out is not touched.
        unsafe {
            let a = gemm.a.data.as_ptr().add(row * gemm.a.stride);
            let b = gemm.b.data.as_ptr().wrapping_add(column);
            let mut sums = [[_mm512_setzero_ps(); 2]; R];
            for k in 0..gemm.k {
                let b = b.wrapping_add(k * gemm.b.stride);
                let b = [E::load(b, masks[0]), E::load(b.wrapping_add(LANES), masks[1])];
                for r in 0..R {
                    let a = _mm512_set1_ps(*a.add(r * gemm.a.stride + k));
                    for v in 0..2 {
                        sums[r][v] = _mm512_fmadd_ps(a, b[v], sums[r][v]);
                    }
                }
            }
            let c = gemm.c.data.as_mut_ptr().add(row * gemm.c.stride + column);
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    let c = c.wrapping_add(r * gemm.c.stride + v * LANES);
                    let sum = if gemm.accumulate {
                        _mm512_add_ps(_mm512_maskz_loadu_ps(masks[v], c), *sum)
                    } else {
                        *sum
                    };
                    _mm512_mask_storeu_ps(c, masks[v], sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_plain_product(m in 0usize..20, n in 0usize..80, k in 0usize..40, pad in 0usize..3, accumulate: bool, seed: u64) {
            let mut state = seed | 1;
            let mut next = || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407); (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5 };
            let (sa, sb, sc) = (k + pad, n + pad, n + 2 * pad);
            let a: Vec<f32> = (0..m * sa).map(|_| next()).collect();
            let b: Vec<f32> = (0..k * sb).map(|_| next()).collect();
            let c0: Vec<f32> = (0..m * sc).map(|_| next()).collect();
            for isa in Isa::available() {
                let mut c = c0.clone();
                Gemm { a: Mat { data: &a, stride: sa }, b: Mat { data: &b, stride: sb }, c: MatMut { data: &mut c, stride: sc }, m, n, k, accumulate }.run_on(isa);
                for i in 0..m {
                    for j in 0..sc {
                        let start = if accumulate || j >= n { f64::from(c0[i * sc + j]) } else { 0.0 };
                        let sum: f64 = if j < n { (0..k).map(|x| f64::from(a[i * sa + x]) * f64::from(b[x * sb + j])).sum() } else { 0.0 };
                        prop_assert!((f64::from(c[i * sc + j]) - start - sum).abs() < 1e-5);
                    }
                }
            }
        }
    }
}
