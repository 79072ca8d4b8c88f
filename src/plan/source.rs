//! Where the sizes of a model are read from: a `config.json`, the header of a GGUF file, or a name.

use std::path::Path;

use serde::Deserialize;

use super::anatomy::{Anatomy, Attention, FeedForward, Layer};
use super::known::{NAMES, known};
use super::storage::{LayerBytes, WeightBytes};
use crate::model::gguf::Header;
use crate::model::{Checkpoint, ModelError};

/// Above any size in a model, and small enough that products of three do not overflow.
const LARGEST: usize = 1 << 20;
const MOST_PARAMETERS: f64 = 1e15;
const MOST_KEPT: f64 = 1e9;

/// A model, and how its weights are stored if what was read says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub anatomy: Anatomy,
    pub stored: Option<WeightBytes>,
}

impl Subject {
    /// The model of a name, or of a path: a folder, a `config.json`, a GGUF file or the beginning of one.
    pub fn open(text: &str) -> Result<Self, ModelError> {
        let subject = Self::read(text)?;
        let (parameters, layers) = (subject.anatomy.parameters(), subject.anatomy.layers.iter());
        let kept: f64 = layers
            .filter_map(|layer| layer.attention.kept())
            .map(|(n, _)| n as f64)
            .sum();
        // So that bytes of any context can be counted.
        if parameters > MOST_PARAMETERS || kept > MOST_KEPT {
            return Err(ModelError::malformed(
                text,
                format!("{parameters:.1e} parameters, {kept:.1e} numbers kept a token: no model is so large"),
            ));
        }
        Ok(subject)
    }

    fn read(text: &str) -> Result<Self, ModelError> {
        if let Some(anatomy) = known(text) {
            return Ok(Self { anatomy, stored: None });
        }
        let path = Path::new(text);
        let config = path.join("config.json");
        if config.is_file() {
            return Self::from_config(&config, folder_name(path));
        }
        if path.is_dir() {
            return match Checkpoint::gguf_in(path)? {
                Some(file) => Self::from_gguf(&file),
                None => Err(missing(path, "neither config.json nor a GGUF file is in it")),
            };
        }
        if !path.is_file() {
            return Err(missing(
                path,
                "there is no such file, and it is no model that is known by name",
            ));
        }
        if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) {
            return Self::from_config(path, folder_name(path.parent().unwrap_or(path)));
        }
        Self::from_gguf(path)
    }

    fn from_config(path: &Path, name: String) -> Result<Self, ModelError> {
        let bytes = std::fs::read(path).map_err(|error| ModelError::io(path, error))?;
        let json: serde_json::Value = serde_json::from_slice(&bytes)
            .map_err(|e| ModelError::malformed(path, format!("not JSON: {e}. Download the file again.")))?;
        let of_bailing = json["model_type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("bailing"));
        let anatomy = if of_bailing {
            let bailing: Bailing = serde_json::from_value(json)
                .map_err(|e| ModelError::malformed(path, format!("not the configuration of a Ling or Ring: {e}")))?;
            bailing
                .anatomy(name)
                .map_err(|what| ModelError::malformed(path, what))?
        } else {
            Anatomy::of(name, &Checkpoint::config_alone(path)?)
        };
        Ok(Self { anatomy, stored: None })
    }

    fn from_gguf(path: &Path) -> Result<Self, ModelError> {
        let header = Header::read(path)?;
        let mut stored = WeightBytes {
            layers: vec![LayerBytes::default(); header.config.layers.len()],
            ..WeightBytes::default()
        };
        for (name, bytes) in &header.tensors {
            let bytes = *bytes as f64;
            let layer = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
            let layer =
                layer.and_then(|(index, rest)| Some((stored.layers.get_mut(index.parse::<usize>().ok()?)?, rest)));
            match layer {
                Some((layer, rest)) if rest.contains("_exps.") => layer.experts += bytes,
                Some((layer, _)) => layer.fixed += bytes,
                None if name == "token_embd.weight" => stored.embedding += bytes,
                None => stored.head += bytes,
            }
        }
        Ok(Self {
            anatomy: Anatomy::of(header.name, &header.config),
            stored: Some(stored),
        })
    }
}

fn missing(path: &Path, what: &str) -> ModelError {
    ModelError::Missing {
        path: path.to_owned(),
        what: format!(
            "{what}. Give a folder of a model, its config.json, a GGUF file, or one of {}.",
            NAMES.join(", ")
        ),
    }
}

fn folder_name(path: &Path) -> String {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    absolute
        .file_name()
        .map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A `config.json` of Ling or Ring (`bailing_moe_linear`, `bailing_hybrid`, `bailing_moe_v2_5`).
#[derive(Debug, Deserialize)]
struct Bailing {
    hidden_size: usize,
    vocab_size: usize,
    num_hidden_layers: usize,
    layer_group_size: usize,
    num_attention_heads: usize,
    #[serde(default)]
    num_key_value_heads: Option<usize>,
    #[serde(default)]
    head_dim: Option<usize>,
    intermediate_size: usize,
    moe_intermediate_size: usize,
    num_experts: usize,
    num_experts_per_tok: usize,
    #[serde(default)]
    num_shared_experts: Option<usize>,
    #[serde(default)]
    first_k_dense_replace: usize,
    #[serde(default)]
    q_lora_rank: Option<usize>,
    #[serde(default)]
    kv_lora_rank: Option<usize>,
    #[serde(default)]
    qk_nope_head_dim: Option<usize>,
    #[serde(default)]
    qk_rope_head_dim: Option<usize>,
    #[serde(default)]
    v_head_dim: Option<usize>,
    #[serde(default)]
    use_qk_norm: Option<bool>,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    max_position_embeddings: Option<usize>,
}

impl Bailing {
    fn anatomy(self, name: String) -> Result<Anatomy, String> {
        let sizes = [
            ("hidden_size", self.hidden_size),
            ("vocab_size", self.vocab_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("layer_group_size", self.layer_group_size),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("moe_intermediate_size", self.moe_intermediate_size),
            ("num_experts", self.num_experts),
            ("num_experts_per_tok", self.num_experts_per_tok),
        ];
        if let Some((key, size)) = sizes.into_iter().find(|(_, size)| !(1..=LARGEST).contains(size)) {
            return Err(format!("{key} is {size}; expected 1 to {LARGEST}"));
        }
        if self.num_hidden_layers > 4096 {
            return Err(format!(
                "num_hidden_layers is {}; expected at most 4096",
                self.num_hidden_layers
            ));
        }
        let heads = self.num_attention_heads;
        let head_dim = self.head_dim.unwrap_or(self.hidden_size / heads);
        let qk_norm = self.use_qk_norm.unwrap_or(true);
        let softmax = match self.kv_lora_rank {
            Some(kv_rank) => Attention::Latent {
                heads,
                nope: self.qk_nope_head_dim.unwrap_or(head_dim),
                rope: self.qk_rope_head_dim.unwrap_or(head_dim / 2),
                value: self.v_head_dim.unwrap_or(head_dim),
                q_rank: self.q_lora_rank,
                kv_rank,
            },
            None => Attention::Grouped {
                heads,
                kv_heads: self.num_key_value_heads.unwrap_or(heads),
                head_dim,
                qk_norm,
            },
        };
        let lightning = Attention::Lightning {
            heads,
            head_dim,
            qk_norm,
        };
        let group = self.layer_group_size;
        // What is left after the last whole group is softmax attention too.
        let whole = self.num_hidden_layers / group * group;
        let layers = (0..self.num_hidden_layers).map(|index| Layer {
            attention: if (index + 1).is_multiple_of(group) || index >= whole {
                softmax
            } else {
                lightning
            },
            feed_forward: if index < self.first_k_dense_replace {
                FeedForward::Dense {
                    width: self.intermediate_size,
                }
            } else {
                FeedForward::Experts {
                    experts: self.num_experts,
                    top_k: self.num_experts_per_tok,
                    width: self.moe_intermediate_size,
                    shared: self.moe_intermediate_size * self.num_shared_experts.unwrap_or(0).min(LARGEST),
                    bias: true,
                }
            },
        });
        Ok(Anatomy {
            name,
            hidden: self.hidden_size,
            vocab: self.vocab_size,
            tied: self.tie_word_embeddings,
            layers: layers.collect(),
            max_positions: self.max_position_embeddings.unwrap_or(131_072),
        })
    }
}
