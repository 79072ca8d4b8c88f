//! Small dense products on f32, row-major: `C (+)= A·B`.
//!
//! Everything else reduces to this one shape: a weight panel is widened and transposed to `[K, PANEL]`, cached keys
//! lie transposed, and the lightning state is a `[K, N]` matrix already. The kernel keeps an `MR × PANEL` tile of C in
//! registers and streams through A and B once.

use super::simd::{Isa, Kernel, mul_add};

/// Columns of C computed together; also the width of a packed weight panel.
pub const PANEL: usize = 32;
/// Rows of C computed together.
const MR: usize = 8;

/// What B may be stored as; it is widened to f32 as it is read.
pub trait Element: Copy {
    fn widen(self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Element for i8 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from(self)
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
            for isa in [Isa::detect(), Isa::Portable] {
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
