//! `Q6_K`: blocks of 256 weights in sixteen groups of 16, `w = (d·s_g)·(q - 32)`.
//!
//! 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed bytes `s`, `d`. The block is two halves of 128 weights,
//! each four quarters of 32: in half `h`, weight `i` of quarter `c` has its low nibble in byte `64h + 32(c mod 2) + i`,
//! in the low half of the byte for quarters 0 and 1, and its upper bits at bit `2c` of byte `32h + i`.

use super::Block;
use super::half_float::{nearest, read};
use super::rounding::{farthest, low_byte, reciprocal, round_within};
use super::search::Symmetric;

const WEIGHTS: usize = 256;
const GROUP: usize = 16;
const GROUPS: usize = 16;
const LEVELS_BELOW_ZERO: f32 = 32.0;

pub struct Q6K;

impl Block<210, WEIGHTS> for Q6K {
    #[inline(always)]
    fn widen(bytes: &[u8; 210], out: &mut [f32; WEIGHTS]) {
        let d = read(bytes[208], bytes[209]);
        let (low, upper, scales) = (&bytes[..128], &bytes[128..192], &bytes[192..208]);
        for (g, out) in out.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
            let (half, quarter, offset) = (g / 8, g / 2 % 4, g % 2 * GROUP);
            let low: &[u8; GROUP] = low[64 * half + 32 * (quarter % 2) + offset..]
                .first_chunk()
                .expect("a group lies inside of its block");
            let upper: &[u8; GROUP] = upper[32 * half + offset..]
                .first_chunk()
                .expect("a group lies inside of its block");
            let scale = d * f32::from(scales[g].cast_signed());
            let (nibble, pair) = (quarter / 2 * 4, quarter * 2);
            for i in 0..GROUP {
                let q = low[i] >> nibble & 0x0f | (upper[i] >> pair & 3) << 4;
                out[i] = scale * (f32::from(q) - 32.0);
            }
        }
    }

    #[inline(always)]
    fn narrow(values: &[f32; WEIGHTS], bytes: &mut [u8; 210]) {
        let groups: &[[f32; GROUP]] = values.as_chunks().0;
        let mut wanted = [0.0_f32; GROUPS];
        for (wanted, group) in wanted.iter_mut().zip(groups) {
            *wanted = Symmetric::search(group, LEVELS_BELOW_ZERO).scale;
        }
        // The largest gets -128, the one scale that has no counterpart of the other sign.
        let (head, d) = nearest(farthest(&wanted) / -128.0);
        let inverse = reciprocal(d);
        bytes.fill(0);
        bytes[208..].copy_from_slice(&head);
        for (g, group) in groups.iter().enumerate() {
            let scale = round_within(wanted[g] * inverse, -128.0, 127.0);
            bytes[192 + g] = low_byte(scale);
            let levels = Symmetric {
                scale: d * scale,
                half: LEVELS_BELOW_ZERO,
            }
            .levels(group);
            let (half, quarter, offset) = (g / 8, g / 2 % 4, g % 2 * GROUP);
            let (low, upper) = (64 * half + 32 * (quarter % 2) + offset, 128 + 32 * half + offset);
            for i in 0..GROUP {
                let q = low_byte(levels[i] + LEVELS_BELOW_ZERO);
                bytes[low + i] |= (q & 0x0f) << (quarter / 2 * 4);
                bytes[upper + i] |= q >> 4 << (quarter * 2);
            }
        }
    }
}
