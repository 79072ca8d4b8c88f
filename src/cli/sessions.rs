//! `thunderhead sessions`: what was kept, listed, found, shown, exported, forked and deleted.

mod found;
mod other;
mod tree;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use self::other::Exporting;
use super::args::SessionsCommand;
use super::config::Sources;
use super::error::CliError;
use super::kept::store_or_error;
use crate::config::Config;
use crate::context::sanitize;
use crate::conversation::Event;
use crate::engine::StopReason;
use crate::session::store::Store;
use crate::session::{Record, Speed, Turn, conclusion, replay, shipped, shipped_names, turns};
use crate::tui::{self, format};

pub(super) fn run(command: &SessionsCommand, sources: &Sources) -> Result<ExitCode, CliError> {
    let settings = sources.settings()?;
    let store = || store_or_error(&settings);
    match command {
        SessionsCommand::List { tag, most, asked, json } => {
            let kept = super::kept::store(&settings);
            let wanted = found::Wanted {
                tag,
                most: *most,
                asked: *asked,
            };
            found::list(kept.as_ref(), &wanted, *json)?;
        }
        SessionsCommand::Show { session, tree } => {
            let kept = super::kept::store(&settings);
            let (record, name) = find(&session.session, kept.as_ref())?;
            if *tree {
                tree::print(&record, name.as_deref(), kept.as_ref())?;
            } else {
                show(&record)?;
            }
        }
        SessionsCommand::Search { words, most, json } => {
            return found::search(&store()?, &words.join(" "), *most, *json);
        }
        SessionsCommand::Open { session, speed, .. } => {
            let kept = super::kept::store(&settings);
            let (record, _) = find(&session.session, kept.as_ref())?;
            return open(record, *speed, settings);
        }
        SessionsCommand::Export {
            session,
            out,
            to,
            no_thinking,
            redact,
            redact_pattern,
        } => {
            let (record, _) = find(&session.session, super::kept::store(&settings).as_ref())?;
            other::export(
                &record,
                &Exporting {
                    out: out.as_deref(),
                    to: *to,
                    thinking: !no_thinking,
                    redact: *redact || !redact_pattern.is_empty(),
                    patterns: redact_pattern,
                },
            )?;
        }
        SessionsCommand::Import { file } => other::import(&store()?, file)?,
        SessionsCommand::Fork { session, turn } => other::fork(&store()?, session, *turn)?,
        SessionsCommand::Rename { session, title } => other::rename(&store()?, session, &title.join(" "))?,
        SessionsCommand::Tag { session, tags } => other::tag(&store()?, session, tags)?,
        SessionsCommand::Rm {
            names,
            asked,
            undo,
            purge,
        } => {
            let store = store()?;
            let mut names = names.clone();
            if *asked {
                names.extend(found::of_programs(&store)?);
            }
            other::remove(&store, &names, *undo, *purge)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A record by the path of its file, by the name of one that comes with the program, or by that of one that was kept, which is
/// then given in full.
fn find(session: &Path, store: Option<&Store>) -> Result<(Record, Option<String>), CliError> {
    let name = session.to_str().unwrap_or_default();
    if session.exists() {
        let record = Record::open(session).map_err(|error| CliError::Input(error.to_string()))?;
        return Ok((record, None));
    }
    if let Some(file) = shipped(name) {
        let record = Record::parse(name, file.as_bytes()).map_err(|error| CliError::Input(error.to_string()))?;
        return Ok((record, None));
    }
    if let Some(store) = store
        && let Ok(name) = store.find(name)
    {
        return Ok((store.read(&name)?, Some(name)));
    }
    let names: Vec<&str> = shipped_names().collect();
    Err(CliError::Input(format!(
        "{}: there is no such file, no session of that name was kept (`thunderhead sessions list` names them), and none comes \
         with the program; {} do",
        session.display(),
        names.join(" and ")
    )))
}

fn show(record: &Record) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let header = &record.header;
    writeln!(out, "model    {}", sanitize(&header.model))?;
    writeln!(out, "made by  {}", sanitize(&header.made_by))?;
    if !header.note.is_empty() {
        writeln!(out, "note     {}", sanitize(&header.note))?;
    }
    for (_, event) in &record.events {
        if let Event::Documents(documents) = event {
            writeln!(
                out,
                "about    {}, {}, {}",
                format::counted(documents.files, "file"),
                format::counted(documents.lines, "line"),
                format::counted(documents.tokens, "token")
            )?;
        }
    }
    for turn in turns(record.events.iter().map(|(_, event)| event)) {
        writeln!(out, "\n{}", account(&turn))?;
    }
    for notice in &record.notices {
        writeln!(out, "\n{}", sanitize(notice))?;
    }
    Ok(())
}

/// A turn in two lines: the question, and what came of it.
fn account(turn: &Turn) -> String {
    let revises = turn
        .revises
        .map_or_else(String::new, |other| format!(" (instead of {other})"));
    let how = match turn.reason {
        None => "without an end",
        Some(StopReason::EndOfSequence | StopReason::Prefilled) => "ended by itself",
        Some(StopReason::MaxTokens) => "stopped at its token limit",
        Some(StopReason::ContextFull) => "stopped, the context was full",
        Some(StopReason::Repetition { .. }) => "stopped, it repeated itself",
        Some(StopReason::Cancelled) => "cancelled",
    };
    format!(
        "{}{revises}  {}\n   thinking {}, answer {}, {}; {}, {how}",
        turn.number,
        sanitize(&turn.question),
        format::counted(turn.thinking_tokens, "token"),
        format::counted(turn.answer_tokens, "token"),
        format::counted(turn.citations, "citation"),
        format::duration(turn.took),
    )
}

fn open(mut record: Record, speed: Option<Speed>, settings: Config) -> Result<ExitCode, CliError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(CliError::Usage(
            "the application needs a terminal. Without one, use `thunderhead sessions show`".to_owned(),
        ));
    }
    if let Some(end) = conclusion(&record.events) {
        let at = record.events.last().map_or_else(Default::default, |(at, _)| *at);
        record.events.push((at, end));
    }
    let (opening, played) = match speed {
        Some(_) => (Vec::new(), record.events),
        None => (record.events.into_iter().map(|(_, event)| event).collect(), Vec::new()),
    };
    let notes = std::iter::once(record.header.note).chain(record.notices);
    let notes: Vec<String> = notes.filter(|note| !note.is_empty()).collect();
    let options = tui::Options {
        count: None,
        model: format!("{} (recorded)", record.header.model),
        note: notes.join("\n"),
        placement: String::new(),
        paths: String::new(),
        settings,
        opening,
        goes_on: false,
        unanswered: Vec::new(),
        notices: Vec::new(),
        store: None,
        session: None,
        offer: None,
        again: super::chat::words(),
    };
    let outcome = tui::run(options, |sink| {
        replay(played, speed.unwrap_or(Speed::AS_RECORDED), sink)
    })?;
    Ok(ExitCode::from(outcome.code as u8))
}
