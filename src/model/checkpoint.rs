//! A checkpoint: config, weights, tokenizer and chat template of one model, opened and checked together.

use std::path::Path;

use serde_json::Value;

use super::files::Files;
use super::json::Fields;
use super::safetensors::Tensors;
use super::{ChatTemplate, ModelConfig, ModelError, ModelWeights, TensorView, Tokenizer, minimax};

const CONFIG: &str = "config.json";
const GENERATION_CONFIG: &str = "generation_config.json";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Sampling as a checkpoint recommends it; the fields are those of the engine's `Sampling`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplingDefaults {
    pub temperature: f32,
    pub top_k: usize,
    pub top_p: f32,
}

impl SamplingDefaults {
    /// Always the most probable token.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
    };
}

/// An opened checkpoint. The weights are views into the memory map; nothing has been copied.
#[derive(Debug)]
pub struct Checkpoint {
    /// What to call the model.
    pub name: String,
    pub config: ModelConfig,
    pub weights: ModelWeights<TensorView>,
    files: Files,
}

impl Checkpoint {
    /// Opens a folder in the hub's layout.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        if !directory.is_dir() {
            return Err(ModelError::Missing {
                path: directory.to_owned(),
                what: format!("not a folder; expected one with {CONFIG}, *.safetensors and {TOKENIZER}"),
            });
        }
        Self::from_files(Files::Directory(directory.to_owned()))
    }

    pub(super) fn from_files(files: Files) -> Result<Self, ModelError> {
        let path = files.path(CONFIG);
        if !files.exists(CONFIG) {
            return Err(ModelError::Missing {
                path,
                what: "there is no config.json; expected a model folder as downloaded from the hub".to_owned(),
            });
        }
        let json: Value = serde_json::from_slice(&files.read(CONFIG)?)
            .map_err(|e| ModelError::malformed(&path, format!("not JSON: {e}. Download the file again.")))?;
        let config = parse_config(&json, &path)?;
        let weights = minimax::weights(&config, &Tensors::open(&files)?)?;
        Ok(Self {
            name: name(&files, &json),
            config,
            weights,
            files,
        })
    }

    /// The tokenizer; a checkpoint can be scored by ids without one.
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        let path = self.files.path(TOKENIZER);
        if !self.files.exists(TOKENIZER) {
            return Err(ModelError::Missing {
                path,
                what: "there is no tokenizer; text can neither be read nor written without it. Download \
                       tokenizer.json of the same model into this folder."
                    .to_owned(),
            });
        }
        Tokenizer::from_bytes(&self.files.read(TOKENIZER)?, &path)
    }

    /// The chat template, if the checkpoint has one.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>, ModelError> {
        match &self.files {
            Files::Directory(directory) => ChatTemplate::load(directory),
            Files::Embedded { .. } => Ok(None),
        }
    }

    /// The ids that end a reply: those of `config.json` and `generation_config.json`, else the tokenizer's
    /// end-of-sequence token (MiniMax-M1 leaves the config's null).
    pub fn eos(&self) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.config.eos.clone();
        if let Some(json) = self.optional_json(GENERATION_CONFIG)? {
            let path = self.files.path(GENERATION_CONFIG);
            ids.extend(Fields::new(&json, &path).ids("eos_token_id")?);
        }
        if ids.is_empty()
            && let Some(json) = self.optional_json(TOKENIZER_CONFIG)?
        {
            let token = &json["eos_token"];
            let content = token.as_str().or_else(|| token["content"].as_str());
            if let Some(content) = content {
                ids.extend(self.tokenizer()?.special(content));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// How its makers recommend to sample from it: `generation_config.json`, else what MiniMax-M1's README gives.
    pub fn sampling_defaults(&self) -> Result<SamplingDefaults, ModelError> {
        let path = self.files.path(GENERATION_CONFIG);
        let json = self.optional_json(GENERATION_CONFIG)?.unwrap_or_default();
        let fields = Fields::new(&json, &path);
        if fields.flag("do_sample")? == Some(false) {
            return Ok(SamplingDefaults::GREEDY);
        }
        Ok(SamplingDefaults {
            temperature: fields.optional_number("temperature")?.unwrap_or(1.0).max(0.0) as f32,
            top_k: fields.optional_size("top_k")?.unwrap_or(0),
            top_p: fields.optional_number("top_p")?.unwrap_or(0.95).clamp(0.0, 1.0) as f32,
        })
    }

    /// Ids whose embedding row is all zero: they were never trained and must never be produced.
    #[must_use]
    pub fn unused_ids(&self) -> Vec<u32> {
        let table = &self.weights.embedding;
        let dtype = table.dtype();
        let mut values = vec![0.0; dtype.block()];
        // Block by block: nearly every row is decided by its first.
        let mut is_zero = |block: &[u8]| {
            dtype.widen(block, &mut values);
            values.iter().all(|v| *v == 0.0)
        };
        (0..self.config.vocab)
            .filter(|&id| table.row(id).chunks_exact(dtype.block_bytes()).all(&mut is_zero))
            .map(|id| id as u32)
            .collect()
    }

    fn optional_json(&self, name: &str) -> Result<Option<Value>, ModelError> {
        if !self.files.exists(name) {
            return Ok(None);
        }
        serde_json::from_slice(&self.files.read(name)?)
            .map(Some)
            .map_err(|e| ModelError::malformed(self.files.path(name), format!("not JSON: {e}. Download it again.")))
    }
}

fn parse_config(json: &Value, path: &Path) -> Result<ModelConfig, ModelError> {
    let model_type = json["model_type"]
        .as_str()
        .ok_or_else(|| ModelError::malformed(path, "model_type is missing; expected for instance \"minimax_m1\""))?;
    match model_type {
        "minimax_m1" | "minimax_text_01" | "MiniMaxM1" | "MiniMaxText01" | "minimax" => {
            minimax::config(model_type, json, path)
        }
        other => Err(ModelError::Unsupported {
            path: path.to_owned(),
            what: format!("the architecture {other:?}"),
            advice: format!(
                "Supported are minimax_m1 and minimax_text_01 (MiniMax-M1, MiniMax-Text-01) and minimax (the same \
                 in transformers' layout).{}",
                relative(other)
            ),
        }),
    }
}

/// What a look-alike is, for people who expect it to work.
fn relative(model_type: &str) -> &'static str {
    if model_type.starts_with("bailing") {
        " Ling and Ring also use lightning attention, but other layers around it; they are not read yet."
    } else if model_type.starts_with("minimax_m2") || model_type.starts_with("minimax_m3") {
        " MiniMax-M2 and later are plain softmax-attention models, not of this family."
    } else {
        ""
    }
}

fn name(files: &Files, json: &Value) -> String {
    let from_config = json["_name_or_path"].as_str().map(str::to_owned);
    match files {
        Files::Directory(dir) => {
            let absolute = dir.canonicalize().unwrap_or_else(|_| dir.clone());
            let folder = absolute.file_name().map(|n| n.to_string_lossy().into_owned());
            folder.or(from_config).unwrap_or_else(|| "model".to_owned())
        }
        Files::Embedded { .. } => from_config.unwrap_or_else(|| "model".to_owned()),
    }
}
