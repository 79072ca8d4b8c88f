//! Tables.

use super::super::inline;
use super::super::line::Line;
use super::super::page::{Ink, blanks, columns, slice, wrap};
use super::super::table::{self, Shape, Table};
use super::paragraph::inks;
use super::{EDGE_FROM, LONGEST_ROW, Leaf, Paragraph, Reader, Said};
use crate::tui::theme::Part;
use crate::tui::transcript::Parts;

/// Bytes of a table after which its columns are as wide as they are.
const TABLE_WINDOW: usize = 2048;

impl Reader<'_> {
    /// Whether the line makes a table of the one above it.
    pub(super) fn begins_table(&mut self, line: &Line<'_>, from: usize, whole: bool) -> bool {
        let delimiter = line.trimmed();
        let Leaf::Paragraph(paragraph) = &mut self.state.leaf else {
            return false;
        };
        let carried = paragraph.lines.len() == 1 && paragraph.carry.is_some();
        let Some(header) = paragraph
            .lines
            .last()
            .filter(|_| !carried && paragraph.heading.is_none())
        else {
            return false;
        };
        if header.text.len().max(delimiter.len()) > LONGEST_ROW {
            return false;
        }
        let Some(sides) = table::sides(self.source, &header.text, &delimiter, whole) else {
            return false;
        };
        let header = header.clone();
        paragraph.lines.pop();
        let before = !paragraph.lines.is_empty();
        if before {
            self.finish(false);
        }
        let delimiter = Said { from, text: delimiter };
        self.state.leaf = Leaf::Table(Table::new(header, delimiter, sides));
        true
    }

    pub(super) fn row(&mut self, said: Said, whole: bool) {
        let Leaf::Table(table) = &mut self.state.leaf else {
            return;
        };
        if said.text.len() > LONGEST_ROW {
            self.finish(false);
            self.state.leaf = Leaf::Paragraph(Paragraph::default());
            return self.say(said, whole);
        }
        if let Some(shape) = table.shape.clone() {
            let sides = table.sides.clone();
            return self.lay_row(&said, &shape, &sides, None, !whole);
        }
        table.size += said.text.len();
        table.rows.push(said);
        if table.size > TABLE_WINDOW && whole {
            let mut table = table.clone();
            let shape = self.shape(&table, false);
            self.lay_table(&table, &shape, false);
            table.rows.clear();
            table.shape = Some(shape);
            self.state.leaf = Leaf::Table(table);
        }
    }

    fn cells(&self, said: &Said, count: usize, part: Option<Part>, open: bool) -> Vec<Vec<Ink>> {
        let base = self.base(part);
        let cells = table::cells(self.source, &said.text, count);
        let last = cells.len().saturating_sub(1);
        let cells = cells.into_iter().enumerate();
        let mut cells: Vec<_> = cells
            .map(|(index, at)| {
                let text = &self.source[at.clone()];
                let spans = inline::parse(text, open && index == last);
                inks(&spans, 0..text.len(), at.start, base)
            })
            .collect();
        cells.resize(count, Vec::new());
        cells
    }

    pub(super) fn shape(&self, table: &Table, open: bool) -> Shape {
        let count = table.sides.len();
        let head = self.cells(&table.header, count, Some(Part::TableHead), false);
        let mut widths: Vec<usize> = head.iter().map(|cell| columns(self.source, cell)).collect();
        for (index, row) in table.rows.iter().enumerate() {
            let open = open && index + 1 == table.rows.len();
            for (widest, cell) in widths.iter_mut().zip(self.cells(row, count, None, open)) {
                *widest = (*widest).max(columns(self.source, &cell));
            }
        }
        let names = head
            .iter()
            .map(|cell| cell.iter().map(|ink| ink.text(self.source)).collect::<String>());
        Shape::fit(&widths, self.room(), names)
    }

    pub(super) fn lay_table(&mut self, table: &Table, shape: &Shape, open: bool) {
        self.lay_row(&table.header, shape, &table.sides, Some(Part::TableHead), false);
        let at = table.delimiter.text.clone();
        let rule = shape.rule(self.room());
        let rule = Ink::instead(at, rule, Parts::default().with(Part::TableRule));
        self.lay(table.delimiter.from, &[rule], &[], &[]);
        for (index, row) in table.rows.iter().enumerate() {
            let open = open && index + 1 == table.rows.len();
            self.lay_row(row, shape, &table.sides, None, open);
        }
    }

    fn lay_row(&mut self, said: &Said, shape: &Shape, sides: &[table::Side], part: Option<Part>, open: bool) {
        let cells = self.cells(said, sides.len(), part, open);
        let rule = Parts::default().with(Part::TableRule);
        match shape {
            Shape::Columns(widths) => {
                let beside: Vec<Vec<Vec<Ink>>> = cells
                    .iter()
                    .zip(widths)
                    .map(|(cell, &width)| rows(self.source, cell, width))
                    .collect();
                let height = beside.iter().map(Vec::len).max().unwrap_or(1);
                for row in 0..height {
                    let mut inks = Vec::new();
                    for (column, &wide) in widths.iter().enumerate() {
                        let cell = beside[column].get(row).cloned().unwrap_or_default();
                        let room = wide.saturating_sub(columns(self.source, &cell));
                        let before = sides[column].before(room);
                        let end = cell.last().map_or(said.from, |ink| ink.at.end);
                        let pad = |count| Ink::instead(end..end, blanks(count), Parts::default());
                        if before > 0 {
                            inks.push(pad(before));
                        }
                        inks.extend(cell);
                        if column + 1 < widths.len() {
                            inks.push(pad(room - before));
                            inks.push(Ink::instead(end..end, " │ ", rule));
                        }
                    }
                    let start = inks.iter().find(|ink| !ink.at.is_empty()).map(|ink| ink.at.start);
                    let start = start.filter(|_| row > 0).unwrap_or(said.from);
                    self.put(said.from, start, &[], inks);
                }
            }
            Shape::Records(names) if part.is_none() => {
                let starts = table::cells(self.source, &said.text, sides.len());
                let mut begun = false;
                for (column, cell) in cells.iter().enumerate() {
                    let empty = columns(self.source, cell) == 0;
                    if empty && (begun || cells[column..].iter().any(|cell| columns(self.source, cell) > 0)) {
                        continue;
                    }
                    let from = if begun { starts[column].start } else { said.from };
                    let mut inks = Vec::new();
                    let name = &names[column];
                    if self.room() >= EDGE_FROM && !name.is_empty() {
                        let head = Parts::default().with(Part::TableHead);
                        inks.push(Ink::instead(from..from, format!("{name}: "), head));
                    }
                    inks.extend(cell.iter().cloned());
                    let mark = if begun { "  " } else { "• " };
                    let mark = Ink::instead(from..from, mark, Parts::default().with(Part::ListMarker));
                    let hang = Ink::instead(from..from, "  ", Parts::default());
                    let (mark, hang) = if self.room() >= 4 {
                        (vec![mark], vec![hang])
                    } else {
                        Default::default()
                    };
                    self.lay(from, &inks, &mark, &hang);
                    begun = true;
                    if empty {
                        break;
                    }
                }
            }
            Shape::Records(_) => {
                let mut inks: Vec<Ink> = Vec::new();
                for cell in cells {
                    if let Some(last) = inks.last() {
                        let end = last.at.end;
                        inks.push(Ink::instead(end..end, " │ ", rule));
                    }
                    inks.extend(cell);
                }
                self.lay(said.from, &inks, &[], &[]);
            }
        }
    }
}

/// The rows of a cell.
fn rows(source: &str, cell: &[Ink], width: usize) -> Vec<Vec<Ink>> {
    let places = wrap(source, cell, width.max(1));
    let ends = places.iter().skip(1).copied().map(Some).chain([None]);
    places
        .iter()
        .zip(ends)
        .map(|(&from, to)| slice(source, cell, from, to))
        .collect()
}
