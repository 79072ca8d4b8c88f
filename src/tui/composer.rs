//! Where questions are written: text, cursor, kill buffer, history.
//!
//! The cursor is a byte offset at a cluster boundary, and moves by clusters; its column is measured in cells by the
//! functions that everything else is drawn with. Rows are wrapped one column narrower than the field, so that the
//! cursor after the last character has a place.

use std::ops::Range;

use super::text::{cells, clean, clusters, width};
use super::wrap::Rows;

#[derive(Debug, Default)]
pub struct Composer {
    text: String,
    cursor: usize,
    /// The column that moves up and down try to keep.
    goal: Option<usize>,
    killed: String,
    history: History,
}

/// What was sent, oldest first, and what was being written when the person began to look through it.
#[derive(Debug, Default)]
struct History {
    sent: Vec<String>,
    at: Option<usize>,
    draft: String,
}

impl Composer {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A byte offset.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text is sent: it goes to the history, and the field is empty.
    pub fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        self.history.at = None;
        self.history.draft.clear();
        if self.history.sent.last() != Some(&text) && !text.trim().is_empty() {
            self.history.sent.push(text.clone());
        }
        self.move_to(0);
        text
    }

    pub fn replace(&mut self, text: impl Into<String>) {
        self.text = text.into();
        self.move_to(self.text.len());
    }

    /// Inserts typed or pasted text; control characters other than line ends and tabs are left out.
    pub fn insert(&mut self, text: &str) {
        let text = clean(text);
        self.text.insert_str(self.cursor, &text);
        self.move_to(self.cursor + text.len());
    }

    /// Puts `text` in the place of what stands there, and the cursor after it.
    pub fn splice(&mut self, range: Range<usize>, text: &str) {
        if self.text.get(range.clone()).is_some() {
            self.text.replace_range(range.clone(), "");
            self.cursor = range.start;
            self.insert(text);
        }
    }

    /// What was inserted may join with its neighbours to one cluster: the cursor never stays inside of one.
    fn move_to(&mut self, offset: usize) {
        self.cursor = self.boundary(offset);
        self.goal = None;
    }

    /// The first cluster boundary from `offset` on.
    fn boundary(&self, offset: usize) -> usize {
        let line = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        clusters(&self.text[line..])
            .map(|(at, _)| line + at)
            .find(|&at| at >= offset)
            .unwrap_or(self.text.len())
    }

    fn before(&self) -> usize {
        let line = match self.text[..self.cursor].rfind('\n') {
            Some(at) if at + 1 == self.cursor => return at,
            Some(at) => at + 1,
            None => 0,
        };
        clusters(&self.text[line..self.cursor])
            .last()
            .map_or(line, |(at, _)| line + at)
    }

    fn after(&self) -> usize {
        clusters(&self.text[self.cursor..])
            .next()
            .map_or(self.cursor, |(_, cluster)| self.cursor + cluster.len())
    }

    pub fn left(&mut self) {
        self.move_to(self.before());
    }

    pub fn right(&mut self) {
        self.move_to(self.after());
    }

    /// Words are runs of letters, digits and underscores.
    fn word_before(&self) -> usize {
        let head = &self.text[..self.cursor];
        let words = head.trim_end_matches(|c| !is_word(c));
        words.trim_end_matches(is_word).len()
    }

    fn word_after(&self) -> usize {
        let tail = &self.text[self.cursor..];
        let words = tail.trim_start_matches(|c| !is_word(c));
        self.text.len() - words.trim_start_matches(is_word).len()
    }

    pub fn word_left(&mut self) {
        self.move_to(self.word_before());
    }

    pub fn word_right(&mut self) {
        self.move_to(self.word_after());
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..]
            .find('\n')
            .map_or(self.text.len(), |at| self.cursor + at)
    }

    pub fn home(&mut self) {
        self.move_to(self.line_start());
    }

    /// Whether the cursor moved.
    pub fn end(&mut self) -> bool {
        let from = self.cursor;
        self.move_to(self.line_end());
        self.cursor != from
    }

    pub fn backspace(&mut self) {
        self.remove(self.before(), self.cursor);
    }

    pub fn delete(&mut self) {
        self.remove(self.cursor, self.after());
    }

    pub fn kill_word(&mut self) {
        self.kill(self.word_before(), self.cursor);
    }

    pub fn kill_to_start(&mut self) {
        self.kill(self.line_start(), self.cursor);
    }

    /// To the end of the line; at the end, the line end itself.
    pub fn kill_to_end(&mut self) {
        let end = self.line_end();
        self.kill(self.cursor, if end == self.cursor { self.after() } else { end });
    }

    pub fn yank(&mut self) {
        let killed = std::mem::take(&mut self.killed);
        self.insert(&killed);
        self.killed = killed;
    }

    fn kill(&mut self, from: usize, to: usize) {
        if from < to {
            self.text[from..to].clone_into(&mut self.killed);
        }
        self.remove(from, to);
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.move_to(from);
    }

    /// The rows of the field, and the row and column of the cursor, in a field this wide.
    pub fn layout(&self, field: usize) -> (Rows, usize, usize) {
        let rows = Rows::of(&self.text, field.saturating_sub(1).max(1));
        let row = rows.row_of(self.cursor);
        let column = width(&self.text[rows.range(row).start..self.cursor]);
        (rows, row, column.min(field.saturating_sub(1)))
    }

    /// A row up; at the first one, back in history.
    pub fn up(&mut self, field: usize) {
        let (rows, row, column) = self.layout(field);
        if row == 0 {
            self.older();
        } else {
            self.enter_row(&rows, row - 1, column);
        }
    }

    /// A row down; at the last one, forward in history.
    pub fn down(&mut self, field: usize) {
        let (rows, row, column) = self.layout(field);
        if row + 1 == rows.count() {
            self.newer();
        } else {
            self.enter_row(&rows, row + 1, column);
        }
    }

    /// Puts the cursor as near as can be to a row and column of the field.
    pub fn point_at(&mut self, field: usize, row: usize, column: usize) {
        let (rows, ..) = self.layout(field);
        self.goal = None;
        self.enter_row(&rows, row.min(rows.count() - 1), column);
        self.goal = None;
    }

    fn enter_row(&mut self, rows: &Rows, row: usize, column: usize) {
        let goal = self.goal.unwrap_or(column);
        let range = rows.range(row);
        let last_row = row + 1 == rows.count();
        let line = &self.text[range.clone()];
        let mut at = range.start;
        let mut column = 0;
        for (offset, cluster) in clusters(line) {
            let next = column + cells(cluster, column);
            let ends_row = offset + cluster.len() == line.len() && !last_row;
            if next > goal || ends_row || cluster == "\n" {
                break;
            }
            column = next;
            at = range.start + offset + cluster.len();
        }
        self.cursor = at;
        self.goal = Some(goal);
    }

    fn older(&mut self) {
        let at = match self.history.at {
            None => self.history.sent.len(),
            Some(at) => at,
        };
        if at == 0 {
            self.move_to(0);
            return;
        }
        if self.history.at.is_none() {
            self.history.draft = std::mem::take(&mut self.text);
        }
        self.history.at = Some(at - 1);
        self.replace(self.history.sent[at - 1].clone());
    }

    fn newer(&mut self) {
        match self.history.at {
            None => self.move_to(self.text.len()),
            Some(at) if at + 1 < self.history.sent.len() => {
                self.history.at = Some(at + 1);
                self.replace(self.history.sent[at + 1].clone());
            }
            Some(_) => {
                self.history.at = None;
                let draft = std::mem::take(&mut self.history.draft);
                self.replace(draft);
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The text with `|` at the cursor.
    fn shown(composer: &Composer) -> String {
        let (before, after) = composer.text.split_at(composer.cursor);
        format!("{before}|{after}")
    }

    fn written(text: &str) -> Composer {
        let mut composer = Composer::default();
        let (before, after) = text.split_once('|').expect("a cursor");
        composer.insert(after);
        composer.move_to(0);
        composer.insert(before);
        composer
    }

    type Edit = fn(&mut Composer);

    #[test]
    fn edits() {
        let cases: &[(&str, Edit, &str)] = &[
            ("a你|b", Composer::left, "a|你b"),
            ("|👩‍👩‍👧b", Composer::right, "👩‍👩‍👧|b"),
            ("e\u{301}|", Composer::backspace, "|"),
            ("a\n|b", Composer::backspace, "a|b"),
            ("a|\nb", Composer::delete, "a|b"),
            ("|", Composer::backspace, "|"),
            ("|", Composer::delete, "|"),
            ("one two_3 |four", Composer::word_left, "one |two_3 four"),
            ("one| two_3 four", Composer::word_right, "one two_3| four"),
            ("one two |", Composer::kill_word, "one |"),
            ("a\nbc|d", Composer::home, "a\n|bcd"),
            ("a\nbc|d", Composer::kill_to_start, "a\n|d"),
            ("a|b\ncd", Composer::kill_to_end, "a|\ncd"),
            ("ab|\ncd", Composer::kill_to_end, "ab|cd"),
        ];
        for (before, edit, after) in cases {
            let mut composer = written(before);
            edit(&mut composer);
            assert_eq!(shown(&composer), *after, "from {before:?}");
        }
    }

    #[test]
    fn what_was_killed_comes_back() {
        let mut composer = written("one two|");
        composer.kill_word();
        composer.home();
        composer.yank();
        assert_eq!(shown(&composer), "two|one ");
    }

    #[test]
    fn a_paste_is_one_insert_without_control_characters() {
        let mut composer = written("a|z");
        composer.insert("b\r\nc\u{1b}[31m\td");
        assert_eq!(shown(&composer), "ab\nc[31m\td|z");
    }

    #[test]
    fn a_combining_mark_joins_and_the_cursor_stays_outside() {
        let mut composer = written("|\u{301}x");
        composer.insert("e");
        assert_eq!(shown(&composer), "e\u{301}|x");
    }

    #[test]
    fn rows_up_and_down_keep_the_column() {
        let mut composer = written("abcdef\nx\nabcd|ef");
        composer.up(20);
        assert_eq!(shown(&composer), "abcdef\nx|\nabcdef");
        composer.up(20);
        assert_eq!(shown(&composer), "abcd|ef\nx\nabcdef");
        composer.down(20);
        composer.down(20);
        assert_eq!(shown(&composer), "abcdef\nx\nabcd|ef");
    }

    #[test]
    fn history_keeps_the_draft() {
        let mut composer = Composer::default();
        for sent in ["first", "second", "second"] {
            composer.insert(sent);
            composer.take();
        }
        composer.insert("draft");
        composer.up(20);
        assert_eq!(shown(&composer), "second|");
        composer.up(20);
        composer.up(20);
        assert_eq!(shown(&composer), "|first");
        composer.down(20);
        composer.down(20);
        assert_eq!(shown(&composer), "draft|");
    }

    #[test]
    fn the_cursor_is_placed_by_cells() {
        let composer = written("你好|x");
        assert_eq!((composer.layout(20).1, composer.layout(20).2), (0, 4));
        let composer = written("abcd|");
        assert_eq!((composer.layout(4).1, composer.layout(4).2), (1, 1));
        let composer = written("abc\n|");
        assert_eq!((composer.layout(20).1, composer.layout(20).2), (1, 0));
    }

    proptest! {
        #[test]
        fn any_edits_leave_the_cursor_between_clusters(
            steps in prop::collection::vec((0usize..16, "(?s)[ab \n\t你\u{301}\u{200d}👩🇩é\r]{0,4}"), 0..60),
            field in 1usize..12,
        ) {
            let mut composer = Composer::default();
            for (step, text) in steps {
                match step {
                    0 => composer.left(),
                    1 => composer.right(),
                    2 => composer.word_left(),
                    3 => composer.word_right(),
                    4 => composer.home(),
                    5 => { composer.end(); }
                    6 => composer.backspace(),
                    7 => composer.delete(),
                    8 => composer.kill_word(),
                    9 => composer.kill_to_start(),
                    10 => composer.kill_to_end(),
                    11 => composer.yank(),
                    12 => composer.up(field),
                    13 => composer.down(field),
                    14 => { composer.take(); }
                    _ => composer.insert(&text),
                }
                let at = composer.cursor;
                prop_assert!(at == composer.text.len() || clusters(&composer.text).any(|(offset, _)| offset == at));
                let (rows, row, column) = composer.layout(field);
                prop_assert!(row < rows.count() && column < field.max(1));
            }
        }
    }
}
