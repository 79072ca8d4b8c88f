//! A session for others: Markdown and HTML to read, JSON to work with; and back again.

mod html;
mod import;
mod markdown;
mod redact;
mod talk;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Value, json};

pub use import::{ImportError, import};
pub use redact::Redaction;
pub use talk::{Piece, Talk, TalkTurn};

use super::line::Header;
use super::read::Record;
use super::write::Recorder;

/// What a session can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Markdown,
    Json,
    Html,
    /// The record itself.
    Lines,
}

impl Form {
    /// By the end of a file's name.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "md" | "markdown" => Some(Self::Markdown),
            "json" => Some(Self::Json),
            "html" | "htm" => Some(Self::Html),
            "jsonl" => Some(Self::Lines),
            _ => None,
        }
    }
}

/// What is written of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    pub thinking: bool,
}

/// A session in a form.
#[must_use]
pub fn export(record: &Record, form: Form, scope: Scope) -> String {
    let record = &if scope.thinking {
        record.clone()
    } else {
        talk::without_thinking(record)
    };
    match form {
        Form::Markdown => markdown::write(&Talk::of(record)),
        Form::Html => html::write(&Talk::of(record), record),
        Form::Json => serde_json::to_string_pretty(&object(record)).unwrap_or_default() + "\n",
        Form::Lines => String::from_utf8(lines(record)).unwrap_or_default(),
    }
}

/// What one has to say of itself to be taken back.
const FORMAT: &str = "thunderhead session";

/// The turns for whoever wants to read them, and the record itself.
fn object(record: &Record) -> Value {
    let talk = Talk::of(record);
    let turns: Vec<Value> = talk.turns.iter().map(turn).collect();
    json!({
        "format": FORMAT,
        "version": 1,
        "title": talk.title,
        "model": talk.model,
        "began": talk.began,
        "documents": talk.documents,
        "turns": turns,
        "record": values(record),
    })
}

fn turn(turn: &TalkTurn) -> Value {
    let pieces: Vec<Value> = turn.pieces.iter().map(piece).collect();
    json!({ "turn": turn.number, "revises": turn.revises, "stands": turn.stands, "question": turn.question, "reply": pieces })
}

fn piece(piece: &Piece) -> Value {
    match piece {
        Piece::Thinking { text, tokens, took } => {
            json!({ "type": "thinking", "text": text, "tokens": tokens, "seconds": took.as_secs_f64() })
        }
        Piece::Answer(text) => json!({ "type": "answer", "text": text }),
        Piece::Citation(citation) => {
            let mut object = json!({ "type": "citation" });
            if let (Some(object), Ok(Value::Object(fields))) = (object.as_object_mut(), serde_json::to_value(citation))
            {
                object.extend(fields);
            }
            object
        }
        Piece::Note(text) => json!({ "type": "note", "text": text }),
    }
}

/// The record, written anew.
fn lines(record: &Record) -> Vec<u8> {
    let header = Header {
        began: record.header.began,
        forked: record.header.forked.clone(),
        ..Header::new(record.header.model.clone(), record.header.note.clone())
    };
    let write = || -> std::io::Result<Vec<u8>> {
        let mut recorder = Recorder::new(Vec::new(), &header)?;
        let mut notes = record.notes.iter().peekable();
        for (index, (at, event)) in record.events.iter().enumerate() {
            while let Some((_, at, note)) = notes.next_if(|(before, ..)| *before <= index) {
                recorder.note(*at, note)?;
            }
            recorder.event(*at, event)?;
        }
        for (_, at, note) in notes {
            recorder.note(*at, note)?;
        }
        recorder.flush()?;
        Ok(std::mem::take(recorder.out()))
    };
    // Memory can be written to.
    write().unwrap_or_default()
}

/// The lines as JSON, without their sums, which are over other bytes.
fn values(record: &Record) -> Vec<Value> {
    let lines = lines(record);
    let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines
        .filter_map(|line| {
            let mut value: Value = serde_json::from_slice(line).ok()?;
            value.as_object_mut()?.remove("sum");
            Some(value)
        })
        .collect()
}
