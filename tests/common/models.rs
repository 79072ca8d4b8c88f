//! Small models made in memory: one with random weights, one that is a table of what follows what.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::json;
use std::path::Path;
use thunderhead::model::{
    ExpertWeights, FeedForward, Layer, LayerWeights, Lightning, LightningWeights, Mixer, MixerWeights, ModelConfig,
    ModelWeights, Moe, MoeWeights, Pairing, Residual, Rope, Softmax, SoftmaxWeights, TensorView, Tokenizer,
    lightning_slopes,
};

type Weights = ModelWeights<TensorView>;

/// A model with random weights; `kinds` is one letter a layer, `l` lightning, `s` softmax.
pub fn random_model(seed: u64, kinds: &str, vocab: usize) -> (ModelConfig, Weights) {
    random_model_of(seed, kinds, vocab, 12)
}

/// The same with experts of another inner width.
pub fn random_model_of(seed: u64, kinds: &str, vocab: usize, width: usize) -> (ModelConfig, Weights) {
    let (hidden, heads, kv_heads, head_dim, experts) = (24, 4, 2, 8, 3);
    let config = config(kinds, vocab, hidden, (heads, kv_heads, head_dim), (experts, 2, width));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tensor = |shape: &[usize], spread: f32, centre: f32| {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|_| centre + spread * (random.next_u32() as f32 / u32::MAX as f32 - 0.5))
            .collect();
        TensorView::from_f32("random", shape.to_vec(), &values)
    };
    let weights = weights(&config, &mut |shape| match shape {
        [_] => tensor(shape, 0.5, 1.0),
        [rows, columns] if *rows == vocab => tensor(shape, 12.0 / (*columns as f32).sqrt(), 0.0),
        _ => tensor(shape, 3.0 / (shape[1] as f32).sqrt(), 0.0),
    });
    (config, weights)
}

/// A model whose next token depends on the last one only: `next(i)` gives the logit of each successor of id `i`;
/// every other logit is 0.
pub fn table_model(vocab: usize, next: impl Fn(u32) -> Vec<(u32, f32)>) -> (ModelConfig, Weights) {
    let config = config("l", vocab, vocab, (1, 1, 2), (1, 1, 1));
    // Mixer and expert give zero, so each norm sees a one-hot vector and makes it sqrt(vocab) long.
    let mut identity = vec![0.0; vocab * vocab];
    let mut head = vec![0.0; vocab * vocab];
    for i in 0..vocab {
        identity[i * vocab + i] = 1.0;
        for (j, logit) in next(i as u32) {
            head[j as usize * vocab + i] = logit / (vocab as f32).sqrt();
        }
    }
    let mut weights = weights(&config, &mut |shape| {
        let value = if shape.len() == 1 { 1.0 } else { 0.0 };
        TensorView::from_f32("plain", shape.to_vec(), &vec![value; shape.iter().product()])
    });
    weights.embedding = TensorView::from_f32("identity", vec![vocab, vocab], &identity);
    weights.head = Some(TensorView::from_f32("table", vec![vocab, vocab], &head));
    (config, weights)
}

/// A tokenizer with one token a letter of `letters`, ids from 0, then `specials`, then the bytes not among the letters.
pub fn letters(letters: &str, specials: &[&str]) -> Tokenizer {
    let mut vocab: serde_json::Map<String, serde_json::Value> = letters
        .chars()
        .enumerate()
        .map(|(i, c)| (c.to_string(), json!(i)))
        .collect();
    let first = vocab.len() + specials.len();
    let others = byte_alphabet().filter(|c| !letters.contains(*c)).enumerate();
    vocab.extend(others.map(|(i, c)| (c.to_string(), json!(first + i))));
    let added: Vec<_> = specials
        .iter()
        .enumerate()
        .map(|(i, content)| {
            json!({ "id": letters.chars().count() + i, "content": content, "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true })
        })
        .collect();
    let tokenizer = json!({
        "version": "1.0", "added_tokens": added,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        "model": { "type": "BPE", "vocab": vocab, "merges": [] },
    });
    Tokenizer::from_bytes(tokenizer.to_string().as_bytes(), Path::new("letters")).unwrap()
}

/// The characters that byte-level tokenizers write bytes as: themselves where they can be seen, else from U+0100 on.
fn byte_alphabet() -> impl Iterator<Item = char> {
    let visible = |b: &u8| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let hidden = (0..=255u8).filter(move |b| !visible(b)).count() as u32;
    (0..=255u8)
        .filter(visible)
        .map(char::from)
        .chain((0..hidden).map(|i| char::from_u32(0x100 + i).unwrap()))
}

fn config(
    kinds: &str,
    vocab: usize,
    hidden: usize,
    (heads, kv_heads, head_dim): (usize, usize, usize),
    (experts, top_k, width): (usize, usize, usize),
) -> ModelConfig {
    let residual = Residual {
        alpha: 1.0,
        beta: 1.0,
        from_normed: true,
    };
    let layers = kinds
        .chars()
        .enumerate()
        .map(|(index, kind)| Layer {
            mixer: match kind {
                'l' => Mixer::Lightning(Lightning {
                    heads,
                    head_dim,
                    slopes: lightning_slopes(heads, index, kinds.len()),
                    norm_eps: 1e-6,
                }),
                _ => Mixer::Softmax(Softmax {
                    heads,
                    kv_heads,
                    head_dim,
                    rope: Rope {
                        dim: head_dim / 2,
                        theta: 1e4,
                        pairing: Pairing::Halves,
                    },
                }),
            },
            mixer_residual: residual,
            feed_forward: FeedForward::Moe(Moe { experts, top_k, width }),
            feed_forward_residual: residual,
        })
        .collect();
    ModelConfig {
        model_type: "test".to_owned(),
        hidden,
        vocab,
        layers,
        norm_eps: 1e-5,
        tied_head: false,
        max_positions: 1 << 20,
        eos: vec![],
    }
}

fn weights(config: &ModelConfig, tensor: &mut impl FnMut(&[usize]) -> TensorView) -> Weights {
    let hidden = config.hidden;
    let layers = config
        .layers
        .iter()
        .map(|layer| LayerWeights {
            mixer_norm: tensor(&[hidden]),
            mixer: match &layer.mixer {
                Mixer::Lightning(spec) => {
                    let width = spec.heads * spec.head_dim;
                    MixerWeights::Lightning(LightningWeights {
                        qkv: tensor(&[3 * width, hidden]),
                        gate: tensor(&[width, hidden]),
                        norm: tensor(&[width]),
                        out: tensor(&[hidden, width]),
                    })
                }
                Mixer::Softmax(spec) => {
                    let (width, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
                    MixerWeights::Softmax(SoftmaxWeights {
                        q: tensor(&[width, hidden]),
                        k: tensor(&[kv, hidden]),
                        v: tensor(&[kv, hidden]),
                        out: tensor(&[hidden, width]),
                    })
                }
            },
            feed_forward_norm: tensor(&[hidden]),
            moe: {
                let FeedForward::Moe(spec) = &layer.feed_forward;
                MoeWeights {
                    router: (spec.experts > 1).then(|| tensor(&[spec.experts, hidden])),
                    experts: (0..spec.experts)
                        .map(|_| ExpertWeights {
                            gate: tensor(&[spec.width, hidden]),
                            up: tensor(&[spec.width, hidden]),
                            down: tensor(&[hidden, spec.width]),
                        })
                        .collect(),
                }
            },
        })
        .collect();
    ModelWeights {
        embedding: tensor(&[config.vocab, hidden]),
        layers,
        norm: tensor(&[hidden]),
        head: Some(tensor(&[config.vocab, hidden])),
    }
}
