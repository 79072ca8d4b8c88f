//! What was exported becomes a session again.
//!
//! JSON and HTML hold the record itself. Markdown holds what was said: the times, the tokens and how sure the model was are
//! not in it, and a reply is one token.

use std::time::Duration;

use serde_json::Value;

use super::FORMAT;
use super::html::EMBEDDED;
use super::markdown::{ANSWER, HEADINGS, QUESTION, THINKING};
use crate::context::sanitize;
use crate::conversation::{Event, Question};
use crate::engine::{Finished, StopReason, Token};
use crate::session::line::Header;
use crate::session::read::Record;
use crate::trace::Channel;

/// Why something is no session.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(
        "is no session that thunderhead wrote: expected a record (.jsonl), or Markdown, JSON or HTML of `sessions export`"
    )]
    Unknown,
    #[error("holds a session that cannot be read: {0}")]
    Damaged(String),
}

/// Reads an exported session of any form.
///
/// # Errors
/// If it is none.
pub fn import(bytes: &[u8]) -> Result<Record, ImportError> {
    if let Ok(record) = Record::parse("", bytes) {
        return Ok(record);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ImportError::Unknown)?;
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('{') {
        return json(start);
    }
    if start.starts_with('<') {
        let (_, rest) = text.split_once(EMBEDDED).ok_or(ImportError::Unknown)?;
        let (inner, _) = rest.split_once("</script>").ok_or(ImportError::Unknown)?;
        return json(inner);
    }
    markdown(start)
}

fn json(text: &str) -> Result<Record, ImportError> {
    let value: Value = serde_json::from_str(text).map_err(|error| ImportError::Damaged(error.to_string()))?;
    if value["format"] != FORMAT {
        return Err(ImportError::Unknown);
    }
    let lines = value["record"].as_array().ok_or(ImportError::Unknown)?;
    // The lines have no sums: they are those of the first version.
    let mut bytes = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut line = line.clone();
        if index == 0 {
            line["version"] = Value::from(1);
        }
        bytes.extend_from_slice(line.to_string().as_bytes());
        bytes.push(b'\n');
    }
    Record::parse("it", &bytes).map_err(|error| ImportError::Damaged(error.to_string()))
}

fn markdown(text: &str) -> Result<Record, ImportError> {
    let mut record = Record {
        header: Header::new("", "taken from Markdown"),
        ..Record::default()
    };
    if let Some(model) = text
        .lines()
        .find_map(|line| line.strip_prefix("*Model: ")?.strip_suffix('*'))
    {
        record.header.model = sanitize(model).into_owned();
    }
    let mut turn = 0;
    let mut index = 0;
    for (heading, body) in sections(text) {
        let said = sanitize(&body).into_owned();
        if let Some(rest) = heading.strip_prefix(QUESTION) {
            if turn > 0 {
                record.events.push((Duration::ZERO, end(index)));
            }
            turn += 1;
            index = 0;
            let revises = rest.split_once("instead of ").and_then(|(_, number)| {
                let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().ok().filter(|&revised| revised < turn)
            });
            record.events.push((
                Duration::ZERO,
                Event::Question(Question {
                    turn,
                    revises,
                    text: said,
                    asked_as: None,
                    left_out: 0,
                }),
            ));
            continue;
        }
        let (channel, said) = match heading {
            _ if turn == 0 => continue,
            ANSWER => (Channel::Answer, said),
            // What it took stands before it.
            THINKING => (Channel::Thinking, without_figures(&said)),
            _ => continue,
        };
        record.events.push((Duration::ZERO, token(index, channel, said)));
        index += 1;
    }
    if turn == 0 {
        return Err(ImportError::Unknown);
    }
    record.events.push((Duration::ZERO, end(index)));
    Ok(record)
}

fn without_figures(said: &str) -> String {
    match said.split_once('\n') {
        Some((first, rest)) if first.starts_with('*') && first.ends_with("s*") && first.contains(" tokens, ") => {
            rest.trim_matches('\n').to_owned()
        }
        _ => said.to_owned(),
    }
}

/// Headings of ours with what follows them.
fn sections(text: &str) -> Vec<(&str, String)> {
    let mut sections: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        let heading = HEADINGS.iter().find(|heading| line.starts_with(**heading));
        match (heading, sections.last_mut()) {
            (Some(_), _) => sections.push((line.trim_end(), String::new())),
            (None, Some((_, body))) => {
                let bare = line.trim_start_matches('\\');
                let escaped = line.len() > bare.len() && HEADINGS.iter().any(|heading| bare.starts_with(heading));
                body.push_str(if escaped { &line[1..] } else { line });
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    for (_, body) in &mut sections {
        *body = body.trim_matches('\n').to_owned();
    }
    sections
}

fn token(index: usize, channel: Channel, text: String) -> Event {
    Event::Token(Token {
        index,
        id: 0,
        text,
        channel,
        probability: 1.0,
        entropy: 0.0,
        elapsed: Duration::ZERO,
        forced: false,
    })
}

fn end(tokens: usize) -> Event {
    Event::Finished(Finished {
        reason: StopReason::EndOfSequence,
        answer_tokens: tokens,
        ..Finished::default()
    })
}
