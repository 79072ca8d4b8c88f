//! The product with `vpmaddubsw`, which multiplies 32 unsigned bytes with signed ones and adds neighbours in 16 bits, saturating.
//!
//! Weights of 6 bits and fewer leave room for two such sums: `2·2·63·127 < 2¹⁵`. Those of 8 bits are taken as `|w|·(±q)`, whose sum of
//! two, `2·128·127`, just fits. A vector of a panel is 4 columns of 16 rows, so the sums of 4 bytes are sums of rows.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "several arrays are walked together")]

use std::arch::x86_64::*;

use super::input::Quantised;
use super::pack::{Bits, Panel};
use super::{BLOCK, GROUP, ROWS};

/// # Safety
/// The processor must have the enabled features.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn multiply(panel: Panel<'_>, input: &Quantised, tokens: &[u32], out: &mut [f32], stride: usize) {
    debug_assert!(tokens.len() <= GROUP);
    let mut sums = [[_mm256_setzero_ps(); 2]; GROUP];
    for block in 0..panel.blocks {
        let weights = panel.unpack(block);
        let scale = [vectors(weights.scale[0]), vectors(weights.scale[1])];
        let minimum = vectors(weights.minimum);
        for (token, sums) in tokens.iter().zip(&mut sums) {
            let row = input.row(*token as usize);
            let q = &row.q[block * BLOCK..][..BLOCK];
            let by = _mm256_set1_ps(row.scale[block]);
            for half in 0..2 {
                // What an offset of 32 takes away is kept, a multiple of 32.
                let offset = row.half_offset[block][half] / 32 * i32::from(panel.format.offset);
                let (groups, q) = (&weights.integers[half * 4..], &q[half * BLOCK / 2..]);
                // SAFETY: 4 groups and 16 activations are there, and the features are enabled here too.
                let dots = unsafe {
                    match panel.format.bits {
                        Bits::Eight => signed_dots(groups, q),
                        Bits::Four | Bits::Five | Bits::Six => dots(groups, q, offset),
                    }
                };
                for i in 0..2 {
                    let dots = _mm256_mul_ps(_mm256_cvtepi32_ps(dots[i]), scale[half][i]);
                    sums[i] = _mm256_fmadd_ps(dots, by, sums[i]);
                }
            }
            let by = _mm256_set1_ps(row.sum[block]);
            for i in 0..2 {
                sums[i] = _mm256_fmadd_ps(minimum[i], by, sums[i]);
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_mut(stride)).take(tokens.len()) {
        for (sum, out) in sums.iter().zip(out[..ROWS].chunks_exact_mut(8)) {
            // SAFETY: there is room for 8 floats.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), *sum) };
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn vectors(x: [f32; ROWS]) -> [__m256; 2] {
    // SAFETY: 16 floats are there.
    unsafe { [_mm256_loadu_ps(x.as_ptr()), _mm256_loadu_ps(x.as_ptr().add(8))] }
}

/// `offset + Σ u·q` of 16 rows over 4 groups of 4 columns, for `u` below 64.
///
/// # Safety
/// There must be 4 groups, and 16 activations.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn dots(groups: &[[u8; 4 * ROWS]], q: &[i8], offset: i32) -> [__m256i; 2] {
    debug_assert!(groups.len() >= 4 && q.len() >= 16);
    let mut sums = [_mm256_set1_epi32(offset); 2];
    for g in [0, 2] {
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: within the lengths that the caller vouches for.
            let products = |g: usize| unsafe { _mm256_maddubs_epi16(eight_rows(groups, g, i), four(q, g)) };
            let pairs = _mm256_add_epi16(products(g), products(g + 1));
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
    }
    sums
}

/// `Σ (u - 128)·q` of 16 rows over 4 groups of 4 columns.
///
/// # Safety
/// As for [`dots`].
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn signed_dots(groups: &[[u8; 4 * ROWS]], q: &[i8]) -> [__m256i; 2] {
    debug_assert!(groups.len() >= 4 && q.len() >= 16);
    let mut sums = [_mm256_setzero_si256(); 2];
    for g in 0..4 {
        // SAFETY: within the lengths that the caller vouches for.
        let q = unsafe { four(q, g) };
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: as above.
            let w = _mm256_xor_si256(unsafe { eight_rows(groups, g, i) }, _mm256_set1_epi8(i8::MIN));
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(q, w));
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
    }
    sums
}

/// 4 activations, as often as they fit.
///
/// # Safety
/// Group `g` must be there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn four(q: &[i8], g: usize) -> __m256i {
    // SAFETY: as the caller vouches.
    _mm256_set1_epi32(unsafe { q.as_ptr().add(4 * g).cast::<i32>().read_unaligned() })
}

/// Rows `8·i..8·i + 8` of group `g`.
///
/// # Safety
/// Group `g` must be there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn eight_rows(groups: &[[u8; 4 * ROWS]], g: usize, i: usize) -> __m256i {
    // SAFETY: as the caller vouches.
    unsafe { _mm256_loadu_si256(groups.get_unchecked(g).as_ptr().add(32 * i).cast()) }
}
