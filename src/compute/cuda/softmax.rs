//! A softmax-attention block.

use super::cache::KvCache;
use super::driver::{Argument, Driver};
use super::memory::{Buffer, Card, THREADS, arguments, bytes_of};
use super::products::Result16;
use super::rows::{Normed, Rows};
use super::weight::Weight;
use super::{Workspace, ensure};
use crate::compute::{ComputeError, Tile};
use crate::model::{Pairing, Rope, Softmax, SoftmaxWeights};

/// Keys of a block of decoding at least; a multiple of 64.
const SPLIT: usize = 256;

pub(super) fn check(spec: &Softmax) -> Result<(), ComputeError> {
    let fits = spec.head_dim.is_multiple_of(8) && spec.head_dim <= 128;
    ensure(fits && spec.rope.dim <= spec.head_dim, || {
        format!(
            "attention heads of {} channels: on a graphics card they are a multiple of 8, at most 128",
            spec.head_dim
        )
    })?;
    ensure(spec.kv_heads > 0 && spec.heads.is_multiple_of(spec.kv_heads), || {
        format!("{} heads cannot share {} kv heads", spec.heads, spec.kv_heads)
    })
}

/// `f` of the last `tile.outputs` rows; the tile's keys and values have been appended.
pub(super) fn forward<D: Driver>(
    card: &Card<D>,
    workspace: &mut Workspace<D>,
    spec: &Softmax,
    weights: &SoftmaxWeights<Weight<D>>,
    (x, h): (&Rows<D>, &Normed<D>),
    cache: &mut KvCache<D>,
    tile: Tile<'_>,
) -> Result<Buffer<D>, ComputeError> {
    let (heads, kv_heads, d) = (spec.heads, spec.kv_heads, spec.head_dim);
    let (rows, outputs) = (x.count, tile.outputs);
    cache.reserve(card, tile.position + rows)?;
    let frequencies = frequencies(card, workspace, rows, spec.rope)?;
    let (read, first_read) = (rows - outputs, tile.position + rows - outputs);

    // Keys and values of all tokens, queries of those that are read.
    let (kernel, q, k, v) = match &h.bf16 {
        None => (
            "rope_f32",
            card.gemv(&weights.q, h.f32.at(read * x.width * 4), outputs)?,
            card.gemv(&weights.k, h.f32.address(), rows)?,
            card.gemv(&weights.v, h.f32.address(), rows)?,
        ),
        Some(bf16) => (
            "rope_bf16",
            card.gemm16(&weights.q, bf16.at(read * x.width * 2), outputs, Result16::Bf16)?,
            card.gemm16(&weights.k, bf16.address(), rows, Result16::Bf16)?,
            card.gemm16(&weights.v, bf16.address(), rows, Result16::Bf16)?,
        ),
    };
    let kv = cache.arguments();
    // A cache in f32 takes what is turned in place.
    let mut turned = kv;
    if cache.exact {
        turned[6..].fill(Argument::Int(0));
    }
    let turn = |tokens: usize, position: usize, heads: usize, kv_heads: usize| {
        if tokens == 0 {
            return Ok(());
        }
        card.launch(
            kernel,
            [tokens, 1, 1],
            &[
                &arguments![&q, &k, &v, heads * d, kv_heads * d, d][..],
                &turned,
                arguments![
                    frequencies,
                    Argument::NULL,
                    Argument::NULL,
                    0.0,
                    1.0,
                    position,
                    heads,
                    kv_heads,
                    spec.rope.dim / 2 * 2,
                    spec.rope.pairing == Pairing::Neighbours,
                    d
                ],
            ]
            .concat(),
        )
    };
    if read == 0 {
        turn(rows, tile.position, heads, kv_heads)?;
    } else {
        turn(rows, tile.position, 0, kv_heads)?;
        turn(outputs, first_read, heads, 0)?;
    }
    if cache.exact {
        cache.append(card, [&k, &v], rows)?;
    }
    cache.len = tile.position + rows;
    if outputs == 0 {
        return card.f32s(0);
    }

    let bound = if d <= 64 { 64 } else { 128 };
    if h.bf16.is_some() {
        let o = card.bf16s(outputs * heads * d)?;
        card.launch_with(
            &format!("attention_{bound}"),
            [outputs.div_ceil(128), heads, 1],
            THREADS,
            (128 + 4 * 64) * bound * 2,
            &[
                &arguments![&q, heads * d][..],
                &kv,
                arguments![&o, outputs, first_read, kv_heads, d],
            ]
            .concat(),
        )?;
        return card.gemm(&weights.out, o.address(), outputs);
    }

    if cache.exact {
        let o = card.f32s(outputs * heads * d)?;
        let [keys, values] = cache.rows();
        card.launch_with(
            "attention_f32",
            [outputs, heads, 1],
            128,
            0,
            arguments![&q, keys, values, &o, first_read, kv_heads, d],
        )?;
        return card.gemv(&weights.out, o.address(), outputs);
    }

    // The keys are split so that all multiprocessors have two blocks, if there are keys enough.
    let (len, group_rows) = (cache.len, outputs * heads / kv_heads);
    let wanted = (2 * card.driver.multiprocessors()).div_ceil(kv_heads);
    let split = len.div_ceil(wanted).max(SPLIT).next_multiple_of(64);
    let splits = len.div_ceil(split);
    let parts = card.f32s(splits * kv_heads * group_rows * d)?;
    let maxima = card.f32s(splits * kv_heads * group_rows)?;
    let sums = card.f32s(splits * kv_heads * group_rows)?;
    let o = card.f32s(outputs * heads * d)?;
    card.launch_with(
        &format!("attention_decode_{bound}"),
        [splits, kv_heads, group_rows.div_ceil(16)],
        128,
        4 * 3 * 2 * 16 * bound * 2,
        &[
            &arguments![&q][..],
            &kv,
            arguments![&parts, &maxima, &sums, outputs, first_read, heads, split, d],
        ]
        .concat(),
    )?;
    card.launch_with(
        "attention_merge",
        [group_rows, kv_heads, 1],
        128,
        0,
        arguments![&parts, &maxima, &sums, &o, splits, heads, d],
    )?;
    card.gemv(&weights.out, o.address(), outputs)
}

/// `theta^(-2j/dim)` of each pair, f64.
fn frequencies<D: Driver>(
    card: &Card<D>,
    workspace: &mut Workspace<D>,
    rows: usize,
    rope: Rope,
) -> Result<Argument, ComputeError> {
    let pairs = 0..rope.dim / 2;
    let values: Vec<f64> = pairs
        .map(|j| rope.theta.powf(-2.0 * j as f64 / rope.dim as f64))
        .collect();
    workspace.constant(card, rows, bytes_of(&values, f64::to_le_bytes))
}
