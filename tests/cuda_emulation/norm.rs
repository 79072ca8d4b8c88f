//! `residual_norm` and `gated_norm`.

use half::bf16;

use thunderhead::compute::cuda::Argument;

use crate::arguments;
use crate::device::{Device, Launch, Order};
use crate::numbers::{Numbers, close, doubles, rms_norm, sigmoid, widen};

pub fn check(device: &mut Device) -> Result<(), String> {
    residual(device)?;
    gated(device)
}

fn residual(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(1);
    for (case, order) in Order::ALL.into_iter().cycle().take(16).enumerate() {
        let (rows, width) = (1 + numbers.below(4), 4 * [1, 5, 16, 257, 700, 2048][case % 6]);
        let (slots, has_outputs) = ([0, 2, 3][case % 3], case != 4);
        let (from_normed, has_shared) = (case % 2 == 0, case % 5 == 1);
        let (alpha, beta, eps) = (3.556, 0.9, 1e-5);
        let x = numbers.values(rows * width, 1.0);
        let count = rows * slots.max(1);
        let outputs = numbers.values(count * width, 1.0);
        let shared = numbers.values(rows * width, 1.0);
        let mix = numbers.values(rows * slots, 0.5);
        // Each slot's output lies elsewhere.
        let places: Vec<i32> = (0..rows * slots).rev().map(|i| i as i32).collect();
        let weight = numbers.factors(width);

        let r = device.upload(&x);
        let buffers = (
            device.upload(&outputs),
            device.upload(&places),
            device.upload(&mix),
            device.upload(&shared),
        );
        let weight_buffer = device.upload(&weight);
        let (normed, normed_f32) = (device.empty::<bf16>(rows * width), device.empty::<f32>(rows * width));
        let launch = Launch {
            grid: [rows, 1, 1],
            block: 256,
            shared: 0,
            order,
        };
        let outputs_argument = if has_outputs {
            Argument::from(&buffers.0)
        } else {
            Argument::NULL
        };
        let shared_argument = if has_shared {
            Argument::from(&buffers.3)
        } else {
            Argument::NULL
        };
        device.launch(
            "residual_norm",
            launch,
            arguments![
                &r,
                &r,
                outputs_argument,
                &buffers.1,
                &buffers.2,
                slots,
                shared_argument,
                &weight_buffer,
                &normed,
                &normed_f32,
                alpha,
                beta,
                eps,
                from_normed,
                width
            ],
        )?;

        let (mut stream, mut h) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let mut x = doubles(&x[row * width..][..width]);
            if has_outputs {
                let mut f = vec![0.0; width];
                let mut add = |scale: f32, from: &[f32]| {
                    for (f, y) in f.iter_mut().zip(from) {
                        *f += f64::from(scale) * f64::from(*y);
                    }
                };
                if slots == 0 {
                    add(1.0, &outputs[row * width..][..width]);
                }
                for slot in row * slots..(row + 1) * slots {
                    add(mix[slot], &outputs[places[slot] as usize * width..][..width]);
                }
                if has_shared {
                    add(1.0, &shared[row * width..][..width]);
                }
                for (x, f) in x.iter_mut().zip(f) {
                    *x = f64::from(alpha) * *x + f64::from(beta) * f;
                }
            }
            let normed = rms_norm(&x, &doubles(&weight), f64::from(eps));
            stream.extend(if from_normed { &normed } else { &x });
            h.extend(normed);
        }
        close("the stream", &doubles(&device.download(&r)), &stream, 1e-5)?;
        close("the normed row", &doubles(&device.download(&normed_f32)), &h, 1e-5)?;
        close("the normed row in bf16", &widen(&device.download(&normed)), &h, 4e-3)?;
    }
    Ok(())
}

fn gated(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(2);
    for (case, order) in Order::ALL.into_iter().cycle().take(8).enumerate() {
        let (rows, groups, width) = (
            1 + numbers.below(3),
            [1, 2, 4][case % 3],
            8 * [1, 3, 33, 300, 1024][case % 5],
        );
        let count = rows * groups * width;
        let (o, gate) = (numbers.bf16s(count, 1.0), numbers.bf16s(count, 2.0));
        let weight = numbers.factors(groups * width);
        let buffers = (device.upload(&o), device.upload(&gate), device.upload(&weight));
        let y = device.empty::<bf16>(count);
        let launch = Launch {
            grid: [rows, groups, 1],
            block: 256,
            shared: 0,
            order,
        };
        device.launch(
            "gated_norm",
            launch,
            arguments![&buffers.0, &buffers.1, &buffers.2, &y, 1e-6, width],
        )?;
        let mut expected = Vec::new();
        for (i, (o, gate)) in o.chunks(width).zip(gate.chunks(width)).enumerate() {
            let weight = doubles(&weight[i % groups * width..][..width]);
            let normed = rms_norm(&widen(o), &weight, 1e-6);
            expected.extend(normed.iter().zip(gate).map(|(x, g)| x * sigmoid(g.to_f64())));
        }
        close("the gated norm", &widen(&device.download(&y)), &expected, 4e-3)?;
    }
    Ok(())
}
