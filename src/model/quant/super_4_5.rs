//! `Q4_K` and `Q5_K`: blocks of 256 weights in eight groups of 32, `w = (d·s_g)·q - (dmin·m_g)`.
//!
//! `d`, `dmin`, then 12 bytes with the 6-bit `s` and `m` of the groups, then the weights. Of these twelve bytes, the low
//! six bits of bytes 0..4 are `s` and of bytes 4..8 `m` of groups 0..4; bytes 8..12 hold the low four bits of `s` (low
//! nibble) and `m` (high nibble) of groups 4..8, whose upper two bits are at the top of bytes 0..4 and 4..8.
//!
//! The 128 bytes of nibbles are 32 for each pair of groups: the even group in the low halves, the odd one in the high
//! halves. In `Q5_K` bit `g` of byte `i` of the 32 before them is the fifth bit of weight `i` of group `g`.

use super::Block;
use super::half_float::{nearest, read};
use super::rounding::{low_byte, reciprocal, round_within};
use super::search::Affine;

const WEIGHTS: usize = 256;
const GROUPS: usize = 8;
const GROUP: usize = 32;
/// Six bits.
const LARGEST_SCALE: f32 = 63.0;
const NEIGHBOURS: [(f32, f32); 9] = [
    (0.0, 0.0),
    (0.0, -1.0),
    (0.0, 1.0),
    (-1.0, 0.0),
    (1.0, 0.0),
    (-1.0, -1.0),
    (1.0, 1.0),
    (-1.0, 1.0),
    (1.0, -1.0),
];

/// `d`, `dmin`, 12 bytes of scales, 128 of nibbles.
pub struct Q4K;

impl Block<144, WEIGHTS> for Q4K {
    #[inline(always)]
    fn widen(bytes: &[u8; 144], out: &mut [f32; WEIGHTS]) {
        let (scale, least) = scales(bytes.first_chunk().expect("a block begins with its scales"));
        let nibbles: &[[u8; GROUP]] = bytes[16..].as_chunks().0;
        for (pair, (out, nibbles)) in out
            .as_chunks_mut::<{ 2 * GROUP }>()
            .0
            .iter_mut()
            .zip(nibbles)
            .enumerate()
        {
            let (even, odd) = (2 * pair, 2 * pair + 1);
            for i in 0..GROUP {
                out[i] = scale[even] * f32::from(nibbles[i] & 0x0f) - least[even];
                out[i + GROUP] = scale[odd] * f32::from(nibbles[i] >> 4) - least[odd];
            }
        }
    }

    #[inline(always)]
    fn narrow(values: &[f32; WEIGHTS], bytes: &mut [u8; 144]) {
        let (head, q) = quantise(values, 15.0);
        bytes[..16].copy_from_slice(&head);
        pack(&q, bytes[16..].as_chunks_mut().0);
    }
}

/// `d`, `dmin`, 12 bytes of scales, 32 of fifth bits, 128 of nibbles.
pub struct Q5K;

impl Block<176, WEIGHTS> for Q5K {
    #[inline(always)]
    fn widen(bytes: &[u8; 176], out: &mut [f32; WEIGHTS]) {
        let (scale, least) = scales(bytes.first_chunk().expect("a block begins with its scales"));
        let fifth: &[u8; GROUP] = bytes[16..].first_chunk().expect("32 bytes of fifth bits");
        let nibbles: &[[u8; GROUP]] = bytes[48..].as_chunks().0;
        for (pair, (out, nibbles)) in out
            .as_chunks_mut::<{ 2 * GROUP }>()
            .0
            .iter_mut()
            .zip(nibbles)
            .enumerate()
        {
            let (even, odd) = (2 * pair, 2 * pair + 1);
            for i in 0..GROUP {
                let low = nibbles[i] & 0x0f | (fifth[i] >> even & 1) << 4;
                let high = nibbles[i] >> 4 | (fifth[i] >> odd & 1) << 4;
                out[i] = scale[even] * f32::from(low) - least[even];
                out[i + GROUP] = scale[odd] * f32::from(high) - least[odd];
            }
        }
    }

    #[inline(always)]
    fn narrow(values: &[f32; WEIGHTS], bytes: &mut [u8; 176]) {
        let (head, q) = quantise(values, 31.0);
        bytes[..16].copy_from_slice(&head);
        let fifth: &mut [u8; GROUP] = bytes[16..].first_chunk_mut().expect("32 bytes of fifth bits");
        for i in 0..GROUP {
            let mut bits = 0;
            for (g, q) in q.iter().enumerate() {
                bits |= q[i] >> 4 << g;
            }
            fifth[i] = bits;
        }
        pack(&q, bytes[48..].as_chunks_mut().0);
    }
}

/// `d·s` and `dmin·m` of each group.
#[inline(always)]
fn scales(bytes: &[u8; 16]) -> ([f32; GROUPS], [f32; GROUPS]) {
    let (d, dmin) = (read(bytes[0], bytes[1]), read(bytes[2], bytes[3]));
    let packed = &bytes[4..];
    let (mut scale, mut least) = ([0.0; GROUPS], [0.0; GROUPS]);
    for g in 0..4 {
        let (s, m, low) = (packed[g], packed[g + 4], packed[g + 8]);
        scale[g] = d * f32::from(s & 0x3f);
        least[g] = dmin * f32::from(m & 0x3f);
        scale[g + 4] = d * f32::from(low & 0x0f | s >> 6 << 4);
        least[g + 4] = dmin * f32::from(low >> 4 | m >> 6 << 4);
    }
    (scale, least)
}

/// The first 16 bytes of a block for `values`, and the level of each weight.
#[inline(always)]
fn quantise(values: &[f32; WEIGHTS], last: f32) -> ([u8; 16], [[u8; GROUP]; GROUPS]) {
    let groups: &[[f32; GROUP]; GROUPS] = values
        .as_chunks()
        .0
        .try_into()
        .expect("256 weights are eight groups of 32");
    let mut wanted = [Affine { scale: 0.0, least: 0.0 }; GROUPS];
    for (wanted, group) in wanted.iter_mut().zip(groups) {
        *wanted = Affine::search(group, last);
    }
    let (mut largest_scale, mut largest_least) = (0.0_f32, 0.0_f32);
    for wanted in &wanted {
        largest_scale = largest_scale.max(wanted.scale);
        largest_least = largest_least.max(wanted.least);
    }
    let (d_bytes, d) = nearest(largest_scale / LARGEST_SCALE);
    let (dmin_bytes, dmin) = nearest(largest_least / LARGEST_SCALE);

    let (mut scale, mut least, mut q) = ([0; GROUPS], [0; GROUPS], [[0; GROUP]; GROUPS]);
    for g in 0..GROUPS {
        let found = round_pair(wanted[g], d, dmin, &groups[g], last);
        (scale[g], least[g]) = (low_byte(found.scale), low_byte(found.least));
        let rounded = Affine {
            scale: d * found.scale,
            least: dmin * found.least,
        };
        let levels = rounded.levels(&groups[g], last);
        for i in 0..GROUP {
            q[g][i] = low_byte(levels[i]);
        }
    }

    let mut head = [0; 16];
    head[..2].copy_from_slice(&d_bytes);
    head[2..4].copy_from_slice(&dmin_bytes);
    for g in 0..4 {
        head[4 + g] = scale[g] | scale[g + 4] >> 4 << 6;
        head[8 + g] = least[g] | least[g + 4] >> 4 << 6;
        head[12 + g] = scale[g + 4] & 0x0f | (least[g + 4] & 0x0f) << 4;
    }
    (head, q)
}

/// The six-bit scale and least value, in units of `d` and `dmin`, next to what is wanted. The two roundings make up for
/// each other, so the neighbours are tried.
#[inline(always)]
fn round_pair(wanted: Affine, d: f32, dmin: f32, group: &[f32; GROUP], last: f32) -> Affine {
    let centre = Affine {
        scale: round_within(wanted.scale * reciprocal(d), 0.0, LARGEST_SCALE),
        least: round_within(wanted.least * reciprocal(dmin), 0.0, LARGEST_SCALE),
    };
    let (mut best, mut best_error) = (centre, f32::INFINITY);
    for (ds, dm) in NEIGHBOURS {
        let trial = Affine {
            scale: (centre.scale + ds).clamp(0.0, LARGEST_SCALE),
            least: (centre.least + dm).clamp(0.0, LARGEST_SCALE),
        };
        let value = Affine {
            scale: d * trial.scale,
            least: dmin * trial.least,
        };
        let error = value.error(group, last);
        if error < best_error {
            (best, best_error) = (trial, error);
        }
    }
    best
}

/// Even groups into the low halves, odd groups into the high halves.
#[inline(always)]
fn pack(q: &[[u8; GROUP]; GROUPS], nibbles: &mut [[u8; GROUP]]) {
    for (pair, nibbles) in q.as_chunks::<2>().0.iter().zip(nibbles) {
        for i in 0..GROUP {
            nibbles[i] = pair[0][i] & 0x0f | pair[1][i] << 4;
        }
    }
}
