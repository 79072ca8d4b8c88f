//! A lightning-attention block.

use super::driver::{Argument, Driver};
use super::memory::{Buffer, Card, THREADS, arguments, bytes_of};
use super::products::Result16;
use super::rows::{Normed, Rows};
use super::weight::Weight;
use super::{Workspace, ensure};
use crate::compute::{ComputeError, Tile};
use crate::model::{Lightning, LightningWeights};

/// Tokens of a chunk at least: the state that a chunk begins with costs as much as some of its tokens.
const CHUNK: usize = 256;

pub(super) fn check(spec: &Lightning) -> Result<(), ComputeError> {
    ensure(
        spec.head_dim.is_multiple_of(8) && spec.head_dim <= 128 && spec.slopes.len() == spec.heads,
        || {
            format!(
                "lightning heads of {} channels: on a graphics card they are a multiple of 8, at most 128",
                spec.head_dim
            )
        },
    )
}

/// `f` of the last `tile.outputs` rows, and the state after the last token in `next`.
pub(super) fn forward<D: Driver>(
    card: &Card<D>,
    workspace: &mut Workspace<D>,
    spec: &Lightning,
    weights: &LightningWeights<Weight<D>>,
    (x, h): (&Rows<D>, &Normed<D>),
    (state, next): (&Buffer<D>, &Buffer<D>),
    tile: Tile<'_>,
) -> Result<Buffer<D>, ComputeError> {
    let slopes: Vec<f32> = spec.slopes.iter().map(|slope| *slope as f32).collect();
    let slopes = workspace.constant(card, x.count, bytes_of(&slopes, f32::to_le_bytes))?;
    let skipped = (x.count - tile.outputs) * x.width;
    let Some(bf16) = &h.bf16 else {
        let qkv = card.gemv(&weights.qkv, h.f32.address(), x.count)?;
        let gate = card.gemv(&weights.gate, h.f32.address(), x.count)?;
        let y = tokens(card, spec, &weights.norm, (&qkv, &gate), (state, next), slopes, x.count)?;
        let skipped = (x.count - tile.outputs) * spec.heads * spec.head_dim * size_of::<f32>();
        return card.gemv(&weights.out, y.at(skipped), tile.outputs);
    };

    let qkv = card.gemm16(&weights.qkv, bf16.address(), x.count, Result16::Silu)?;
    let o = many(card, spec, &qkv, (state, next), slopes, x.count)?;
    let width = spec.heads * spec.head_dim;
    let gate = card.gemm16(&weights.gate, bf16.at(skipped * 2), tile.outputs, Result16::Bf16)?;
    let y = card.bf16s(tile.outputs * width)?;
    if tile.outputs > 0 {
        card.launch(
            "gated_norm",
            [tile.outputs, 1, 1],
            arguments![
                o.at((x.count - tile.outputs) * width * 2),
                &gate,
                weights.norm.buffer(),
                &y,
                spec.norm_eps as f32,
                width
            ],
        )?;
    }
    card.gemm(&weights.out, y.address(), tile.outputs)
}

/// A token at a time, in f32: `[rows, heads·head_dim]`, normed and gated.
fn tokens<D: Driver>(
    card: &Card<D>,
    spec: &Lightning,
    norm: &Weight<D>,
    (qkv, gate): (&Buffer<D>, &Buffer<D>),
    (state, next): (&Buffer<D>, &Buffer<D>),
    slopes: Argument,
    rows: usize,
) -> Result<Buffer<D>, ComputeError> {
    let (heads, d) = (spec.heads, spec.head_dim);
    let width = heads * d;
    let y = card.f32s(rows * width)?;
    let o = card.f32s(width)?;
    let finished = card.zeros(size_of::<u32>())?;
    // Versions in turn, so that the last is `next` and none is read and written at once.
    let spare = (rows > 1).then(|| card.empty(next.bytes())).transpose()?;
    let mut from = state;
    for row in 0..rows {
        let to = match &spare {
            Some(spare) if (rows - 1 - row) % 2 == 1 => spare,
            _ => next,
        };
        let at = |part: usize| qkv.at((row * 3 * width + part * d) * size_of::<f32>());
        card.launch(
            "lightning_decode",
            [heads, d.div_ceil(32), 1],
            arguments![
                at(0),
                at(1),
                at(2),
                3 * d,
                gate.at(row * width * size_of::<f32>()),
                norm.buffer(),
                slopes,
                from,
                to,
                &o,
                &finished,
                y.at(row * width * size_of::<f32>()),
                1.0,
                true,
                1_usize,
                spec.norm_eps as f32,
                d
            ],
        )?;
        from = to;
    }
    Ok(y)
}

/// A tile, in bf16: `[rows, heads·head_dim]`. With few heads the tokens are cut into chunks side by side.
fn many<D: Driver>(
    card: &Card<D>,
    spec: &Lightning,
    qkv: &Buffer<D>,
    (state, next): (&Buffer<D>, &Buffer<D>),
    slopes: Argument,
    rows: usize,
) -> Result<Buffer<D>, ComputeError> {
    let (heads, d) = (spec.heads, spec.head_dim);
    let o = card.bf16s(rows * heads * d)?;
    let bound = if d <= 64 { 64 } else { 128 };
    let shared = 2 * (2 * (64 * (128 + bound + 64)) + bound * 64);
    let blocks = heads * d.div_ceil(64);
    let chunks = card.driver.multiprocessors().div_ceil(blocks).min(rows / CHUNK).max(1);
    let chunk = rows.div_ceil(chunks).next_multiple_of(64);
    let chunks = rows.div_ceil(chunk);

    let at = |part: usize| qkv.at(part * d * size_of::<u16>());
    let strides = [3 * heads * d, 3 * d].map(|stride| Argument::Long(i64::try_from(stride).expect("of a buffer")));
    let grid = [heads, d.div_ceil(64), chunks];
    let mut begins = None;
    if chunks > 1 {
        let states = card.f32s(chunks * heads * d * d)?;
        card.launch_with(
            &format!("lightning_chunks_{bound}"),
            grid,
            THREADS,
            shared,
            arguments![at(1), at(2), strides[0], strides[1], &states, slopes, rows, chunk, d],
        )?;
        card.launch(
            "lightning_scan",
            [(d * d).div_ceil(4 * THREADS), heads, 1],
            arguments![state, &states, next, slopes, chunks, rows, chunk, d],
        )?;
        begins = Some(states);
    }
    let (start, next) = match &begins {
        Some(states) => (Argument::from(states), Argument::NULL),
        None => (Argument::from(state), Argument::from(next)),
    };
    card.launch_with(
        &format!("lightning_{bound}"),
        grid,
        THREADS,
        shared,
        arguments![
            at(0),
            at(1),
            at(2),
            strides[0],
            strides[1],
            &o,
            start,
            next,
            slopes,
            rows,
            chunk,
            d
        ],
    )?;
    Ok(o)
}
