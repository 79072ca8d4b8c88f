//! The rotary embedding and the write to the cache.

use half::bf16;

use thunderhead::compute::cuda::Argument;

use crate::arguments;
use crate::device::{Device, Launch, Order, Plain};
use crate::numbers::{Numbers, close, doubles, rms_norm, widen};

struct Case {
    tokens: usize,
    heads: usize,
    kv_heads: usize,
    d: usize,
    dim: usize,
    neighbours: bool,
    normed: bool,
    position: usize,
    /// Positions in bf16, and in 8 bits; none at all: no cache.
    near: usize,
    far: usize,
}

#[rustfmt::skip]
const CASES: [Case; 5] = [
    Case { tokens: 3, heads: 8, kv_heads: 2, d: 128, dim: 64, neighbours: false, normed: false, position: 5, near: 9, far: 0 },
    Case { tokens: 5, heads: 3, kv_heads: 3, d: 64, dim: 64, neighbours: true, normed: true, position: 1, near: 4, far: 7 },
    Case { tokens: 2, heads: 4, kv_heads: 1, d: 12, dim: 6, neighbours: false, normed: true, position: 0, near: 0, far: 3 },
    Case { tokens: 2, heads: 2, kv_heads: 2, d: 128, dim: 64, neighbours: false, normed: true, position: 9, near: 0, far: 0 },
    Case { tokens: 1, heads: 6, kv_heads: 2, d: 8, dim: 0, neighbours: false, normed: false, position: 1, near: 1, far: 1 },
];

const THETA: f64 = 1e7;

pub fn check(device: &mut Device) -> Result<(), String> {
    for (case, order) in CASES.iter().zip(Order::ALL.into_iter().cycle()) {
        let f32s = |values: &[f32]| values.to_vec();
        run(device, "rope_f32", case, order, f32s, doubles, 1e-6)?;
        let bf16s = |values: &[f32]| values.iter().map(|v| bf16::from_f32(*v)).collect();
        run(device, "rope_bf16", case, order, bf16s, widen, 4e-3)?;
    }
    // A million tokens on, where an angle in f32 is wrong.
    let far = Case {
        position: 1 << 20,
        near: 0,
        far: 0,
        ..CASES[0]
    };
    run(device, "rope_f32", &far, Order::Forward, <[f32]>::to_vec, doubles, 1e-6)
}

fn run<T: Plain>(
    device: &mut Device,
    kernel: &str,
    case: &Case,
    order: Order,
    narrow: impl Fn(&[f32]) -> Vec<T>,
    widen_all: impl Fn(&[T]) -> Vec<f64>,
    tolerance: f64,
) -> Result<(), String> {
    let Case {
        tokens,
        heads,
        kv_heads,
        d,
        dim,
        neighbours,
        normed,
        position,
        near,
        far,
    } = *case;
    let mut numbers = Numbers(11 + d as u64);
    // Fused: a token's queries, then its keys, then its values.
    let stride = (heads + 2 * kv_heads) * d;
    let projected = narrow(&numbers.values(tokens * stride, 1.0));
    let (q_norm, k_norm) = (numbers.factors(d), numbers.factors(d));
    let frequencies: Vec<f64> = (0..dim / 2).map(|j| THETA.powf(-2.0 * j as f64 / dim as f64)).collect();
    let (eps, q_scale) = (1e-6, 0.25);

    let buffer = device.upload(&projected);
    let norms = (device.upload(&q_norm), device.upload(&k_norm));
    let frequencies_buffer = device.upload(&frequencies);
    let near_rows = [0; 2].map(|_| device.empty::<bf16>(kv_heads * near * d));
    let far_rows = [0; 2].map(|_| device.empty::<i8>(kv_heads * far * d));
    let scales = [0; 2].map(|_| device.empty::<f32>(kv_heads * far));
    let norm = |buffer| if normed { Argument::from(buffer) } else { Argument::NULL };
    let launch = Launch {
        grid: [tokens, 1, 1],
        block: 256,
        shared: 0,
        order,
    };
    device.launch(
        kernel,
        launch,
        arguments![
            &buffer,
            buffer.from(heads * d),
            buffer.from((heads + kv_heads) * d),
            stride,
            stride,
            d,
            &near_rows[0],
            &near_rows[1],
            &far_rows[0],
            &far_rows[1],
            &scales[0],
            &scales[1],
            near,
            far,
            &frequencies_buffer,
            norm(&norms.0),
            norm(&norms.1),
            eps,
            q_scale,
            position,
            heads,
            kv_heads,
            dim,
            neighbours,
            d
        ],
    )?;

    let input = widen_all(&projected);
    let got = widen_all(&device.download(&buffer));
    let near_rows = near_rows.map(|b| widen(&device.download(&b)));
    let far_rows = far_rows.map(|b| device.download(&b));
    let scales = scales.map(|b| device.download(&b));
    for token in 0..tokens {
        let here = position + token;
        for head in 0..heads + 2 * kv_heads {
            let at = token * stride + head * d;
            let (is_query, is_value) = (head < heads, head >= heads + kv_heads);
            let mut x = input[at..at + d].to_vec();
            if !is_value {
                if normed {
                    x = rms_norm(&x, &doubles(if is_query { &q_norm } else { &k_norm }), f64::from(eps));
                }
                for (j, frequency) in frequencies.iter().enumerate() {
                    let (a, b) = if neighbours {
                        (2 * j, 2 * j + 1)
                    } else {
                        (j, j + dim / 2)
                    };
                    let (sin, cos) = (here as f64 * frequency).sin_cos();
                    (x[a], x[b]) = (x[a] * cos - x[b] * sin, x[b] * cos + x[a] * sin);
                }
            }
            if is_query {
                for x in &mut x {
                    *x *= f64::from(q_scale);
                }
                close("a query", &got[at..at + d], &x, tolerance)?;
                continue;
            }
            if near + far == 0 {
                close("a key or value in place", &got[at..at + d], &x, tolerance)?;
                continue;
            }
            let (part, kv_head) = (usize::from(is_value), (head - heads) % kv_heads);
            if here < near {
                let row = &near_rows[part][(kv_head * near + here) * d..][..d];
                close("a row in bf16", row, &x, 4e-3 + tolerance)?;
            } else {
                let row = kv_head * far + here - near;
                let scale = f64::from(scales[part][row]);
                let stored: Vec<f64> = far_rows[part][row * d..][..d]
                    .iter()
                    .map(|q| scale * f64::from(*q))
                    .collect();
                close("a row in 8 bits", &stored, &x, 4e-3 + tolerance)?;
            }
        }
    }
    Ok(())
}
