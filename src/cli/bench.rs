//! `thunderhead bench`: how fast a model is on this machine, and how fast it could be.

use std::io::{self, IsTerminal, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use super::args::BenchArgs;
use super::error::CliError;
use super::load::{self, AnyNetwork};
use super::progress::Progress;
use crate::bench::kernels::{M1, Sizes, kernels};
use crate::bench::{Case, Footprint, Plan, Report, measure, report, save, synthetic};
use crate::compute::cpu::ceilings::Ceilings;
use crate::compute::cpu::simd::Isa;
use crate::compute::cuda::device::Device;
use crate::compute::{Backend, ComputeError, Interrupt};
use crate::config::{self, Config};
use crate::engine::Network;
use crate::model::{ModelConfig, ModelWeights, TensorView};
use crate::tui::format;

pub(super) fn run(args: &BenchArgs, config: &Config) -> Result<ExitCode, CliError> {
    let threads = threads(&config.model);
    let isa = load::isa(&config.model).or_best();
    if args.ceilings {
        return all_ceilings(threads, isa, args.json);
    }
    if args.card {
        return all_kernels(args, &config.model);
    }
    let Subject {
        name,
        config: shape,
        weights,
    } = subject(args, &config.model)?;
    if let Some(path) = &args.write_gguf {
        return write(args, &shape, &weights, path);
    }
    let ceilings = (!args.no_ceilings).then(|| Ceilings::measure(threads, isa));
    let dtype = weights.layers.first().and_then(|layer| layer.moe.experts.first());
    let dtype = dtype.map_or(weights.embedding.dtype(), |expert| expert.gate.dtype());
    let card = super::card::open(&config.model, &shape, &weights);
    let cut = card
        .as_ref()
        .map_or_else(|| load::cut_of(&config.model, &shape, &weights), |card| card.cut);
    let mut report = Report {
        model: name,
        weights: dtype.name().to_owned(),
        footprint: Footprint::of(&shape, &weights, load::kv_type(&config.model)),
        backend: load::placement(card.as_ref(), &config.model),
        card: None,
        threads,
        tile: cut.tile,
        slab: cut.slab,
        ceilings,
        ceiling: ceilings.map(|ceilings| report::ceiling_of(dtype, &ceilings)),
        rows: Vec::new(),
    };
    let plan = Plan {
        cases: cases(args),
        runs: args.runs,
        cut,
    };
    let network = load::network_on(card, &config.model, &shape, &weights)?;
    // Those that were made for this and are held in another order now are not kept twice.
    drop(weights);
    let ended = match network {
        AnyNetwork::Cpu(network) => on(&network, &plan, &mut report),
        AnyNetwork::Reference(network) => on(&network, &plan, &mut report),
        AnyNetwork::Cuda(network) => on(&network, &plan, &mut report),
    };
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        out.write_all(report.text().as_bytes())?;
    }
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(CliError::Compute(ComputeError::Interrupted(_))) => Ok(ExitCode::from(128 + SIGINT as u8)),
        Err(error) => Err(error),
    }
}

/// What is measured.
struct Subject {
    name: String,
    config: ModelConfig,
    weights: ModelWeights<TensorView>,
}

fn subject(args: &BenchArgs, model: &config::Model) -> Result<Subject, CliError> {
    let Some(shape) = &args.synthetic else {
        let checkpoint = load::checkpoint(model.path.given().as_deref())?;
        return Ok(Subject {
            name: checkpoint.name,
            config: checkpoint.config,
            weights: checkpoint.weights,
        });
    };
    if !shape.holds(args.dtype.0) {
        return Err(CliError::Usage(format!(
            "{} cannot be stored as {}: its rows are not whole blocks of {} numbers. Choose a type with smaller blocks, \
             such as q8_0.",
            shape.name,
            args.dtype.0.name(),
            args.dtype.0.block()
        )));
    }
    let config = shape.config();
    let weights = synthetic(&config, args.dtype.0);
    Ok(Subject {
        name: format!("{} (random weights)", shape.name),
        config,
        weights,
    })
}

/// Saves the random model of `args`.
fn write(
    args: &BenchArgs,
    config: &ModelConfig,
    weights: &ModelWeights<TensorView>,
    path: &Path,
) -> Result<ExitCode, CliError> {
    let name = args.synthetic.map_or("random", |shape| shape.name);
    let bytes = save(name, config, weights, args.dtype.0, path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    writeln!(io::stdout(), "{}: {}", path.display(), format::bytes(bytes))?;
    Ok(ExitCode::SUCCESS)
}

fn cases(args: &BenchArgs) -> Vec<Case> {
    let prompts = args.prompt.iter().filter(|tokens| **tokens > 0);
    let prefills = prompts.map(|&tokens| Case::Prefill { tokens });
    let depths = args.depth.iter().filter(|_| args.generate > 0);
    let decodes = depths.map(|&depth| Case::Decode {
        tokens: args.generate,
        depth,
    });
    prefills.chain(decodes).collect()
}

fn on<B: Backend>(network: &Network<B>, plan: &Plan, report: &mut Report) -> Result<(), CliError> {
    let interrupt = Interrupt::new();
    raise_on_signal(interrupt.clone())?;
    let mut progress = Progress::new(io::stderr().is_terminal());
    let ended = measure(
        network,
        plan,
        &interrupt,
        &mut |step| progress.bench(&step),
        &mut |measurement| report.push(network.config(), measurement),
    );
    progress.clear();
    report.card = network.residency();
    Ok(ended?)
}

/// The first Ctrl-C ends the measuring, a second one the program.
fn raise_on_signal(interrupt: Interrupt) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            if interrupt.is_raised() {
                let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
            }
            interrupt.raise();
        }
    })?;
    Ok(())
}

fn all_ceilings(threads: usize, isa: Isa, json: bool) -> Result<ExitCode, CliError> {
    let mut out = io::stdout().lock();
    for threads in doubling(threads) {
        let ceilings = Ceilings::measure(threads, isa);
        if json {
            serde_json::to_writer(&mut out, &ceilings).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", report::ceilings(&ceilings))?;
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks and times the kernels of a card.
fn all_kernels(args: &BenchArgs, model: &config::Model) -> Result<ExitCode, CliError> {
    let device = Device::open(super::card::options(model))?;
    let name = device.info().name.clone();
    let sizes = Sizes {
        shape: args.synthetic.unwrap_or(M1),
        tokens: args.prompt.iter().copied().max().unwrap_or(0).max(8),
        depth: args.depth.iter().copied().max().unwrap_or(0),
    };
    let mut progress = Progress::new(io::stderr().is_terminal());
    let report = kernels(device, &name, &sizes, &mut |step| progress.line(|| step.to_owned()));
    progress.clear();
    let report = report?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        out.write_all(report.text().as_bytes())?;
    }
    if report.is_right() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(CliError::Engine(
        "the card does not compute what it should: use --backend cpu, and report the lines that are WRONG".to_owned(),
    ))
}

/// 1, 2, 4 and so on, and `threads` itself.
fn doubling(threads: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = std::iter::successors(Some(1), |n| Some(n * 2))
        .take_while(|n| *n < threads)
        .collect();
    counts.push(threads);
    counts
}

fn threads(model: &config::Model) -> usize {
    match model.threads.size() {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_are_measured_for_powers_of_two_and_all_threads() {
        assert_eq!(doubling(1), [1]);
        assert_eq!(doubling(2), [1, 2]);
        assert_eq!(doubling(6), [1, 2, 4, 6]);
    }
}
