//! Activations in 8 bits, by blocks of 32 channels.
//!
//! ```text
//! scale = max|x| / 127        q = round(x / scale)        over each block
//! ```
//! Weights are kept unsigned, `w = s·(u - offset)`, so a product of a block is `s·scale·(Σ u·q - offset·Σ q)`: the sums
//! `Σ q` are made here, once for all rows of all weights.

use super::BLOCK;
#[cfg(target_arch = "x86_64")]
use super::avx512;
use crate::compute::cpu::disjoint::Disjoint;
use crate::compute::cpu::simd::{Isa, Kernel};

/// Rows of activations, each `blocks · 32` channels.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::compute::cpu) struct Quantised {
    blocks: usize,
    /// `[rows, blocks, 32]`
    q: Vec<i8>,
    scale: Vec<f32>,
    /// `-128·Σ q`, what an offset of 128 takes away; smaller offsets are shifts of it.
    offset: Vec<i32>,
    /// `-32·Σ q` over each half of a block.
    half_offset: Vec<[i32; 2]>,
    /// `scale·Σ q`, what a minimum is multiplied with.
    sum: Vec<f32>,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub q: &'a [i8],
    pub scale: &'a [f32],
    #[cfg(target_arch = "x86_64")]
    pub offset: &'a [i32],
    pub half_offset: &'a [[i32; 2]],
    pub sum: &'a [f32],
}

/// The same to write to; rows may be written by different threads.
pub(in crate::compute::cpu) struct BlocksMut<'a> {
    pub q: &'a mut [i8],
    pub scale: &'a mut [f32],
    pub offset: &'a mut [i32],
    pub half_offset: &'a mut [[i32; 2]],
    pub sum: &'a mut [f32],
}

impl Quantised {
    /// Makes room for `rows` rows of `width` channels, a multiple of 32, with unspecified contents.
    pub fn resize(&mut self, rows: usize, width: usize) {
        self.blocks = width / BLOCK;
        let blocks = rows * self.blocks;
        self.q.resize(blocks * BLOCK, 0);
        self.scale.resize(blocks, 0.0);
        self.offset.resize(blocks, 0);
        self.half_offset.resize(blocks, [0; 2]);
        self.sum.resize(blocks, 0.0);
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    #[inline]
    pub(super) fn row(&self, row: usize) -> Row<'_> {
        let blocks = row * self.blocks..(row + 1) * self.blocks;
        Row {
            q: &self.q[blocks.start * BLOCK..blocks.end * BLOCK],
            scale: &self.scale[blocks.clone()],
            #[cfg(target_arch = "x86_64")]
            offset: &self.offset[blocks.clone()],
            half_offset: &self.half_offset[blocks.clone()],
            sum: &self.sum[blocks],
        }
    }

    pub fn writer(&mut self) -> Writer<'_> {
        Writer {
            blocks: self.blocks,
            q: Disjoint::new(&mut self.q),
            scale: Disjoint::new(&mut self.scale),
            offset: Disjoint::new(&mut self.offset),
            half_offset: Disjoint::new(&mut self.half_offset),
            sum: Disjoint::new(&mut self.sum),
        }
    }
}

/// Lets several threads write blocks of their own.
pub(in crate::compute::cpu) struct Writer<'a> {
    blocks: usize,
    q: Disjoint<'a, i8>,
    scale: Disjoint<'a, f32>,
    offset: Disjoint<'a, i32>,
    half_offset: Disjoint<'a, [i32; 2]>,
    sum: Disjoint<'a, f32>,
}

impl Writer<'_> {
    /// `count` blocks of a row, from `first` on.
    ///
    /// # Safety
    /// No other thread may use any of them meanwhile.
    #[allow(unsafe_code)]
    #[inline]
    pub unsafe fn blocks(&self, row: usize, first: usize, count: usize) -> BlocksMut<'_> {
        let start = row * self.blocks + first;
        // SAFETY: the caller has these blocks for itself.
        unsafe {
            BlocksMut {
                q: self.q.part(start * BLOCK, count * BLOCK),
                scale: self.scale.part(start, count),
                offset: self.offset.part(start, count),
                half_offset: self.half_offset.part(start, count),
                sum: self.sum.part(start, count),
            }
        }
    }

    /// A whole row.
    ///
    /// # Safety
    /// As for [`Self::blocks`].
    #[allow(unsafe_code)]
    pub unsafe fn row(&self, row: usize) -> BlocksMut<'_> {
        // SAFETY: handed on to the caller.
        unsafe { self.blocks(row, 0, self.blocks) }
    }
}

/// Fills blocks from `x`; with `remainder`, `x` becomes what the blocks leave of it.
pub(in crate::compute::cpu) struct Quantise<'a> {
    pub x: &'a mut [f32],
    pub to: BlocksMut<'a>,
    pub remainder: bool,
}

impl Quantise<'_> {
    pub fn run_on(self, isa: Isa) {
        match isa {
            // SAFETY: this variant exists only where `Isa::detect` has found the features that the function enables.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Isa::Avx512 => unsafe { avx512::quantise(self) },
            _ => isa.run(self),
        }
    }
}

/// As plain code.
impl Kernel for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let to = self.to;
        let outputs =
            to.q.as_chunks_mut::<BLOCK>()
                .0
                .iter_mut()
                .zip(to.scale)
                .zip(to.offset)
                .zip(to.half_offset)
                .zip(to.sum);
        for (x, ((((q, scale), offset), half_offset), sum)) in self.x.as_chunks_mut::<BLOCK>().0.iter_mut().zip(outputs)
        {
            let mut lanes = [0.0f32; 16];
            for i in 0..16 {
                lanes[i] = x[i].abs().max(x[i + 16].abs());
            }
            for width in [8, 4, 2, 1] {
                for i in 0..width {
                    lanes[i] = lanes[i].max(lanes[i + width]);
                }
            }
            *scale = lanes[0] / 127.0;
            let inverse = if lanes[0] > 0.0 { 127.0 / lanes[0] } else { 0.0 };
            let mut rounded = [0i32; BLOCK];
            for i in 0..BLOCK {
                // |x·inverse| is at most 127 and a little: the sum with 1.5·2^23 rounds to the nearest integer.
                rounded[i] = round(x[i] * inverse);
                q[i] = rounded[i] as i8;
            }
            let half = |half: &[i32]| half.iter().sum::<i32>();
            let (low, high) = (half(&rounded[..16]), half(&rounded[16..]));
            *offset = -128 * (low + high);
            *half_offset = [-32 * low, -32 * high];
            *sum = *scale * (low + high) as f32;
            if self.remainder {
                for i in 0..BLOCK {
                    x[i] -= *scale * rounded[i] as f32;
                }
            }
        }
    }
}

/// The nearest integer, ties to even, for |x| ≤ 2^22.
#[inline(always)]
fn round(x: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (x + SHIFT)
        .to_bits()
        .cast_signed()
        .wrapping_sub(SHIFT.to_bits().cast_signed())
}
