//! Checking what a reply claims against the documents.
//!
//! A claim is verified only if everything it says can be read off the cited line itself. Whatever is missing, wrong or
//! cannot be told makes it unverified, with the first reason found; a wrong claim must never pass.

use std::ops::Range;

use super::code::Code;
use super::definition::{Defines, defines};
use super::value::{number_for, value_of};
use super::words::{among, contains_word, is_word, kind_of_file, leading_name, strip_name};
use super::{Citation, Verdict};
use crate::context::{Document, Line, Pack, sanitize};
use crate::trace::Channel;

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
        section: None,
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
        && !belongs_to(line, span, owner)
    {
        return Err(format!("whether this is the `{span}` of `{owner}` cannot be told"));
    }
    match asked.kind {
        Kind::Find => Ok(()),
        Kind::Define => judge_definition(pack, line, span),
        Kind::Value => judge_value(line, span, answer),
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

/// Whether the name is written with its owner, or stands inside it by its indentation, or at the top of its file.
fn belongs_to(line: Line<'_>, name: &str, owner: &str) -> bool {
    let Line { document, number, text } = line;
    let joined = |mark: &str| contains_word(text, &format!("{owner}{mark}{name}"));
    let received = text
        .trim_start()
        .strip_prefix("func (")
        .and_then(|rest| rest.split_once(')'))
        .is_some_and(|(receiver, _)| contains_word(receiver, owner));
    if received || ["::", ".", "#"].iter().any(|mark| joined(mark)) {
        return true;
    }
    match enclosing(document, number) {
        Some(outer) => introduces(outer, &document.path, owner),
        None => names_of_file(&document.path).any(|name| name == owner),
    }
}

/// The nearest line above with less indentation that opens something.
fn enclosing(document: &Document, number: usize) -> Option<&str> {
    let indent = |text: &str| text.len() - text.trim_start().len();
    let inner = indent(document.line(number)?);
    (1..number).rev().filter_map(|n| document.line(n)).find(|text| {
        let bare = text.trim_start();
        let opens = !bare.is_empty() && !bare.starts_with(['{', '}', ')', ']', '#', '/', '*', '@']);
        opens && indent(text) < inner && leading_name(bare).0 != "where"
    })
}

/// A line that begins a type or module named `owner`, or an implementation for it.
fn introduces(line: &str, path: &str, owner: &str) -> bool {
    let code = line.trim_start();
    let code = strip_name(code, "unsafe").map_or(code, str::trim_start);
    if let Some(rest) = strip_name(code, "impl").or_else(|| strip_name(code, "extension")) {
        let of_type = rest
            .split_once(" for ")
            .map_or_else(|| after_generics(rest), |(_, of_type)| of_type);
        let path = of_type
            .trim_start()
            .split(['<', '{', ' ', '('])
            .next()
            .unwrap_or_default();
        return path.rsplit(|c| !is_word(c)).next() == Some(owner);
    }
    defines(line, path, owner) == Defines::Yes && strip_name(code, "let").is_none()
}

/// What follows the `<…>` that `impl` begins with.
fn after_generics(text: &str) -> &str {
    let mut depth = 0i32;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '<') - i32::from(c == '>' && !text[..at].ends_with('-'));
        if depth == 0 {
            return &text[if c == '>' { at + 1 } else { at }..];
        }
    }
    text
}

/// What the module in a file may be called: by the file, and where that has a name for all, by its folder.
fn names_of_file(path: &str) -> impl Iterator<Item = &str> {
    let mut parts = path.rsplit('/');
    let stem = parts.next().and_then(|file| file.split('.').next()).unwrap_or_default();
    let folder = parts.next().filter(|_| among(stem, "mod lib main index __init__"));
    std::iter::once(stem).chain(folder)
}

fn judge_definition(pack: &Pack, line: Line<'_>, name: &str) -> Result<(), String> {
    let Line { document, number, .. } = line;
    let code = Code::of(document);
    let bytes = &document.lines.at(number - 1);
    if code.inside(bytes.start) {
        return Err("the line is inside a comment or a text".into());
    }
    let path = &document.path;
    let earlier = |n: &usize| {
        let bytes = &document.lines.at(n - 1);
        !code.inside(bytes.start) && defines(code.line(bytes), path, name) != Defines::No
    };
    match defines(code.line(bytes), path, name) {
        Defines::Yes => Ok(()),
        Defines::No => Err(format!(
            "the line has `{name}`, but no definition of it that can be recognised"
        )),
        Defines::Assigns if among(&kind_of_file(path), "py pyi r rb jl php") && code.open(bytes.start) > 0 => {
            Err(format!("the line gives `{name}` to what is called"))
        }
        Defines::Assigns => (1..number).find(earlier).map_or(Ok(()), |n| {
            Err(format!("`{name}` is defined before that, at {path}:{n}"))
        }),
        Defines::Announces => match definition(pack, name) {
            None => Ok(()),
            Some((document, n)) => Err(format!("`{name}` is defined at {}:{n}", document.path)),
        },
    }
}

/// The first line of the pack that defines a name beyond doubt.
fn definition<'p>(pack: &'p Pack, name: &str) -> Option<(&'p Document, usize)> {
    pack.documents
        .iter()
        .filter(|d| contains_word(&d.text, name))
        .find_map(|document| {
            let code = Code::of(document);
            let defined = |bytes: &Range<usize>| {
                !code.inside(bytes.start) && defines(code.line(bytes), &document.path, name) == Defines::Yes
            };
            document
                .lines
                .iter()
                .position(|line| defined(&line))
                .map(|at| (document, at + 1))
        })
}

fn judge_value(line: Line<'_>, name: &str, answer: Option<Answer<'_>>) -> Result<(), String> {
    let Line { document, number, text } = line;
    let code = Code::of(document);
    let bytes = &document.lines.at(number - 1);
    if code.inside(bytes.start) {
        return Err("the line is inside a comment or a text".into());
    }
    let value = value_of(text, code.line(bytes), &document.path, name)
        .ok_or_else(|| format!("the line does not set `{name}`"))?;
    let answer = answer.ok_or("the reply ended before its answer")?;
    if !value.is(answer.text, answer.tokens) {
        return Err(format!("the line sets `{name}` to something else: {}", value.text));
    }
    // Where lines are not joined, what begins with a mark is an item of a list.
    let joined = !among(
        &kind_of_file(&document.path),
        "yaml yml toml ini cfg conf env properties md txt rst stdin",
    );
    let next = document
        .lines
        .get(number)
        .filter(|_| joined)
        .map(|next| code.line(&next));
    if value.goes_on(next) {
        return Err(format!("what `{name}` is set to goes on after the line"));
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
