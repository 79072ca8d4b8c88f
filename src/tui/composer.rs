//! Where questions are written.
//!
//! `piece` is text with chips in it, `undo` what was done to it, `draft` both with a cursor and rows, `motion` where
//! motions lead, `vim` that editor's keys, `history` what was written before, `search` looking for it, `store` the file
//! it is in, `unsent` the file of what is not yet in it, `burst` telling a paste from typing. Here they come together: what a key does to what is being written.

pub mod burst;
mod draft;
pub mod history;
pub mod keys;
mod motion;
pub mod piece;
pub mod search;
pub mod store;
mod undo;
mod unsent;
pub mod vim;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::select::Unit;
use super::text::clean;
use super::wrap::Rows;
use burst::{Burst, Enter};
use draft::{Draft, Kind};
use history::History;
use piece::{Chip, Piece};
use search::Search;
use vim::{Mode, Took, Vim};

/// From which size on a paste is shown as a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub lines: usize,
    pub characters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lines: 8,
            characters: 1_000,
        }
    }
}

#[derive(Debug, Default)]
pub struct Composer {
    draft: Draft,
    killed: Piece,
    history: History,
    vim: Option<Vim>,
    burst: Burst,
    /// What is looked for in the history.
    pub search: Option<Search>,
    pub limits: Limits,
    /// What was pasted as chips, and how many tokens that is, once it has been counted.
    counted: Vec<(Arc<str>, Option<usize>)>,
    /// How many changes there have been.
    changes: u64,
    /// The other end of what the mouse has selected; what is typed replaces it.
    marked: Option<usize>,
    /// Where the button was pressed, while it has not been moved.
    pressed: Option<usize>,
}

impl Composer {
    /// What is seen; chips by their labels.
    pub fn text(&self) -> &str {
        self.draft.text()
    }

    /// What is meant: with everything that was pasted.
    pub fn whole(&self) -> String {
        self.draft.piece().whole()
    }

    /// A byte offset.
    pub fn cursor(&self) -> usize {
        self.draft.cursor()
    }

    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// The text is sent: it goes to the history, and the field is empty.
    pub fn take(&mut self) -> String {
        self.begin_again();
        let piece = self.draft.clear();
        self.changed();
        let text = piece.whole();
        self.history.remember(piece);
        text
    }

    /// The text is given up: it goes to the history, from where it can be had again. What is to be kept of it.
    pub fn give_up(&mut self) -> Option<String> {
        let piece = self.draft.piece().clone();
        self.begin_again();
        self.draft.change(0..piece.len(), "", Kind::Alone);
        self.changed();
        let text = piece.whole();
        self.history.remember(piece).then_some(text)
    }

    fn begin_again(&mut self) {
        self.burst.end();
        self.search = None;
        if let Some(vim) = &mut self.vim {
            vim.reset(&mut self.draft);
        }
    }

    /// What earlier runs left in the history.
    pub fn remember_earlier(&mut self, entries: Vec<String>) {
        self.history.begin_with(entries);
        if self.search.is_some() {
            self.search = Some(Search::new(self.history.entries()));
        }
    }

    pub fn replace(&mut self, text: impl Into<Piece>) {
        self.change(0..self.draft.len(), text, Kind::Alone);
    }

    /// Inserts typed text; control characters other than line ends and tabs are left out.
    pub fn insert(&mut self, text: &str) {
        self.change(self.replaced(), clean(text), Kind::Typed);
    }

    /// What is replaced by what is inserted: what the mouse has selected, else nothing at the cursor.
    fn replaced(&self) -> Range<usize> {
        let at = self.cursor();
        self.marked_range().unwrap_or(at..at)
    }

    /// Puts `text` in the place of what stands there, and the cursor after it.
    pub fn splice(&mut self, range: Range<usize>, text: &str) {
        if self.text().get(range.clone()).is_some() {
            self.change(range, clean(text), Kind::Alone);
        }
    }

    fn change(&mut self, range: Range<usize>, with: impl Into<Piece>, kind: Kind) -> Piece {
        self.history.stop();
        let removed = self.draft.change(range, with, kind);
        self.changed();
        let is_written = matches!(kind, Kind::Typed | Kind::Erased) && !self.is_commanded();
        if !is_written {
            self.moved();
        }
        removed
    }

    /// The text is another than before.
    fn changed(&mut self) {
        self.changes += 1;
        (self.marked, self.pressed) = (None, None);
        // Labels that come back from the history or by undoing may be from before it was counted.
        if self.draft.piece().chips().iter().any(|chip| chip.tokens.is_none()) {
            for (pasted, tokens) in &self.counted {
                if let Some(tokens) = tokens {
                    self.draft.tell_tokens(pasted, *tokens);
                }
            }
        }
    }

    /// A number that is another one when the text has changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    // Pastes.

    /// Something that was pasted as a chip and whose tokens are to be counted; each once.
    pub fn uncounted(&mut self) -> Option<Arc<str>> {
        let chips = self.draft.piece().chips();
        let is_new = |chip: &&Chip| !self.counted.iter().any(|(known, _)| Arc::ptr_eq(known, &chip.pasted));
        let pasted = chips.iter().find(is_new)?.pasted.clone();
        self.counted.push((pasted.clone(), None));
        Some(pasted)
    }

    /// How many tokens that is.
    pub fn counted(&mut self, pasted: &Arc<str>, tokens: usize) {
        if let Some((_, known)) = self.counted.iter_mut().find(|(known, _)| Arc::ptr_eq(known, pasted)) {
            *known = Some(tokens);
            self.draft.tell_tokens(pasted, tokens);
        }
    }

    /// A paste; a large one becomes a chip.
    pub fn paste(&mut self, text: &str) {
        let with = self.as_pasted(clean(text));
        self.change(self.replaced(), with, Kind::Alone);
    }

    fn as_pasted(&self, text: String) -> Piece {
        let is_large = text.lines().count() > self.limits.lines || text.chars().count() > self.limits.characters;
        if is_large {
            Piece::chip(self.draft.piece().next_number(), text)
        } else {
            text.into()
        }
    }

    /// Puts what was pasted in the place of the chip at the cursor, or of the one that ends there. Whether there is one.
    pub fn expand(&mut self) -> bool {
        self.expand_at(self.cursor())
    }

    fn expand_at(&mut self, at: usize) -> bool {
        let Some(chip) = self.draft.chip_at(at).cloned() else {
            return false;
        };
        self.change(chip.range, chip.pasted.as_ref(), Kind::Alone);
        true
    }

    /// A character that was typed, or that came with many others.
    pub fn typed(&mut self, c: char, now: Duration) {
        self.erase_marked();
        if self.burst.character(now, self.cursor()) {
            self.insert("\n");
        }
        self.insert(c.encode_utf8(&mut [0; 4]));
    }

    /// Whether an Enter is the key to send. If not, it is written, or held until that is known.
    pub fn enter(&mut self, now: Duration) -> bool {
        match self.burst.enter(now) {
            Enter::Key => return true,
            Enter::Held => {}
            Enter::Lines(lines) => self.insert(&"\n".repeat(lines)),
        }
        false
    }

    /// Whether characters are coming faster than anyone types.
    pub fn is_pasting(&self, now: Duration) -> bool {
        self.burst.is_running(now)
    }

    /// Whether a paste that the terminal does not tell of goes on.
    pub fn is_in_paste(&self) -> bool {
        self.burst.is_paste()
    }

    /// Whether a burst of characters is over when something comes now.
    pub fn burst_is_over(&self, now: Duration) -> bool {
        self.burst.is_over(now)
    }

    pub fn burst_deadline(&self) -> Option<Duration> {
        self.burst.deadline()
    }

    /// A burst of characters is over. Whether an Enter was held that is the key.
    pub fn end_burst(&mut self) -> bool {
        let over = self.burst.end();
        let to = self.cursor();
        if let Some(from) = over.pasted_from.filter(|&from| from < to)
            && let Some(text) = self.text().get(from..to)
        {
            let with = self.as_pasted(text.to_owned());
            if !with.chips().is_empty() {
                self.change(from..to, with, Kind::Alone);
            }
        }
        over.enter
    }

    // The cursor.

    fn move_to(&mut self, at: usize) {
        self.draft.move_to(at);
        self.moved();
    }

    fn moved(&mut self) {
        self.marked = None;
        if let Some(vim) = &mut self.vim {
            vim.moved(&mut self.draft);
        }
    }

    pub fn left(&mut self) {
        self.move_to(self.draft.before(self.cursor()));
    }

    pub fn right(&mut self) {
        self.move_to(self.draft.after(self.cursor()));
    }

    pub fn word_left(&mut self) {
        self.move_to(self.draft.word_before(self.cursor()));
    }

    pub fn word_right(&mut self) {
        self.move_to(self.draft.word_after(self.cursor()));
    }

    pub fn home(&mut self) {
        self.move_to(self.draft.line_start(self.cursor()));
    }

    /// Whether the cursor moved.
    pub fn end(&mut self) -> bool {
        let from = self.cursor();
        self.move_to(self.draft.line_end(from));
        self.cursor() != from
    }

    /// A row up; at the first one, back in history.
    pub fn up(&mut self) {
        if self.draft.row_up() {
            self.moved();
        } else {
            self.older();
        }
    }

    /// A row down; at the last one, forward in history.
    pub fn down(&mut self) {
        if self.draft.row_down() {
            self.moved();
        } else {
            self.newer();
        }
    }

    // The mouse.

    fn offset_at(&self, row: usize, column: usize) -> usize {
        self.draft.offset_at(row.min(self.draft.rows().count() - 1), column)
    }

    /// The cursor goes where the button is pressed; a word or a line there is selected.
    pub fn press(&mut self, row: usize, column: usize, unit: Unit) {
        let at = self.offset_at(row, column);
        let (from, to) = match unit {
            Unit::Character => {
                self.pressed = Some(at);
                // A chip stays in view until it is known whether it is dragged over.
                return self.move_to(at);
            }
            Unit::Word => self.draft.word_around(at),
            Unit::Line => (self.draft.line_start(at), self.draft.line_end(at)),
        };
        self.pressed = None;
        self.move_to(to);
        self.mark(from);
    }

    /// The button is moved while it is held: what is between is selected.
    pub fn drag(&mut self, row: usize, column: usize) {
        let to = self.offset_at(row, column);
        let from = match (self.pressed, self.marked) {
            (Some(pressed), _) if pressed == to => return,
            (Some(pressed), _) => self.draft.boundary(pressed),
            (None, Some(marked)) => marked,
            (None, None) => return,
        };
        self.pressed = None;
        self.move_to(to);
        self.mark(from);
    }

    /// The button is let go of: where it has not been moved, that was a click, and a chip there is expanded.
    pub fn release(&mut self) {
        if let Some(at) = self.pressed.take()
            && let Some(chip) = self.draft.piece().chip_around(at).or(self.draft.piece().chip_from(at))
        {
            let at = chip.range.start;
            self.expand_at(at);
        }
    }

    /// From here to the cursor is selected; in vim's commands, as vim does.
    fn mark(&mut self, from: usize) {
        match &mut self.vim {
            Some(vim) if vim.mode != Mode::Insert => vim.select_from(from, &mut self.draft),
            _ => {}
        }
        self.marked = Some(from);
    }

    fn marked_range(&self) -> Option<Range<usize>> {
        let (from, to) = (self.marked?, self.cursor());
        (from != to).then(|| from.min(to)..from.max(to))
    }

    pub fn selected_text(&self) -> Option<String> {
        Some(
            self.draft
                .piece()
                .slice(self.draft.piece().widened(self.selection()?))
                .whole(),
        )
    }

    // Erasing.

    fn erase(&mut self, from: usize, to: usize) {
        self.change(from..to, "", Kind::Erased);
    }

    pub fn backspace(&mut self) {
        if self.erase_marked() {
            return;
        }
        self.erase(self.draft.before(self.cursor()), self.cursor());
    }

    pub fn delete(&mut self) {
        if self.erase_marked() {
            return;
        }
        self.erase(self.cursor(), self.draft.after(self.cursor()));
    }

    /// Whether something was selected, which is gone now.
    fn erase_marked(&mut self) -> bool {
        let marked = self.marked_range();
        if let Some(Range { start, end }) = marked.clone() {
            self.erase(start, end);
        }
        marked.is_some()
    }

    /// Cuts what is selected, else the word to the left.
    pub fn kill_word(&mut self) {
        if let Some(Range { start, end }) = self.marked_range() {
            return self.kill(start, end);
        }
        self.kill(self.draft.word_before(self.cursor()), self.cursor());
    }

    pub fn kill_to_start(&mut self) {
        self.kill(self.draft.line_start(self.cursor()), self.cursor());
    }

    /// To the end of the line; at the end, the line end itself.
    pub fn kill_to_end(&mut self) {
        let at = self.cursor();
        let end = self.draft.line_end(at);
        self.kill(at, if end == at { self.draft.after(at) } else { end });
    }

    pub fn yank(&mut self) {
        self.change(self.replaced(), self.killed.clone(), Kind::Alone);
    }

    fn kill(&mut self, from: usize, to: usize) {
        if from < to {
            self.killed = self.change(from..to, "", Kind::Alone);
        }
    }

    /// Whether there was anything to take back.
    pub fn undo(&mut self) -> bool {
        self.history.stop();
        let undone = self.draft.undo();
        self.changed();
        self.moved();
        undone
    }

    /// Whether there was anything to do again.
    pub fn redo(&mut self) -> bool {
        self.history.stop();
        let redone = self.draft.redo();
        self.changed();
        self.moved();
        redone
    }

    // History.

    fn older(&mut self) {
        let begun = &self.draft.text()[..self.cursor()];
        match self.history.older(self.draft.piece(), begun) {
            Some(entry) => self.recall(entry),
            None => self.move_to(0),
        }
    }

    fn newer(&mut self) {
        match self.history.newer() {
            Some(entry) => self.recall(entry),
            None => self.move_to(self.draft.len()),
        }
    }

    fn recall(&mut self, entry: Piece) {
        self.draft.change(0..self.draft.len(), entry, Kind::Recalled);
        self.changed();
        self.moved();
    }

    /// Begins to look for something in the history.
    pub fn search_history(&mut self) {
        self.search = Some(Search::new(self.history.entries()));
    }

    /// What was chosen becomes the text.
    pub fn take_found(&mut self) {
        let chosen = self.search.take().and_then(|search| search.choice());
        let entries = self.history.entries();
        if let Some(entry) = chosen.and_then(|from_newest| entries.get(entries.len() - 1 - from_newest)) {
            self.replace(entry.clone());
        }
    }

    // Vim.

    /// Whether vim's keys are used.
    pub fn set_vim(&mut self, vim: bool) {
        if let Some(vim) = &mut self.vim {
            vim.reset(&mut self.draft);
        }
        self.vim = vim.then(Vim::default);
    }

    pub fn mode(&self) -> Option<Mode> {
        self.vim.as_ref().map(|vim| vim.mode)
    }

    /// Whether characters are commands now.
    pub fn is_commanded(&self) -> bool {
        self.mode().is_some_and(|mode| mode != Mode::Insert)
    }

    /// What has been written of a command.
    pub fn begun(&self) -> String {
        self.vim.as_ref().map_or_else(String::new, Vim::begun)
    }

    /// What is selected, by vim's keys or by the mouse.
    pub fn selection(&self) -> Option<Range<usize>> {
        let by_keys = self.vim.as_ref().and_then(|vim| vim.selection(&self.draft));
        by_keys.or_else(|| self.marked_range())
    }

    /// A character that is a command; whether it meant anything.
    pub fn command(&mut self, c: char) -> bool {
        let Some(vim) = &mut self.vim else {
            return false;
        };
        self.marked = None;
        match vim.key(c, &mut self.draft) {
            Took::Yes => {
                self.history.stop();
                self.changed();
            }
            Took::No => return false,
            Took::Older => self.older(),
            Took::Newer => self.newer(),
        }
        true
    }

    /// Whether Escape meant something.
    pub fn escape(&mut self) -> bool {
        self.vim.as_mut().is_some_and(|vim| vim.escape(&mut self.draft))
    }

    // Rows.

    /// How wide the field is, in columns.
    pub fn set_field(&mut self, field: usize) {
        self.draft.set_field(field);
    }

    pub fn rows(&self) -> &Rows {
        self.draft.rows()
    }

    /// The row and the column of the cursor.
    pub fn place(&self) -> (usize, usize) {
        self.draft.place()
    }

    /// What of a row is a chip.
    pub fn chips_in(&self, row: usize) -> impl Iterator<Item = Range<usize>> {
        let chips = self.draft.piece().chips().iter().map(|chip| chip.range.clone());
        within(chips, self.rows().range(row))
    }

    /// What of a row is selected.
    pub fn selected_in(&self, row: usize) -> Option<Range<usize>> {
        within(self.selection().into_iter(), self.rows().range(row)).next()
    }
}

/// The parts of ranges that lie within another.
fn within(ranges: impl Iterator<Item = Range<usize>>, all: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    ranges
        .map(move |range| range.start.max(all.start)..range.end.min(all.end))
        .filter(|range| range.start < range.end)
}
