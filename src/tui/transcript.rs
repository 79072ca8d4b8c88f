//! What was said, as rows that scroll.
//!
//! * Blocks are only ever appended, and only the newest ones grow; their sources are never dropped.
//! * The view is tied to a place in the source, not to a row number: it is either *following*, and shows the end, or
//!   anchored to a spot of a block. New text, other folds and other widths therefore never move what a person reads.
//! * Only a person's gesture leaves or enters following.
//! * Drawing looks at the rows in view only. Other blocks are wrapped when they come into view, or a few at a time by
//!   [`Transcript::settle`]; until all are, the number of rows is not known and nothing that needs it is shown.

mod addresses;
mod block;
mod body;
mod colours;
mod copying;
mod draw;
mod folds;
mod heights;
pub mod keys;
mod links;
mod reading;
mod reveal;
mod segments;
mod selection;
#[cfg(test)]
mod tests;
mod thinking;
pub mod thinking_keys;
mod turns;

use std::collections::BTreeSet;
use std::ops::Range;

pub use block::{Block, Fold, Folds, Kind, Level, Thought, citation_text};
use block::{Row, Spot};
#[cfg(test)]
pub(super) use body::Body;
pub(super) use body::{Parts, Piece};
pub use draw::text_width;
pub use heights::Heights;
pub use reveal::Bookmark;
use selection::{Selection, Stretch};
pub use thinking::{Account, sureness};

/// Number of a block, from 0.
pub type BlockId = usize;

/// A row of the transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    block: BlockId,
    row: usize,
}

/// A row that outlives changes of width and folds.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    block: BlockId,
    spot: Spot,
}

#[derive(Debug)]
pub struct Transcript {
    blocks: Vec<Block>,
    heights: Heights,
    width: usize,
    /// Rows in view.
    view: usize,
    /// Whether everything is shown as it is written.
    raw: bool,
    /// Blocks whose rows are of another width than the current one, or of the other look.
    stale: BTreeSet<BlockId>,
    /// Where the view begins; following if there is none.
    top: Option<Anchor>,
    /// The last row that has been in view since following was left.
    seen: Option<Anchor>,
    selected: Option<BlockId>,
    /// The link that Enter opens.
    link: Option<Anchor>,
    /// The turning point that was gone to last, until something else moves the view.
    turn: Option<Anchor>,
    /// Where the person reads; without it, at the end while following, else at the first row in view.
    cursor: Option<Anchor>,
    /// The column that moves up and down try to keep.
    goal: Option<usize>,
    selection: Option<Selection>,
    /// Where the button was pressed.
    pressed: Option<Stretch>,
    /// The block whose tail is held while the person does not follow.
    held: Option<BlockId>,
    /// How much of thinking shows, unless chosen for one block.
    default_fold: Option<Fold>,
    /// Every token of thinking looks as sure as the model was of it.
    heat: bool,
    /// Colours have been asked for, and have not come.
    colouring: bool,
}

impl Default for Transcript {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            heights: Heights::default(),
            width: 80,
            view: 24,
            raw: false,
            stale: BTreeSet::new(),
            top: None,
            seen: None,
            selected: None,
            link: None,
            turn: None,
            cursor: None,
            goal: None,
            selection: None,
            pressed: None,
            held: None,
            default_fold: None,
            heat: false,
            colouring: false,
        }
    }
}

impl Transcript {
    pub fn push(&mut self, kind: Kind, source: impl Into<String>) -> BlockId {
        let joined = matches!(
            (&kind, self.blocks.last().map(|last| &last.kind)),
            (_, None) | (Kind::Notice(Level::Detail), _) | (Kind::Citation { .. }, Some(Kind::Citation { .. }))
        );
        let mut block = Block::new(kind, &source.into(), !joined, self.width, self.raw);
        block.set_default(self.default_fold);
        self.heights.push(block.height());
        self.blocks.push(block);
        self.blocks.len() - 1
    }

    pub fn append(&mut self, id: BlockId, text: &str) {
        self.change(id, |block| block.append(text));
    }

    /// Changes the account of a thinking block, or adds to its trace.
    pub fn update_thought(&mut self, id: BlockId, update: impl FnOnce(&mut Thought)) {
        self.change(id, |block| block.update_thought(update));
    }

    /// Whether these blocks are a part of the conversation no more.
    pub fn set_past(&mut self, blocks: Range<BlockId>, past: bool) {
        for block in self.blocks.get_mut(blocks).into_iter().flatten() {
            block.past = past;
        }
    }

    fn change(&mut self, id: BlockId, change: impl FnOnce(&mut Block)) {
        self.measure(id);
        change(&mut self.blocks[id]);
        self.heights.set(id, self.blocks[id].height());
    }

    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub fn is_following(&self) -> bool {
        self.top.is_none()
    }

    /// The size of the view. Blocks are wrapped again when they are needed.
    pub fn resize(&mut self, width: usize, view: usize) {
        let width = width.max(1);
        self.view = view.max(1);
        if width != self.width {
            self.width = width;
            self.stale = (0..self.blocks.len()).collect();
        }
    }

    /// Shows everything as it is written, or as it is meant again. What is read stays in view.
    pub fn toggle_raw(&mut self) {
        self.raw = !self.raw;
        self.stale = (0..self.blocks.len()).collect();
    }

    /// Makes sure that a block's rows are those of the current width, and returns how many they are.
    fn measure(&mut self, id: BlockId) -> usize {
        if self.stale.remove(&id) {
            self.blocks[id].set_width(self.width, self.raw);
            self.heights.set(id, self.blocks[id].height());
        }
        self.heights.get(id)
    }

    /// Wraps stale blocks until about `bytes` of source are done; whether none is left.
    pub fn settle(&mut self, bytes: usize) -> bool {
        let mut done = 0;
        while done < bytes {
            let Some(&id) = self.stale.last() else {
                return true;
            };
            done += self.blocks[id].source().len().max(64);
            self.measure(id);
        }
        self.stale.is_empty()
    }

    /// Number of rows in all, if it is known.
    pub fn total(&self) -> Option<usize> {
        self.stale.is_empty().then(|| self.heights.total())
    }

    /// The row that the view begins with. A view that would reach beyond the end begins further up, and stays there
    /// when the end moves away again.
    fn first(&mut self) -> Place {
        let end = self.last_view();
        let Some(anchor) = self.top else {
            return end;
        };
        let place = self.place(anchor);
        if place > end {
            self.top = self.anchor(end);
        }
        place.min(end)
    }

    fn place(&mut self, anchor: Anchor) -> Place {
        self.measure(anchor.block);
        Place {
            block: anchor.block,
            row: self.blocks[anchor.block].row_of(anchor.spot),
        }
    }

    /// Where the view begins when it shows the end.
    fn last_view(&mut self) -> Place {
        let end = Place {
            block: self.blocks.len(),
            row: 0,
        };
        self.up(end, self.view).0
    }

    /// The place `rows` above, and how many of them there were not.
    fn up(&mut self, from: Place, rows: usize) -> (Place, usize) {
        let Place { mut block, mut row } = from;
        let mut left = rows;
        while left > row {
            if block == 0 {
                return (Place { block: 0, row: 0 }, left - row);
            }
            left -= row;
            block -= 1;
            row = self.measure(block);
        }
        row -= left;
        (Place { block, row }, 0)
    }

    /// The place `rows` below, at most the row after the last.
    fn down(&mut self, from: Place, rows: usize) -> Place {
        let Place { mut block, mut row } = from;
        let mut left = rows;
        while block < self.blocks.len() {
            let height = self.measure(block);
            if row + left < height {
                return Place { block, row: row + left };
            }
            left -= height - row;
            block += 1;
            row = 0;
        }
        Place { block, row: 0 }
    }

    fn anchor(&mut self, place: Place) -> Option<Anchor> {
        let place = self.down(place, 0);
        let block = self.blocks.get(place.block)?;
        Some(Anchor {
            block: place.block,
            spot: block.spot_of(place.row),
        })
    }

    /// Scrolls by rows, up if negative. Going down beyond the end follows it.
    pub fn scroll(&mut self, rows: isize) {
        let first = self.first();
        let end = self.last_view();
        let target = if rows < 0 {
            self.up(first, rows.unsigned_abs()).0
        } else {
            self.down(first, rows.unsigned_abs())
        };
        if rows >= 0 && target >= end {
            self.follow();
        } else if target < end {
            self.look_at(target);
        }
    }

    /// Leaves following, with this row at the top.
    fn look_at(&mut self, target: Place) {
        self.turn = None;
        if self.is_following() {
            let end = Place {
                block: self.blocks.len(),
                row: 0,
            };
            let last = self.up(end, 1).0;
            self.seen = self.anchor(last);
            if let Some(live) = self
                .blocks
                .iter()
                .rposition(|block| block.thought().is_some_and(Thought::is_live))
            {
                self.change(live, Block::hold);
                self.held = Some(live);
            }
        }
        self.top = self.anchor(target);
    }

    pub fn page(&self) -> isize {
        self.view.saturating_sub(2).max(1).cast_signed()
    }

    pub fn go_to_start(&mut self) {
        if self.last_view() > (Place { block: 0, row: 0 }) {
            self.look_at(Place { block: 0, row: 0 });
        }
    }

    pub fn follow(&mut self) {
        self.turn = None;
        self.top = None;
        self.seen = None;
        if let Some(held) = self.held.take() {
            self.change(held, Block::release);
        }
    }

    /// Whether the last row is in view.
    pub fn shows_end(&mut self) -> bool {
        self.first() == self.last_view()
    }

    /// Rows that came after the last one that has been in view; nothing while following, or if it is not known.
    pub fn unseen(&mut self) -> Option<usize> {
        self.top?;
        let first = self.first();
        let after = self.down(first, self.view);
        let last_shown = self.up(after, 1).0;
        let seen = self.seen.map(|anchor| self.place(anchor));
        if seen.is_none_or(|seen| seen < last_shown) {
            self.seen = self.anchor(last_shown);
        }
        let seen = seen.map_or(last_shown, |seen| seen.max(last_shown));
        let total = self.total()?;
        Some(total.saturating_sub(self.heights.before(seen.block) + seen.row + 1))
    }

    /// Rows before the view and in all, if known: for a scroll bar.
    pub fn position(&mut self) -> Option<(usize, usize)> {
        let total = self.total()?;
        let first = self.first();
        Some((self.heights.before(first.block) + first.row, total))
    }

    /// Begins the view with a row, counted from the first of all.
    fn scroll_to(&mut self, row: usize) {
        let block = self.heights.at(row);
        let place = Place {
            block,
            row: row - self.heights.before(block),
        };
        self.look_at(place);
    }

    /// The thinking block whose header is drawn in this row of the view.
    pub fn header_at(&mut self, row: usize) -> Option<BlockId> {
        let first = self.first();
        let place = self.down(first, row);
        (row < self.view && self.blocks.get(place.block)?.header_row() == Some(place.row)).then_some(place.block)
    }

    pub fn selected(&self) -> Option<BlockId> {
        self.selected
    }

    /// The thinking block that a key without a target means: the selected one, else the newest in view, else the newest.
    pub fn thinking(&mut self) -> Option<BlockId> {
        if self.selected.is_some() {
            return self.selected;
        }
        let first = self.first();
        let after = self.down(first, self.view);
        let last = (after.block + usize::from(after.row > 0)).min(self.blocks.len());
        self.thinking_in(first.block..last)
            .or_else(|| self.thinking_in(0..self.blocks.len()))
    }

    /// The newest thinking block of these that is not empty.
    fn thinking_in(&self, blocks: Range<BlockId>) -> Option<BlockId> {
        blocks
            .rev()
            .find(|&id| self.blocks[id].thought().is_some() && self.blocks[id].height() > 0)
    }

    /// Selects the thinking block before the selected one, from the newest to the oldest and then none, and brings its
    /// header into view.
    pub fn select_previous_thinking(&mut self) {
        let before = self.selected.unwrap_or(self.blocks.len());
        self.selected = self.thinking_in(0..before);
        if let Some(id) = self.selected {
            self.reveal_header(id);
        }
    }

    fn header(&mut self, id: BlockId) -> Place {
        self.measure(id);
        Place {
            block: id,
            row: self.blocks[id].header_row().unwrap_or(0),
        }
    }

    fn reveal_header(&mut self, id: BlockId) {
        let header = self.header(id);
        let first = self.first();
        if header < first {
            self.look_at(header);
        } else if header >= self.down(first, self.view) {
            let (target, _) = self.up(header, self.view / 2);
            self.look_at(target);
        }
    }

    /// Rows from one place down to another, at most the view.
    fn distance(&mut self, from: Place, to: Place) -> usize {
        let mut rows = 0;
        let (mut at, to) = (self.down(from, 0), self.down(to, 0));
        while at < to && rows < self.view {
            at = self.down(at, 1);
            rows += 1;
        }
        rows.min(self.view - 1)
    }
}
