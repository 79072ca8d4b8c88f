//! A document as rows, without ever laying out more than what is asked for.
//!
//! A row is a line, or a part of one: lines longer than [`PIECE`] bytes are cut into pieces, so that a file that is one
//! line of ten megabytes costs no more to show than any other. With soft wrapping a piece has as many rows as it needs.
//! There is no table of rows: the row of a place, the one after it and the one before it are found from the text.

use std::sync::Arc;

use super::super::wrap;
use crate::context::{Document, Pack};

/// Bytes that are laid out at once.
pub const PIECE: usize = 4096;

/// A document of a pack; a pack never changes.
#[derive(Debug, Clone)]
pub struct Text {
    pack: Arc<Pack>,
    index: usize,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && Arc::ptr_eq(&self.pack, &other.pack)
    }
}

impl Eq for Text {}

/// A place in a document: a line, from 0, and a byte of it. Places are ordered as they are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub line: usize,
    pub at: usize,
}

/// The bytes of a line that are shown on one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub line: usize,
    pub from: usize,
    pub to: usize,
}

impl Row {
    pub fn spot(&self) -> Spot {
        Spot {
            line: self.line,
            at: self.from,
        }
    }
}

impl Text {
    /// The document with this number, if there is one.
    pub fn new(pack: &Arc<Pack>, index: usize) -> Option<Self> {
        pack.documents.get(index)?;
        Some(Self {
            pack: Arc::clone(pack),
            index,
        })
    }

    pub fn document(&self) -> &Document {
        &self.pack.documents[self.index]
    }

    /// Lines, at least 1: what is empty is an empty line.
    pub fn lines(&self) -> usize {
        self.document().lines.len().max(1)
    }

    /// A line, from 0.
    pub fn line(&self, line: usize) -> &str {
        self.document().line(line + 1).unwrap_or_default()
    }

    /// Where in the text of the document a place lies.
    pub fn offset(&self, spot: Spot) -> usize {
        let line = self.document().lines.get(spot.line);
        line.map_or(0, |line| (line.start + spot.at).min(line.end))
    }

    /// The place of a byte of the text.
    pub fn spot(&self, offset: usize) -> Spot {
        let lines = &self.document().lines;
        let line = lines.partition_point(|line| line.start <= offset).saturating_sub(1);
        let at = lines.get(line).map_or(0, |line| offset.min(line.end) - line.start);
        Spot { line, at }
    }

    /// The row that has a place. `wrap` is the width at which lines are wrapped, if they are.
    pub fn row(&self, spot: Spot, wrap: Option<usize>) -> Row {
        let number = spot.line.min(self.lines() - 1);
        let line = self.line(number);
        let last = line.floor_char_boundary(line.len().saturating_sub(1));
        let at = line.floor_char_boundary(spot.at.min(last));
        let edge = |piece: usize| line.floor_char_boundary((piece * PIECE).min(line.len()));
        let mut piece = at / PIECE;
        // A character may reach over the edge; it belongs to the piece after it.
        if edge(piece + 1) <= at {
            piece += 1;
        }
        let (start, end) = (edge(piece), edge(piece + 1));
        let (from, to) = match wrap {
            None => (start, end),
            Some(width) => {
                let rows = wrap::Rows::of(&line[start..end], width);
                let row = rows.range(rows.row_of(at.saturating_sub(start)));
                (start + row.start, start + row.end)
            }
        };
        Row { line: number, from, to }
    }

    pub fn after(&self, row: &Row, wrap: Option<usize>) -> Option<Row> {
        let (line, at) = if row.to < self.line(row.line).len() {
            (row.line, row.to)
        } else {
            (row.line + 1, 0)
        };
        (line < self.lines()).then(|| self.row(Spot { line, at }, wrap))
    }

    pub fn before(&self, row: &Row, wrap: Option<usize>) -> Option<Row> {
        let (line, at) = match row.from.checked_sub(1) {
            Some(at) => (row.line, at),
            None => (row.line.checked_sub(1)?, usize::MAX),
        };
        Some(self.row(Spot { line, at }, wrap))
    }

    /// The row so many rows away, or the first or last.
    pub fn moved(&self, spot: Spot, rows: isize, wrap: Option<usize>) -> Row {
        let mut row = self.row(spot, wrap);
        for _ in 0..rows.unsigned_abs() {
            let next = if rows < 0 {
                self.before(&row, wrap)
            } else {
                self.after(&row, wrap)
            };
            match next {
                Some(next) => row = next,
                None => break,
            }
        }
        row
    }

    pub fn text_of(&self, row: &Row) -> &str {
        self.line(row.line).get(row.from..row.to).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::text_of;
    use super::*;
    use proptest::prelude::*;

    fn all(text: &Text, wrap: Option<usize>) -> Vec<Row> {
        let first = text.row(Spot::default(), wrap);
        std::iter::successors(Some(first), |row| text.after(row, wrap)).collect()
    }

    #[test]
    fn a_huge_line_comes_in_pieces() {
        let text = text_of("x.txt", &format!("one\n{}\nthree", "é".repeat(5000)));
        let rows = all(&text, None);
        assert_eq!(rows.len(), 5);
        assert!(rows.iter().all(|row| row.to - row.from <= PIECE));
        let row = text.row(Spot { line: 1, at: 5001 }, None);
        assert_eq!((row.from, row.to), (4096, 8192));
    }

    #[test]
    fn what_is_empty_has_one_row() {
        let text = text_of("x.txt", "");
        assert_eq!(all(&text, Some(10)).len(), 1);
        assert_eq!(text.spot(5), Spot::default());
        assert_eq!(text.moved(Spot { line: 9, at: 9 }, -5, None).spot(), Spot::default());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rows_are_the_text_in_order_and_back(source in "(?s)([a-c ]|\n|你|é|\t|👩){0,60}", long in 0usize..2, wrap in prop::option::of(4usize..12)) {
            let source = format!("{source}{}{source}", "你好a".repeat(long * 700));
            let text = text_of("x.txt", &source);
            let rows = all(&text, wrap);
            let shown: String = rows.iter().map(|row| text.text_of(row)).collect();
            prop_assert_eq!(shown, source.replace('\n', ""));
            for pair in rows.windows(2) {
                prop_assert_eq!(text.before(&pair[1], wrap), Some(pair[0].clone()));
            }
            for row in &rows {
                prop_assert_eq!(&text.row(row.spot(), wrap), row);
                prop_assert_eq!(text.spot(text.offset(row.spot())), row.spot());
            }
        }
    }
}
