//! The lightning kernels, against the recurrence in f64.

use half::bf16;

use thunderhead::compute::cuda::Argument;

use crate::arguments;
use crate::device::{Device, Launch, Order};
use crate::numbers::{Numbers, close, doubles, rms_norm, sigmoid, widen};

/// What a head's q, k and v are, and where they lie: `[tokens, heads, 3, d]` or `[tokens, 3, heads, d]`.
struct Case {
    tokens: usize,
    heads: usize,
    d: usize,
    per_head: bool,
}

impl Case {
    /// The strides of a token and of a head, and where q, k and v begin.
    fn layout(&self) -> (usize, usize, [usize; 3]) {
        let (heads, d) = (self.heads, self.d);
        if self.per_head {
            (3 * heads * d, 3 * d, [0, d, 2 * d])
        } else {
            (3 * heads * d, d, [0, heads * d, 2 * heads * d])
        }
    }

    /// Channels of part `part` of a head of a token.
    fn at(&self, token: usize, head: usize, part: usize) -> usize {
        let (token_stride, head_stride, parts) = self.layout();
        token * token_stride + head * head_stride + parts[part]
    }
}

fn slopes(heads: usize) -> Vec<f32> {
    // From nearly no memory to nearly all.
    (0..heads)
        .map(|h| [0.917, 0.3, 0.01, 5e-5][h % 4] * (1.0 + h as f32 / 16.0))
        .collect()
}

/// Outputs `[tokens, heads, d]`, and the state in place.
fn recurrence(case: &Case, qkv: &[f64], state: &mut [f64], slopes: &[f32]) -> Vec<f64> {
    let (heads, d) = (case.heads, case.d);
    let mut o = vec![0.0; case.tokens * heads * d];
    for head in 0..heads {
        let lambda = (-f64::from(slopes[head])).exp();
        let s = &mut state[head * d * d..][..d * d];
        for t in 0..case.tokens {
            let part = |part| &qkv[case.at(t, head, part)..][..d];
            let (q, k, v) = (part(0), part(1), part(2));
            let o = &mut o[(t * heads + head) * d..][..d];
            for i in 0..d {
                for j in 0..d {
                    let s = &mut s[i * d + j];
                    *s = lambda * *s + k[i] * v[j];
                    o[j] += q[i] * *s;
                }
            }
        }
    }
    o
}

/// Bytes of shared memory that `lightning_{bound}` and `lightning_chunks_{bound}` want.
fn shared(bound: usize) -> usize {
    let stage = 64 * (128 + bound + 64);
    2 * (2 * stage + bound * 64)
}

pub fn check(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(3);
    let shapes = [
        (128, 150, 2, 64),
        (128, 64, 3, 0),
        (72, 63, 1, 0),
        (64, 200, 2, 64),
        (16, 1, 4, 0),
        (8, 130, 3, 64),
        (120, 129, 1, 128),
        (40, 257, 2, 128),
    ];
    for (case, (d, tokens, heads, chunk)) in shapes.into_iter().enumerate() {
        let order = Order::ALL[case % 4];
        let per_head = case % 2 == 0;
        let shape = Case {
            tokens,
            heads,
            d,
            per_head,
        };
        let qkv = numbers.bf16s(tokens * 3 * heads * d, 0.5);
        let state = numbers.values(heads * d * d, 1.0);
        let slopes = slopes(heads);
        let mut after = doubles(&state);
        let expected = recurrence(&shape, &widen(&qkv), &mut after, &slopes);

        let (token_stride, head_stride, parts) = shape.layout();
        let strides = [token_stride, head_stride].map(|stride| Argument::Long(stride as i64));
        let buffer = device.upload(&qkv);
        let [q, k, v] = parts.map(|part| buffer.from(part));
        let (state_buffer, slopes_buffer) = (device.upload(&state), device.upload(&slopes));
        let (o, next) = (
            device.empty::<bf16>(tokens * heads * d),
            device.empty::<f32>(heads * d * d),
        );
        let bound = if d <= 64 { 64 } else { 128 };
        // One chunk, and then side by side.
        for chunk in [0, chunk] {
            if chunk == 0 {
                let launch = Launch {
                    grid: [heads, d.div_ceil(64), 1],
                    block: 256,
                    shared: shared(bound),
                    order,
                };
                device.launch(
                    &format!("lightning_{bound}"),
                    launch,
                    arguments![
                        q,
                        k,
                        v,
                        strides[0],
                        strides[1],
                        &o,
                        &state_buffer,
                        &next,
                        &slopes_buffer,
                        tokens,
                        tokens,
                        d
                    ],
                )?;
            } else {
                let chunks = tokens.div_ceil(chunk);
                let states = device.empty::<f32>(chunks * heads * d * d);
                let launch = Launch {
                    grid: [heads, d.div_ceil(64), chunks],
                    block: 256,
                    shared: shared(bound),
                    order,
                };
                device.launch(
                    &format!("lightning_chunks_{bound}"),
                    launch,
                    arguments![k, v, strides[0], strides[1], &states, &slopes_buffer, tokens, chunk, d],
                )?;
                let scan = Launch {
                    grid: [(d * d).div_ceil(1024), heads, 1],
                    shared: 0,
                    ..launch
                };
                device.launch(
                    "lightning_scan",
                    scan,
                    arguments![&state_buffer, &states, &next, &slopes_buffer, chunks, tokens, chunk, d],
                )?;
                device.launch(
                    &format!("lightning_{bound}"),
                    launch,
                    arguments![
                        q,
                        k,
                        v,
                        strides[0],
                        strides[1],
                        &o,
                        &states,
                        Argument::NULL,
                        &slopes_buffer,
                        tokens,
                        chunk,
                        d
                    ],
                )?;
            }
            let what = |what: &str| format!("{what} of {tokens} tokens, {heads} heads of {d}, chunks of {chunk}");
            close(&what("outputs"), &widen(&device.download(&o)), &expected, 1e-2)?;
            close(&what("the state"), &doubles(&device.download(&next)), &after, 4e-3)?;
        }
    }
    Ok(())
}

pub fn check_decode(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(4);
    for (case, (d, heads, groups)) in [(128, 4, 1), (64, 3, 1), (16, 8, 4), (36, 2, 2), (8, 4, 1)]
        .into_iter()
        .enumerate()
    {
        let (per_head, silu) = (case % 2 == 0, case != 2);
        let q_scale = if silu { 1.0 } else { (d as f32).powf(-0.5) };
        let shape = Case {
            tokens: 1,
            heads,
            d,
            per_head,
        };
        let slopes = slopes(heads);
        let (weight, gate) = (numbers.factors(heads * d), numbers.values(heads * d, 2.0));
        let mut state = numbers.values(heads * d * d, 1.0);
        let mut exact = doubles(&state);
        let (slopes_buffer, weight_buffer, gate_buffer) =
            (device.upload(&slopes), device.upload(&weight), device.upload(&gate));
        let finished = device.upload(&[0_u32]);
        let scratch = device.empty::<f32>(heads * d);
        for order in Order::ALL {
            let projected = numbers.values(3 * heads * d, 1.0);
            let buffer = device.upload(&projected);
            let (_, head_stride, parts) = shape.layout();
            let [q, k, v] = parts.map(|part| buffer.from(part));
            let before = device.upload(&state);
            let (next, y) = (device.empty::<f32>(heads * d * d), device.empty::<f32>(heads * d));
            let launch = Launch {
                grid: [heads, d.div_ceil(32), 1],
                block: 256,
                shared: 0,
                order,
            };
            device.launch(
                "lightning_decode",
                launch,
                arguments![
                    q,
                    k,
                    v,
                    head_stride,
                    &gate_buffer,
                    &weight_buffer,
                    &slopes_buffer,
                    &before,
                    &next,
                    &scratch,
                    &finished,
                    &y,
                    q_scale,
                    silu,
                    groups,
                    1e-6,
                    d
                ],
            )?;
            let mut qkv: Vec<f64> = doubles(&projected);
            if silu {
                for x in &mut qkv {
                    *x *= sigmoid(*x);
                }
            }
            for head in 0..heads {
                let at = shape.at(0, head, 0);
                for q in &mut qkv[at..at + d] {
                    *q *= f64::from(q_scale);
                }
            }
            let o = recurrence(&shape, &qkv, &mut exact, &slopes);
            let width = heads * d / groups;
            let normed: Vec<f64> = o
                .chunks(width)
                .zip(doubles(&weight).chunks(width))
                .flat_map(|(o, w)| rms_norm(o, w, 1e-6))
                .collect();
            let expected: Vec<f64> = normed
                .iter()
                .zip(&gate)
                .map(|(x, g)| x * sigmoid(f64::from(*g)))
                .collect();
            state = device.download(&next);
            close("the token's output", &doubles(&device.download(&y)), &expected, 2e-5)?;
            close("the state", &doubles(&state), &exact, 1e-5)?;
            if device.download(&before).iter().any(|x| x.is_nan()) || device.download(&finished) != [0] {
                return Err("the state before or the counter has changed".to_owned());
            }
        }
    }
    Ok(())
}
