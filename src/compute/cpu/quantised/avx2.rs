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
    let offset = i32::from(panel.format.offset);
    let mut sums = [[0.0f32; ROWS]; GROUP];
    for block in 0..panel.blocks {
        let weights = panel.unpack(block);
        for (token, sums) in tokens.iter().zip(&mut sums) {
            let row = input.row(*token as usize);
            let q = &row.q[block * BLOCK..][..BLOCK];
            for half in 0..2 {
                let groups = &weights.integers[half * 4..][..4];
                let q = &q[half * BLOCK / 2..][..BLOCK / 2];
                let taken = offset * (row.half_offset[block][half] / -32);
                // SAFETY: 4 groups of 64 bytes and of 4 activations are there, and the features are enabled here too.
                let dots = unsafe { dots(groups, q) };
                for r in 0..ROWS {
                    sums[r] += row.scale[block] * weights.scale[half][r] * (dots[r] - taken) as f32;
                }
            }
            for r in 0..ROWS {
                sums[r] += weights.minimum[r] * row.sum[block];
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_mut(stride)).take(tokens.len()) {
        out[..ROWS].copy_from_slice(sums);
    }
}

/// `Σ u·q` of 16 rows over 4 groups of 4 columns.
///
/// # Safety
/// `q` must have 16 activations.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn dots(groups: &[[u8; 4 * ROWS]], q: &[i8]) -> [i32; ROWS] {
    debug_assert!(q.len() == 16);
    // 4 rows a vector, two sums a row.
    let mut pairs = [_mm256_setzero_si256(); 4];
    for (g, group) in groups.iter().enumerate().take(4) {
        // SAFETY: within the lengths that the caller vouches for.
        unsafe {
            let four = q.as_ptr().add(4 * g).cast::<i32>().read_unaligned();
            let q = _mm256_cvtepi8_epi16(_mm_set1_epi32(four));
            for (i, pairs) in pairs.iter_mut().enumerate() {
                let u = _mm256_cvtepu8_epi16(_mm_loadu_si128(group.as_ptr().add(16 * i).cast()));
                *pairs = _mm256_add_epi32(*pairs, _mm256_madd_epi16(u, q));
            }
        }
    }
    let mut dots = [0; ROWS];
    for i in 0..2 {
        // The horizontal sum interleaves halves of its operands: rows 0 1 4 5 2 3 6 7, put in order by quarters.
        let sums = _mm256_hadd_epi32(pairs[2 * i], pairs[2 * i + 1]);
        let sums = _mm256_permute4x64_epi64::<0b11_01_10_00>(sums);
        // SAFETY: 8 of the 16 integers.
        unsafe { _mm256_storeu_si256(dots.as_mut_ptr().add(8 * i).cast(), sums) };
    }
    dots
}
