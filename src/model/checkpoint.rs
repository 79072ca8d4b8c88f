//! A checkpoint: config, weights, tokenizer and chat template of one model, opened and checked together.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::Files;
use super::gguf::{self, Gguf};
use super::json::Fields;
use super::safetensors::Tensors;
use super::{ChatTemplate, ModelConfig, ModelError, ModelWeights, TensorView, Tokenizer, fingerprint, minimax};

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
    source: Source,
}

/// Where everything but the weights is read from.
#[derive(Debug)]
enum Source {
    Hub(Files),
    Gguf(Gguf),
}

impl Checkpoint {
    /// Opens a folder in the hub's layout, a GGUF file, or a folder with one model in GGUF.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        if path.is_file() {
            return Self::from_gguf(path);
        }
        if !path.is_dir() {
            return Err(ModelError::Missing {
                path: path.to_owned(),
                what: format!(
                    "not a folder and not a file; expected a folder with {CONFIG}, *.safetensors and {TOKENIZER}, or a \
                     .gguf file"
                ),
            });
        }
        let files = Files::Directory(path.to_owned());
        // Folders of converted models often keep the original's config.json.
        if !(files.exists(CONFIG) && Tensors::exist(&files))
            && let Some(file) = gguf::find(path)?
        {
            return Self::from_gguf(&file);
        }
        Self::from_files(files)
    }

    /// What the configuration at `path`, a `config.json`, says.
    pub fn config_alone(path: &Path) -> Result<ModelConfig, ModelError> {
        let bytes = std::fs::read(path).map_err(|error| ModelError::io(path, error))?;
        let json = serde_json::from_slice(&bytes)
            .map_err(|e| ModelError::malformed(path, format!("not JSON: {e}. Download the file again.")))?;
        parse_config(&json, path)
    }

    /// The one GGUF file in a folder, or the first part of it.
    pub fn gguf_in(folder: &Path) -> Result<Option<PathBuf>, ModelError> {
        gguf::find(folder)
    }

    fn from_gguf(path: &Path) -> Result<Self, ModelError> {
        let (gguf, config, weights) = Gguf::open(path)?;
        Ok(Self {
            name: gguf.name(),
            config,
            weights,
            source: Source::Gguf(gguf),
        })
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
            source: Source::Hub(files),
        })
    }

    /// What tells it from every other, whatever it is called and wherever it lies.
    ///
    /// # Errors
    /// If its files are not there any more.
    pub fn fingerprint(&self) -> Result<[u8; 32], ModelError> {
        let files = match &self.source {
            Source::Hub(Files::Directory(folder)) => within(folder, |name| has_ending(name, "safetensors"))?,
            Source::Hub(Files::Embedded { .. }) => Vec::new(),
            Source::Gguf(gguf) => {
                let name = gguf.name();
                let part = |other: &str| other.starts_with(&name) && has_ending(other, "gguf");
                within(gguf.path().parent().unwrap_or(Path::new("")), part)?
            }
        };
        fingerprint::of(self, files)
    }

    /// The tokenizer; a checkpoint can be scored by ids without one.
    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        match &self.source {
            Source::Hub(files) => tokenizer(files),
            Source::Gguf(gguf) => gguf.tokenizer(),
        }
    }

    /// The chat template, if the checkpoint has one.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>, ModelError> {
        match &self.source {
            Source::Hub(Files::Directory(directory)) => ChatTemplate::load(directory),
            Source::Hub(Files::Embedded { .. }) => Ok(None),
            Source::Gguf(gguf) => gguf.chat_template(),
        }
    }

    /// The ids that end a reply: those of `config.json` and `generation_config.json`, else the tokenizer's
    /// end-of-sequence token (MiniMax-M1 leaves the config's null); of a GGUF file those of its keys, and control tokens
    /// known to end a turn.
    pub fn eos(&self) -> Result<Vec<u32>, ModelError> {
        let mut ids = match &self.source {
            Source::Hub(files) => self.eos_of(files)?,
            Source::Gguf(gguf) => gguf.eos()?,
        };
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn eos_of(&self, files: &Files) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.config.eos.clone();
        if let Some(json) = optional_json(files, GENERATION_CONFIG)? {
            let path = files.path(GENERATION_CONFIG);
            ids.extend(Fields::new(&json, &path).ids("eos_token_id")?);
        }
        if ids.is_empty()
            && let Some(json) = optional_json(files, TOKENIZER_CONFIG)?
        {
            let token = &json["eos_token"];
            let content = token.as_str().or_else(|| token["content"].as_str());
            if let Some(content) = content {
                ids.extend(tokenizer(files)?.special(content));
            }
        }
        Ok(ids)
    }

    /// How its makers recommend to sample from it: `generation_config.json` or the file's keys, else what MiniMax-M1's
    /// README gives.
    pub fn sampling_defaults(&self) -> Result<SamplingDefaults, ModelError> {
        let files = match &self.source {
            Source::Hub(files) => files,
            Source::Gguf(gguf) => return gguf.sampling_defaults(),
        };
        let path = files.path(GENERATION_CONFIG);
        let json = optional_json(files, GENERATION_CONFIG)?.unwrap_or_default();
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

    /// Ids that must never be produced: those whose embedding row is all zero, which were never trained, and those that
    /// a GGUF file suppresses.
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
        let suppressed = match &self.source {
            Source::Hub(_) => &[],
            Source::Gguf(gguf) => gguf.suppressed(),
        };
        let untrained = (0..self.config.vocab)
            .filter(|&id| table.row(id).chunks_exact(dtype.block_bytes()).all(&mut is_zero))
            .map(|id| id as u32);
        let mut ids: Vec<u32> = untrained.chain(suppressed.iter().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

impl Checkpoint {
    /// The tokenizer, the chat template, the tokens that end a reply and how to sample, as keys of a GGUF file; without a
    /// tokenizer the file can be scored by ids only.
    pub fn gguf_keys(&self) -> Result<gguf::Tokens, ModelError> {
        let files = match &self.source {
            Source::Hub(files) => files,
            Source::Gguf(gguf) => return self.gguf_keys_again(gguf),
        };
        let mut tokens = gguf::Tokens::default();
        if files.exists(TOKENIZER) {
            // It is known to be usable before it is copied.
            let tokenizer = tokenizer(files)?;
            let path = files.path(TOKENIZER);
            let raw = files.read(TOKENIZER)?;
            let text = String::from_utf8_lossy(&raw);
            let json = serde_json::from_str(&text)
                .map_err(|e| ModelError::malformed(&path, format!("not JSON: {e}. Download it again.")))?;
            tokens =
                gguf::token_keys(&json, &text, self.config.vocab).map_err(|what| ModelError::malformed(&path, what))?;
            let config = optional_json(files, TOKENIZER_CONFIG)?.unwrap_or_default();
            for (name, key) in [("bos_token", "bos"), ("unk_token", "unknown"), ("pad_token", "padding")] {
                let content = config[name].as_str().or_else(|| config[name]["content"].as_str());
                if let Some(id) = content.and_then(|content| tokenizer.special(content)) {
                    tokens.id(key, id);
                }
            }
        } else {
            tokens
                .notes
                .push("there is no tokenizer.json, so the file will have no tokenizer".to_owned());
        }
        for (key, id) in ["eos", "eot", "eom"].into_iter().zip(self.eos()?) {
            tokens.id(key, id);
        }
        if let Some(template) = self.chat_template()? {
            let source = gguf::Value::Text(template.source());
            tokens.keys.push(("tokenizer.chat_template".to_owned(), source));
        }
        if files.exists(GENERATION_CONFIG) {
            let SamplingDefaults {
                temperature,
                top_k,
                top_p,
            } = self.sampling_defaults()?;
            let values = [
                ("temp", gguf::Value::F32(temperature)),
                ("top_k", gguf::Value::I32(i32::try_from(top_k).unwrap_or(i32::MAX))),
                ("top_p", gguf::Value::F32(top_p)),
            ];
            let keys = values.map(|(key, value)| (format!("general.sampling.{key}"), value));
            tokens.keys.extend(keys);
        }
        Ok(tokens)
    }

    /// Those of the file that the checkpoint is, if its weights have not been rounded to blocks before.
    fn gguf_keys_again(&self, gguf: &Gguf) -> Result<gguf::Tokens, ModelError> {
        let sources = gguf::tensors(&self.weights);
        let mut pieces = sources.iter().flat_map(|source| &source.pieces);
        if let Some(rounded) = pieces.find(|piece| piece.dtype().block() > 1) {
            return Err(ModelError::Unsupported {
                path: gguf.path().to_owned(),
                what: format!("converting weights that are {} already", rounded.dtype().name()),
                advice:
                    "Convert from the folder or the f32, f16 or bf16 file that it was made from: rounding twice costs \
                         more than rounding once."
                        .to_owned(),
            });
        }
        Ok(gguf::Tokens {
            keys: gguf.token_keys(),
            notes: Vec::new(),
        })
    }
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// Files of a folder by their names.
fn within(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, ModelError> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = std::fs::read_dir(folder).map_err(|error| ModelError::io(folder.to_owned(), error))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let wanted = names.filter(|name| name.to_str().is_some_and(&wanted));
    Ok(wanted.map(|name| folder.join(name)).collect())
}

fn tokenizer(files: &Files) -> Result<Tokenizer, ModelError> {
    let path = files.path(TOKENIZER);
    if !files.exists(TOKENIZER) {
        return Err(ModelError::Missing {
            path,
            what: "there is no tokenizer; text can neither be read nor written without it. Download \
                   tokenizer.json of the same model into this folder."
                .to_owned(),
        });
    }
    Tokenizer::from_bytes(&files.read(TOKENIZER)?, &path)
}

fn optional_json(files: &Files, name: &str) -> Result<Option<Value>, ModelError> {
    if !files.exists(name) {
        return Ok(None);
    }
    serde_json::from_slice(&files.read(name)?)
        .map(Some)
        .map_err(|e| ModelError::malformed(files.path(name), format!("not JSON: {e}. Download it again.")))
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
