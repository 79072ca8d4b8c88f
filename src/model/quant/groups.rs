//! Blocks of 32 weights with one scale: `Q8_0`, `Q4_0`, `Q5_0`, and with a scale and a least value: `Q4_1`, `Q5_1`.
//!
//! Of the types below eight bits, byte `j` of the nibbles holds weight `j` in its low half and weight `j + 16` in its
//! high half; the fifth bits of all 32 weights are one little-endian `u32`.

use super::Block;
use super::half_float::{below, nearest, read};
use super::rounding::{farthest, low_byte, range, reciprocal, round_within};

const GROUP: usize = 32;
const HALF: usize = GROUP / 2;

/// `d`, 32 signed bytes: `w = d·q`.
pub struct Q8_0;

impl Block<34, GROUP> for Q8_0 {
    #[inline(always)]
    fn widen(bytes: &[u8; 34], out: &mut [f32; GROUP]) {
        let d = read(bytes[0], bytes[1]);
        for (i, out) in out.iter_mut().enumerate() {
            *out = d * f32::from(bytes[2 + i].cast_signed());
        }
    }

    #[inline(always)]
    fn narrow(values: &[f32; GROUP], bytes: &mut [u8; 34]) {
        let (head, d) = nearest(farthest(values).abs() / 127.0);
        bytes[..2].copy_from_slice(&head);
        let inverse = reciprocal(d);
        for i in 0..GROUP {
            bytes[2 + i] = low_byte(round_within(values[i] * inverse, -127.0, 127.0));
        }
    }
}

/// `d`, 16 bytes of nibbles: `w = d·(q - 8)`.
pub struct Q4_0;

impl Block<18, GROUP> for Q4_0 {
    #[inline(always)]
    fn widen(bytes: &[u8; 18], out: &mut [f32; GROUP]) {
        let d = read(bytes[0], bytes[1]);
        for j in 0..HALF {
            let byte = bytes[2 + j];
            out[j] = d * (f32::from(byte & 0x0f) - 8.0);
            out[j + HALF] = d * (f32::from(byte >> 4) - 8.0);
        }
    }

    #[inline(always)]
    fn narrow(values: &[f32; GROUP], bytes: &mut [u8; 18]) {
        let (head, d) = nearest(farthest(values) / -8.0);
        let q = levels(values, d, -8.0 * d, 15.0);
        bytes[..2].copy_from_slice(&head);
        pack(&q, &mut bytes[2..]);
    }
}

/// `d`, `m`, 16 bytes of nibbles: `w = d·q + m`.
pub struct Q4_1;

impl Block<20, GROUP> for Q4_1 {
    #[inline(always)]
    fn widen(bytes: &[u8; 20], out: &mut [f32; GROUP]) {
        let (d, m) = (read(bytes[0], bytes[1]), read(bytes[2], bytes[3]));
        for j in 0..HALF {
            let byte = bytes[4 + j];
            out[j] = d * f32::from(byte & 0x0f) + m;
            out[j + HALF] = d * f32::from(byte >> 4) + m;
        }
    }

    #[inline(always)]
    fn narrow(values: &[f32; GROUP], bytes: &mut [u8; 20]) {
        let (head, d, m) = spread(values, 15.0);
        let q = levels(values, d, m, 15.0);
        bytes[..4].copy_from_slice(&head);
        pack(&q, &mut bytes[4..]);
    }
}

/// `d`, 4 bytes of fifth bits, 16 bytes of nibbles: `w = d·(q - 16)`.
pub struct Q5_0;

impl Block<22, GROUP> for Q5_0 {
    #[inline(always)]
    fn widen(bytes: &[u8; 22], out: &mut [f32; GROUP]) {
        let d = read(bytes[0], bytes[1]);
        let fifth = u32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]);
        for j in 0..HALF {
            let (low, high) = five_bits(bytes[6 + j], fifth, j);
            out[j] = d * (low - 16.0);
            out[j + HALF] = d * (high - 16.0);
        }
    }

    #[inline(always)]
    fn narrow(values: &[f32; GROUP], bytes: &mut [u8; 22]) {
        let (head, d) = nearest(farthest(values) / -16.0);
        let q = levels(values, d, -16.0 * d, 31.0);
        bytes[..2].copy_from_slice(&head);
        bytes[2..6].copy_from_slice(&fifth_bits(&q));
        pack(&q, &mut bytes[6..]);
    }
}

/// `d`, `m`, 4 bytes of fifth bits, 16 bytes of nibbles: `w = d·q + m`.
pub struct Q5_1;

impl Block<24, GROUP> for Q5_1 {
    #[inline(always)]
    fn widen(bytes: &[u8; 24], out: &mut [f32; GROUP]) {
        let (d, m) = (read(bytes[0], bytes[1]), read(bytes[2], bytes[3]));
        let fifth = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        for j in 0..HALF {
            let (low, high) = five_bits(bytes[8 + j], fifth, j);
            out[j] = d * low + m;
            out[j + HALF] = d * high + m;
        }
    }

    #[inline(always)]
    fn narrow(values: &[f32; GROUP], bytes: &mut [u8; 24]) {
        let (head, d, m) = spread(values, 31.0);
        let q = levels(values, d, m, 31.0);
        bytes[..4].copy_from_slice(&head);
        bytes[4..8].copy_from_slice(&fifth_bits(&q));
        pack(&q, &mut bytes[8..]);
    }
}

/// Weights `j` and `j + 16` of five bits.
#[inline(always)]
fn five_bits(nibbles: u8, fifth: u32, j: usize) -> (f32, f32) {
    let low = u32::from(nibbles & 0x0f) | (fifth >> j & 1) << 4;
    let high = u32::from(nibbles >> 4) | (fifth >> (j + HALF) & 1) << 4;
    (low as f32, high as f32)
}

/// Step and least value of `levels + 1` levels from the smallest to the largest value, as bytes and as rounded. The least
/// is rounded down, so that the levels span all values whatever their offset.
#[inline(always)]
fn spread(values: &[f32; GROUP], levels: f32) -> ([u8; 4], f32, f32) {
    let (least, largest) = range(values);
    let (m_bytes, m) = below(least);
    let (d_bytes, d) = nearest((largest - m) / levels);
    ([d_bytes[0], d_bytes[1], m_bytes[0], m_bytes[1]], d, m)
}

/// The level nearest to each value, of those at `least + d·q`, `0 ≤ q ≤ last`.
#[inline(always)]
fn levels(values: &[f32; GROUP], d: f32, least: f32, last: f32) -> [u8; GROUP] {
    let inverse = reciprocal(d);
    let mut q = [0; GROUP];
    for i in 0..GROUP {
        q[i] = low_byte(round_within((values[i] - least) * inverse, 0.0, last));
    }
    q
}

/// The low four bits of each level, into 16 bytes.
#[inline(always)]
fn pack(q: &[u8; GROUP], nibbles: &mut [u8]) {
    let nibbles: &mut [u8; HALF] = nibbles.first_chunk_mut().expect("a block has 16 bytes of nibbles");
    for j in 0..HALF {
        nibbles[j] = q[j] & 0x0f | q[j + HALF] << 4;
    }
}

#[inline(always)]
fn fifth_bits(q: &[u8; GROUP]) -> [u8; 4] {
    let mut bits = 0;
    for (i, q) in q.iter().enumerate() {
        bits |= u32::from(q >> 4) << i;
    }
    bits.to_le_bytes()
}
