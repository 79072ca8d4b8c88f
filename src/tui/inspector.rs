//! The inspector: the thinking that is read, as an outline with numbers and a map.
//!
//! It shows one thought: that of the reading position, or the live one. Its rows are the segments of that thought; only those
//! in view are looked at. Until a person moves in it, the cursor is on the segment that is being read.

mod draw;
pub mod keys;
pub mod ledger;

use std::ops::Range;

use ratatui::layout::{Position, Rect};

pub use draw::draw;

use super::transcript::{BlockId, Thought, Transcript};
use crate::trace::Trace;

/// Rows of the numbers, and of the map.
const NUMBERS: u16 = 2;
const MAP: u16 = 2;
/// With less rows there is the outline alone.
const ALL_FROM: u16 = 10;

/// What is read of the conversation's thinking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub block: BlockId,
    pub segment: usize,
    /// The bytes of the thought that are in view.
    pub bytes: Option<Range<usize>>,
}

impl Reading {
    pub fn of(transcript: &mut Transcript) -> Option<Self> {
        let (block, segment) = transcript.segment_read()?;
        Some(Self {
            block,
            segment,
            bytes: transcript.bytes_in_view(block),
        })
    }
}

#[derive(Debug, Default)]
pub struct Inspector {
    /// Whether it is on the screen, room permitting.
    pub shown: bool,
    /// Over the conversation, until something is chosen in it.
    pub over: bool,
    block: Option<BlockId>,
    /// Where the person went, by number of the segment.
    cursor: Option<usize>,
    filter: String,
    filtering: bool,
    /// Of how many segments the filter has been applied, and those that it leaves.
    applied: usize,
    found: Vec<usize>,
    /// Whether there is a row about experts.
    has_experts: bool,
    /// The row of the outline that its view begins with, and the rows of that.
    top: usize,
    height: usize,
}

/// Where everything is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Areas {
    pub title: Rect,
    pub numbers: Rect,
    pub map: Rect,
    pub outline: Rect,
    pub filter: Rect,
}

impl Inspector {
    pub fn areas(&self, area: Rect) -> Areas {
        let mut left = area;
        let mut take = |rows: u16| {
            let height = rows.min(left.height);
            let taken = Rect { height, ..left };
            (left.y, left.height) = (left.y + height, left.height - height);
            taken
        };
        let all = area.height >= ALL_FROM;
        let title = take(u16::from(area.height > 1));
        let numbers = NUMBERS + u16::from(self.has_experts);
        let numbers = take(if all { numbers } else { 0 });
        let map = take(if all { MAP } else { 0 });
        let filter = u16::from(self.has_filter() && left.height > 1);
        left.height -= filter;
        let bottom = Rect {
            y: left.bottom(),
            height: filter,
            ..left
        };
        Areas {
            title,
            numbers,
            map,
            outline: left,
            filter: bottom,
        }
    }

    /// Takes in what is read now; another thought has another outline.
    pub fn see(&mut self, reading: &Reading, thought: &Thought, area: Rect) {
        let trace = &thought.trace;
        self.has_experts = !thought.experts.is_none();
        if self.block != Some(reading.block) {
            self.block = Some(reading.block);
            self.cursor = None;
            self.applied = 0;
        }
        if !self.filter.is_empty() && self.applied != trace.segment_count() {
            self.apply(trace);
        }
        self.height = usize::from(self.areas(area).outline.height).max(1);
        let row = self.cursor_row(reading);
        self.top = self.top.clamp((row + 1).saturating_sub(self.height), row);
        self.top = self.top.min(self.rows(trace).saturating_sub(self.height));
    }

    fn apply(&mut self, trace: &Trace) {
        let wanted = self.filter.to_lowercase();
        self.applied = trace.segment_count();
        self.found = (0..self.applied)
            .filter(|&number| trace.title(number).to_lowercase().contains(&wanted))
            .collect();
    }

    /// The rows that there are.
    fn rows(&self, trace: &Trace) -> usize {
        if self.filter.is_empty() {
            trace.segment_count()
        } else {
            self.found.len()
        }
    }

    /// The segment of a row.
    fn segment(&self, row: usize, trace: &Trace) -> Option<usize> {
        if self.filter.is_empty() {
            (row < trace.segment_count()).then_some(row)
        } else {
            self.found.get(row).copied()
        }
    }

    /// The row of a segment, or of the one before it that has one.
    fn row_of(&self, segment: usize) -> usize {
        if self.filter.is_empty() {
            segment
        } else {
            self.found
                .partition_point(|&number| number <= segment)
                .saturating_sub(1)
        }
    }

    fn cursor_row(&self, reading: &Reading) -> usize {
        self.row_of(self.cursor.unwrap_or(reading.segment))
    }

    /// The segment that the cursor is on.
    pub fn chosen(&self, reading: &Reading, trace: &Trace) -> Option<usize> {
        self.segment(self.cursor_row(reading), trace)
    }

    /// Moves the cursor.
    pub fn step(&mut self, rows: isize, reading: &Reading, trace: &Trace) {
        let last = self.rows(trace).saturating_sub(1);
        let row = self.cursor_row(reading).saturating_add_signed(rows).min(last);
        self.cursor = self.segment(row, trace);
    }

    pub fn page(&self) -> isize {
        self.height.saturating_sub(1).max(1).cast_signed()
    }

    /// The cursor goes with what is read again.
    pub fn let_go(&mut self) {
        self.cursor = None;
    }

    pub fn is_filtering(&self) -> bool {
        self.filtering
    }

    fn has_filter(&self) -> bool {
        self.filtering || !self.filter.is_empty()
    }

    pub fn begin_filter(&mut self) {
        self.filtering = true;
    }

    /// The filter stays, or goes.
    pub fn end_filter(&mut self, keep: bool) {
        self.filtering = false;
        if !keep {
            self.filter.clear();
        }
    }

    /// Adds to the filter, or takes its last character away.
    pub fn write_filter(&mut self, text: &str) {
        self.filter.extend(text.chars().filter(|c| !c.is_control()));
        self.applied = usize::MAX;
    }

    pub fn erase_filter(&mut self) {
        self.filter.pop();
        self.applied = usize::MAX;
    }

    /// The segment in a row of the screen.
    pub fn segment_at(&self, at: Position, area: Rect, trace: &Trace) -> Option<usize> {
        let outline = self.areas(area).outline;
        let row = outline.contains(at).then(|| usize::from(at.y - outline.y))?;
        self.segment(self.top + row, trace)
    }

    /// The byte of the thought that a place in the map stands for.
    pub fn byte_at(&self, at: Position, area: Rect, trace: &Trace) -> Option<usize> {
        let map = self.areas(area).map;
        let column = map.contains(at).then(|| usize::from(at.x - map.x))?;
        byte_of_column(column, usize::from(map.width), trace)
    }

    /// The byte that is so many columns of the map away from what is read.
    pub fn byte_beside(&self, columns: isize, area: Rect, reading: &Reading, trace: &Trace) -> Option<usize> {
        let wide = usize::from(self.areas(area).map.width.max(area.width));
        let (first, _) = columns_in_view(reading, trace, wide)?;
        byte_of_column(first.saturating_add_signed(columns), wide, trace)
    }
}

fn byte_of_column(column: usize, wide: usize, trace: &Trace) -> Option<usize> {
    let parts = wide.min(trace.tokens());
    let token = trace.tokens() * column.min(parts.checked_sub(1)?) / parts;
    Some(trace.token_bytes(token).start)
}

/// The first and the last column of the map that are in view.
fn columns_in_view(reading: &Reading, trace: &Trace, wide: usize) -> Option<(usize, usize)> {
    let parts = wide.min(trace.tokens());
    let last = parts.checked_sub(1)?;
    let bytes = match &reading.bytes {
        Some(bytes) => bytes.clone(),
        None => trace.segment_bytes(reading.segment),
    };
    let column = |byte: usize| {
        let token = trace.token_at(byte).unwrap_or(trace.tokens() - 1);
        // The last part that begins at the token or before it.
        ((token * parts + parts - 1) / trace.tokens()).min(last)
    };
    let first = column(bytes.start);
    Some((first, column(bytes.end.saturating_sub(1)).max(first)))
}
