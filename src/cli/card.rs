//! Whether a model runs on a graphics card, and why not if it does not.

use std::io::{self, Write};
use std::sync::Once;

use super::load;
use crate::compute::ComputeError;
use crate::compute::cuda::{self, device};
use crate::config;
use crate::model::{ModelConfig, ModelWeights, TensorView};
use crate::plan::Anatomy;
use crate::tui::format;

/// Tokens that there must be room for; what a longer context takes is known when it comes.
const CONTEXT: usize = 32 << 10;
/// What a tile passes through, in rows of the widest matrix.
const PASSAGE: usize = 4;

/// The card that the model is to run on. Without one it runs on the processor; if a card was asked for, or there is one that
/// cannot be used, it is said why, once.
pub(super) fn open(
    model: &config::Model,
    config: &ModelConfig,
    weights: &ModelWeights<TensorView>,
) -> Option<device::Device> {
    let is_asked = match model.backend {
        config::Backend::Cpu | config::Backend::Reference => return None,
        config::Backend::Auto => false,
        config::Backend::Cuda => true,
    };
    match try_to_open(model, config, weights) {
        Ok(card) => Some(card),
        Err(Reason::NoDriver) if !is_asked => None,
        Err(reason) => {
            say_once(&reason.words());
            None
        }
    }
}

/// Why a model does not run on a card.
enum Reason {
    NoDriver,
    Other(String),
}

impl Reason {
    fn words(&self) -> String {
        match self {
            Self::NoDriver => "there is no driver of a graphics card (libcuda.so.1)".to_owned(),
            Self::Other(what) => what.clone(),
        }
    }
}

fn try_to_open(
    model: &config::Model,
    config: &ModelConfig,
    weights: &ModelWeights<TensorView>,
) -> Result<device::Device, Reason> {
    if device::presence() == device::Presence::Missing {
        return Err(Reason::NoDriver);
    }
    let other = |error| {
        Reason::Other(match error {
            ComputeError::Backend(what) => what,
            error @ ComputeError::Interrupted(_) => error.to_string(),
        })
    };
    cuda::check(config).map_err(other)?;
    let options = device::DeviceOptions {
        kernels: match model.kernels {
            config::Kernels::BuiltIn => device::Kernels::BuiltIn,
            config::Kernels::Source => device::Kernels::Source,
        },
        ..device::DeviceOptions::default()
    };
    let card = device::Device::open(options).map_err(other)?;
    let needed = needed(model, config, weights);
    let (there, _) = card.memory();
    if needed > there {
        return Err(Reason::Other(format!(
            "{} has {} free and the model wants {} with {} tokens (`thunderhead plan` says what would fit)",
            card.info().name,
            format::bytes(there),
            format::bytes(needed),
            format::count(CONTEXT.min(config.max_positions))
        )));
    }
    Ok(card)
}

/// Bytes that a model takes on a card with a context of some length.
fn needed(model: &config::Model, config: &ModelConfig, weights: &ModelWeights<TensorView>) -> u64 {
    let anatomy = Anatomy::of(String::new(), config);
    let tokens = CONTEXT.min(config.max_positions);
    let kind = load::kv_type(model);
    let kept: usize = anatomy
        .softmax_layers()
        .map(|attention| crate::plan::kv_bytes(attention, tokens, kind))
        .sum();
    // Two versions, and one that is kept beside them.
    let states = 3 * config.lightning_state_bytes();
    let slab = load::cut_of(model, config, weights).slab.min(tokens);
    let widest = weights
        .layers
        .iter()
        .flat_map(|layer| layer.mixer.tensors())
        .map(|w| w.shape()[0])
        .max();
    let passage = PASSAGE * model.tile.size().min(tokens) * widest.unwrap_or(config.hidden) * size_of::<f32>();
    (weights.bytes() + kept + states + passage + slab * config.hidden * size_of::<f32>()) as u64
}

fn say_once(why: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let _ = writeln!(io::stderr(), "note: the model runs on the processor: {why}");
    });
}
