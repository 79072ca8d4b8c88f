//! `llama`: softmax attention in every layer, pre-norm, one dense feed-forward or experts as in Mixtral.

use super::super::ModelError;
use super::super::config::{FeedForward, Layer, Mixer, Pairing, Residual};
use super::architecture::{Common, Keys};

/// What every layer is.
pub(super) fn layer(keys: &Keys<'_>, common: &Common) -> Result<Layer, ModelError> {
    keys.refuse_factor("residual_scale")?;
    // Converters of this type put the two channels of a rotary pair side by side.
    let mixer = Mixer::Softmax(common.softmax(Pairing::Neighbours));
    let residual = Residual {
        alpha: 1.0,
        beta: 1.0,
        from_normed: false,
    };
    Ok(Layer {
        mixer,
        mixer_residual: residual,
        feed_forward: FeedForward::Moe(common.moe.clone()),
        feed_forward_residual: residual,
    })
}
