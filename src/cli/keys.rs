//! `thunderhead keys`: every key of the application.

use std::io::{self, Write};
use std::process::ExitCode;

use super::error::CliError;
use crate::config::Config;
use crate::tui::Keymap;

pub(super) fn run(config: &Config) -> Result<ExitCode, CliError> {
    let mut out = io::stdout().lock();
    let mut context = "";
    for bound in Keymap::with(&config.keys).0.bindings() {
        if bound.context != context {
            let gap = if context.is_empty() { "" } else { "\n" };
            context = bound.context;
            writeln!(out, "{gap}[keys.{context}]")?;
        }
        // TOML's basic strings; no key is written with other characters that are special in them.
        let keys = bound.keys.replace('\\', "\\\\").replace('"', "\\\"");
        let binding = format!("\"{keys}\" = \"{}\"", bound.action);
        writeln!(out, "{binding:44} # {}", bound.help)?;
    }
    Ok(ExitCode::SUCCESS)
}
