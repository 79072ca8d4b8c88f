//! Scales with little squared error, for the groups of a super-block.
//!
//! Rounding to given levels is exact; which levels is a search: from each of a few steps near the one that spans all
//! values, round, then take the scale that is best for these integers (least squares), and keep what comes closest when
//! rounded again.
//!
//! Loops over whole arrays with sums in lanes: closures and `fold` would neither be inlined into a caller compiled for
//! another instruction set nor vectorise.

use super::rounding::{farthest, reciprocal, round_within, total};

/// How many levels more or fewer than there are the first step spans.
const STRETCHES: [f32; 9] = [-1.2, -0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 1.2];

/// `w = scale·q - least`, `0 ≤ q ≤ last`, `least ≥ 0`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Affine {
    pub scale: f32,
    pub least: f32,
}

impl Affine {
    #[inline(always)]
    pub fn levels<const N: usize>(self, values: &[f32; N], last: f32) -> [f32; N] {
        let inverse = reciprocal(self.scale);
        let mut q = [0.0; N];
        for i in 0..N {
            q[i] = round_within((values[i] + self.least) * inverse, 0.0, last);
        }
        q
    }

    /// Sum of squared differences after rounding.
    #[inline(always)]
    pub fn error<const N: usize>(self, values: &[f32; N], last: f32) -> f32 {
        let mut e = self.levels(values, last);
        for i in 0..N {
            let difference = self.scale * e[i] - self.least - values[i];
            e[i] = difference * difference;
        }
        total(&e)
    }

    /// The best scale and least value for integers `q`; `sum` is that of `values`.
    #[inline(always)]
    fn fit<const N: usize>(self, values: &[f32; N], sum: f32, q: &[f32; N]) -> Self {
        let (mut square, mut product) = ([0.0; N], [0.0; N]);
        for i in 0..N {
            square[i] = q[i] * q[i];
            product[i] = values[i] * q[i];
        }
        let n = N as f32;
        let (sq, sqq, sxq) = (total(q), total(&square), total(&product));
        let determinant = n * sqq - sq * sq;
        if determinant <= 0.0 {
            return self;
        }
        let scale = (n * sxq - sum * sq) / determinant;
        let least = (scale * sq - sum) / n;
        if least >= 0.0 {
            Self { scale, least }
        } else {
            Self {
                scale: sxq / sqq,
                least: 0.0,
            }
        }
    }

    /// A good choice for one group.
    #[inline(always)]
    pub fn search<const N: usize>(values: &[f32; N], last: f32) -> Self {
        let (smallest, largest) = super::rounding::range(values);
        let least = -smallest.min(0.0);
        let span = largest + least;
        let sum = total(values);
        let mut best = Self {
            scale: span / last,
            least,
        };
        let mut best_error = best.error(values, last);
        for stretch in STRETCHES {
            let start = Self {
                scale: span / (last + stretch),
                least,
            };
            let fitted = start.fit(values, sum, &start.levels(values, last));
            let error = fitted.error(values, last);
            if error < best_error {
                (best, best_error) = (fitted, error);
            }
        }
        best
    }
}

/// `w = scale·q`, `-half ≤ q < half`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symmetric {
    pub scale: f32,
    pub half: f32,
}

impl Symmetric {
    #[inline(always)]
    pub fn levels<const N: usize>(self, values: &[f32; N]) -> [f32; N] {
        let inverse = reciprocal(self.scale);
        let mut q = [0.0; N];
        for i in 0..N {
            q[i] = round_within(values[i] * inverse, -self.half, self.half - 1.0);
        }
        q
    }

    #[inline(always)]
    fn error<const N: usize>(self, values: &[f32; N]) -> f32 {
        let mut e = self.levels(values);
        for i in 0..N {
            let difference = self.scale * e[i] - values[i];
            e[i] = difference * difference;
        }
        total(&e)
    }

    /// A good choice for one group.
    #[inline(always)]
    pub fn search<const N: usize>(values: &[f32; N], half: f32) -> Self {
        let farthest = farthest(values);
        let mut best = Self {
            scale: farthest / -half,
            half,
        };
        let mut best_error = best.error(values);
        for stretch in STRETCHES {
            let start = Self {
                scale: farthest / -(half + stretch),
                half,
            };
            let q = start.levels(values);
            let (mut square, mut product) = ([0.0; N], [0.0; N]);
            for i in 0..N {
                square[i] = q[i] * q[i];
                product[i] = values[i] * q[i];
            }
            let squares = total(&square);
            if squares > 0.0 {
                let scale = total(&product) / squares;
                let fitted = Self { scale, half };
                let error = fitted.error(values);
                if error < best_error {
                    (best, best_error) = (fitted, error);
                }
            }
        }
        best
    }
}
