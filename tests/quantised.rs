//! A whole model with weights of few bits: the integers that products are computed in, against the same stored weights in f32.
//!
//! Weights are exact in both, so what differs is what the integers add: activations rounded to 8 bits in blocks of 32. The bounds
//! are stated in docs/performance.md.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]
#![allow(clippy::print_stdout, reason = "figures for docs/performance.md")]

use thunderhead::bench::{Shape, synthetic};
use thunderhead::compute::cpu::{Cpu, Isa, KvType};
use thunderhead::compute::reference::Reference;
use thunderhead::compute::{Backend, Interrupt};
use thunderhead::engine::{Network, Score, score};
use thunderhead::model::Dtype;

/// Wide enough for blocks of 256, two periods, every token through experts that it chooses.
const SHAPE: Shape = Shape {
    name: "small",
    about: "",
    hidden: 256,
    layers: 8,
    period: 4,
    heads: 4,
    kv_heads: 2,
    head_dim: 64,
    experts: 4,
    top_k: 2,
    width: 256,
    vocab: 500,
    rotary: 32,
    rope_theta: 1e6,
};

const QUANTISED: [Dtype; 8] = [
    Dtype::Q8_0,
    Dtype::Q6K,
    Dtype::Q5_1,
    Dtype::Q5_0,
    Dtype::Q5K,
    Dtype::Q4_1,
    Dtype::Q4K,
    Dtype::Q4_0,
];

fn scored<B: Backend>(backend: B, shape: Shape, dtype: Dtype, tokens: &[u32]) -> Score {
    let config = shape.config();
    let weights = synthetic(&config, dtype);
    let network = Network::new(backend, config, weights).unwrap();
    score(&network, tokens, Vec::new(), 0, 64, &Interrupt::new(), |_| {}).unwrap()
}

/// Mean and largest difference of log-probabilities.
fn off(a: &Score, b: &Score) -> (f64, f64) {
    let differences = || a.logprobs.iter().zip(&b.logprobs).map(|(a, b)| (a - b).abs());
    let mean = differences().sum::<f64>() / a.logprobs.len() as f64;
    (mean, differences().fold(0.0, f64::max))
}

fn tokens() -> Vec<u32> {
    (0..200).map(|i| i * i * 31 % SHAPE.vocab as u32).collect()
}

fn cpu(isa: Isa) -> Cpu {
    Cpu::new(2).unwrap().with_isa(isa).with_kv_cache(KvType::F32)
}

/// One expert, so that nothing is chosen: every log-probability is near that of f32.
#[test]
fn integers_cost_little_with_every_type_and_instruction() {
    let shape = Shape {
        experts: 1,
        top_k: 1,
        ..SHAPE
    };
    for dtype in QUANTISED {
        let exact = scored(Reference, shape, dtype, &tokens());
        for isa in Isa::available() {
            let (mean, worst) = off(&exact, &scored(cpu(isa), shape, dtype, &tokens()));
            println!("{dtype:?} {isa:?}: {mean:.4} {worst:.3}");
            assert!(mean < 0.04 && worst < 0.25, "{dtype:?} {isa:?}: {mean} {worst}");
            assert!(mean > 1e-3, "{dtype:?} {isa:?}: {mean}, so it is not what is tested");
        }
    }
}

/// Where experts are chosen, two that are nearly equal may change places, which costs single tokens more: the mean is bounded. Rounding
/// the weights to four bits costs many times as much.
#[test]
fn integers_cost_less_than_rounding_weights() {
    let wide = scored(Reference, SHAPE, Dtype::F32, &tokens());
    for dtype in QUANTISED {
        let exact = scored(Reference, SHAPE, dtype, &tokens());
        let (mean, _) = off(&exact, &scored(cpu(Isa::detect()), SHAPE, dtype, &tokens()));
        let (rounding, _) = off(&wide, &exact);
        println!("{dtype:?}: {mean:.4}; of the weights {rounding:.4}");
        assert!(mean < 0.1, "{dtype:?}: {mean}");
        if matches!(dtype, Dtype::Q4_0 | Dtype::Q4_1 | Dtype::Q4K) {
            assert!(mean < rounding / 3.0, "{dtype:?}: {mean} of {rounding}");
        }
    }
}
