//! Models by name, so that a plan can be made before anything is downloaded, and one that others are compared with.
//!
//! Sizes are those of the makers' `config.json`; that of Ring-flash-linear-2.0 has not been seen, and its sizes are inferred from
//! Ling-flash-2.0 and the parameters that its report counts.

use super::anatomy::{Anatomy, Attention, FeedForward, Layer};

/// Names as they are shown, the first spelling of each.
pub const NAMES: [&str; 4] = [
    "MiniMax-M1",
    "Ring-mini-linear-2.0",
    "Ring-flash-linear-2.0",
    "Ling-2.6-flash",
];

/// The model of this name, however it is written.
#[must_use]
pub fn known(name: &str) -> Option<Anatomy> {
    let plain = |name: &str| -> String {
        name.to_ascii_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect()
    };
    let found = NAMES.into_iter().find(|known| {
        let (known, name) = (plain(known), plain(name));
        // MiniMax-M1-80k and -40k are of one shape.
        name == known || name.strip_suffix("80k").or(name.strip_suffix("40k")) == Some(&known)
    })?;
    Some(match found {
        "MiniMax-M1" => minimax_m1(),
        "Ring-mini-linear-2.0" => ring_mini(),
        "Ring-flash-linear-2.0" => flash(found, grouped(32, 4)),
        _ => flash(found, LATENT),
    })
}

fn minimax_m1() -> Anatomy {
    let experts = FeedForward::Experts {
        experts: 32,
        top_k: 2,
        width: 9216,
        shared: 0,
        bias: false,
    };
    let softmax = Attention::Grouped {
        heads: 64,
        kv_heads: 8,
        head_dim: 128,
        qk_norm: false,
    };
    let lightning = Attention::Lightning {
        heads: 64,
        head_dim: 128,
        qk_norm: false,
    };
    Anatomy {
        name: "MiniMax-M1".to_owned(),
        hidden: 6144,
        vocab: 200_064,
        tied: false,
        layers: periods(80, 8, lightning, softmax, |_| experts),
        max_positions: 10_240_000,
    }
}

fn grouped(heads: usize, kv_heads: usize) -> Attention {
    Attention::Grouped {
        heads,
        kv_heads,
        head_dim: 128,
        qk_norm: true,
    }
}

const LATENT: Attention = Attention::Latent {
    heads: 32,
    nope: 128,
    rope: 64,
    value: 128,
    q_rank: Some(1536),
    kv_rank: 512,
};

fn lightning(heads: usize) -> Attention {
    Attention::Lightning {
        heads,
        head_dim: 128,
        qk_norm: true,
    }
}

fn ring_mini() -> Anatomy {
    Anatomy {
        name: "Ring-mini-linear-2.0".to_owned(),
        hidden: 2048,
        vocab: 157_184,
        tied: false,
        layers: periods(20, 5, lightning(16), grouped(16, 4), |index| {
            dense_first(index, 5120, 512)
        }),
        max_positions: 131_072,
    }
}

fn flash(name: &str, softmax: Attention) -> Anatomy {
    Anatomy {
        name: name.to_owned(),
        hidden: 4096,
        vocab: 157_184,
        tied: false,
        layers: periods(32, 8, lightning(32), softmax, |index| dense_first(index, 9216, 1024)),
        max_positions: 131_072,
    }
}

/// One dense layer, then 256 experts with one that is shared.
fn dense_first(index: usize, dense: usize, width: usize) -> FeedForward {
    if index == 0 {
        return FeedForward::Dense { width: dense };
    }
    FeedForward::Experts {
        experts: 256,
        top_k: 8,
        width,
        shared: width,
        bias: true,
    }
}

/// Layers of which every `period`-th is softmax attention.
fn periods(
    count: usize,
    period: usize,
    lightning: Attention,
    softmax: Attention,
    feed_forward: impl Fn(usize) -> FeedForward,
) -> Vec<Layer> {
    let layer = |index: usize| Layer {
        attention: if (index + 1).is_multiple_of(period) {
            softmax
        } else {
            lightning
        },
        feed_forward: feed_forward(index),
    };
    (0..count).map(layer).collect()
}

/// DeepSeek-R1 (its `config.json`: 61 layers of 7168, MLA, 256 experts of which a token meets 8 and a shared one; the first three
/// layers dense).
#[must_use]
pub fn deepseek_r1() -> Anatomy {
    let attention = Attention::Latent {
        heads: 128,
        nope: 128,
        rope: 64,
        value: 128,
        q_rank: Some(1536),
        kv_rank: 512,
    };
    let layer = |index: usize| Layer {
        attention,
        feed_forward: if index < 3 {
            FeedForward::Dense { width: 18_432 }
        } else {
            FeedForward::Experts {
                experts: 256,
                top_k: 8,
                width: 2048,
                shared: 2048,
                bias: true,
            }
        },
    };
    Anatomy {
        name: "DeepSeek-R1".to_owned(),
        hidden: 7168,
        vocab: 129_280,
        tied: false,
        layers: (0..61).map(layer).collect(),
        max_positions: 163_840,
    }
}
