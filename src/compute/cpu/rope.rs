//! The rotary embedding.

use std::ops::Range;

use crate::model::Rope;

/// Cosines and sines of the angles of some tokens, `[tokens, rope.dim / 2]`. Angles are f64: at a million tokens f32 would be
/// off by 0.03 rad.
#[derive(Debug, Default)]
pub(super) struct Turns {
    frequencies: Vec<f64>,
    of: Option<Rope>,
    /// Sines and cosines of the tokens at `kept`, `[tokens, rope.dim / 2]`.
    angles: Vec<(f32, f32)>,
    kept: Range<usize>,
}

impl Turns {
    /// Gets ready for another embedding.
    pub fn prepare(&mut self, rope: Rope) {
        if self.of != Some(rope) {
            self.frequencies.clear();
            self.frequencies
                .extend((0..rope.dim / 2).map(|j| rope.theta.powf(-2.0 * j as f64 / rope.dim as f64)));
            self.of = Some(rope);
            self.kept = 0..0;
        }
    }

    /// Keeps the sines of these positions: every layer of a decoded token turns by the same angles, and a sine costs as much as 64
    /// multiply-adds.
    pub fn keep(&mut self, positions: Range<usize>) {
        if self.kept != positions {
            self.angles.clear();
            for position in positions.clone() {
                self.angles.extend(self.frequencies.iter().map(|f| turn(position, *f)));
            }
            self.kept = positions;
        }
    }

    /// Rotates the first `rope.dim` channels of every head of one token; the others are left alone. `parts` are
    /// `[heads·dim]` each.
    pub fn rotate<const N: usize>(&self, dim: usize, position: usize, mut parts: [&mut [f32]; N]) {
        let Some(rope) = self.of else { return };
        let kept = self
            .kept
            .contains(&position)
            .then(|| &self.angles[(position - self.kept.start) * self.frequencies.len()..]);
        for (j, frequency) in self.frequencies.iter().enumerate() {
            let (sin, cos) = kept.map_or_else(|| turn(position, *frequency), |kept| kept[j]);
            let (a, b) = rope.pairing.channels(j, rope.dim);
            for head in parts.iter_mut().flat_map(|part| part.chunks_exact_mut(dim)) {
                (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[b] * cos + head[a] * sin);
            }
        }
    }
}

fn turn(position: usize, frequency: f64) -> (f32, f32) {
    let (sin, cos) = (position as f64 * frequency).sin_cos();
    (sin as f32, cos as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pairing;

    fn rotate(rope: Rope, dim: usize, position: usize, x: &mut [f32]) {
        let mut turns = Turns::default();
        turns.prepare(rope);
        turns.rotate(dim, position, [x]);
    }

    #[test]
    fn rotation_leaves_the_other_channels_and_the_norm() {
        for pairing in [Pairing::Halves, Pairing::Neighbours] {
            let rope = Rope {
                dim: 4,
                theta: 1e4,
                pairing,
            };
            let x: Vec<f32> = (0..12).map(|i| i as f32 - 7.5).collect();
            let mut y = x.clone();
            rotate(rope, 6, 5, &mut y);
            for (head, (a, b)) in x.chunks(6).zip(y.chunks(6)).enumerate() {
                assert_eq!(a[4..], b[4..], "head {head}");
                assert_ne!(a[..4], b[..4], "head {head}");
                let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>();
                assert!((norm(a) - norm(b)).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn kept_turns_are_the_same() {
        let rope = |theta| Rope {
            dim: 6,
            theta,
            pairing: Pairing::Halves,
        };
        let mut turns = Turns::default();
        for (theta, kept) in [(1e4, 5..9), (1e4, 7..8), (1e7, 7..8), (1e7, 0..0), (1e4, 1000..1016)] {
            turns.prepare(rope(theta));
            turns.keep(kept.clone());
            for position in [4, 5, 7, 8, 9, 1000, 1015, 1016] {
                let mut plain = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
                let mut x = plain;
                rotate(rope(theta), 7, position, &mut plain);
                turns.rotate(7, position, [&mut x]);
                assert_eq!(x.map(f32::to_bits), plain.map(f32::to_bits), "{kept:?} {position}");
            }
        }
    }

    #[test]
    fn rotation_is_exact_at_a_million_tokens() {
        let rope = Rope {
            dim: 64,
            theta: 1e7,
            pairing: Pairing::Halves,
        };
        let mut x = vec![0.0; 64];
        x[..32].fill(1.0);
        rotate(rope, 64, 1 << 20, &mut x);
        for j in 0..32 {
            let angle = f64::from(1 << 20) * 1e7f64.powf(-f64::from(j) / 32.0);
            assert!((f64::from(x[j as usize]) - angle.cos()).abs() < 1e-6);
            assert!((f64::from(x[j as usize + 32]) - angle.sin()).abs() < 1e-6);
        }
    }
}
