//! Random mixers and experts, and a sequence that goes through a mixer tile by tile.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use thunderhead::compute::{Backend, Block, ComputeError, Interrupt, Tile};
use thunderhead::model::{
    Dtype, ExpertWeights, Lightning, LightningWeights, Mixer, MixerWeights, Moe, MoeWeights, Pairing, Residual, Rope,
    Softmax, SoftmaxWeights, TensorRole, TensorView, lightning_slopes,
};

/// What every implementation keeps, relative to the largest output of the operation.
pub const TOLERANCE: f32 = 1e-4;

/// Tokens that ask a state what it holds, after the tokens of a case.
pub const PROBES: usize = 3;

/// Runs `test` on random cases, `PROPTEST_CASES` or 32 of them, and panics with the smallest that fails.
pub fn for_all<S>(cases: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S: Strategy,
    S::Value: Debug,
{
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 32;
    }
    if let Err(error) = TestRunner::new(config).run(&cases, test) {
        panic!("{error}");
    }
}

/// That `got` is `expected` within the tolerance.
pub fn close(what: &str, got: &[f32], expected: &[f32]) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), expected.len(), "{}: the number of values", what);
    let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let within = (g - e).abs() <= TOLERANCE * largest;
        prop_assert!(within, "{what}: value {i} is {g}, not {e}; the largest is {largest}");
    }
    Ok(())
}

/// Numbers from a seed (splitmix64), of unit scale.
pub struct Random(pub u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `count` numbers around zero with this standard deviation.
    pub fn values(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        let mut normal = || (0..3).map(|_| 2.0 * self.uniform() - 1.0).sum::<f64>();
        (0..count).map(|_| (deviation * normal()) as f32).collect()
    }

    /// A matrix whose products with rows of unit scale have the scale `gain`.
    pub fn matrix(&mut self, name: &str, dtype: Dtype, shape: [usize; 2], gain: f64) -> TensorView {
        let values = self.values(shape[0] * shape[1], gain / (shape[1] as f64).sqrt());
        TensorView::from_f32_as(name, dtype, shape.to_vec(), &values)
    }

    /// The weight of a norm, around one.
    pub fn norm(&mut self, name: &str, dtype: Dtype, width: usize) -> TensorView {
        let values: Vec<f32> = self.values(width, 0.2).iter().map(|v| 1.0 + v).collect();
        TensorView::from_f32_as(name, dtype, vec![width], &values)
    }
}

/// A mixer and a sequence for it.
#[derive(Debug, Clone)]
pub struct MixerCase {
    pub mixer: Mixer,
    pub hidden: usize,
    pub tokens: usize,
    /// Sizes of the tiles, cyclically, until the tokens are through.
    pub tiles: Vec<usize>,
    pub outputs: usize,
    pub residual: Residual,
    pub dtype: Dtype,
    pub seed: u64,
}

impl MixerCase {
    /// `[tokens + PROBES, hidden]`
    pub fn h(&self) -> Vec<f32> {
        Random(!self.seed).values((self.tokens + PROBES) * self.hidden, 1.0)
    }

    pub fn weights(&self) -> MixerWeights<TensorView> {
        mixer_weights(&self.mixer, self.hidden, self.dtype, &mut Random(self.seed))
    }

    pub fn around(&self) -> Around {
        Around::new(self.hidden, self.residual, self.dtype, &mut Random(self.seed ^ 1))
    }

    pub fn tile_sizes(&self) -> impl Iterator<Item = usize> {
        let mut left = self.tokens;
        self.tiles.iter().cycle().map_while(move |size| {
            let size = (*size).min(left);
            left -= size;
            (size > 0).then_some(size)
        })
    }
}

pub fn mixer_weights(mixer: &Mixer, hidden: usize, dtype: Dtype, random: &mut Random) -> MixerWeights<TensorView> {
    match mixer {
        Mixer::Lightning(spec) => {
            let width = spec.heads * spec.head_dim;
            MixerWeights::Lightning(LightningWeights {
                qkv: random.matrix("qkv", dtype, [3 * width, hidden], 1.0),
                gate: random.matrix("gate", dtype, [width, hidden], 1.0),
                norm: random.norm("norm", dtype, width),
                out: random.matrix("out", dtype, [hidden, width], 1.0),
            })
        }
        Mixer::Softmax(spec) => {
            let (width, kv_width) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
            MixerWeights::Softmax(SoftmaxWeights {
                q: random.matrix("q", dtype, [width, hidden], 1.5),
                k: random.matrix("k", dtype, [kv_width, hidden], 1.5),
                v: random.matrix("v", dtype, [kv_width, hidden], 1.0),
                out: random.matrix("out", dtype, [hidden, width], 1.0),
            })
        }
    }
}

pub fn moe_weights(spec: &Moe, hidden: usize, dtype: Dtype, random: &mut Random) -> MoeWeights<TensorView> {
    MoeWeights {
        router: (spec.experts > 1).then(|| random.matrix("router", dtype, [spec.experts, hidden], 2.0)),
        experts: (0..spec.experts)
            .map(|_| ExpertWeights {
                gate: random.matrix("expert gate", dtype, [spec.width, hidden], 1.0),
                up: random.matrix("expert up", dtype, [spec.width, hidden], 1.0),
                down: random.matrix("expert down", dtype, [hidden, spec.width], 1.0),
            })
            .collect(),
    }
}

/// What stands around an operation.
#[derive(Debug, Clone)]
pub struct Around {
    pub norm: TensorView,
    pub eps: f64,
    pub residual: Residual,
}

impl Around {
    pub fn new(hidden: usize, residual: Residual, dtype: Dtype, random: &mut Random) -> Self {
        Self {
            norm: random.norm("norm", dtype, hidden),
            eps: 1e-5,
            residual,
        }
    }
}

pub fn residuals() -> impl Strategy<Value = Residual> {
    (0.0..4.0_f64, 0.2..4.0_f64, any::<bool>()).prop_map(|(alpha, beta, from_normed)| Residual {
        alpha,
        beta,
        from_normed,
    })
}

/// A mixture of experts on rows `x`.
pub fn run_moe<B: Backend>(
    backend: &B,
    around: &Around,
    spec: &Moe,
    weights: &MoeWeights<TensorView>,
    x: &[f32],
    interrupt: &Interrupt,
) -> Result<Vec<f32>, ComputeError> {
    let load = |tensor, role| backend.load(tensor, role);
    let weights = weights.clone().try_map(load)?;
    let norm = backend.load(around.norm.clone(), TensorRole::Norm)?;
    let mut rows = backend.upload(x, around.norm.shape()[0])?;
    let block = Block {
        norm: &norm,
        eps: around.eps,
        residual: around.residual,
    };
    backend.moe(&mut backend.workspace()?, block, spec, &weights, &mut rows, interrupt)?;
    backend.download(&rows)
}

pub fn dtypes() -> impl Strategy<Value = Dtype> {
    prop::sample::select(vec![Dtype::F32, Dtype::F16, Dtype::Bf16])
}

pub fn lightnings() -> impl Strategy<Value = Lightning> {
    (1_usize..=12, 4_usize..=40, 0_usize..7).prop_map(|(heads, head_dim, layer)| Lightning {
        heads,
        head_dim,
        slopes: lightning_slopes(heads, layer, 8),
        norm_eps: 1e-6,
    })
}

pub fn softmaxes() -> impl Strategy<Value = Softmax> {
    let groups: Vec<(usize, usize)> = (1..=12)
        .flat_map(|kv_heads| (1..=12 / kv_heads).map(move |group| (kv_heads, group)))
        .collect();
    let thetas = prop::sample::select(vec![1e4, 1e6, 1e7]);
    (
        prop::sample::select(groups),
        4_usize..=40,
        any::<prop::sample::Index>(),
        thetas,
        prop::sample::select(vec![Pairing::Halves, Pairing::Neighbours]),
    )
        .prop_map(|((kv_heads, group), head_dim, pairs, theta, pairing)| Softmax {
            heads: kv_heads * group,
            kv_heads,
            head_dim,
            rope: Rope {
                dim: 2 * (1 + pairs.index(head_dim / 2)),
                theta,
                pairing,
            },
        })
}

pub fn mixers() -> impl Strategy<Value = Mixer> {
    prop_oneof![
        lightnings().prop_map(Mixer::Lightning),
        softmaxes().prop_map(Mixer::Softmax)
    ]
}

pub fn mixer_cases() -> impl Strategy<Value = MixerCase> {
    let outputs = (1_usize..=150).prop_flat_map(|tokens| {
        let outputs = prop_oneof![Just(0), Just(1), Just(tokens), 0..=tokens];
        (Just(tokens), outputs)
    });
    let tiles = prop::collection::vec(1_usize..=70, 1..5);
    let storage = (residuals(), dtypes());
    (mixers(), 8_usize..=70, outputs, tiles, storage, any::<u64>()).prop_map(
        |(mixer, hidden, (tokens, outputs), tiles, (residual, dtype), seed)| MixerCase {
            mixer,
            hidden,
            tokens,
            tiles,
            outputs,
            residual,
            dtype,
            seed,
        },
    )
}

/// Experts and tokens for them.
#[derive(Debug, Clone)]
pub struct MoeCase {
    pub spec: Moe,
    pub hidden: usize,
    pub tokens: usize,
    pub residual: Residual,
    pub dtype: Dtype,
    pub seed: u64,
}

pub fn moe_cases() -> impl Strategy<Value = MoeCase> {
    let specs = (1_usize..=8)
        .prop_flat_map(|experts| (Just(experts), 1..=experts, 4_usize..=48))
        .prop_map(|(experts, top_k, width)| Moe { experts, top_k, width });
    (specs, 8_usize..=70, 1_usize..=150, residuals(), dtypes(), any::<u64>()).prop_map(
        |(spec, hidden, tokens, residual, dtype, seed)| MoeCase {
            spec,
            hidden,
            tokens,
            residual,
            dtype,
            seed,
        },
    )
}

/// One sequence on its way through one mixer.
pub struct Stream<'a, B: Backend> {
    backend: &'a B,
    workspace: B::Workspace,
    around: &'a Around,
    norm: B::Tensor,
    h: &'a [f32],
    /// Tokens that are through.
    pub position: usize,
    pub layer: StreamLayer<'a, B>,
}

pub enum StreamLayer<'a, B: Backend> {
    Lightning {
        spec: &'a Lightning,
        weights: LightningWeights<B::Tensor>,
        state: B::LightningState,
    },
    Softmax {
        spec: &'a Softmax,
        weights: SoftmaxWeights<B::Tensor>,
        cache: B::KvCache,
    },
}

impl<'a, B: Backend> Stream<'a, B> {
    pub fn new(
        backend: &'a B,
        mixer: &'a Mixer,
        weights: MixerWeights<TensorView>,
        around: &'a Around,
        h: &'a [f32],
    ) -> Self {
        let load = |tensor, role| backend.load(tensor, role);
        let layer = match (mixer, weights) {
            (Mixer::Lightning(spec), MixerWeights::Lightning(w)) => StreamLayer::Lightning {
                spec,
                weights: w.try_map(load).unwrap(),
                state: backend.lightning_state(spec).unwrap(),
            },
            (Mixer::Softmax(spec), MixerWeights::Softmax(w)) => StreamLayer::Softmax {
                spec,
                weights: w.try_map(load).unwrap(),
                cache: backend.kv_cache(spec).unwrap(),
            },
            _ => panic!("weights of another mixer"),
        };
        Self {
            backend,
            workspace: backend.workspace().unwrap(),
            around,
            norm: backend.load(around.norm.clone(), TensorRole::Norm).unwrap(),
            h,
            position: 0,
            layer,
        }
    }

    pub fn of(backend: &'a B, case: &'a MixerCase, around: &'a Around, h: &'a [f32]) -> Self {
        Self::new(backend, &case.mixer, case.weights(), around, h)
    }

    /// The next `tokens` tokens; the outputs of the last `outputs` of them.
    pub fn push(&mut self, tokens: usize, outputs: usize) -> Vec<f32> {
        self.try_push(tokens, outputs, &Interrupt::new()).unwrap()
    }

    /// The same, committed only if it succeeds.
    pub fn try_push(&mut self, tokens: usize, outputs: usize, interrupt: &Interrupt) -> Result<Vec<f32>, ComputeError> {
        let backend = self.backend;
        let hidden = self.around.norm.shape()[0];
        let h = &self.h[self.position * hidden..(self.position + tokens) * hidden];
        let mut x = backend.upload(h, hidden)?;
        let tile = Tile {
            position: self.position,
            outputs,
            interrupt,
        };
        let block = Block {
            norm: &self.norm,
            eps: self.around.eps,
            residual: self.around.residual,
        };
        let workspace = &mut self.workspace;
        let outcome = match &mut self.layer {
            StreamLayer::Lightning { spec, weights, state } => {
                let mut next = backend.lightning_state(spec)?;
                let outcome = backend.lightning(workspace, block, spec, weights, &mut x, state, &mut next, tile);
                if outcome.is_ok() {
                    *state = next;
                }
                outcome
            }
            StreamLayer::Softmax { spec, weights, cache } => {
                let outcome = backend.softmax(workspace, block, spec, weights, &mut x, cache, tile);
                if outcome.is_err() {
                    backend.truncate_kv_cache(cache, self.position)?;
                }
                outcome
            }
        };
        if let Err(error) = outcome {
            assert_eq!(backend.download(&x)?, h, "an operation that fails leaves its input");
            return Err(error);
        }
        self.position += tokens;
        backend.download(&x)
    }

    /// A lightning state as numbers; nothing of a cache.
    pub fn state(&self) -> Vec<f32> {
        match &self.layer {
            StreamLayer::Lightning { state, .. } => self.backend.download_lightning_state(state).unwrap(),
            StreamLayer::Softmax { .. } => Vec::new(),
        }
    }

    /// Pushes a tile and takes back all but the first `count` of its tokens.
    pub fn push_part(&mut self, tokens: usize, count: usize) {
        let begin = self.position;
        let before = match &self.layer {
            StreamLayer::Lightning { spec, state, .. } => {
                let mut copy = self.backend.lightning_state(spec).unwrap();
                self.backend.copy_lightning_state(state, &mut copy).unwrap();
                Some(copy)
            }
            StreamLayer::Softmax { .. } => None,
        };
        self.push(tokens, tokens);
        self.position = begin + count;
        match (&mut self.layer, before) {
            (StreamLayer::Softmax { cache, .. }, _) => self.backend.truncate_kv_cache(cache, begin + count).unwrap(),
            (StreamLayer::Lightning { spec, state, .. }, Some(before)) => {
                let workspace = &mut self.workspace;
                if !self
                    .backend
                    .shorten_tile(workspace, spec, &before, state, count)
                    .unwrap()
                {
                    *state = before;
                    self.position = begin;
                    if count > 0 {
                        self.push(count, 0);
                    }
                }
            }
            (StreamLayer::Lightning { .. }, None) => unreachable!("it was copied"),
        }
    }

    /// What the sequence would say next: a state cannot differ without changing it.
    pub fn probe(&mut self) -> Vec<f32> {
        self.push(PROBES, PROBES)
    }
}
