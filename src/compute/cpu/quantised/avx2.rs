//! The product with 256-bit vectors of 16-bit integers (`vpmaddwd`), which cannot saturate: the 8-bit `vpmaddubsw` would,
//! on weights of all 8 bits.
//!
//! A vector of a panel, 4 columns of 16 rows, becomes four vectors of 16 bits, each 4 columns of 4 rows; the two sums a row
//! that `vpmaddwd` leaves are added at the end of a block.

#![allow(unsafe_code)]
#![allow(clippy::needless_range_loop, reason = "several arrays are walked together")]

use std::arch::x86_64::*;

use super::input::Quantised;
use super::pack::Panel;
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
                // SAFETY: 4 groups and 16 activations are there, and the features are enabled here too.
                let dots = unsafe { dots(&weights.integers[half * 4..], &q[half * BLOCK / 2..], offset) };
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

/// `offset + Σ u·q` of 16 rows over 4 groups of 4 columns.
///
/// # Safety
/// There must be 4 groups, and 16 activations.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn dots(groups: &[[u8; 4 * ROWS]], q: &[i8], offset: i32) -> [__m256i; 2] {
    debug_assert!(groups.len() >= 4 && q.len() >= 16);
    // 4 rows a vector, two sums a row.
    let mut pairs = [_mm256_setzero_si256(); 4];
    for g in 0..4 {
        // SAFETY: within the lengths that the caller vouches for.
        unsafe {
            let four = q.as_ptr().add(4 * g).cast::<i32>().read_unaligned();
            let q = _mm256_cvtepi8_epi16(_mm_set1_epi32(four));
            let group = groups.get_unchecked(g).as_ptr();
            for (i, pairs) in pairs.iter_mut().enumerate() {
                let u = _mm256_cvtepu8_epi16(_mm_loadu_si128(group.add(16 * i).cast()));
                *pairs = _mm256_add_epi32(*pairs, _mm256_madd_epi16(u, q));
            }
        }
    }
    std::array::from_fn(|i| {
        // The horizontal sum interleaves halves of its operands: rows 0 1 4 5 2 3 6 7, put in order by quarters.
        let sums = _mm256_hadd_epi32(pairs[2 * i], pairs[2 * i + 1]);
        let sums = _mm256_permute4x64_epi64::<0b11_01_10_00>(sums);
        _mm256_add_epi32(sums, _mm256_set1_epi32(offset))
    })
}
