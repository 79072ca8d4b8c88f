//! From keys and tensors to a network: which architecture it is, and its layers one by one.

use super::super::config::{FeedForward, Layer, Mixer, Moe, Pairing, Rope, Softmax};
use super::super::weights::{
    ExpertWeights, LayerWeights, LightningWeights, MixerWeights, ModelWeights, MoeWeights, SoftmaxWeights,
};
use super::super::{ModelConfig, ModelError, TensorView};
use super::metadata::Metadata;
use super::tensors::Tensors;
use super::{llama, minimax};

/// More than any model has.
const MOST_HEADS: usize = 1 << 16;

/// The keys of one architecture: those that begin with its name.
pub(super) struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: &'a str,
}

impl Keys<'_> {
    pub fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    pub fn size(&self, name: &str) -> Result<usize, ModelError> {
        self.metadata.size(&self.key(name))
    }

    pub fn optional_size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        self.metadata.optional_size(&self.key(name))
    }

    pub fn uniform_size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        self.metadata.uniform_size(&self.key(name))
    }

    pub fn optional_number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        self.metadata.optional_number(&self.key(name))
    }

    pub fn flags(&self, name: &str, layers: usize) -> Result<Option<Vec<bool>>, ModelError> {
        self.metadata.flags(&self.key(name), layers)
    }

    pub fn wrong(&self, name: &str, expected: &str) -> ModelError {
        self.metadata.wrong(&self.key(name), expected)
    }

    /// Refuses the model for a property that would be computed wrongly if ignored.
    pub fn refuse(&self, what: impl Into<String>) -> ModelError {
        ModelError::Unsupported {
            path: self.metadata.path().to_owned(),
            what: what.into(),
            advice: format!(
                "Models of the architecture {:?} are read without it.",
                self.architecture
            ),
        }
    }

    /// Refuses the model if a factor is there and is not 1.
    pub fn refuse_factor(&self, name: &str) -> Result<(), ModelError> {
        match self.optional_number(name)? {
            Some(factor) if (factor - 1.0).abs() > 1e-6 => Err(self.refuse(format!("{} of {factor}", self.key(name)))),
            _ => Ok(()),
        }
    }
}

/// What the architectures have in common, checked against each other.
pub(super) struct Common {
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub norm_eps: f64,
    pub rope_dim: usize,
    pub rope_theta: f64,
    pub moe: Moe,
}

impl Common {
    fn read(keys: &Keys<'_>, tensors: &Tensors) -> Result<Self, ModelError> {
        let layers = keys.size("block_count")?;
        if layers > tensors.len() {
            return Err(keys.wrong(
                "block_count",
                &format!("at most as many as the {} tensors", tensors.len()),
            ));
        }
        let hidden = keys.size("embedding_length")?;
        let heads = keys.uniform_size("attention.head_count")?.unwrap_or(0);
        if !(1..=MOST_HEADS).contains(&heads) {
            return Err(keys.wrong("attention.head_count", "a positive whole number"));
        }
        let kv_heads = keys.uniform_size("attention.head_count_kv")?.unwrap_or(heads);
        let head_dim = keys.optional_size("attention.key_length")?.unwrap_or(hidden / heads);
        if head_dim == 0 || kv_heads == 0 || heads % kv_heads != 0 {
            return Err(keys.wrong(
                "attention.head_count_kv",
                &format!("a number that divides the {heads} attention heads, of {head_dim} channels each"),
            ));
        }
        if keys
            .optional_size("attention.value_length")?
            .is_some_and(|length| length != head_dim)
        {
            return Err(keys.wrong("attention.value_length", &format!("the {head_dim} channels of keys")));
        }
        let rope_dim = keys.optional_size("rope.dimension_count")?.unwrap_or(head_dim);
        if rope_dim > head_dim || rope_dim % 2 != 0 {
            return Err(keys.wrong("rope.dimension_count", &format!("an even number up to {head_dim}")));
        }
        // ggml's default where the key is left out
        let rope_theta = keys.optional_number("rope.freq_base")?.unwrap_or(10_000.0);
        if rope_theta <= 0.0 {
            return Err(keys.wrong("rope.freq_base", "a positive number"));
        }
        check_variants(keys, tensors)?;
        let norm_eps = keys.optional_number("attention.layer_norm_rms_epsilon")?;
        Ok(Self {
            hidden,
            layers,
            heads,
            kv_heads,
            head_dim,
            norm_eps: norm_eps.ok_or_else(|| keys.wrong("attention.layer_norm_rms_epsilon", "a number"))?,
            rope_dim,
            rope_theta,
            moe: moe(keys)?,
        })
    }

    pub fn softmax(&self, pairing: Pairing) -> Softmax {
        Softmax {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            rope: Rope {
                dim: self.rope_dim,
                theta: self.rope_theta,
                pairing,
            },
        }
    }
}

/// A dense feed-forward is one expert.
fn moe(keys: &Keys<'_>) -> Result<Moe, ModelError> {
    let experts = keys.optional_size("expert_count")?.unwrap_or(0).max(1);
    let top_k = match experts {
        1 => 1,
        _ => keys.size("expert_used_count")?,
    };
    if top_k > experts {
        return Err(keys.wrong("expert_used_count", &format!("at most the {experts} experts")));
    }
    let width = keys.uniform_size("feed_forward_length")?.unwrap_or(0);
    if width == 0 {
        return Err(keys.wrong("feed_forward_length", "a positive whole number"));
    }
    Ok(Moe { experts, top_k, width })
}

fn check_variants(keys: &Keys<'_>, tensors: &Tensors) -> Result<(), ModelError> {
    let scaling = "rope.scaling.type";
    match keys.metadata.text(&keys.key(scaling))? {
        None | Some("none") => {}
        Some(kind) => {
            return Err(keys.refuse(format!(
                "scaling of the rotary embedding ({} {kind:?})",
                keys.key(scaling)
            )));
        }
    }
    if tensors.contains("rope_freqs.weight") {
        return Err(keys.refuse(
            "scaling of the rotary embedding by frequencies of its own (the tensor rope_freqs.weight, as in Llama 3.1)",
        ));
    }
    for name in [
        "rope.scaling.factor",
        "rope.scale_linear",
        "expert_weights_scale",
        "logit_scale",
        "embedding_scale",
    ] {
        keys.refuse_factor(name)?;
    }
    // 1 is the softmax over all experts.
    if keys.optional_size("expert_gating_func")?.is_some_and(|kind| kind > 1) {
        return Err(keys.refuse("another router than softmax (expert_gating_func)"));
    }
    for name in ["expert_shared_count", "expert_group_count", "leading_dense_block_count"] {
        if keys.optional_size(name)?.is_some_and(|count| count > 0) {
            return Err(keys.refuse(keys.key(name)));
        }
    }
    let window = keys.optional_size("attention.sliding_window")?.unwrap_or(0);
    if window > 0 && window < keys.size("context_length")? {
        return Err(keys.refuse("a sliding window of attention"));
    }
    Ok(())
}

/// What the layer at a place is.
type LayerAt = Box<dyn Fn(usize) -> Layer>;

/// What a file's keys say of its network.
fn described<'a>(metadata: &'a Metadata, tensors: &Tensors) -> Result<(Keys<'a>, Common, LayerAt), ModelError> {
    let name = "general.architecture";
    let architecture = metadata
        .text(name)?
        .ok_or_else(|| metadata.wrong(name, "\"minimax-01\" or \"llama\""))?;
    let keys = Keys { metadata, architecture };
    let (common, layer): (Common, LayerAt) = match architecture {
        "minimax-01" => {
            let common = Common::read(&keys, tensors)?;
            let layer = minimax::layers(&keys, &common)?;
            (common, Box::new(layer))
        }
        "llama" => {
            let common = Common::read(&keys, tensors)?;
            let layer = llama::layer(&keys, &common)?;
            (common, Box::new(move |_| layer.clone()))
        }
        other => {
            return Err(ModelError::Unsupported {
                path: metadata.path().to_owned(),
                what: format!("the architecture {other:?}"),
                advice: format!(
                    "GGUF files are read of minimax-01 (MiniMax-M1, MiniMax-Text-01) and of llama (Llama 2 and 3.0, \
                     Mistral, SmolLM and others of that kind).{}",
                    relative(other)
                ),
            });
        }
    };
    Ok((keys, common, layer))
}

/// Rows of the embedding table.
fn vocab(tensors: &Tensors) -> usize {
    match tensors.shape("token_embd.weight") {
        Some([rows, _]) => *rows,
        _ => 0,
    }
}

/// The configuration alone, of a file that may have nothing but its header.
pub(super) fn config(metadata: &Metadata, tensors: &Tensors) -> Result<ModelConfig, ModelError> {
    let (keys, common, layer) = described(metadata, tensors)?;
    Ok(ModelConfig {
        model_type: keys.architecture.to_owned(),
        hidden: common.hidden,
        vocab: vocab(tensors),
        layers: (0..common.layers).map(layer).collect(),
        norm_eps: common.norm_eps,
        tied_head: !tensors.contains("output.weight"),
        max_positions: keys.size("context_length")?,
        eos: Vec::new(),
    })
}

/// The network that a file describes.
pub(super) fn read(
    metadata: &Metadata,
    tensors: &mut Tensors,
) -> Result<(ModelConfig, ModelWeights<TensorView>), ModelError> {
    let (keys, common, layer) = described(metadata, tensors)?;
    let (hidden, vocab) = (common.hidden, vocab(tensors));
    let embedding = tensors.take("token_embd.weight", &[vocab, hidden])?;
    let mut layers = Vec::new();
    let mut layer_weights = Vec::new();
    // Layer by layer, so that a file that announces more than it has is found out at the first that is missing.
    for index in 0..common.layers {
        let layer = layer(index);
        layer_weights.push(weights(index, &layer, hidden, tensors)?);
        layers.push(layer);
    }
    let norm = tensors.take("output_norm.weight", &[hidden])?;
    let tied_head = !tensors.contains("output.weight");
    let head = if tied_head {
        None
    } else {
        Some(tensors.take("output.weight", &[vocab, hidden])?)
    };
    if let Some(left) = tensors.left() {
        return Err(keys.refuse(format!("the tensor {left}")));
    }
    let config = ModelConfig {
        model_type: keys.architecture.to_owned(),
        hidden,
        vocab,
        layers,
        norm_eps: common.norm_eps,
        tied_head,
        max_positions: keys.size("context_length")?,
        eos: Vec::new(),
    };
    let weights = ModelWeights {
        embedding,
        layers: layer_weights,
        norm,
        head,
    };
    Ok((config, weights))
}

/// What a look-alike is, for people who expect it to work.
fn relative(architecture: &str) -> &'static str {
    match architecture {
        "minimax-m2" | "minimax-m3" => " MiniMax-M2 and later are plain softmax-attention models, not of this family.",
        "clip" => " This file is the vision part of a model; give the file of the language model.",
        name if name.starts_with("bailing") => {
            " Ling and Ring also use lightning attention, but other layers around it; they are not read yet."
        }
        name if name.starts_with("qwen") || name.starts_with("phi") || name.starts_with("gemma") => {
            " Others of its size that are of the llama kind: SmolLM2, Llama 3.0, Mistral."
        }
        _ => "",
    }
}

/// The tensors of one layer, each of the shape that `layer` asks for.
fn weights(
    index: usize,
    layer: &Layer,
    hidden: usize,
    tensors: &mut Tensors,
) -> Result<LayerWeights<TensorView>, ModelError> {
    let mut take = |name: &str, shape: &[usize]| tensors.take(&format!("blk.{index}.{name}.weight"), shape);
    let mixer_norm = take("attn_norm", &[hidden])?;
    let mixer = match &layer.mixer {
        Mixer::Lightning(spec) => {
            let width = spec.heads * spec.head_dim;
            MixerWeights::Lightning(LightningWeights {
                // Rows per head q | k | v, as in the checkpoints of the hub.
                qkv: take("attn_qkv", &[3 * width, hidden])?,
                gate: take("attn_gate", &[width, hidden])?,
                norm: take("attn_norm_2", &[width])?,
                out: take("attn_output", &[hidden, width])?,
            })
        }
        Mixer::Softmax(spec) => {
            let (width, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
            MixerWeights::Softmax(SoftmaxWeights {
                q: take("attn_q", &[width, hidden])?,
                k: take("attn_k", &[kv, hidden])?,
                v: take("attn_v", &[kv, hidden])?,
                out: take("attn_output", &[hidden, width])?,
            })
        }
    };
    let feed_forward_norm = take("ffn_norm", &[hidden])?;
    let FeedForward::Moe(spec) = &layer.feed_forward;
    Ok(LayerWeights {
        mixer_norm,
        mixer,
        feed_forward_norm,
        moe: moe_weights(index, spec, hidden, tensors)?,
    })
}

fn moe_weights(
    index: usize,
    spec: &Moe,
    hidden: usize,
    tensors: &mut Tensors,
) -> Result<MoeWeights<TensorView>, ModelError> {
    let name = |name: &str| format!("blk.{index}.{name}.weight");
    let (width, experts) = (spec.width, spec.experts);
    if experts == 1 && tensors.contains(&name("ffn_gate")) {
        let expert = ExpertWeights {
            gate: tensors.take(&name("ffn_gate"), &[width, hidden])?,
            up: tensors.take(&name("ffn_up"), &[width, hidden])?,
            down: tensors.take(&name("ffn_down"), &[hidden, width])?,
        };
        return Ok(MoeWeights {
            router: None,
            experts: vec![expert],
        });
    }
    let router = tensors.take(&name("ffn_gate_inp"), &[experts, hidden])?;
    let gate = tensors.take_experts(&name("ffn_gate_exps"), experts, [width, hidden])?;
    let up = tensors.take_experts(&name("ffn_up_exps"), experts, [width, hidden])?;
    let down = tensors.take_experts(&name("ffn_down_exps"), experts, [hidden, width])?;
    let experts: Vec<_> = gate
        .into_iter()
        .zip(up)
        .zip(down)
        .map(|((gate, up), down)| ExpertWeights { gate, up, down })
        .collect();
    Ok(MoeWeights {
        router: (experts.len() > 1).then_some(router),
        experts,
    })
}
