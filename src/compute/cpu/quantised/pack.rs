//! Weights as panels of 16 rows.
//!
//! A panel is a run of *units* of a few blocks: for formats with blocks in superblocks of 256 columns the scales of the superblock,
//! then the scales of the blocks, then their integers. All are for 16 rows side by side. A unit is whole cache lines, so a product
//! reads memory from front to back and nowhere else, which is what the processor can read ahead: with all scales at the end of a
//! panel a thread read 11 to 18 GB/s of the 30 that it can.
//!
//! | bits | a block's integers, `u[group g of 4 columns][row][column in the group]` |
//! |---|---|
//! | 8 | 8 vectors of 64 bytes, one a group |
//! | 4 | 4 vectors: group `v` in the low half of the bytes of vector `v`, group `v + 4` in the high half |
//! | 5 | as 4, and a vector whose bit `g` is bit 4 of group `g` |
//! | 6 | as 4, and 2 vectors: vector `h` has bits 4 and 5 of group `4h + j` at bit `2j` |

use std::array::from_fn;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::{BLOCK, ROWS};
use crate::compute::cpu::arena::{Arena, Line, Lines};
use crate::model::{Dtype, TensorView};

/// Columns of a superblock.
const SUPER: usize = 256;
/// Blocks of a superblock.
pub(super) const BLOCKS_A_SUPER: usize = SUPER / BLOCK;

/// How the integers of a block are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compute::cpu) enum Bits {
    Eight,
    Four,
    Five,
    Six,
}

/// How the scales of a block are stored, for 16 rows each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compute::cpu) enum Scales {
    /// `s` as f16.
    Half,
    /// `s` and `m` as f16.
    HalfMin,
    /// `s = d·sc`, `m = -dmin·mn`: sc and mn bytes, d and dmin f16 a superblock.
    Super,
    /// `s = d·sc` for each half of the block: two signed bytes, d f16 a superblock.
    Sixteenths,
}

impl Bits {
    pub const fn bytes(self) -> usize {
        match self {
            Self::Eight => 512,
            Self::Four => 256,
            Self::Five => 320,
            Self::Six => 384,
        }
    }
}

impl Scales {
    /// Bytes a block.
    const fn bytes(self) -> usize {
        match self {
            Self::Half | Self::Super | Self::Sixteenths => 2 * ROWS,
            Self::HalfMin => 4 * ROWS,
        }
    }

    /// Bytes a superblock, made whole cache lines.
    const fn super_bytes(self) -> usize {
        match self {
            Self::Half | Self::HalfMin => 0,
            Self::Super | Self::Sixteenths => 4 * ROWS,
        }
    }

    /// Blocks a unit: as few as whole cache lines can be made of.
    const fn blocks(self) -> usize {
        match self {
            Self::HalfMin => 1,
            Self::Half => 2,
            Self::Super | Self::Sixteenths => BLOCKS_A_SUPER,
        }
    }
}

/// Where a block lies in a panel: the first byte of each of its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub super_scales: usize,
    pub scales: usize,
    pub integers: usize,
}

impl Place {
    #[inline(always)]
    pub const fn of(bits: Bits, scales: Scales, block: usize) -> Self {
        let (unit, within) = (block / scales.blocks(), block % scales.blocks());
        let start = unit * unit_bytes(bits, scales);
        let first = start + scales.super_bytes();
        Self {
            super_scales: start,
            scales: first + within * scales.bytes(),
            integers: first + scales.blocks() * scales.bytes() + within * bits.bytes(),
        }
    }
}

/// The same for a format whose bits and scales are constants.
#[inline(always)]
pub(super) const fn place<const BITS: u8, const SCALES: u8>(block: usize) -> Place {
    let scales = match SCALES {
        s if s == Scales::Half as u8 => Scales::Half,
        s if s == Scales::HalfMin as u8 => Scales::HalfMin,
        s if s == Scales::Super as u8 => Scales::Super,
        _ => Scales::Sixteenths,
    };
    Place::of(bits_of(BITS), scales, block)
}

const fn bits_of(number: u8) -> Bits {
    match number {
        b if b == Bits::Eight as u8 => Bits::Eight,
        b if b == Bits::Four as u8 => Bits::Four,
        b if b == Bits::Five as u8 => Bits::Five,
        _ => Bits::Six,
    }
}

pub(super) const fn has_minimum(scales: u8) -> bool {
    scales == Scales::HalfMin as u8 || scales == Scales::Super as u8
}

const fn unit_bytes(bits: Bits, scales: Scales) -> usize {
    scales.super_bytes() + scales.blocks() * (scales.bytes() + bits.bytes())
}

/// A storage format of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compute::cpu) struct Format {
    pub bits: Bits,
    pub scales: Scales,
    /// What is taken from each integer.
    pub offset: u8,
}

impl Format {
    fn of(dtype: Dtype) -> Option<Self> {
        let (bits, scales, offset) = match dtype {
            Dtype::Q8_0 => (Bits::Eight, Scales::Half, 128),
            Dtype::Q4_0 => (Bits::Four, Scales::Half, 8),
            Dtype::Q5_0 => (Bits::Five, Scales::Half, 16),
            Dtype::Q4_1 => (Bits::Four, Scales::HalfMin, 0),
            Dtype::Q5_1 => (Bits::Five, Scales::HalfMin, 0),
            Dtype::Q4K => (Bits::Four, Scales::Super, 0),
            Dtype::Q5K => (Bits::Five, Scales::Super, 0),
            Dtype::Q6K => (Bits::Six, Scales::Sixteenths, 32),
            Dtype::F32 | Dtype::F16 | Dtype::Bf16 => return None,
        };
        Some(Self { bits, scales, offset })
    }
}

/// What a panel is made of.
#[derive(Debug, Clone, Copy)]
struct Shape {
    format: Format,
    blocks: usize,
}

impl Shape {
    fn of(matrix: &TensorView) -> Self {
        Self {
            format: Format::of(matrix.dtype()).expect("a quantised type"),
            blocks: matrix.shape()[1] / BLOCK,
        }
    }

    /// Of a panel. A unit with a block too few is a whole one all the same.
    fn lines(self) -> usize {
        let Format { bits, scales, .. } = self.format;
        self.blocks.div_ceil(scales.blocks()) * unit_bytes(bits, scales) / size_of::<Line>()
    }
}

/// A matrix `[rows, columns]` in panels.
#[derive(Debug)]
pub(in crate::compute::cpu) struct Panels {
    shape: Shape,
    data: Lines,
}

/// A panel that is made when it is used.
#[derive(Debug, Default)]
pub(in crate::compute::cpu) struct Transient(Vec<Line>);

/// One panel.
#[derive(Debug, Clone, Copy)]
pub(in crate::compute::cpu) struct Panel<'a> {
    pub format: Format,
    pub blocks: usize,
    /// Of all units, aligned to 64.
    pub bytes: &'a [u8],
}

impl Panels {
    /// Whether [`Self::pack`] takes weights of this type and width.
    pub fn fit(dtype: Dtype, columns: usize) -> bool {
        match Format::of(dtype).map(|format| format.scales) {
            Some(Scales::Super | Scales::Sixteenths) => columns.is_multiple_of(SUPER),
            Some(_) => columns.is_multiple_of(BLOCK),
            None => false,
        }
    }

    /// The matrix in panels; rows that are missing from the last one are zeros.
    ///
    /// # Errors
    /// If there is no memory.
    ///
    /// # Panics
    /// If it does not [`fit`](Self::fit).
    pub fn pack(matrix: &TensorView, arena: &Arena) -> std::io::Result<Self> {
        let shape = Shape::of(matrix);
        let mut data = arena.lines(shape.lines() * matrix.shape()[0].div_ceil(ROWS))?;
        data.par_chunks_mut(shape.lines())
            .enumerate()
            .for_each(|(panel, lines)| pack_panel(matrix, panel, lines));
        Ok(Self { shape, data })
    }

    pub(in crate::compute::cpu) fn panel(&self, panel: usize) -> Panel<'_> {
        let lines = self.shape.lines();
        Panel::new(self.shape, &self.data[panel * lines..][..lines])
    }
}

impl Transient {
    /// Panel `panel` of the matrix.
    pub fn pack(&mut self, matrix: &TensorView, panel: usize) -> Panel<'_> {
        let shape = Shape::of(matrix);
        self.0.clear();
        self.0.resize(shape.lines(), Line([0; 64]));
        pack_panel(matrix, panel, &mut self.0);
        Panel::new(shape, &self.0)
    }
}

/// Into zeroed lines.
fn pack_panel(matrix: &TensorView, panel: usize, lines: &mut [Line]) {
    const EIGHT: u8 = Bits::Eight as u8;
    const FOUR: u8 = Bits::Four as u8;
    const FIVE: u8 = Bits::Five as u8;
    const SIX: u8 = Bits::Six as u8;
    const HALF: u8 = Scales::Half as u8;
    const HALF_MIN: u8 = Scales::HalfMin as u8;
    const SUPERS: u8 = Scales::Super as u8;
    const SIXTEENTHS: u8 = Scales::Sixteenths as u8;
    let rows = Rows { matrix, panel };
    let to = as_bytes_mut(lines);
    // Sizes are constants in each: so short runs of bytes are then moved without being counted.
    match matrix.dtype() {
        Dtype::Q8_0 => rows.pack::<EIGHT, HALF, 34>(to, |to, at, lane, bytes| {
            to.halves(at, lane, [bytes, &[]]);
            to.integers(at, lane, from_fn(|i| bytes[2 + i] ^ 0x80));
        }),
        Dtype::Q4_0 => rows.pack::<FOUR, HALF, 18>(to, |to, at, lane, bytes| {
            to.halves(at, lane, [bytes, &[]]);
            to.integers(at, lane, from_fn(|i| nibble(&bytes[2..], i)));
        }),
        Dtype::Q4_1 => rows.pack::<FOUR, HALF_MIN, 20>(to, |to, at, lane, bytes| {
            to.halves(at, lane, [bytes, &bytes[2..]]);
            to.integers(at, lane, from_fn(|i| nibble(&bytes[4..], i)));
        }),
        Dtype::Q5_0 => rows.pack::<FIVE, HALF, 22>(to, |to, at, lane, bytes| {
            to.halves(at, lane, [bytes, &[]]);
            to.integers(at, lane, from_fn(|i| nibble(&bytes[6..], i) | fifth(&bytes[2..], i)));
        }),
        Dtype::Q5_1 => rows.pack::<FIVE, HALF_MIN, 24>(to, |to, at, lane, bytes| {
            to.halves(at, lane, [bytes, &bytes[2..]]);
            to.integers(at, lane, from_fn(|i| nibble(&bytes[8..], i) | fifth(&bytes[4..], i)));
        }),
        Dtype::Q4K => rows.pack::<FOUR, SUPERS, 144>(to, |to, at, lane, bytes| to.k_with_minimum(at, lane, bytes)),
        Dtype::Q5K => rows.pack::<FIVE, SUPERS, 176>(to, |to, at, lane, bytes| to.k_with_minimum(at, lane, bytes)),
        Dtype::Q6K => rows.pack::<SIX, SIXTEENTHS, 210>(to, |to, at, lane, bytes| to.k_six(at, lane, bytes)),
        Dtype::F32 | Dtype::F16 | Dtype::Bf16 => unreachable!("not a quantised type"),
    }
}

/// The rows of a panel.
#[derive(Clone, Copy)]
struct Rows<'a> {
    matrix: &'a TensorView,
    panel: usize,
}

impl Rows<'_> {
    /// `one` for each block of `BYTES` bytes, with its number and its row in the panel.
    #[inline(always)]
    fn pack<const BITS: u8, const SCALES: u8, const BYTES: usize>(
        self,
        to: &mut [u8],
        one: impl Fn(&mut Packer<'_, BITS, SCALES>, usize, usize, &[u8; BYTES]),
    ) {
        let mut packer = Packer { panel: to };
        let all = self.matrix.shape()[0];
        for (lane, row) in (self.panel * ROWS..all.min((self.panel + 1) * ROWS)).enumerate() {
            for (at, bytes) in self.matrix.row(row).as_chunks().0.iter().enumerate() {
                one(&mut packer, at, lane, bytes);
            }
        }
    }
}

fn as_bytes(lines: &[Line]) -> &[u8] {
    // SAFETY: a line is 64 bytes without padding, and bytes need no alignment.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(lines))
    }
}

fn as_bytes_mut(lines: &mut [Line]) -> &mut [u8] {
    // SAFETY: as above, and every byte is a valid part of a line.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), size_of_val(lines))
    }
}

/// Writes rows into a zeroed panel.
struct Packer<'a, const BITS: u8, const SCALES: u8> {
    panel: &'a mut [u8],
}

impl<const BITS: u8, const SCALES: u8> Packer<'_, BITS, SCALES> {
    /// The f16 scale of a block, and its minimum if there is one.
    #[inline(always)]
    fn halves(&mut self, block: usize, lane: usize, halves: [&[u8]; 2]) {
        let at = place::<BITS, SCALES>(block).scales;
        for (i, half) in halves.into_iter().enumerate().filter(|(_, half)| !half.is_empty()) {
            self.panel[at + (i * ROWS + lane) * 2..][..2].copy_from_slice(&half[..2]);
        }
    }

    /// The bytes of a block's scales.
    #[inline(always)]
    fn scale_bytes(&mut self, block: usize, lane: usize, bytes: [u8; 2]) {
        let at = place::<BITS, SCALES>(block).scales;
        self.panel[at + lane] = bytes[0];
        self.panel[at + ROWS + lane] = bytes[1];
    }

    /// The f16 scales of superblock `at`.
    #[inline(always)]
    fn super_halves(&mut self, at: usize, lane: usize, index: usize, half: &[u8]) {
        let at = place::<BITS, SCALES>(at * BLOCKS_A_SUPER).super_scales;
        self.panel[at + (index * ROWS + lane) * 2..][..2].copy_from_slice(&half[..2]);
    }

    /// The integers of a block, in the order of its columns.
    #[inline(always)]
    fn integers(&mut self, block: usize, lane: usize, u: [u8; BLOCK]) {
        let bits = bits_of(BITS);
        let at = place::<BITS, SCALES>(block).integers;
        let block = self.panel[at..][..bits.bytes()].as_chunks_mut::<64>().0;
        let mut groups = [0u32; BLOCK / 4];
        for (group, u) in groups.iter_mut().zip(u.as_chunks::<4>().0) {
            *group = u32::from_le_bytes(*u);
        }
        let mut put = |vector: usize, four: u32| {
            block[vector].as_chunks_mut().0[lane] = four.to_le_bytes();
        };
        if bits == Bits::Eight {
            for (g, group) in groups.into_iter().enumerate() {
                put(g, group);
            }
            return;
        }
        for v in 0..4 {
            put(v, groups[v] & 0x0f0f_0f0f | (groups[v + 4] & 0x0f0f_0f0f) << 4);
        }
        match bits {
            Bits::Five => put(
                4,
                (0..8)
                    .map(|g| (groups[g] >> 4 & 0x0101_0101) << g)
                    .fold(0, |a, b| a | b),
            ),
            Bits::Six => {
                for h in 0..2 {
                    let upper = (0..4).map(|j| (groups[4 * h + j] >> 4 & 0x0303_0303) << (2 * j));
                    put(4 + h, upper.fold(0, |a, b| a | b));
                }
            }
            Bits::Four | Bits::Eight => (),
        }
    }

    /// `d`, `dmin`, 8 pairs of 6-bit scales and minima in 12 bytes, 256 integers: block `2j` in the low halves of
    /// 32 bytes, block `2j + 1` in the high ones; with five bits, bit `b` of 32 more bytes belongs to block `b`.
    #[inline(always)]
    fn k_with_minimum(&mut self, at: usize, lane: usize, bytes: &[u8]) {
        self.super_halves(at, lane, 0, bytes);
        self.super_halves(at, lane, 1, &bytes[2..]);
        let (packed, rest) = bytes[4..].split_at(12);
        let (high, low) = rest.split_at(rest.len() - SUPER / 2);
        for b in 0..BLOCKS_A_SUPER {
            let (scale, minimum) = if b < 4 {
                (packed[b] & 63, packed[b + 4] & 63)
            } else {
                (
                    packed[b + 4] & 15 | packed[b - 4] >> 6 << 4,
                    packed[b + 4] >> 4 | packed[b] >> 6 << 4,
                )
            };
            let block = at * BLOCKS_A_SUPER + b;
            self.scale_bytes(block, lane, [scale, minimum]);
            let low: &[u8; BLOCK] = &low.as_chunks().0[b / 2];
            let four = |i: usize| low[i] >> (b % 2 * 4) & 15;
            let u = match high.first_chunk::<BLOCK>() {
                Some(high) => from_fn(|i| four(i) | (high[i] >> b & 1) << 4),
                None => from_fn(four),
            };
            self.integers(block, lane, u);
        }
    }

    /// 256 low halves, 256 upper two bits, 16 signed scales, `d`. Columns come in two runs of 128; in each, column
    /// `32j + i` has its low bits in byte `i + 32·(j mod 2)`, half `j / 2`, and its upper ones in byte `i`, bits `2j`.
    #[inline(always)]
    fn k_six(&mut self, at: usize, lane: usize, bytes: &[u8]) {
        let (low, rest) = bytes.split_at(128);
        let (high, rest) = rest.split_at(64);
        let (scales, d) = rest.split_at(16);
        self.super_halves(at, lane, 0, d);
        for b in 0..BLOCKS_A_SUPER {
            let (run, j) = (b / 4, b % 4);
            let block = at * BLOCKS_A_SUPER + b;
            self.scale_bytes(block, lane, [scales[2 * b], scales[2 * b + 1]]);
            let low: &[u8; BLOCK] = &low.as_chunks().0[run * 2 + j % 2];
            let high: &[u8; BLOCK] = &high.as_chunks().0[run];
            let u = from_fn(|i| low[i] >> (j / 2 * 4) & 15 | (high[i] >> (2 * j) & 3) << 4);
            self.integers(block, lane, u);
        }
    }
}

/// Column `i` of 16 bytes: the low halves are the first 16 columns, the high ones the rest.
#[inline(always)]
fn nibble(bytes: &[u8], i: usize) -> u8 {
    bytes[i % 16] >> (i / 16 * 4) & 15
}

/// Bit 4 of column `i`, from 32 bits.
#[inline(always)]
fn fifth(bytes: &[u8], i: usize) -> u8 {
    (bytes[i / 8] >> (i % 8) & 1) << 4
}

impl<'a> Panel<'a> {
    fn new(Shape { format, blocks }: Shape, lines: &'a [Line]) -> Self {
        Self {
            format,
            blocks,
            bytes: as_bytes(lines),
        }
    }
}

impl Panel<'_> {
    /// Block `block` as integers `[group][row][column in the group]`, its scales and its minima; the scales are those of
    /// the first and the second half.
    #[inline(always)]
    pub(super) fn unpack(&self, block: usize) -> Unpacked {
        let Format { bits, scales, .. } = self.format;
        let place = Place::of(bits, scales, block);
        let stored = self.bytes[place.integers..][..bits.bytes()].as_chunks::<64>().0;
        let mut integers = [[0u8; 64]; BLOCK / 4];
        if self.format.bits == Bits::Eight {
            integers.copy_from_slice(stored);
        } else {
            for v in 0..4 {
                for i in 0..64 {
                    integers[v][i] = stored[v][i] & 15;
                    integers[v + 4][i] = stored[v][i] >> 4;
                }
            }
        }
        for (g, group) in integers.iter_mut().enumerate() {
            match self.format.bits {
                Bits::Five => {
                    for i in 0..64 {
                        group[i] |= (stored[4][i] >> g & 1) << 4;
                    }
                }
                Bits::Six => {
                    for i in 0..64 {
                        group[i] |= (stored[4 + g / 4][i] >> (g % 4 * 2) & 3) << 4;
                    }
                }
                Bits::Four | Bits::Eight => (),
            }
        }
        let scales = &self.bytes[place.scales..][..scales.bytes()];
        // By the slice conversion, which uses the hardware's instruction if there is one.
        let halves = |bytes: &[u8], index: usize| {
            let mut halves = [f16::ZERO; ROWS];
            for (half, bytes) in halves.iter_mut().zip(bytes[2 * ROWS * index..].as_chunks::<2>().0) {
                *half = f16::from_le_bytes(*bytes);
            }
            let mut out = [0.0; ROWS];
            halves.convert_to_f32_slice(&mut out);
            out
        };
        let super_scales = &self.bytes[place.super_scales..];
        let mut out = Unpacked {
            integers,
            scale: [[0.0; ROWS]; 2],
            minimum: [0.0; ROWS],
        };
        match self.format.scales {
            Scales::Half => out.scale = [halves(scales, 0); 2],
            Scales::HalfMin => {
                out.scale = [halves(scales, 0); 2];
                out.minimum = halves(scales, 1);
            }
            Scales::Super => {
                let (d, least) = (halves(super_scales, 0), halves(super_scales, 1));
                out.scale = [from_fn(|r| d[r] * f32::from(scales[r])); 2];
                out.minimum = from_fn(|r| -least[r] * f32::from(scales[ROWS + r]));
            }
            Scales::Sixteenths => {
                let d = halves(super_scales, 0);
                out.scale = [0, ROWS].map(|first| from_fn(|r| d[r] * f32::from(scales[first + r].cast_signed())));
            }
        }
        out
    }
}

/// A block of a panel.
pub(super) struct Unpacked {
    pub integers: [[u8; 4 * ROWS]; BLOCK / 4],
    pub scale: [[f32; ROWS]; 2],
    pub minimum: [f32; ROWS],
}
