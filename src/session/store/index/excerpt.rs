//! What stands around something that was found, from the log.
//!
//! A turn may have ten megabytes of log, so that its lines are read for their texts only.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use crate::trace::Channel;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    pub part: Part,
    pub text: String,
}

/// A part of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Question,
    Answer,
    Thinking,
}

/// What is said in a line.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    text: String,
    #[serde(default)]
    channel: Option<Channel>,
    #[serde(default)]
    texts: Vec<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Question,
    Tokens,
    #[serde(other)]
    Other,
}

/// The first of these words that is said in a turn, with what stands around it: in the question, or else in the answer, or in the
/// thinking. The turn has so many bytes of the log, from `first` on.
pub(super) fn of(log: &Path, first: u64, bytes: u64, words: &[String]) -> Option<Excerpt> {
    let mut file = File::open(log).ok()?;
    file.seek(SeekFrom::Start(first)).ok()?;
    let mut lines = BufReader::with_capacity(1 << 16, file.take(bytes));
    let (mut answer, mut thinking) = (String::new(), String::new());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // What is damaged is not shown.
        if let Ok(said) = serde_json::from_slice::<Line>(&line) {
            match (said.kind, said.channel) {
                (Kind::Question, _) => {
                    if let Some(text) = found(&said.text, words) {
                        let part = Part::Question;
                        return Some(Excerpt { part, text });
                    }
                }
                (Kind::Tokens, Some(Channel::Answer)) => answer.extend(said.texts),
                (Kind::Tokens, Some(Channel::Thinking)) => thinking.extend(said.texts),
                _ => {}
            }
        }
        line.clear();
    }
    let parts = [(Part::Answer, answer), (Part::Thinking, thinking)];
    parts.iter().find_map(|(part, said)| {
        let text = found(said, words)?;
        Some(Excerpt { part: *part, text })
    })
}

fn found(text: &str, words: &[String]) -> Option<String> {
    let at = words.iter().find_map(|word| find(text, word))?;
    Some(around(text, at))
}

/// Where a word stands, whatever its case.
fn find(text: &str, word: &str) -> Option<usize> {
    let (first, rest) = word.split_at(word.chars().next()?.len_utf8());
    let begins = |at: usize, c: char| {
        let mut lower = c.to_lowercase();
        let same = first.chars().all(|c| lower.next() == Some(c));
        let mut following = text[at + c.len_utf8()..].chars().flat_map(char::to_lowercase);
        same && rest.chars().all(|c| following.next() == Some(c))
    };
    text.char_indices().find(|&(at, c)| begins(at, c)).map(|(at, _)| at)
}

/// What stands around a place, in one line.
fn around(text: &str, at: usize) -> String {
    const BEFORE: usize = 40;
    const AFTER: usize = 120;
    let before: Vec<char> = text[..at].chars().rev().take(BEFORE).collect();
    let cut = if text[..at].chars().nth(BEFORE).is_some() {
        "…"
    } else {
        ""
    };
    let before: String = before.into_iter().rev().collect();
    let after: String = text[at..].chars().take(AFTER).collect();
    let more = if after.len() < text.len() - at { "…" } else { "" };
    let line: Vec<&str> = before.split_whitespace().collect();
    let space = if before.ends_with(char::is_whitespace) { " " } else { "" };
    let rest: Vec<&str> = after.split_whitespace().collect();
    format!("{cut}{}{space}{}{more}", line.join(" "), rest.join(" "))
}
