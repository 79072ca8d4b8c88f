//! The command line: one file a subcommand.

mod args;
mod error;
mod generate;
mod load;
mod score;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Arguments, Command};
use self::error::CliError;

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            error::report(&error);
            error.exit_code()
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, CliError> {
    match arguments.command {
        Some(Command::Score(command)) => score::run(&command),
        Some(Command::Completions { shell }) => generate::completions(shell),
        Some(Command::Man { directory }) => generate::man(directory.as_deref()),
        None => Err(CliError::Input("not yet".into())),
    }
}
