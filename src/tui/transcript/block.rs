//! One thing that was said: its source, which is kept as it came, and its rows at the current width.
//!
//! A rendering is a pure function of source, fold state and width. Rows of a block, from the top: a gap that separates
//! it from the block before, a header (thinking only), a line that counts what the tail hides, the rows of the text,
//! and the citations found in thinking.

use std::ops::Range;
use std::time::Duration;

use super::super::highlight;
use super::super::links::Link;
use super::super::text::clip;
use super::super::theme::Part;
use super::body::{Body, Cell, Piece};
use super::colours::Colours;
use super::segments::Segments;
use crate::conversation::{Citation, Verdict};
use crate::engine::CardExperts;
use crate::trace::Trace;

/// Columns of a quotation that are told.
const QUOTED: usize = 48;
/// Rows that show of live thinking that is folded.
pub const TAIL: usize = 10;
/// Rows of thinking that its window shows.
pub const WINDOW: usize = 200;

/// What a block is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// From the application itself.
    Notice(Level),
    Question,
    Thinking(Box<Thought>),
    Answer,
    Citation {
        verified: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Info,
    /// Belongs to the block before it.
    Detail,
    Error,
}

/// The account of a thinking block.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thought {
    /// When it began, on the application's clock.
    pub began: Duration,
    /// How long it took; known when it is over.
    pub took: Option<Duration>,
    /// What was thought.
    pub trace: Trace,
    /// Tokens a second, while it is live.
    pub rate: f64,
    /// Why it ended, if it was not by itself.
    pub stopped: Option<&'static str>,
    /// How the reply that it is of fared with experts that have no room on the card; known when that is over.
    pub experts: CardExperts,
    pub citations: Vec<Citation>,
}

impl Thought {
    pub fn is_live(&self) -> bool {
        self.took.is_none()
    }

    /// Why it is over, if not because the model was done.
    pub fn ended(&self) -> Option<&'static str> {
        // Its end was written for the model, when its budget was used up or the person wanted the answer.
        let cut = (self.trace.statistics().forced > 0).then_some("cut short");
        self.stopped.or(cut)
    }
}

/// How much of a thinking block shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// The header, and a few rows while it is live.
    Folded,
    /// The header and many rows.
    Window,
    /// All.
    Full,
}

/// How a block has been folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folds {
    fold: Option<Fold>,
    held: Option<usize>,
    /// A segment, and whether it is folded.
    segment: Option<(usize, bool)>,
}

/// A row of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<'a> {
    Gap,
    Header,
    /// So many rows of text are above.
    Hidden(usize),
    /// This row of the body.
    Text(usize),
    Cited(&'a Citation),
}

/// A place in a block that outlives a change of width: an offset where there is text, else a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// So many rows from the top.
    Above(usize),
    /// A byte of the source.
    Text(usize),
    /// So many rows after the text.
    Below(usize),
}

#[derive(Debug, Clone)]
pub struct Block {
    pub kind: Kind,
    /// Of all but thinking, which has its trace.
    text: String,
    gap: bool,
    /// It is a part of the conversation no more: another has taken its place.
    pub past: bool,
    /// What the person chose for this one; until then it is as all thinking.
    fold: Option<Fold>,
    /// What was chosen for all thinking; else it is open while live and folds when it is over.
    default: Option<Fold>,
    /// Where the tail began when the person stopped following: it stays there, and is not folded away, until they
    /// follow again, so that nobody loses the line that they are reading.
    held: Option<usize>,
    body: Body,
    /// Whether it is shown as it is written.
    raw: bool,
    /// The rows of the body without blank ones at the beginning and at the end.
    solid: Range<usize>,
    /// Marked stretches of the source, in order.
    pub(super) links: Vec<Link>,
    /// Bytes of the source in which links have been looked for.
    pub(super) linked: usize,
    /// Of the code in it.
    pub(super) colours: Colours,
}

impl Block {
    /// `gap`: an empty row separates it from the block before.
    pub fn new(kind: Kind, text: &str, gap: bool, width: usize, raw: bool) -> Self {
        let body = match kind {
            Kind::Thinking(_) => Body::Segments(Segments::new(1)),
            Kind::Answer if !raw => Body::markdown("", 1),
            _ => Body::plain("", 1),
        };
        let mut block = Self {
            kind,
            body,
            text: String::new(),
            raw,
            gap,
            past: false,
            fold: None,
            default: None,
            held: None,
            solid: 0..0,
            links: Vec::new(),
            linked: 0,
            colours: Colours::default(),
        };
        block.wrap(width);
        block.append(text);
        block
    }

    /// Where thinking turns, in bytes of the source.
    pub fn turns(&self) -> &[usize] {
        self.thought().map_or(&[], |thought| thought.trace.turns())
    }

    /// Whether thinking turns in a row of the block.
    pub(super) fn turns_in(&self, row: usize) -> bool {
        let Some(range) = self.text_range(row) else {
            return false;
        };
        let turns = self.turns();
        let after = turns.partition_point(|&turn| turn < range.start);
        turns.get(after).is_some_and(|&turn| turn < range.end)
    }

    /// How it is folded, and the segment that a byte lies in.
    pub fn folds(&self, offset: usize) -> Folds {
        let segment = self.segments().map(|segments| segments.segment_of(offset));
        Folds {
            fold: self.fold,
            held: self.held,
            segment: segment.map(|number| (number, self.is_segment_folded(number))),
        }
    }

    pub fn set_folds(&mut self, folds: Folds) {
        (self.fold, self.held) = (folds.fold, folds.held);
        if let Some((number, folded)) = folds.segment {
            self.fold_segments(number..number + 1, |_| folded);
        }
    }

    /// Whether a byte of the source is in a row that shows it.
    pub fn shows(&self, offset: usize) -> bool {
        let folded = self.folds(offset).segment.is_some_and(|(_, folded)| folded);
        !folded && (self.fold() == Fold::Full || self.shown_text().contains(&offset))
    }

    pub fn source(&self) -> &str {
        source(&self.kind, &self.text)
    }

    pub fn append(&mut self, text: &str) {
        match &mut self.kind {
            Kind::Thinking(thought) => thought.trace.push_text(text),
            _ => self.text.push_str(text),
        }
        self.grow();
    }

    /// Changes the account of thinking, or adds to its trace.
    pub fn update_thought(&mut self, update: impl FnOnce(&mut Thought)) {
        if let Kind::Thinking(thought) = &mut self.kind {
            update(thought);
            if !thought.is_live() {
                thought.trace.finish();
            }
            self.grow();
        }
    }

    /// Takes in what the source has more than before.
    fn grow(&mut self) {
        let trace = match &self.kind {
            Kind::Thinking(thought) => Some(&thought.trace),
            _ => None,
        };
        let changed = self.body.extend(&self.text, trace);
        self.find_solid(changed);
    }

    /// Wraps at another width, as it is written or as it is meant; nothing to do if both are as they were.
    pub fn set_width(&mut self, width: usize, raw: bool) {
        if self.text_width(width) != self.body.width() || raw != self.raw {
            self.raw = raw;
            self.wrap(width);
        }
    }

    fn wrap(&mut self, width: usize) {
        let width = self.text_width(width);
        let source = source(&self.kind, &self.text);
        match self.kind {
            Kind::Answer if self.raw => self.body = Body::plain(source, width),
            Kind::Answer => self.body = Body::markdown(source, width),
            _ => self.body.set_width(source, width),
        }
        self.find_solid(0);
    }

    /// Columns before the text.
    pub fn margin(&self, width: usize) -> usize {
        match self.kind {
            _ if width < 12 => 0,
            Kind::Thinking(_) if width >= 30 => 4,
            _ => 2,
        }
    }

    fn text_width(&self, width: usize) -> usize {
        (width - self.margin(width)).max(1)
    }

    /// Only rows from `changed` on are others than before.
    fn find_solid(&mut self, changed: usize) {
        let blank = |row: usize| self.body.is_blank(self.source(), row);
        let count = self.body.count();
        let mut first = self.solid.start.min(changed);
        while first < count && blank(first) {
            first += 1;
        }
        let mut last = count;
        while last > first && blank(last - 1) {
            last -= 1;
        }
        self.solid = first..last;
    }

    pub fn thought(&self) -> Option<&Thought> {
        match &self.kind {
            Kind::Thinking(thought) => Some(thought),
            _ => None,
        }
    }

    pub fn fold(&self) -> Fold {
        match (&self.kind, self.fold.or(self.default)) {
            (Kind::Thinking(_), Some(fold)) => fold,
            (Kind::Thinking(thought), None) if thought.is_live() || self.held.is_some() => Fold::Window,
            (Kind::Thinking(_), None) => Fold::Folded,
            _ => Fold::Full,
        }
    }

    /// What all thinking shows of itself, unless it was chosen for one.
    pub fn set_default(&mut self, default: Option<Fold>) {
        self.default = default;
    }

    /// Folded, window, full, and again; the window is left out if it would be all.
    pub fn cycle_fold(&mut self) {
        self.fold = Some(match self.fold() {
            Fold::Folded if self.solid.len() > WINDOW => Fold::Window,
            Fold::Folded | Fold::Window => Fold::Full,
            Fold::Full => Fold::Folded,
        });
        self.held = None;
    }

    /// The segments of thinking, as they show.
    pub(super) fn segments(&self) -> Option<&Segments> {
        match &self.body {
            Body::Segments(segments) => Some(segments),
            Body::Plain(_) | Body::Markdown(_) => None,
        }
    }

    pub fn is_segment_folded(&self, number: usize) -> bool {
        self.segments().is_some_and(|segments| segments.is_folded(number))
    }

    /// The segment that begins with a row, if one does, and whether it is folded.
    pub(super) fn segment_begins(&self, index: usize) -> Option<(usize, bool)> {
        let segments = self.segments()?;
        let number = segments.begins(self.text_row(index)?)?;
        Some((number, segments.is_folded(number)))
    }

    /// Folds and unfolds segments, each as told.
    pub(super) fn fold_segments(&mut self, numbers: Range<usize>, folded: impl Fn(usize) -> bool) {
        if let (Kind::Thinking(thought), Body::Segments(segments)) = (&self.kind, &mut self.body) {
            for number in numbers {
                segments.set_folded(&thought.trace, number, folded(number));
            }
        }
        self.solid = 0..0;
        self.find_solid(0);
    }

    /// Shows the text of thinking that is folded.
    pub(super) fn open(&mut self) {
        if self.fold() == Fold::Folded {
            self.fold = Some(Fold::Full);
            self.held = None;
        }
    }

    /// Makes sure that a byte of the source shows.
    pub(super) fn uncover(&mut self, offset: usize) {
        let number = self.segments().map(|segments| segments.segment_of(offset));
        if let Some(number) = number.filter(|&number| self.is_segment_folded(number)) {
            self.fold_segments(number..number + 1, |_| false);
        }
        if !self.shown_text().contains(&offset) {
            self.fold = Some(Fold::Full);
            self.held = None;
        }
    }

    /// Keeps the last rows of live thinking where they begin now.
    pub fn hold(&mut self) {
        if self.thought().is_some_and(Thought::is_live) && self.fold() != Fold::Full && self.held.is_none() {
            self.held = Some(self.body.start(self.shown().start.min(self.body.count() - 1)));
        }
    }

    /// Lets the tail go again.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// The rows of text that show.
    fn shown(&self) -> Range<usize> {
        let last = match self.fold() {
            Fold::Folded if self.held.is_some() || self.thought().is_some_and(Thought::is_live) => TAIL,
            Fold::Folded => return self.solid.end..self.solid.end,
            Fold::Window => WINDOW,
            Fold::Full => return self.solid.clone(),
        };
        let last = self.solid.end.saturating_sub(last);
        let first = self.held.map_or(last, |held| self.body.row_of(held).min(last));
        self.solid.start.max(first)..self.solid.end
    }

    /// An empty block is not drawn; thinking without text only while it is live.
    fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Thinking(thought) => self.solid.is_empty() && !thought.is_live() && thought.citations.is_empty(),
            _ => self.solid.is_empty(),
        }
    }

    fn has_header(&self) -> bool {
        matches!(self.kind, Kind::Thinking(_))
    }

    /// Whether an empty row separates it from the block before.
    pub(super) fn has_gap(&self) -> bool {
        self.gap
    }

    fn hides_rows(&self) -> bool {
        let shown = self.shown();
        !shown.is_empty() && shown.start > self.solid.start
    }

    pub(super) fn cited(&self) -> &[Citation] {
        match &self.kind {
            Kind::Thinking(thought) if self.fold() == Fold::Full => &thought.citations,
            _ => &[],
        }
    }

    /// Rows before the text.
    fn lead(&self) -> usize {
        usize::from(self.gap) + usize::from(self.has_header()) + usize::from(self.hides_rows())
    }

    pub fn height(&self) -> usize {
        if self.is_empty() {
            0
        } else {
            self.lead() + self.shown().len() + self.cited().len()
        }
    }

    /// Row `index` of `height`.
    pub fn row(&self, index: usize) -> Row<'_> {
        let shown = self.shown();
        let lead = self.lead();
        match index.checked_sub(lead) {
            Some(text) if text < shown.len() => Row::Text(shown.start + text),
            Some(after) => Row::Cited(&self.cited()[after - shown.len()]),
            None if self.gap && index == 0 => Row::Gap,
            None if index + 1 == lead && self.hides_rows() => Row::Hidden(shown.start - self.solid.start),
            None => Row::Header,
        }
    }

    /// The row of the body that row `index` shows, if it shows one.
    fn text_row(&self, index: usize) -> Option<usize> {
        let shown = self.shown();
        let text = index.checked_sub(self.lead()).filter(|&text| text < shown.len())?;
        Some(shown.start + text)
    }

    /// The bytes of the source that a row shows, if it shows any.
    pub(super) fn text_range(&self, index: usize) -> Option<Range<usize>> {
        Some(self.body.range(self.text_row(index)?))
    }

    /// What is drawn of a row of text, from left to right, after the margin.
    pub(super) fn pieces(&self, index: usize) -> Vec<Piece<'_>> {
        self.text_row(index)
            .map_or_else(Vec::new, |row| self.body.pieces(self.source(), row))
    }

    /// What to ask for so that the code in these rows has its colours. `live`: the source may grow.
    pub(super) fn wanted_colours(&self, rows: Range<usize>, live: bool) -> Option<highlight::CodeWanted> {
        let Body::Markdown(markdown) = &self.body else {
            return None;
        };
        let from = rows.clone().find_map(|row| self.text_range(row))?.start;
        let to = rows.rev().find_map(|row| self.text_range(row))?.end;
        let shown = markdown.code_in(&(from..to));
        self.colours.wanted(self.source(), markdown.code(), shown, live)
    }

    /// The stretches of the source that have a colour in a row, in order.
    pub(super) fn colours_in(&self, index: usize) -> Vec<(Range<usize>, Part)> {
        let (Body::Markdown(markdown), Some(range)) = (&self.body, self.text_range(index)) else {
            return Vec::new();
        };
        let lines = &markdown.code()[markdown.code_in(&range)];
        let paints = lines.iter().flat_map(|line| {
            let at = line.text.start;
            let paints = self.colours.of(line).iter();
            paints.map(move |paint| (at + paint.from as usize..at + paint.to as usize, paint.part))
        });
        paints.collect()
    }

    /// The offset of what is drawn at a column after the margin, if a row of text has anything there.
    pub(super) fn drawn_at(&self, index: usize, column: usize) -> Option<usize> {
        self.body.drawn_at(self.source(), self.text_row(index)?, column)
    }

    /// The columns, after the margin, that show a part of the source in a row.
    pub(super) fn columns_of(&self, index: usize, range: &Range<usize>) -> Vec<(usize, usize)> {
        self.text_row(index)
            .map_or_else(Vec::new, |row| self.body.columns_of(self.source(), row, range))
    }

    /// Where in a row one can point at the source, from left to right; the columns are those after the margin.
    pub(super) fn cells(&self, index: usize) -> Vec<Cell> {
        let mut cells = Vec::new();
        if let Some(row) = self.text_row(index) {
            let width = self.body.width();
            self.body.walk(self.source(), row, |cell| {
                if cell.from < cell.to.min(width) && !cell.at.is_empty() {
                    cells.push(cell);
                }
            });
        }
        cells
    }

    /// An offset whose row this is, if it is one of text.
    pub(super) fn row_start(&self, index: usize) -> Option<usize> {
        Some(self.body.start(self.text_row(index)?))
    }

    /// The bytes of the source that show.
    pub(super) fn shown_text(&self) -> Range<usize> {
        let shown = self.shown();
        if shown.is_empty() || self.is_empty() {
            return 0..0;
        }
        self.body.range(shown.start).start..self.body.range(shown.end - 1).end
    }

    /// Which of the block's rows is its header, if it is drawn.
    pub fn header_row(&self) -> Option<usize> {
        (self.has_header() && !self.is_empty()).then_some(usize::from(self.gap))
    }

    pub fn spot_of(&self, row: usize) -> Spot {
        let shown = self.shown();
        match row.checked_sub(self.lead()) {
            None => Spot::Above(row),
            Some(text) if text < shown.len() => Spot::Text(self.body.start(shown.start + text)),
            Some(after) => Spot::Below(after - shown.len()),
        }
    }

    /// The row nearest to a spot among those that show; below `height` unless that is 0.
    pub fn row_of(&self, spot: Spot) -> usize {
        let shown = self.shown();
        let row = match spot {
            Spot::Above(row) => row,
            Spot::Text(offset) => self.lead() + self.body.row_of(offset).clamp(shown.start, shown.end) - shown.start,
            Spot::Below(after) => self.lead() + shown.len() + after,
        };
        row.min(self.height().saturating_sub(1))
    }
}

/// Apart from the block, so that its body can be changed at the same time.
fn source<'a>(kind: &'a Kind, text: &'a str) -> &'a str {
    match kind {
        Kind::Thinking(thought) => thought.trace.text(),
        _ => text,
    }
}

/// `✓ src/x.rs:12 verified`, `? src/x.rs:12 unverified: reason`, `? “a quotation” unverified: reason`
pub fn citation_text(citation: &Citation) -> String {
    let place = if citation.path.is_empty() {
        let words: Vec<_> = citation.quote.split_whitespace().collect();
        format!("“{}”", clip(&words.join(" "), QUOTED))
    } else {
        let section = citation.section.as_ref();
        let section = section.map_or_else(String::new, |section| format!(" ({})", clip(section, QUOTED)));
        format!("{}:{}{section}", citation.path, citation.line)
    };
    match &citation.verdict {
        Verdict::Verified => format!("✓ {place} verified"),
        Verdict::Unverified { reason } => format!("? {place} unverified: {reason}"),
    }
}
