//! `thunderhead plan`: what a model needs and how fast it would be, before anything is downloaded.

mod text;

use std::io::{self, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::error::CliError;
use super::{load, memory};
use crate::compute::cpu::ceilings::Ceilings;
use crate::compute::cuda::device::{CardInfo, Presence, presence};
use crate::config::{self, Config, Size};
use crate::plan::{CARDS, Card, Host, Machine, Precision, Question, Subject};

/// What a disk reads a second if nothing is said: one of the fourth generation on the bus.
const DISK: &str = "7G";

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// A folder of a model, its config.json, a GGUF file or the beginning of one, or a name: MiniMax-M1, Ring-mini-linear-2.0,
    /// Ring-flash-linear-2.0, Ling-2.6-flash.
    #[arg(value_name = "MODEL", value_hint = ValueHint::AnyPath)]
    pub subject: String,
    /// Memory of each card, as 24G [default: that of --card, else of the cards that are in this machine].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub vram: Option<Size>,
    /// Which card it is, as "RTX 4090" [default: the commonest with so much memory].
    #[arg(long, value_name = "NAME", value_parser = card)]
    pub card: Option<Card>,
    /// How many of these cards there are; 0 plans without one.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub gpus: u32,
    /// Memory of the machine [default: that of this one].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub ram: Option<Size>,
    /// Longest context in tokens, as 1M or 128K [default: 1M, or what the model was made for if that is less].
    #[arg(long, value_name = "N", value_parser = size)]
    pub context: Option<Size>,
    /// What weights are stored as: a type of `thunderhead convert`, or a number of bits [default: as in a GGUF file, else `q4_k`].
    #[arg(long = "type", value_name = "TYPE|BITS", value_parser = precision)]
    pub precision: Option<Precision>,
    /// How keys and values are stored; `auto` is bf16 for the first 131,072 tokens and q8 beyond.
    #[arg(long, value_enum, default_value = "auto")]
    pub kv_cache: super::args::KvCacheName,
    /// What the disk reads a second.
    #[arg(long, value_name = "SIZE", default_value = DISK, value_parser = size)]
    pub disk: Size,
    /// Go by what this machine's processor and memory do: measured now, or read from a file that `thunderhead bench --ceilings
    /// --json` wrote, of which the last line counts [default: a desktop's].
    #[arg(long, value_name = "FILE", num_args = 0..=1, value_hint = ValueHint::FilePath)]
    #[allow(clippy::option_option, reason = "a flag with a value that may be left out")]
    pub ceilings: Option<Option<PathBuf>>,
    /// Print one JSON object instead, with sizes in bytes and times in seconds.
    #[arg(long)]
    pub json: bool,
}

fn size(text: &str) -> Result<Size, String> {
    let size = Size::parse(text).filter(|size| size.0 > 0);
    size.ok_or_else(|| "expected a size such as 24G, 512M or 131072".to_owned())
}

fn card(text: &str) -> Result<Card, String> {
    Card::named(text).ok_or_else(|| {
        let names: Vec<_> = CARDS.iter().map(|card| card.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn precision(text: &str) -> Result<Precision, String> {
    Precision::parse(text).ok_or_else(|| "expected a type such as q4_k, or a number of bits from 0.5 to 32".to_owned())
}

pub(super) fn run(args: &PlanArgs, config: &Config) -> Result<ExitCode, CliError> {
    let subject = Subject::open(&args.subject)?;
    let most = subject.anatomy.max_positions.min(1 << 20);
    let context = args
        .context
        .map_or(most, |size| usize::try_from(size.0).unwrap_or(usize::MAX));
    if context > 1 << 30 {
        return Err(CliError::Usage(format!(
            "--context: {context} tokens; expected at most 1G"
        )));
    }
    let cards = match (args.card, args.vram) {
        (None, None) => own_cards(args.gpus as usize),
        (Some(card), None) => vec![card; args.gpus as usize],
        (None, Some(vram)) => vec![Card::with_memory(vram.0 as f64); args.gpus as usize],
        (Some(card), Some(vram)) => {
            let vram = vram.0 as f64;
            vec![Card { vram, ..card }; args.gpus as usize]
        }
    };
    let plan = Question {
        subject,
        precision: args.precision,
        machine: Machine {
            cards,
            host: host(args, &config.model)?,
        },
        context: context.max(1),
        kv_cache: load::kv_type(&config.model),
    }
    .answer();
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &plan).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        out.write_all(text::text(&plan).as_bytes())?;
    }
    // As `pack` says of documents: it does not fit.
    Ok(if plan.placement.fits() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(4)
    })
}

/// Cards of this machine.
fn own_cards(most: usize) -> Vec<Card> {
    // Without one asked for, no driver is looked for.
    let Presence::Present { cards, .. } = (if most > 0 { presence() } else { Presence::Missing }) else {
        return Vec::new();
    };
    let card = |info: &CardInfo| {
        let vram = info.memory as f64;
        let known = Card::named(&info.name).unwrap_or(Card {
            name: "card of this machine",
            ..Card::with_memory(vram)
        });
        Card { vram, ..known }
    };
    cards.iter().take(most).map(card).collect()
}

fn host(args: &PlanArgs, model: &config::Model) -> Result<Host, CliError> {
    let ram = args
        .ram
        .map_or_else(|| memory::total().unwrap_or(16 << 30) as f64, |size| size.0 as f64);
    let mut host = Host {
        disk: args.disk.0 as f64,
        ..Host::desktop(ram)
    };
    let ceilings = match &args.ceilings {
        None => return Ok(host),
        Some(Some(file)) => last_line(file)?,
        Some(None) => {
            let threads = match model.threads.size() {
                0 => std::thread::available_parallelism().map_or(1, NonZero::get),
                threads => threads,
            };
            Ceilings::measure(threads, load::isa(model).or_best())
        }
    };
    host.memory = ceilings.read;
    host.compute = ceilings
        .int8
        .or(ceilings.bf16)
        .unwrap_or(ceilings.f32)
        .max(ceilings.f32);
    host.measured = true;
    Ok(host)
}

fn last_line(file: &Path) -> Result<Ceilings, CliError> {
    let wrong = |what: String| {
        CliError::Input(format!(
            "{}: {what}; expected what `thunderhead bench --ceilings --json` prints",
            file.display()
        ))
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    let line = line.ok_or_else(|| wrong("it is empty".to_owned()))?;
    let ceilings: Ceilings = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
    if ceilings.read > 0.0 && ceilings.f32 > 0.0 {
        Ok(ceilings)
    } else {
        Err(wrong("figures that are not positive".to_owned()))
    }
}

/// The names in the help are those that are known.
#[cfg(test)]
#[test]
fn names_are_in_the_help() {
    use clap::CommandFactory;
    let mut program = super::args::Arguments::command();
    let help = program
        .find_subcommand_mut("plan")
        .expect("it is a subcommand")
        .render_long_help();
    for name in crate::plan::NAMES {
        assert!(help.to_string().contains(name), "{name}");
    }
}
