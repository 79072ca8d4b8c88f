//! The equations that several operations share, and the blocks that work is cut into.

use candle_core::{D, Tensor};

use super::ensure;
use crate::compute::{ComputeError, Interrupt};
use crate::model::Residual;

/// Multiplications between two looks at the interrupt: a few milliseconds.
const BLOCK: usize = 1 << 27;

/// What one exponential costs, in multiplications of a matrix product.
pub const EXP: usize = 128;

/// `x·wᵀ`
pub fn linear(x: &Tensor, w: &Tensor) -> Result<Tensor, ComputeError> {
    Ok(x.matmul(&w.t()?)?)
}

/// `x / sqrt(mean(x²) + eps) ⊙ weight`, a row at a time.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor, ComputeError> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    Ok(x.broadcast_div(&scale)?.broadcast_mul(weight)?)
}

/// `alpha·r + beta·f`, where `r` is the last rows of `h` or of `x`, as many as `f` has.
pub fn residual(residual: Residual, x: &Tensor, h: &Tensor, f: &Tensor) -> Result<Tensor, ComputeError> {
    let r = last_rows(if residual.from_normed { h } else { x }, f.dim(0)?)?;
    Ok(((r * residual.alpha)? + (f * residual.beta)?)?)
}

/// `e^{x - max(x)} / Σ e^{x - max(x)}`, a row at a time. The maximum cancels, in the gradient too.
pub fn softmax(x: &Tensor) -> Result<Tensor, ComputeError> {
    let max = x.max_keepdim(D::Minus1)?.detach();
    let e = x.broadcast_sub(&max)?.exp()?;
    Ok(e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?)
}

/// `1 / (1 + e^{-x})`. Below -80 both it and its gradient are zero in f32; held there, `e^{-x}` stays finite.
pub fn sigmoid(x: &Tensor) -> Result<Tensor, ComputeError> {
    Ok((x.maximum(-80.0)?.neg()?.exp()? + 1.0)?.recip()?)
}

/// `x·σ(x)`
pub fn silu(x: &Tensor) -> Result<Tensor, ComputeError> {
    Ok((x * sigmoid(x)?)?)
}

/// The last `count` rows.
pub fn last_rows(x: &Tensor, count: usize) -> Result<Tensor, ComputeError> {
    let rows = x.dim(0)?;
    ensure(count <= rows, || format!("{count} rows are asked of {rows}"))?;
    Ok(x.narrow(0, rows - count, count)?)
}

/// `f(first, count)` over consecutive blocks of `rows` rows, one after the other in the result, which is
/// `[rows, width]`. `cost` is the number of multiplications a row.
pub fn in_blocks(
    rows: usize,
    width: usize,
    cost: usize,
    interrupt: &Interrupt,
    like: &Tensor,
    mut f: impl FnMut(usize, usize) -> Result<Tensor, ComputeError>,
) -> Result<Tensor, ComputeError> {
    let step = (BLOCK / cost.max(1)).max(1);
    let mut blocks = Vec::with_capacity(rows.div_ceil(step));
    for first in (0..rows).step_by(step) {
        interrupt.check()?;
        blocks.push(f(first, step.min(rows - first))?);
    }
    match blocks.len() {
        0 => Ok(Tensor::zeros((0, width), like.dtype(), like.device())?),
        _ => Ok(Tensor::cat(&blocks, 0)?),
    }
}
