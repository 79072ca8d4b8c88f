//! Rows and what is drawn in them.

use std::borrow::Cow;
use std::ops::Range;

use super::super::text::{cells, clusters, width};
use super::super::transcript::Parts;
use super::super::wrap::{Breaker, is_space};

/// Something that is drawn in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ink {
    /// The bytes of the source that it stands for.
    pub at: Range<usize>,
    /// What is drawn, unless it is the source itself. It is never broken.
    pub instead: Option<Cow<'static, str>>,
    pub parts: Parts,
}

impl Ink {
    pub fn source(at: Range<usize>, parts: Parts) -> Self {
        Self {
            at,
            instead: None,
            parts,
        }
    }

    pub fn instead(at: Range<usize>, shown: impl Into<Cow<'static, str>>, parts: Parts) -> Self {
        Self {
            at,
            instead: Some(shown.into()),
            parts,
        }
    }

    pub fn text<'a>(&'a self, source: &'a str) -> &'a str {
        self.instead.as_deref().unwrap_or_else(|| &source[self.at.clone()])
    }
}

/// Columns that some inks take beside each other.
pub fn columns(source: &str, inks: &[Ink]) -> usize {
    inks.iter().map(|ink| width(ink.text(source))).sum()
}

/// So many spaces.
pub fn blanks(count: usize) -> Cow<'static, str> {
    const BLANKS: &str = "                                                                                ";
    BLANKS
        .get(..count)
        .map_or_else(|| Cow::Owned(" ".repeat(count)), Cow::Borrowed)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    /// The first byte that it shows or hides. Rows beside each other in columns have the same.
    from: usize,
    /// An offset that is of this row and no other.
    start: usize,
    /// Its first ink.
    inks: usize,
}

/// Where a page was at some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageMark {
    rows: usize,
    inks: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    rows: Vec<Row>,
    inks: Vec<Ink>,
}

impl Page {
    pub fn mark(&self) -> PageMark {
        PageMark {
            rows: self.rows.len(),
            inks: self.inks.len(),
        }
    }

    /// Takes away what has come since, and returns how many rows are left.
    pub fn truncate(&mut self, mark: PageMark) -> usize {
        self.rows.truncate(mark.rows);
        self.inks.truncate(mark.inks);
        mark.rows
    }

    pub fn count(&self) -> usize {
        self.rows.len()
    }

    pub fn begin(&mut self, from: usize, start: usize) {
        self.rows.push(Row {
            from,
            start,
            inks: self.inks.len(),
        });
    }

    pub fn add(&mut self, inks: impl IntoIterator<Item = Ink>) {
        self.inks.extend(inks);
    }

    pub fn inks(&self, row: usize) -> &[Ink] {
        let end = self.rows.get(row + 1).map_or(self.inks.len(), |next| next.inks);
        &self.inks[self.rows[row].inks..end]
    }

    pub fn start(&self, row: usize) -> usize {
        self.rows[row].start
    }

    /// All that a row and those beside it show or hide, of a source of this length.
    pub fn range(&self, row: usize, len: usize) -> Range<usize> {
        let from = self.rows[row].from;
        let beside = self.rows[row..].partition_point(|other| other.from <= from);
        from..self.rows.get(row + beside).map_or(len, |next| next.from)
    }

    /// The row that an offset belongs to: of rows beside each other, the one that draws it, or what comes before it.
    pub fn row_of(&self, offset: usize) -> usize {
        let last = self.rows.partition_point(|row| row.from <= offset).saturating_sub(1);
        let from = self.rows[last].from;
        let first = self.rows[..last].partition_point(|row| row.from < from);
        let before = |row: usize| {
            let drawn = self.inks(row).iter().filter(|ink| !ink.at.is_empty());
            drawn.map(|ink| ink.at.start).filter(|&start| start <= offset).max()
        };
        (first..=last)
            .filter_map(|row| Some((before(row)?, std::cmp::Reverse(row))))
            .max()
            .map_or(first, |(_, std::cmp::Reverse(row))| row)
    }
}

/// A row ends after so many bytes, however narrow they are.
const MOST: usize = 2048;

/// A place in a list of inks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub ink: usize,
    /// In what is drawn of it.
    pub byte: usize,
}

/// Where the rows of some inks begin, the first one too.
pub fn wrap(source: &str, inks: &[Ink], width: usize) -> Vec<Place> {
    let mut begins = vec![Place { ink: 0, byte: 0 }];
    let mut from = begins[0];
    while let Some(next) = next_row(source, inks, from, width) {
        begins.push(next);
        from = next;
    }
    begins
}

fn next_row(source: &str, inks: &[Ink], from: Place, limit: usize) -> Option<Place> {
    let mut breaker = Breaker::new(limit);
    let mut bytes = 0;
    for (index, ink) in inks.iter().enumerate().skip(from.ink) {
        let text = ink.text(source);
        let after = Place {
            ink: index + 1,
            byte: 0,
        };
        if ink.instead.is_some() {
            let at = Place { ink: index, byte: 0 };
            if let Some(next) = breaker.feed(at, after, width(text), false) {
                return Some(next);
            }
            continue;
        }
        let skipped = if index == from.ink { from.byte } else { 0 };
        for (byte, cluster) in clusters(&text[skipped..]) {
            let byte = byte + skipped;
            let at = Place { ink: index, byte };
            bytes += cluster.len();
            if bytes > MOST && at > from {
                return Some(at);
            }
            let end = byte + cluster.len();
            let end = if end < text.len() {
                Place { ink: index, byte: end }
            } else {
                after
            };
            let wide = cells(cluster, breaker.column());
            if let Some(next) = breaker.feed(at, end, wide, is_space(cluster)) {
                return Some(next);
            }
        }
    }
    None
}

/// The inks from one place to another. White space that hangs at the end is left out, and a tab is as wide as it is there.
pub fn slice(source: &str, inks: &[Ink], from: Place, to: Option<Place>) -> Vec<Ink> {
    let mut row: Vec<Ink> = Vec::new();
    let end = to.map_or(inks.len(), |to| to.ink + usize::from(to.byte > 0));
    let mut column = 0;
    for (index, ink) in inks.iter().enumerate().take(end).skip(from.ink) {
        if ink.instead.is_some() {
            column += width(ink.text(source));
            row.push(ink.clone());
            continue;
        }
        let skipped = if index == from.ink { from.byte } else { 0 };
        let until = to.filter(|to| to.ink == index).map_or(ink.at.len(), |to| to.byte);
        let at = ink.at.start + skipped..ink.at.start + until;
        for part in source[at.clone()].split_inclusive('\t').scan(at.start, |start, part| {
            let from = *start;
            *start += part.len();
            Some(from..*start)
        }) {
            let text = source[part.clone()].strip_suffix('\t');
            let shown = part.start..part.start + text.map_or(part.len(), str::len);
            if !shown.is_empty() {
                column += width(&source[shown.clone()]);
                row.push(Ink::source(shown.clone(), ink.parts));
            }
            if text.is_some() {
                let wide = cells("\t", column);
                column += wide;
                row.push(Ink::instead(shown.end..part.end, blanks(wide), ink.parts));
            }
        }
    }
    while let Some(last) = row.last_mut() {
        let text = &source[last.at.clone()];
        let kept = text.trim_end_matches([' ', '\t']).len();
        if kept == text.len() {
            break;
        }
        if kept > 0 {
            last.at.end = last.at.start + kept;
            break;
        }
        row.pop();
    }
    row
}

/// The inks from a place on.
pub fn rest(inks: &[Ink], from: Place) -> Vec<Ink> {
    let mut rest: Vec<Ink> = inks.get(from.ink..).unwrap_or_default().to_vec();
    if let Some(first) = rest.first_mut().filter(|ink| ink.instead.is_none()) {
        first.at.start += from.byte;
    }
    rest
}
