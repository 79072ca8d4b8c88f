//! Products with weights in every storage type, and embeddings: against f64 on the widened weights.

use half::bf16;

use thunderhead::model::{Dtype, TensorView};

use crate::arguments;
use crate::device::{Buffer, Device, Launch, Order};
use crate::numbers::{Numbers, close, doubles, rms_norm, sigmoid, widen};

const TYPES: [Dtype; 5] = [Dtype::F32, Dtype::Bf16, Dtype::Q8_0, Dtype::Q4K, Dtype::Q6K];

/// A weight `[rows, columns]`: as it is stored, and its values.
struct Weight {
    buffer: Buffer<u8>,
    values: Vec<f64>,
    columns: usize,
}

impl Weight {
    fn random(device: &mut Device, numbers: &mut Numbers, dtype: Dtype, rows: usize, columns: usize) -> Self {
        let values = numbers.values(rows * columns, (columns as f32).powf(-0.5));
        let tensor = TensorView::from_f32_as("w", dtype, vec![rows, columns], &values);
        Self {
            buffer: device.upload(tensor.bytes()),
            values: doubles(&tensor.to_f32()),
            columns,
        }
    }

    /// `x·Wᵀ` of one row.
    fn times(&self, x: &[f64]) -> Vec<f64> {
        let dot = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum();
        self.values.chunks(self.columns).map(dot).collect()
    }
}

/// Widths of `dtype`'s rows that fill no block of threads.
fn width(dtype: Dtype, case: usize) -> usize {
    match dtype.block() {
        1 => [40, 16, 1048][case % 3],
        32 => [32, 96, 544][case % 3],
        _ => [256, 768, 512][case % 3],
    }
}

fn launch(grid: [usize; 3], case: usize) -> Launch {
    Launch {
        grid,
        block: 256,
        shared: 0,
        order: Order::ALL[case % 4],
    }
}

pub fn check_embeddings(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(20);
    for (case, dtype) in TYPES.into_iter().enumerate() {
        let (vocab, width) = (7, 2 * width(dtype, case));
        let table = Weight::random(device, &mut numbers, dtype, vocab, width);
        let ids = [6, 0, 3, 3];
        let (ids_buffer, x) = (device.upload(&ids), device.empty::<f32>(ids.len() * width));
        let launch = Launch {
            block: 128,
            ..launch([ids.len(), 1, 1], case)
        };
        device.launch(
            &format!("embed_{}", dtype.name()),
            launch,
            arguments![&table.buffer, &ids_buffer, &x, width],
        )?;
        let expected: Vec<f64> = ids
            .iter()
            .flat_map(|id| &table.values[*id as usize * width..][..width])
            .copied()
            .collect();
        close(dtype.name(), &doubles(&device.download(&x)), &expected, 1e-6)?;
    }
    Ok(())
}

pub fn check_few(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(21);
    for dtype in TYPES {
        for (case, (tokens, outputs)) in [(1, 67), (4, 33), (2, 8), (3, 1)].into_iter().enumerate() {
            let width = width(dtype, case);
            let w = Weight::random(device, &mut numbers, dtype, outputs, width);
            let x = numbers.values(tokens * width, 1.0);
            let (x_buffer, y) = (device.upload(&x), device.empty::<f32>(tokens * outputs));
            let (kernel, rows) = if tokens == 1 { ("gemv", 32) } else { ("gemv4", 16) };
            device.launch(
                &format!("{kernel}_{}", dtype.name()),
                launch([outputs.div_ceil(rows), 1, 1], case),
                arguments![&w.buffer, &x_buffer, &y, tokens, outputs, width],
            )?;
            let expected: Vec<f64> = x.chunks(width).flat_map(|x| w.times(&doubles(x))).collect();
            close(dtype.name(), &doubles(&device.download(&y)), &expected, 2e-6)?;
        }
    }
    Ok(())
}

pub fn check_heads(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(22);
    for (case, dtype) in TYPES.into_iter().enumerate() {
        let (tokens, vocab, width) = (2, 45, width(dtype, case + 1));
        let w = Weight::random(device, &mut numbers, dtype, vocab, width);
        let (x, norm) = (numbers.values(tokens * width, 3.0), numbers.factors(width));
        let buffers = (device.upload(&x), device.upload(&norm));
        let logits = device.empty::<f32>(tokens * vocab);
        device.launch(
            &format!("head_{}", dtype.name()),
            launch([vocab.div_ceil(32), tokens, 1], case),
            arguments![&w.buffer, &buffers.0, &buffers.1, &logits, 1e-5, vocab, width],
        )?;
        let norm = doubles(&norm);
        let expected: Vec<f64> = x
            .chunks(width)
            .flat_map(|x| w.times(&rms_norm(&doubles(x), &norm, 1e-5)))
            .collect();
        close(dtype.name(), &doubles(&device.download(&logits)), &expected, 2e-6)?;
    }
    Ok(())
}

/// Some experts, and the tables of where they lie.
struct Experts {
    gates: Vec<Weight>,
    ups: Vec<Weight>,
    downs: Vec<Weight>,
    tables: [Buffer<u64>; 3],
}

impl Experts {
    fn random(
        device: &mut Device,
        numbers: &mut Numbers,
        dtype: Dtype,
        count: usize,
        inner: usize,
        width: usize,
    ) -> Self {
        let mut some = |rows, columns| -> Vec<Weight> {
            (0..count)
                .map(|_| Weight::random(device, numbers, dtype, rows, columns))
                .collect()
        };
        let (gates, ups, downs) = (some(inner, width), some(inner, width), some(width, inner));
        let mut table = |weights: &[Weight]| {
            let addresses: Vec<u64> = weights.iter().map(|w| w.buffer.address()).collect();
            device.upload(&addresses)
        };
        let tables = [table(&gates), table(&ups), table(&downs)];
        Self {
            gates,
            ups,
            downs,
            tables,
        }
    }

    /// `SiLU(W_gate·x) ⊙ (W_up·x)` of one row.
    fn up(&self, expert: usize, x: &[f64]) -> Vec<f64> {
        let silu = |x: f64| x * sigmoid(x);
        let (gate, up) = (self.gates[expert].times(x), self.ups[expert].times(x));
        gate.into_iter().zip(up).map(|(g, u)| silu(g) * u).collect()
    }
}

pub fn check_experts_of_few(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(23);
    for (case, dtype) in TYPES.into_iter().enumerate() {
        let (tokens, top_k, count, width, inner) = (2, 3, 4, width(dtype, case), width(dtype, case + 1));
        let experts = Experts::random(device, &mut numbers, dtype, count, inner, width);
        let x = numbers.values(tokens * width, 1.0);
        let mix = numbers.factors(tokens * top_k);
        let chosen: Vec<i32> = (0..tokens * top_k).map(|_| numbers.below(count) as i32).collect();
        let buffers = (device.upload(&x), device.upload(&mix), device.upload(&chosen));
        let (inside, y) = (
            device.empty::<f32>(tokens * top_k * inner),
            device.empty::<f32>(tokens * width),
        );
        let [gates, ups, downs] = &experts.tables;
        device.launch(
            &format!("expert_up_{}", dtype.name()),
            launch([inner.div_ceil(32), tokens * top_k, 1], case),
            arguments![gates, ups, &buffers.2, &buffers.0, &inside, top_k, inner, width],
        )?;
        device.launch(
            &format!("expert_down_{}", dtype.name()),
            launch([width.div_ceil(32), tokens, 1], case),
            arguments![downs, &buffers.2, &buffers.1, &inside, &y, top_k, width, inner],
        )?;
        let (mut inside_expected, mut expected) = (Vec::new(), Vec::new());
        for (t, x) in x.chunks(width).enumerate() {
            let mut sum = vec![0.0; width];
            for slot in t * top_k..(t + 1) * top_k {
                let expert = chosen[slot] as usize;
                let up = experts.up(expert, &doubles(x));
                for (sum, y) in sum.iter_mut().zip(experts.downs[expert].times(&up)) {
                    *sum += f64::from(mix[slot]) * y;
                }
                inside_expected.extend(up);
            }
            expected.extend(sum);
        }
        close("inside", &doubles(&device.download(&inside)), &inside_expected, 5e-6)?;
        close("the mix", &doubles(&device.download(&y)), &expected, 5e-6)?;
    }
    Ok(())
}

/// Shared memory of the products of many rows.
const SHARED: usize = 48 << 10;
/// Rows of one of their tiles.
const TILE: usize = 128;

pub fn check_many(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(24);
    for dtype in TYPES {
        for (case, (rows, outputs)) in [(129, 130), (1, 34), (70, 128), (200, 6)].into_iter().enumerate() {
            let width = if dtype == Dtype::Bf16 {
                [40, 64, 200, 8][case]
            } else {
                width(dtype, case)
            };
            let w = Weight::random(device, &mut numbers, dtype, outputs, width);
            let x = numbers.bf16s(rows * width, 1.0);
            let x_buffer = device.upload(&x);
            let launch = Launch {
                shared: SHARED,
                ..launch([rows.div_ceil(TILE), outputs.div_ceil(128), 1], case)
            };
            let expected: Vec<f64> = x.chunks(width).flat_map(|x| w.times(&widen(x))).collect();
            let kernel = |result: &str| format!("gemm_{}_{result}", dtype.name());
            let what = format!("{} of {rows} rows, {outputs} outputs, {width} channels", dtype.name());

            // A weight is rounded to bf16 on its way.
            let exact = if dtype == Dtype::Bf16 { 1e-5 } else { 3e-3 };
            let y = device.empty::<f32>(rows * outputs);
            device.launch(
                &kernel("f32"),
                launch,
                arguments![&w.buffer, &x_buffer, &y, rows, outputs, width],
            )?;
            close(&what, &doubles(&device.download(&y)), &expected, exact)?;
            if case != 0 {
                continue;
            }
            let y = device.empty::<bf16>(rows * outputs);
            device.launch(
                &kernel("bf16"),
                launch,
                arguments![&w.buffer, &x_buffer, &y, rows, outputs, width],
            )?;
            close(&what, &widen(&device.download(&y)), &expected, exact + 4e-3)?;
            device.launch(
                &kernel("silu"),
                launch,
                arguments![&w.buffer, &x_buffer, &y, rows, outputs, width],
            )?;
            let silu: Vec<f64> = expected.iter().map(|x| x * sigmoid(*x)).collect();
            close(&what, &widen(&device.download(&y)), &silu, exact + 4e-3)?;
        }
    }
    Ok(())
}

pub fn check_experts_of_many(device: &mut Device) -> Result<(), String> {
    let mut numbers = Numbers(25);
    for (case, dtype) in TYPES.into_iter().enumerate() {
        let (width, inner) = if dtype == Dtype::Bf16 {
            (72, 104)
        } else {
            (width(dtype, 1), width(dtype, 0))
        };
        // Rows of each expert: a full tile and some, none, a few.
        let counts = [[7, 140, 1], [150, 0, 3], [0, 17, 128], [1, 1, 1], [129, 2, 0]][case];
        let rows: usize = counts.iter().sum();
        let tokens = 60;
        let experts = Experts::random(device, &mut numbers, dtype, counts.len(), inner, width);
        let x = numbers.bf16s(tokens * width, 1.0);
        let row_tokens: Vec<i32> = (0..rows).map(|_| numbers.below(tokens) as i32).collect();
        let (mut offsets, mut tile_expert, mut tile_first, mut expert_of) = (vec![0_i32], vec![], vec![], vec![]);
        for (e, count) in counts.into_iter().enumerate() {
            let first = expert_of.len();
            for tile in 0..count.div_ceil(TILE) {
                tile_expert.push(e as i32);
                tile_first.push((first + tile * TILE) as i32);
            }
            expert_of.extend(std::iter::repeat_n(e, count));
            offsets.push(expert_of.len() as i32);
        }
        tile_expert.push(-1);
        tile_first.push(-1);
        let tiles = (
            device.upload(&tile_expert),
            device.upload(&tile_first),
            device.upload(&offsets),
        );
        let (x_buffer, tokens_buffer) = (device.upload(&x), device.upload(&row_tokens));
        let (inside, y) = (device.empty::<bf16>(rows * inner), device.empty::<f32>(rows * width));
        let [gates, ups, downs] = &experts.tables;
        let grid = |outputs: usize| Launch {
            shared: SHARED,
            ..launch([tile_expert.len(), outputs, 1], case)
        };
        device.launch(
            &format!("experts_up_{}", dtype.name()),
            grid(inner.div_ceil(64)),
            arguments![
                gates,
                ups,
                &x_buffer,
                &tokens_buffer,
                &inside,
                &tiles.0,
                &tiles.1,
                &tiles.2,
                inner,
                width
            ],
        )?;
        device.launch(
            &format!("experts_down_{}", dtype.name()),
            grid(width.div_ceil(128)),
            arguments![downs, &inside, &y, &tiles.0, &tiles.1, &tiles.2, width, inner],
        )?;
        let inside = widen(&device.download(&inside));
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (row, e) in expert_of.iter().enumerate() {
            up.extend(experts.up(*e, &widen(&x[row_tokens[row] as usize * width..][..width])));
            down.extend(experts.downs[*e].times(&inside[row * inner..][..inner]));
        }
        close("inside", &inside, &up, 1e-2)?;
        close("outputs", &doubles(&device.download(&y)), &down, 3e-3)?;
    }
    Ok(())
}
