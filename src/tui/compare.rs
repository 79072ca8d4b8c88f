//! Two thoughts side by side, segment by segment, over everything.
//!
//! Which segment answers to which is found once, when it is opened: what is thought after that is not compared, and it is
//! said that it is not. Only the segments in view are wrapped. With little room one side shows at a time, in the same place.

mod draw;
pub mod keys;
mod words;

use std::collections::HashMap;
use std::ops::Range;

use ratatui::layout::{Position, Rect};

pub use draw::draw;

use super::transcript::{BlockId, Transcript};
use super::wrap::Rows;
use crate::trace::{Pair, Trace, align};

/// From this width on both sides show.
const BOTH_FROM: u16 = 100;
/// Rows of what stands above the sides, and below.
const TITLE: u16 = 2;
const FOOT: u16 = 1;
/// Columns of the marks before the first side, or between the two.
const MARK: u16 = 3;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    Left,
    Right,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];

    fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    fn of(self, pair: &Pair) -> Option<usize> {
        match self {
            Self::Left => pair.left,
            Self::Right => pair.right,
        }
    }
}

/// A thought that is compared.
#[derive(Debug)]
pub struct Compared {
    pub block: BlockId,
    /// Which one it is, in words.
    pub label: String,
    /// Where its segments are, without the blank lines around them.
    segments: Vec<Range<usize>>,
}

impl Compared {
    pub fn new(block: BlockId, label: String, trace: &Trace) -> Self {
        let segment = |number| {
            let bytes = trace.segment_bytes(number);
            let text = &trace.text()[bytes.clone()];
            let from = bytes.start + text.len() - text.trim_start_matches(['\n', '\r']).len();
            from..(bytes.start + text.trim_end().len()).max(from)
        };
        Self {
            block,
            label,
            segments: (0..trace.segment_count()).map(segment).collect(),
        }
    }
}

/// A line of the screen's: of a pair, from its first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    pair: usize,
    line: usize,
}

#[derive(Debug)]
pub struct Compare {
    sides: [Compared; 2],
    pairs: Vec<Pair>,
    /// The pair that the cursor is on, and which side of it.
    cursor: usize,
    side: Side,
    top: Line,
    area: Rect,
    /// The rows of what has been in view at this width.
    wrapped: HashMap<(Side, usize), Rows>,
    /// The bytes of both segments of a pair that differ, of what has been in view.
    changed: HashMap<usize, [Vec<Range<usize>>; 2]>,
}

/// Where everything is; of the sides, only those that show have columns.
#[derive(Debug, Clone, Copy)]
struct Areas {
    marks: Rect,
    sides: [Rect; 2],
    foot: Rect,
}

impl Compare {
    /// `None` if one of the blocks is no thought.
    pub fn new(transcript: &Transcript, left: (BlockId, String), right: (BlockId, String)) -> Option<Self> {
        let trace = |block: BlockId| Some(&transcript.blocks().get(block)?.thought()?.trace);
        let (a, b) = (trace(left.0)?, trace(right.0)?);
        Some(Self {
            sides: [Compared::new(left.0, left.1, a), Compared::new(right.0, right.1, b)],
            pairs: align(a, b),
            cursor: 0,
            side: Side::Right,
            top: Line { pair: 0, line: 0 },
            area: Rect::default(),
            wrapped: HashMap::new(),
            changed: HashMap::new(),
        })
    }

    fn compared(&self, side: Side) -> &Compared {
        &self.sides[side as usize]
    }

    /// The area that it is to be drawn in.
    pub fn resize(&mut self, area: Rect, transcript: &Transcript) {
        if area != self.area {
            if area.width != self.area.width {
                self.wrapped.clear();
            }
            self.area = area;
            self.top.line = 0;
            self.show_cursor(transcript);
        }
    }

    fn shows_both(&self) -> bool {
        self.area.width >= BOTH_FROM
    }

    fn areas(&self) -> Areas {
        let area = self.area;
        let (title, foot) = match area.height {
            0..=3 => (0, 0),
            4..=6 => (1, FOOT),
            _ => (TITLE + 1, FOOT),
        };
        let body = Rect {
            y: area.y + title,
            height: area.height - title - foot,
            ..area
        };
        let foot = Rect {
            y: body.bottom(),
            height: foot,
            ..area
        };
        let mark = MARK.min(area.width / 4);
        let column = |x: u16, width: u16| Rect { x, width, ..body };
        let (marks, sides) = if self.shows_both() {
            let left = (area.width - MARK) / 2;
            let right = left + MARK;
            let sides = [column(area.x, left), column(area.x + right, area.width - right)];
            (column(area.x + left, MARK), sides)
        } else {
            let shown = column(area.x + mark, area.width - mark);
            let mut sides = [column(area.x, 0); 2];
            sides[self.side as usize] = shown;
            (column(area.x, mark), sides)
        };
        Areas { marks, sides, foot }
    }

    /// The rows of a segment, wrapped when they are first wanted.
    fn rows(&mut self, side: Side, number: usize, transcript: &Transcript) -> Option<&Rows> {
        let width = usize::from(self.areas().sides[side as usize].width);
        let text = self.text(side, number, transcript)?;
        let rows = self.wrapped.entry((side, number));
        Some(rows.or_insert_with(|| Rows::of(text, width)))
    }

    fn text<'a>(&self, side: Side, number: usize, transcript: &'a Transcript) -> Option<&'a str> {
        let compared = self.compared(side);
        let thought = transcript.blocks().get(compared.block)?.thought()?;
        thought.trace.text().get(compared.segments.get(number)?.clone())
    }

    /// The bytes of a segment that differ from what stands beside it, if the two say similar things.
    fn changed(&mut self, pair: usize, side: Side, transcript: &Transcript) -> &[Range<usize>] {
        let known = self.pairs.get(pair).copied();
        let related = known.filter(|pair| pair.is_related() && !pair.is_same());
        let numbers = related.and_then(|pair| pair.left.zip(pair.right));
        let Some((left, right)) = numbers else {
            return &[];
        };
        if !self.changed.contains_key(&pair) {
            let texts = (
                self.text(Side::Left, left, transcript),
                self.text(Side::Right, right, transcript),
            );
            let changed = match texts {
                (Some(left), Some(right)) => words::changed(left, right),
                _ => Default::default(),
            };
            self.changed.insert(pair, changed);
        }
        self.changed.get(&pair).map_or(&[], |changed| &changed[side as usize])
    }

    /// The lines of a pair, with the blank one after it.
    fn height(&mut self, pair: usize, transcript: &Transcript) -> usize {
        let Some(numbers) = self.pairs.get(pair).copied() else {
            return 1;
        };
        let shown = Side::BOTH
            .into_iter()
            .filter(|&side| self.shows_both() || side == self.side);
        let shown: Vec<_> = shown.filter_map(|side| Some((side, side.of(&numbers)?))).collect();
        let mut lines = 1;
        for (side, number) in shown {
            lines = lines.max(self.rows(side, number, transcript).map_or(1, Rows::count));
        }
        lines + 1
    }

    fn view(&self) -> usize {
        usize::from(self.areas().sides[self.side as usize].height).max(1)
    }

    pub fn page(&self) -> isize {
        self.view().saturating_sub(1).max(1).cast_signed()
    }

    fn last(&self) -> usize {
        self.pairs.len().saturating_sub(1)
    }

    /// The line so many below, or above; within what there is.
    fn moved(&mut self, from: Line, lines: isize, transcript: &Transcript) -> Line {
        let Line { mut pair, mut line } = from;
        let mut left = lines.unsigned_abs();
        if lines < 0 {
            while left > line && pair > 0 {
                left -= line + 1;
                pair -= 1;
                line = self.height(pair, transcript) - 1;
            }
            line = line.saturating_sub(left);
        } else {
            loop {
                let after = self.height(pair, transcript) - line;
                if left < after || pair >= self.last() {
                    line += left.min(after - 1);
                    break;
                }
                left -= after;
                (pair, line) = (pair + 1, 0);
            }
        }
        Line { pair, line }
    }

    /// The last line at which the view may begin: then it ends with the last pair.
    fn last_top(&mut self, transcript: &Transcript) -> Line {
        let end = Line {
            pair: self.last(),
            line: self.height(self.last(), transcript) - 1,
        };
        let above = self.view().saturating_sub(1).cast_signed();
        self.moved(end, -above, transcript)
    }

    /// Scrolls, and keeps the cursor in view.
    pub fn scroll(&mut self, lines: isize, transcript: &Transcript) {
        let top = self.moved(self.top, lines, transcript);
        self.top = top.min(self.last_top(transcript));
        let view = self.view().saturating_sub(1).cast_signed();
        let bottom = self.moved(self.top, view, transcript).pair;
        self.cursor = self.cursor.clamp(self.top.pair, bottom);
    }

    /// A pair down or up; through one that is higher than the view, a line.
    pub fn step(&mut self, down: bool, transcript: &Transcript) {
        let height = self.height(self.cursor, transcript);
        // Its last line is blank.
        let end = Line {
            pair: self.cursor,
            line: height.saturating_sub(2),
        };
        let begin = Line {
            pair: self.cursor,
            line: 0,
        };
        let view = self.view().saturating_sub(1).cast_signed();
        if down && end > self.moved(self.top, view, transcript) {
            self.scroll(1, transcript);
        } else if !down && begin < self.top {
            self.scroll(-1, transcript);
        } else if down {
            self.go(self.cursor + 1, transcript);
        } else if self.cursor > 0 {
            self.cursor -= 1;
            let height = self.height(self.cursor, transcript);
            let begin = Line {
                pair: self.cursor,
                // Of one that is higher than the view, its end.
                line: height.saturating_sub(1 + self.view()),
            };
            self.top = self.top.min(begin);
        }
    }

    /// Puts the cursor on a pair, which comes into view as far as there is room.
    pub fn go(&mut self, pair: usize, transcript: &Transcript) {
        self.cursor = pair.min(self.last());
        self.show_cursor(transcript);
    }

    fn show_cursor(&mut self, transcript: &Transcript) {
        let begin = Line {
            pair: self.cursor,
            line: 0,
        };
        let end = Line {
            pair: self.cursor,
            line: self.height(self.cursor, transcript).saturating_sub(2),
        };
        let above = self.view().saturating_sub(1).cast_signed();
        let least = self.moved(end, -above, transcript).min(begin);
        self.top = self.top.clamp(least, begin);
    }

    pub fn go_to_start(&mut self, transcript: &Transcript) {
        self.go(0, transcript);
    }

    pub fn go_to_end(&mut self, transcript: &Transcript) {
        self.cursor = self.last();
        self.top = self.last_top(transcript);
    }

    /// To the next pair that differs, or the one before; whether there is one.
    pub fn next_difference(&mut self, forward: bool, transcript: &Transcript) -> bool {
        let differs = |&pair: &usize| !self.pairs[pair].is_same();
        let found = if forward {
            (self.cursor + 1..self.pairs.len()).find(differs)
        } else {
            (0..self.cursor.min(self.pairs.len())).rfind(differs)
        };
        if let Some(pair) = found {
            self.go(pair, transcript);
        }
        found.is_some()
    }

    /// What Enter goes to is on this side; with little room it is what shows.
    pub fn choose(&mut self, side: Side, transcript: &Transcript) {
        if side != self.side {
            self.side = side;
            if !self.shows_both() {
                self.top.line = 0;
                self.show_cursor(transcript);
            }
        }
    }

    pub fn choose_other(&mut self, transcript: &Transcript) {
        self.choose(self.side.other(), transcript);
    }

    /// The thought and the byte of it that the cursor is on: where it has nothing on its side, the nearest thing before.
    pub fn chosen(&self) -> (BlockId, usize) {
        let compared = self.compared(self.side);
        let mut until = self.pairs.iter().take(self.cursor + 1).rev();
        let number = until.find_map(|pair| self.side.of(pair)).unwrap_or(0);
        (
            compared.block,
            compared.segments.get(number).map_or(0, |bytes| bytes.start),
        )
    }

    /// Puts the cursor where it is clicked; whether it was there already.
    pub fn click(&mut self, at: Position, transcript: &Transcript) -> bool {
        let areas = self.areas();
        if at.y < areas.marks.y || at.y >= areas.marks.bottom() || self.pairs.is_empty() {
            return false;
        }
        let clicked = Side::BOTH
            .into_iter()
            .find(|&side| areas.sides[side as usize].contains(at));
        let side = clicked.unwrap_or(self.side);
        let below = usize::from(at.y - areas.marks.y);
        let pair = self.moved(self.top, below.cast_signed(), transcript).pair;
        let again = (self.cursor, self.side) == (pair, side);
        (self.cursor, self.side) = (pair, side);
        again
    }
}
