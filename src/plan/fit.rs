//! Whether a model that has been opened runs on a card that has been opened, and how much of it.
//!
//! [`Placement`](super::Placement) answers before anything is there, from sizes alone. This counts the same kinds in the same order from
//! what is there: each weight as it will lie on the card, the context that is to have room, what a prompt passes through; what is left
//! is for experts. Less than one layer's experts is no use to a prompt.

use super::{Anatomy, kv_bytes};
use crate::compute::cpu::KvType;
use crate::compute::cuda::bytes_on_card;
use crate::model::{Mixer, ModelConfig, ModelWeights, TensorRole, TensorView};

/// What places on a card are multiples of.
const ALIGNMENT: usize = 256;
/// Rows of logits at once, as the engine asks for them.
const HEAD_ROWS: usize = 64;
/// Versions of a lightning state: the one that holds, the latest, room for the next.
const VERSIONS: usize = 3;

/// How much of a model has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// All of it.
    Whole,
    /// All but experts, for which so many bytes are left.
    Experts { bytes: usize },
    /// Too little: what is needed for all, and with one layer's experts only.
    Not { whole: usize, least: usize },
}

/// How a model is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub kv: KvType,
    /// Tokens of context that have room.
    pub context: usize,
    pub tile: usize,
    pub slab: usize,
    /// Lightning states that are kept beside the one in use.
    pub marks: usize,
}

/// Bytes of weights on a card.
#[derive(Debug, Default)]
struct Weights {
    fixed: usize,
    experts: usize,
    /// Of the largest expert, and of a layer's.
    expert: usize,
    layer: usize,
}

fn weights(weights: &ModelWeights<TensorView>) -> Weights {
    let mut sum = Weights::default();
    let mut parts = Vec::new();
    let counted = weights.clone().try_map(|tensor, role| {
        let bytes = bytes_on_card(&tensor, role).next_multiple_of(ALIGNMENT);
        if role == TensorRole::Expert {
            sum.experts += bytes;
            parts.push(bytes);
        } else {
            sum.fixed += bytes;
        }
        Ok::<_, std::convert::Infallible>(())
    });
    let Ok(_) = counted;
    sum.expert = parts.chunks(3).map(|parts| parts.iter().sum()).max().unwrap_or(0);
    let most = weights.layers.iter().filter(|layer| layer.moe.router.is_some());
    sum.layer = sum.expert * most.map(|layer| layer.moe.experts.len()).max().unwrap_or(0);
    sum
}

/// Bytes that a tile of a prompt passes through, and the logits.
fn passage(config: &ModelConfig, run: &Run) -> usize {
    let hidden = config.hidden;
    let exact = run.kv == KvType::F32;
    let inside = config.layers.iter().map(|layer| {
        let crate::model::FeedForward::Moe(moe) = &layer.feed_forward;
        let number = if exact { 4 } else { 2 };
        let mixer = match &layer.mixer {
            Mixer::Lightning(spec) => 6 * number * spec.heads * spec.head_dim + 4 * hidden,
            Mixer::Softmax(spec) => 2 * number * (spec.heads + spec.kv_heads) * spec.head_dim + 4 * hidden,
        };
        let experts = moe.top_k * (number * moe.width + 4 * hidden + 24) + 4 * moe.experts;
        mixer.max(experts)
    });
    let tile = run.tile.min(run.context);
    let normed = 10 * hidden;
    let rows = tile * (normed + inside.max().unwrap_or(0) + 4 * hidden);
    // Where lightning attention is cut into chunks each begins with a state.
    rows + rows / 8 + HEAD_ROWS.min(tile) * 4 * config.vocab + config.lightning_state_bytes()
}

impl Fit {
    /// Of a model on a card with so many bytes.
    #[must_use]
    pub fn of(config: &ModelConfig, views: &ModelWeights<TensorView>, run: &Run, bytes: usize) -> Self {
        let run = Run {
            context: run.context.min(config.max_positions),
            ..*run
        };
        let weights = weights(views);
        let anatomy = Anatomy::of(String::new(), config);
        let caches = anatomy
            .softmax_layers()
            .map(|attention| kv_bytes(attention, run.context, run.kv));
        // While a cache grows there are two of it.
        let (kept, largest) = caches.fold((0, 0), |(sum, most), bytes| (sum + bytes, most.max(bytes)));
        let states = (VERSIONS + run.marks) * config.lightning_state_bytes();
        let top_k = config.layers.iter().map(|layer| {
            let crate::model::FeedForward::Moe(moe) = &layer.feed_forward;
            moe.top_k
        });
        // What each token of a slab leaves between two halves of a layer: the stream, and what its experts add to it.
        let between = run.slab.min(run.context) * (1 + top_k.max().unwrap_or(1)) * config.hidden * 4;
        let fixed = weights.fixed + kept + largest + states + between + passage(config, &run);
        let whole = fixed + weights.experts;
        if whole <= bytes {
            return Self::Whole;
        }
        let least = fixed + weights.layer;
        if weights.experts > 0 && least <= bytes {
            return Self::Experts { bytes: bytes - fixed };
        }
        Self::Not { whole, least }
    }
}
