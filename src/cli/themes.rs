//! `thunderhead themes`: the built-in ones, and whether one's own is right.

use std::io::{self, Write};
use std::process::ExitCode;

use super::args::ThemesCommand;
use super::error::CliError;
use crate::tui::{Theme, theme_description, theme_names, theme_source};

pub(super) fn run(command: Option<&ThemesCommand>) -> Result<ExitCode, CliError> {
    let mut out = io::stdout().lock();
    match command {
        None => {
            let widest = theme_names().map(str::len).max().unwrap_or(0);
            for name in theme_names() {
                writeln!(out, "{name:widest$}  {}", theme_description(name).unwrap_or_default())?;
            }
        }
        Some(ThemesCommand::Show { name }) => {
            let source = theme_source(name).map_err(|error| CliError::Usage(error.to_string()))?;
            out.write_all(source.as_bytes())?;
        }
        Some(ThemesCommand::Check { files }) => {
            let mut wrong = Vec::new();
            for file in files {
                let name = file.display().to_string();
                let theme = std::fs::read_to_string(file)
                    .map_err(|error| format!("{name}: cannot be read: {error}"))
                    .and_then(|source| Theme::parse(&name, &source).map_err(|error| error.to_string()));
                match theme {
                    Ok(_) => writeln!(out, "{name}: right")?,
                    Err(error) => wrong.push(error),
                }
            }
            if !wrong.is_empty() {
                return Err(CliError::Usage(wrong.join("\n")));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
