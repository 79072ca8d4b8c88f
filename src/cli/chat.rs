//! `thunderhead [PATH…]`: the interactive application.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use super::args::{ChatArgs, ConversationArgs};
use super::config::Sources;
use super::error::CliError;
use super::kept::{self, Kept, Reader};
use crate::config::Screen;
use crate::conversation::{HOW_TO_ASK, QuoteModel, Setup};
use crate::tui::{self, Next};

pub(super) fn run(args: &ChatArgs, sources: &Sources) -> Result<ExitCode, CliError> {
    let config = sources.settings()?;
    let plain = is_plain(args.plain, config.ui.screen, super::environment("TERM").as_deref());
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !plain && !terminal {
        return Err(CliError::Usage(
            "the application needs a terminal. Without one, use `thunderhead --plain PATH…` or `thunderhead ask -p QUESTION \
             PATH…`"
                .to_owned(),
        ));
    }
    let ConversationArgs { paths, resume, .. } = &args.conversation;
    if plain && paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(CliError::Usage(
            "with --plain, questions are read from standard input; a document cannot be".to_owned(),
        ));
    }
    let (mut kept, mut setup) = kept::prepare(paths, resume.as_deref(), sources, Reader::Person)?;
    if plain {
        let note = about(&kept.name, &setup);
        let code = super::plain::run(&mut kept, setup, &note);
        kept.session.finish(terminal);
        return code;
    }
    loop {
        setup.watch = true;
        let outcome = application(&mut kept, setup);
        // Who was ended by a signal is not there to be asked.
        let left = outcome.as_ref().is_ok_and(|outcome| outcome.code == 0);
        let name = kept.session.finish(left);
        let outcome = outcome?;
        let store = kept.session.store();
        let next = match (outcome.next, &name, store) {
            (Some(Next::Resume(next)), ..) => next,
            (Some(Next::Fork(turn)), Some(name), Some(store)) => {
                // What cannot part goes on.
                store.fork(name, Some(turn)).unwrap_or_else(|_| name.clone())
            }
            _ => {
                if let Some(name) = name {
                    writeln!(
                        io::stdout(),
                        "\nto go on with this session: {}",
                        resuming(&name, sources)
                    )?;
                }
                return Ok(ExitCode::from(outcome.code as u8));
            }
        };
        drop(kept);
        // What the first session was opened with does not belong to the others.
        let opened = kept::prepare(&[], Some(&next), &sources.of_program(), Reader::Person);
        (kept, setup) = match (opened, name) {
            (Ok(opened), _) => opened,
            // Back to where it was.
            (Err(error), name) => {
                let mut back = match &name {
                    Some(name) => kept::prepare(&[], Some(name), &sources.of_program(), Reader::Person)?,
                    None => kept::prepare(paths, resume.as_deref(), sources, Reader::Person)?,
                };
                back.0.notices.push(error.to_string());
                back
            }
        };
    }
}

/// A sentence about the model.
fn about(name: &str, setup: &Setup) -> String {
    let finds_and_quotes = QuoteModel::recognise(&setup.tokenizer, setup.chat_template.is_some()).is_some();
    if finds_and_quotes {
        format!("{name} is a demonstration: it does not understand. {HOW_TO_ASK}")
    } else {
        String::new()
    }
}

/// What to type to go on with a session.
fn resuming(name: &str, sources: &Sources) -> String {
    match sources.folder_of_sessions() {
        Some(folder) => format!("thunderhead --sessions {folder} --resume {name}"),
        None => format!("thunderhead --resume {name}"),
    }
}

fn application(kept: &mut Kept, setup: Setup) -> Result<tui::Outcome, CliError> {
    let paths: Vec<String> = setup.selection.paths.iter().map(|p| p.display().to_string()).collect();
    let tokenizer = setup.tokenizer.clone();
    let options = tui::Options {
        count: Some(tui::Counter::new(move |text| tokenizer.encode(text).len())),
        model: kept.name.clone(),
        placement: kept.placement.clone(),
        note: about(&kept.name, &setup),
        paths: paths.join(" "),
        settings: kept.config.clone(),
        opening: std::mem::take(&mut kept.opening),
        goes_on: kept.resumed,
        unanswered: std::mem::take(&mut kept.unanswered),
        notices: std::mem::take(&mut kept.notices),
        store: kept.session.store().cloned(),
        session: kept.session.name().map(str::to_owned),
        offer: (!kept.resumed && kept.session.name().is_some()).then(|| {
            let folder = std::env::current_dir().unwrap_or_default();
            (folder.display().to_string(), paths.clone())
        }),
        again: if kept.resumed { Vec::new() } else { words() },
    };
    Ok(tui::run(options, |sink| kept.session.start(setup, sink))?)
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
