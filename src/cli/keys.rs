//! `thunderhead keys`: every key of the application.

use std::io::{self, Write};
use std::process::ExitCode;

use super::error::CliError;
use crate::tui::Keymap;

pub(super) fn run() -> Result<ExitCode, CliError> {
    let mut out = io::stdout().lock();
    let mut context = "";
    for bound in Keymap::default().bindings() {
        if bound.context != context {
            let gap = if context.is_empty() { "" } else { "\n" };
            context = bound.context;
            writeln!(out, "{gap}[keys.{context}]")?;
        }
        let binding = format!("\"{}\" = \"{}\"", bound.keys, bound.action);
        writeln!(out, "{binding:44} # {}", bound.help)?;
    }
    Ok(ExitCode::SUCCESS)
}
