//! The product with `vpdpbusd`: 64 multiplications an instruction, integers added in 32 bits without saturation.
//!
//! A block of a panel is 8 vectors in registers; each token then costs 8 instructions that take 4 of its bytes from
//! memory, broadcast, and one conversion and two multiplications for the scales. The formats differ only in how the
//! 8 vectors and the scales come out of memory, which is paid once a group of tokens.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "several arrays are walked together")]

use std::arch::x86_64::*;

use super::input::{Quantise, Quantised};
use super::pack::{Bits, Panel, Place, Scales, has_minimum, place};
use super::walk::{by_count, by_format};
use super::{BLOCK, GROUP, ROWS};

/// # Safety
/// The processor must have the enabled features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,f16c")]
pub(super) unsafe fn multiply(panel: Panel<'_>, input: &Quantised, tokens: &[u32], out: &mut [f32], stride: usize) {
    debug_assert!(tokens.len() <= GROUP);
    // SAFETY: the features are enabled here too.
    unsafe { by_format!(by_tokens(panel, input, tokens, out, stride)) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,f16c")]
unsafe fn by_tokens<const BITS: u8, const SCALES: u8, const OFFSET: u32>(
    panel: Panel<'_>,
    input: &Quantised,
    tokens: &[u32],
    out: &mut [f32],
    stride: usize,
) {
    // SAFETY: the features are enabled here too.
    unsafe {
        by_count!(8 4 2 1, group [BITS SCALES OFFSET](panel, input, tokens, out, stride));
    }
}

/// `T` tokens times one panel.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,f16c")]
unsafe fn group<const BITS: u8, const SCALES: u8, const OFFSET: u32, const T: usize>(
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
                && row.offset.len() == blocks
                && row.half_offset.len() == blocks
                && row.sum.len() == blocks
        );
    }
    let mut sums = [_mm512_setzero_ps(); T];
    for block in 0..blocks {
        // SAFETY: the panel holds `blocks` blocks of this format, and the rows as many, checked above.
        unsafe {
            let place = place::<BITS, SCALES>(block);
            let w = integers::<BITS>(panel.bytes.as_ptr().add(place.integers));
            let (scale, second_scale, minimum) = scales::<SCALES>(panel.bytes, place);
            for t in 0..T {
                let row = &rows[t];
                let q = row.q.as_ptr().add(block * BLOCK);
                let four = |g: usize| _mm512_set1_epi32(q.add(4 * g).cast::<i32>().read_unaligned());
                let dot = if SCALES == Scales::Sixteenths as u8 {
                    let [low, high] = *row.half_offset.get_unchecked(block);
                    let (mut low, mut high) = (_mm512_set1_epi32(low), _mm512_set1_epi32(high));
                    for g in 0..4 {
                        low = _mm512_dpbusd_epi32(low, w[g], four(g));
                        high = _mm512_dpbusd_epi32(high, w[g + 4], four(g + 4));
                    }
                    let high = _mm512_mul_ps(_mm512_cvtepi32_ps(high), second_scale);
                    _mm512_fmadd_ps(_mm512_cvtepi32_ps(low), scale, high)
                } else {
                    let mut dot = if has_minimum(SCALES) {
                        _mm512_setzero_si512()
                    } else {
                        _mm512_set1_epi32(row.offset.get_unchecked(block) >> (7 - OFFSET))
                    };
                    for g in 0..8 {
                        dot = _mm512_dpbusd_epi32(dot, w[g], four(g));
                    }
                    _mm512_mul_ps(_mm512_cvtepi32_ps(dot), scale)
                };
                sums[t] = _mm512_fmadd_ps(dot, _mm512_set1_ps(*row.scale.get_unchecked(block)), sums[t]);
                if has_minimum(SCALES) {
                    sums[t] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(*row.sum.get_unchecked(block)), sums[t]);
                }
            }
        }
    }
    for (sum, out) in sums.iter().zip(out.chunks_mut(stride)) {
        let out = &mut out[..ROWS];
        // SAFETY: there is room for 16 floats.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), *sum) };
    }
}

/// Activations to 8 bits: what the plain code makes of them, bit for bit.
///
/// # Safety
/// The processor must have the enabled features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn quantise(Quantise { x, to, remainder }: Quantise<'_>) {
    let outputs =
        to.q.as_chunks_mut::<BLOCK>()
            .0
            .iter_mut()
            .zip(to.scale)
            .zip(to.offset)
            .zip(to.half_offset)
            .zip(to.sum);
    for (x, ((((q, scale), offset), half_offset), sum)) in x.as_chunks_mut::<BLOCK>().0.iter_mut().zip(outputs) {
        // SAFETY: a block is two vectors of floats, and 32 bytes when rounded.
        unsafe {
            let at = x.as_mut_ptr();
            let halves = [_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(BLOCK / 2))];
            let largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(halves[0]), _mm512_abs_ps(halves[1])));
            *scale = largest / 127.0;
            let inverse = _mm512_set1_ps(if largest > 0.0 { 127.0 / largest } else { 0.0 });
            let rounded = halves.map(|half| _mm512_cvtps_epi32(_mm512_mul_ps(half, inverse)));
            let bytes = _mm256_set_m128i(_mm512_cvtepi32_epi8(rounded[1]), _mm512_cvtepi32_epi8(rounded[0]));
            _mm256_storeu_si256(q.as_mut_ptr().cast(), bytes);
            // Sums of fours, and then of each half.
            let fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), bytes);
            let pairs = _mm256_hadd_epi32(fours, fours);
            let sums = _mm256_hadd_epi32(pairs, pairs);
            let low = _mm256_extract_epi32::<0>(sums);
            let high = _mm256_extract_epi32::<4>(sums);
            *offset = -128 * (low + high);
            *half_offset = [-32 * low, -32 * high];
            *sum = *scale * (low + high) as f32;
            if remainder {
                for (i, half) in halves.into_iter().enumerate() {
                    let kept = _mm512_mul_ps(_mm512_set1_ps(*scale), _mm512_cvtepi32_ps(rounded[i]));
                    _mm512_storeu_ps(at.add(i * BLOCK / 2), _mm512_sub_ps(half, kept));
                }
            }
        }
    }
}

/// `(a & b) | c`, for the instruction that takes any function of three bits as its table.
const MASKED_OR: i32 = 0xea;

/// The 8 vectors of a block.
///
/// # Safety
/// A block of a format with these bits must be there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn integers<const BITS: u8>(start: *const u8) -> [__m512i; 8] {
    let nibbles = _mm512_set1_epi8(15);
    // SAFETY: as the caller vouches; lines are aligned, and an unaligned load costs the same on them.
    let at = |i: usize| unsafe { _mm512_loadu_si512(start.add(64 * i).cast()) };
    let low = |v: __m512i| _mm512_and_si512(v, nibbles);
    let high = |v: __m512i| _mm512_and_si512(_mm512_srli_epi16::<4>(v), nibbles);
    if BITS == Bits::Eight as u8 {
        return std::array::from_fn(at);
    }
    if BITS == Bits::Four as u8 {
        let v: [__m512i; 4] = std::array::from_fn(at);
        return [
            low(v[0]),
            low(v[1]),
            low(v[2]),
            low(v[3]),
            high(v[0]),
            high(v[1]),
            high(v[2]),
            high(v[3]),
        ];
    }
    if BITS == Bits::Five as u8 {
        let v: [__m512i; 4] = std::array::from_fn(at);
        let fifth = at(4);
        let bit = _mm512_set1_epi8(16);
        let with = |four: __m512i, shifted: __m512i| _mm512_ternarylogic_epi32::<MASKED_OR>(shifted, bit, four);
        return [
            with(low(v[0]), _mm512_slli_epi16::<4>(fifth)),
            with(low(v[1]), _mm512_slli_epi16::<3>(fifth)),
            with(low(v[2]), _mm512_slli_epi16::<2>(fifth)),
            with(low(v[3]), _mm512_slli_epi16::<1>(fifth)),
            with(high(v[0]), fifth),
            with(high(v[1]), _mm512_srli_epi16::<1>(fifth)),
            with(high(v[2]), _mm512_srli_epi16::<2>(fifth)),
            with(high(v[3]), _mm512_srli_epi16::<3>(fifth)),
        ];
    }
    let v: [__m512i; 4] = std::array::from_fn(at);
    let (first, second) = (at(4), at(5));
    let bits = _mm512_set1_epi8(48);
    let with = |four: __m512i, shifted: __m512i| _mm512_ternarylogic_epi32::<MASKED_OR>(shifted, bits, four);
    [
        with(low(v[0]), _mm512_slli_epi16::<4>(first)),
        with(low(v[1]), _mm512_slli_epi16::<2>(first)),
        with(low(v[2]), first),
        with(low(v[3]), _mm512_srli_epi16::<2>(first)),
        with(high(v[0]), _mm512_slli_epi16::<4>(second)),
        with(high(v[1]), _mm512_slli_epi16::<2>(second)),
        with(high(v[2]), second),
        with(high(v[3]), _mm512_srli_epi16::<2>(second)),
    ]
}

/// The scales of a block, of its second half where that has its own, and its minima.
///
/// # Safety
/// `panel` must hold a block of a format with these scales there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,f16c")]
unsafe fn scales<const SCALES: u8>(panel: &[u8], place: Place) -> (__m512, __m512, __m512) {
    // SAFETY: as the caller vouches.
    unsafe {
        let half = |start: *const u8| _mm512_cvtph_ps(_mm256_loadu_si256(start.cast()));
        let zero = _mm512_setzero_ps();
        if SCALES == Scales::Half as u8 {
            let scale = half(panel.as_ptr().add(place.scales));
            return (scale, scale, zero);
        }
        if SCALES == Scales::HalfMin as u8 {
            let start = panel.as_ptr().add(place.scales);
            let scale = half(start);
            return (scale, scale, half(start.add(2 * ROWS)));
        }
        let start = panel.as_ptr().add(place.scales);
        let (first, second) = (_mm_loadu_si128(start.cast()), _mm_loadu_si128(start.add(ROWS).cast()));
        if SCALES == Scales::Super as u8 {
            let d = panel.as_ptr().add(place.super_scales);
            let scale = _mm512_mul_ps(half(d), _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(first)));
            let minimum = _mm512_mul_ps(half(d.add(2 * ROWS)), _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(second)));
            return (scale, scale, _mm512_sub_ps(zero, minimum));
        }
        let d = half(panel.as_ptr().add(place.super_scales));
        let signed = |bytes| _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
        (signed(first), signed(second), zero)
    }
}
