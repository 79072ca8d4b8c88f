//! A document as rows, without ever laying out more than what is asked for.
//!
//! A row is a line, or a part of one: lines longer than [`PIECE`] bytes are cut into pieces, so that a file that is one
//! line of ten megabytes costs no more to show than any other. With soft wrapping a piece has as many rows as it needs.
//! There is no table of rows: the row of a place, the one after it and the one before it are found from the text.

use std::ops::Range;
use std::sync::Arc;

use super::super::wrap::{self, Rows};
use crate::context::{Document, Pack};

/// Bytes that are laid out at once.
pub const PIECE: usize = 4096;

/// A document of a pack; a pack never changes.
#[derive(Debug, Clone)]
pub struct Text {
    pack: Arc<Pack>,
    index: usize,
    /// Bytes that have been laid out or drawn, for tests of how much work something is.
    #[cfg(test)]
    pub work: Arc<std::sync::atomic::AtomicUsize>,
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
            #[cfg(test)]
            work: Arc::default(),
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
        let line = lines.begun_at(offset).saturating_sub(1);
        let at = lines.get(line).map_or(0, |line| offset.min(line.end) - line.start);
        Spot { line, at }
    }

    /// The row that has a place. `wrap` is the width at which lines are wrapped, if they are.
    pub fn row(&self, spot: Spot, wrap: Option<usize>) -> Row {
        let (line, at, piece) = self.piece(spot);
        match wrap {
            None => Row {
                line,
                from: piece.start,
                to: piece.end,
            },
            Some(width) => {
                let rows = self.wrapped(line, &piece, width);
                of_piece(line, &piece, &rows, rows.row_of(at - piece.start))
            }
        }
    }

    /// The piece of a line that has a place, as bytes of the line; the place as it is there.
    fn piece(&self, spot: Spot) -> (usize, usize, Range<usize>) {
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
        self.count(1);
        (number, at, edge(piece).min(at)..edge(piece + 1))
    }

    fn wrapped(&self, line: usize, piece: &Range<usize>, width: usize) -> Rows {
        self.count(piece.len());
        Rows::of(&self.line(line)[piece.clone()], width)
    }

    pub fn after(&self, row: &Row, wrap: Option<usize>) -> Option<Row> {
        let line = self.line(row.line);
        if row.to >= line.len() {
            let next = Spot {
                line: row.line + 1,
                at: 0,
            };
            return (next.line < self.lines()).then(|| self.first_row(next, wrap));
        }
        Some(self.first_row(
            Spot {
                line: row.line,
                at: row.to,
            },
            wrap,
        ))
    }

    /// The row that begins at a place: what comes after it is not wrapped.
    fn first_row(&self, spot: Spot, wrap: Option<usize>) -> Row {
        let (line, at, piece) = self.piece(spot);
        let text = &self.line(line)[at..piece.end];
        let next = wrap.and_then(|width| wrap::next_row(text, 0, width));
        let to = next.map_or(piece.end, |next| at + next);
        if wrap.is_some() {
            self.count(to - at);
        }
        Row { line, from: at, to }
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
        let mut left = rows.unsigned_abs();
        while left > 0 {
            let next = if rows > 0 {
                self.after(&row, wrap)
            } else {
                if let Some(width) = wrap {
                    // As far as this piece goes, at once.
                    let (line, at, piece) = self.piece(row.spot());
                    let rows = self.wrapped(line, &piece, width);
                    let here = rows.row_of(at - piece.start);
                    let up = here.min(left);
                    row = of_piece(line, &piece, &rows, here - up);
                    left -= up;
                    if left == 0 {
                        break;
                    }
                }
                self.before(&row, wrap)
            };
            let Some(next) = next else {
                break;
            };
            row = next;
            left -= 1;
        }
        row
    }

    #[cfg(test)]
    fn count(&self, bytes: usize) {
        self.work.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    }

    /// Only tests count.
    #[cfg(not(test))]
    #[allow(clippy::unused_self)]
    fn count(&self, _: usize) {}

    pub fn text_of(&self, row: &Row) -> &str {
        self.count(row.to - row.from);
        self.line(row.line).get(row.from..row.to).unwrap_or_default()
    }
}

/// A row of a wrapped piece.
fn of_piece(line: usize, piece: &Range<usize>, rows: &Rows, index: usize) -> Row {
    let row = rows.range(index);
    Row {
        line,
        from: piece.start + row.start,
        to: piece.start + row.end,
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
            let last = rows.len() - 1;
            for up in [0, 1, 7, last, last + 5] {
                let end = Spot { line: usize::MAX, at: usize::MAX };
                prop_assert_eq!(&text.moved(end, -up.cast_signed(), wrap), &rows[last.saturating_sub(up)]);
                prop_assert_eq!(&text.moved(Spot::default(), up.cast_signed(), wrap), &rows[up.min(last)]);
            }
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
