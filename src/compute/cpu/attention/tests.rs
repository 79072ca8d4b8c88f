//! Every path against the equation in f64.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;
use crate::compute::cpu::kv_cache::KvType;
use crate::model::{Pairing, Rope};

/// Numbers between -1 and 1.
struct Numbers(u64);

impl Numbers {
    fn some(&mut self, count: usize, scale: f32) -> Vec<f32> {
        let next = |_| {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * scale
        };
        (0..count).map(next).collect()
    }
}

/// Keys and values in f32, `[tokens, kv_heads·dim]` each.
struct Context {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Context {
    /// Attention of query head `head` of the token at `position`.
    fn attention(&self, spec: &Softmax, query: &[f32], head: usize, position: usize) -> Vec<f64> {
        let dim = spec.head_dim;
        let at = head / (spec.heads / spec.kv_heads) * dim;
        let row = |of: &[f32], token: usize| -> Vec<f64> {
            let row = &of[token * spec.kv_heads * dim + at..][..dim];
            row.iter().map(|x| f64::from(*x)).collect()
        };
        let score = |token| {
            row(&self.keys, token)
                .iter()
                .zip(query)
                .map(|(k, q)| k * f64::from(*q))
                .sum()
        };
        let scores: Vec<f64> = (0..=position).map(score).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|s| (s - max).exp()).sum();
        let mut out = vec![0.0; dim];
        for (token, s) in scores.iter().enumerate() {
            for (out, v) in out.iter_mut().zip(row(&self.values, token)) {
                *out += (s - max).exp() / total * v;
            }
        }
        out
    }
}

proptest! {
    /// Odd numbers of tokens and rows, pages in part, tasks of some of the pages, and sharp as well as flat weights.
    #[test]
    fn every_path_is_the_equation(
        kv_heads in 1usize..3, group in 1usize..10, dim in prop_oneof![Just(32usize), Just(64), Just(96), Just(20), Just(7)],
        before in 0usize..700, tokens in 1usize..40, scale in prop_oneof![Just(0.1f32), Just(1.0), Just(4.0)],
        kind in prop_oneof![Just(KvType::F32), Just(KvType::Bf16), Just(KvType::Q8)], threads in 1usize..3, seed: u64,
    ) {
        let rope = Rope { dim: 2, theta: 1e4, pairing: Pairing::Halves };
        let spec = Softmax { heads: kv_heads * group, kv_heads, head_dim: dim, rope };
        let mut numbers = Numbers(seed);
        let all = before + tokens;
        let width = kv_heads * dim;
        let context = Context { keys: numbers.some(all * width, scale), values: numbers.some(all * width, 1.0) };
        let queries = numbers.some(tokens * spec.heads * dim, 1.0);
        let mut cache = KvCache::new(&spec, kind);
        for (key, value) in context.keys.chunks_exact(width).zip(context.values.chunks_exact(width)) {
            cache.push(key, value);
        }
        // Of scores that are rounded, and of values.
        let bound = match kind {
            KvType::F32 => 1e-4,
            _ => 0.02 + 0.01 * f64::from(scale) * (dim as f64).sqrt(),
        };
        for isa in [Isa::detect(), Isa::Portable] {
            let cpu = Cpu::new(threads).unwrap().with_isa(isa);
            let room = Threads::new(threads);
            let mut buffers = Buffers::default();
            cpu.attend(&room, &spec, &queries, before, &cache, &mut buffers, &Interrupt::default()).unwrap();
            let mut row = vec![0.0; spec.heads * dim];
            for token in 0..tokens {
                let Attended { tasks, partials } = buffers.attended();
                merge(tasks, partials, &spec, token, &mut row);
                for head in [0, spec.heads / 2, spec.heads - 1] {
                    let query = &queries[(token * spec.heads + head) * dim..][..dim];
                    let exact = context.attention(&spec, query, head, before + token);
                    for (got, exact) in row[head * dim..].iter().zip(&exact) {
                        prop_assert!((f64::from(*got) - exact).abs() < bound, "{isa:?} token {token} head {head}: {got}, not {exact}");
                    }
                }
            }
        }
    }
}

/// Where a first page is far below what comes later and the other way round, and where a page is hidden from all rows but the last.
#[test]
fn weights_far_apart_neither_overflow_nor_vanish() {
    let rope = Rope {
        dim: 2,
        theta: 1e4,
        pairing: Pairing::Halves,
    };
    let spec = Softmax {
        heads: 4,
        kv_heads: 1,
        head_dim: 64,
        rope,
    };
    for kind in [KvType::Bf16, KvType::Q8] {
        for (first, second) in [(-100.0, 100.0), (100.0, -100.0), (1e30, 1e30), (-1e30, -1e30)] {
            let mut cache = KvCache::new(&spec, kind);
            for token in 0..=PAGE {
                let score = if token < PAGE { first } else { second };
                cache.push(&[score / 64.0; 64], &[if token < PAGE { 1.0 } else { 2.0 }; 64]);
            }
            let queries = [1.0; 2 * 4 * 64];
            for isa in [Isa::detect(), Isa::Portable] {
                let cpu = Cpu::new(1).unwrap().with_isa(isa);
                let mut buffers = Buffers::default();
                let room = Threads::new(1);
                cpu.attend(
                    &room,
                    &spec,
                    &queries,
                    PAGE - 1,
                    &cache,
                    &mut buffers,
                    &Interrupt::default(),
                )
                .unwrap();
                let Attended { tasks, partials } = buffers.attended();
                let mut row = [0.0; 4 * 64];
                merge(tasks, partials, &spec, 0, &mut row);
                assert!(row.iter().all(|x| (x - 1.0).abs() < 1e-2), "{isa:?} {first} {}", row[0]);
                merge(tasks, partials, &spec, 1, &mut row);
                let expected = match first.total_cmp(&second) {
                    Ordering::Less => 2.0,
                    Ordering::Equal => 1.0 + 1.0 / 257.0,
                    Ordering::Greater => 1.0,
                };
                assert!(
                    row.iter().all(|x| (x - expected).abs() < 2e-2),
                    "{isa:?} {first} {}",
                    row[0]
                );
            }
        }
    }
}
