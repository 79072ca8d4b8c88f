//! Softmax attention over the cache, of tiles and of single tokens, against all the scores in f64.

use half::bf16;

use thunderhead::compute::cuda::Argument;

use crate::arguments;
use crate::device::{Buffer, Device, Launch, Order};
use crate::numbers::{Numbers, close, doubles, widen};

/// Keys or values of a layer with more room than tokens. What has not been written is NaN.
struct Rows {
    near: Buffer<bf16>,
    far: Buffer<i8>,
    scales: Buffer<f32>,
    /// `[kv_heads, length, d]`
    values: Vec<f64>,
}

struct Case {
    tokens: usize,
    position: usize,
    heads: usize,
    kv_heads: usize,
    d: usize,
    near: usize,
    far: usize,
}

impl Case {
    fn length(&self) -> usize {
        self.position + self.tokens
    }

    fn rows(&self, device: &mut Device, numbers: &mut Numbers) -> Rows {
        let (d, length) = (self.d, self.length());
        let (mut near, mut far) = (
            vec![bf16::NAN; self.kv_heads * self.near * d],
            vec![-1; self.kv_heads * self.far * d],
        );
        let mut scales = vec![f32::NAN; self.kv_heads * self.far];
        let mut values = Vec::new();
        for head in 0..self.kv_heads {
            for position in 0..length {
                if position < self.near {
                    let row = numbers.bf16s(d, 1.0);
                    near[(head * self.near + position) * d..][..d].copy_from_slice(&row);
                    values.extend(widen(&row));
                } else {
                    let at = head * self.far + position - self.near;
                    scales[at] = numbers.value(0.005) + 0.015;
                    let row: Vec<i8> = (0..d).map(|_| (numbers.below(255) as i32 - 127) as i8).collect();
                    far[at * d..][..d].copy_from_slice(&row);
                    values.extend(row.iter().map(|q| f64::from(scales[at]) * f64::from(*q)));
                }
            }
        }
        Rows {
            near: device.upload(&near),
            far: device.upload(&far),
            scales: device.upload(&scales),
            values,
        }
    }

    /// `[tokens, heads, d]`
    fn attend(&self, q: &[f64], keys: &[f64], values: &[f64]) -> Vec<f64> {
        let (d, length) = (self.d, self.length());
        let mut out = Vec::new();
        for (row, q) in q.chunks(d).enumerate() {
            let (token, head) = (row / self.heads, row % self.heads);
            let first = head / (self.heads / self.kv_heads) * length;
            let seen = first..first + self.position + token + 1;
            let dot = |at: usize| -> f64 { q.iter().zip(&keys[at * d..][..d]).map(|(q, k)| q * k).sum() };
            let scores: Vec<f64> = seen.clone().map(|at| dot(at) / (d as f64).sqrt()).collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = weights.iter().sum();
            let mut o = vec![0.0; d];
            for (at, weight) in seen.zip(weights) {
                for (o, v) in o.iter_mut().zip(&values[at * d..][..d]) {
                    *o += weight / sum * v;
                }
            }
            out.extend(o);
        }
        out
    }
}

fn case(tokens: usize, position: usize, heads: usize, kv_heads: usize, d: usize, near: usize, far: usize) -> Case {
    Case {
        tokens,
        position,
        heads,
        kv_heads,
        d,
        near,
        far,
    }
}

pub fn check(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(30);
    let cases = [
        case(130, 0, 2, 1, 128, 140, 0),
        case(64, 100, 4, 2, 64, 164, 0),
        case(3, 61, 2, 2, 16, 70, 0),
        case(40, 120, 2, 1, 64, 64, 200),
        case(129, 130, 1, 1, 112, 0, 300),
        case(1, 0, 3, 1, 72, 1, 0),
        case(70, 90, 2, 1, 128, 128, 32),
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let Case {
            tokens,
            position,
            heads,
            kv_heads,
            d,
            near,
            far,
        } = case;
        let (keys, values) = (case.rows(device, &mut numbers), case.rows(device, &mut numbers));
        // Queries lie among other projections.
        let stride = heads * d + 24;
        let projected = numbers.bf16s(tokens * stride, 2.0);
        let buffer = device.upload(&projected);
        let o = device.empty::<bf16>(tokens * heads * d);
        let bound = if d <= 64 { 64 } else { 128 };
        let launch = Launch {
            grid: [tokens.div_ceil(128), heads, 1],
            block: 256,
            shared: (128 + 4 * 64) * bound * 2,
            order: Order::ALL[index % 4],
        };
        device.launch(
            &format!("attention_{bound}"),
            launch,
            arguments![
                buffer.from(24),
                stride,
                &keys.near,
                &values.near,
                &keys.far,
                &values.far,
                &keys.scales,
                &values.scales,
                near,
                far,
                &o,
                tokens,
                position,
                kv_heads,
                d
            ],
        )?;
        let q: Vec<f64> = projected.chunks(stride).flat_map(|row| widen(&row[24..])).collect();
        let expected = case.attend(&q, &keys.values, &values.values);
        close(
            &format!("attention of case {index}"),
            &widen(&device.download(&o)),
            &expected,
            1e-2,
        )?;
    }
    Ok(())
}

pub fn check_decode(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(31);
    let cases = [
        (case(1, 299, 8, 1, 128, 300, 0), 64),
        (case(1, 700, 6, 3, 64, 704, 0), 256),
        (case(3, 200, 24, 2, 128, 128, 100), 64),
        (case(5, 0, 8, 2, 16, 64, 0), 64),
        (case(2, 190, 4, 4, 80, 0, 192), 128),
        (case(1, 127, 3, 1, 40, 128, 0), 192),
    ];
    for (index, (case, split)) in cases.into_iter().enumerate() {
        let Case {
            tokens,
            position,
            heads,
            kv_heads,
            d,
            near,
            far,
        } = case;
        let (keys, values) = (case.rows(device, &mut numbers), case.rows(device, &mut numbers));
        let q = numbers.values(tokens * heads * d, 2.0);
        let q_buffer = device.upload(&q);
        let (splits, rows) = (case.length().div_ceil(split), tokens * heads / kv_heads);
        let parts = device.empty::<f32>(splits * kv_heads * rows * d);
        let [maxima, sums] = [0; 2].map(|_| device.empty::<f32>(splits * kv_heads * rows));
        let o = device.empty::<f32>(tokens * heads * d);
        let bound = if d <= 64 { 64 } else { 128 };
        let launch = Launch {
            grid: [splits, kv_heads, rows.div_ceil(16)],
            block: 128,
            shared: 4 * 3 * 2 * 16 * bound * 2,
            order: Order::ALL[index % 4],
        };
        device.launch(
            &format!("attention_decode_{bound}"),
            launch,
            arguments![
                &q_buffer,
                &keys.near,
                &values.near,
                &keys.far,
                &values.far,
                &keys.scales,
                &values.scales,
                near,
                far,
                &parts,
                &maxima,
                &sums,
                tokens,
                position,
                heads,
                split,
                d
            ],
        )?;
        let merge = Launch {
            grid: [rows, kv_heads, 1],
            shared: 0,
            ..launch
        };
        let arguments: &[Argument] = arguments![&parts, &maxima, &sums, &o, splits, heads, d];
        device.launch("attention_merge", merge, arguments)?;
        let expected = case.attend(&doubles(&q), &keys.values, &values.values);
        close(
            &format!("attention of case {index}"),
            &doubles(&device.download(&o)),
            &expected,
            3e-5,
        )?;
    }
    Ok(())
}

pub fn check_exact(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(32);
    for (index, (tokens, position, heads, kv_heads, d)) in [(3, 40, 6, 2, 128), (5, 0, 2, 2, 12), (1, 2, 4, 1, 64)]
        .into_iter()
        .enumerate()
    {
        let case = case(tokens, position, heads, kv_heads, d, 0, 0);
        let length = case.length();
        let [keys, values] = [0; 2].map(|_| numbers.values(length * kv_heads * d, 1.0));
        let q = numbers.values(tokens * heads * d, 2.0);
        let buffers = (device.upload(&q), device.upload(&keys), device.upload(&values));
        let o = device.empty::<f32>(tokens * heads * d);
        let launch = Launch {
            grid: [tokens, heads, 1],
            block: 128,
            shared: 0,
            order: Order::ALL[index],
        };
        device.launch(
            "attention_f32",
            launch,
            arguments![&buffers.0, &buffers.1, &buffers.2, &o, position, kv_heads, d],
        )?;
        let heads_first = |rows: &[f32]| -> Vec<f64> {
            let at = |i: usize| (i / d % length * kv_heads + i / d / length) * d + i % d;
            (0..rows.len()).map(|i| f64::from(rows[at(i)])).collect()
        };
        let expected = case.attend(&doubles(&q), &heads_first(&keys), &heads_first(&values));
        close("attention in f32", &doubles(&device.download(&o)), &expected, 2e-6)?;
    }
    Ok(())
}
