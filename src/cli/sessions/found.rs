//! Sessions in lists: all of them, and those in which something was said.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::CliError;
use crate::config;
use crate::context::sanitize;
use crate::session::store::Store;
use crate::session::store::index::{Hit, Index, Part, Summary};
use crate::session::{Record, shipped, shipped_names, turns};
use crate::tui::format;

/// The index of a store, brought up to date.
fn index(store: &Store) -> Result<Index, CliError> {
    let mut index = Index::open(store)?;
    index.refresh(|| true)?;
    Ok(index)
}

/// Which sessions are listed.
pub(super) struct Wanted<'a> {
    /// With all of these tags.
    pub tag: &'a [String],
    /// 0 is all.
    pub most: usize,
    /// Also those of programs.
    pub asked: bool,
}

/// The sessions in which only programs have asked.
pub(super) fn of_programs(store: &Store) -> Result<Vec<String>, CliError> {
    let sessions = index(store)?.sessions()?.into_iter();
    Ok(sessions
        .filter(|session| session.of_programs)
        .map(|session| session.name)
        .collect())
}

pub(super) fn list(store: Option<&Store>, wanted: &Wanted<'_>, json: bool) -> Result<(), CliError> {
    let Wanted { tag: tags, most, asked } = *wanted;
    let mut sessions = match store.filter(|store| store.root().exists()) {
        Some(store) => index(store)?.sessions()?,
        None => Vec::new(),
    };
    sessions.retain(|session| tags.iter().all(|tag| session.tags.contains(tag)));
    let before = sessions.len();
    sessions.retain(|session| asked || !session.of_programs);
    let (all, left_out) = (sessions.len(), before - sessions.len());
    if most > 0 {
        sessions.truncate(most);
    }
    let mut out = io::stdout().lock();
    if json {
        for session in &sessions {
            writeln!(out, "{}", object(session))?;
        }
        return Ok(());
    }
    for session in &sessions {
        writeln!(out, "{}", line(session))?;
    }
    if sessions.len() < all {
        writeln!(
            out,
            "and {} more; --most 0 lists them all",
            format::count(all - sessions.len())
        )?;
    }
    if left_out > 0 {
        writeln!(
            out,
            "{} in which only other programs asked; --asked lists them too",
            format::counted(left_out, "session")
        )?;
    }
    if !tags.is_empty() {
        return Ok(());
    }
    if !sessions.is_empty() || left_out > 0 {
        writeln!(out)?;
    }
    writeln!(out, "These come with the program:")?;
    let widest = shipped_names().map(str::len).max().unwrap_or(0);
    for name in shipped_names() {
        let file = shipped(name).unwrap_or_default();
        let record = Record::parse(name, file.as_bytes()).map_err(|error| CliError::Input(error.to_string()))?;
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

/// A session in two lines.
fn line(session: &Summary) -> String {
    let mut about = vec![
        format::counted(session.turns, "turn"),
        format::counted(session.tokens, "token"),
        format::counted(session.documents, "document"),
    ];
    if !session.folder.is_empty() {
        about.push(config::shown(Path::new(&session.folder)));
    }
    about.extend(session.tags.iter().map(|tag| format!("#{tag}")));
    if let Some((from, turn)) = &session.forked {
        about.push(format!("parted from {from} after turn {turn}"));
    }
    if session.broken_off {
        about.push("broken off".to_owned());
    }
    let about: Vec<_> = about.iter().map(|part| sanitize(part).into_owned()).collect();
    format!(
        "{}  {}\n    {}",
        session.name,
        sanitize(&session.title),
        about.join(", ")
    )
}

fn object(session: &Summary) -> serde_json::Value {
    json!({
        "name": session.name, "title": session.title, "tags": session.tags, "model": session.model,
        "folder": session.folder, "paths": session.paths, "used": session.wall, "turns": session.turns,
        "tokens": session.tokens, "documents": session.documents,
        "forked": session.forked.as_ref().map(|(from, turn)| json!({ "from": from, "turn": turn })),
        "broken_off": session.broken_off, "of_programs": session.of_programs, "last": session.last, "bytes": session.bytes,
    })
}

/// Exits with 1 if nothing is found, as `grep` does.
pub(super) fn search(store: &Store, text: &str, most: usize, json: bool) -> Result<ExitCode, CliError> {
    let hits = index(store)?.search(text, most)?;
    let mut out = io::stdout().lock();
    for hit in &hits {
        if json {
            let excerpt = hit.excerpt.as_ref();
            let found = json!({
                "session": hit.session.name, "title": hit.session.title, "turn": hit.turn, "question": hit.question,
                "part": excerpt.map(|excerpt| name(excerpt.part)), "excerpt": excerpt.map(|excerpt| &excerpt.text),
            });
            writeln!(out, "{found}")?;
        } else {
            writeln!(out, "{}", told(hit))?;
        }
    }
    Ok(ExitCode::from(u8::from(hits.is_empty())))
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Question => "question",
        Part::Answer => "answer",
        Part::Thinking => "thinking",
    }
}

fn told(hit: &Hit) -> String {
    let excerpt = match &hit.excerpt {
        Some(excerpt) if excerpt.part != Part::Question => {
            format!("\n    {}: {}", name(excerpt.part), sanitize(&excerpt.text))
        }
        _ => String::new(),
    };
    format!(
        "{} {}  {}{excerpt}",
        hit.session.name,
        hit.turn,
        sanitize(&hit.question)
    )
}
