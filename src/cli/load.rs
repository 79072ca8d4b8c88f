//! Opening what the command line names: a model, and a conversation with it.

use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signal_hook::consts::SIGINT;

use super::error::CliError;
use super::{card, memory, selection};
use crate::compute::cpu::{Cpu, Isa, KvType};
use crate::compute::cuda::Cuda;
use crate::compute::cuda::device::Device;
use crate::compute::reference::Reference;
use crate::compute::{Backend, ComputeError, Interrupt};
use crate::config::{self, Config, Count, Reply};
use crate::conversation::{EngineEvents, Past, QuoteModel, Setup};
use crate::engine::{
    Cut, Engine, EngineOptions, GenerateOptions, Identity, Network, Sampling, Snapshots, Speculate, State, Submit,
    Vocabulary,
};
use crate::model::{Checkpoint, ModelConfig, ModelWeights, SamplingDefaults, TensorView, bundled};
use crate::tui::format;

/// Memory for the places in the documents that a change to them can go on from, in bytes.
pub(super) const PLACES_MEMORY: usize = 1 << 30;
pub(super) const MOST_PLACES: usize = 64;
/// Memory for the activations of a slab if nothing is said, in bytes.
const ACTIVATION_MEMORY: usize = 64 << 20;

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
    Cuda(Box<Network<Cuda<Device>>>),
}

pub(super) fn network(model: &config::Model, checkpoint: &Checkpoint) -> Result<AnyNetwork, ComputeError> {
    let card = card::open(model, &checkpoint.config, &checkpoint.weights);
    network_on(card, model, &checkpoint.config, &checkpoint.weights)
}

/// On a card, if one was opened and takes the model; else on what is set.
pub(super) fn network_on(
    card: Option<card::Card>,
    model: &config::Model,
    config: &ModelConfig,
    weights: &ModelWeights<TensorView>,
) -> Result<AnyNetwork, ComputeError> {
    let (config, weights) = (config.clone(), weights.clone());
    if let Some(card) = card {
        let mut cuda = Cuda::new(card.device)
            .with_kv_cache(kv_type(model))
            .with_context(card.context);
        for (device, weights) in card.others {
            cuda = cuda.with_card(device, weights);
        }
        if let Some(bytes) = &card.experts {
            cuda = cuda.with_experts_in(bytes, threads(model)?);
        }
        match Network::new(cuda, config.clone(), weights.clone()).and_then(tried) {
            Ok(network) => return Ok(AnyNetwork::Cuda(Box::new(network))),
            // What can fail is the card: the processor has the same weights.
            Err(error) => card::say_once(&error.to_string()),
        }
    }
    Ok(match model.backend {
        config::Backend::Reference => AnyNetwork::Reference(Box::new(Network::new(Reference, config, weights)?)),
        config::Backend::Auto | config::Backend::Cpu | config::Backend::Cuda => {
            AnyNetwork::Cpu(Box::new(Network::new(cpu(model, &weights)?, config, weights)?))
        }
    })
}

/// A network that has passed a tile and a token, with numbers at the end. What a card does wrong at all it does at once.
fn tried<B: Backend>(network: Network<B>) -> Result<Network<B>, ComputeError> {
    const TILE: usize = 8;
    let mut state = State::new(&network)?;
    let ids: Vec<u32> = (0..TILE).map(|i| (i % network.config().vocab) as u32).collect();
    let mut are_numbers = true;
    for ids in [&ids[..], &ids[..1]] {
        network.advance(&mut state, ids, 1, &Interrupt::new(), |_, logits| {
            are_numbers &= logits.iter().all(|x| x.is_finite());
        })?;
    }
    drop(state);
    if are_numbers {
        return Ok(network);
    }
    Err(ComputeError::Backend(
        "the graphics card gives what is no number: `thunderhead bench --card` says which of its kernels are wrong"
            .to_owned(),
    ))
}

/// The CPU as it is set up.
fn cpu(model: &config::Model, weights: &ModelWeights<TensorView>) -> Result<Cpu, ComputeError> {
    let cpu = threads(model)?;
    Ok(if is_mapped(model, weights) { cpu.in_place() } else { cpu })
}

/// Its threads, instructions and cache, whatever is said of weights.
fn threads(model: &config::Model) -> Result<Cpu, ComputeError> {
    let cpu = Cpu::new(model.threads.size())?;
    Ok(cpu.with_isa(isa(model)).with_kv_cache(kv_type(model)))
}

/// How keys and values are stored.
pub(super) fn kv_type(model: &config::Model) -> KvType {
    match (model.backend, model.kv_cache) {
        (config::Backend::Reference, _) | (_, config::KvCache::F32) => KvType::F32,
        (_, config::KvCache::Auto) => KvType::Auto,
        (_, config::KvCache::Bf16) => KvType::Bf16,
        (_, config::KvCache::Q8) => KvType::Q8,
    }
}

/// Instructions to use; what this architecture does not have is taken as `auto`.
pub(super) fn isa(model: &config::Model) -> Isa {
    match model.simd {
        config::Simd::Portable => Isa::Portable,
        #[cfg(target_arch = "x86_64")]
        config::Simd::Avx512 => Isa::Avx512,
        #[cfg(target_arch = "x86_64")]
        config::Simd::Avx2 => Isa::Avx2,
        #[cfg(target_arch = "aarch64")]
        config::Simd::Neon => Isa::Neon,
        _ => Isa::detect(),
    }
}

/// Whether quantised weights are used where they lie.
fn is_mapped(model: &config::Model, weights: &ModelWeights<TensorView>) -> bool {
    match model.weights {
        config::Weights::Packed => false,
        config::Weights::Mapped => true,
        config::Weights::Auto => {
            // A quarter is left for keys and values, activations and the rest of the program.
            let free = memory::available().unwrap_or(usize::MAX);
            weights.bytes() > free / 4 * 3
        }
    }
}

/// The longest context: as set, else what the model was made for.
pub(super) fn context_limit(model: &config::Model, checkpoint: &Checkpoint) -> usize {
    let set = model.max_context.given().map(Count::size);
    set.unwrap_or(checkpoint.config.max_positions)
}

/// Slabs as long as the activations may take memory for.
pub(super) fn cut(model: &config::Model, checkpoint: &Checkpoint) -> Cut {
    cut_of(model, &checkpoint.config, &checkpoint.weights)
}

/// The same of a model that is not a checkpoint.
pub(super) fn cut_of(model: &config::Model, config: &ModelConfig, weights: &ModelWeights<TensorView>) -> Cut {
    let tile = model.tile.size();
    let memory = match model.activation_memory.given() {
        Some(mib) => mib.size().saturating_mul(1 << 20),
        None if is_mapped(model, weights) => memory::available().unwrap_or(0) / 4,
        None => ACTIVATION_MEMORY,
    };
    let token = config.hidden * size_of::<f32>();
    Cut {
        tile,
        slab: (memory / token.max(1)).max(tile),
    }
}

/// What the model runs on, in words.
pub(super) fn placement(card: Option<&card::Card>, model: &config::Model) -> String {
    if let Some(card) = card {
        return card.words();
    }
    if model.backend == config::Backend::Reference {
        return "reference".to_owned();
    }
    let threads = match model.threads.size() {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    };
    format!(
        "{}, {}",
        format::counted(threads, "thread"),
        isa(model).or_best().name()
    )
}

/// A conversation that is ready to be started, and what to call its model.
pub(super) struct Loaded {
    pub name: String,
    /// What the model runs on, in words.
    pub placement: String,
    pub setup: Setup,
    /// To be held until the program ends.
    pub kept: Leaving,
}

/// Before a program ends, what the model has read is written to the end.
pub(super) struct Leaving(Option<Arc<Snapshots>>);

/// So long nothing is said about it.
const WRITING: Duration = Duration::from_secs(1);

impl Drop for Leaving {
    fn drop(&mut self) {
        let Some(snapshots) = &self.0 else { return };
        if !snapshots.wait(Some(Instant::now() + WRITING)) {
            let bytes = format::bytes(snapshots.waiting());
            let _ = writeln!(
                io::stderr(),
                "keeping what was read, so that it is not read again: {bytes} to write. Ctrl-C leaves it"
            );
            // Nobody hears of a cancel any more.
            let _ = signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::new(AtomicBool::new(true)));
            snapshots.wait(None);
        }
        if let Some(trouble) = snapshots.trouble() {
            let _ = writeln!(
                io::stderr(),
                "note: what was read could not be kept for the next time: {trouble}"
            );
        }
    }
}

/// Where what the model reads is kept, if it is.
fn kept(config: &Config) -> Result<Option<Arc<Snapshots>>, CliError> {
    let folder = selection::snapshots(&config.snapshots);
    let opened = folder.map(|folder| Snapshots::open(&folder, config.snapshots.budget.0));
    let opened = opened.transpose();
    let opened = opened.map_err(|error| CliError::Engine(format!("cannot start a thread: {error}")))?;
    Ok(opened.map(Arc::new))
}

pub(super) fn conversation(paths: &[PathBuf], config: &Config) -> Result<Loaded, CliError> {
    let checkpoint = checkpoint(config.model.path.given().as_deref())?;
    let tokenizer = checkpoint.tokenizer()?;
    let chat_template = checkpoint.chat_template()?.map(|template| {
        if config.reply.forget_thinking {
            template.without_thinking()
        } else {
            template
        }
    });
    let eos = checkpoint.eos()?;
    let quote = QuoteModel::recognise(&tokenizer, chat_template.is_some());
    let layout = selection::layout(quote.as_ref(), &config.documents)?;
    let defaults = if quote.is_some() {
        SamplingDefaults::GREEDY
    } else {
        checkpoint.sampling_defaults()?
    };
    let context_limit = context_limit(&config.model, &checkpoint);
    let engine_tokenizer = tokenizer.clone();
    let name = checkpoint.name.clone();
    let model = config.model.clone();
    let snapshots = kept(config)?;
    let (keeping, called) = (snapshots.clone(), name.clone());
    // What there is to say of a card is said before the application has the screen.
    let card = card::open(&model, &checkpoint.config, &checkpoint.weights);
    let placement = placement(card.as_ref(), &model);
    let cut = card.as_ref().map_or_else(|| cut(&model, &checkpoint), |card| card.cut);
    let places = card
        .as_ref()
        .map_or(PLACES_MEMORY, card::Card::places)
        .min(PLACES_MEMORY);
    let places = places / checkpoint.config.lightning_state_bytes().max(1);
    let start_engine = move |events: EngineEvents| -> Result<Box<dyn Submit>, ComputeError> {
        let network = network_on(card, &model, &checkpoint.config, &checkpoint.weights)?;
        // Without knowing which checkpoint it is nothing can be kept of it.
        let keeping = keeping.and_then(|snapshots| {
            let fingerprint = checkpoint.fingerprint().ok()?;
            let name = called;
            Some((snapshots, Identity { fingerprint, name }))
        });
        let vocabulary = Vocabulary {
            tokenizer: engine_tokenizer,
            eos,
            unused: checkpoint.unused_ids(),
        };
        let options = EngineOptions { cut, context_limit };
        match network {
            AnyNetwork::Cpu(network) => engine(*network, vocabulary, &options, keeping, events),
            AnyNetwork::Reference(network) => engine(*network, vocabulary, &options, keeping, events),
            AnyNetwork::Cuda(network) => engine(*network, vocabulary, &options, keeping, events),
        }
    };
    Ok(Loaded {
        name,
        placement,
        kept: Leaving(snapshots),
        setup: Setup {
            selection: selection::selection(paths, &config.documents),
            layout,
            cache: selection::cache(&config.documents),
            tokenizer,
            chat_template,
            context_limit,
            places: places.min(MOST_PLACES),
            watch: false,
            options: generate_options(&config.reply, defaults),
            grounded: !config.reply.free,
            past: Past::default(),
            start_engine: Box::new(start_engine),
        },
    })
}

fn engine<B: Backend>(
    network: Network<B>,
    vocabulary: Vocabulary,
    options: &EngineOptions,
    snapshots: Option<(Arc<Snapshots>, Identity)>,
    events: EngineEvents,
) -> Result<Box<dyn Submit>, ComputeError> {
    let engine = Engine::start_with(network, vocabulary, options, snapshots, events)?;
    Ok(Box::new(engine))
}

fn generate_options(reply: &Reply, defaults: SamplingDefaults) -> GenerateOptions {
    GenerateOptions {
        sampling: Sampling {
            temperature: reply.temperature.given().map_or(defaults.temperature, |t| t.0),
            top_k: reply.top_k.given().map_or(defaults.top_k, Count::size),
            top_p: reply.top_p.given().map_or(defaults.top_p, |p| p.0),
            min_p: reply.min_p.0,
            seed: reply.seed.given().map_or_else(seed_of_now, |seed| seed.0),
        },
        max_tokens: reply.max_tokens.size(),
        thinking_budget: reply.thinking_budget.size(),
        loop_guard: reply.loop_guard.size(),
        speculate: match reply.draft.given().map(Count::size) {
            None => Speculate::Adaptive,
            Some(0) => Speculate::Off,
            Some(length) => Speculate::Always(length),
        },
        ..GenerateOptions::default()
    }
}

/// A seed that differs from run to run.
fn seed_of_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}
