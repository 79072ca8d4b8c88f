//! `thunderhead themes`: the built-in ones and one's own, and whether they are right.

use std::io::{self, Write};
use std::process::ExitCode;

use super::args::ThemesCommand;
use super::error::CliError;
use crate::tui::{Choice, Library};

pub(super) fn run(command: Option<&ThemesCommand>) -> Result<ExitCode, CliError> {
    let library = Library::of_person(super::environment);
    let mut out = io::stdout().lock();
    match command {
        None => {
            let choices = library.choices();
            let widest = choices.iter().map(|choice| choice.name.len()).max().unwrap_or(0);
            for Choice { name, about, theme } in choices {
                let about = if theme.is_ok() {
                    about
                } else {
                    "wrong; `thunderhead themes check NAME` says why".to_owned()
                };
                writeln!(out, "{name:widest$}  {about}")?;
            }
        }
        Some(ThemesCommand::Show { name }) => {
            let text = library.text(name).map_err(|error| CliError::Usage(error.to_string()))?;
            out.write_all(text.as_bytes())?;
        }
        Some(ThemesCommand::Check { themes }) => {
            let mut wrong = Vec::new();
            for name in themes {
                match library.load(name) {
                    Ok(_) => writeln!(out, "{name}: right")?,
                    Err(error) => wrong.push(error.to_string()),
                }
            }
            if !wrong.is_empty() {
                return Err(CliError::Usage(wrong.join("\n")));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
