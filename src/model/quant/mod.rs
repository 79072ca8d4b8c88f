//! Block-quantised weights: a row is a whole number of blocks, and each block has its own scale.
//!
//! The layouts are ggml's, so that GGUF files are used as they lie. All numbers are little-endian; a scale is a half
//! float. [`Dtype`](super::Dtype) is the way in: `widen` and `narrow` come here by type.

mod groups;
mod half_float;
mod rounding;
mod search;
mod super_4_5;
mod super_6;
#[cfg(test)]
mod tests;

pub(super) use groups::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
pub(super) use super_4_5::{Q4K, Q5K};
pub(super) use super_6::Q6K;

/// One block layout: `BYTES` bytes hold `ELEMENTS` weights.
pub(super) trait Block<const BYTES: usize, const ELEMENTS: usize> {
    fn widen(bytes: &[u8; BYTES], out: &mut [f32; ELEMENTS]);

    /// A block near `values`, which are finite and within [`Dtype::largest`](super::Dtype::largest).
    fn narrow(values: &[f32; ELEMENTS], bytes: &mut [u8; BYTES]);
}

/// Widens whole blocks. Everything is inlined, so that the loops are compiled for the caller's instruction set.
#[inline(always)]
pub(super) fn widen<B: Block<BYTES, ELEMENTS>, const BYTES: usize, const ELEMENTS: usize>(
    bytes: &[u8],
    out: &mut [f32],
) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        B::widen(bytes, out);
    }
}

/// Quantises whole blocks.
#[inline(always)]
pub(super) fn narrow<B: Block<BYTES, ELEMENTS>, const BYTES: usize, const ELEMENTS: usize>(
    values: &[f32],
    bytes: &mut [u8],
) {
    for (values, bytes) in values.as_chunks().0.iter().zip(bytes.as_chunks_mut().0) {
        B::narrow(values, bytes);
    }
}
