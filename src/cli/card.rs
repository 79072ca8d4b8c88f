//! Whether a model runs on a graphics card, and why not if it does not.

use std::io::{self, Write};
use std::sync::Once;

use super::load;
use crate::compute::ComputeError;
use crate::compute::cuda::{self, device};
use crate::config;
use crate::engine::Cut;
use crate::model::{ModelConfig, ModelWeights, TensorView};
use crate::plan::{Fit, Run, Split};
use crate::tui::format;

/// Tokens that there must be room for; what a longer context takes is known when it comes.
const CONTEXT: usize = 32 << 10;
/// Places in the documents that are kept on a card take this part of it at most.
const OF_PLACES: u64 = 8;

/// Cards that a model is to run on.
pub(super) struct Card {
    pub device: device::Device,
    /// Others, and how many weights are loaded before the first that goes to each.
    pub others: Vec<(device::Device, usize)>,
    /// Bytes for experts on each, if not all of them have room.
    pub experts: Option<Vec<usize>>,
    /// Tokens of context that have room.
    pub context: usize,
    /// How a prompt is cut.
    pub cut: Cut,
}

impl Card {
    /// What is said of them: their names, and how many bytes of experts have room.
    pub fn words(&self) -> String {
        let others = self.others.iter().map(|(device, _)| device);
        let names: Vec<&str> = std::iter::once(&self.device)
            .chain(others)
            .map(|device| device.info().name.as_str())
            .collect();
        let names = names.join(" and ");
        match &self.experts {
            None => names,
            Some(bytes) => {
                let bytes: usize = bytes.iter().sum();
                format!("{names}, {} of experts at a time", format::bytes(bytes as u64))
            }
        }
    }

    /// Memory for places in the documents, in bytes.
    pub fn places(&self) -> usize {
        (self.device.memory().0 / OF_PLACES) as usize
    }
}

/// The card that the model is to run on. Without one it runs on the processor; if a card was asked for, or there is one that
/// cannot be used, it is said why, once.
pub(super) fn open(model: &config::Model, config: &ModelConfig, weights: &ModelWeights<TensorView>) -> Option<Card> {
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

/// Other cards, and bytes for experts on all.
type Others = (Vec<(device::Device, usize)>, Option<Vec<usize>>);

/// The other cards that the model is to be cut among, if it has not all room on the first; else how it fits there.
fn several(
    first: &device::Device,
    model: &config::Model,
    (config, weights): (&ModelConfig, &ModelWeights<TensorView>),
    run: &Run,
    fit: Fit,
) -> Result<Others, Fit> {
    let device::Presence::Present { cards, .. } = device::presence() else {
        return Err(fit);
    };
    // One that cannot be used is as one that is not there.
    let open = |ordinal| {
        let options = device::DeviceOptions {
            ordinal,
            ..options(model)
        };
        device::Device::open(options).ok()
    };
    let devices: Vec<device::Device> = (1..cards.len()).filter_map(open).collect();
    if devices.is_empty() {
        return Err(fit);
    }
    let rooms: Vec<usize> = std::iter::once(first)
        .chain(&devices)
        .map(|device| device.memory().0 as usize)
        .collect();
    match Split::of(config, weights, run, &rooms) {
        Some(split) => Ok((devices.into_iter().zip(split.weights).collect(), split.experts)),
        None => Err(fit),
    }
}

/// How a card is opened.
pub(super) fn options(model: &config::Model) -> device::DeviceOptions {
    device::DeviceOptions {
        kernels: match model.kernels {
            config::Kernels::BuiltIn => device::Kernels::BuiltIn,
            config::Kernels::Source => device::Kernels::Source,
        },
        ..device::DeviceOptions::default()
    }
}

fn try_to_open(
    model: &config::Model,
    config: &ModelConfig,
    weights: &ModelWeights<TensorView>,
) -> Result<Card, Reason> {
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
    let device = device::Device::open(options(model)).map_err(other)?;
    let cut = load::cut_of(model, config, weights);
    let (there, _) = device.memory();
    let places = load::PLACES_MEMORY.min((there / OF_PLACES) as usize);
    let set = model.max_context.given().map(config::Count::size);
    let run = Run {
        kv: load::kv_type(model),
        context: set.unwrap_or(CONTEXT).min(config.max_positions),
        tile: cut.tile,
        slab: cut.slab,
        marks: places / config.lightning_state_bytes().max(1),
    };
    let run = Run {
        marks: run.marks.min(load::MOST_PLACES),
        ..run
    };
    // Experts that are copied for a slab are worth a long one, unless it is said how long.
    let copied = match model.activation_memory.given() {
        Some(_) => run,
        None => run.with_long_slabs(config, there as usize),
    };
    let fit = match Fit::of(config, weights, &run, there as usize) {
        Fit::Whole => Fit::Whole,
        _ => Fit::of(config, weights, &copied, there as usize),
    };
    let cut_of = |is_whole: bool| Cut {
        slab: if is_whole { run.slab } else { copied.slab },
        ..cut
    };
    let experts = match fit {
        Fit::Whole => None,
        fit => match several(&device, model, (config, weights), &copied, fit) {
            Ok((others, experts)) => {
                let cut = cut_of(experts.is_none());
                return Ok(Card {
                    device,
                    others,
                    experts,
                    context: run.context,
                    cut,
                });
            }
            Err(Fit::Experts { bytes }) => Some(vec![bytes]),
            Err(Fit::Whole) => None,
            Err(Fit::Not { whole, least }) => {
                return Err(Reason::Other(format!(
                    "{} has {} free and the model wants {} with {} tokens, or {} with one layer's experts at a time (`thunderhead plan` \
                     says what would fit)",
                    device.info().name,
                    format::bytes(there),
                    format::bytes(whole as u64),
                    format::count(run.context),
                    format::bytes(least as u64),
                )));
            }
        },
    };
    let cut = cut_of(experts.is_none());
    Ok(Card {
        device,
        others: Vec::new(),
        experts,
        context: run.context,
        cut,
    })
}

/// Says that a model runs on the processor, and why, the first time.
pub(super) fn say_once(why: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let _ = writeln!(io::stderr(), "note: the model runs on the processor: {why}");
    });
}
