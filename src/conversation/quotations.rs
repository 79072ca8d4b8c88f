//! What a reply says is quoted, and where in the documents it stands.
//!
//! Quotations are what stands between backquotes or quotation marks and is long enough to be no mere name, and blocks of
//! code. One is found if its words stand in the documents in this order, with any white space between them and with
//! either kind of quotation marks and dashes in them: those are what a model writes otherwise than a book.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::words::is_word;
use crate::context::{Document, Pack};

/// What is shorter in both is a name, a command, a word that is only mentioned.
const WORDS: usize = 3;
const LONG: usize = 20;
/// Words that are looked for; what agrees so far agrees.
const MOST_WORDS: usize = 400;
/// Bytes after its place in which a quotation must have ended.
const REACH: usize = 16 * 1024;
/// What quotations begin and end with, besides backquotes.
const MARKS: [(char, char); 3] = [('"', '"'), ('“', '”'), ('«', '»')];

/// Byte ranges of what stands between backquotes.
pub(super) fn backquoted(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = line[from..].find('`').map(|at| from + at) {
        let ticks = line[at..].bytes().take_while(|&b| b == b'`').count();
        let inside = at + ticks;
        let Some(end) = line[inside..].find(&line[at..inside]).map(|end| inside + end) else {
            break;
        };
        if !line[inside..end].trim().is_empty() {
            found.push(inside..end);
        }
        from = end + ticks;
    }
    found
}

/// Byte ranges of what stands between other quotation marks, outside of backquotes.
pub(super) fn in_marks(line: &str) -> Vec<Range<usize>> {
    let code = backquoted(line);
    let mut found: Vec<Range<usize>> = Vec::new();
    for (open, close) in MARKS {
        let mut from = 0;
        while let Some(at) = line[from..].find(open).map(|at| from + at) {
            let inside = at + open.len_utf8();
            let Some(end) = line[inside..].find(close).map(|end| inside + end) else {
                break;
            };
            from = end + close.len_utf8();
            let apart = |other: &Range<usize>| other.end <= inside || end <= other.start;
            if code.iter().all(apart) && found.iter().all(apart) {
                found.push(inside..end);
            }
        }
    }
    found.sort_by_key(|quote| quote.start);
    found
}

/// Whether this purports to be a quotation when nothing says so but the marks around it.
pub(super) fn is_quotation(text: &str) -> bool {
    let words = text.split_whitespace().filter(|word| word.contains(is_word)).count();
    words >= WORDS || (words >= 2 && text.trim().chars().count() >= LONG)
}

/// Finds a text in the documents: the first document and line where it begins.
pub(super) fn find<'p>(pack: &'p Pack, quote: &str) -> Option<(&'p Document, usize)> {
    patterns(quote).find_map(|pattern| {
        pack.documents.iter().find_map(|document| {
            let whole = |range: &Range<usize>| stands_alone(&document.text, range);
            let at = pattern.find_iter(&document.text).map(|m| m.range()).find(whole)?.start;
            let after = document.lines.begun_at(at);
            Some((document, after.max(1)))
        })
    })
}

/// Whether a text begins in these lines of a document, from 1.
pub(super) fn stands_within(document: &Document, first: usize, last: usize, quote: &str) -> bool {
    let line = |number: usize| document.lines.get(number - 1);
    let (Some(first), Some(last)) = (line(first), line(last)) else {
        return false;
    };
    let text = &document.text[first.start..];
    let end = last.end - first.start;
    let reach = text.floor_char_boundary(end.saturating_add(REACH));
    patterns(quote).any(|pattern| {
        let mut found = pattern.find_iter(&text[..reach]).map(|m| m.range());
        found.any(|range| range.start <= end && stands_alone(text, &range))
    })
}

/// What the words of a quotation look like where they stand: as they are, and without the marks at the end, which may
/// belong to the sentence around it. What was left out inside, `…`, ends it.
fn patterns(quote: &str) -> impl Iterator<Item = Regex> {
    let pieces = quote.split('…').flat_map(|piece| piece.split("..."));
    let whole = pieces.max_by_key(|piece| piece.len()).unwrap_or_default().trim();
    let bare = whole.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    let other = (bare != whole).then(|| bare.to_owned());
    let candidates = [Some(whole.to_owned()), other, without_numbers(whole)];
    candidates.into_iter().flatten().filter_map(|text| pattern(&text))
}

/// A quotation that took over the numbers of its lines: a chat model reads each line after its number.
fn without_numbers(text: &str) -> Option<String> {
    let bare = |line: &str| {
        let (number, line) = line.trim_start().split_once(':')?;
        let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        numbered.then(|| line.to_owned())
    };
    let lines: Option<Vec<String>> = text.lines().map(bare).collect();
    lines.map(|lines| lines.join("\n"))
}

fn pattern(text: &str) -> Option<Regex> {
    let words: Vec<String> = text.split_whitespace().take(MOST_WORDS).map(word).collect();
    if words.is_empty() || !text.contains(is_word) {
        return None;
    }
    RegexBuilder::new(&words.join(r"\s+")).size_limit(1 << 22).build().ok()
}

fn word(word: &str) -> String {
    let mut pattern = String::new();
    for c in word.chars() {
        match c {
            '\'' | '’' | '‘' => pattern.push_str("['’‘]"),
            '"' | '“' | '”' | '«' | '»' => pattern.push_str("[\"“”«»]"),
            '-' | '–' | '—' => pattern.push_str("[-–—]"),
            c => pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern
}

/// Neither end lies within a word.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let within = |a: Option<char>, b: Option<char>| a.is_some_and(is_word) && b.is_some_and(is_word);
    let found = &text[range.clone()];
    !within(text[..range.start].chars().next_back(), found.chars().next())
        && !within(found.chars().next_back(), text[range.end..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::super::testing::pack_as;
    use super::*;
    use crate::context::{Layout, Template};

    fn place(quote: &str) -> Option<(String, usize)> {
        let files = [
            (
                "book.txt",
                "Call me Ishmael. Some years\nago - never mind how\nlong precisely - it’s so.\n",
            ),
            ("a.rs", "fn run() {\n    let retries = 10;\n    run();\n}\n"),
        ];
        let pack = pack_as(&Layout::Documents(Template::default()), &files);
        find(&pack, quote).map(|(document, line)| (document.path.clone(), line))
    }

    #[test]
    fn white_space_and_kinds_of_marks_do_not_matter() {
        for (quote, path, line) in [
            ("Call me Ishmael", "book.txt", 1),
            ("Some years ago — never mind", "book.txt", 1),
            ("never mind how long precisely", "book.txt", 2),
            ("it's so,", "book.txt", 3),
            ("me Ishmael. Some … never mind how long", "book.txt", 2),
            ("fn run() {\n  let retries = 10;\n}", "", 0),
            ("fn run() {\n  let retries = 10;", "a.rs", 1),
            ("run();", "a.rs", 3),
            ("2:    let retries = 10;\n3:    run();", "a.rs", 2),
        ] {
            let expected = (!path.is_empty()).then(|| (path.to_owned(), line));
            assert_eq!(place(quote), expected, "{quote}");
        }
        for quote in [
            "call me Ishmael",
            "all me Ishmael",
            "Call me Ish",
            "Ishmael years",
            "",
            "…",
            ". ! ",
        ] {
            assert_eq!(place(quote), None, "{quote}");
        }
    }

    #[test]
    fn names_and_words_are_no_quotations() {
        for text in [
            "retries",
            "a_very_long_identifier_of_one_word",
            "let x",
            "a - b",
            "",
            "src/a.rs:12-34",
        ] {
            assert!(!is_quotation(text), "{text}");
        }
        for text in ["let retries = 10", "never mind how", "considerable circumspection"] {
            assert!(is_quotation(text), "{text}");
        }
    }

    #[test]
    fn marks_of_every_kind() {
        let inside =
            |line: &'static str| -> Vec<&str> { in_marks(line).into_iter().map(|quote| &line[quote]).collect() };
        assert_eq!(inside("a \"b c\" “d” «e» `\"f\"` \"g"), ["b c", "d", "e"]);
        assert_eq!(inside("“a \"b\" c”"), ["b"]);
        assert_eq!(inside("5\" x"), [""; 0]);
    }
}
