//! The product with NEON, on every 64-bit Arm: with `sdot`, which adds four products of signed bytes in each of four lanes, where the
//! processor has it, else with products of eight bytes in 16 bits.
//!
//! A vector of a panel is 4 columns of 16 rows: 4 registers of 4 rows, in each of which a lane is the 4 columns of a row. `sdot` by a lane of
//! the activations, 4 channels of a token, needs no other arrangement. Weights of 6 bits and fewer are signed bytes as they are;
//! those of 8 bits become such by turning their highest bit, which takes away their offset of 128.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "several arrays are walked together")]

use std::arch::aarch64::*;
use std::arch::asm;

use super::input::Quantised;
use super::pack::{Bits, Panel, Place, Scales, has_minimum, place};
use super::walk::{by_count, by_format};
use super::{BLOCK, GROUP, ROWS};

/// Registers of 4 rows.
const QUADS: usize = ROWS / 4;

pub(super) fn multiply(panel: Panel<'_>, input: &Quantised, tokens: &[u32], out: &mut [f32], stride: usize) {
    multiply_with(
        std::arch::is_aarch64_feature_detected!("dotprod"),
        panel,
        input,
        tokens,
        out,
        stride,
    );
}

/// The same with `sdot` or without.
pub(super) fn multiply_with(
    sdot: bool,
    panel: Panel<'_>,
    input: &Quantised,
    tokens: &[u32],
    out: &mut [f32],
    stride: usize,
) {
    debug_assert!(tokens.len() <= GROUP);
    if sdot {
        by_format!(by_tokens::<true>(panel, input, tokens, out, stride));
    } else {
        by_format!(by_tokens::<false>(panel, input, tokens, out, stride));
    }
}

fn by_tokens<const BITS: u8, const SCALES: u8, const OFFSET: u32, const SDOT: bool>(
    panel: Panel<'_>,
    input: &Quantised,
    tokens: &[u32],
    out: &mut [f32],
    stride: usize,
) {
    by_count!(4 2 1, group [BITS SCALES OFFSET SDOT](panel, input, tokens, out, stride));
}

/// `T` tokens times one panel: each half of a block after the other.
#[inline]
fn group<const BITS: u8, const SCALES: u8, const OFFSET: u32, const SDOT: bool, const T: usize>(
    panel: Panel<'_>,
    input: &Quantised,
    tokens: &[u32],
    out: &mut [f32],
    stride: usize,
) {
    let rows: [_; T] = std::array::from_fn(|t| input.row(tokens[t] as usize));
    let blocks = panel.blocks;
    for row in &rows {
        assert!(
            row.q.len() == blocks * BLOCK
                && row.scale.len() == blocks
                && row.half_offset.len() == blocks
                && row.sum.len() == blocks
        );
    }
    // SAFETY: the panel holds `blocks` blocks of this format, and the rows as many, checked above; every 64-bit Arm has
    // NEON, and `SDOT` is set where `sdot` has been detected.
    unsafe {
        let mut sums = [[vdupq_n_f32(0.0); QUADS]; T];
        for block in 0..blocks {
            let place = place::<BITS, SCALES>(block);
            for quad in 0..QUADS {
                let (scales, minimum) = scales::<SCALES>(panel.bytes.as_ptr(), place, quad);
                for half in 0..2 {
                    let w = integers::<BITS>(panel.bytes.as_ptr().add(place.integers + 16 * quad), half);
                    for t in 0..T {
                        let row = &rows[t];
                        let q = vld1q_s8(row.q.as_ptr().add(block * BLOCK + half * BLOCK / 2));
                        let mut dot = dot::<SDOT>(w, q);
                        if BITS != Bits::Eight as u8 && !has_minimum(SCALES) {
                            let offset = row.half_offset.get_unchecked(block)[half];
                            dot = vaddq_s32(dot, vdupq_n_s32(offset >> (5 - OFFSET)));
                        }
                        let scaled = vmulq_f32(vcvtq_f32_s32(dot), scales[half]);
                        sums[t][quad] = vfmaq_n_f32(sums[t][quad], scaled, *row.scale.get_unchecked(block));
                        if has_minimum(SCALES) && half == 1 {
                            sums[t][quad] = vfmaq_n_f32(sums[t][quad], minimum, *row.sum.get_unchecked(block));
                        }
                    }
                }
            }
        }
        for (sums, out) in sums.iter().zip(out.chunks_mut(stride)) {
            for (sum, out) in sums.iter().zip(out[..ROWS].chunks_exact_mut(4)) {
                vst1q_f32(out.as_mut_ptr(), *sum);
            }
        }
    }
}

/// `Σ w·q` of 4 rows over 4 groups of 4 columns.
///
/// # Safety
/// With `SDOT` the processor must have it.
#[inline(always)]
unsafe fn dot<const SDOT: bool>(w: [int8x16_t; 4], q: int8x16_t) -> int32x4_t {
    // SAFETY: as the caller vouches; both are arithmetic on registers.
    unsafe {
        if SDOT {
            // The intrinsic is not stable yet.
            let mut sum = vdupq_n_s32(0);
            asm!(
                ".arch_extension dotprod",
                "sdot {sum:v}.4s, {a:v}.16b, {q:v}.4b[0]",
                "sdot {sum:v}.4s, {b:v}.16b, {q:v}.4b[1]",
                "sdot {sum:v}.4s, {c:v}.16b, {q:v}.4b[2]",
                "sdot {sum:v}.4s, {d:v}.16b, {q:v}.4b[3]",
                sum = inout(vreg) sum, a = in(vreg) w[0], b = in(vreg) w[1], c = in(vreg) w[2], d = in(vreg) w[3],
                q = in(vreg) q,
                options(pure, nomem, nostack, preserves_flags)
            );
            return sum;
        }
        let q = vreinterpretq_s32_s8(q);
        // A product is at most 128·127 and a row has four a group, so two neighbours are added in 32 bits.
        let products = |w: int8x16_t, q: int32x4_t| {
            let q = vreinterpretq_s8_s32(q);
            let low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(q)));
            let high = vpaddlq_s16(vmull_high_s8(w, q));
            vpaddq_s32(low, high)
        };
        let first = vaddq_s32(
            products(w[0], vdupq_laneq_s32::<0>(q)),
            products(w[1], vdupq_laneq_s32::<1>(q)),
        );
        let second = vaddq_s32(
            products(w[2], vdupq_laneq_s32::<2>(q)),
            products(w[3], vdupq_laneq_s32::<3>(q)),
        );
        vaddq_s32(first, second)
    }
}

/// 4 groups of a half of a block, 4 rows of each, as signed bytes.
///
/// # Safety
/// A block of a format with these bits must be there.
#[inline(always)]
unsafe fn integers<const BITS: u8>(start: *const u8, half: usize) -> [int8x16_t; 4] {
    // SAFETY: as the caller vouches.
    unsafe {
        let at = |vector: usize| vld1q_u8(start.add(64 * vector));
        if BITS == Bits::Eight as u8 {
            return std::array::from_fn(|j| vreinterpretq_s8_u8(veorq_u8(at(4 * half + j), vdupq_n_u8(0x80))));
        }
        // By a negative number it is to the right.
        let shift = |v: uint8x16_t, left: isize| vshlq_u8(v, vdupq_n_s8(left as i8));
        std::array::from_fn(|j| {
            let mut w = if half == 0 {
                vandq_u8(at(j), vdupq_n_u8(15))
            } else {
                vshrq_n_u8::<4>(at(j))
            };
            let (j, half) = (j.cast_signed(), half.cast_signed());
            if BITS == Bits::Five as u8 {
                let bit = shift(at(4), 4 - (4 * half + j));
                w = vorrq_u8(w, vandq_u8(bit, vdupq_n_u8(16)));
            }
            if BITS == Bits::Six as u8 {
                let bits = shift(at(4 + half.cast_unsigned()), 4 - 2 * j);
                w = vorrq_u8(w, vandq_u8(bits, vdupq_n_u8(48)));
            }
            vreinterpretq_s8_u8(w)
        })
    }
}

/// The scales of both halves of a block and its minima, for rows `4·quad..4·quad + 4`.
///
/// # Safety
/// A panel that holds a block of a format with these scales there must begin at `panel`.
#[inline(always)]
unsafe fn scales<const SCALES: u8>(panel: *const u8, place: Place, quad: usize) -> ([float32x4_t; 2], float32x4_t) {
    // SAFETY: as the caller vouches.
    unsafe {
        let half = |start: *const u8| {
            let bytes = vld1_u8(start.add(8 * quad));
            vcvt_f32_f16(vreinterpret_f16_u8(bytes))
        };
        let start = panel.add(place.scales);
        if SCALES == Scales::Half as u8 {
            return ([half(start); 2], vdupq_n_f32(0.0));
        }
        if SCALES == Scales::HalfMin as u8 {
            return ([half(start); 2], half(start.add(2 * ROWS)));
        }
        let four = |index: usize| {
            let bytes = start.add(index * ROWS + 4 * quad).cast::<u32>().read_unaligned();
            vcreate_u8(u64::from(bytes))
        };
        let d = panel.add(place.super_scales);
        if SCALES == Scales::Super as u8 {
            let numbers = |index| vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(four(index)))));
            let least = vmulq_f32(half(d.add(2 * ROWS)), numbers(1));
            return ([vmulq_f32(half(d), numbers(0)); 2], vnegq_f32(least));
        }
        let signed = |index| {
            let wide = vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(four(index)))));
            vmulq_f32(half(d), vcvtq_f32_s32(wide))
        };
        ([signed(0), signed(1)], vdupq_n_f32(0.0))
    }
}
