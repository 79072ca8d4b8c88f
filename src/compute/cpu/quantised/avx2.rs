//! The product with `vpmaddubsw`, which multiplies 32 unsigned bytes with signed ones and adds neighbours in 16 bits, saturating.
//!
//! Weights of 6 bits and fewer leave room for two such sums: `2·2·63·127 < 2¹⁵`. Those of 8 bits are taken as `|w|·(±q)`, whose sum of
//! two, `2·128·127`, just fits. A vector of a panel is 4 columns of 8 rows, so the sums of 4 bytes are sums of rows.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "several arrays are walked together")]

use std::arch::x86_64::*;

use super::input::Quantised;
use super::pack::{Bits, Panel, Place, Scales, has_minimum, place};
use super::walk::{by_count, by_format};
use super::{BLOCK, GROUP, ROWS};

/// # Safety
/// The processor must have the enabled features.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn multiply(panel: Panel<'_>, input: &Quantised, tokens: &[u32], out: &mut [f32], stride: usize) {
    debug_assert!(tokens.len() <= GROUP);
    // SAFETY: the features are enabled here too.
    unsafe { by_format!(by_tokens(panel, input, tokens, out, stride)) }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn by_tokens<const BITS: u8, const SCALES: u8, const OFFSET: u32>(
    panel: Panel<'_>,
    input: &Quantised,
    tokens: &[u32],
    out: &mut [f32],
    stride: usize,
) {
    // SAFETY: the features are enabled here too.
    unsafe {
        by_count!(4 2 1, group [BITS SCALES OFFSET](panel, input, tokens, out, stride));
    }
}

/// `T` tokens times one panel: the first 8 rows and the last 8, each half of a block after the other.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
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
                && row.half_offset.len() == blocks
                && row.sum.len() == blocks
        );
    }
    let signed = BITS == Bits::Eight as u8;
    let mut sums = [[_mm256_setzero_ps(); 2]; T];
    for block in 0..blocks {
        let place = place::<BITS, SCALES>(block);
        for i in 0..2 {
            // SAFETY: the panel holds `blocks` blocks of this format, and the rows as many, checked above.
            unsafe {
                let (scales, minimum) = scales::<SCALES>(panel.bytes.as_ptr(), place, i);
                for half in 0..2 {
                    let w = integers::<BITS>(panel.bytes.as_ptr().add(place.integers + 32 * i), half);
                    for t in 0..T {
                        let row = &rows[t];
                        let q = row.q.as_ptr().add(block * BLOCK + half * BLOCK / 2);
                        let four = |g: usize| _mm256_set1_epi32(q.add(4 * g).cast::<i32>().read_unaligned());
                        let dot = if signed { signed_dot(w, four) } else { dot(w, four) };
                        let dot = if signed || has_minimum(SCALES) {
                            dot
                        } else {
                            let offset = row.half_offset.get_unchecked(block)[half];
                            _mm256_add_epi32(dot, _mm256_set1_epi32(offset >> (5 - OFFSET)))
                        };
                        let by = _mm256_set1_ps(*row.scale.get_unchecked(block));
                        let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(dot), scales[half]);
                        sums[t][i] = _mm256_fmadd_ps(scaled, by, sums[t][i]);
                        if has_minimum(SCALES) && half == 1 {
                            let sum = _mm256_set1_ps(*row.sum.get_unchecked(block));
                            sums[t][i] = _mm256_fmadd_ps(minimum, sum, sums[t][i]);
                        }
                    }
                }
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_mut(stride)) {
        for (sum, out) in sums.iter().zip(out[..ROWS].chunks_exact_mut(8)) {
            // SAFETY: there is room for 8 floats.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), *sum) };
        }
    }
}

/// `Σ u·q` of 8 rows over 4 groups of 4 columns, for `u` below 64.
#[inline]
#[target_feature(enable = "avx2")]
fn dot(w: [__m256i; 4], four: impl Fn(usize) -> __m256i) -> __m256i {
    let products = |g: usize| _mm256_maddubs_epi16(w[g], four(g));
    let pairs = |g: usize| _mm256_add_epi16(products(g), products(g + 1));
    let ones = _mm256_set1_epi16(1);
    _mm256_add_epi32(_mm256_madd_epi16(pairs(0), ones), _mm256_madd_epi16(pairs(2), ones))
}

/// The same for `w` with a sign.
#[inline]
#[target_feature(enable = "avx2")]
fn signed_dot(w: [__m256i; 4], four: impl Fn(usize) -> __m256i) -> __m256i {
    let ones = _mm256_set1_epi16(1);
    let products = |g: usize| {
        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w[g]), _mm256_sign_epi8(four(g), w[g]));
        _mm256_madd_epi16(pairs, ones)
    };
    let sums = |g: usize| _mm256_add_epi32(products(g), products(g + 1));
    _mm256_add_epi32(sums(0), sums(2))
}

/// 4 groups of a half of a block, 8 rows of each; of 8 bits they have a sign.
///
/// # Safety
/// A block of a format with these bits must be there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn integers<const BITS: u8>(start: *const u8, half: usize) -> [__m256i; 4] {
    // SAFETY: as the caller vouches.
    let at = |vector: usize| unsafe { _mm256_loadu_si256(start.add(64 * vector).cast()) };
    if BITS == Bits::Eight as u8 {
        return std::array::from_fn(|j| _mm256_xor_si256(at(4 * half + j), _mm256_set1_epi8(i8::MIN)));
    }
    let left = |v: __m256i, n: usize| _mm256_sll_epi16(v, _mm_cvtsi64_si128(n.cast_signed() as i64));
    let right = |v: __m256i, n: usize| _mm256_srl_epi16(v, _mm_cvtsi64_si128(n.cast_signed() as i64));
    std::array::from_fn(|j| {
        let low = _mm256_and_si256(right(at(j), 4 * half), _mm256_set1_epi8(15));
        if BITS == Bits::Five as u8 {
            let (fifth, g) = (at(4), 4 * half + j);
            let bit = if g < 4 { left(fifth, 4 - g) } else { right(fifth, g - 4) };
            return _mm256_or_si256(low, _mm256_and_si256(bit, _mm256_set1_epi8(16)));
        }
        if BITS == Bits::Six as u8 {
            let upper = at(4 + half);
            let bits = if j < 2 {
                left(upper, 4 - 2 * j)
            } else {
                right(upper, 2 * j - 4)
            };
            return _mm256_or_si256(low, _mm256_and_si256(bits, _mm256_set1_epi8(48)));
        }
        low
    })
}

/// The scales of both halves of a block and its minima, for rows `8·i..8·i + 8`.
///
/// # Safety
/// A panel that holds a block of a format with these scales there must begin at `panel`.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn scales<const SCALES: u8>(panel: *const u8, place: Place, i: usize) -> ([__m256; 2], __m256) {
    // SAFETY: as the caller vouches.
    unsafe {
        let half = |start: *const u8| _mm256_cvtph_ps(_mm_loadu_si128(start.add(16 * i).cast()));
        let start = panel.add(place.scales);
        if SCALES == Scales::Half as u8 {
            return ([half(start); 2], _mm256_setzero_ps());
        }
        if SCALES == Scales::HalfMin as u8 {
            return ([half(start); 2], half(start.add(2 * ROWS)));
        }
        let bytes = |index: usize| _mm_loadl_epi64(start.add(index * ROWS + 8 * i).cast());
        let d = panel.add(place.super_scales);
        if SCALES == Scales::Super as u8 {
            let numbers = |index| _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes(index)));
            let least = _mm256_mul_ps(half(d.add(2 * ROWS)), numbers(1));
            return (
                [_mm256_mul_ps(half(d), numbers(0)); 2],
                _mm256_sub_ps(_mm256_setzero_ps(), least),
            );
        }
        let signed = |index| _mm256_mul_ps(half(d), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes(index))));
        ([signed(0), signed(1)], _mm256_setzero_ps())
    }
}
