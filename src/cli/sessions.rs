//! `thunderhead sessions`: recorded sessions, listed, told and opened.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use super::args::SessionsCommand;
use super::config::Sources;
use super::error::CliError;
use crate::config::Config;
use crate::context::sanitize;
use crate::conversation::Event;
use crate::engine::StopReason;
use crate::session::{Record, Speed, Turn, conclusion, replay, shipped, shipped_names, turns};
use crate::tui::{self, format};

pub(super) fn run(command: &SessionsCommand, sources: &Sources) -> Result<ExitCode, CliError> {
    match command {
        SessionsCommand::List => list()?,
        SessionsCommand::Show { session } => show(&find(session)?)?,
        SessionsCommand::Open { session, speed, .. } => {
            return open(find(session)?, *speed, sources.settings()?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A record by the path of its file, or by the name of one that comes with the program.
fn find(session: &Path) -> Result<Record, CliError> {
    let name = session.to_str().unwrap_or_default();
    let record = match shipped(name) {
        Some(file) if !session.exists() => Record::parse(name, file.as_bytes()),
        None if !session.exists() => {
            let names: Vec<&str> = shipped_names().collect();
            return Err(CliError::Input(format!(
                "{}: there is no such file, and no session of that name comes with the program; {} do",
                session.display(),
                names.join(" and ")
            )));
        }
        _ => Record::open(session),
    };
    record.map_err(|error| CliError::Input(error.to_string()))
}

fn list() -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let widest = shipped_names().map(str::len).max().unwrap_or(0);
    for name in shipped_names() {
        let record = find(Path::new(name))?;
        let turns = turns(record.events.iter().map(|(_, event)| event));
        let tokens: usize = turns.iter().map(|turn| turn.thinking_tokens + turn.answer_tokens).sum();
        writeln!(
            out,
            "{name:widest$}  {}, {}\n{:widest$}  {}",
            format::counted(turns.len(), "turn"),
            format::counted(tokens, "token"),
            "",
            sanitize(&record.header.note)
        )?;
    }
    Ok(())
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
        again: super::chat::words(),
    };
    let outcome = tui::run(options, |sink| {
        replay(played, speed.unwrap_or(Speed::AS_RECORDED), sink)
    })?;
    Ok(ExitCode::from(outcome.code as u8))
}
