//! The MiniMax family: `minimax_m1` and `minimax_text_01` in the hub's layout, `minimax` in transformers' own.
//!
//! The two layouts hold the same network under other names (MiniMax-M1 `modeling_minimax_m1.py`; transformers
//! `models/minimax`). In both, `qkv_proj` rows are per head `q | k | v`.

use std::path::Path;

use serde_json::Value;

use super::config::{
    FeedForward, Layer, Lightning, Mixer, ModelConfig, Moe, Pairing, Residual, Rope, Softmax, lightning_slopes,
};
use super::json::Fields;
use super::safetensors::Tensors;
use super::weights::{
    ExpertWeights, LayerWeights, LightningWeights, MixerWeights, ModelWeights, MoeWeights, SoftmaxWeights,
};
use super::{ModelError, TensorView};

/// ε of the norm over all lightning heads: the original builds it without the config's value.
pub(super) const LIGHTNING_NORM_EPS: f64 = 1e-6;

/// Which of the two layouts a config is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Hub,
    Transformers,
}

/// Reads a `config.json` of this family.
pub(super) fn config(model_type: &str, json: &Value, path: &Path) -> Result<ModelConfig, ModelError> {
    let layout = if model_type == "minimax" {
        Layout::Transformers
    } else {
        Layout::Hub
    };
    let fields = Fields::new(json, path);
    refuse_variants(&fields, path)?;

    let hidden = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    let head_dim = match fields.optional_size("head_dim")? {
        Some(dim) => dim,
        None => hidden / heads,
    };
    let kv_heads = fields.optional_size("num_key_value_heads")?.unwrap_or(heads);
    if head_dim == 0 || kv_heads == 0 || heads % kv_heads != 0 {
        return Err(ModelError::malformed(
            path,
            format!("{heads} attention heads cannot share {kv_heads} key-value heads of {head_dim} channels"),
        ));
    }
    let count = fields.size("num_hidden_layers")?;
    let softmax_layers = softmax_layers(layout, &fields, count, path)?;
    let moe = Moe {
        experts: fields.size("num_local_experts")?,
        top_k: fields.size("num_experts_per_tok")?,
        width: fields.size("intermediate_size")?,
    };
    if moe.top_k > moe.experts {
        return Err(ModelError::malformed(
            path,
            format!(
                "num_experts_per_tok is {} but there are {} experts",
                moe.top_k, moe.experts
            ),
        ));
    }
    let softmax = Softmax {
        heads,
        kv_heads,
        head_dim,
        rope: rope(&fields, head_dim, path)?,
    };
    let residuals = Residuals::read(layout, &fields)?;
    let layers = softmax_layers
        .into_iter()
        .enumerate()
        .map(|(index, is_softmax)| Layer {
            mixer: if is_softmax {
                Mixer::Softmax(softmax.clone())
            } else {
                Mixer::Lightning(Lightning {
                    heads,
                    head_dim,
                    slopes: lightning_slopes(heads, index, count),
                    norm_eps: LIGHTNING_NORM_EPS,
                })
            },
            mixer_residual: if is_softmax {
                residuals.softmax
            } else {
                residuals.lightning
            },
            feed_forward: FeedForward::Moe(moe.clone()),
            feed_forward_residual: residuals.feed_forward,
        })
        .collect();

    Ok(ModelConfig {
        model_type: model_type.to_owned(),
        hidden,
        vocab: fields.size("vocab_size")?,
        layers,
        norm_eps: fields.optional_number("rms_norm_eps")?.unwrap_or(1e-5),
        tied_head: fields.flag("tie_word_embeddings")?.unwrap_or(false),
        max_positions: fields.optional_size("max_position_embeddings")?.unwrap_or(1 << 20),
        eos: fields.ids("eos_token_id")?,
    })
}

/// Variants that no release uses and that would be computed wrongly if ignored.
fn refuse_variants(fields: &Fields<'_>, path: &Path) -> Result<(), ModelError> {
    let refuse = |what: &str| {
        Err(ModelError::Unsupported {
            path: path.to_owned(),
            what: what.to_owned(),
            advice: "No released model of this family has it; please report the model.".to_owned(),
        })
    };
    if fields.optional_size("shared_intermediate_size")?.unwrap_or(0) > 0 {
        return refuse("a shared expert (shared_intermediate_size above 0)");
    }
    if fields.get("rope_scaling").is_some_and(|v| !v.is_null()) {
        return refuse("rope_scaling");
    }
    match fields.get("hidden_act").and_then(Value::as_str) {
        None | Some("silu" | "swish") => Ok(()),
        Some(other) => refuse(&format!("the activation {other:?}")),
    }
}

/// Which layers are softmax attention.
fn softmax_layers(layout: Layout, fields: &Fields<'_>, count: usize, path: &Path) -> Result<Vec<bool>, ModelError> {
    let (key, list) = match layout {
        Layout::Hub => ("attn_type_list", fields.get("attn_type_list")),
        Layout::Transformers => ("layer_types", fields.get("layer_types")),
    };
    let Some(list) = list.filter(|v| !v.is_null()) else {
        return match layout {
            // transformers' default when the list is absent
            Layout::Transformers => Ok((0..count).map(|i| i % 2 == 0).collect()),
            Layout::Hub => Err(ModelError::malformed(
                path,
                "attn_type_list is missing; expected one 0 or 1 a layer",
            )),
        };
    };
    let kinds: Option<Vec<bool>> = list.as_array().and_then(|list| {
        list.iter()
            .map(|kind| match kind {
                Value::Number(n) if layout == Layout::Hub => match n.as_u64()? {
                    0 => Some(false),
                    1 => Some(true),
                    _ => None,
                },
                Value::String(s) if layout == Layout::Transformers => match s.as_str() {
                    "linear_attention" => Some(false),
                    "full_attention" => Some(true),
                    _ => None,
                },
                _ => None,
            })
            .collect()
    });
    let expected = match layout {
        Layout::Hub => "0 (lightning) or 1 (softmax)",
        Layout::Transformers => "\"linear_attention\" or \"full_attention\"",
    };
    let kinds = kinds.ok_or_else(|| ModelError::malformed(path, format!("{key} must be a list of {expected}")))?;
    if kinds.len() != count {
        return Err(ModelError::malformed(
            path,
            format!("{key} names {} layers but num_hidden_layers is {count}", kinds.len()),
        ));
    }
    Ok(kinds)
}

fn rope(fields: &Fields<'_>, head_dim: usize, path: &Path) -> Result<Rope, ModelError> {
    let parameters = fields.get("rope_parameters").filter(|v| v.is_object());
    let parameters = parameters.map(|json| Fields::new(json, path));
    let from_parameters = |key: &str| parameters.as_ref().map_or(Ok(None), |p| p.optional_number(key));

    if let Some(kind) = parameters
        .as_ref()
        .and_then(|p| p.get("rope_type"))
        .and_then(Value::as_str)
        && kind != "default"
    {
        return Err(ModelError::Unsupported {
            path: path.to_owned(),
            what: format!("rope_type {kind:?}"),
            advice: "Only the default rotary embedding is known for this family.".to_owned(),
        });
    }
    let theta = match fields.optional_number("rope_theta")? {
        Some(theta) => theta,
        None => from_parameters("rope_theta")?.unwrap_or(1e6),
    };
    let partial = match fields.optional_number("partial_rotary_factor")? {
        Some(factor) => Some(factor),
        None => from_parameters("partial_rotary_factor")?,
    };
    let dim = match (fields.optional_size("rotary_dim")?, partial) {
        (Some(dim), _) => dim,
        (None, Some(factor)) if factor.is_finite() && factor > 0.0 => (head_dim as f64 * factor) as usize,
        (None, _) => head_dim,
    };
    if dim > head_dim || dim % 2 != 0 {
        return Err(ModelError::malformed(
            path,
            format!("rotary_dim is {dim}; expected an even number up to head_dim {head_dim}"),
        ));
    }
    if theta <= 0.0 {
        return Err(ModelError::malformed(
            path,
            format!("rope_theta is {theta}; expected a positive number"),
        ));
    }
    Ok(Rope {
        dim,
        theta,
        pairing: Pairing::Halves,
    })
}

struct Residuals {
    softmax: Residual,
    lightning: Residual,
    feed_forward: Residual,
}

impl Residuals {
    fn read(layout: Layout, fields: &Fields<'_>) -> Result<Self, ModelError> {
        let from_normed = match layout {
            Layout::Hub => fields.flag("postnorm")?.unwrap_or(true),
            Layout::Transformers => true,
        };
        let read = |hub: &str, native: &str| -> Result<Residual, ModelError> {
            let key = |end: &str| match layout {
                Layout::Hub => format!("{hub}_{end}"),
                Layout::Transformers => format!("{native}_{end}_factor"),
            };
            Ok(Residual {
                alpha: fields.optional_number(&key("alpha"))?.unwrap_or(1.0),
                beta: fields.optional_number(&key("beta"))?.unwrap_or(1.0),
                from_normed,
            })
        };
        Ok(Self {
            softmax: read("layernorm_full_attention", "full_attn")?,
            lightning: read("layernorm_linear_attention", "linear_attn")?,
            feed_forward: read("layernorm_mlp", "mlp")?,
        })
    }
}

/// Finds every tensor that `config` needs and checks its shape.
pub(super) fn weights(config: &ModelConfig, tensors: &Tensors) -> Result<ModelWeights<TensorView>, ModelError> {
    let hidden = config.hidden;
    let layers = config
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let get = |name: &str, shape: &[usize]| tensors.get(&format!("model.layers.{index}.{name}"), shape);
            let FeedForward::Moe(spec) = &layer.feed_forward;
            Ok(LayerWeights {
                mixer_norm: get("input_layernorm.weight", &[hidden])?,
                mixer: match &layer.mixer {
                    Mixer::Lightning(spec) => {
                        let width = spec.heads * spec.head_dim;
                        MixerWeights::Lightning(LightningWeights {
                            qkv: get("self_attn.qkv_proj.weight", &[3 * width, hidden])?,
                            gate: get("self_attn.output_gate.weight", &[width, hidden])?,
                            norm: get("self_attn.norm.weight", &[width])?,
                            out: get("self_attn.out_proj.weight", &[hidden, width])?,
                        })
                    }
                    Mixer::Softmax(spec) => {
                        let (width, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
                        MixerWeights::Softmax(SoftmaxWeights {
                            q: get("self_attn.q_proj.weight", &[width, hidden])?,
                            k: get("self_attn.k_proj.weight", &[kv, hidden])?,
                            v: get("self_attn.v_proj.weight", &[kv, hidden])?,
                            out: get("self_attn.o_proj.weight", &[hidden, width])?,
                        })
                    }
                },
                feed_forward_norm: get("post_attention_layernorm.weight", &[hidden])?,
                moe: moe_weights(spec, hidden, index, tensors)?,
            })
        })
        .collect::<Result<_, ModelError>>()?;
    Ok(ModelWeights {
        embedding: tensors.get("model.embed_tokens.weight", &[config.vocab, hidden])?,
        layers,
        norm: tensors.get("model.norm.weight", &[hidden])?,
        head: if config.tied_head {
            None
        } else {
            Some(tensors.get("lm_head.weight", &[config.vocab, hidden])?)
        },
    })
}

/// Experts are either one tensor each (`w1` gate, `w3` up, `w2` down) or fused over all experts.
fn moe_weights(
    spec: &Moe,
    hidden: usize,
    layer: usize,
    tensors: &Tensors,
) -> Result<MoeWeights<TensorView>, ModelError> {
    let at = |block: &str| format!("model.layers.{layer}.{block}");
    let block = if tensors.contains(&at("mlp.gate.weight")) {
        at("mlp")
    } else {
        at("block_sparse_moe")
    };
    let router = match spec.experts {
        1 => None,
        experts => Some(tensors.get(&format!("{block}.gate.weight"), &[experts, hidden])?),
    };

    let fused = format!("{block}.experts.gate_up_proj");
    let experts = if tensors.contains(&fused) {
        let width = spec.width;
        let gate_up = tensors.get(&fused, &[spec.experts, 2 * width, hidden])?;
        let down = tensors.get(&format!("{block}.experts.down_proj"), &[spec.experts, hidden, width])?;
        (0..spec.experts)
            .map(|e| {
                let both = gate_up.slice(e..e + 1, vec![2 * width, hidden]);
                ExpertWeights {
                    gate: both.slice(0..width, vec![width, hidden]),
                    up: both.slice(width..2 * width, vec![width, hidden]),
                    down: down.slice(e..e + 1, vec![hidden, width]),
                }
            })
            .collect()
    } else {
        (0..spec.experts)
            .map(|e| {
                let get = |w: &str, shape: &[usize]| tensors.get(&format!("{block}.experts.{e}.{w}.weight"), shape);
                Ok(ExpertWeights {
                    gate: get("w1", &[spec.width, hidden])?,
                    up: get("w3", &[spec.width, hidden])?,
                    down: get("w2", &[hidden, spec.width])?,
                })
            })
            .collect::<Result<_, ModelError>>()?
    };
    Ok(MoeWeights { router, experts })
}
