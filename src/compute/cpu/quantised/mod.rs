//! Products with quantised weights: 8-bit activations times the weights' own few bits, in integers.
//!
//! Rows of a matrix are taken 16 at a time. Such a *panel* holds, for each block of 32 columns, the rows' integers so
//! interleaved that 4 columns of 16 rows are one 64-byte vector, and their scales beside them. A dot product of 4 pairs
//! of bytes in each of 16 lanes (`vpdpbusd`) then needs no shuffle and no horizontal sum, whether one token is decoded or
//! hundreds are prefilled.
//!
//! ```text
//! y[t, r] = Σ_b scale_t,b · ( s_r,b·(Σ_i u_r,i·q_t,i - offset·Σ_i q_t,i) + m_r,b·Σ_i q_t,i )        i over block b
//! ```
//! where `w = s·(u - offset) + m` is the stored weight exactly as its format defines it: nothing but the activations is
//! rounded. [`plain`] is that equation; the vector kernels equal it within rounding of f32.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod input;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pack;
mod plain;
#[cfg(test)]
mod tests;
mod walk;

pub(super) use input::{Quantise, Quantised};
pub(super) use pack::{Panel, Panels, Transient};

use super::simd::Isa;

/// Rows a panel: the lanes of a 512-bit vector of f32.
pub(super) const ROWS: usize = 16;
/// Columns that share a scale of the activations.
pub(super) const BLOCK: usize = 32;

/// Tokens that go through a panel together: what the registers hold.
pub(super) const GROUP: usize = 8;

/// `out[i, r]` = row `r` of the panel times activations `tokens[i]`, for 16 `r`; `out` is `[tokens, stride]`.
pub(super) fn multiply(isa: Isa, panel: Panel<'_>, input: &Quantised, tokens: &[u32], out: &mut [f32], stride: usize) {
    assert_eq!(
        panel.blocks,
        input.blocks(),
        "weights and activations of different widths"
    );
    assert!(
        tokens.is_empty() || out.len() >= (tokens.len() - 1) * stride + ROWS,
        "no room for the result"
    );
    for (tokens, out) in tokens.chunks(GROUP).zip(out.chunks_mut(GROUP * stride)) {
        match isa {
            // SAFETY: this variant exists only where `Isa::detect` has found the features that the function enables.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Isa::Avx512 => unsafe { avx512::multiply(panel, input, tokens, out, stride) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Isa::Avx2 => unsafe { avx2::multiply(panel, input, tokens, out, stride) },
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::multiply(panel, input, tokens, out, stride),
            Isa::Portable => plain::multiply(panel, input, tokens, out, stride),
        }
    }
}
