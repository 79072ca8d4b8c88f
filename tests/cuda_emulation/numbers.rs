//! Random numbers and shapes, and what "the same" means.

use half::bf16;

/// Numbers from a seed (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Around zero with this standard deviation, about normal.
    pub fn value(&mut self, deviation: f32) -> f32 {
        let mut uniform = || (self.next() >> 40) as f32 / (1u64 << 24) as f32;
        deviation * (0..3).map(|_| 2.0 * uniform() - 1.0).sum::<f32>()
    }

    pub fn values(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        (0..count).map(|_| self.value(deviation)).collect()
    }

    pub fn bf16s(&mut self, count: usize, deviation: f32) -> Vec<bf16> {
        (0..count).map(|_| bf16::from_f32(self.value(deviation))).collect()
    }

    /// Around one: the weight of a norm.
    pub fn factors(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| 1.0 + self.value(0.2)).collect()
    }
}

pub fn widen(values: &[bf16]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

pub fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// That `got` is `expected` within `tolerance` of the largest of it.
pub fn close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) -> Result<(), String> {
    if got.len() != expected.len() {
        return Err(format!("{what}: {} values, not {}", got.len(), expected.len()));
    }
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let within = (g - e).abs() <= tolerance * largest;
        if !within {
            return Err(format!("{what}: value {i} is {g}, not {e}; the largest is {largest}"));
        }
    }
    Ok(())
}

pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `x / sqrt(mean(x²) + eps) ⊙ weight`
pub fn rms_norm(x: &[f64], weight: &[f64], eps: f64) -> Vec<f64> {
    let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    let scale = (mean + eps).sqrt().recip();
    x.iter().zip(weight).map(|(x, w)| x * scale * w).collect()
}
