//! Row-wise and element-wise operations.

use super::simd::{Kernel, exp, sigmoid, silu};

/// `x ← x·σ(x)`.
pub struct Silu<'a>(pub &'a mut [f32]);

impl Kernel for Silu<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for x in self.0 {
            *x = silu::<FMA>(*x);
        }
    }
}

/// `x ← σ(x)`.
pub struct Sigmoid<'a>(pub &'a mut [f32]);

impl Kernel for Sigmoid<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for x in self.0 {
            *x = sigmoid::<FMA>(*x);
        }
    }
}

/// `x ← x·σ(x)·y`: the inner activation of an expert.
pub struct SiluMul<'a>(pub &'a mut [f32], pub &'a [f32]);

impl Kernel for SiluMul<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (x, y) in self.0.iter_mut().zip(self.1) {
            *x = silu::<FMA>(*x) * y;
        }
    }
}

/// `x ← x·gate`.
pub struct Gate<'a>(pub &'a mut [f32], pub &'a [f32]);

impl Kernel for Gate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (x, gate) in self.0.iter_mut().zip(self.1) {
            *x *= gate;
        }
    }
}

/// `x ← x / sqrt(mean(x²) + eps) ⊙ weight`, a row of `weight.len()` at a time. The mean is summed in f64.
pub struct RmsNorm<'a> {
    pub rows: &'a mut [f32],
    pub weight: &'a [f32],
    pub eps: f64,
}

impl Kernel for RmsNorm<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let width = self.weight.len();
        for row in self.rows.chunks_exact_mut(width) {
            let squares = sum_of_squares(row);
            let scale = (1.0 / (squares / width as f64 + self.eps).sqrt()) as f32;
            for (x, w) in row.iter_mut().zip(self.weight) {
                *x = *x * scale * w;
            }
        }
    }
}

#[inline(always)]
fn sum_of_squares(row: &[f32]) -> f64 {
    let (chunks, tail) = row.as_chunks::<16>();
    let mut lanes = [0.0f64; 16];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*x) * f64::from(*x);
        }
    }
    let tail: f64 = tail.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    lanes.iter().sum::<f64>() + tail
}

/// Turns logits into probabilities in place.
pub struct SoftmaxRow<'a>(pub &'a mut [f32]);

impl Kernel for SoftmaxRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let max = self.0.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for x in self.0.iter_mut() {
            *x = exp::<FMA>(*x - max);
            sum += *x;
        }
        for x in self.0 {
            *x /= sum;
        }
    }
}
