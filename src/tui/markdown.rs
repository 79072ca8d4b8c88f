//! Markdown, laid out in rows as it comes.
//!
//! What is drawn is a function of the source and the width alone, and growing gives the same as reading all at once: see
//! [`reader`] for how. Nothing is ever lost: what is not understood is text, a table that does not fit becomes a list,
//! and every offset of the source has a row.

mod inline;
mod line;
mod page;
mod reader;
mod table;

use std::ops::Range;

use page::Page;
pub use reader::CodeLine;
use reader::{Reader, State};

use super::transcript::Piece;

#[derive(Debug, Clone)]
pub struct Markdown {
    width: usize,
    page: Page,
    code: Vec<CodeLine>,
    settled: State,
    len: usize,
}

impl Markdown {
    /// `width` is at least 1.
    pub fn of(source: &str, width: usize) -> Self {
        let mut markdown = Self {
            width: width.max(1),
            page: Page::default(),
            code: Vec::new(),
            settled: State::default(),
            len: 0,
        };
        markdown.extend(source);
        markdown
    }

    /// Takes in what the source has more than before. The rows before the returned one are what they were.
    pub fn extend(&mut self, source: &str) -> usize {
        self.len = source.len();
        let state = self.settled.clone();
        let kept = self.page.truncate(state.page());
        self.code.truncate(state.code());
        Reader {
            source,
            width: self.width,
            page: &mut self.page,
            code: &mut self.code,
            settled: &mut self.settled,
            state,
            cut: false,
            whole: false,
        }
        .read();
        kept
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// At least 1.
    pub fn count(&self) -> usize {
        self.page.count()
    }

    pub fn range(&self, row: usize) -> Range<usize> {
        self.page.range(row, self.len)
    }

    pub fn start(&self, row: usize) -> usize {
        self.page.start(row)
    }

    pub fn row_of(&self, offset: usize) -> usize {
        self.page.row_of(offset)
    }

    pub fn is_blank(&self, source: &str, row: usize) -> bool {
        let inks = self.page.inks(row);
        inks.iter().all(|ink| ink.text(source).trim().is_empty())
    }

    /// All lines of code, in order.
    pub fn code(&self) -> &[CodeLine] {
        &self.code
    }

    /// Which lines of code a part of the source has.
    pub fn code_in(&self, range: &Range<usize>) -> Range<usize> {
        let first = self.code.partition_point(|line| line.text.end < range.start);
        let end = self.code.partition_point(|line| line.text.start < range.end);
        first..end.max(first)
    }

    pub fn pieces<'a>(&'a self, source: &'a str, row: usize) -> Vec<Piece<'a>> {
        let inks = self.page.inks(row).iter();
        inks.map(|ink| Piece {
            text: ink.text(source),
            at: ink.at.clone(),
            parts: ink.parts,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
