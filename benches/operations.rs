//! How far each operation is from what the machine can do: `[TYPE=bf16] [THREADS=2] cargo bench --bench operations [-- FILTER]`.
//!
//! Sizes are those of the shape `hybrid-0.8b`. An operation's roofline is the longer of the time that its operations take at
//! the ceiling of products and the time that its bytes take at the ceiling of reading; it and what share of the time it is are
//! printed after what criterion says of the operation. Attention is timed behind projections from 64 channels, so that they hardly count.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that fails has failed")]

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use thunderhead::bench::report::ceiling_of;
use thunderhead::bench::{Shape, synthetic};
use thunderhead::compute::cpu::ceilings::Ceilings;
use thunderhead::compute::cpu::{Cpu, Isa, KvType};
use thunderhead::compute::{Backend, Block, Interrupt, Tile};
use thunderhead::model::{Dtype, FeedForward, Mixer, MixerWeights, ModelConfig, ModelWeights, Residual};

/// How long each operation is repeated, before it counts and while it does.
const WARM_UP: Duration = Duration::from_millis(300);
const MEASURED: Duration = Duration::from_secs(2);
const NARROW: usize = 64;

fn shape(hidden: usize, layers: usize) -> Shape {
    Shape {
        hidden,
        layers,
        vocab: 64,
        ..Shape::named("hybrid-0.8b").unwrap()
    }
}

/// A norm and a residual of a model like MiniMax-M1: rows keep their size however often a block is applied.
fn block(norm: &<Cpu as Backend>::Tensor) -> Block<'_, <Cpu as Backend>::Tensor> {
    Block {
        norm,
        eps: 1e-5,
        residual: Residual {
            alpha: 3.5,
            beta: 1.0,
            from_normed: true,
        },
    }
}

fn main() {
    let variable = |name: &str| std::env::var(name).ok();
    let threads = variable("THREADS").map_or_else(
        || std::thread::available_parallelism().unwrap().get(),
        |n| n.parse().unwrap(),
    );
    let dtype = dtype(&variable("TYPE").unwrap_or_else(|| "bf16".to_owned()));
    let ceilings = Ceilings::measure(threads, Isa::detect());
    println!("{}", thunderhead::bench::report::ceilings(&ceilings));
    let mut roofs = Roofs {
        ceilings,
        criterion: Criterion::default()
            .warm_up_time(WARM_UP)
            .measurement_time(MEASURED)
            .sample_size(20)
            .configure_from_args(),
    };
    let bench = Bench {
        cpu: Cpu::new(threads).unwrap(),
        dtype,
    };
    bench.products(&mut roofs);
    bench.experts(&mut roofs);
    bench.lightning(&mut roofs);
    bench.softmax(&mut roofs);
    bench.head(&mut roofs);
    roofs.criterion.final_summary();
}

fn dtype(name: &str) -> Dtype {
    let found = Dtype::ALL.into_iter().find(|dtype| dtype.name() == name);
    found.unwrap_or_else(|| {
        panic!(
            "TYPE={name}: expected one of {}",
            Dtype::ALL.map(Dtype::name).join(", ")
        )
    })
}

/// Measures, and compares with what the machine can do.
struct Roofs {
    criterion: Criterion,
    ceilings: Ceilings,
}

impl Roofs {
    /// Has criterion repeat `run`, which `operations` limit by `dtype`'s products or `bytes` that must pass.
    fn line(&mut self, group: &str, name: &str, dtype: Dtype, operations: f64, bytes: f64, mut run: impl FnMut()) {
        let ceiling = ceiling_of(dtype, &self.ceilings);
        let (by_products, by_reading) = (operations / ceiling.rate, bytes / self.ceilings.read);
        let (roofline, limit) = if by_products > by_reading {
            (by_products, ceiling.name)
        } else {
            (by_reading, "reading")
        };
        let mut least = f64::INFINITY;
        let mut group = self.criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(operations as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let began = Instant::now();
                for _ in 0..times {
                    run();
                }
                let took = began.elapsed();
                least = least.min(took.as_secs_f64() / times as f64);
                took
            });
        });
        group.finish();
        if least.is_finite() {
            println!(
                "{:24}roof:  {:.1} µs by {limit}, {:.0} % of the fastest sample; {:.1} GOP/s, {:.1} GB/s\n",
                "",
                roofline * 1e6,
                100.0 * roofline / least,
                operations / least / 1e9,
                bytes / least / 1e9,
            );
        }
    }
}

struct Bench {
    cpu: Cpu,
    dtype: Dtype,
}

impl Bench {
    fn rows_of(&self, tokens: usize, width: usize) -> <Cpu as Backend>::Rows {
        // Any numbers of unit size do.
        let values: Vec<f32> = (0..tokens * width)
            .map(|i| ((i * 37 + i / width) % 101) as f32 / 29.0 - 1.74)
            .collect();
        self.cpu.upload(&values, width).unwrap()
    }

    fn load(&self, config: &ModelConfig, dtype: Dtype) -> ModelWeights<<Cpu as Backend>::Tensor> {
        let weights = synthetic(config, dtype);
        weights.try_map(|tensor, role| self.cpu.load(tensor, role)).unwrap()
    }

    /// Three matrices of 1024 x 4096, times one vector, few and many.
    fn products(&self, roofs: &mut Roofs) {
        let shape = shape(1024, 1);
        let config = Shape {
            experts: 1,
            top_k: 1,
            width: 4096,
            ..shape
        }
        .config();
        self.feed_forward(roofs, "products", &config, self.dtype, &[1, 4, 16, 64, 512]);
    }

    fn experts(&self, roofs: &mut Roofs) {
        let config = shape(1024, 1).config();
        self.feed_forward(roofs, "experts", &config, self.dtype, &[1, 64, 512, 4096]);
        // Narrow experts: what is left is choosing them and moving rows.
        let narrow = Shape {
            width: 32,
            ..shape(1024, 1)
        };
        self.feed_forward(
            roofs,
            "router, norm and residual",
            &narrow.config(),
            Dtype::F32,
            &[1, 512],
        );
    }

    fn feed_forward(&self, roofs: &mut Roofs, name: &str, config: &ModelConfig, dtype: Dtype, tokens: &[usize]) {
        let FeedForward::Moe(spec) = &config.layers[0].feed_forward;
        let bytes = synthetic(config, dtype).layers[0].moe.experts[0].gate.bytes().len() * 3;
        let weights = self.load(config, dtype).layers.remove(0);
        let interrupt = Interrupt::new();
        let mut workspace = self.cpu.workspace().unwrap();
        for &tokens in tokens {
            let mut x = self.rows_of(tokens, config.hidden);
            let router = if spec.experts > 1 { spec.experts } else { 0 };
            let operations = (2 * config.hidden * (router + 3 * spec.top_k * spec.width) * tokens) as f64;
            let read = bytes * (spec.top_k * tokens).min(spec.experts) + tokens * config.hidden * 8;
            roofs.line(
                name,
                &format!("{tokens} tokens"),
                dtype,
                operations,
                read as f64,
                || {
                    let block = block(&weights.feed_forward_norm);
                    self.cpu
                        .moe(&mut workspace, block, spec, &weights.moe, &mut x, &interrupt)
                        .unwrap();
                },
            );
        }
    }

    fn lightning(&self, roofs: &mut Roofs) {
        let interrupt = Interrupt::new();
        let mut workspace = self.cpu.workspace().unwrap();
        for (hidden, what) in [(NARROW, "lightning attention"), (1024, "lightning block")] {
            let config = shape(hidden, 2).config();
            let dtype = if hidden == NARROW { Dtype::F32 } else { self.dtype };
            let bytes = match &synthetic(&config, dtype).layers[0].mixer {
                MixerWeights::Lightning(w) => [&w.qkv, &w.gate, &w.out].map(|w| w.bytes().len()).iter().sum::<usize>(),
                MixerWeights::Softmax(_) => 0,
            };
            let layer = self.load(&config, dtype).layers.remove(0);
            let (Mixer::Lightning(spec), MixerWeights::Lightning(weights)) = (&config.layers[0].mixer, &layer.mixer)
            else {
                panic!("the first layer is lightning")
            };
            let mut state = self.cpu.lightning_state(spec).unwrap();
            let mut next = self.cpu.lightning_state(spec).unwrap();
            let width = spec.heads * spec.head_dim;
            for tokens in [1, 512, 4096] {
                let mut x = self.rows_of(tokens, hidden);
                let operations = (tokens * (10 * hidden * width + 4 * width * spec.head_dim)) as f64;
                let moved = (bytes + 2 * width * spec.head_dim * 4 + tokens * hidden * 8) as f64;
                roofs.line(what, &format!("{tokens} tokens"), dtype, operations, moved, || {
                    let block = block(&layer.mixer_norm);
                    let tile = Tile {
                        position: 0,
                        outputs: tokens,
                        interrupt: &interrupt,
                    };
                    self.cpu
                        .lightning(&mut workspace, block, spec, weights, &mut x, &state, &mut next, tile)
                        .unwrap();
                    std::mem::swap(&mut state, &mut next);
                });
            }
        }
    }

    fn softmax(&self, roofs: &mut Roofs) {
        let interrupt = Interrupt::new();
        let mut workspace = self.cpu.workspace().unwrap();
        let config = shape(NARROW, 8).config();
        let layer = self.load(&config, Dtype::F32).layers.remove(7);
        let (Mixer::Softmax(spec), MixerWeights::Softmax(weights)) = (&config.layers[7].mixer, &layer.mixer) else {
            panic!("the eighth layer is softmax")
        };
        for (depth, tokens) in [(0, 512), (8192, 512), (8192, 1), (32_768, 1)] {
            let mut cache = self.cpu.kv_cache(spec).unwrap();
            for position in (0..depth).step_by(1024) {
                let mut fill = self.rows_of(1024, NARROW);
                let tile = Tile {
                    position,
                    outputs: 0,
                    interrupt: &interrupt,
                };
                let block = block(&layer.mixer_norm);
                self.cpu
                    .softmax(&mut workspace, block, spec, weights, &mut fill, &mut cache, tile)
                    .unwrap();
            }
            let mut x = self.rows_of(tokens, NARROW);
            let keys = (tokens * (2 * depth + tokens + 1)) as f64 / 2.0;
            let operations = (4 * spec.heads * spec.head_dim) as f64 * keys;
            let bytes = spec.kv_heads * KvType::Auto.bytes(depth + tokens, spec.head_dim);
            let name = format!("{tokens} tokens at {depth}");
            roofs.line(
                "softmax attention",
                &name,
                Dtype::Bf16,
                operations,
                bytes as f64,
                || {
                    let block = block(&layer.mixer_norm);
                    let tile = Tile {
                        position: depth,
                        outputs: tokens,
                        interrupt: &interrupt,
                    };
                    self.cpu
                        .softmax(&mut workspace, block, spec, weights, &mut x, &mut cache, tile)
                        .unwrap();
                    self.cpu.truncate_kv_cache(&mut cache, depth).unwrap();
                },
            );
        }
    }

    /// Logits of one token: a matrix of 32,000 rows.
    fn head(&self, roofs: &mut Roofs) {
        let config = Shape {
            vocab: 32_000,
            ..shape(1024, 1)
        }
        .config();
        let bytes = synthetic(&config, self.dtype).head.unwrap().bytes().len();
        let weights = self.load(&config, self.dtype);
        let (mut workspace, mut logits) = (self.cpu.workspace().unwrap(), Vec::new());
        let x = self.rows_of(1, 1024);
        roofs.line(
            "head",
            "1 token",
            self.dtype,
            2.0 * 1024.0 * 32_000.0,
            bytes as f64,
            || {
                let (norm, head) = ((&weights.norm, 1e-5), weights.head.as_ref().unwrap());
                self.cpu
                    .head(&mut workspace, norm, head, &x, 0..1, &mut logits, &Interrupt::new())
                    .unwrap();
            },
        );
    }
}
