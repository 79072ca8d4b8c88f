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

use std::ops::Range;

use super::super::text::{clusters, width};
use super::super::theme::Part;
use super::super::transcript::Parts;
use super::inline::{self, Looks, Span};
use super::line::{Fence, Line, heading, is_rule, marker, underline};
use super::page::{Ink, Page, PageMark, Place, blanks, columns, rest, slice, wrap};
use super::table::{self, Shape, Table};

/// Bytes in which markup is looked for together.
const WINDOW: usize = 2048;
/// Bytes of a line of code that are laid out together.
const CODE_WINDOW: usize = 1024;
/// Bytes of a table after which its columns are as wide as they are.
const TABLE_WINDOW: usize = 2048;
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

    // Code.

    fn open_fence(&mut self, line: &Line<'_>, fence: Fence, from: usize) {
        let mut line = *line;
        let indent = line.indent();
        line.take_columns(indent);
        line.take(fence.len);
        let language = line.trimmed();
        let edge = Parts::default().with(Part::CodeEdge);
        let mut inks = Vec::new();
        if self.has_edge() {
            inks.push(Ink::instead(language.start..language.start, "╭ ", edge));
        }
        inks.push(Ink::source(language.clone(), edge));
        self.lay(from, &inks, &[], &[]);
        self.state.leaf = Leaf::Code(Code {
            fence: Some((fence, indent)),
            info: language,
            lines: 0,
            carry: None,
        });
    }

    /// Reads a line while there is code; whether it belongs to it.
    fn goes_on_as_code(
        &mut self,
        line: &Line<'_>,
        fence: Option<(Fence, usize)>,
        from: usize,
        whole: bool,
        blank: Option<usize>,
    ) -> bool {
        let mut line = *line;
        let Some((fence, indent)) = fence else {
            if line.is_blank() {
                if blank.is_none() {
                    self.lay(from, &[], &[], &[]);
                }
                self.state.blank = Some(usize::MAX);
                return true;
            }
            if line.indent() >= 4 {
                line.take_columns(4);
                self.code_line(&line, from);
                return true;
            }
            return false;
        };
        if line.indent() < 4 && fence.is_closed_by(line.text(), whole) {
            let at = line.trimmed();
            let mut inks = Vec::new();
            if self.has_edge() {
                inks.push(Ink::instead(at, "╰", Parts::default().with(Part::CodeEdge)));
            }
            self.lay(from, &inks, &[], &[]);
            self.state.leaf = Leaf::None;
            return true;
        }
        line.take_columns(line.indent().min(indent));
        self.code_line(&line, from);
        true
    }

    fn code_line(&mut self, line: &Line<'_>, from: usize) {
        let Leaf::Code(code) = &mut self.state.leaf else {
            return;
        };
        self.code.push(CodeLine {
            text: line.at..line.end,
            info: code.info.clone(),
            number: code.lines,
        });
        code.lines += 1;
        let parts = Parts::default().with(Part::CodeBlock);
        let hanging = line.hanging();
        let mut inks = Vec::new();
        if hanging > 0 {
            inks.push(Ink::instead(line.at..line.at, blanks(hanging), parts));
        }
        self.code_text(from, inks, line.at..line.end);
    }

    /// A line of code, or what of it comes after what has been settled.
    fn code_text(&mut self, from: usize, mut inks: Vec<Ink>, text: Range<usize>) {
        let parts = Parts::default().with(Part::CodeBlock);
        let (first, rest) = self.edges();
        if text.len() < CODE_WINDOW + 4 {
            if !text.is_empty() {
                inks.push(Ink::source(text, parts));
            }
            return self.lay(from, &inks, &first, &rest);
        }
        let cut = text.start + cut_of(&self.source[text.clone()], CODE_WINDOW);
        inks.push(Ink::source(text.start..cut, parts));
        let carry = self.lay_but_last(from, inks, &first, &rest);
        if let Leaf::Code(code) = &mut self.state.leaf {
            code.carry = Some(carry);
        }
        self.state.at = cut;
        self.state.within = true;
        self.cut = true;
        self.settle();
    }

    /// The edges of the first row of a line of code and of the others.
    fn edges(&self) -> (Vec<Ink>, Vec<Ink>) {
        if !self.has_edge() {
            return (Vec::new(), Vec::new());
        }
        let edge = Ink::instead(0..0, "│ ", Parts::default().with(Part::CodeEdge));
        (vec![edge.clone()], vec![edge])
    }

    fn has_edge(&self) -> bool {
        self.room() >= EDGE_FROM
    }

    // Text.

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

    /// Adds a line to the paragraph. One that is neither whole nor long may still become something else.
    fn say(&mut self, said: Said, whole: bool) {
        let Leaf::Paragraph(paragraph) = &mut self.state.leaf else {
            return;
        };
        let sure = whole || said.text.len() > LONGEST_ROW;
        paragraph.size += said.text.len() + 1;
        paragraph.lines.push(said);
        if sure && paragraph.size > WINDOW + 4 {
            self.cut();
        }
    }

    /// The text of the lines in the window, at most so much.
    fn joined(&self, paragraph: &Paragraph, most: usize) -> String {
        let mut text = String::new();
        for (index, line) in paragraph.lines.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            let more = &self.source[line.text.clone()];
            text.push_str(&more[..more.floor_char_boundary(most.saturating_sub(text.len()))]);
        }
        text
    }

    /// Settles the first part of a window that has become full.
    fn cut(&mut self) {
        let Leaf::Paragraph(mut paragraph) = std::mem::replace(&mut self.state.leaf, Leaf::None) else {
            return;
        };
        let text = self.joined(&paragraph, WINDOW + 4);
        let window = &text[..cut_of(&text, WINDOW)];
        let mut spans = inline::parse(window, false);
        let cut = inline::gap(window, &spans, WINDOW / 2).unwrap_or(window.len());
        spans.retain_mut(|span| {
            span.at.end = span.at.end.min(cut);
            span.at.start < cut
        });
        // Where the cut lies: in which line, and how much of it comes before.
        let mut begin = 0;
        let mut index = 0;
        while index + 1 < paragraph.lines.len() && begin + paragraph.lines[index].text.len() < cut {
            begin += paragraph.lines[index].text.len() + 1;
            index += 1;
        }
        let line = paragraph.lines[index].clone();
        let within = cut - begin;
        paragraph.lines.truncate(index + 1);
        let begun = Paragraph {
            heading: paragraph.heading,
            begun: true,
            ..Paragraph::default()
        };
        if within == 0 && index > 0 {
            paragraph.lines.pop();
            self.lay_paragraph(&paragraph, &spans);
            self.state.leaf = Leaf::Paragraph(begun);
            self.state.at = line.from;
            self.state.within = false;
        } else {
            let last = paragraph.lines.pop();
            let all_inks =
                |reader: &Self, paragraph: &Paragraph, at: usize| reader.inks_of(paragraph, &line, at, &spans);
            let inks = all_inks(self, &paragraph, begin);
            let (from, inks) = match paragraph.carry.take().filter(|_| index == 0) {
                Some(carry) => (carry.from, [carry.inks, inks].concat()),
                None => (last.map_or(line.from, |last| last.from), inks),
            };
            self.lay_paragraph(&paragraph, &spans);
            let carry = self.lay_but_last(from, inks, &[], &[]);
            self.state.leaf = Leaf::Paragraph(Paragraph {
                carry: Some(carry),
                ..begun
            });
            self.state.at = line.text.start + within;
            self.state.within = true;
        }
        self.cut = true;
        self.settle();
    }

    /// What is drawn of a line that begins at a byte of the text.
    fn inks_of(&self, paragraph: &Paragraph, line: &Said, begin: usize, spans: &[Span]) -> Vec<Ink> {
        let base = self.base(paragraph.heading);
        inks(spans, begin..begin + line.text.len(), line.text.start, base)
    }

    fn lay_paragraph(&mut self, paragraph: &Paragraph, spans: &[Span]) {
        let mut begin = 0;
        for (index, line) in paragraph.lines.iter().enumerate() {
            let mut inks = self.inks_of(paragraph, line, begin, spans);
            let mut from = line.from;
            if let Some(carry) = paragraph.carry.as_ref().filter(|_| index == 0) {
                from = carry.from;
                inks = [carry.inks.clone(), inks].concat();
            }
            self.lay(from, &inks, &[], &[]);
            begin += line.text.len() + 1;
        }
    }

    /// How text looks here.
    fn base(&self, part: Option<Part>) -> Parts {
        let quoted = self.state.containers.contains(&Container::Quote);
        let base = if quoted {
            Parts::default().with(Part::Quote)
        } else {
            Parts::default()
        };
        part.map_or(base, |part| base.with(part))
    }

    // Tables.

    /// Whether the line makes a table of the one above it.
    fn begins_table(&mut self, line: &Line<'_>, from: usize, whole: bool) -> bool {
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

    fn row(&mut self, said: Said, whole: bool) {
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

    fn shape(&self, table: &Table, open: bool) -> Shape {
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

    fn lay_table(&mut self, table: &Table, shape: &Shape, open: bool) {
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

    // Rows.

    /// What stands before every row here, and how wide it is; the marks of items only once.
    fn margin(&mut self) -> Vec<Ink> {
        let mut margin: Vec<Ink> = Vec::new();
        for container in &mut self.state.containers {
            match container {
                Container::Quote => {
                    margin.push(Ink::instead(0..0, "▎ ", Parts::default().with(Part::QuoteEdge)));
                }
                Container::Item {
                    marker, drawn: true, ..
                } => {
                    let wide = columns(self.source, marker);
                    margin.push(Ink::instead(0..0, blanks(wide), Parts::default()));
                }
                Container::Item { marker, drawn, .. } => {
                    margin.extend(marker.iter().cloned());
                    *drawn = true;
                }
            }
        }
        let (mut wide, room) = (columns(self.source, &margin), self.width / 2);
        while wide > room {
            let first = margin.remove(0);
            wide -= width(first.text(self.source));
        }
        margin
    }

    /// Columns that are left for text.
    fn room(&self) -> usize {
        let mut reserve = 0;
        let mut widths = Vec::new();
        for container in &self.state.containers {
            match container {
                Container::Quote => widths.push(2),
                Container::Item {
                    marker, drawn: true, ..
                } => widths.push(columns(self.source, marker)),
                Container::Item { marker, .. } => {
                    widths.extend(marker.iter().map(|ink| width(ink.text(self.source))));
                }
            }
        }
        for wide in widths.into_iter().rev() {
            if reserve + wide > self.width / 2 {
                break;
            }
            reserve += wide;
        }
        (self.width - reserve).max(1)
    }

    /// Lays out a line; `first` and `others` come before its first row and the others.
    fn lay(&mut self, from: usize, inks: &[Ink], first: &[Ink], others: &[Ink]) {
        self.lay_rows(from, inks, first, others);
    }

    /// Lays out a line that goes on; its last rows, which may still change, are returned and not laid out.
    fn lay_but_last(&mut self, from: usize, inks: Vec<Ink>, first: &[Ink], others: &[Ink]) -> Carry {
        let before = self.page.mark();
        let containers = self.state.containers.clone();
        let begins = self.lay_rows(from, &inks, first, others);
        let Some(&(begin, keep, from)) = begins.iter().rev().nth(1).filter(|_| begins.len() > 2) else {
            self.page.truncate(before);
            self.state.containers = containers;
            return Carry { from, inks };
        };
        self.page.truncate(keep);
        Carry {
            from,
            inks: rest(&inks, begin),
        }
    }

    /// Lays out a line, and returns where its rows begin: in the inks, on the page, in the source.
    fn lay_rows(&mut self, from: usize, inks: &[Ink], first: &[Ink], others: &[Ink]) -> Vec<(Place, PageMark, usize)> {
        let edge = columns(self.source, first);
        let room = self.room().saturating_sub(edge).max(1);
        let places = wrap(self.source, inks, room);
        let mut begins = Vec::with_capacity(places.len());
        for (row, &place) in places.iter().enumerate() {
            let start = match inks.get(place.ink) {
                _ if row == 0 => from,
                Some(ink) if ink.instead.is_none() => ink.at.start + place.byte,
                Some(ink) => ink.at.start,
                None => from,
            };
            begins.push((place, self.page.mark(), start));
            let drawn = slice(self.source, inks, place, places.get(row + 1).copied());
            self.put(start, start, if row == 0 { first } else { others }, drawn);
        }
        begins
    }

    fn put(&mut self, from: usize, start: usize, edge: &[Ink], inks: Vec<Ink>) {
        let margin = self.margin();
        self.page.begin(from, start);
        self.page.add(margin);
        self.page.add(edge.iter().cloned());
        self.page.add(inks);
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

/// What is drawn of a part of a text that stands at another place in the source.
fn inks(spans: &[Span], part: Range<usize>, source: usize, base: Parts) -> Vec<Ink> {
    let first = spans.partition_point(|span| span.at.end <= part.start);
    let spans = spans[first..].iter().take_while(|span| span.at.start < part.end);
    spans
        .map(|span| {
            let at = span.at.start.max(part.start)..span.at.end.min(part.end);
            Ink {
                at: at.start - part.start + source..at.end - part.start + source,
                instead: span.instead.clone(),
                parts: parts(span.looks, base),
            }
        })
        .collect()
}

fn parts(looks: Looks, base: Parts) -> Parts {
    [
        (Looks::STRONG, Part::Strong),
        (Looks::EMPHASIS, Part::Emphasis),
        (Looks::STRUCK, Part::Struck),
        (Looks::CODE, Part::Code),
        (Looks::LINK, Part::Address),
        (Looks::TARGET, Part::AddressTarget),
    ]
    .into_iter()
    .filter(|&(look, _)| looks.has(look))
    .fold(base, |parts, (_, part)| parts.with(part))
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
