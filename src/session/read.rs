//! Lines to events.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use super::line::{Header, Kind, RUN, Run, Stamped, VERSION};
use crate::conversation::Event;

/// No session is larger: the longest context there is takes a fiftieth of it.
const LARGEST: u64 = 1 << 30;

/// A session that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub header: Header,
    /// Events with their times on the session's clock.
    pub events: Vec<(Duration, Event)>,
    /// What could not be read of it, in words for people.
    pub notices: Vec<String>,
}

/// Why something is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("{path}: cannot be read: {source}")]
    Unreadable { path: String, source: io::Error },
    #[error("{path}: has more than {} bytes, which no session has", LARGEST)]
    TooLarge { path: String },
    #[error(
        "{path}: is no recorded session: its first line is not the header of one. `thunderhead ask --record FILE` makes one"
    )]
    NoHeader { path: String },
}

impl Record {
    /// # Errors
    /// If the file cannot be read, or does not begin as a record does.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let name = path.display().to_string();
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|source| RecordError::Unreadable {
            path: name.clone(),
            source,
        })?;
        if bytes.len() as u64 > LARGEST {
            return Err(RecordError::TooLarge { path: name });
        }
        Self::parse(&name, &bytes)
    }

    /// Reads a record up to the first line that is damaged; `name` is what errors call it.
    ///
    /// # Errors
    /// If it does not begin as a record does.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        let (first, mut rest) = cut(bytes);
        let header: Header = serde_json::from_slice(first).map_err(|_| RecordError::NoHeader { path: name.into() })?;
        let mut notices = Vec::new();
        if header.version > VERSION {
            notices.push(format!(
                "the record is of version {}, and this program knows version {VERSION}: {} made it",
                header.version, header.made_by
            ));
        }
        let mut events = Vec::new();
        let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
        let mut number = 1;
        while !rest.is_empty() {
            number += 1;
            let (line, after) = cut(rest);
            match read_line(line, &mut events) {
                Line::Taken => {}
                Line::Unknown(kind) => *unknown.entry(kind).or_default() += 1,
                Line::Damaged => {
                    notices.push(damage(number, rest));
                    break;
                }
            }
            rest = after;
        }
        if !unknown.is_empty() {
            let kinds: Vec<String> = unknown.iter().map(|(kind, n)| format!("{n} of `{kind}`")).collect();
            notices.push(format!(
                "lines that this program cannot use were passed over: {}",
                kinds.join(", ")
            ));
        }
        Ok(Self {
            header,
            events,
            notices,
        })
    }
}

/// The first line, without its end, and what follows it.
fn cut(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

enum Line {
    Taken,
    /// A line as it should be, of this kind, but not one that can be used.
    Unknown(String),
    Damaged,
}

fn read_line(line: &[u8], events: &mut Vec<(Duration, Event)>) -> Line {
    let Ok(line) = std::str::from_utf8(line) else {
        return Line::Damaged;
    };
    if line.trim().is_empty() {
        return Line::Taken;
    }
    let Ok(Kind { kind }) = serde_json::from_str(line) else {
        return Line::Damaged;
    };
    let taken = if kind == RUN {
        let run = serde_json::from_str::<Run>(line).ok();
        run.and_then(Run::tokens).map(|tokens| {
            events.extend(tokens.map(|(at, token)| (at, Event::Token(token))));
        })
    } else {
        let stamped = serde_json::from_str::<Stamped<Event>>(line).ok();
        stamped.map(|Stamped { at, event }| events.push((Duration::from_millis(at), event)))
    };
    match taken {
        Some(()) => Line::Taken,
        None => Line::Unknown(kind.chars().take(40).collect()),
    }
}

/// What is said of a line that is damaged, with all that follows it.
fn damage(number: usize, rest: &[u8]) -> String {
    let what = if rest.iter().all(|&byte| byte == 0) {
        "holds nothing but NUL bytes"
    } else if rest.contains(&b'\n') {
        "is damaged"
    } else {
        "is not complete"
    };
    format!(
        "line {number} of the record {what}: {} from there on were not read",
        counted(rest.len())
    )
}

fn counted(bytes: usize) -> String {
    format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" })
}
