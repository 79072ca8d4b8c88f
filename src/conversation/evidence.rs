//! Checking what a reply claims against the documents.
//!
//! A claim is verified only if everything it says can be read off the cited line itself. Whatever is missing, wrong or
//! cannot be told makes it unverified, with the first reason found; a wrong claim must never pass.

use super::code::Code;
use super::definition::{Defines, defines};
use super::value::{is_value, number_for, value_of};
use super::words::{among, contains_word, is_word, kind_of_file, occurrences};
use super::{Citation, Verdict};
use crate::context::{Line, Pack, sanitize};
use crate::trace::Channel;

const INSIDE: &str = "the line is inside a comment or a text";

/// Files in which values stand in brackets.
const DATA: &str = "json jsonc json5 yaml yml toml";

/// Languages in which a value goes on until a mark ends it.
const ENDED_BY_SEMICOLON: &str = "rs c cc cpp cxx cu cuh h hh hpp java cs";

/// What was asked of a model that finds and quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub kind: Kind,
    /// The text to look for, as it stands in the documents.
    pub span: String,
    /// The type or module that the name asked for belongs to, if the question said so.
    pub owner: Option<String>,
}

impl Asked {
    pub fn new(kind: Kind, span: impl Into<String>) -> Self {
        Self {
            kind,
            span: span.into(),
            owner: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Find,
    Define,
    Value,
    /// The "magic" or "special" number of something.
    Needle(&'static str),
}

/// The value that a reply gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub text: &'a str,
    pub tokens: usize,
}

impl Kind {
    /// The reply ends in a value, not in a place.
    pub fn wants_value(self) -> bool {
        matches!(self, Self::Value | Self::Needle(_))
    }
}

/// Checks the claim that the line with a running number is what was asked for and ends in `quote`.
pub(super) fn check(
    pack: &Pack,
    asked: &Asked,
    running: Option<usize>,
    quote: &str,
    answer: Option<Answer<'_>>,
    channel: Channel,
) -> Citation {
    let line = running.and_then(|n| pack.line(n));
    let verdict = match line {
        Some(line) => judge(pack, asked, line, quote, answer),
        None => Err(format!("there is no such line; the documents have {}", pack.lines())),
    };
    let (path, number) = line.map_or(("?", running.unwrap_or(0)), |l| (l.document.path.as_str(), l.number));
    Citation {
        channel,
        path: path.to_owned(),
        line: number,
        quote: sanitize(quote).into_owned(),
        verdict: match verdict {
            Ok(()) => Verdict::Verified,
            Err(reason) => unverified(reason + &elsewhere(pack, asked, line, quote)),
        },
    }
}

pub(super) fn unverified(reason: impl AsRef<str>) -> Verdict {
    Verdict::Unverified {
        reason: sanitize(reason.as_ref()).into_owned(),
    }
}

fn judge(pack: &Pack, asked: &Asked, line: Line<'_>, quote: &str, answer: Option<Answer<'_>>) -> Result<(), String> {
    let span = &asked.span;
    if quote.trim().is_empty() {
        return Err("nothing is quoted".into());
    }
    if !ends_with(line.text, quote) {
        return Err("the quotation does not stand there".into());
    }
    if !quote.contains(span.as_str()) {
        return Err(format!("the quotation does not have `{span}`"));
    }
    if is_name(span) && !contains_word(line.text, span) && stands_alone(pack, span) {
        return Err(format!("`{span}` is only a part of a longer name there"));
    }
    if let Some(owner) = &asked.owner
        && !belongs_to(line, owner)
    {
        return Err(format!("whether this is the `{span}` of `{owner}` cannot be told"));
    }
    match asked.kind {
        Kind::Find => Ok(()),
        Kind::Define => judge_definition(line, span),
        Kind::Value => {
            let value = value_of(line.text, span).ok_or_else(|| format!("the line does not set `{span}`"))?;
            judge_assignment(line, span)?;
            let answer = answer.ok_or("the reply ended before its answer")?;
            is_value(answer.text, answer.tokens, value)
                .then_some(())
                .ok_or_else(|| format!("the line sets `{span}` to something else: {value}"))
        }
        Kind::Needle(adjective) => {
            let number = number_for(line.text, adjective, span)
                .ok_or_else(|| format!("the line does not give the {adjective} number for {span}"))?;
            let answer = answer.ok_or("the reply ended before its answer")?;
            (answer.text.trim().trim_end_matches('.') == number)
                .then_some(())
                .ok_or_else(|| format!("the line says {number}"))
        }
    }
}

/// Whether the line, the file's name or a line that encloses it by its indentation names the owner.
fn belongs_to(line: Line<'_>, owner: &str) -> bool {
    let file = line.document.path.rsplit('/').next().unwrap_or_default();
    if contains_word(line.text, owner) || file.split('.').next() == Some(owner) {
        return true;
    }
    let indent = |text: &str| text.len() - text.trim_start().len();
    let mut inner = indent(line.text);
    (1..line.number)
        .rev()
        .filter_map(|n| line.document.line(n))
        .any(|text| {
            let closes = text.trim_start().starts_with(['}', ')', ']', '#', '/', '*', '@']);
            if text.trim().is_empty() || closes || indent(text) >= inner {
                return false;
            }
            inner = indent(text);
            contains_word(text, owner)
        })
}

fn judge_definition(line: Line<'_>, name: &str) -> Result<(), String> {
    let Line { document, number, .. } = line;
    let path = &document.path;
    let code = Code::of(document);
    let code_of = |n: usize| document.lines.get(n - 1).map_or("", |bytes| code.line(bytes));
    if document
        .lines
        .get(number - 1)
        .is_some_and(|bytes| code.inside(bytes.start))
    {
        return Err(INSIDE.into());
    }
    match defines(code_of(number), path, name) {
        Defines::Yes => Ok(()),
        Defines::No => Err(format!(
            "the line has `{name}`, but no definition of it that can be recognised"
        )),
        Defines::Assigns => {
            let earlier =
                (1..number).find(|&n| code_of(n).contains(name) && defines(code_of(n), path, name) != Defines::No);
            earlier.map_or(Ok(()), |n| {
                Err(format!("`{name}` is defined before that, at {path}:{n}"))
            })
        }
    }
}

/// Whether what the line says of `name` is code, not an argument, and complete. What it is set to is another question.
fn judge_assignment(line: Line<'_>, name: &str) -> Result<(), String> {
    let Line { document, number, .. } = line;
    let Some(bytes) = document.lines.get(number - 1) else {
        return Ok(());
    };
    let code = Code::of(document);
    let text = code.line(bytes);
    let Some(at) = occurrences(text, name).next().filter(|_| !code.inside(bytes.start)) else {
        return Err(INSIDE.into());
    };
    let kind = kind_of_file(&document.path);
    if !among(&kind, DATA) && code.open(bytes.start + at) > 0 {
        return Err(format!("`{name}` stands in brackets there, as an argument does"));
    }
    if among(&kind, ENDED_BY_SEMICOLON) && !text.trim_end().ends_with([';', ',', '}']) {
        return Err("the value may go on in the next line".into());
    }
    Ok(())
}

/// Where else the quotation stands, if at exactly one line.
fn elsewhere(pack: &Pack, asked: &Asked, cited: Option<Line<'_>>, quote: &str) -> String {
    if quote.trim().is_empty() || !quote.contains(asked.span.as_str()) {
        return String::new();
    }
    let stands = |line: &Line<'_>| ends_with(line.text, quote);
    if cited.as_ref().is_some_and(stands) {
        return String::new();
    }
    only_place(pack, stands)
}

/// `; it stands at path:line`, if exactly one line of the pack is such.
pub(super) fn only_place(pack: &Pack, is_such: impl Fn(&Line<'_>) -> bool) -> String {
    let mut places = pack.all_lines().map(|(_, line)| line).filter(|line| is_such(line));
    match (places.next(), places.next()) {
        (Some(line), None) => format!("; it stands at {}:{}", line.document.path, line.number),
        _ => String::new(),
    }
}

fn ends_with(line: &str, quote: &str) -> bool {
    line.trim_end().ends_with(quote.trim_end())
}

/// Both ends are of names, so that more letters there would make it another name.
fn is_name(span: &str) -> bool {
    span.starts_with(is_word) && span.ends_with(is_word)
}

fn stands_alone(pack: &Pack, span: &str) -> bool {
    pack.documents.iter().any(|d| contains_word(&d.text, span))
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
