//! Mixture of experts, an expert at a time.
//!
//! ```text
//! p = softmax(W_router·h)                      over all experts
//! e₁ … e_k: the k largest p                    equal ones: the lower index first
//! w_i = p_{e_i} / Σ_j p_{e_j}
//! y = Σ_i w_i · W_down( SiLU(W_gate·h) ⊙ (W_up·h) ) of expert e_i
//! ```

use candle_core::Tensor;

use super::basic::{EXP, in_blocks, linear, silu, softmax};
use super::ensure;
use crate::compute::{ComputeError, Interrupt};
use crate::model::{ExpertWeights, Moe, MoeWeights};

pub fn forward(
    spec: &Moe,
    weights: &MoeWeights<Tensor>,
    h: &Tensor,
    interrupt: &Interrupt,
) -> Result<Tensor, ComputeError> {
    interrupt.check()?;
    let (tokens, hidden) = h.dims2()?;
    let (experts, top_k) = (spec.experts, spec.top_k);
    ensure((1..=experts).contains(&top_k), || {
        format!("{top_k} of {experts} experts cannot be chosen")
    })?;
    ensure(weights.experts.len() == experts, || {
        format!("{} experts have weights, not {experts}", weights.experts.len())
    })?;
    ensure(weights.router.is_some() || experts == 1, || {
        format!("{experts} experts without a router")
    })?;
    let mut y = h.zeros_like()?;
    if tokens == 0 {
        return Ok(y);
    }

    let p = match &weights.router {
        Some(router) => {
            let cost = experts * (hidden + EXP);
            in_blocks(tokens, experts, cost, interrupt, h, |first, count| {
                softmax(&linear(&h.narrow(0, first, count)?, router)?)
            })?
        }
        None => Tensor::ones((tokens, 1), h.dtype(), h.device())?,
    };
    let chosen: Vec<u32> = p.to_vec2::<f32>()?.iter().flat_map(|p| largest(p, top_k)).collect();
    let slots = Tensor::from_slice(&chosen, (tokens, top_k), h.device())?;
    let w = p.gather(&slots, 1)?;
    let w = w.broadcast_div(&w.sum_keepdim(1)?)?.reshape((tokens * top_k, 1))?;

    for (e, expert) in weights.experts.iter().enumerate() {
        let slots: Vec<u32> = (0u32..)
            .zip(&chosen)
            .filter(|(_, c)| **c == e as u32)
            .map(|(slot, _)| slot)
            .collect();
        if slots.is_empty() {
            continue;
        }
        let count = slots.len();
        let rows: Vec<u32> = slots.iter().map(|slot| slot / top_k as u32).collect();
        let rows = Tensor::from_vec(rows, count, h.device())?;
        let slots = Tensor::from_vec(slots, count, h.device())?;
        let (x, w) = (h.index_select(&rows, 0)?, w.index_select(&slots, 0)?);
        let cost = spec.width * (3 * hidden + EXP);
        let f = in_blocks(count, hidden, cost, interrupt, h, |first, count| {
            let f = feed_forward(expert, &x.narrow(0, first, count)?)?;
            Ok(f.broadcast_mul(&w.narrow(0, first, count)?)?)
        })?;
        y = y.index_add(&rows, &f, 0)?;
    }
    Ok(y)
}

fn feed_forward(expert: &ExpertWeights<Tensor>, x: &Tensor) -> Result<Tensor, ComputeError> {
    let gate = silu(&linear(x, &expert.gate)?)?;
    linear(&(gate * linear(x, &expert.up)?)?, &expert.down)
}

/// Indices of the `k` largest values, largest first, of equal ones the lower index first.
fn largest(values: &[f32], k: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0u32..).take(values.len()).collect();
    order.sort_by(|a, b| values[*b as usize].total_cmp(&values[*a as usize]));
    order.truncate(k);
    order
}
