//! Whether a model that has been opened runs on a card that has been opened, and how much of it.
//!
//! [`Placement`](super::Placement) answers before anything is there, from sizes alone. This counts the same kinds in the same order from
//! what is there: each weight as it will lie on the card, the context that is to have room, what a prompt passes through; what is left
//! is for experts. Less than one layer's experts is no use to a prompt. Where one card is too small, layers are cut among several
//! ([`Split`]).

use std::convert::Infallible;
use std::ops::Range;

use super::place::{LEAST_SLAB, SLAB};
use super::{Anatomy, kv_bytes};
use crate::compute::cpu::KvType;
use crate::compute::cuda::bytes_on_card;
use crate::compute::cuda::device::INPUTS;
use crate::model::{Mixer, ModelConfig, ModelWeights, TensorRole, TensorView};

/// What places on a card are multiples of.
const ALIGNMENT: usize = 256;
/// Rows of logits at once, as the engine asks for them.
const LOGITS_AT_ONCE: usize = 64;
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

impl Run {
    /// With slabs that are worth copying experts for once: 32,768 tokens, as far as what they leave between two halves of a layer takes an
    /// eighth of a card with so many bytes.
    #[must_use]
    pub fn with_long_slabs(self, config: &ModelConfig, bytes: usize) -> Self {
        let least = self.tile.max(LEAST_SLAB);
        let mut slab = self.slab.max(SLAB).min(self.context).max(least);
        while slab > least && between(config, slab) > bytes / 8 {
            slab = (slab / 2).max(least);
        }
        Self { slab, ..self }
    }
}

/// Bytes of some weights on a card.
#[derive(Debug, Clone, Copy, Default)]
struct Weights {
    /// How many tensors they are.
    count: usize,
    fixed: usize,
    experts: usize,
    /// Of the largest expert, and of as many as the largest as a layer has.
    expert: usize,
    layer: usize,
}

impl Weights {
    fn of(tensors: &[(usize, TensorRole)]) -> Self {
        let sum = |is_expert: bool| {
            let of = tensors
                .iter()
                .filter(|(_, role)| (*role == TensorRole::Expert) == is_expert);
            of.map(|(bytes, _)| bytes).sum()
        };
        let parts: Vec<usize> = tensors
            .iter()
            .filter(|(_, role)| *role == TensorRole::Expert)
            .map(|(bytes, _)| *bytes)
            .collect();
        let expert = parts.chunks(3).map(|parts| parts.iter().sum()).max().unwrap_or(0);
        Self {
            count: tensors.len(),
            fixed: sum(false),
            experts: sum(true),
            expert,
            layer: expert * (parts.len() / 3),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            fixed: self.fixed + other.fixed,
            experts: self.experts + other.experts,
            expert: self.expert.max(other.expert),
            layer: self.layer.max(other.layer),
        }
    }
}

/// What is before the layers, each of them, and what is after them, in the order in which weights are loaded.
fn weights(weights: &ModelWeights<TensorView>) -> (Weights, Vec<Weights>, Weights) {
    let mut tensors = Vec::new();
    let Ok(_) = weights.clone().try_map(|tensor, role| {
        tensors.push((bytes_on_card(&tensor, role).next_multiple_of(ALIGNMENT), role));
        Ok::<_, Infallible>(())
    });
    let (table, mut rest) = tensors.split_at(1);
    let layers = weights.layers.iter().map(|layer| {
        // Two norms, and what is between and after them.
        let count = 2 + layer.mixer.tensors().count() + layer.moe.tensors().count();
        let (of, after) = rest.split_at(count);
        rest = after;
        Weights::of(of)
    });
    let layers: Vec<Weights> = layers.collect();
    (Weights::of(table), layers, Weights::of(rest))
}

/// Bytes of what one layer keeps: keys and values, and the versions of its state.
fn kept(config: &ModelConfig, run: &Run) -> Vec<(usize, usize)> {
    let anatomy = Anatomy::of(String::new(), config);
    let layers = anatomy.layers.iter().zip(&config.layers);
    let of = layers.map(|(sizes, layer)| {
        let state = match &layer.mixer {
            Mixer::Lightning(spec) => spec.heads * spec.head_dim * spec.head_dim * size_of::<f32>(),
            Mixer::Softmax(_) => 0,
        };
        (kv_bytes(&sizes.attention, run.context, run.kv), state)
    });
    of.collect()
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
    rows + rows / 8 + LOGITS_AT_ONCE.min(tile) * 4 * config.vocab + config.lightning_state_bytes()
}

/// Bytes that so many tokens leave between two halves of a layer: the stream, and what experts add to it.
fn between(config: &ModelConfig, tokens: usize) -> usize {
    let top_k = config.layers.iter().map(|layer| {
        let crate::model::FeedForward::Moe(moe) = &layer.feed_forward;
        moe.top_k
    });
    tokens * (1 + top_k.max().unwrap_or(1)) * config.hidden * 4
}

/// What a card needs whatever layers it has: the room of a prompt's tile, and what `tokens` leave between two halves of a layer.
fn work(config: &ModelConfig, run: &Run, tokens: usize) -> usize {
    between(config, tokens.min(run.context)) + passage(config, run) + INPUTS
}

impl Fit {
    /// Of a model on a card with so many bytes.
    #[must_use]
    pub fn of(config: &ModelConfig, views: &ModelWeights<TensorView>, run: &Run, bytes: usize) -> Self {
        let run = Run {
            context: run.context.min(config.max_positions),
            ..*run
        };
        let (table, layers, after) = weights(views);
        let all = layers.iter().fold(table.and(after), |sum, layer| sum.and(*layer));
        let kept = kept(config, &run);
        let states: usize = kept.iter().map(|(_, state)| state * (VERSIONS + run.marks)).sum();
        Self::with(&all, &kept, states + work(config, &run, run.slab), bytes)
    }

    /// Of some layers' weights and what they keep, with so many bytes of anything else.
    fn with(weights: &Weights, kept: &[(usize, usize)], others: usize, bytes: usize) -> Self {
        let caches: usize = kept.iter().map(|(cache, _)| cache).sum();
        // While a cache grows there are two of it.
        let largest = kept.iter().map(|(cache, _)| *cache).max().unwrap_or(0);
        let fixed = weights.fixed + caches + largest + others;
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

/// A model over several cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Layers of each card.
    pub layers: Vec<Range<usize>>,
    /// How many weights are loaded before the first that goes to each card but the first.
    pub weights: Vec<usize>,
    /// Bytes for experts on each card, if not all of them have room.
    pub experts: Option<Vec<usize>>,
}

impl Split {
    /// Over cards with so many bytes each, of which all have about as much to do for their size; none if that does not fit.
    #[must_use]
    pub fn of(config: &ModelConfig, views: &ModelWeights<TensorView>, run: &Run, cards: &[usize]) -> Option<Self> {
        let run = Run {
            context: run.context.min(config.max_positions),
            ..*run
        };
        // Where all experts have room a prompt passes in pieces of a tile, else in pieces of a slab.
        let whole = Self::in_pieces(config, views, &run, run.tile, cards);
        let in_tiles = whole.filter(|split| split.experts.is_none());
        in_tiles.or_else(|| Self::in_pieces(config, views, &run, run.slab, cards))
    }

    /// The same with pieces of so many tokens.
    fn in_pieces(
        config: &ModelConfig,
        views: &ModelWeights<TensorView>,
        run: &Run,
        piece: usize,
        cards: &[usize],
    ) -> Option<Self> {
        let (table, layers, after) = weights(views);
        let kept = kept(config, run);
        // Beside the piece a card has its last tile that has not left it, and as much of the next as has come.
        let row = config.hidden * size_of::<f32>();
        let passing = (piece + run.tile.min(piece)).min(2 * run.context) * row;
        let work = work(config, run, piece) + passing;
        let sizes: Vec<usize> = layers
            .iter()
            .zip(&kept)
            .map(|(layer, (cache, state))| layer.fixed + layer.experts + cache + VERSIONS * state)
            .collect();
        let ranges = cut(&sizes, cards);
        let (mut counts, mut count) = (Vec::new(), table.count);
        let mut fits = Vec::new();
        for (number, range) in ranges.iter().enumerate() {
            if number > 0 {
                counts.push(count);
            }
            let mut of = layers[range.clone()]
                .iter()
                .fold(Weights::default(), |sum, layer| sum.and(*layer));
            count += of.count;
            let states = kept[range.clone()].iter().map(|(_, state)| state);
            let mut states = (VERSIONS + run.marks) * states.sum::<usize>();
            if number == 0 {
                of = of.and(table);
                // One is made here before it goes to its layer.
                states += kept.iter().map(|(_, state)| *state).max().unwrap_or(0);
            }
            if number + 1 == ranges.len() {
                of = of.and(after);
            }
            fits.push((
                Fit::with(&of, &kept[range.clone()], states + work, cards[number]),
                of.experts,
            ));
        }
        let mut rooms = Vec::new();
        for (fit, experts) in &fits {
            rooms.push(match fit {
                Fit::Whole => *experts,
                Fit::Experts { bytes } => *bytes,
                Fit::Not { .. } => return None,
            });
        }
        let is_whole = fits.iter().all(|(fit, _)| *fit == Fit::Whole);
        Some(Self {
            layers: ranges,
            weights: counts,
            experts: (!is_whole).then_some(rooms),
        })
    }
}

/// Layers of each card: contiguous, with about as many bytes each as the card has of all.
fn cut(sizes: &[usize], cards: &[usize]) -> Vec<Range<usize>> {
    let (all, room): (usize, usize) = (sizes.iter().sum(), cards.iter().sum());
    let (mut cuts, mut from, mut until, mut sum) = (Vec::new(), 0, 0.0, 0);
    for (number, card) in cards.iter().enumerate() {
        until += all as f64 * *card as f64 / room.max(1) as f64;
        let mut to = from;
        while to < sizes.len() && (number + 1 == cards.len() || (sum + sizes[to] / 2) as f64 <= until) {
            sum += sizes[to];
            to += 1;
        }
        cuts.push(from..to);
        from = to;
    }
    cuts
}
