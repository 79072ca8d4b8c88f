//! The operations as loops over f64, one number at a time: what the reference is checked against.
//!
//! Lightning attention is written as the sum that the recurrence unrolls to,
//! `o_t = e^{-s(t+1)} q_t·S + Σ_{i≤t} e^{-s(t-i)} (q_t·k_i) v_i`, so that the two share nothing but the model.

use thunderhead::compute::{Backend, Block, ComputeError, Interrupt, Tile};
use thunderhead::model::{
    Lightning, LightningWeights, Moe, MoeWeights, Residual, Rope, Softmax, SoftmaxWeights, TensorRole, TensorView,
};

use crate::case::Around;

/// Rows of numbers.
#[derive(Debug, Clone)]
pub struct Matrix {
    pub width: usize,
    pub values: Vec<f64>,
}

impl Matrix {
    fn empty(width: usize) -> Self {
        Self {
            width,
            values: Vec::new(),
        }
    }

    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    fn last(&self, count: usize) -> Self {
        Self {
            width: self.width,
            values: self.values[self.values.len() - count * self.width..].to_vec(),
        }
    }

    /// `self·wᵀ`
    pub fn times(&self, w: &Self) -> Self {
        assert_eq!(self.width, w.width);
        Self {
            width: w.rows().len(),
            values: self.rows().flat_map(|x| w.rows().map(move |w| dot(x, w))).collect(),
        }
    }

    fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        self.values.iter_mut().for_each(|v| *v = f(*v));
        self
    }

    fn zip(mut self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!(self.values.len(), other.values.len());
        self.values
            .iter_mut()
            .zip(&other.values)
            .for_each(|(a, b)| *a = f(*a, *b));
        self
    }

    fn to_f32(&self) -> Vec<f32> {
        self.values.iter().map(|v| *v as f32).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

pub fn softmax(x: &[f64]) -> Vec<f64> {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = x.iter().map(|x| (x - max).exp()).sum();
    x.iter().map(|x| (x - max).exp() / sum).collect()
}

fn rms_norm(x: &Matrix, weight: &Matrix, eps: f64) -> Matrix {
    let mut y = x.clone();
    for row in y.values.chunks_exact_mut(x.width) {
        let scale = (dot(row, row) / row.len() as f64 + eps).sqrt();
        row.iter_mut()
            .zip(&weight.values)
            .for_each(|(v, w)| *v = *v / scale * w);
    }
    y
}

fn rotate(rows: &mut Matrix, head_dim: usize, position: usize, rope: Rope) {
    for (t, row) in rows.values.chunks_exact_mut(rows.width).enumerate() {
        for head in row.chunks_exact_mut(head_dim) {
            for j in 0..rope.dim / 2 {
                let angle = (position + t) as f64 / rope.theta.powf(2.0 * j as f64 / rope.dim as f64);
                let (first, second) = rope.pairing.channels(j, rope.dim);
                let (a, b) = (head[first], head[second]);
                head[first] = a * angle.cos() - b * angle.sin();
                head[second] = a * angle.sin() + b * angle.cos();
            }
        }
    }
}

/// `x` as an operation first sees it.
pub fn normed(around: &Around, x: &[f32]) -> Vec<f32> {
    let matrix = |values: &[f32]| Matrix {
        width: around.norm.shape()[0],
        values: values.iter().copied().map(f64::from).collect(),
    };
    rms_norm(&matrix(x), &matrix(&around.norm.to_f32()), around.eps).to_f32()
}

/// The oracle's oracle.
pub struct Scalar;

#[derive(Clone)]
pub struct ScalarCache {
    keys: Matrix,
    values: Matrix,
}

impl Scalar {
    pub fn logits((norm, eps): (&Matrix, f64), head: &Matrix, x: &Matrix) -> Matrix {
        rms_norm(x, norm, eps).times(head)
    }
}

impl Backend for Scalar {
    type Tensor = Matrix;
    type Rows = Matrix;
    type LightningState = Vec<f64>;
    type KvCache = ScalarCache;
    type Workspace = ();

    fn load(&self, tensor: TensorView, _: TensorRole) -> Result<Matrix, ComputeError> {
        Ok(Matrix {
            width: *tensor.shape().last().unwrap(),
            values: tensor.to_f32().into_iter().map(f64::from).collect(),
        })
    }

    fn workspace(&self) -> Result<(), ComputeError> {
        Ok(())
    }

    fn upload(&self, values: &[f32], width: usize) -> Result<Matrix, ComputeError> {
        Ok(Matrix {
            width,
            values: values.iter().copied().map(f64::from).collect(),
        })
    }

    fn download(&self, rows: &Matrix) -> Result<Vec<f32>, ComputeError> {
        Ok(rows.to_f32())
    }

    fn lightning_state(&self, spec: &Lightning) -> Result<Vec<f64>, ComputeError> {
        Ok(vec![0.0; spec.heads * spec.head_dim * spec.head_dim])
    }

    fn copy_lightning_state(&self, from: &Vec<f64>, to: &mut Vec<f64>) -> Result<(), ComputeError> {
        to.clone_from(from);
        Ok(())
    }

    fn download_lightning_state(&self, state: &Vec<f64>) -> Result<Vec<f32>, ComputeError> {
        Ok(state.iter().map(|v| *v as f32).collect())
    }

    fn kv_cache(&self, spec: &Softmax) -> Result<ScalarCache, ComputeError> {
        let empty = Matrix::empty(spec.kv_heads * spec.head_dim);
        Ok(ScalarCache {
            keys: empty.clone(),
            values: empty,
        })
    }

    fn truncate_kv_cache(&self, cache: &mut ScalarCache, len: usize) -> Result<(), ComputeError> {
        cache.keys.values.truncate(len * cache.keys.width);
        cache.values.values.truncate(len * cache.values.width);
        Ok(())
    }

    fn embed(&self, table: &Matrix, ids: &[u32], x: &mut Matrix) -> Result<(), ComputeError> {
        *x = Matrix {
            width: table.width,
            values: ids.iter().flat_map(|id| table.row(*id as usize)).copied().collect(),
        };
        Ok(())
    }

    fn lightning(
        &self,
        (): &mut (),
        block: Block<'_, Matrix>,
        spec: &Lightning,
        weights: &LightningWeights<Matrix>,
        x: &mut Matrix,
        state: &Vec<f64>,
        next: &mut Vec<f64>,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        tile.interrupt.check()?;
        let h = &rms_norm(x, block.norm, block.eps);
        let d = spec.head_dim;
        let tokens = h.rows().len();
        let qkv = h.times(&weights.qkv).map(silu);
        let mut y = Matrix {
            width: spec.heads * d,
            values: vec![0.0; tokens * spec.heads * d],
        };
        for head in 0..spec.heads {
            let slope = spec.slopes[head];
            let s = &state[head * d * d..(head + 1) * d * d];
            let part = |t: usize, which: usize| &qkv.row(t)[(3 * head + which) * d..(3 * head + which + 1) * d];
            for t in 0..tokens {
                let o = &mut y.values[(t * spec.heads + head) * d..(t * spec.heads + head + 1) * d];
                let fade = (-slope * (t + 1) as f64).exp();
                for (q, s) in part(t, 0).iter().zip(s.chunks_exact(d)) {
                    o.iter_mut().zip(s).for_each(|(o, s)| *o += fade * q * s);
                }
                for i in 0..=t {
                    let weight = (-slope * (t - i) as f64).exp() * dot(part(t, 0), part(i, 1));
                    o.iter_mut().zip(part(i, 2)).for_each(|(o, v)| *o += weight * v);
                }
            }
            let after = &mut next[head * d * d..(head + 1) * d * d];
            for a in 0..d {
                for b in 0..d {
                    let sum = (0..tokens).map(|i| {
                        let fade = (-slope * (tokens - 1 - i) as f64).exp();
                        fade * part(i, 1)[a] * part(i, 2)[b]
                    });
                    after[a * d + b] = (-slope * tokens as f64).exp() * s[a * d + b] + sum.sum::<f64>();
                }
            }
        }
        let gate = h.times(&weights.gate).map(sigmoid);
        let y = rms_norm(&y, &weights.norm, spec.norm_eps).zip(&gate, |y, gate| y * gate);
        *x = residual(block.residual, x, h, &y.last(tile.outputs).times(&weights.out));
        Ok(())
    }

    fn softmax(
        &self,
        (): &mut (),
        block: Block<'_, Matrix>,
        spec: &Softmax,
        weights: &SoftmaxWeights<Matrix>,
        x: &mut Matrix,
        cache: &mut ScalarCache,
        tile: Tile<'_>,
    ) -> Result<(), ComputeError> {
        tile.interrupt.check()?;
        let h = &rms_norm(x, block.norm, block.eps);
        let d = spec.head_dim;
        let mut q = h.times(&weights.q);
        let mut k = h.times(&weights.k);
        rotate(&mut q, d, tile.position, spec.rope);
        rotate(&mut k, d, tile.position, spec.rope);
        cache.keys.values.extend(k.values);
        cache.values.values.extend(h.times(&weights.v).values);
        let mut y = Matrix {
            width: spec.heads * d,
            values: vec![0.0; q.values.len()],
        };
        for (t, q) in q.rows().enumerate() {
            for (head, q) in q.chunks_exact(d).enumerate() {
                let kv = head / (spec.heads / spec.kv_heads) * d;
                let seen = tile.position + t + 1;
                let scores: Vec<f64> = cache
                    .keys
                    .rows()
                    .take(seen)
                    .map(|k| dot(q, &k[kv..kv + d]) / (d as f64).sqrt())
                    .collect();
                let o = &mut y.values[(t * spec.heads + head) * d..(t * spec.heads + head + 1) * d];
                for (p, v) in softmax(&scores).iter().zip(cache.values.rows()) {
                    o.iter_mut().zip(&v[kv..kv + d]).for_each(|(o, v)| *o += p * v);
                }
            }
        }
        *x = residual(block.residual, x, h, &y.last(tile.outputs).times(&weights.out));
        Ok(())
    }

    fn moe(
        &self,
        (): &mut (),
        block: Block<'_, Matrix>,
        spec: &Moe,
        weights: &MoeWeights<Matrix>,
        rows: &mut Matrix,
        interrupt: &Interrupt,
    ) -> Result<(), ComputeError> {
        interrupt.check()?;
        let h = rms_norm(rows, block.norm, block.eps);
        let mut y = Matrix::empty(h.width);
        for x in h.rows() {
            let x = Matrix {
                width: h.width,
                values: x.to_vec(),
            };
            let p = match &weights.router {
                Some(router) => softmax(&x.times(router).values),
                None => vec![1.0],
            };
            let mut chosen: Vec<usize> = Vec::new();
            while chosen.len() < spec.top_k {
                let best = (0..spec.experts)
                    .filter(|e| !chosen.contains(e))
                    .reduce(|best, e| if p[e] > p[best] { e } else { best });
                chosen.push(best.unwrap());
            }
            let total: f64 = chosen.iter().map(|e| p[*e]).sum();
            let mut row = vec![0.0; h.width];
            for e in chosen {
                let expert = &weights.experts[e];
                let inner = x
                    .times(&expert.gate)
                    .map(silu)
                    .zip(&x.times(&expert.up), |gate, up| gate * up);
                let f = inner.times(&expert.down);
                row.iter_mut().zip(&f.values).for_each(|(y, f)| *y += p[e] / total * f);
            }
            y.values.extend(row);
        }
        *rows = residual(block.residual, rows, &h, &y);
        Ok(())
    }

    fn head(
        &self,
        (): &mut (),
        norm: (&Matrix, f64),
        head: &Matrix,
        x: &Matrix,
        rows: std::ops::Range<usize>,
        logits: &mut Vec<f32>,
        _: &Interrupt,
    ) -> Result<(), ComputeError> {
        let rows = Matrix {
            width: x.width,
            values: x.values[rows.start * x.width..rows.end * x.width].to_vec(),
        };
        *logits = Self::logits(norm, head, &rows).to_f32();
        Ok(())
    }
}

/// `alpha·r + beta·f` of the last rows of `h` or `x`.
fn residual(residual: Residual, x: &Matrix, h: &Matrix, f: &Matrix) -> Matrix {
    let r = if residual.from_normed { h } else { x };
    r.last(f.rows().len())
        .zip(f, |r, f| residual.alpha * r + residual.beta * f)
}
