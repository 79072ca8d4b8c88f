//! A network of this family under the names and keys that GGUF files of the architecture `minimax-01` have.

use super::super::config::{FeedForward, Mixer, ModelConfig};
use super::super::weights::{MixerWeights, ModelWeights};
use super::super::{Dtype, TensorView};
use super::writer::Value;

const ARCHITECTURE: &str = "minimax-01";

/// What a tensor is for, as far as its type depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A norm or a router: small, and everything after depends on it.
    Control,
    Embedding,
    /// The head, or an embedding table that is also the head.
    Head,
    Matrix,
}

/// A tensor of the file and what it is made of: one tensor of the checkpoint, or those of all experts one after the other.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub part: Part,
    pub pieces: Vec<&'a TensorView>,
}

/// All tensors, in the order in which they are needed.
#[must_use]
pub fn tensors(weights: &ModelWeights<TensorView>) -> Vec<Source<'_>> {
    let embedding = if weights.head.is_some() {
        Part::Embedding
    } else {
        Part::Head
    };
    let mut out = vec![one("token_embd.weight".to_owned(), embedding, &weights.embedding)];
    for (index, layer) in weights.layers.iter().enumerate() {
        let name = |name: &str| format!("blk.{index}.{name}.weight");
        out.push(one(name("attn_norm"), Part::Control, &layer.mixer_norm));
        match &layer.mixer {
            MixerWeights::Lightning(w) => out.extend([
                one(name("attn_qkv"), Part::Matrix, &w.qkv),
                one(name("attn_gate"), Part::Matrix, &w.gate),
                one(name("attn_norm_2"), Part::Control, &w.norm),
                one(name("attn_output"), Part::Matrix, &w.out),
            ]),
            MixerWeights::Softmax(w) => out.extend([
                one(name("attn_q"), Part::Matrix, &w.q),
                one(name("attn_k"), Part::Matrix, &w.k),
                one(name("attn_v"), Part::Matrix, &w.v),
                one(name("attn_output"), Part::Matrix, &w.out),
            ]),
        }
        let all = &layer.moe.experts;
        out.push(one(name("ffn_norm"), Part::Control, &layer.feed_forward_norm));
        if let Some(router) = &layer.moe.router {
            out.push(one(name("ffn_gate_inp"), Part::Control, router));
        }
        let gate = all.iter().map(|expert| &expert.gate).collect();
        let up = all.iter().map(|expert| &expert.up).collect();
        let down = all.iter().map(|expert| &expert.down).collect();
        out.push(experts(name("ffn_gate_exps"), gate));
        out.push(experts(name("ffn_up_exps"), up));
        out.push(experts(name("ffn_down_exps"), down));
    }
    out.push(one("output_norm.weight".to_owned(), Part::Control, &weights.norm));
    if let Some(head) = &weights.head {
        out.push(one("output.weight".to_owned(), Part::Head, head));
    }
    out
}

fn one(name: String, part: Part, tensor: &TensorView) -> Source<'_> {
    Source {
        name,
        shape: tensor.shape().to_vec(),
        part,
        pieces: vec![tensor],
    }
}

/// The same matrix of all experts.
fn experts(name: String, pieces: Vec<&TensorView>) -> Source<'_> {
    let mut shape = vec![pieces.len()];
    shape.extend(pieces.first().map_or(&[][..], |tensor| tensor.shape()));
    Source {
        name,
        shape,
        part: Part::Matrix,
        pieces,
    }
}

/// The keys that say what the network is, or what about it they cannot say.
pub fn keys(config: &ModelConfig, name: &str, to: Dtype) -> Result<Vec<(String, Value)>, String> {
    let Some(first) = config.layers.first() else {
        return Err("a model without layers".to_owned());
    };
    let residual = first.mixer_residual;
    for layer in &config.layers {
        for this in [layer.mixer_residual, layer.feed_forward_residual] {
            if this != residual || !this.from_normed || (this.beta - 1.0).abs() > f64::EPSILON {
                return Err(
                    "residuals that differ between layers, have a beta other than 1, or take the input before the norm \
                     (postnorm false)"
                        .to_owned(),
                );
            }
        }
    }
    let (heads, head_dim) = match &first.mixer {
        Mixer::Lightning(spec) => (spec.heads, spec.head_dim),
        Mixer::Softmax(spec) => (spec.heads, spec.head_dim),
    };
    let softmax = config.layers.iter().find_map(|layer| match &layer.mixer {
        Mixer::Softmax(spec) => Some(spec),
        Mixer::Lightning(_) => None,
    });
    let FeedForward::Moe(moe) = &first.feed_forward;
    let size = |n: usize| Value::U32(n as u32);
    let of = |key: &str| format!("{ARCHITECTURE}.{key}");
    let lightning = |mixer: &Mixer| matches!(mixer, Mixer::Lightning(_));
    let mut keys = vec![
        ("general.architecture".to_owned(), Value::Text(ARCHITECTURE.to_owned())),
        ("general.type".to_owned(), Value::Text("model".to_owned())),
        ("general.name".to_owned(), Value::Text(name.to_owned())),
        ("general.file_type".to_owned(), Value::U32(file_type(to))),
        ("general.quantization_version".to_owned(), Value::U32(2)),
        (of("vocab_size"), size(config.vocab)),
        (of("context_length"), size(config.max_positions)),
        (of("embedding_length"), size(config.hidden)),
        (of("block_count"), size(config.layers.len())),
        (of("feed_forward_length"), size(moe.width)),
        (of("expert_count"), size(moe.experts)),
        (of("expert_used_count"), size(moe.top_k)),
        (of("attention.head_count"), size(heads)),
        (
            of("attention.head_count_kv"),
            size(softmax.map_or(heads, |spec| spec.kv_heads)),
        ),
        (of("attention.key_length"), size(head_dim)),
        (of("attention.value_length"), size(head_dim)),
        (
            of("attention.layer_norm_rms_epsilon"),
            Value::F32(config.norm_eps as f32),
        ),
        (
            of("attention.recurrent_layers"),
            Value::Bools(config.layers.iter().map(|layer| lightning(&layer.mixer)).collect()),
        ),
        (of("residual_scale"), Value::F32(residual.alpha as f32)),
    ];
    if let Some(softmax) = softmax {
        keys.push((of("rope.dimension_count"), size(softmax.rope.dim)));
        keys.push((of("rope.freq_base"), Value::F32(softmax.rope.theta as f32)));
    }
    Ok(keys)
}

/// The number by which files of mostly this type are labelled.
fn file_type(dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F32 => 0,
        Dtype::F16 => 1,
        Dtype::Q4_0 => 2,
        Dtype::Q4_1 => 3,
        Dtype::Q8_0 => 7,
        Dtype::Q5_0 => 8,
        Dtype::Q5_1 => 9,
        // One type for all of it, which llama.cpp calls small.
        Dtype::Q4K => 14,
        Dtype::Q5K => 16,
        Dtype::Q6K => 18,
        Dtype::Bf16 => 32,
    }
}
