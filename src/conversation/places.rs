//! Finding the places that a text names: `path:line`, `path:line-line`, and paths by themselves.
//!
//! The one finder for the checks of the conversation and for the links of the application.

use std::ops::Range;

use super::words::{is_word, kind_of_file};
use crate::context::{Document, Pack};

/// A place as a text names it.
#[derive(Debug)]
pub(crate) struct Place<'p> {
    /// Where it stands in the text.
    pub at: Range<usize>,
    pub path: String,
    pub document: Option<&'p Document>,
    pub first: usize,
    pub last: usize,
}

/// All places that a line of text names.
pub(crate) fn places<'p>(line: &str, pack: &'p Pack) -> Vec<Place<'p>> {
    let mut places: Vec<Place<'p>> = Vec::new();
    for (colon, _) in line.match_indices(':') {
        let Some((first, last, length)) = line_numbers(&line[colon + 1..]) else {
            continue;
        };
        let Some((path, document)) = path_before(&line[..colon], pack) else {
            continue;
        };
        let start = colon - path.len();
        if places.last().is_some_and(|before| before.at.end > start) {
            continue;
        }
        places.push(Place {
            at: start..colon + 1 + length,
            path: document.map_or_else(|| path.to_owned(), |d| d.path.clone()),
            document,
            first,
            last,
        });
    }
    places
}

/// `12` or `12-34` at the beginning of a text, and its length. A number too large for any file is 0, which none has.
fn line_numbers(text: &str) -> Option<(usize, usize, usize)> {
    let number = |text: &str| {
        let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        (length > 0).then(|| (text[..length].parse().unwrap_or(0), length))
    };
    let (first, length) = number(text)?;
    let rest = &text[length..];
    let dash = ['-', '–']
        .into_iter()
        .find(|&dash| rest.starts_with(dash))
        .map_or(0, char::len_utf8);
    let (last, length) = match number(&rest[dash..]).filter(|_| dash > 0) {
        Some((last, more)) => (last, length + dash + more),
        None => (first, length),
    };
    (!text[length..].starts_with(is_word)).then_some((first, last, length))
}

/// The path that a text ends with, as it is written, and the document it means. A path that looks like a document's but
/// is none is a wrong citation; anything else before a colon is no citation.
fn path_before<'t, 'p>(text: &'t str, pack: &'p Pack) -> Option<(&'t str, Option<&'p Document>)> {
    let begins = |path: &str| !text[..text.len() - path.len()].ends_with(|c: char| is_word(c) || "/\\.-~".contains(c));
    let exact = pack
        .documents
        .iter()
        .filter(|d| text.ends_with(d.path.as_str()) && begins(&d.path));
    if let Some(document) = exact.max_by_key(|d| d.path.len()) {
        let path = &text[text.len() - document.path.len()..];
        let other = pack.documents.iter().filter(|d| d.path == document.path).nth(1);
        return Some((path, other.is_none().then_some(document)));
    }
    let start = text
        .rfind(|c: char| c.is_whitespace() || "`'\"()[]{}<>,;|*".contains(c))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let path = &text[start..];
    let bare = path.trim_start_matches("./");
    if bare.is_empty() || path.contains("://") || path.starts_with("//") {
        return None;
    }
    let mut inside = pack
        .documents
        .iter()
        .filter(|d| d.path == bare || d.path.strip_suffix(bare).is_some_and(|rest| rest.ends_with('/')));
    if let (Some(document), None) = (inside.next(), inside.next()) {
        return Some((path, Some(document)));
    }
    let kind = kind_of_file(bare);
    let like_ours = bare.contains('.') && pack.documents.iter().any(|d| kind_of_file(&d.path) == kind);
    like_ours.then_some((path, None))
}

/// The documents whose paths stand in a line of text without a number, and where. `is_name` tells whether a document's file
/// has this name: most words are no paths, and there may be thousands of documents.
pub(crate) fn paths<'p>(
    line: &str,
    pack: &'p Pack,
    is_name: impl Fn(&str) -> bool,
) -> Vec<(Range<usize>, &'p Document)> {
    let between = |c: char| c.is_whitespace() || "`'\"()[]{}<>,;|*“”«»".contains(c);
    let mut found = Vec::new();
    let mut end = 0;
    for word in line.split_inclusive(between) {
        let start = end;
        end += word.len();
        let path = word.trim_end_matches(between).trim_end_matches(['.', ':', '?', '!']);
        let bare = path.trim_start_matches("./");
        if !bare.contains(['.', '/']) || !is_name(bare.rsplit('/').next().unwrap_or(bare)) {
            continue;
        }
        let exact = pack.documents.iter().find(|d| d.path == bare);
        let inside = |d: &&Document| d.path.strip_suffix(bare).is_some_and(|rest| rest.ends_with('/'));
        let mut inside = pack.documents.iter().filter(inside);
        match (exact, inside.next(), inside.next()) {
            (Some(document), ..) | (None, Some(document), None) => found.push((start..start + path.len(), document)),
            _ => {}
        }
    }
    found
}
