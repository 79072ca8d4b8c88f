//! Lightning attention as the recurrence it is.
//!
//! ```text
//! q, k, v = SiLU(W_qkv·h)              rows of W_qkv: per head q | k | v
//! S ← e^{-slope}·S + kᵀv               [head_dim, head_dim] a head, key by value
//! o = q·S                              the updated state
//! out = W_out·( σ(W_gate·h) ⊙ RMSNorm(o over all heads) )
//! ```

use candle_core::{DType, Device, Tensor};

use super::basic::{EXP, in_blocks, last_rows, linear, rms_norm, sigmoid, silu};
use super::ensure;
use crate::compute::{ComputeError, Tile};
use crate::model::{Lightning, LightningWeights};

pub fn zero_state(spec: &Lightning) -> Result<Tensor, ComputeError> {
    let shape = (spec.heads, spec.head_dim, spec.head_dim);
    Ok(Tensor::zeros(shape, DType::F32, &Device::Cpu)?)
}

/// The rows that are read, `[tile.outputs, hidden]`, and the state after the last token.
pub fn forward(
    spec: &Lightning,
    weights: &LightningWeights<Tensor>,
    h: &Tensor,
    state: &Tensor,
    tile: Tile<'_>,
) -> Result<(Tensor, Tensor), ComputeError> {
    tile.interrupt.check()?;
    let (heads, d) = (spec.heads, spec.head_dim);
    let (tokens, hidden) = h.dims2()?;
    let read = last_rows(h, tile.outputs)?;
    ensure(spec.slopes.len() == heads, || {
        format!("{} slopes for {heads} heads", spec.slopes.len())
    })?;

    let qkv_width = heads * 3 * d;
    let cost = qkv_width * (hidden + EXP);
    let qkv = in_blocks(tokens, qkv_width, cost, tile.interrupt, h, |first, count| {
        silu(&linear(&h.narrow(0, first, count)?, &weights.qkv)?)
    })?;
    let qkv = qkv.reshape((tokens, heads, 3, d))?;

    let decay: Vec<f32> = spec.slopes.iter().map(|slope| (-slope).exp() as f32).collect();
    let decay = Tensor::from_vec(decay, (heads, 1, 1), h.device())?;
    let mut s = state.clone();
    let mut o = Vec::with_capacity(tile.outputs);
    for t in 0..tokens {
        tile.interrupt.check()?;
        let token = qkv.get(t)?;
        let q = token.narrow(1, 0, 1)?;
        let k = token.narrow(1, 1, 1)?;
        let v = token.narrow(1, 2, 1)?;
        s = (s.broadcast_mul(&decay)? + k.transpose(1, 2)?.matmul(&v)?)?;
        if t >= tokens - tile.outputs {
            o.push(q.matmul(&s)?.reshape((1, heads * d))?);
        }
    }
    if o.is_empty() {
        return Ok((read, s));
    }

    let o = Tensor::cat(&o, 0)?;
    let cost = heads * d * (2 * hidden + EXP);
    let rows = in_blocks(tile.outputs, hidden, cost, tile.interrupt, h, |first, count| {
        let y = rms_norm(&o.narrow(0, first, count)?, &weights.norm, spec.norm_eps)?;
        let gate = sigmoid(&linear(&read.narrow(0, first, count)?, &weights.gate)?)?;
        linear(&(gate * y)?, &weights.out)
    })?;
    Ok((rows, s))
}
