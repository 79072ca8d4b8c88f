//! Running text as lines: the one place where blocks, lists and tables become lines.
//!
//! A reader says what it comes upon ("a paragraph ends", "a cell begins"), in whatever order its document has it, and
//! this keeps sense: nothing need be closed, and what is closed without having been opened is passed over. Depth costs
//! nothing: what is deeper than [`DEEPEST`] is treated as if it were not nested.

use crate::context::pack::SectionKind;

use super::fragment::{Fragment, Mark};

/// Tables and lists within each other.
const DEEPEST: usize = 8;
/// Cells of a row; beyond, another row begins.
const WIDEST: usize = 1000;
/// Bytes up to which a row stays one line, though its cells have several.
const LONGEST_ROW: usize = 2000;

/// A writer of lines.
#[derive(Debug)]
pub(super) struct Flow {
    done: Fragment,
    tables: Vec<Table>,
    /// Tables beyond the deepest.
    deeper: usize,
    lists: Vec<List>,
    deeper_lists: usize,
    /// The line that is being written, without what stands before it.
    line: String,
    /// Not yet in any fragment: they mark the line that is being written.
    marks: Vec<Mark>,
    bullet: Option<String>,
    space: bool,
    raised: bool,
    heading: Option<u8>,
    verbatim: usize,
    link: Option<Link>,
    /// Bytes that may still be written.
    left: usize,
    overflow: bool,
}

#[derive(Debug, Default)]
struct Table {
    row: Vec<Fragment>,
    cell: Option<Fragment>,
}

#[derive(Debug)]
struct Link {
    url: String,
    /// Where its text begins: the lines and the bytes before it.
    lines: usize,
    start: usize,
}

#[derive(Debug)]
struct List {
    /// Of the next item; `None` are bullets.
    number: Option<u32>,
}

impl Flow {
    /// A writer of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            done: Fragment::default(),
            tables: Vec::new(),
            deeper: 0,
            lists: Vec::new(),
            deeper_lists: 0,
            line: String::new(),
            marks: Vec::new(),
            bullet: None,
            space: false,
            raised: false,
            heading: None,
            verbatim: 0,
            link: None,
            left: limit,
            overflow: false,
        }
    }

    /// More was written than may be; the rest is dropped.
    pub fn overflowed(&self) -> bool {
        self.overflow
    }

    pub fn finish(mut self) -> Fragment {
        self.end_block();
        self.deeper = 0;
        while !self.tables.is_empty() {
            self.end_table();
        }
        for mark in std::mem::take(&mut self.marks) {
            self.done.mark(mark);
        }
        self.done
    }

    /// Running text, in which white space is only space; within verbatim text, lines.
    pub fn text(&mut self, text: &str) {
        if self.verbatim > 0 {
            let mut lines = text.split('\n');
            self.push_verbatim(lines.next().unwrap_or_default());
            for line in lines {
                self.end_verbatim_line();
                self.push_verbatim(line);
            }
            return;
        }
        for c in text.chars() {
            match c {
                ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{a0}' | '\u{2028}' | '\u{2029}' => {
                    self.space = !self.line.is_empty();
                }
                // Soft hyphens and places where a word may be broken.
                '\u{ad}' | '\u{200b}' | '\u{feff}' | '\0' => {}
                _ => {
                    if std::mem::take(&mut self.space) {
                        self.push(' ');
                    }
                    let raised = std::mem::take(&mut self.raised);
                    if raised && !self.line.is_empty() && (c.is_ascii_digit() || matches!(c, '-' | '+' | '−')) {
                        self.push('^');
                    }
                    self.push(c);
                }
            }
        }
    }

    /// What follows stands above the line: 10² must not become 102.
    pub fn raised(&mut self, raised: bool) {
        self.raised = raised;
    }

    /// A link begins, and one that is open ends. Only the address of a page elsewhere is kept.
    pub fn begin_link(&mut self, url: Option<&str>) {
        self.end_link();
        self.link = url.map(str::trim).filter(|url| is_absolute(url)).map(|url| Link {
            url: url.to_owned(),
            lines: self.target().lines,
            start: self.line.len(),
        });
    }

    /// An address that the text of its link does not say is written after it.
    pub fn end_link(&mut self) {
        let Some(Link { url, lines, start }) = self.link.take() else {
            return;
        };
        let start = if lines == self.target().lines { start } else { 0 };
        let text = self.line.get(start..).unwrap_or_default().trim();
        if !text.is_empty() && bare(text) != bare(&url) {
            self.text(&format!(" ({url})"));
        }
    }

    /// A line break inside a block; headings stay on one line.
    pub fn line_break(&mut self) {
        if self.verbatim > 0 {
            self.end_verbatim_line();
        } else if self.heading.is_some() {
            self.space = !self.line.is_empty();
        } else {
            self.end_block();
        }
    }

    /// A paragraph or whatever else stands on its own begins or ends.
    pub fn end_block(&mut self) {
        self.space = false;
        self.raised = false;
        if self.line.trim().is_empty() {
            self.line.clear();
            return;
        }
        let line = std::mem::take(&mut self.line);
        let mut prefix = self.indent();
        if let Some(level) = self.heading.take() {
            let mark = Mark::section(SectionKind::Heading, &line, level);
            self.marks.push(mark);
            prefix = format!("{} ", "#".repeat(usize::from(level.min(6))));
            if self.tables.is_empty() && !self.done.ends_blank() {
                self.done.line("", "");
            }
        }
        self.write(&prefix, line.trim_end());
    }

    pub fn begin_heading(&mut self, level: u8) {
        self.end_block();
        self.heading = Some(level);
    }

    pub fn end_heading(&mut self) {
        self.end_block();
        self.heading = None;
    }

    /// Marks the block that begins or is being written.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    pub fn begin_verbatim(&mut self) {
        self.end_block();
        self.verbatim += 1;
    }

    pub fn end_verbatim(&mut self) {
        if self.verbatim == 1 && !self.line.is_empty() {
            self.end_verbatim_line();
        }
        self.verbatim = self.verbatim.saturating_sub(1);
    }

    /// The block that begins is an item of a list, so many lists deep from 0.
    pub fn bullet(&mut self, depth: usize) {
        self.end_block();
        self.bullet = Some("  ".repeat(depth.min(DEEPEST)) + "- ");
    }

    pub fn no_bullet(&mut self) {
        self.bullet = None;
    }

    /// A list begins; `number` is its first item's, if they are numbered.
    pub fn begin_list(&mut self, number: Option<u32>) {
        self.end_block();
        if self.lists.len() < DEEPEST {
            self.lists.push(List { number });
        } else {
            self.deeper_lists += 1;
        }
    }

    pub fn item(&mut self) {
        self.end_block();
        self.bullet = Some(match self.lists.last_mut().and_then(|list| list.number.as_mut()) {
            Some(number) => {
                let bullet = format!("{number}. ");
                *number = number.saturating_add(1);
                bullet
            }
            None => "- ".to_owned(),
        });
    }

    pub fn end_list(&mut self) {
        self.end_block();
        self.bullet = None;
        if self.deeper_lists > 0 {
            self.deeper_lists -= 1;
        } else {
            self.lists.pop();
        }
    }

    pub fn begin_table(&mut self) {
        self.end_block();
        if self.tables.len() < DEEPEST {
            self.tables.push(Table::default());
        } else {
            self.deeper += 1;
        }
    }

    pub fn row(&mut self) {
        self.end_block();
        if self.deeper > 0 {
            return;
        }
        self.end_cell();
        let Some(row) = self.tables.last_mut().map(|table| std::mem::take(&mut table.row)) else {
            return;
        };
        let row = joined(row);
        if row.lines > 0 || !row.marks.is_empty() {
            self.target_mut().append(row);
        }
    }

    pub fn cell(&mut self) {
        self.end_block();
        if self.deeper > 0 {
            return;
        }
        self.end_cell();
        if self.tables.last().is_some_and(|table| table.row.len() >= WIDEST) {
            self.row();
        }
        if let Some(table) = self.tables.last_mut() {
            table.cell = Some(Fragment::default());
        }
    }

    pub fn end_cell(&mut self) {
        self.end_block();
        if self.deeper > 0 {
            return;
        }
        if let Some(table) = self.tables.last_mut()
            && let Some(cell) = table.cell.take()
        {
            table.row.push(cell);
        }
    }

    pub fn end_table(&mut self) {
        self.row();
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.tables.pop();
        }
    }

    /// Where lines go: the innermost open cell.
    fn target(&self) -> &Fragment {
        let cell = self.tables.iter().rev().find_map(|table| table.cell.as_ref());
        cell.unwrap_or(&self.done)
    }

    fn target_mut(&mut self) -> &mut Fragment {
        let cell = self.tables.iter_mut().rev().find_map(|table| table.cell.as_mut());
        cell.unwrap_or(&mut self.done)
    }

    fn indent(&mut self) -> String {
        let bullet = self.bullet.take();
        let depth = self.lists.len();
        match bullet {
            Some(bullet) => "  ".repeat(depth.saturating_sub(1)) + &bullet,
            None => "  ".repeat(depth),
        }
    }

    fn write(&mut self, prefix: &str, line: &str) {
        let marks = std::mem::take(&mut self.marks);
        let target = self.target_mut();
        for mark in marks {
            target.mark(mark);
        }
        target.line(prefix, line);
    }

    fn push(&mut self, c: char) {
        if let Some(left) = self.left.checked_sub(c.len_utf8()) {
            self.left = left;
            self.line.push(c);
        } else {
            self.overflow = true;
        }
    }

    fn push_verbatim(&mut self, text: &str) {
        for c in text.chars().filter(|&c| c != '\r' && c != '\0') {
            self.push(c);
        }
    }

    fn end_verbatim_line(&mut self) {
        let Some(left) = self.left.checked_sub(1) else {
            self.overflow = true;
            return;
        };
        self.left = left;
        let line = std::mem::take(&mut self.line);
        let prefix = if line.is_empty() { String::new() } else { self.indent() };
        self.write(&prefix, line.trim_end());
        self.target_mut().verbatim = true;
    }
}

fn is_absolute(url: &str) -> bool {
    let starts = |scheme: &str| url.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// An address as people write it.
fn bare(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// A row's cells on one line, unless they are pages: tables are also used to lay out.
fn joined(mut cells: Vec<Fragment>) -> Fragment {
    let full = cells.iter().filter(|cell| cell.lines > 0).count();
    let several = cells.iter().any(|cell| cell.lines > 1);
    let length: usize = cells.iter().map(|cell| cell.text.len()).sum();
    let heading = |cell: &Fragment| cell.marks.iter().any(|(_, mark)| matches!(mark, Mark::Section { .. }));
    let is_page = |cell: &Fragment| cell.lines > 1 && (cell.verbatim || heading(cell));
    let mut row = Fragment::default();
    if full <= 1 || (several && (length > LONGEST_ROW || cells.iter().any(is_page))) {
        for cell in cells {
            row.append(cell);
        }
        return row;
    }
    let mut line = String::with_capacity(length + 3 * cells.len());
    for (i, cell) in cells.iter_mut().enumerate() {
        if i > 0 {
            line.push_str(if line.ends_with(' ') || line.is_empty() {
                "| "
            } else {
                " | "
            });
        }
        for (j, part) in cell.text.lines().enumerate() {
            if j > 0 {
                line.push(' ');
            }
            line.push_str(part.trim());
        }
        row.marks.extend(cell.marks.drain(..).map(|(_, mark)| (0, mark)));
    }
    row.line("", line.trim_end());
    row
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
