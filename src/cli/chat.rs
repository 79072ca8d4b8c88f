//! `thunderhead [PATH…]`: the interactive application.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::args::ChatArgs;
use super::error::CliError;
use super::load::{self, Loaded};
use crate::config::{Config, Screen};
use crate::conversation::{QuoteModel, start};
use crate::tui;

pub(super) fn run(args: &ChatArgs, config: Config) -> Result<ExitCode, CliError> {
    let plain = is_plain(args.plain, config.ui.screen, super::environment("TERM").as_deref());
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !plain && !terminal {
        return Err(CliError::Usage(
            "the application needs a terminal. Without one, use `thunderhead --plain PATH…` or `thunderhead ask -p QUESTION \
             PATH…`"
                .to_owned(),
        ));
    }
    let paths = &args.conversation.paths;
    if plain && paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(CliError::Usage(
            "with --plain, questions are read from standard input; a document cannot be".to_owned(),
        ));
    }
    let mut loaded = load::conversation(paths, &config)?;
    let setup = &loaded.setup;
    let finds_and_quotes = QuoteModel::recognise(&setup.tokenizer, setup.chat_template.is_some()).is_some();
    let note = if finds_and_quotes {
        format!(
            "{} is a demonstration: it does not understand. {}",
            loaded.name,
            crate::conversation::HOW_TO_ASK
        )
    } else {
        String::new()
    };
    if plain {
        return super::plain::run(loaded, &note, &config);
    }
    loaded.setup.watch = true;
    let Loaded {
        name,
        setup,
        kept: _kept,
    } = loaded;
    let paths: Vec<String> = setup.selection.paths.iter().map(|p| p.display().to_string()).collect();
    let tokenizer = setup.tokenizer.clone();
    let options = tui::Options {
        count: Some(tui::Counter::new(move |text| tokenizer.encode(text).len())),
        model: name,
        placement: load::placement(&config.model),
        note,
        paths: paths.join(" "),
        settings: config,
        opening: Vec::new(),
        again: words(),
    };
    let outcome = tui::run(options, |sink| start(setup, sink))?;
    Ok(ExitCode::from(outcome.code as u8))
}

/// Whether lines are printed instead of taking the terminal.
fn is_plain(flag: bool, screen: Screen, terminal: Option<&str>) -> bool {
    match screen {
        _ if flag => true,
        Screen::Plain => true,
        Screen::Full => false,
        Screen::Auto => cfg!(unix) && matches!(terminal, None | Some("" | "dumb")),
    }
}

/// The command line; none if it cannot be shown as text.
pub(super) fn words() -> Vec<String> {
    let words: Result<_, _> = std::env::args_os().map(std::ffi::OsString::into_string).collect();
    words.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_that_can_do_no_more_get_lines() {
        assert!(is_plain(true, Screen::Full, Some("xterm")));
        assert!(is_plain(false, Screen::Plain, Some("xterm")));
        assert!(!is_plain(false, Screen::Full, Some("dumb")));
        assert_eq!(is_plain(false, Screen::Auto, Some("dumb")), cfg!(unix));
        assert!(!is_plain(false, Screen::Auto, Some("xterm-256color")));
    }
}
