//! Opening what the command line names: a model, and a conversation with it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::args::{BackendName, ConversationArgs, GenerationArgs, ModelArgs};
use super::error::CliError;
use super::selection;
use crate::compute::cpu::Cpu;
use crate::compute::reference::Reference;
use crate::compute::{Backend, ComputeError};
use crate::conversation::{EngineEvents, QuoteModel, Setup};
use crate::engine::{Engine, EngineOptions, GenerateOptions, Network, Sampling, Submit, Vocabulary};
use crate::model::{Checkpoint, SamplingDefaults, bundled};

/// Memory for the places in the documents that a change to them can go on from, in bytes.
const PLACES_MEMORY: usize = 1 << 30;
const MOST_PLACES: usize = 64;

/// The model in `directory`, or the bundled one.
pub(super) fn checkpoint(directory: Option<&Path>) -> Result<Checkpoint, CliError> {
    Ok(match directory {
        Some(directory) => Checkpoint::open(directory)?,
        None => bundled()?,
    })
}

/// A network on the backend that was asked for; what is done with it is written once, for any.
pub(super) enum AnyNetwork {
    Cpu(Box<Network<Cpu>>),
    Reference(Box<Network<Reference>>),
}

pub(super) fn network(args: &ModelArgs, checkpoint: &Checkpoint) -> Result<AnyNetwork, ComputeError> {
    let (config, weights) = (checkpoint.config.clone(), checkpoint.weights.clone());
    Ok(match args.backend {
        BackendName::Cpu => AnyNetwork::Cpu(Box::new(Network::new(Cpu::new(args.threads)?, config, weights)?)),
        BackendName::Reference => AnyNetwork::Reference(Box::new(Network::new(Reference, config, weights)?)),
    })
}

/// A conversation that is ready to be started, and what to call its model.
pub(super) struct Loaded {
    pub name: String,
    pub setup: Setup,
}

pub(super) fn conversation(args: &ConversationArgs) -> Result<Loaded, CliError> {
    let checkpoint = checkpoint(args.model.model.as_deref())?;
    let tokenizer = checkpoint.tokenizer()?;
    let chat_template = checkpoint.chat_template()?;
    let eos = checkpoint.eos()?;
    let quote = QuoteModel::recognise(&tokenizer, chat_template.is_some());
    let layout = selection::layout(quote.as_ref(), &args.selection)?;
    let defaults = if quote.is_some() {
        SamplingDefaults::GREEDY
    } else {
        checkpoint.sampling_defaults()?
    };
    let context_limit = args.max_context.unwrap_or(checkpoint.config.max_positions);
    let places = PLACES_MEMORY / checkpoint.config.lightning_state_bytes().max(1);
    let engine_tokenizer = tokenizer.clone();
    let name = checkpoint.name.clone();
    let model = args.model.clone();
    let start_engine = move |events: EngineEvents| -> Result<Box<dyn Submit>, ComputeError> {
        let network = network(&model, &checkpoint)?;
        let vocabulary = Vocabulary {
            tokenizer: engine_tokenizer,
            eos,
            unused: checkpoint.unused_ids(),
        };
        let options = EngineOptions {
            tile: model.tile,
            context_limit,
        };
        match network {
            AnyNetwork::Cpu(network) => engine(*network, vocabulary, &options, events),
            AnyNetwork::Reference(network) => engine(*network, vocabulary, &options, events),
        }
    };
    Ok(Loaded {
        name,
        setup: Setup {
            selection: selection::selection(&args.paths, &args.selection),
            layout,
            cache: selection::cache(&args.selection),
            tokenizer,
            chat_template,
            context_limit,
            places: places.min(MOST_PLACES),
            watch: false,
            options: generate_options(&args.generation, defaults),
            grounded: !args.generation.free,
            start_engine: Box::new(start_engine),
        },
    })
}

fn engine<B: Backend>(
    network: Network<B>,
    vocabulary: Vocabulary,
    options: &EngineOptions,
    events: EngineEvents,
) -> Result<Box<dyn Submit>, ComputeError> {
    Ok(Box::new(Engine::start(network, vocabulary, options, events)?))
}

fn generate_options(args: &GenerationArgs, defaults: SamplingDefaults) -> GenerateOptions {
    GenerateOptions {
        sampling: Sampling {
            temperature: args.temperature.unwrap_or(defaults.temperature),
            top_k: args.top_k.unwrap_or(defaults.top_k),
            top_p: args.top_p.unwrap_or(defaults.top_p),
            min_p: args.min_p,
            seed: args.seed.unwrap_or_else(seed_of_now),
        },
        max_tokens: args.max_tokens,
        thinking_budget: args.thinking_budget,
        loop_guard: args.loop_guard,
        ..GenerateOptions::default()
    }
}

/// A seed that differs from run to run.
fn seed_of_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}
