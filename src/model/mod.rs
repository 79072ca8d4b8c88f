//! What a checkpoint is: its configuration, its weights on disk, its tokenizer and its chat template.
//!
//! Nothing here computes. [`Checkpoint::open`] reads a directory in the hub's layout, checks every size before it is
//! used, and hands out views into the memory map; the engine decides what to do with them.

mod bundled;
mod chat_template;
mod checkpoint;
mod config;
mod error;
mod files;
mod fingerprint;
pub mod gguf;
mod json;
mod minimax;
mod quant;
mod safetensors;
mod storage;
mod tensor;
mod tokenizer;
mod weights;

pub use bundled::bundled;
pub use chat_template::{ChatTemplate, Message, Role};
pub use checkpoint::{Checkpoint, SamplingDefaults};
pub use config::{
    FeedForward, Layer, Lightning, Mixer, ModelConfig, Moe, Pairing, Residual, Rope, Softmax, lightning_slopes,
};
pub use error::ModelError;
pub use storage::{Bytes, Storage};
pub use tensor::{Dtype, TensorView, Unrepresentable};
pub use tokenizer::Tokenizer;
pub use weights::{
    ExpertWeights, LayerWeights, LightningWeights, MixerWeights, ModelWeights, MoeWeights, SoftmaxWeights, TensorRole,
};
