//! Lines to events.
//!
//! A line that is damaged is passed over and told, and what follows it is read: a bit that flipped costs its line, and a
//! file that was cut costs what was cut off.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use super::line::{Header, Kind, RUN, Run, Stamped, VERSION, is_sound};
use super::note::{KINDS, Note};
use crate::conversation::Event;

/// No session is larger: the longest context there is takes a fiftieth of it.
const LARGEST: u64 = 1 << 30;
/// From this version on all lines have sums.
const SUMMED: u32 = 2;

/// A session that was kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    pub header: Header,
    /// Events with their times on the session's clock.
    pub events: Vec<(Duration, Event)>,
    /// What stands between them, each with the number of events before it.
    pub notes: Vec<(usize, Duration, Note)>,
    /// What could not be read of it, in words for people.
    pub notices: Vec<String>,
    /// The index of each question among the events, and the byte at which its line begins.
    pub(super) questions: Vec<(usize, usize)>,
    /// How many of its bytes are lines that were read: what stands after them is not complete.
    pub whole: usize,
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

/// All bytes of a file that can be a record.
///
/// # Errors
/// If it cannot be read, or is too large.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, RecordError> {
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
    Ok(bytes)
}

impl Record {
    /// # Errors
    /// If the file cannot be read, or does not begin as a record does.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        Self::parse(&path.display().to_string(), &bytes_of(path)?)
    }

    /// Reads a record; `name` is what errors call it.
    ///
    /// # Errors
    /// If it does not begin as a record does.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        let (first, _) = cut(bytes);
        let header: Option<Header> = serde_json::from_slice(first).ok();
        let header = header.ok_or_else(|| RecordError::NoHeader { path: name.into() })?;
        let mut record = Self {
            header,
            ..Self::default()
        };
        if is_sound(first) == Some(false) {
            record
                .notices
                .push("line 1 of the record, its header, is damaged".to_owned());
        }
        record.read(bytes, first.len() + 1);
        Ok(record)
    }

    /// Reads what is known to be a record, also if its header is lost.
    #[must_use]
    pub fn salvage(bytes: &[u8]) -> Self {
        Self::parse("", bytes).unwrap_or_else(|_| {
            let mut record = Self {
                header: Header {
                    version: VERSION,
                    ..Header::default()
                },
                ..Self::default()
            };
            if !bytes.is_empty() {
                record
                    .notices
                    .push("line 1 of the record, its header, is lost".to_owned());
                // A header that is cut takes nothing with it, and a damaged one may have had its end in the middle of another
                // line.
                record.read(bytes, 0);
                record
                    .notices
                    .retain(|notice| !notice.starts_with("line 1 of the record is"));
            }
            record
        })
    }

    /// Takes the lines from a place on.
    fn read(&mut self, bytes: &[u8], from: usize) {
        let header = &self.header;
        if header.version > VERSION {
            self.notices.push(format!(
                "the record is of version {}, and this program knows version {VERSION}: {} made it",
                header.version, header.made_by
            ));
        }
        let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
        let mut number = usize::from(from > 0);
        self.whole = from.min(bytes.len());
        let mut rest = bytes.get(from..).unwrap_or_default();
        while !rest.is_empty() {
            number += 1;
            let (line, after) = cut(rest);
            let ended = rest.len() > line.len();
            // What was lost with the power may be NUL bytes, and the next line stands right behind them.
            let nuls = line.iter().take_while(|&&byte| byte == 0).count();
            let text = &line[nuls..];
            if nuls > 0 && !text.is_empty() {
                let lost = counted(nuls);
                self.notices.push(format!(
                    "line {number} of the record begins with NUL bytes: {lost} were not read"
                ));
            }
            match if nuls > 0 && text.is_empty() {
                Line::Damaged
            } else {
                self.line(text)
            } {
                Line::Taken => {
                    if let Some((_, Event::Question(_))) = self.events.last()
                        && self
                            .questions
                            .last()
                            .is_none_or(|(index, _)| *index + 1 < self.events.len())
                    {
                        self.questions.push((self.events.len() - 1, bytes.len() - rest.len()));
                    }
                    self.whole = bytes.len() - after.len();
                }
                Line::Unknown(kind) => {
                    self.whole = bytes.len() - after.len();
                    *unknown.entry(kind).or_default() += 1;
                }
                // What is no end of a line is the end of the file.
                Line::Damaged if ended && after.iter().any(|&byte| byte != 0) => {
                    let lost = counted(line.len());
                    self.notices
                        .push(format!("line {number} of the record is damaged: {lost} were not read"));
                }
                Line::Damaged => {
                    self.notices.push(damage(number, rest));
                    break;
                }
            }
            rest = after;
        }
        if !unknown.is_empty() {
            let kinds: Vec<String> = unknown.iter().map(|(kind, n)| format!("{n} of `{kind}`")).collect();
            self.notices.push(format!(
                "lines that this program cannot use were passed over: {}",
                kinds.join(", ")
            ));
        }
    }

    fn line(&mut self, line: &[u8]) -> Line {
        let Ok(line) = std::str::from_utf8(line) else {
            return Line::Damaged;
        };
        if line.trim().is_empty() {
            return Line::Taken;
        }
        let sound = is_sound(line.as_bytes()).unwrap_or(self.header.version < SUMMED);
        let Some(Kind { kind }) = serde_json::from_str(line).ok().filter(|_| sound) else {
            return Line::Damaged;
        };
        let taken = if kind == RUN {
            let run = serde_json::from_str::<Run>(line).ok();
            run.and_then(Run::tokens).map(|tokens| {
                self.events.extend(tokens.map(|(at, token)| (at, Event::Token(token))));
            })
        } else if KINDS.contains(&&*kind) {
            let note = serde_json::from_str::<Stamped<Note>>(line).ok();
            let before = self.events.len();
            note.map(|Stamped { at, event }| self.notes.push((before, Duration::from_millis(at), event)))
        } else {
            let stamped = serde_json::from_str::<Stamped<Event>>(line).ok();
            stamped.map(|Stamped { at, event }| self.events.push((Duration::from_millis(at), event)))
        };
        match taken {
            Some(()) => Line::Taken,
            None => Line::Unknown(kind.chars().take(40).collect()),
        }
    }

    /// The session's clock when the last of it was written.
    #[must_use]
    pub fn end(&self) -> Duration {
        let events = self.events.iter().map(|(at, _)| *at);
        let notes = self.notes.iter().map(|(_, at, _)| *at);
        events.chain(notes).max().unwrap_or_default()
    }
}

/// The first line, without its end, and what follows it.
pub(super) fn cut(bytes: &[u8]) -> (&[u8], &[u8]) {
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
