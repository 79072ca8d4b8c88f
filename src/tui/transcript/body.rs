//! What the source of a block looks like at a width: rows of pieces.
//!
//! * A piece is a text that is drawn and the bytes of the source that it stands for. What is drawn may be less than the
//!   source (markup is hidden) and more (a bullet stands for no byte, or for other ones).
//! * Every offset of the source has exactly one row, drawn or not, and every row has an offset of its own, its *start*.
//! * Whoever marks, searches, selects or points does it by offsets, and asks for the columns; nobody looks at cells.
//! * A body that has grown is the body of the longer source: what it was before does not show.
//!
//! The source itself is the block's, and is handed in where it is needed.

use std::ops::Range;

use super::super::markdown::Markdown;
use super::super::text::{cells, clusters, width};
use super::super::theme::Part;
use super::super::wrap::Rows;
use super::segments::Segments;
use crate::trace::Trace;

/// How a piece differs from the text of its block: the styles of these parts, one over the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts([Option<Part>; 7]);

impl Parts {
    /// The same with one more on top; of more than there is room for, the last ones count.
    pub fn with(mut self, part: Part) -> Self {
        let free = self.0.iter().position(Option::is_none).unwrap_or(self.0.len() - 1);
        self.0[free] = Some(part);
        self
    }

    /// In the order in which they are laid one over the other.
    pub fn iter(&self) -> impl Iterator<Item = Part> {
        self.0.iter().copied().flatten()
    }
}

/// A text that is drawn in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    pub text: &'a str,
    /// The bytes of the source that it stands for.
    pub at: Range<usize>,
    pub parts: Parts,
}

impl Piece<'_> {
    /// Whether it is the source as it is written, so that each cluster of it stands for itself.
    fn is_verbatim(&self, source: &str) -> bool {
        source.get(self.at.clone()) == Some(self.text)
    }
}

#[derive(Debug, Clone)]
pub enum Body {
    /// As it is written.
    Plain(Rows),
    Markdown(Box<Markdown>),
    /// Thinking.
    Segments(Segments),
}

impl Body {
    pub fn plain(source: &str, width: usize) -> Self {
        Self::Plain(Rows::of(source, width))
    }

    pub fn markdown(source: &str, width: usize) -> Self {
        Self::Markdown(Box::new(Markdown::of(source, width)))
    }

    pub fn width(&self) -> usize {
        match self {
            Self::Plain(rows) => rows.width(),
            Self::Markdown(markdown) => markdown.width(),
            Self::Segments(segments) => segments.width(),
        }
    }

    /// Wraps at another width.
    pub fn set_width(&mut self, source: &str, width: usize) {
        match self {
            Self::Plain(rows) => *rows = Rows::of(source, width),
            Self::Markdown(markdown) => **markdown = Markdown::of(source, width),
            Self::Segments(segments) => segments.set_width(source, width),
        }
    }

    /// Takes in what the source has more than before; thinking does by its trace. The rows before the returned one are
    /// what they were.
    pub fn extend(&mut self, source: &str, trace: Option<&Trace>) -> usize {
        match self {
            Self::Plain(rows) => {
                let before = rows.count();
                rows.extend(source);
                before.saturating_sub(2)
            }
            Self::Markdown(markdown) => markdown.extend(source),
            Self::Segments(segments) => trace.map_or(0, |trace| segments.extend(trace)),
        }
    }

    /// At least 1.
    pub fn count(&self) -> usize {
        match self {
            Self::Plain(rows) => rows.count(),
            Self::Markdown(markdown) => markdown.count(),
            Self::Segments(segments) => segments.count(),
        }
    }

    /// From the first byte of a row to its last, hidden ones and the line end with them. Rows in this order are in the
    /// order of the source, but where columns stand side by side they overlap.
    pub fn range(&self, row: usize) -> Range<usize> {
        match self {
            Self::Plain(rows) => rows.range(row),
            Self::Markdown(markdown) => markdown.range(row),
            Self::Segments(segments) => segments.range(row),
        }
    }

    /// An offset whose row this is.
    pub fn start(&self, row: usize) -> usize {
        match self {
            Self::Plain(rows) => rows.range(row).start,
            Self::Markdown(markdown) => markdown.start(row),
            Self::Segments(segments) => segments.range(row).start,
        }
    }

    pub fn row_of(&self, offset: usize) -> usize {
        match self {
            Self::Plain(rows) => rows.row_of(offset),
            Self::Markdown(markdown) => markdown.row_of(offset),
            Self::Segments(segments) => segments.row_of(offset),
        }
    }

    /// What is drawn of a row, from left to right.
    pub fn pieces<'a>(&'a self, source: &'a str, row: usize) -> Vec<Piece<'a>> {
        match self {
            Self::Plain(rows) => {
                let at = rows.range(row);
                vec![Piece {
                    text: &source[at.clone()],
                    at,
                    parts: Parts::default(),
                }]
            }
            Self::Markdown(markdown) => markdown.pieces(source, row),
            Self::Segments(segments) => segments.pieces(source, row),
        }
    }

    /// Whether a row shows nothing.
    pub fn is_blank(&self, source: &str, row: usize) -> bool {
        match self {
            Self::Plain(rows) => source[rows.range(row)].trim().is_empty(),
            Self::Markdown(markdown) => markdown.is_blank(source, row),
            Self::Segments(segments) => segments.is_blank(source, row),
        }
    }

    /// The columns of a row that show a part of the source, from left to right: from, and the one after.
    pub fn columns_of(&self, source: &str, row: usize, range: &Range<usize>) -> Vec<(usize, usize)> {
        let mut columns: Vec<(usize, usize)> = Vec::new();
        self.walk(source, row, |cell| {
            if cell.at.start.max(range.start) < cell.at.end.min(range.end) {
                match columns.last_mut() {
                    Some((_, to)) if *to == cell.from => *to = cell.to,
                    _ => columns.push((cell.from, cell.to)),
                }
            }
        });
        columns
    }

    /// The offset of what is drawn at a column of a row, if anything is.
    pub fn drawn_at(&self, source: &str, row: usize, column: usize) -> Option<usize> {
        let mut found = None;
        self.walk(source, row, |cell| {
            if cell.from <= column && column < cell.to && !cell.at.is_empty() {
                found = Some(cell.at.start);
            }
        });
        found
    }

    /// The offset at a column of a row: of what is drawn there, else the end of what is drawn before it.
    #[cfg_attr(not(test), expect(dead_code, reason = "selecting and the reading cursor need it"))]
    pub fn offset_at(&self, source: &str, row: usize, column: usize) -> usize {
        let mut found = None;
        self.walk(source, row, |cell| {
            if cell.from == cell.to || cell.at.is_empty() {
                return;
            }
            if cell.to <= column {
                found = Some(cell.at.end);
            } else if found.is_none() || cell.from <= column {
                found = Some(cell.at.start);
            }
        });
        found.unwrap_or_else(|| self.start(row))
    }

    /// The column of a row where an offset is drawn; where it is hidden, that of what is drawn after it.
    #[cfg_attr(not(test), expect(dead_code, reason = "selecting and the reading cursor need it"))]
    pub fn column_of(&self, source: &str, row: usize, offset: usize) -> usize {
        let (mut found, mut end) = (None, 0);
        self.walk(source, row, |cell| {
            if cell.at.end > offset && !cell.at.is_empty() {
                found = found.or(Some(cell.from));
            }
            end = cell.to;
        });
        found.unwrap_or(end)
    }

    /// Shows each of what a row is made of: clusters of the source where it is drawn as it is written, else whole pieces.
    pub(super) fn walk(&self, source: &str, row: usize, mut each: impl FnMut(Cell)) {
        let mut begin = 0;
        for piece in self.pieces(source, row) {
            let mut column = 0;
            if piece.is_verbatim(source) {
                for (at, cluster) in clusters(piece.text) {
                    let wide = cells(cluster, column);
                    let (at, from) = (piece.at.start + at, begin + column);
                    each(Cell {
                        at: at..at + cluster.len(),
                        from,
                        to: from + wide,
                    });
                    column += wide;
                }
            } else {
                column = width(piece.text);
                each(Cell {
                    at: piece.at,
                    from: begin,
                    to: begin + column,
                });
            }
            begin += column;
        }
    }
}

/// Bytes of the source and the columns that show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub at: Range<usize>,
    pub from: usize,
    pub to: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_those_of_clusters() {
        let source = "a你e\u{301}\tb\ncd";
        let body = Body::plain(source, 20);
        let columns = |range: Range<usize>| body.columns_of(source, 0, &range);
        assert_eq!(columns(0..1), [(0, 1)]);
        assert_eq!(columns(2..3), [(1, 3)], "a part of a cluster is all of it");
        assert_eq!(columns(1..7), [(1, 4)]);
        assert_eq!(columns(7..8), [(4, 8)]);
        assert_eq!(columns(0..99), [(0, 9)]);
        assert_eq!(columns(3..3), []);
        assert_eq!(body.offset_at(source, 0, 2), 1);
        assert_eq!(body.offset_at(source, 0, 50), 9);
        assert_eq!(body.column_of(source, 0, 4), 3);
        assert_eq!(body.column_of(source, 1, 12), 2);
    }

    proptest! {
        #[test]
        fn what_is_drawn_at_a_column_is_found_there(source in "(?s)([ab ]|abc|\n|\t|你|e\u{301}|👩|\u{1b}){0,40}", width in 1usize..12) {
            let body = Body::plain(&source, width);
            for row in 0..body.count() {
                prop_assert_eq!(body.row_of(body.start(row)), row);
                for (at, cluster) in clusters(&source[body.range(row)]) {
                    let at = at + body.range(row).start;
                    for (from, to) in body.columns_of(&source, row, &(at..at + cluster.len())) {
                        prop_assert_eq!(body.column_of(&source, row, at), from);
                        for column in from..to {
                            prop_assert_eq!(body.offset_at(&source, row, column), at);
                        }
                    }
                }
            }
        }
    }
}
