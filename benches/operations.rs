//! How far each operation is from what the machine can do: `[TYPE=bf16] [THREADS=2] cargo bench --bench operations [-- WORD…]`.
//!
//! Sizes are those of the shape `hybrid-0.8b`. An operation's roofline is the longer of the time that its operations take at
//! the ceiling of products and the time that its bytes take at the ceiling of reading; `of roofline` is that over the time
//! measured. Attention is timed behind projections from 64 channels, so that they hardly count.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that fails has failed")]

use std::time::{Duration, Instant};

use thunderhead::bench::report::ceiling_of;
use thunderhead::bench::{Shape, synthetic};
use thunderhead::compute::cpu::ceilings::Ceilings;
use thunderhead::compute::cpu::{Cpu, Isa, KvType};
use thunderhead::compute::{Backend, Block, Interrupt, Tile};
use thunderhead::model::{Dtype, FeedForward, Mixer, MixerWeights, ModelConfig, ModelWeights, Residual};

/// How long each operation is repeated.
const TRIED: Duration = Duration::from_millis(400);
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
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let ceilings = Ceilings::measure(threads, Isa::detect());
    println!("{}", thunderhead::bench::report::ceilings(&ceilings));
    println!(
        "{:<40} {:>10} {:>8} {:>8} {:>12}",
        "", "µs", "GOP/s", "GB/s", "of roofline"
    );
    let bench = Bench {
        cpu: Cpu::new(threads).unwrap(),
        ceilings,
        dtype,
        words,
    };
    bench.products();
    bench.experts();
    bench.lightning();
    bench.softmax();
    bench.head();
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

struct Bench {
    cpu: Cpu,
    ceilings: Ceilings,
    dtype: Dtype,
    words: Vec<String>,
}

impl Bench {
    /// Repeats `run` and prints a line: `operations` limited by `dtype`'s products, `bytes` that must pass.
    fn line(&self, name: &str, dtype: Dtype, operations: f64, bytes: f64, mut run: impl FnMut()) {
        if !self.words.is_empty() && !self.words.iter().any(|word| name.contains(word.as_str())) {
            return;
        }
        run();
        let began = Instant::now();
        let mut times = Vec::new();
        while began.elapsed() < TRIED || times.len() < 3 {
            let once = Instant::now();
            run();
            times.push(once.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        let roofline = (operations / ceiling_of(dtype, &self.ceilings).rate).max(bytes / self.ceilings.read);
        println!(
            "{name:<40} {:>10.1} {:>8.1} {:>8.2} {:>10.0} %",
            median * 1e6,
            operations / median / 1e9,
            bytes / median / 1e9,
            100.0 * roofline / median
        );
    }

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
    fn products(&self) {
        let shape = shape(1024, 1);
        let config = Shape {
            experts: 1,
            top_k: 1,
            width: 4096,
            ..shape
        }
        .config();
        self.feed_forward("products", &config, self.dtype, &[1, 4, 16, 64, 512]);
    }

    fn experts(&self) {
        let config = shape(1024, 1).config();
        self.feed_forward("experts", &config, self.dtype, &[1, 64, 512, 4096]);
        // Narrow experts: what is left is choosing them and moving rows.
        let narrow = Shape {
            width: 32,
            ..shape(1024, 1)
        };
        self.feed_forward("router, norm and residual", &narrow.config(), Dtype::F32, &[1, 512]);
    }

    fn feed_forward(&self, name: &str, config: &ModelConfig, dtype: Dtype, tokens: &[usize]) {
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
            self.line(
                &format!("{name}, {tokens} tokens"),
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

    fn lightning(&self) {
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
                self.line(&format!("{what}, {tokens} tokens"), dtype, operations, moved, || {
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

    fn softmax(&self) {
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
            let name = format!("softmax attention, {tokens} tokens at {depth}");
            self.line(&name, Dtype::Bf16, operations, bytes as f64, || {
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
            });
        }
    }

    /// Logits of one token: a matrix of 32,000 rows.
    fn head(&self) {
        let config = Shape {
            vocab: 32_000,
            ..shape(1024, 1)
        }
        .config();
        let bytes = synthetic(&config, self.dtype).head.unwrap().bytes().len();
        let weights = self.load(&config, self.dtype);
        let (mut workspace, mut logits) = (self.cpu.workspace().unwrap(), Vec::new());
        let x = self.rows_of(1, 1024);
        self.line(
            "head, 1 token",
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
