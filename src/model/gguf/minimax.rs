//! `minimax-01`: MiniMax-M1 and MiniMax-Text-01 as llama.cpp's converter writes them.
//!
//! The residual is the normed input times one factor everywhere; the converter takes no checkpoint in which the factors
//! differ or the other one is not 1.

use super::super::ModelError;
use super::super::config::{FeedForward, Layer, Lightning, Mixer, Pairing, Residual, lightning_slopes};
use super::super::minimax::LIGHTNING_NORM_EPS;
use super::architecture::{Common, Keys};

/// One softmax layer in so many, the last of them, where no key says otherwise.
const SOFTMAX_INTERVAL: usize = 8;

/// The layer at each place.
pub(super) fn layers(keys: &Keys<'_>, common: &Common) -> Result<impl Fn(usize) -> Layer + use<>, ModelError> {
    let count = common.layers;
    let lightning = if let Some(flags) = keys.flags("attention.recurrent_layers", count)? {
        flags
    } else {
        let interval = keys.optional_size("full_attention_interval")?;
        let interval = interval.unwrap_or(SOFTMAX_INTERVAL);
        if interval == 0 {
            return Err(keys.wrong("full_attention_interval", "a positive whole number"));
        }
        (1..=count).map(|layer| layer % interval != 0).collect()
    };
    let alpha = keys.optional_number("residual_scale")?.ok_or_else(|| {
        keys.wrong(
            "residual_scale",
            "the factor of the residual, about 3.56 for MiniMax-M1",
        )
    })?;
    let residual = Residual {
        alpha,
        beta: 1.0,
        from_normed: true,
    };
    let (heads, head_dim) = (common.heads, common.head_dim);
    let softmax = common.softmax(Pairing::Halves);
    let moe = common.moe.clone();
    Ok(move |index| Layer {
        mixer: if lightning[index] {
            Mixer::Lightning(Lightning {
                heads,
                head_dim,
                slopes: lightning_slopes(heads, index, count),
                norm_eps: LIGHTNING_NORM_EPS,
            })
        } else {
            Mixer::Softmax(softmax.clone())
        },
        mixer_residual: residual,
        feed_forward: FeedForward::Moe(moe.clone()),
        feed_forward_residual: residual,
    })
}
