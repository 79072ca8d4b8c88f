//! The configuration of a model, as a sum type of layer kinds.
//!
//! A checkpoint's `config.json` is a flat bag of keys whose meaning depends on the architecture. [`ModelConfig`] is what
//! it says, layer by layer: which mixer, which feed-forward, which residual. The engine and every compute
//! implementation read only this, so that a family with other layers is a new variant here and not a special case there.

/// One model, layer by layer. Sizes have been checked against each other.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The value of `model_type`, for messages.
    pub model_type: String,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Rows of the embedding table and of the head.
    pub vocab: usize,
    pub layers: Vec<Layer>,
    /// ε of the layer norms and of the final norm.
    pub norm_eps: f64,
    /// The head is the embedding table.
    pub tied_head: bool,
    /// The longest context the model was made for, in tokens.
    pub max_positions: usize,
    /// Ids that end a reply, as far as `config.json` names them.
    pub eos: Vec<u32>,
}

impl ModelConfig {
    /// Bytes of all lightning states in f32: what it costs to remember a place in a sequence.
    #[must_use]
    pub fn lightning_state_bytes(&self) -> usize {
        let state = |layer: &Layer| match &layer.mixer {
            Mixer::Lightning(spec) => spec.heads * spec.head_dim * spec.head_dim * size_of::<f32>(),
            Mixer::Softmax(_) => 0,
        };
        self.layers.iter().map(state).sum()
    }
}

/// One layer: `h = norm(x); x = mixer_residual(h, x, mixer(h))`, then the same with the feed-forward.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub mixer: Mixer,
    pub mixer_residual: Residual,
    pub feed_forward: FeedForward,
    pub feed_forward_residual: Residual,
}

/// How a layer mixes tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum Mixer {
    Lightning(Lightning),
    Softmax(Softmax),
}

/// Lightning attention (MiniMax-01 report, §2.2): a decayed linear recurrence with one `head_dim × head_dim` state a
/// head, `S ← e^{-slope}·S + kᵀv`, `o = q·S` with the updated state; q, k and v pass through `SiLU`; the concatenated
/// heads are normalised once and gated by `σ(W_gate·h)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Lightning {
    pub heads: usize,
    pub head_dim: usize,
    /// Decay a token of each head in this layer, `[heads]`, all positive.
    pub slopes: Vec<f64>,
    /// ε of the norm over the concatenated heads.
    pub norm_eps: f64,
}

/// Grouped-query softmax attention with rotary position embedding on the first `rope.dim` channels of each head.
#[derive(Debug, Clone, PartialEq)]
pub struct Softmax {
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub rope: Rope,
}

/// Rotary embedding of the first `dim` channels of a head; the others pass through. Pair `j < dim/2` turns by
/// `position·theta^(-2j/dim)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rope {
    pub dim: usize,
    pub theta: f64,
    pub pairing: Pairing,
}

/// Which channels make pair `j` of a rotary embedding of `dim` channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// `j` and `j + dim/2` (GPT-NeoX; checkpoints from the hub).
    Halves,
    /// `2j` and `2j + 1` (GPT-J; GGUF files of the `llama` type have the rows of q and k in this order).
    Neighbours,
}

impl Pairing {
    /// The channels of pair `j`.
    #[must_use]
    pub fn channels(self, j: usize, dim: usize) -> (usize, usize) {
        match self {
            Self::Halves => (j, j + dim / 2),
            Self::Neighbours => (2 * j, 2 * j + 1),
        }
    }
}

/// What follows the mixer.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedForward {
    Moe(Moe),
}

/// Mixture of experts: softmax over all experts in f32, the `top_k` largest kept and renormalised;
/// each expert is `W_down( SiLU(W_gate·h) ⊙ (W_up·h) )`. One expert is a dense feed-forward and has no router.
#[derive(Debug, Clone, PartialEq)]
pub struct Moe {
    pub experts: usize,
    pub top_k: usize,
    /// Inner width of an expert.
    pub width: usize,
}

/// `x = alpha·r + beta·f`, where `r` is the normed input `h` (post-norm models) or the input `x` itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    pub alpha: f64,
    pub beta: f64,
    /// The residual is the normed input.
    pub from_normed: bool,
}

/// Decay slopes of the heads of one lightning layer.
///
/// For `n` heads, a power of two, `s_h = 2^(-8(h+1)/n)`; otherwise the slopes of the largest power of two `p < n`
/// followed by every second slope of `2p` (`ALiBi`'s rule). The layer factor is `1 - l/(L-1) + 1e-5`, where `l` counts
/// all layers, softmax ones too.
#[must_use]
pub fn lightning_slopes(heads: usize, layer: usize, layers: usize) -> Vec<f64> {
    let factor = 1.0 - layer as f64 / layers.saturating_sub(1).max(1) as f64 + 1e-5;
    head_slopes(heads).into_iter().map(|s| s * factor).collect()
}

fn head_slopes(heads: usize) -> Vec<f64> {
    let geometric = |n: usize| (1..=n).map(move |h| (-8.0 * h as f64 / n as f64).exp2());
    if heads.is_power_of_two() {
        return geometric(heads).collect();
    }
    let below = heads.next_power_of_two() / 2;
    geometric(below)
        .chain(geometric(2 * below).step_by(2).take(heads - below))
        .collect()
}
