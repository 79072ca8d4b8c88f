//! The sizes of a model, and what follows from them alone: parameters, bytes of keys and values and of states, operations.
//!
//! A multiply-add is two operations. It covers more than what the program runs: a plan is also wanted for a model that is about to be
//! downloaded, or that is to be compared with.

use serde::Serialize;

use crate::model::{self, Mixer, ModelConfig};

/// Tokens of a block of lightning attention, as its operations are counted: those inside a block are quadratic.
const BLOCK: f64 = 256.0;

fn f(size: usize) -> f64 {
    size as f64
}

/// A model as its sizes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Anatomy {
    pub name: String,
    pub hidden: usize,
    pub vocab: usize,
    /// The head is the embedding table.
    pub tied: bool,
    pub layers: Vec<Layer>,
    /// The longest context it was made for.
    pub max_positions: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    pub attention: Attention,
    pub feed_forward: FeedForward,
}

/// How a layer mixes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// A state of `head_dim` by `head_dim` a head.
    Lightning {
        heads: usize,
        head_dim: usize,
        /// Queries and keys have norms of their own.
        qk_norm: bool,
    },
    /// Softmax attention with `kv_heads` keys and values a token.
    Grouped {
        heads: usize,
        kv_heads: usize,
        head_dim: usize,
        qk_norm: bool,
    },
    /// Softmax attention over a latent of `kv_rank`, from which keys and values of all heads are made (MLA).
    Latent {
        heads: usize,
        /// Channels of a query and a key that are not rotated, and that are.
        nope: usize,
        rope: usize,
        /// Channels of a value.
        value: usize,
        /// Queries are made from a latent too.
        q_rank: Option<usize>,
        kv_rank: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedForward {
    Dense {
        width: usize,
    },
    Experts {
        experts: usize,
        top_k: usize,
        width: usize,
        /// Inner width of what every token passes besides; 0 if there is nothing.
        shared: usize,
        /// Choices have a bias of each expert.
        bias: bool,
    },
}

impl Attention {
    /// Weights, norms included.
    #[must_use]
    pub fn parameters(&self, hidden: f64) -> f64 {
        match *self {
            Self::Lightning { heads, head_dim, .. } => {
                let width = f(heads) * f(head_dim);
                5.0 * hidden * width + self.norms()
            }
            Self::Grouped {
                heads,
                kv_heads,
                head_dim,
                ..
            } => 2.0 * hidden * f(head_dim) * (f(heads) + f(kv_heads)) + self.norms(),
            Self::Latent {
                heads,
                nope,
                rope,
                value,
                q_rank,
                kv_rank,
            } => {
                let [heads, nope, rope, value, kv_rank] = [heads, nope, rope, value, kv_rank].map(f);
                let query = heads * (nope + rope);
                let queries = q_rank.map_or(hidden * query, |rank| f(rank) * (hidden + query));
                let keys = hidden * (kv_rank + rope) + kv_rank * heads * (nope + value);
                queries + keys + heads * value * hidden + self.norms()
            }
        }
    }

    /// Of these, weights of norms.
    #[must_use]
    pub fn norms(&self) -> f64 {
        let of_heads = |is: bool, head_dim: usize| if is { 2.0 * f(head_dim) } else { 0.0 };
        match *self {
            Self::Lightning {
                heads,
                head_dim,
                qk_norm,
            } => f(heads) * f(head_dim) + of_heads(qk_norm, head_dim),
            Self::Grouped { head_dim, qk_norm, .. } => of_heads(qk_norm, head_dim),
            Self::Latent { q_rank, kv_rank, .. } => f(q_rank.unwrap_or(0)) + f(kv_rank),
        }
    }

    /// Numbers that are kept of each token, and how many of them have a scale together in 8 bits.
    #[must_use]
    pub fn kept(&self) -> Option<(usize, usize)> {
        match *self {
            Self::Lightning { .. } => None,
            Self::Grouped { kv_heads, head_dim, .. } => Some((2 * kv_heads * head_dim, head_dim)),
            Self::Latent { rope, kv_rank, .. } => Some((kv_rank + rope, kv_rank + rope)),
        }
    }

    /// Bytes of the state in f32.
    #[must_use]
    pub fn state_bytes(&self) -> f64 {
        match *self {
            Self::Lightning { heads, head_dim, .. } => 4.0 * f(heads) * f(head_dim) * f(head_dim),
            Self::Grouped { .. } | Self::Latent { .. } => 0.0,
        }
    }

    /// Operations of one query with one key and its value.
    #[must_use]
    pub fn core_a_key(&self) -> f64 {
        let (heads, channels) = match *self {
            Self::Lightning { .. } => return 0.0,
            Self::Grouped { heads, head_dim, .. } => (heads, 2.0 * f(head_dim)),
            Self::Latent {
                heads,
                nope,
                rope,
                value,
                ..
            } => (heads, f(nope) + f(rope) + f(value)),
        };
        2.0 * f(heads) * channels
    }

    /// Operations of the recurrence a token, done in blocks.
    #[must_use]
    pub fn recurrence(&self) -> f64 {
        match *self {
            Self::Lightning { heads, head_dim, .. } => f(heads) * f(head_dim) * (4.0 * f(head_dim) + 2.0 * BLOCK),
            Self::Grouped { .. } | Self::Latent { .. } => 0.0,
        }
    }

    #[must_use]
    pub fn is_softmax(&self) -> bool {
        !matches!(self, Self::Lightning { .. })
    }
}

impl FeedForward {
    /// Weights of all experts that are chosen among.
    #[must_use]
    pub fn routed(&self, hidden: f64) -> f64 {
        match *self {
            Self::Dense { .. } => 0.0,
            Self::Experts { experts, width, .. } => 3.0 * hidden * f(width) * f(experts),
        }
    }

    /// Of these, those that a token meets.
    #[must_use]
    pub fn chosen(&self, hidden: f64) -> f64 {
        match *self {
            Self::Dense { .. } => 0.0,
            Self::Experts { top_k, width, .. } => 3.0 * hidden * f(width) * f(top_k),
        }
    }

    /// Weights of what chooses.
    #[must_use]
    pub fn router(&self, hidden: f64) -> f64 {
        match *self {
            Self::Dense { .. } => 0.0,
            Self::Experts { experts, bias, .. } => f(experts) * (hidden + if bias { 1.0 } else { 0.0 }),
        }
    }

    /// Weights that every token passes.
    #[must_use]
    pub fn always(&self, hidden: f64) -> f64 {
        match *self {
            Self::Dense { width } | Self::Experts { shared: width, .. } => 3.0 * hidden * f(width),
        }
    }

    fn top_k(&self) -> (usize, usize) {
        match *self {
            Self::Dense { .. } => (0, 0),
            Self::Experts { experts, top_k, .. } => (top_k, experts),
        }
    }
}

/// Operations on a whole context.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Operations {
    /// Products with weights, without the head.
    pub weights: f64,
    /// Queries with keys, and what is made of values.
    pub softmax: f64,
    pub lightning: f64,
}

impl Operations {
    #[must_use]
    pub fn total(&self) -> f64 {
        self.weights + self.softmax + self.lightning
    }
}

impl Anatomy {
    /// What a checkpoint that the program reads is like.
    #[must_use]
    pub fn of(name: String, config: &ModelConfig) -> Self {
        let layers = config.layers.iter().map(|layer| Layer {
            attention: match &layer.mixer {
                Mixer::Lightning(spec) => Attention::Lightning {
                    heads: spec.heads,
                    head_dim: spec.head_dim,
                    qk_norm: false,
                },
                Mixer::Softmax(spec) => Attention::Grouped {
                    heads: spec.heads,
                    kv_heads: spec.kv_heads,
                    head_dim: spec.head_dim,
                    qk_norm: false,
                },
            },
            feed_forward: match &layer.feed_forward {
                model::FeedForward::Moe(spec) if spec.experts == 1 => FeedForward::Dense { width: spec.width },
                model::FeedForward::Moe(spec) => FeedForward::Experts {
                    experts: spec.experts,
                    top_k: spec.top_k,
                    width: spec.width,
                    shared: 0,
                    bias: false,
                },
            },
        });
        Self {
            name,
            hidden: config.hidden,
            vocab: config.vocab,
            tied: config.tied_head,
            layers: layers.collect(),
            max_positions: config.max_positions,
        }
    }

    fn width(&self) -> f64 {
        f(self.hidden)
    }

    fn sum(&self, of: impl Fn(&Layer) -> f64) -> f64 {
        self.layers.iter().map(of).sum()
    }

    /// The embedding table, and the head if it is another.
    #[must_use]
    pub fn tables(&self) -> f64 {
        self.table() * if self.tied { 1.0 } else { 2.0 }
    }

    /// The embedding table.
    #[must_use]
    pub fn table(&self) -> f64 {
        f(self.vocab) * self.width()
    }

    /// Weights of all experts that are chosen among.
    #[must_use]
    pub fn routed(&self) -> f64 {
        self.sum(|layer| layer.feed_forward.routed(self.width()))
    }

    /// Of these, those that a token meets.
    #[must_use]
    pub fn chosen(&self) -> f64 {
        self.sum(|layer| layer.feed_forward.chosen(self.width()))
    }

    /// What every token passes in a layer: attention, router, what is shared, two norms.
    #[must_use]
    pub fn fixed(&self, layer: &Layer) -> f64 {
        let (attention, rest, hidden) = (&layer.attention, &layer.feed_forward, self.width());
        attention.parameters(hidden) + rest.router(hidden) + rest.always(hidden) + 2.0 * hidden
    }

    #[must_use]
    pub fn parameters(&self) -> f64 {
        self.tables() + self.width() + self.routed() + self.sum(|layer| self.fixed(layer))
    }

    /// Weights that a token meets, without tables and head.
    #[must_use]
    pub fn active(&self) -> f64 {
        self.width() + self.chosen() + self.sum(|layer| self.fixed(layer))
    }

    /// The same with the head.
    #[must_use]
    pub fn active_with_head(&self) -> f64 {
        self.active() + self.table()
    }

    /// Bytes of all states in f32.
    #[must_use]
    pub fn state_bytes(&self) -> f64 {
        self.sum(|layer| layer.attention.state_bytes())
    }

    pub fn softmax_layers(&self) -> impl Iterator<Item = &Attention> {
        let attention = self.layers.iter().map(|layer| &layer.attention);
        attention.filter(|attention| attention.is_softmax())
    }

    /// Operations of a context of so many tokens, every layer computed whole and the causal half of keys met.
    #[must_use]
    pub fn operations(&self, tokens: usize) -> Operations {
        let n = tokens as f64;
        let per_key: f64 = self.layers.iter().map(|layer| layer.attention.core_a_key()).sum();
        let per_token: f64 = self.layers.iter().map(|layer| layer.attention.recurrence()).sum();
        Operations {
            weights: 2.0 * self.active() * n,
            softmax: per_key * n * n / 2.0,
            lightning: per_token * n,
        }
    }

    /// The same if every layer were as its softmax layers are, with as many weights; none without a softmax layer.
    #[must_use]
    pub fn all_softmax(&self, tokens: usize) -> Option<Operations> {
        let (count, n) = (self.softmax_layers().count(), tokens as f64);
        let per_key: f64 = self.softmax_layers().map(Attention::core_a_key).sum();
        (count > 0).then(|| Operations {
            weights: 2.0 * self.active() * n,
            softmax: per_key / count as f64 * self.layers.len() as f64 * n * n / 2.0,
            lightning: 0.0,
        })
    }

    /// How many of how many experts a token goes to, where there are some.
    #[must_use]
    pub fn choice(&self) -> Option<(usize, usize)> {
        let mut choices = self.layers.iter().map(|layer| layer.feed_forward.top_k());
        choices.find(|(_, experts)| *experts > 0)
    }
}
