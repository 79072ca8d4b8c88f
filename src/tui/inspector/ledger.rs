//! The ledger: all the thinking of a session as a table, over the conversation.
//!
//! A thought is taken in once, when it has come, and again as long as it is live: what happens while the ledger is open costs
//! no more for all that has been thought before. Only rows in view are drawn. Where there is no room for all columns, those go first that say least.

use std::cmp::Ordering;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::super::format;
use super::super::text::{clean, clip, print, width};
use super::super::theme::{Part, Theme};
use super::super::transcript::{Block, BlockId, Kind, Thought, Transcript};

/// What is told of a thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Turn,
    Question,
    Tokens,
    Time,
    Rate,
    Segments,
    Turns,
    Entropy,
    Probability,
    Stopped,
}

impl Column {
    /// As they stand from left to right.
    pub const ALL: [Self; 10] = [
        Self::Turn,
        Self::Question,
        Self::Tokens,
        Self::Time,
        Self::Rate,
        Self::Segments,
        Self::Turns,
        Self::Entropy,
        Self::Probability,
        Self::Stopped,
    ];
    /// In the order in which they are left out; the others never are.
    const LEFT_OUT: [Self; 7] = [
        Self::Probability,
        Self::Stopped,
        Self::Rate,
        Self::Segments,
        Self::Entropy,
        Self::Turns,
        Self::Time,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Turn => "#",
            Self::Question => "question",
            Self::Tokens => "tokens",
            Self::Time => "time",
            Self::Rate => "rate",
            Self::Segments => "seg",
            Self::Turns => "↺",
            Self::Entropy => "entropy",
            Self::Probability => "p",
            Self::Stopped => "ended by",
        }
    }

    /// Columns of the screen; the question has what is left.
    fn width(self) -> usize {
        match self {
            Self::Turn => 4,
            Self::Question | Self::Tokens | Self::Time | Self::Entropy => 8,
            Self::Rate => 11,
            Self::Stopped => 16,
            Self::Segments | Self::Turns | Self::Probability => 6,
        }
    }
}

/// One thought.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub block: BlockId,
    turn: usize,
    question: String,
    tokens: usize,
    took: Duration,
    /// Tokens a second.
    rate: f64,
    segments: usize,
    turns: usize,
    entropy: f64,
    probability: f64,
    live: bool,
    stopped: &'static str,
}

impl Line {
    fn new(block: BlockId, turn: usize, question: &str, thought: &Thought, now: Duration) -> Self {
        let all = thought.trace.statistics();
        let took = thought.took.unwrap_or_else(|| now.saturating_sub(thought.began));
        Self {
            block,
            turn,
            question: question.to_owned(),
            tokens: all.tokens,
            took,
            rate: all.tokens as f64 / took.as_secs_f64(),
            segments: all.segments,
            turns: all.turning_points,
            entropy: all.mean.entropy,
            probability: all.mean.probability,
            live: thought.is_live(),
            stopped: thought.ended().unwrap_or(if thought.is_live() { "" } else { "itself" }),
        }
    }

    fn cell(&self, column: Column) -> String {
        match column {
            Column::Turn => self.turn.to_string(),
            Column::Question => self.question.clone(),
            Column::Tokens => format::count(self.tokens),
            Column::Time if self.live => format!("{}…", format::duration(self.took)),
            Column::Time => format::duration(self.took),
            Column::Rate => format::rate(self.rate).unwrap_or_default(),
            Column::Segments => format::count(self.segments),
            Column::Turns => format::count(self.turns),
            Column::Entropy => format!("{:.2}", self.entropy),
            Column::Probability => format!("{:.0}%", self.probability * 100.0),
            Column::Stopped => self.stopped.to_owned(),
        }
    }

    fn compare(&self, other: &Self, column: Column) -> Ordering {
        match column {
            Column::Turn => self.block.cmp(&other.block),
            Column::Question => self.question.to_lowercase().cmp(&other.question.to_lowercase()),
            Column::Tokens => self.tokens.cmp(&other.tokens),
            Column::Time => self.took.cmp(&other.took),
            Column::Rate => self.rate.total_cmp(&other.rate),
            Column::Segments => self.segments.cmp(&other.segments),
            Column::Turns => self.turns.cmp(&other.turns),
            Column::Entropy => self.entropy.total_cmp(&other.entropy),
            Column::Probability => self.probability.total_cmp(&other.probability),
            Column::Stopped => self.stopped.cmp(other.stopped),
        }
    }
}

#[derive(Debug)]
pub struct Ledger {
    lines: Vec<Line>,
    /// Blocks that have been gone through, the questions among them, and the beginning of the last one.
    seen: BlockId,
    turn: usize,
    question: String,
    sorted_by: Column,
    /// The greatest first.
    descending: bool,
    /// The thought that the cursor is on.
    cursor: Option<BlockId>,
    /// The thought that another is to be compared with.
    marked: Option<BlockId>,
    top: usize,
    height: usize,
}

impl Ledger {
    /// With the cursor on a thought, if there is one.
    pub fn new(cursor: Option<BlockId>) -> Self {
        Self {
            lines: Vec::new(),
            seen: 0,
            turn: 0,
            question: String::new(),
            sorted_by: Column::Turn,
            descending: false,
            cursor,
            marked: None,
            top: 0,
            height: 1,
        }
    }

    /// Takes in what has been thought, for a view of so many rows.
    pub fn see(&mut self, transcript: &Transcript, now: Duration, area: Rect) {
        self.height = usize::from(area.height).saturating_sub(1).max(1);
        if self.follow_live(transcript, now) | self.take_new(transcript, now) {
            self.sort();
        } else {
            self.show_cursor();
        }
    }

    /// What is live goes on, and what was over may; whether something has.
    fn follow_live(&mut self, transcript: &Transcript, now: Duration) -> bool {
        let mut changed = false;
        for line in &mut self.lines {
            let thought = transcript.blocks().get(line.block).and_then(Block::thought);
            if let Some(thought) = thought.filter(|thought| line.live || thought.is_live()) {
                let question = std::mem::take(&mut line.question);
                *line = Line::new(line.block, line.turn, &question, thought, now);
                changed = true;
            }
        }
        changed
    }

    /// Takes in the blocks that have come; whether there are thoughts among them.
    fn take_new(&mut self, transcript: &Transcript, now: Duration) -> bool {
        let before = self.lines.len();
        let blocks = transcript.blocks();
        for (id, block) in blocks.iter().enumerate().skip(self.seen) {
            match &block.kind {
                Kind::Question => {
                    self.turn += 1;
                    self.question = clean(block.source().trim().lines().next().unwrap_or_default());
                }
                Kind::Thinking(thought) => self.lines.push(Line::new(id, self.turn, &self.question, thought, now)),
                _ => {}
            }
        }
        self.seen = blocks.len();
        self.lines.len() > before
    }

    fn sort(&mut self) {
        let (column, descending) = (self.sorted_by, self.descending);
        self.lines.sort_by(|a, b| {
            let order = a.compare(b, column);
            if descending { order.reverse() } else { order }
        });
        self.show_cursor();
    }

    fn show_cursor(&mut self) {
        let row = self.row();
        self.top = self.top.clamp((row + 1).saturating_sub(self.height), row);
        self.top = self.top.min(self.lines.len().saturating_sub(self.height));
    }

    fn row(&self) -> usize {
        let on = |line: &Line| Some(line.block) == self.cursor;
        self.lines.iter().position(on).unwrap_or(0)
    }

    /// The thought that the cursor is on.
    pub fn chosen(&self) -> Option<BlockId> {
        self.lines.get(self.row()).map(|line| line.block)
    }

    pub fn step(&mut self, rows: isize) {
        let last = self.lines.len().saturating_sub(1);
        let row = self.row().saturating_add_signed(rows).min(last);
        self.cursor = self.lines.get(row).map(|line| line.block);
        self.show_cursor();
    }

    /// Marks the thought that the cursor is on, or lets go of it; the marked one and this one, if it is another.
    pub fn mark(&mut self) -> Option<(BlockId, BlockId)> {
        let chosen = self.chosen()?;
        match self.marked {
            Some(marked) if marked != chosen => Some((marked.min(chosen), marked.max(chosen))),
            Some(_) => {
                self.marked = None;
                None
            }
            None => {
                self.marked = Some(chosen);
                None
            }
        }
    }

    pub fn page(&self) -> isize {
        self.height.saturating_sub(1).max(1).cast_signed()
    }

    /// Sorts by the next column.
    pub fn sort_by_next(&mut self) {
        let here = Column::ALL.iter().position(|&column| column == self.sorted_by);
        let next = (here.unwrap_or(0) + 1) % Column::ALL.len();
        self.sort_by(Column::ALL[next]);
    }

    /// Numbers begin with the greatest.
    fn sort_by(&mut self, column: Column) {
        self.descending = !matches!(column, Column::Turn | Column::Question | Column::Stopped);
        self.sorted_by = column;
        self.sort();
    }

    pub fn reverse(&mut self) {
        self.descending = !self.descending;
        self.sort();
    }

    /// Sorts by the column whose title is clicked on, or the other way round; puts the cursor on a line that is. Whether it
    /// was there already.
    pub fn click(&mut self, at: Position, area: Rect) -> bool {
        if at.y == area.y {
            let clicked = columns(usize::from(area.width)).into_iter().find(|&(_, from, wide)| {
                let x = usize::from(at.x - area.x);
                (from..from + wide).contains(&x)
            });
            match clicked {
                Some((column, ..)) if column == self.sorted_by => self.reverse(),
                Some((column, ..)) => self.sort_by(column),
                None => {}
            }
            return false;
        }
        let line = self.lines.get(self.top + usize::from(at.y - area.y) - 1);
        let block = line.map(|line| line.block);
        let again = block.is_some() && self.chosen() == block;
        self.cursor = block.or(self.cursor);
        again
    }

    pub fn draw(&self, area: Rect, buf: &mut Buffer, theme: &Theme) {
        let area = area.intersection(buf.area);
        for position in area.positions() {
            buf[position].reset();
        }
        buf.set_style(area, theme.style(Part::Background));
        let mut rows = area.rows();
        let Some(title) = rows.next() else {
            return;
        };
        let columns = columns(usize::from(area.width));
        for &(column, from, wide) in &columns {
            let arrow = match (column == self.sorted_by, self.descending) {
                (false, _) => "",
                (true, false) => "▲",
                (true, true) => "▼",
            };
            let text = format!("{}{arrow}", column.title());
            put(buf, title, from, wide, column, &text, theme, Part::HelpTitle);
        }
        if self.lines.is_empty() {
            if let Some(row) = rows.next() {
                print(
                    buf,
                    row.x,
                    row.y,
                    row.width,
                    "nothing has been thought yet",
                    theme.style(Part::Detail),
                );
            }
            return;
        }
        let cursor = self.row();
        for (row, (index, line)) in rows.zip(self.lines.iter().enumerate().skip(self.top)) {
            for &(column, from, wide) in &columns {
                let part = if column == Column::Question {
                    Part::Question
                } else {
                    Part::ThinkingHeader
                };
                let mut cell = line.cell(column);
                if column == Column::Turn && self.marked == Some(line.block) {
                    cell.insert(0, '*');
                }
                put(buf, row, from, wide, column, &cell, theme, part);
            }
            if index == cursor {
                buf.set_style(row, theme.style(Part::Cursor));
            }
        }
    }
}

/// Numbers stand at the right of their column.
#[allow(clippy::too_many_arguments, reason = "a cell and where it is")]
fn put(buf: &mut Buffer, row: Rect, from: usize, wide: usize, column: Column, text: &str, theme: &Theme, part: Part) {
    let text = clip(text, wide.saturating_sub(1));
    let at = match column {
        Column::Question => from,
        _ => from + wide.saturating_sub(1 + width(&text)),
    };
    print(
        buf,
        row.x + at as u16,
        row.y,
        (wide.min(usize::from(row.width))) as u16,
        &text,
        theme.style(part),
    );
}

/// The columns that there is room for, with where they begin and how wide they are.
fn columns(room: usize) -> Vec<(Column, usize, usize)> {
    let mut shown = Column::ALL.to_vec();
    for column in Column::LEFT_OUT {
        let wide: usize = shown.iter().map(|column| column.width()).sum();
        // The question should be read, too.
        if wide + Column::Question.width() <= room {
            break;
        }
        shown.retain(|&shown| shown != column);
    }
    let others = shown.iter().filter(|&&column| column != Column::Question);
    let question = room.saturating_sub(others.map(|column| column.width()).sum());
    let mut at = 0;
    let mut placed = Vec::new();
    for column in shown {
        let wide = if column == Column::Question {
            question
        } else {
            column.width()
        };
        let wide = wide.min(room.saturating_sub(at));
        if wide > 0 {
            placed.push((column, at, wide));
        }
        at += wide;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_left_out_by_what_they_say() {
        let names = |room| {
            columns(room)
                .into_iter()
                .map(|(column, ..)| column.title())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(200).len(), 10);
        assert_eq!(names(60), ["#", "question", "tokens", "time", "seg", "↺", "entropy"]);
        assert_eq!(names(40), ["#", "question", "tokens", "time"]);
        assert_eq!(names(26), ["#", "question", "tokens"]);
    }

    proptest! {
        #[test]
        fn columns_fill_the_room_and_stay_in_it(room in 0usize..300) {
            let mut at = 0;
            for (_, from, wide) in columns(room) {
                prop_assert_eq!(from, at);
                at += wide;
            }
            prop_assert!(at <= room && (at == room || room == 0));
        }
    }
}
