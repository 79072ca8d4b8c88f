//! The token sequence and the way back from it to files and lines.
//!
//! Invariants: documents are in the order of their tokens; lines are numbered over the whole pack from 1 without a gap;
//! a line's text is the file's between its line breaks, without them; a line's tokens cover every byte of it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Note, Skipped, Spans};

/// Documents as one token sequence.
#[derive(Debug, Clone, Default)]
pub struct Pack {
    pub tokens: Arc<[u32]>,
    pub documents: Vec<Document>,
    /// What was found but is not packed.
    pub skipped: Vec<Skipped>,
    /// What is packed, but not as it is.
    pub notes: Vec<Note>,
}

/// One file of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Fit to be shown.
    pub path: String,
    /// Where it was read; `None` is standard input.
    pub file: Option<PathBuf>,
    pub text: String,
    /// Each line's bytes in `text`.
    pub lines: Spans,
    /// Each line's tokens, counted from the beginning of the pack.
    pub line_tokens: Spans,
    /// The running number of the first line.
    pub first_line: usize,
    /// All tokens of the document in the pack, with whatever frames it.
    pub tokens: Range<usize>,
    /// Chapters, pages or headings, in the order of their lines; of plain text and code there are none.
    pub sections: Vec<Section>,
    /// Lines of the text, from 0, that are cut out of the pack.
    pub gap: Option<Range<usize>>,
}

/// A part of a document that has a name or a number of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    pub kind: SectionKind,
    /// `Loomings`, `12`; fit to be shown.
    pub title: String,
    /// 1 is the outermost.
    pub level: u8,
    /// Its first line, from 1 within the document; where it is empty, that of what follows.
    pub line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SectionKind {
    Chapter,
    Page,
    Heading,
    /// Of a notebook.
    Cell,
}

/// One line of a pack.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    pub document: &'a Document,
    /// From 1, within the file.
    pub number: usize,
    pub text: &'a str,
}

impl std::fmt::Display for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            SectionKind::Page => write!(f, "page {}", self.title),
            SectionKind::Chapter | SectionKind::Heading | SectionKind::Cell => f.write_str(&self.title),
        }
    }
}

impl Document {
    /// The innermost section that a line lies in, from 1 within the file.
    #[must_use]
    pub fn section(&self, line: usize) -> Option<&Section> {
        let after = self.sections.partition_point(|section| section.line <= line);
        self.sections.get(after.checked_sub(1)?)
    }

    /// The tokens of a section, counted from the beginning of the pack: up to the next one of its level or above.
    #[must_use]
    pub fn section_tokens(&self, index: usize) -> Option<Range<usize>> {
        let section = self.sections.get(index)?;
        let mut following = self.sections[index + 1..].iter();
        let next = following.find(|next| next.level <= section.level);
        let at = |line: usize| {
            self.line_tokens
                .get(line - 1)
                .map_or(self.tokens.end, |tokens| tokens.start)
        };
        let start = at(section.line.max(1));
        Some(start..next.map_or(self.tokens.end, |next| at(next.line.max(1)).max(start)))
    }

    /// The text of a line, from 1 within the file.
    #[must_use]
    pub fn line(&self, number: usize) -> Option<&str> {
        self.text.get(self.lines.get(number.checked_sub(1)?)?)
    }
}

impl Pack {
    /// The number of lines of all documents.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.documents
            .last()
            .map_or(0, |last| last.first_line - 1 + last.lines.len())
    }

    /// The line with a running number, from 1.
    #[must_use]
    pub fn line(&self, running: usize) -> Option<Line<'_>> {
        if running == 0 {
            return None;
        }
        let after = self.documents.partition_point(|d| d.first_line <= running);
        let document = self.documents[..after].iter().rfind(|d| !d.lines.is_empty())?;
        let number = running - document.first_line + 1;
        Some(Line {
            document,
            number,
            text: document.line(number)?,
        })
    }

    /// All lines that the model reads, with their running numbers.
    pub fn all_lines(&self) -> impl Iterator<Item = (usize, Line<'_>)> {
        self.documents.iter().flat_map(|document| {
            let lines = document.lines.iter().enumerate();
            let read = lines.filter(|(i, _)| !document.gap.as_ref().is_some_and(|gap| gap.contains(i)));
            read.map(move |(i, bytes)| {
                let line = Line {
                    document,
                    number: i + 1,
                    text: &document.text[bytes],
                };
                (document.first_line + i, line)
            })
        })
    }

    /// The document with this path.
    #[must_use]
    pub fn document(&self, path: &str) -> Option<&Document> {
        self.documents.iter().find(|d| d.path == path)
    }
}

/// The lines of a text: what stands between line feeds, without a carriage return at the end. A text that ends in a
/// line feed has no further, empty line.
pub(super) fn lines_of(text: &str) -> Spans {
    let mut lines = Spans::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        let bare = bare.strip_suffix('\r').unwrap_or(bare);
        lines.push(start..start + bare.len());
        start += line.len();
    }
    lines
}
