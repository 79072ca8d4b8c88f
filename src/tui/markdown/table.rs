//! Tables: cells, and columns that fit.

use std::ops::Range;

use super::super::text::clip;
use super::reader::Said;

/// A column is not made narrower than this.
const NARROWEST: usize = 8;
/// Columns between two columns.
const BETWEEN: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub header: Said,
    pub delimiter: Said,
    pub sides: Vec<Side>,
    pub rows: Vec<Said>,
    pub size: usize,
    /// How it is laid out, once that is certain.
    pub shape: Option<Shape>,
}

impl Table {
    pub fn new(header: Said, delimiter: Said, sides: Vec<Side>) -> Self {
        Self {
            size: header.text.len(),
            header,
            delimiter,
            sides,
            rows: Vec::new(),
            shape: None,
        }
    }
}

/// The side at which the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Middle,
    Right,
}

impl Side {
    /// How much of the room that a cell leaves comes before it.
    pub fn before(self, room: usize) -> usize {
        match self {
            Self::Left => 0,
            Self::Middle => room / 2,
            Self::Right => room,
        }
    }
}

/// How a table is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// In columns of these widths.
    Columns(Vec<usize>),
    /// Row by row, each cell on a line of its own after the name of its column.
    Records(Vec<String>),
}

impl Shape {
    /// Columns, if they fit: the widest ones give way first.
    pub fn fit(widest: &[usize], room: usize, names: impl Iterator<Item = String>) -> Self {
        let between = BETWEEN * widest.len().saturating_sub(1);
        let free = room.saturating_sub(between);
        let needed = |most: usize| widest.iter().map(|&width| width.clamp(1, most)).sum::<usize>();
        if needed(NARROWEST) > free {
            return Self::Records(names.map(|name| clip(&name, room / 3)).collect());
        }
        let mut most = NARROWEST;
        while most < room && needed(most + 1) <= free {
            most += 1;
        }
        // What is left over goes to the first of those that had to give way.
        let mut left = free - needed(most);
        let widths = widest.iter().map(|&width| {
            let more = left.min(width.saturating_sub(most)).min(1);
            left -= more;
            width.clamp(1, most) + more
        });
        Self::Columns(widths.collect())
    }

    /// The line below the names.
    pub fn rule(&self, room: usize) -> String {
        match self {
            Self::Columns(widths) => {
                let lines: Vec<_> = widths.iter().map(|&width| "─".repeat(width)).collect();
                lines.join("─┼─")
            }
            Self::Records(_) => "─".repeat(room),
        }
    }
}

/// The cells of a row, without the white space around them; what there are too many belongs to the last one.
pub fn cells(source: &str, row: &Range<usize>, most: usize) -> Vec<Range<usize>> {
    let text = &source[row.clone()];
    let mut start = usize::from(text.starts_with('|'));
    let mut cells = Vec::new();
    let mut escaped = false;
    let bytes = text.as_bytes();
    let mut end = text.len();
    for (at, &byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'|' if !escaped && at + 1 == bytes.len() => end = at,
            b'|' if !escaped && cells.len() + 1 < most => {
                cells.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    if start < end || cells.is_empty() {
        cells.push(start.min(end)..end);
    }
    let trim = |cell: Range<usize>| {
        let inner = &text[cell.clone()];
        let before = inner.len() - inner.trim_start().len();
        let start = row.start + cell.start + before;
        start..start + inner.trim().len()
    };
    cells.into_iter().map(trim).collect()
}

/// Whether a line below a table is a row of it.
pub fn is_row(source: &str, line: &Range<usize>) -> bool {
    source[line.clone()].contains('|')
}

/// The sides of the columns, if the second line makes a table of the first. A line that is not whole may be on its way.
pub fn sides(source: &str, header: &Range<usize>, delimiter: &Range<usize>, whole: bool) -> Option<Vec<Side>> {
    let text = &source[delimiter.clone()];
    let begun = |c: char| matches!(c, '|' | '-' | ':' | ' ' | '\t');
    if !text.chars().all(begun) || !source[header.clone()].contains('|') {
        return None;
    }
    let count = cells(source, header, usize::MAX).len();
    let found = cells(source, delimiter, usize::MAX);
    let side = |cell: &Range<usize>| {
        let cell = &source[cell.clone()];
        let dashes = cell.strip_prefix(':').unwrap_or(cell);
        let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
        let right = cell.len() > 1 && cell.ends_with(':');
        let fine = !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-');
        fine.then_some(match (cell.starts_with(':'), right) {
            (true, true) => Side::Middle,
            (false, true) => Side::Right,
            _ => Side::Left,
        })
    };
    if whole {
        let sides: Option<Vec<Side>> = found.iter().map(side).collect();
        return sides.filter(|sides| sides.len() == count && text.contains('-'));
    }
    let on_its_way = text.starts_with('|') && source[header.clone()].starts_with('|') && found.len() <= count;
    on_its_way.then(|| {
        let mut sides: Vec<Side> = found.iter().map(|cell| side(cell).unwrap_or(Side::Left)).collect();
        sides.resize(count, Side::Left);
        sides
    })
}

#[cfg(test)]
mod tests {
    use super::Side::{Left, Middle, Right};
    use super::*;

    fn split(text: &str, most: usize) -> Vec<&str> {
        let cells = cells(text, &(0..text.len()), most);
        cells.into_iter().map(|cell| &text[cell]).collect()
    }

    #[test]
    fn cells_of_rows() {
        assert_eq!(split("| a | b |", 9), ["a", "b"]);
        assert_eq!(split("a|b", 9), ["a", "b"]);
        assert_eq!(split(r"| a \| b | c", 9), [r"a \| b", "c"]);
        assert_eq!(split("| a || c |", 9), ["a", "", "c"]);
        assert_eq!(split("| a | b | c | d |", 2), ["a", "b | c | d"]);
        assert_eq!(split("|", 9), [""]);
        assert_eq!(split("||", 9), [""]);
    }

    #[test]
    fn a_second_line_makes_a_table() {
        let made = |header: &str, delimiter: &str, whole| {
            let source = format!("{header}\n{delimiter}");
            sides(&source, &(0..header.len()), &(header.len() + 1..source.len()), whole)
        };
        assert_eq!(
            made("| a | b | c |", "|:-:|--:|---|", true),
            Some(vec![Middle, Right, Left])
        );
        assert_eq!(made("a | b", "--|--", true), Some(vec![Left, Left]));
        assert_eq!(made("| a | b |", "|---|", true), None);
        assert_eq!(made("| a | b |", "|---|", false), Some(vec![Left, Left]));
        assert_eq!(made("| a |", "|", false), Some(vec![Left]));
        assert_eq!(made("a", "---", true), None);
        assert_eq!(made("| a | b |", "| c | d |", true), None);
    }

    #[test]
    fn the_widest_columns_give_way() {
        let fit = |widest: &[usize], room| Shape::fit(widest, room, widest.iter().map(usize::to_string));
        assert_eq!(fit(&[3, 4], 80), Shape::Columns(vec![3, 4]));
        assert_eq!(fit(&[3, 100, 100], 50), Shape::Columns(vec![3, 21, 20]));
        assert!(matches!(fit(&[30, 30, 30], 20), Shape::Records(_)));
        for room in 1..60 {
            for shape in [fit(&[3, 100, 40], room), fit(&[0, 0], room), fit(&[9; 5], room)] {
                assert!(
                    !matches!(shape, Shape::Columns(_)) || super::super::super::text::width(&shape.rule(room)) <= room
                );
            }
        }
    }
}
