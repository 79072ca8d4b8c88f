//! Models in GGUF files, the format of ggml and llama.cpp: one file, or several parts, with weights, configuration,
//! tokenizer and chat template.
//!
//! Read are the architectures `minimax-01` and `llama`. A file with a key or a tensor that would change what these
//! compute is refused, so that nothing is computed wrongly in silence.

mod architecture;
mod export;
mod file;
mod llama;
mod metadata;
mod minimax;
mod reader;
mod split;
mod tensors;
mod tokens;
mod vocabulary;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;

use metadata::Metadata;
use vocabulary::Kind;

use super::checkpoint::SamplingDefaults;
use super::{ChatTemplate, ModelConfig, ModelError, ModelWeights, TensorView, Tokenizer};

pub use export::{Part, Source, keys as network_keys, tensors};
pub(super) use file::find;
pub use tokens::{Tokens, keys as token_keys};
pub use writer::{ALIGNMENT, Outline, TensorSpec, Value, Writer};

const SUPPRESSED: &str = "tokenizer.ggml.suppress_tokens";
const CHAT_TEMPLATE: &str = "tokenizer.chat_template";

/// Keys that name a token by which a reply ends.
const ENDS: [&str; 3] = [
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.eot_token_id",
    "tokenizer.ggml.eom_token_id",
];

/// Tokens by which chat models end a turn; many files name only the end of a text in their keys.
const ENDS_OF_TURN: [&str; 7] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
];

/// What a GGUF file says besides configuration and weights.
pub(super) struct Gguf {
    metadata: Metadata,
    suppressed: Vec<u32>,
}

/// What the header of a file says, whether or not the weights are there.
#[derive(Debug)]
pub struct Header {
    /// What to call the model.
    pub name: String,
    pub config: ModelConfig,
    /// Names of all tensors, and how many bytes each takes.
    pub tensors: Vec<(String, usize)>,
}

impl Header {
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let (metadata, tensors) = file::open(path, file::Extent::Header)?;
        Ok(Self {
            name: file::stem(path),
            config: architecture::config(&metadata, &tensors)?,
            tensors: tensors.sizes()?,
        })
    }
}

impl Gguf {
    /// Opens a file: its configuration and views of its weights.
    pub fn open(path: &Path) -> Result<(Self, ModelConfig, ModelWeights<TensorView>), ModelError> {
        let (metadata, mut tensors) = file::open(path, file::Extent::Whole)?;
        let (config, weights) = architecture::read(&metadata, &mut tensors)?;
        let suppressed = metadata.numbers(SUPPRESSED)?.unwrap_or_default();
        let in_range = |id: &u64| *id < config.vocab as u64;
        let gguf = Self {
            metadata,
            suppressed: suppressed.into_iter().filter(in_range).map(|id| id as u32).collect(),
        };
        Ok((gguf, config, weights))
    }

    /// What to call the model.
    pub fn name(&self) -> String {
        file::stem(self.metadata.path())
    }

    /// Ids that must never be produced.
    pub fn suppressed(&self) -> &[u32] {
        &self.suppressed
    }

    /// The file, or the first of its parts.
    pub fn path(&self) -> &Path {
        self.metadata.path()
    }

    /// The keys of the tokenizer, the chat template and how to sample, for another file.
    pub fn token_keys(&self) -> Vec<(String, Value)> {
        let mut keys = self.metadata.copied(&["tokenizer.", "general.sampling."]);
        keys.retain(|(key, _)| key != SUPPRESSED);
        keys
    }

    pub fn tokenizer(&self) -> Result<Tokenizer, ModelError> {
        vocabulary::tokenizer(&self.metadata)
    }

    pub fn chat_template(&self) -> Result<Option<ChatTemplate>, ModelError> {
        let Some(source) = self.metadata.text(CHAT_TEMPLATE)? else {
            return Ok(None);
        };
        let tokens = vocabulary::tokens(&self.metadata)?;
        let keys = [
            ("bos_token", "bos_token_id"),
            ("eos_token", "eos_token_id"),
            ("unk_token", "unknown_token_id"),
            ("pad_token", "padding_token_id"),
        ];
        let mut named = BTreeMap::new();
        for (name, key) in keys {
            let id = self.metadata.id(&format!("tokenizer.ggml.{key}"))?;
            if let Some((text, _)) = id.and_then(|id| tokens.get(id as usize)) {
                named.insert(name, (*text).to_owned());
            }
        }
        ChatTemplate::from_source(source.to_owned(), named, self.metadata.path()).map(Some)
    }

    /// The ids that end a reply: those of the keys, and control tokens that are known to end a turn.
    pub fn eos(&self) -> Result<Vec<u32>, ModelError> {
        let mut ids = Vec::new();
        for key in ENDS {
            ids.extend(self.metadata.id(key)?);
        }
        if self.metadata.contains(vocabulary::TOKENS) {
            let tokens = (0..).zip(vocabulary::tokens(&self.metadata)?);
            ids.extend(
                tokens
                    .filter(|(_, (text, kind))| *kind == Kind::Control && ENDS_OF_TURN.contains(text))
                    .map(|(id, _)| id),
            );
        }
        Ok(ids)
    }

    /// How its makers recommend to sample from it, where they do; else as for [`super::Checkpoint`].
    pub fn sampling_defaults(&self) -> Result<SamplingDefaults, ModelError> {
        let number = |name: &str| self.metadata.optional_number(&format!("general.sampling.{name}"));
        Ok(SamplingDefaults {
            temperature: number("temp")?.unwrap_or(1.0).max(0.0) as f32,
            top_k: number("top_k")?.unwrap_or(0.0).max(0.0) as usize,
            top_p: number("top_p")?.unwrap_or(0.95).clamp(0.0, 1.0) as f32,
        })
    }
}

impl std::fmt::Debug for Gguf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.metadata.path().display())
    }
}
