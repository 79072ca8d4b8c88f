//! The structure of a text, line by line.
//!
//! A line is read once and for all as soon as nothing that may come can change what it looks like; only what comes after
//! the last such place, the *settled* one, is read again when the text has grown. So that there always is such a place
//! near the end:
//!
//! * Markup within a paragraph is looked for in windows of some two thousand bytes; none reaches from one into the next.
//! * An underline makes a heading of a paragraph of one short line only.
//! * The columns of a table are as wide as its first two thousand bytes need; later cells are wrapped into them.
//! * What is defined at another place (references of links, footnotes) is shown as it is written.
//!
//! Line ends are kept: models mean them.

mod code;
mod paragraph;
mod rows;
mod tables;

use std::ops::Range;

use super::super::text::clusters;
use super::super::theme::Part;
use super::super::transcript::Parts;
use super::inline;
use super::line::{Fence, Line, heading, is_rule, marker, underline};
use super::page::{Ink, Page, PageMark};
use super::table::{self, Table};

/// A longer line is no row of a table, nor the text of an underlined heading.
const LONGEST_ROW: usize = 1024;
/// Deeper lists and quotations are text.
const DEEPEST: usize = 32;
/// Narrower text has no edge beside its code.
const EDGE_FROM: usize = 12;

/// What lines are in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Container {
    Quote,
    Item {
        /// Columns that belong to it.
        indent: usize,
        marker: Vec<Ink>,
        drawn: bool,
    },
}

/// The rows of a line that may still change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Carry {
    from: usize,
    inks: Vec<Ink>,
}

/// A line of text: where it begins, and what of it is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub from: usize,
    pub text: Range<usize>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Paragraph {
    /// Of a heading.
    heading: Option<Part>,
    /// In the window.
    lines: Vec<Said>,
    size: usize,
    /// Whether windows have been before.
    begun: bool,
    /// What comes before the text of the first line.
    carry: Option<Carry>,
}

/// A line of a block of code, for those who colour it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeLine {
    pub text: Range<usize>,
    /// What its block says of itself after the fence; no other block's begins here.
    pub info: Range<usize>,
    /// From 0.
    pub number: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Code {
    /// None: it is indented.
    fence: Option<(Fence, usize)>,
    info: Range<usize>,
    lines: usize,
    carry: Option<Carry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Leaf {
    None,
    Paragraph(Paragraph),
    Code(Code),
    Table(Table),
}

/// Where the reader stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    at: usize,
    /// Within a line of text or code.
    within: bool,
    containers: Vec<Container>,
    leaf: Leaf,
    /// How many quotations the last line was in, if it was blank.
    blank: Option<usize>,
    page: PageMark,
    code: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            at: 0,
            within: false,
            containers: Vec::new(),
            leaf: Leaf::None,
            blank: None,
            page: PageMark::default(),
            code: 0,
        }
    }
}

impl State {
    pub fn page(&self) -> PageMark {
        self.page
    }

    /// Lines of code so far.
    pub fn code(&self) -> usize {
        self.code
    }
}

pub struct Reader<'r> {
    pub source: &'r str,
    pub width: usize,
    pub page: &'r mut Page,
    pub code: &'r mut Vec<CodeLine>,
    /// Where nothing before can change.
    pub settled: &'r mut State,
    pub state: State,
    /// A part of what has just been read has been settled: the state tells where to go on.
    pub cut: bool,
    /// Whether the line that is read is whole.
    pub whole: bool,
}

impl Reader<'_> {
    /// Reads to the end, and lays out what is not settled as if nothing came after it.
    pub fn read(mut self) {
        while self.state.at < self.source.len() {
            let rest = &self.source.as_bytes()[self.state.at..];
            match rest.iter().position(|&byte| byte == b'\n') {
                Some(len) => self.line(self.state.at + len, Some(self.state.at + len + 1)),
                None => self.line(self.source.len(), None),
            }
        }
        self.finish(true);
        if self.page.count() == 0 {
            self.page.begin(0, 0);
        }
    }

    /// Settles where the state is.
    fn settle(&mut self) {
        self.state.page = self.page.mark();
        self.state.code = self.code.len();
        self.settled.clone_from(&self.state);
    }

    /// Reads a line; without a next one it is not whole.
    fn line(&mut self, end: usize, next: Option<usize>) {
        let at = self.state.at;
        let carriage = next.is_some() && self.source[at..end].ends_with('\r');
        let end = end - usize::from(carriage);
        self.structure(end, next.is_some());
        if std::mem::take(&mut self.cut) {
            return;
        }
        self.state.at = next.unwrap_or(self.source.len());
        self.state.within = false;
        let settled = match &self.state.leaf {
            Leaf::None | Leaf::Code(_) => true,
            Leaf::Table(table) => table.shape.is_some(),
            Leaf::Paragraph(_) => false,
        };
        if next.is_some() && settled {
            self.settle();
        }
    }

    fn structure(&mut self, end: usize, whole: bool) {
        let from = self.state.at;
        self.whole = whole;
        if self.state.within {
            return self.go_on(end, whole);
        }
        let blank_before = self.state.blank.take();
        let mut line = Line::new(self.source, from, end);
        let mut matched = 0;
        for container in &self.state.containers {
            let inside = match container {
                Container::Quote => line.take_quote(),
                Container::Item { .. } if line.is_blank() => true,
                Container::Item { indent, .. } => {
                    let inside = line.indent() >= *indent;
                    if inside {
                        line.take_columns(*indent);
                    }
                    inside
                }
            };
            if !inside {
                break;
            }
            matched += 1;
        }
        let mut inside = matched == self.state.containers.len();
        if let Leaf::Code(code) = &self.state.leaf {
            let fence = code.fence;
            if inside && self.goes_on_as_code(&line, fence, from, whole, blank_before) {
                return;
            }
            self.state.leaf = Leaf::None;
        }
        let mut opened = false;
        while !line.is_blank() {
            let paragraph = match &self.state.leaf {
                Leaf::Paragraph(paragraph) if !opened => Some(paragraph),
                _ => None,
            };
            if line.indent() >= 4 {
                if paragraph.is_some() {
                    break;
                }
                self.close(matched);
                line.take_columns(4);
                self.state.leaf = Leaf::Code(Code {
                    fence: None,
                    info: from..from,
                    lines: 0,
                    carry: None,
                });
                return self.code_line(&line, from);
            }
            let text = line.text();
            let short = paragraph.is_some_and(|paragraph| {
                !paragraph.begun && paragraph.lines.len() == 1 && paragraph.size < LONGEST_ROW
            });
            let paragraph = paragraph.is_some() && inside;
            if let Some(level) = underline(text).filter(|_| short && inside) {
                if let Leaf::Paragraph(paragraph) = &mut self.state.leaf {
                    paragraph.heading = Some(part_of_heading(level));
                }
                self.finish(false);
                return;
            }
            if paragraph && self.begins_table(&line, from, whole) {
                return;
            }
            if text.starts_with('>') && self.state.containers.len() < DEEPEST {
                self.close(matched);
                line.take_quote();
                self.state.containers.push(Container::Quote);
            } else if let Some(level) = heading(text) {
                self.close(matched);
                return self.heading(&line, level, from, whole);
            } else if let Some(fence) = Fence::opening(text) {
                self.close(matched);
                return self.open_fence(&line, fence, from);
            } else if is_rule(text) {
                self.close(matched);
                let rule = vec![self.rule(line.trimmed())];
                return self.lay(from, &rule, &[], &[]);
            } else if let Some(marker) = marker(text)
                && self.state.containers.len() < DEEPEST
                && !(paragraph && (marker.empty || marker.number.is_some_and(|number| number != 1)))
            {
                self.close(matched);
                self.item(&mut line, marker.len, marker.number.is_some());
            } else {
                break;
            }
            opened = true;
            matched = self.state.containers.len();
            inside = true;
        }
        if line.is_blank() {
            if opened {
                // An item without anything, so far.
                return self.lay(from, &[], &[], &[]);
            }
            self.close(matched);
            let depth = self.state.containers.iter().filter(|c| **c == Container::Quote).count();
            if blank_before != Some(depth) {
                self.lay(from, &[], &[], &[]);
            }
            self.state.blank = Some(depth);
            return;
        }
        let said = Said {
            from,
            text: line.trimmed(),
        };
        match &mut self.state.leaf {
            Leaf::Table(table) if inside && !opened && table::is_row(self.source, &said.text) => {
                self.row(said, whole);
            }
            Leaf::Paragraph(_) if !opened => self.say(said, whole),
            _ => {
                self.close(matched);
                self.state.leaf = Leaf::Paragraph(Paragraph::default());
                self.say(said, whole);
            }
        }
    }

    /// Ends what is open inside of so many containers, and the other containers. A whole line that does so does it
    /// whatever comes, and what is before it is settled; read again, it finds nothing open and begins the same.
    fn close(&mut self, containers: usize) {
        let was_open = self.state.leaf != Leaf::None;
        self.finish(false);
        if was_open && self.whole {
            self.settle();
        }
        self.state.containers.truncate(containers);
    }

    /// Lays out the paragraph or the table that is open, and ends it.
    fn finish(&mut self, open: bool) {
        match std::mem::replace(&mut self.state.leaf, Leaf::None) {
            Leaf::Paragraph(paragraph) => {
                let text = self.joined(&paragraph, usize::MAX);
                let spans = inline::parse(&text, open);
                self.lay_paragraph(&paragraph, &spans);
            }
            Leaf::Table(table) if table.shape.is_none() => {
                let shape = self.shape(&table, open);
                self.lay_table(&table, &shape, open);
            }
            Leaf::Code(Code { carry: Some(carry), .. }) => {
                let (first, rest) = self.edges();
                self.lay(carry.from, &carry.inks, &first, &rest);
            }
            Leaf::None | Leaf::Table(_) | Leaf::Code(_) => {}
        }
    }

    fn item(&mut self, line: &mut Line<'_>, len: usize, numbered: bool) {
        let before = line.indent();
        line.take_columns(before);
        let at = line.at..line.at + len;
        line.take(len);
        let after = line.indent();
        // Farther away it is code; nothing after it counts as one column.
        let after = if line.is_blank() || after > 4 { 1 } else { after };
        line.take_columns(after);
        let part = Parts::default().with(Part::ListMarker);
        let mut marker = if numbered {
            vec![Ink::source(at.clone(), part), Ink::instead(at.end..at.end, " ", part)]
        } else {
            vec![Ink::instead(at, "• ", part)]
        };
        let text = line.text();
        let task = ["[ ] ", "[x] ", "[X] "].iter().find(|task| text.starts_with(**task));
        if let Some(task) = task.filter(|_| line.indent() < 4) {
            let begin = line.end - text.len();
            let shown = if *task == "[ ] " { "☐ " } else { "☑ " };
            let task = Ink::instead(begin..begin + task.len(), shown, part);
            if numbered {
                marker.push(task);
            } else {
                let from = marker[0].at.start;
                marker = vec![Ink {
                    at: from..task.at.end,
                    ..task
                }];
            }
            line.take_columns(line.indent());
            line.take(3);
            line.take_columns(1);
        }
        self.state.containers.push(Container::Item {
            indent: before + len + after,
            marker,
            drawn: false,
        });
    }

    fn heading(&mut self, line: &Line<'_>, level: usize, from: usize, whole: bool) {
        let mut line = *line;
        line.take_columns(line.indent());
        line.take(level);
        let mut text = line.trimmed();
        let inner = &self.source[text.clone()];
        let closed = inner.trim_end_matches('#');
        if closed.is_empty() || closed.ends_with([' ', '\t']) {
            text.end = text.start + closed.trim_end().len();
        }
        if text.is_empty() {
            let mark = Ink::source(line.at - level..line.at, Parts::default().with(part_of_heading(level)));
            return self.lay(from, &[mark], &[], &[]);
        }
        self.state.leaf = Leaf::Paragraph(Paragraph {
            heading: Some(part_of_heading(level)),
            ..Paragraph::default()
        });
        self.say(Said { from, text }, true);
        if !self.cut {
            self.finish(!whole);
        }
    }

    fn rule(&self, at: Range<usize>) -> Ink {
        Ink::instead(at, "─".repeat(self.room()), Parts::default().with(Part::Rule))
    }

    /// Goes on with a line whose beginning is settled.
    fn go_on(&mut self, end: usize, whole: bool) {
        let at = self.state.at;
        match &mut self.state.leaf {
            Leaf::Code(code) => {
                let carry = code.carry.take();
                if let Some(last) = self.code.last_mut() {
                    last.text.end = end;
                }
                let (from, inks) = carry.map_or((at, Vec::new()), |carry| (carry.from, carry.inks));
                self.code_text(from, inks, at..end);
            }
            Leaf::Paragraph(paragraph) => {
                let is_heading = paragraph.heading.is_some();
                let text = at..at + self.source[at..end].trim_end().len();
                self.say(Said { from: at, text }, true);
                if is_heading && !self.cut {
                    self.finish(!whole);
                }
            }
            Leaf::None | Leaf::Table(_) => {}
        }
    }
}

fn part_of_heading(level: usize) -> Part {
    match level {
        1 => Part::Heading1,
        2 => Part::Heading2,
        3 => Part::Heading3,
        _ => Part::Heading4,
    }
}

/// Where a long text may be cut: at the last end of a cluster before `most`, which lies behind its half.
fn cut_of(text: &str, most: usize) -> usize {
    if text.len() <= most {
        return text.len();
    }
    let from = text.floor_char_boundary(most / 2);
    let ends = clusters(&text[from..]).map(|(at, cluster)| from + at + cluster.len());
    ends.take_while(|&end| end <= most)
        .last()
        .unwrap_or_else(|| text.floor_char_boundary(most))
}
