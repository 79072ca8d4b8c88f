//! Layers on a card against the plain implementation, with weights of every type and a cache of every type.

use serde::Serialize;

use super::timed::Timed;
use crate::bench::synthetic::{mix, normal};
use crate::compute::cpu::KvType;
use crate::compute::cuda::{Cuda, Driver};
use crate::compute::reference::Reference;
use crate::compute::{Backend, Block, ComputeError, Interrupt, Tile};
use crate::model::{
    Dtype, ExpertWeights, Lightning, LightningWeights, Moe, MoeWeights, Pairing, Residual, Rope, Softmax,
    SoftmaxWeights, TensorRole, TensorView, lightning_slopes,
};

const HIDDEN: usize = 256;
const VOCAB: usize = 96;
const EXPERTS: usize = 3;
/// Tiles, and how many of their rows are read: single tokens, a draft, a tile that fills nothing.
const TILES: [(usize, usize); 5] = [(1, 1), (3, 3), (70, 5), (1, 1), (2, 1)];
/// Layers whose activations are rounded between operations, and layers that are exact.
const ROUNDED: f64 = 3e-2;
const EXACT: f64 = 1e-3;

/// What was compared, and how far it was off, relative to the largest number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    pub what: String,
    pub off: f64,
    pub allowed: f64,
}

impl Checked {
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.off <= self.allowed
    }
}

/// Random numbers of about unit size, the same each time.
struct Numbers(u64);

impl Numbers {
    fn values(&mut self, count: usize, spread: f32) -> Vec<f32> {
        self.0 += 1;
        let seed = mix(self.0);
        (0..count as u64)
            .map(|i| spread * normal(seed.wrapping_add(i)))
            .collect()
    }

    fn matrix<B: Backend>(
        &mut self,
        backend: &B,
        dtype: Dtype,
        shape: [usize; 2],
        role: TensorRole,
    ) -> Result<B::Tensor, ComputeError> {
        let values = self.values(shape[0] * shape[1], (shape[1] as f32).powf(-0.5));
        backend.load(TensorView::from_f32_as("random", dtype, shape.to_vec(), &values), role)
    }

    fn norm<B: Backend>(&mut self, backend: &B, width: usize) -> Result<B::Tensor, ComputeError> {
        let values: Vec<f32> = self.values(width, 0.1).iter().map(|x| 1.0 + x).collect();
        backend.load(TensorView::from_f32("random", vec![width], &values), TensorRole::Norm)
    }
}

/// A lightning layer, experts, a softmax layer and the head, over all tiles: what comes out of each.
fn layers<B: Backend>(backend: &B, dtype: Dtype, head_dim: usize) -> Result<Vec<Vec<f32>>, ComputeError> {
    let numbers = &mut Numbers(1);
    let heads = HIDDEN / head_dim;
    let lightning = Lightning {
        heads,
        head_dim,
        slopes: lightning_slopes(heads, 0, 4),
        norm_eps: 1e-6,
    };
    let softmax = Softmax {
        heads,
        kv_heads: heads / 2,
        head_dim,
        rope: Rope {
            dim: head_dim / 2,
            theta: 1e6,
            pairing: Pairing::Halves,
        },
    };
    // All of them: rounding changes no choice.
    let moe = Moe {
        experts: EXPERTS,
        top_k: EXPERTS,
        width: HIDDEN,
    };
    let role = TensorRole::Matrix;
    let norms = [
        numbers.norm(backend, HIDDEN)?,
        numbers.norm(backend, HIDDEN)?,
        numbers.norm(backend, HIDDEN)?,
        numbers.norm(backend, HIDDEN)?,
    ];
    let table = numbers.matrix(backend, dtype, [VOCAB, HIDDEN], TensorRole::TableAndMatrix)?;
    let lightning_weights = LightningWeights {
        qkv: numbers.matrix(backend, dtype, [3 * HIDDEN, HIDDEN], role)?,
        gate: numbers.matrix(backend, dtype, [HIDDEN, HIDDEN], role)?,
        norm: numbers.norm(backend, HIDDEN)?,
        out: numbers.matrix(backend, dtype, [HIDDEN, HIDDEN], role)?,
    };
    let softmax_weights = SoftmaxWeights {
        q: numbers.matrix(backend, dtype, [HIDDEN, HIDDEN], role)?,
        k: numbers.matrix(backend, dtype, [HIDDEN / 2, HIDDEN], role)?,
        v: numbers.matrix(backend, dtype, [HIDDEN / 2, HIDDEN], role)?,
        out: numbers.matrix(backend, dtype, [HIDDEN, HIDDEN], role)?,
    };
    let moe_weights = MoeWeights {
        router: Some(numbers.matrix(backend, Dtype::F32, [EXPERTS, HIDDEN], TensorRole::Router)?),
        experts: (0..EXPERTS)
            .map(|_| {
                Ok(ExpertWeights {
                    gate: numbers.matrix(backend, dtype, [HIDDEN, HIDDEN], role)?,
                    up: numbers.matrix(backend, dtype, [HIDDEN, HIDDEN], role)?,
                    down: numbers.matrix(backend, dtype, [HIDDEN, HIDDEN], role)?,
                })
            })
            .collect::<Result<_, ComputeError>>()?,
    };
    let block = |norm| Block {
        norm,
        eps: 1e-5,
        residual: Residual {
            alpha: 1.5,
            beta: 0.8,
            from_normed: true,
        },
    };
    let (mut workspace, interrupt) = (backend.workspace()?, Interrupt::new());
    let mut states = [
        backend.lightning_state(&lightning)?,
        backend.lightning_state(&lightning)?,
    ];
    let mut cache = backend.kv_cache(&softmax)?;
    let (mut position, mut all) = (0, Vec::new());
    for (tokens, outputs) in TILES {
        let ids: Vec<u32> = (0..tokens).map(|i| ((position + i) * 37 % VOCAB) as u32).collect();
        let mut x = backend.upload(&[], HIDDEN)?;
        backend.embed(&table, &ids, &mut x)?;
        let tile = |outputs| Tile {
            position,
            outputs,
            interrupt: &interrupt,
        };
        let [state, next] = &mut states;
        let (spec, weights) = (&lightning, &lightning_weights);
        backend.lightning(
            &mut workspace,
            block(&norms[0]),
            spec,
            weights,
            &mut x,
            state,
            next,
            tile(tokens),
        )?;
        states.swap(0, 1);
        backend.moe(&mut workspace, block(&norms[1]), &moe, &moe_weights, &mut x, &interrupt)?;
        let (spec, weights) = (&softmax, &softmax_weights);
        backend.softmax(
            &mut workspace,
            block(&norms[2]),
            spec,
            weights,
            &mut x,
            &mut cache,
            tile(outputs),
        )?;
        all.push(backend.download(&x)?);
        let mut logits = Vec::new();
        backend.head(
            &mut workspace,
            (&norms[3], 1e-5),
            &table,
            &x,
            outputs - 1..outputs,
            &mut logits,
            &interrupt,
        )?;
        all.push(logits);
        position += tokens;
    }
    all.push(backend.download_lightning_state(&states[0])?);
    Ok(all)
}

/// The largest difference, relative to the largest number of what it is in.
fn off(got: &[Vec<f32>], expected: &[Vec<f32>]) -> f64 {
    let pairs = got.iter().zip(expected).map(|(got, expected)| {
        let largest = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let differences = got.iter().zip(expected).map(|(a, b)| (a - b).abs());
        // What is not a number is as far off as can be.
        let most = differences.fold(0.0_f32, |most, x| if x.is_nan() { f32::INFINITY } else { most.max(x) });
        f64::from(most / largest)
    });
    pairs.fold(0.0, f64::max)
}

/// Checks a card.
pub(super) fn run<D: Driver>(card: &Timed<D>, said: &mut dyn FnMut(&str)) -> Result<Vec<Checked>, ComputeError> {
    let mut all = Vec::new();
    for dtype in [Dtype::Bf16, Dtype::Q8_0, Dtype::Q4K, Dtype::Q6K, Dtype::F32] {
        // Every type of cache, and both widths of heads, with one type of weights.
        let is_first = dtype == Dtype::Bf16;
        let caches = [(KvType::F32, EXACT), (KvType::Bf16, ROUNDED), (KvType::Q8, ROUNDED)];
        for &head_dim in if is_first { &[64, 128][..] } else { &[64] } {
            let expected = layers(&Reference, dtype, head_dim)?;
            let with = if is_first { &caches[..] } else { &caches[..2] };
            for (kv, allowed) in with {
                let what = format!("layers in {}, heads of {head_dim}, cache in {kv:?}", dtype.name());
                said(&what);
                let got = layers(&Cuda::new(card.clone()).with_kv_cache(*kv), dtype, head_dim)?;
                all.push(Checked {
                    what,
                    off: off(&got, &expected),
                    allowed: *allowed,
                });
            }
        }
    }
    Ok(all)
}
