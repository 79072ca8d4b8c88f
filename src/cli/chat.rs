//! `thunderhead [PATH…]`: the interactive application.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::args::ChatArgs;
use super::error::CliError;
use super::load::{self, Loaded};
use crate::config::Config;
use crate::conversation::{QuoteModel, start};
use crate::tui;

pub(super) fn run(args: &ChatArgs, config: Config) -> Result<ExitCode, CliError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(CliError::Usage(
            "the application needs a terminal. Without one, use `thunderhead ask -p QUESTION PATH…`".to_owned(),
        ));
    }
    let Loaded { name, mut setup } = load::conversation(&args.conversation.paths, &config)?;
    setup.watch = true;
    let finds_and_quotes = QuoteModel::recognise(&setup.tokenizer, setup.chat_template.is_some()).is_some();
    let note = if finds_and_quotes {
        format!(
            "{name} is a demonstration: it does not understand. {}",
            crate::conversation::HOW_TO_ASK
        )
    } else {
        String::new()
    };
    let paths: Vec<String> = setup.selection.paths.iter().map(|p| p.display().to_string()).collect();
    let options = tui::Options {
        model: name,
        note,
        paths: paths.join(" "),
        settings: config,
        colour: super::colour(),
        opening: Vec::new(),
        again: words(),
    };
    let outcome = tui::run(options, |sink| start(setup, sink))?;
    Ok(ExitCode::from(outcome.code as u8))
}

/// The command line; none if it cannot be shown as text.
pub(super) fn words() -> Vec<String> {
    let words: Result<_, _> = std::env::args_os().map(std::ffi::OsString::into_string).collect();
    words.unwrap_or_default()
}
