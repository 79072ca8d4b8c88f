//! Gradients of the reference against central differences of the f64 loops.
//!
//! A model of two layers, one of each mixer, reads a sequence in two tiles; the loss is the sum of the squares of all
//! logits. Its gradient with respect to every number of every weight (the embedding is the input) passes through both
//! mixers, the experts, the lightning state and the cache.

use std::convert::Infallible;

use candle_core::Var;

use thunderhead::compute::reference::Reference;
use thunderhead::compute::{Backend, Block, Interrupt, Tile};
use thunderhead::model::{
    Dtype, FeedForward, Layer, LayerWeights, Lightning, Mixer, MixerWeights, ModelConfig, ModelWeights, Moe, Pairing,
    Residual, Rope, Softmax, TensorView, lightning_slopes,
};

use crate::case::{Random, mixer_weights, moe_weights};
use crate::scalar::{Matrix, Scalar};

const IDS: [u32; 9] = [3, 1, 6, 0, 2, 3, 5, 4, 1];
const TILES: [usize; 2] = [5, 4];

fn config() -> ModelConfig {
    let residual = Residual {
        alpha: 1.7,
        beta: 1.1,
        from_normed: true,
    };
    let layer = |mixer| Layer {
        mixer,
        mixer_residual: residual,
        feed_forward: FeedForward::Moe(Moe {
            experts: 3,
            top_k: 2,
            width: 5,
        }),
        feed_forward_residual: residual,
    };
    ModelConfig {
        model_type: "test".into(),
        hidden: 6,
        vocab: 7,
        layers: vec![
            layer(Mixer::Lightning(Lightning {
                heads: 3,
                head_dim: 4,
                slopes: lightning_slopes(3, 0, 2),
                norm_eps: 1e-6,
            })),
            layer(Mixer::Softmax(Softmax {
                heads: 4,
                kv_heads: 2,
                head_dim: 5,
                rope: Rope {
                    dim: 2,
                    theta: 1e4,
                    pairing: Pairing::Halves,
                },
            })),
        ],
        norm_eps: 1e-5,
        tied_head: false,
        max_positions: 100,
        eos: Vec::new(),
    }
}

fn weights(config: &ModelConfig) -> ModelWeights<TensorView> {
    let mut random = Random(8);
    let (vocab, hidden) = (config.vocab, config.hidden);
    ModelWeights {
        embedding: random.matrix("embedding", Dtype::F32, [vocab, hidden], 2.0),
        layers: config
            .layers
            .iter()
            .map(|layer| {
                let FeedForward::Moe(moe) = &layer.feed_forward;
                LayerWeights {
                    mixer_norm: random.norm("mixer norm", Dtype::F32, hidden),
                    mixer: mixer_weights(&layer.mixer, hidden, Dtype::F32, &mut random),
                    feed_forward_norm: random.norm("feed-forward norm", Dtype::F32, hidden),
                    moe: moe_weights(moe, hidden, Dtype::F32, &mut random),
                }
            })
            .collect(),
        norm: random.norm("final norm", Dtype::F32, hidden),
        head: Some(random.matrix("head", Dtype::F32, [vocab, hidden], 1.0)),
    }
}

enum State<B: Backend> {
    Lightning(B::LightningState),
    Softmax(B::KvCache),
}

/// What comes out of the last layer for each tile.
fn forward<B: Backend>(backend: &B, config: &ModelConfig, weights: &ModelWeights<B::Tensor>) -> Vec<B::Rows> {
    let interrupt = Interrupt::new();
    let mut states: Vec<State<B>> = config
        .layers
        .iter()
        .map(|layer| match &layer.mixer {
            Mixer::Lightning(spec) => State::Lightning(backend.lightning_state(spec).unwrap()),
            Mixer::Softmax(spec) => State::Softmax(backend.kv_cache(spec).unwrap()),
        })
        .collect();
    let mut workspace = backend.workspace().unwrap();
    let mut position = 0;
    TILES
        .iter()
        .map(|size| {
            let tile = Tile {
                position,
                outputs: *size,
                interrupt: &interrupt,
            };
            let mut x = backend.upload(&[], config.hidden).unwrap();
            let ids = &IDS[position..position + size];
            backend.embed(&weights.embedding, ids, &mut x).unwrap();
            for ((layer, w), state) in config.layers.iter().zip(&weights.layers).zip(&mut states) {
                let around = |norm, residual| Block {
                    norm,
                    eps: config.norm_eps,
                    residual,
                };
                let block = around(&w.mixer_norm, layer.mixer_residual);
                match (&layer.mixer, &w.mixer, state) {
                    (Mixer::Lightning(spec), MixerWeights::Lightning(w), State::Lightning(state)) => {
                        let mut next = backend.lightning_state(spec).unwrap();
                        backend
                            .lightning(&mut workspace, block, spec, w, &mut x, state, &mut next, tile)
                            .unwrap();
                        *state = next;
                    }
                    (Mixer::Softmax(spec), MixerWeights::Softmax(w), State::Softmax(cache)) => {
                        backend
                            .softmax(&mut workspace, block, spec, w, &mut x, cache, tile)
                            .unwrap();
                    }
                    _ => panic!("weights of another mixer"),
                }
                let block = around(&w.feed_forward_norm, layer.feed_forward_residual);
                let FeedForward::Moe(spec) = &layer.feed_forward;
                backend
                    .moe(&mut workspace, block, spec, &w.moe, &mut x, &interrupt)
                    .unwrap();
            }
            position += size;
            x
        })
        .collect()
}

/// The loss in f64, with `step` added to number `element` of weight `tensor`.
fn loss(config: &ModelConfig, weights: &ModelWeights<Matrix>, tensor: usize, element: usize, step: f64) -> f64 {
    let mut index = 0;
    let weights = weights.clone().try_map(|mut w, _| {
        if index == tensor {
            w.values[element] += step;
        }
        index += 1;
        Ok::<_, Infallible>(w)
    });
    let weights = weights.unwrap();
    let head = weights.head.as_ref().unwrap();
    let norm = (&weights.norm, config.norm_eps);
    let square = |rows: &Matrix| {
        Scalar::logits(norm, head, rows)
            .values
            .iter()
            .map(|v| v * v)
            .sum::<f64>()
    };
    forward(&Scalar, config, &weights).iter().map(square).sum()
}

#[test]
fn of_a_whole_model_are_its_central_differences() {
    const STEP: f64 = 1e-5;
    let config = config();
    let views = weights(&config);

    let mut vars: Vec<(String, Var)> = Vec::new();
    let tensors = views.clone().try_map(|view, role| {
        let name = view.name().to_owned();
        let var = Var::from_tensor(&Reference.load(view, role)?)?;
        let tensor = var.as_tensor().clone();
        vars.push((name, var));
        Ok::<_, thunderhead::compute::ComputeError>(tensor)
    });
    let tensors = tensors.unwrap();
    let head = tensors.head.as_ref().unwrap();
    let norm = (&tensors.norm, config.norm_eps);
    let value = forward(&Reference, &config, &tensors)
        .iter()
        .map(|rows| {
            Reference
                .logits(norm, head, rows)
                .unwrap()
                .sqr()
                .unwrap()
                .sum_all()
                .unwrap()
        })
        .reduce(|a, b| (a + b).unwrap())
        .unwrap();
    let gradients = value.backward().unwrap();

    let exact = views.try_map(|view, role| Scalar.load(view, role)).unwrap();
    let (got, expected) = (
        f64::from(value.to_scalar::<f32>().unwrap()),
        loss(&config, &exact, 0, 0, 0.0),
    );
    assert!(
        (got - expected).abs() < 1e-4 * expected,
        "the loss is {got}, not {expected}"
    );

    for (tensor, (name, var)) in vars.iter().enumerate() {
        let got = gradients
            .get(var.as_tensor())
            .unwrap_or_else(|| panic!("{name} has no gradient"));
        let got: Vec<f32> = got.flatten_all().unwrap().to_vec1().unwrap();
        let expected: Vec<f64> = (0..got.len())
            .map(|element| {
                let at = |step| loss(&config, &exact, tensor, element, step);
                (at(STEP) - at(-STEP)) / (2.0 * STEP)
            })
            .collect();
        let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        assert!(largest > 1e-3, "{name} does not matter");
        for (element, (got, expected)) in got.into_iter().zip(expected).enumerate() {
            let within = (f64::from(got) - expected).abs() <= 1e-3 * largest;
            assert!(
                within,
                "{name}, number {element}: {got}, not {expected}; the largest is {largest}"
            );
        }
    }
}
