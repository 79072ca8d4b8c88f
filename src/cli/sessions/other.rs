//! What is done with sessions: exported, imported, forked, named, deleted.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::CliError;
use crate::cli::args::ExportForm;
use crate::session::Record;
use crate::session::export::{self, Form, Redaction, Scope};
use crate::session::store::Store;
use crate::session::{Note, title_of};
use crate::tui::format;

/// What is exported, and how.
pub(super) struct Exporting<'a> {
    pub out: Option<&'a Path>,
    pub to: Option<ExportForm>,
    pub thinking: bool,
    pub redact: bool,
    pub patterns: &'a [String],
}

pub(super) fn export(record: &Record, how: &Exporting<'_>) -> Result<(), CliError> {
    let form = match (how.to, how.out) {
        (Some(ExportForm::Markdown), _) | (None, None) => Form::Markdown,
        (Some(ExportForm::Json), _) => Form::Json,
        (Some(ExportForm::Html), _) => Form::Html,
        (Some(ExportForm::Lines), _) => Form::Lines,
        (None, Some(path)) => Form::of(path).ok_or_else(|| {
            let path = path.display();
            CliError::Usage(format!(
                "{path}: ends in none of .md, .json, .html and .jsonl; --to FORM says what it is to be"
            ))
        })?,
    };
    let redacted;
    let record = if how.redact {
        let home = std::env::home_dir().map(|home| home.display().to_string());
        let redaction = Redaction::new(how.patterns, home).map_err(CliError::Usage)?;
        redacted = redaction.apply(record);
        &redacted
    } else {
        record
    };
    let text = export::export(record, form, Scope { thinking: how.thinking });
    let Some(path) = how.out else {
        return Ok(io::stdout().lock().write_all(text.as_bytes())?);
    };
    // What is there already is never written over.
    let written = fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| CliError::Engine(format!("{} cannot be written: {error}", path.display())))?;
    for notice in &record.notices {
        writeln!(io::stderr(), "note: {notice}")?;
    }
    let (path, bytes) = (path.display(), format::counted(text.len(), "byte"));
    Ok(writeln!(io::stdout(), "{path}: {bytes}")?)
}

pub(super) fn import(store: &Store, file: &Path) -> Result<(), CliError> {
    let path = file.display();
    let bytes = fs::read(file).map_err(|error| CliError::Input(format!("{path}: cannot be read: {error}")))?;
    let record = export::import(&bytes).map_err(|error| CliError::Input(format!("{path}: {error}")))?;
    for notice in &record.notices {
        writeln!(io::stderr(), "note: {notice}")?;
    }
    told(&store.take(&record)?)
}

pub(super) fn fork(store: &Store, session: &str, turn: Option<usize>) -> Result<(), CliError> {
    told(&store.fork(&store.find(session)?, turn)?)
}

/// A session that there is now, and how to go on with it.
fn told(name: &str) -> Result<(), CliError> {
    Ok(writeln!(
        io::stdout(),
        "{name}\nto go on with it: thunderhead --resume {name}"
    )?)
}

pub(super) fn rename(store: &Store, session: &str, title: &str) -> Result<(), CliError> {
    let title = title_of(title);
    Ok(store.annotate(&store.find(session)?, &Note::Renamed { title })?)
}

pub(super) fn tag(store: &Store, session: &str, tags: &[String]) -> Result<(), CliError> {
    let tags = tags.iter().map(|tag| title_of(tag.trim_start_matches('#'))).collect();
    Ok(store.annotate(&store.find(session)?, &Note::Tagged { tags })?)
}

pub(super) fn remove(store: &Store, sessions: &[String], undo: bool, purge: bool) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    if purge {
        let gone = store.purge()?;
        return Ok(writeln!(out, "{} deleted for good", format::counted(gone, "session"))?);
    }
    for session in sessions {
        if undo {
            let deleted = store.deleted()?;
            let name = deleted.iter().find(|name| name.starts_with(session.as_str()));
            let name = name.ok_or_else(|| CliError::Input(format!("{session}: is not in the trash")))?;
            store.restore(name)?;
            writeln!(out, "{name} is back")?;
        } else {
            let name = store.find(session)?;
            store.delete(&name)?;
            writeln!(
                out,
                "{name} is in the trash; `thunderhead sessions rm --undo {name}` brings it back"
            )?;
        }
    }
    Ok(())
}
