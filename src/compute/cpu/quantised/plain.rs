//! The product as its equation.

use super::input::Quantised;
use super::pack::Panel;
use super::{BLOCK, GROUP, ROWS};

pub(super) fn multiply(panel: Panel<'_>, input: &Quantised, tokens: &[u32], out: &mut [f32], stride: usize) {
    let mut sums = [[0.0f32; ROWS]; GROUP];
    for block in 0..panel.blocks {
        let weights = panel.unpack(block);
        for (token, sums) in tokens.iter().zip(&mut sums) {
            let row = input.row(*token as usize);
            let q = &row.q[block * BLOCK..][..BLOCK];
            // Each half has its own scale, at least in formats with 16 columns a scale.
            for half in 0..2 {
                let mut dots = [0i32; ROWS];
                let mut sum = 0;
                let groups = weights.integers.iter().zip(q.as_chunks::<4>().0);
                for (group, q) in groups.skip(half * 4).take(4) {
                    let q = q.map(i32::from);
                    sum += q.iter().sum::<i32>();
                    for (dot, u) in dots.iter_mut().zip(group.as_chunks::<4>().0) {
                        *dot += (0..4).map(|i| i32::from(u[i]) * q[i]).sum::<i32>();
                    }
                }
                let offset = i32::from(panel.format.offset) * sum;
                for (r, sums) in sums.iter_mut().enumerate() {
                    *sums += row.scale[block] * weights.scale[half][r] * (dots[r] - offset) as f32;
                }
            }
            for (sum, minimum) in sums.iter_mut().zip(&weights.minimum) {
                *sum += minimum * row.sum[block];
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_mut(stride)).take(tokens.len()) {
        out[..ROWS].copy_from_slice(sums);
    }
}
