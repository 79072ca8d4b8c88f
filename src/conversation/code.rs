//! Which part of a file is code: everything but comments and the insides of strings.
//!
//! Told by following the marks of each family of languages from the beginning of the file, without a grammar. Where
//! that goes wrong, code is taken for a string and a true claim loses its mark. Prose and unknown files are all code.

use std::borrow::Cow;
use std::ops::Range;

use super::words::{among, is_word, kind_of_file};
use crate::context::Document;

/// A file without its comments and the insides of its strings.
pub(super) struct Code<'d> {
    /// As long as the file, with spaces for what was taken out.
    text: Cow<'d, str>,
    taken_out: Vec<Range<usize>>,
}

impl<'d> Code<'d> {
    pub fn of(document: &'d Document) -> Self {
        let kind = kind_of_file(&document.path);
        let text = document.text.as_str();
        let taken_out = Syntax::of(&kind).map_or_else(Vec::new, |syntax| syntax.scan(text, &kind));
        let mut bytes = Cow::Borrowed(text.as_bytes());
        for range in &taken_out {
            for byte in &mut bytes.to_mut()[range.clone()] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        let text = match bytes {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned),
        };
        Self { text, taken_out }
    }

    /// What stands at these bytes of the file.
    pub fn line(&self, bytes: &Range<usize>) -> &str {
        &self.text[bytes.clone()]
    }

    /// A line that begins here begins inside a comment or a string.
    pub fn inside(&self, start: usize) -> bool {
        let before = self.taken_out.partition_point(|range| range.start < start);
        before
            .checked_sub(1)
            .is_some_and(|last| self.taken_out[last].end >= start)
    }

    /// Parentheses and brackets that are open at this place.
    pub fn open(&self, at: usize) -> usize {
        self.text.as_bytes()[..at].iter().fold(0, |open, byte| match byte {
            b'(' | b'[' => open + 1,
            b')' | b']' => usize::saturating_sub(open, 1),
            _ => open,
        })
    }
}

/// The bytes that something other than code can begin with, the end of a line, and the escape.
const MARKS: &[u8] = b"\n\"'`/#;-[{(=<rR\\";

/// How a family of languages marks what is no code.
#[derive(Default)]
struct Syntax {
    /// Comments up to the end of the line.
    comments: &'static [&'static str],
    blocks: &'static [(&'static str, &'static str)],
    nested: bool,
    /// Strings of several lines, then those of one.
    long_strings: &'static [&'static str],
    strings: &'static [&'static str],
    /// What stands in strings may be a key, and is left.
    keys: bool,
}

impl Syntax {
    fn of(kind: &str) -> Option<Self> {
        let slashes = Self {
            comments: &["//"],
            blocks: &[("/*", "*/")],
            strings: &["\"", "'"],
            ..Self::default()
        };
        let hash = Self {
            comments: &["#"],
            strings: &["\"", "'"],
            ..Self::default()
        };
        let is = |kinds| among(kind, kinds);
        Some(if is("rs") {
            Self {
                nested: true,
                long_strings: &["\""],
                strings: &[],
                ..slashes
            }
        } else if is("c cc cpp cu cuh cxx h hh hpp m mm css scss less proto zig") {
            slashes
        } else if is("java kt kts scala swift groovy gradle dart cs") {
            Self {
                nested: is("kt kts scala swift dart"),
                long_strings: &["\"\"\""],
                ..slashes
            }
        } else if is("go js jsx mjs cjs ts tsx mts") {
            Self {
                long_strings: &["`"],
                ..slashes
            }
        } else if is("php") {
            Self {
                comments: &["//", "#"],
                long_strings: &["\"", "'"],
                ..slashes
            }
        } else if is("jsonc json5 json") {
            Self { keys: true, ..slashes }
        } else if is("py pyi toml jl") {
            Self {
                long_strings: &["\"\"\"", "'''"],
                keys: is("toml"),
                ..hash
            }
        } else if is("sh bash zsh rb") {
            Self {
                long_strings: &["\"", "'"],
                strings: &[],
                ..hash
            }
        } else if is("yaml yml") {
            Self { keys: true, ..hash }
        } else if is("r pl pm tf hcl makefile mk dockerfile conf properties env justfile cmake") {
            hash
        } else if is("ini cfg") {
            Self {
                comments: &["#", ";"],
                ..hash
            }
        } else if is("sql") {
            Self {
                comments: &["--"],
                long_strings: &["'", "\""],
                ..slashes
            }
        } else if is("lua") {
            Self {
                comments: &["--"],
                blocks: &[("--[[", "]]"), ("[[", "]]")],
                ..hash
            }
        } else if is("hs elm") {
            Self {
                comments: &["--"],
                blocks: &[("{-", "-}")],
                nested: true,
                strings: &["\""],
                ..Self::default()
            }
        } else if is("ml mli") {
            Self {
                blocks: &[("(*", "*)")],
                nested: true,
                long_strings: &["\""],
                ..Self::default()
            }
        } else if is("lisp el clj cljs scm") {
            Self {
                comments: &[";"],
                long_strings: &["\""],
                ..Self::default()
            }
        } else {
            return None;
        })
    }

    fn scan(&self, text: &str, kind: &str) -> Vec<Range<usize>> {
        let mut taken_out = Vec::new();
        let mut at = 0;
        let mut heredoc = None;
        while at < text.len() {
            if !MARKS.contains(&text.as_bytes()[at]) {
                at += 1;
                continue;
            }
            let (rest, before) = (&text[at..], text[..at].chars().next_back());
            if rest.starts_with('\n')
                && let Some(tag) = heredoc.take()
            {
                let end = at + heredoc_length(rest, tag);
                taken_out.push(at..end);
                at = end.max(at + 1);
                continue;
            }
            if among(kind, "sh bash zsh rb php pl") && rest.starts_with("<<") {
                heredoc = heredoc_tag(rest);
            }
            if let Some(length) = self.comment(rest, before, kind) {
                taken_out.push(at..at + length);
                at += length;
            } else if let Some((open, close, end)) = self.string(rest, before, kind, text[..at].trim_end()) {
                if !self.keys || text[at..at + end].contains('\n') {
                    taken_out.push(at + open..at + end - close);
                }
                at += end;
            } else if rest.starts_with('\\') && among(kind, "sh bash zsh") {
                at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        if among(kind, "yaml yml") {
            taken_out.extend(yaml_blocks(text));
            taken_out.sort_by_key(|range| range.start);
        }
        taken_out.retain(|range| !range.is_empty());
        taken_out
    }

    /// The length of a comment that begins here.
    fn comment(&self, rest: &str, before: Option<char>, kind: &str) -> Option<usize> {
        if let Some((open, close)) = self.blocks.iter().find(|(open, _)| rest.starts_with(open)) {
            return Some(block_length(rest, open, close, self.nested));
        }
        if kind == "rb" && rest.starts_with("=begin") && before.is_none_or(|c| c == '\n') {
            return Some(rest.find("\n=end").map_or(rest.len(), |end| end + "\n=end".len()));
        }
        let apart = before.is_none_or(|c| c.is_whitespace() || ";)}],".contains(c));
        let begins = |mark: &&&str| rest.starts_with(**mark) && (apart || **mark == "//");
        self.comments.iter().find(begins)?;
        Some(rest.find('\n').unwrap_or(rest.len()))
    }

    /// The lengths of the opening mark, the closing mark and the whole of a string that begins here.
    fn string(&self, rest: &str, before: Option<char>, kind: &str, head: &str) -> Option<(usize, usize, usize)> {
        if let Some(raw) = raw_string(rest, before, kind) {
            return Some(raw);
        }
        if rest.starts_with('\'') {
            if kind == "rs" {
                return rust_character(rest);
            }
            // A digit separator, or an apostrophe in plain words.
            let joins = |c: char| {
                if among(kind, "py pyi c cc cpp h hpp") {
                    c.is_ascii_digit()
                } else {
                    is_word(c)
                }
            };
            if before.is_some_and(joins) {
                return None;
            }
        }
        if rest.starts_with('/') && among(kind, "js jsx mjs cjs ts tsx mts") && head_wants_value(head) {
            let length = closed(&rest[1..], "/", true, false)?;
            return Some((1, 1, length + 1));
        }
        let escapes = |mark: &str| {
            !(among(kind, "sql pas")
                || (mark.starts_with('\'') && among(kind, "sh bash zsh toml yaml yml"))
                || (mark == "`" && kind == "go"))
        };
        let long = self.long_strings.iter().map(|mark| (*mark, true));
        let (mark, long) = long
            .chain(self.strings.iter().map(|mark| (*mark, false)))
            .find(|(mark, _)| rest.starts_with(mark))?;
        let inside = &rest[mark.len()..];
        match closed(inside, mark, escapes(mark), long) {
            Some(length) => Some((mark.len(), mark.len(), mark.len() + length)),
            None if long => Some((mark.len(), 0, rest.len())),
            None => None,
        }
    }
}

/// The length up to and with the `close` of a string, if it is closed, on the same line unless it is `long`.
fn closed(inside: &str, close: &str, escapes: bool, long: bool) -> Option<usize> {
    let mut characters = inside.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == '\\' && escapes {
            characters.next();
        } else if inside[at..].starts_with(close) {
            return Some(at + close.len());
        } else if c == '\n' && !long {
            return None;
        }
    }
    None
}

fn block_length(text: &str, open: &str, close: &str, nested: bool) -> usize {
    let mut depth = 1usize;
    let mut at = open.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(close) {
            depth -= 1;
            at += close.len();
            if depth == 0 {
                return at;
            }
        } else if nested && rest.starts_with(open) {
            depth += 1;
            at += open.len();
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// `r#"…"#` of Rust, `R"x(…)x"` of C++.
fn raw_string(rest: &str, before: Option<char>, kind: &str) -> Option<(usize, usize, usize)> {
    let (open, close) =
        if kind == "rs" && rest.starts_with('r') && before.is_none_or(|c| !is_word(c) || "bc".contains(c)) {
            let marks = rest[1..].bytes().take_while(|&b| b == b'#').count();
            rest[1 + marks..]
                .starts_with('"')
                .then(|| (2 + marks, format!("\"{}", "#".repeat(marks))))?
        } else if among(kind, "cc cpp cxx cu cuh h hh hpp") && rest.starts_with("R\"") {
            let (delimiter, _) = rest[2..].split_once('(')?;
            (3 + delimiter.len(), format!("){delimiter}\""))
        } else {
            return None;
        };
    let inside = &rest[open..];
    Some(match inside.find(&close) {
        Some(length) => (open, close.len(), open + length + close.len()),
        None => (open, 0, rest.len()),
    })
}

/// `'x'` and `'\n'`, but no lifetime.
fn rust_character(rest: &str) -> Option<(usize, usize, usize)> {
    let mut characters = rest[1..].chars();
    let length = match characters.next()? {
        '\\' => 1 + closed(&rest[1..], "'", true, false)?,
        c => 1 + c.len_utf8() + usize::from(rest[1 + c.len_utf8()..].starts_with('\'')),
    };
    rest[..length]
        .ends_with('\'')
        .then_some((1, 1, length))
        .filter(|_| length > 2)
}

/// A `/` after this begins a regular expression, not a division.
fn head_wants_value(head: &str) -> bool {
    head.is_empty() || head.ends_with(|c: char| "(=,:[!&|?{};+".contains(c)) || head.ends_with("return")
}

/// The word that ends the text which `<<` announces.
fn heredoc_tag(rest: &str) -> Option<&str> {
    let tag = rest.trim_start_matches('<').trim_start_matches(['-', '~', '\'', '"']);
    let length = tag.find(|c| !is_word(c)).unwrap_or(tag.len());
    (!rest.starts_with("<<<") && tag.starts_with(|c: char| c.is_alphabetic() || c == '_')).then(|| &tag[..length])
}

/// From the end of the line that announces it to before its end mark.
fn heredoc_length(rest: &str, tag: &str) -> usize {
    let mut length = 1;
    for line in rest[1..].split_inclusive('\n') {
        let bare = line.trim();
        if bare.strip_prefix(tag).is_some_and(|more| !more.starts_with(is_word)) {
            return length - 1;
        }
        length += line.len();
    }
    rest.len()
}

/// The texts after `key: |` and `key: >`.
fn yaml_blocks(text: &str) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let mut block: Option<usize> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let empty = line.trim().is_empty();
        if block.is_some_and(|outer| indent <= outer && !empty) {
            block = None;
        }
        if block.is_some() {
            let end = start + line.trim_end_matches('\n').len();
            // From the line break before it, so that the line begins inside.
            blocks.push(start.saturating_sub(1)..end);
        } else {
            let mark = line.trim_end().rsplit([' ', ':']).next().unwrap_or_default();
            let bare = mark.trim_end_matches(|c: char| "+-".contains(c) || c.is_ascii_digit());
            block = ["|", ">"].contains(&bare).then_some(indent);
        }
        start += line.len();
    }
    blocks
}

#[cfg(test)]
#[path = "code_tests.rs"]
mod tests;
