//! The command line: one file a subcommand.

mod args;
mod ask;
mod bench;
mod cache;
mod card;
mod chat;
mod config;
mod convert;
mod doctor;
mod error;
mod generate;
mod kept;
mod keys;
mod load;
mod memory;
mod pack;
mod plain;
mod plan;
mod progress;
mod score;
mod selection;
mod sessions;
mod subcommand_first;
mod themes;
mod unsaved;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use self::args::{Arguments, Command};
use self::config::Sources;
use self::error::CliError;
use self::subcommand_first::subcommand_first;
use crate::context::{PDF_READER, extract_pdf};

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = pdf_reader() {
        return code;
    }
    let mut program = Arguments::command();
    program.build();
    let words = subcommand_first(&program, std::env::args_os());
    let matches = program.get_matches_from(words);
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(arguments, leaf(&matches)) {
        Ok(code) => code,
        Err(error) => {
            error::report(&error);
            error.exit_code()
        }
    }
}

/// The matches of the subcommand that was chosen, if one was.
fn leaf(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| leaf(inner))
}

fn run(arguments: Arguments, matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let sources = Sources::new(arguments.config.as_deref(), matches);
    match arguments.command {
        Some(Command::Sessions { command, .. }) => sessions::run(&command, &sources),
        Some(Command::Score(command)) => score::run(&command, &sources.settings()?),
        Some(Command::Convert(command)) => convert::run(&command, &sources.settings()?),
        Some(Command::Bench(command)) => bench::run(&command, &sources.settings()?),
        Some(Command::Plan(command)) => plan::run(&command, &sources.settings()?),
        Some(Command::Doctor(command)) => doctor::run(&command, &sources.settings()?),
        Some(Command::Cache(command)) => cache::run(&command.command, &sources.settings()?),
        Some(Command::Keys) => keys::run(&sources.settings()?),
        Some(Command::Themes { command }) => themes::run(command.as_ref()),
        Some(Command::Config(command)) => config::run(&command, &sources),
        Some(Command::Completions { shell }) => generate::completions(shell),
        Some(Command::Man { directory }) => generate::man(directory.as_deref()),
        Some(Command::Ask(command)) => ask::run(&command, &sources),
        Some(Command::Pack(command)) => pack::run(&command, &sources.settings()?),
        None => chat::run(&arguments.chat, &sources),
    }
}

/// Is the PDF reader if that is how this process was started by another of the program. No command for people, and so in no
/// help, manual or completion.
fn pdf_reader() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != PDF_READER {
        return None;
    }
    let mut next = || words.next()?.into_string().ok();
    let (word, seconds, memory) = (next()?, next()?.parse().ok()?, next()?.parse().ok()?);
    Some(extract_pdf(&word, seconds, memory))
}

/// A variable of the process.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether colours and dimming are wanted (<https://no-color.org>).
fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
