//! One open document: where in it one looks, what is searched for, what is pointed at.
//!
//! A place is a line and a byte of it, never a number of rows, so that nothing here grows with the document: moving,
//! drawing and going to a line look at the rows in view. Only a search goes through the text, a part at a time between
//! two frames ([`Viewer::go_on`]).

mod colours;
mod draw;
pub mod keys;
mod matches;
mod outline;
mod prompt;
mod rows;
mod search;
mod selection;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use ratatui::layout::{Position, Size};

use colours::Colours;
pub use colours::{CHUNK, Highlighted, Paint, Wanted};
pub use keys::Step;
use prompt::Prompt;
pub use rows::{Spot, Text};
use search::Search;
use selection::Selection;

use super::search::Pattern;
use super::select::Unit;
use super::text::{cells, clusters, width};
use crate::context::Pack;

/// Columns that Left and Right move by.
const SIDEWAYS: usize = 8;
/// Files whose lines are paragraphs.
const PROSE: &[&str] = &[
    "md", "markdown", "txt", "rst", "adoc", "org", "tex", "html", "htm", "epub", "pdf", "docx",
];

/// Beyond the last place of any document.
const END: Spot = Spot {
    line: usize::MAX,
    at: usize::MAX,
};

#[derive(Debug)]
pub struct Viewer {
    text: Text,
    /// Of the whole screen.
    size: Size,
    wrap: bool,
    top: Spot,
    /// Columns that are hidden at the left.
    left: usize,
    cursor: Spot,
    /// The lines that a link led to, from 0.
    target: Option<RangeInclusive<usize>>,
    /// The digits of a line number, as they are typed.
    digits: String,
    prompt: Option<Prompt>,
    search: Option<Search>,
    colours: Colours,
    selection: Option<Selection>,
    /// What the button was pressed on.
    pressed: Option<Range<usize>>,
    /// The section that is chosen in the list of all, while that is open.
    outline: Option<usize>,
}

impl Viewer {
    pub fn new(text: Text, size: Size) -> Self {
        let path = &text.document().path;
        let kind = path.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
        let wrap = kind.is_some_and(|(_, kind)| PROSE.contains(&kind.to_ascii_lowercase().as_str()));
        Self {
            text,
            size,
            wrap,
            top: Spot::default(),
            left: 0,
            cursor: Spot::default(),
            target: None,
            digits: String::new(),
            prompt: None,
            search: None,
            colours: Colours::default(),
            selection: None,
            pressed: None,
            outline: None,
        }
    }

    pub fn text(&self) -> &Text {
        &self.text
    }

    pub fn path(&self) -> &str {
        &self.text.document().path
    }

    /// Whether this is the line, from 1, that a link led to.
    pub fn points_at(&self, line: usize) -> bool {
        let target = self.target.as_ref().map_or(0, |target| target.start() + 1);
        target == line
    }

    pub fn resize(&mut self, size: Size) {
        if self.size != size {
            self.keep_cursor(|viewer| viewer.size = size);
        }
    }

    /// Changes how rows are laid out. The cursor stays in its row of the screen, as far as there is one.
    fn keep_cursor(&mut self, change: impl FnOnce(&mut Self)) {
        let above = self.visible().take_while(|row| row.spot() < self.cursor).count();
        change(self);
        self.cursor = self.row(self.cursor).spot();
        let above = above.min(self.height() - 1).cast_signed();
        self.look_at(self.moved(self.cursor, -above));
    }

    /// Points at these lines, from 1; lines that are not there are left out. 0 is the document as a whole.
    pub fn point_at(&mut self, first: usize, last: usize) {
        let lines = self.text.lines();
        self.outline = None;
        self.target = (1..=lines)
            .contains(&first)
            .then(|| first - 1..=last.clamp(first, lines) - 1);
        self.go_to(Spot {
            line: first.saturating_sub(1).min(lines - 1),
            at: 0,
        });
        self.left = 0;
    }

    /// Goes on with the same document of another pack.
    pub fn renew(&mut self, pack: &Arc<Pack>) {
        let index = pack.documents.iter().position(|document| document.path == self.path());
        if let Some(text) = index.and_then(|index| Text::new(pack, index)) {
            self.text = text;
            self.target = None;
            self.search = None;
            self.selection = None;
            self.prompt = None;
            self.outline = None;
            self.colours = Colours::default();
            self.cursor = self.row(self.cursor).spot();
            self.look_at(self.top);
        }
    }

    fn wrap_width(&self) -> Option<usize> {
        self.wrap.then(|| draw::text_width(self))
    }

    fn row(&self, spot: Spot) -> rows::Row {
        self.text.row(spot, self.wrap_width())
    }

    fn moved(&self, spot: Spot, rows: isize) -> Spot {
        self.text.moved(spot, rows, self.wrap_width()).spot()
    }

    /// Rows in view, at least 1.
    fn height(&self) -> usize {
        usize::from(draw::areas(self).body.height).max(1)
    }

    fn page(&self) -> isize {
        self.height().saturating_sub(2).max(1).cast_signed()
    }

    /// The rows in view.
    fn visible(&self) -> impl Iterator<Item = rows::Row> {
        let first = self.row(self.top);
        let wrap = self.wrap_width();
        std::iter::successors(Some(first), move |row| self.text.after(row, wrap)).take(self.height())
    }

    /// The lines in view.
    pub fn lines_in_view(&self) -> Range<usize> {
        let last = self.visible().last().map_or(0, |row| row.line);
        self.top.line..last + 1
    }

    /// Which colours to ask for now.
    pub fn wanted(&mut self) -> Option<Wanted> {
        let lines = self.lines_in_view();
        let chunks = self.colours.wanted(&lines)?;
        let text = self.text.clone();
        Some(Wanted { text, chunks })
    }

    pub fn highlighted(&mut self, highlighted: Highlighted) {
        if highlighted.text == self.text {
            self.colours
                .take(highlighted.chunk, highlighted.lines, highlighted.settled);
        }
    }

    /// Whether there is more to search.
    pub fn is_searching(&self) -> bool {
        self.search.as_ref().is_some_and(|search| !search.is_done())
    }

    /// Searches for something, from a byte of the text on.
    pub fn search_for(&mut self, pattern: &Pattern, offset: usize) {
        self.prompt = None;
        self.search = Some(Search::of(pattern, self.text.spot(offset)));
        self.go_on();
    }

    /// Whether the cursor is on the last match of this, or on the first one.
    pub fn is_at_edge(&self, pattern: &Pattern, forward: bool) -> bool {
        let search = self
            .search
            .as_ref()
            .filter(|search| search.is_done() && search.query == pattern.written());
        search.is_some_and(|search| {
            let edge = if forward {
                search.found().len().checked_sub(1)
            } else {
                Some(0)
            };
            search.current.is_some() && search.current == edge
        })
    }

    /// Searches a little further.
    pub fn go_on(&mut self) {
        if let Some(search) = &mut self.search {
            search.go_on(&self.text.document().text);
            self.arrive();
        }
    }

    /// Makes this the first row in view, as far as there is something below it, and the cursor follows.
    fn look_at(&mut self, top: Spot) {
        self.top = self.row(top).spot();
        let height = self.height();
        // Every line has a row at least, so that the end matters near the end only.
        if self.text.lines() - self.top.line < height {
            let last = self.moved(END, 1 - height.cast_signed());
            self.top = self.top.min(last);
        }
        let bottom = self.visible().last().map_or(self.top, |row| row.spot());
        self.cursor = self.row(self.cursor).spot().clamp(self.top, bottom);
    }

    pub fn scroll(&mut self, rows: isize) {
        if self.outline_step(if rows < 0 { Step::Up } else { Step::Down }) {
            return;
        }
        self.look_at(self.moved(self.top, rows));
    }

    /// Begins the view so many `parts` of all into the text; at the last it ends with the text.
    pub fn scroll_to_share(&mut self, part: usize, parts: usize) {
        let top = if part >= parts {
            self.moved(END, 1 - self.height().cast_signed())
        } else {
            let line = self.text.spot(self.text.document().text.len() * part / parts).line;
            Spot { line, at: 0 }
        };
        self.look_at(top);
    }

    /// Puts the cursor there, and scrolls as little as that needs.
    fn step_to(&mut self, spot: Spot) {
        self.cursor = self.row(spot).spot();
        let bottom = self.visible().last().map_or(self.top, |row| row.spot());
        let height = self.height().cast_signed();
        if self.cursor < self.top {
            self.look_at(self.cursor);
        } else if self.cursor > bottom {
            self.look_at(self.moved(self.cursor, 1 - height));
        }
    }

    /// Puts the cursor there; if that is out of view, a third from the top.
    fn go_to(&mut self, spot: Spot) {
        self.cursor = self.row(spot).spot();
        let bottom = self.visible().last().map_or(self.top, |row| row.spot());
        if self.cursor < self.top || self.cursor >= bottom {
            let above = (self.height() / 3).cast_signed();
            self.look_at(self.moved(self.cursor, -above));
        }
    }

    fn go_to_line(&mut self, line: usize) {
        self.go_to(Spot {
            line: line.saturating_sub(1).min(self.text.lines() - 1),
            at: 0,
        });
    }

    /// Puts the cursor in the row that is clicked on.
    pub fn click(&mut self, at: Position) {
        let areas = draw::areas(self);
        let clicked = areas.body.union(areas.gutter);
        if !clicked.contains(at) {
            return;
        }
        let row = usize::from(at.y - clicked.y);
        if let Some(selected) = self.outline {
            self.outline = Some(self.outline_top(selected) + row);
            self.choose_section();
            return;
        }
        let row = self.visible().nth(row);
        self.cursor = row.map_or(self.cursor, |row| row.spot());
    }

    /// Does what can be done within the document; whether this is such a step.
    pub fn step(&mut self, step: Step) -> bool {
        if step == Step::Enter {
            return false;
        }
        let number: Option<usize> = std::mem::take(&mut self.digits).parse().ok();
        let page = self.page();
        if self.outline_step(step) || self.selecting_step(step) {
            return true;
        }
        match step {
            Step::Close if self.drop_selection() => {}
            Step::Select => self.toggle_selection(Unit::Character),
            Step::SelectLines => self.toggle_selection(Unit::Line),
            Step::Copy | Step::Close | Step::Enter | Step::NextCitation | Step::PreviousCitation => return false,
            Step::Down => self.step_to(self.moved(self.cursor, 1)),
            Step::Up => self.step_to(self.moved(self.cursor, -1)),
            Step::PageDown => self.turn(page),
            Step::PageUp => self.turn(-page),
            Step::HalfDown => self.turn(page / 2 + 1),
            Step::HalfUp => self.turn(-(page / 2 + 1)),
            Step::Top => self.go_to_line(number.unwrap_or(1)),
            Step::Bottom => match number {
                Some(line) => self.go_to_line(line),
                None => self.step_to(END),
            },
            Step::Left => self.shift(false, SIDEWAYS),
            Step::Right => self.shift(true, SIDEWAYS),
            Step::LineStart => self.left = 0,
            Step::LineEnd => self.left = self.line_end(),
            Step::Wrap => {
                self.left = 0;
                self.keep_cursor(|viewer| viewer.wrap = !viewer.wrap);
            }
            Step::GoTo => self.prompt = Some(Prompt::line()),
            Step::Search => self.prompt = Some(Prompt::search(self.cursor, self.top)),
            Step::NextMatch => self.next_match(true),
            Step::PreviousMatch => self.next_match(false),
            Step::Outline => self.open_outline(),
            Step::NextSection => self.next_section(),
            Step::PreviousSection => self.previous_section(),
        }
        self.extend_to_cursor();
        true
    }

    /// Moves what is in view to a side.
    pub fn shift(&mut self, right: bool, columns: usize) {
        self.left = if right {
            (self.left + columns).min(self.longest())
        } else {
            self.left.saturating_sub(columns)
        };
    }

    /// Moves the view and the cursor together.
    fn turn(&mut self, rows: isize) {
        let (top, cursor) = (self.top, self.moved(self.cursor, rows));
        self.cursor = cursor;
        self.scroll(rows);
        if self.top == top {
            self.step_to(cursor);
        }
    }

    /// The furthest that it is of use to move to the right, by the rows in view.
    fn longest(&self) -> usize {
        let room = draw::text_width(self);
        let widest = self.visible().map(|row| width(self.text.text_of(&row))).max();
        let most = widest.unwrap_or(0).saturating_sub(room / 2);
        if self.wrap { 0 } else { most.max(self.left) }
    }

    fn line_end(&self) -> usize {
        let row = self.row(self.cursor);
        let columns = width(self.text.text_of(&row));
        if self.wrap {
            0
        } else {
            (columns + 1).saturating_sub(draw::text_width(self))
        }
    }

    /// A digit of a line number; whether it was one.
    pub fn digit(&mut self, c: char) -> bool {
        let counts = self.outline.is_none()
            && c.is_ascii_digit()
            && (c != '0' || !self.digits.is_empty())
            && self.digits.len() < 18;
        if counts {
            self.digits.push(c);
        }
        counts
    }

    /// Enter: to the section that was chosen, or to the line whose number was typed.
    pub fn enter(&mut self) {
        if !self.choose_section() && !self.digits.is_empty() {
            self.step(Step::Bottom);
        }
    }

    pub fn has_digits(&self) -> bool {
        !self.digits.is_empty()
    }

    pub fn forget_digits(&mut self) {
        self.digits.clear();
    }
}

/// The columns of a row's clusters, with their bytes.
fn columns(text: &str) -> impl Iterator<Item = (usize, &str, usize, usize)> {
    let mut column = 0;
    clusters(text).map(move |(at, cluster)| {
        let from = column;
        column += cells(cluster, column);
        (at, cluster, from, column)
    })
}
