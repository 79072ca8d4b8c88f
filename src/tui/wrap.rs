//! Wrapping: the one function by which text is measured, drawn, and edited.
//!
//! Rows partition the source: row `i` is `source[start(i)..start(i + 1)]`, so their concatenation is the source, byte
//! for byte, and every offset has exactly one row. A line end belongs to the row that it ends, and a text that ends
//! with one has an empty last row. Rows break after white space, or beside a wide character, else inside of a word that
//! is longer than a row. White space at the end of a row hangs beyond the edge, where it is not drawn.
//!
//! A text that only grows is wrapped again from its last row but one. That is far enough: a row's beginning depends
//! only on whether the word after it fits, and an appended character can change the width of the last cluster, which
//! lies in the last row, but not whether an earlier word fits.

use std::ops::Range;

use super::text::{cells, clusters};

/// Rows before a change that it can reach: the end of a row depends on the first word of the next, whose last cluster
/// may be joined by what follows it.
const REACH: usize = 2;

/// The rows of a text at one width.
#[derive(Debug, Clone)]
pub struct Rows {
    width: usize,
    starts: Vec<usize>,
    /// Length of the text that was wrapped.
    len: usize,
}

impl Rows {
    /// `width` is at least 1.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self {
            width: width.max(1),
            starts: vec![0],
            len: 0,
        }
    }

    #[must_use]
    pub fn of(text: &str, width: usize) -> Self {
        let mut rows = Self::new(width);
        rows.extend(text);
        rows
    }

    /// Wraps what `text` has more than at the last call; it must begin with what it was then.
    pub fn extend(&mut self, text: &str) {
        if text.len() == self.len {
            return;
        }
        self.len = text.len();
        let keep = self.starts.len().saturating_sub(1).max(1);
        self.starts.truncate(keep);
        let mut from = self.starts[keep - 1];
        while let Some(next) = next_row(text, from, self.width) {
            self.starts.push(next);
            from = next;
        }
    }

    /// Wraps what changed: `text` is the text that was wrapped with `range` of it replaced by `len` bytes. Rows are looked
    /// at from shortly before the change until they begin where they began.
    pub fn splice(&mut self, text: &str, range: Range<usize>, len: usize) {
        let moved = |start: usize| start - range.len() + len;
        let keep = self.row_of(range.start).saturating_sub(REACH);
        let rest = self.starts.split_off(keep + 1);
        // The rows that begin in what was not changed, as they begin now.
        let mut after = rest
            .into_iter()
            .filter(|&start| start > range.end)
            .map(moved)
            .peekable();
        self.len = text.len();
        let mut from = self.starts[keep];
        while let Some(next) = next_row(text, from, self.width) {
            while after.next_if(|&start| start < next).is_some() {}
            // A row that begins after a line end depends on nothing before it.
            if after.peek() == Some(&next) && text.as_bytes()[next - 1] == b'\n' {
                self.starts.extend(after);
                return;
            }
            self.starts.push(next);
            from = next;
        }
    }

    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// At least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The bytes of a row, with the line end if it has one.
    #[must_use]
    pub fn range(&self, row: usize) -> Range<usize> {
        self.starts[row]..self.starts.get(row + 1).copied().unwrap_or(self.len)
    }

    /// The row that an offset lies in.
    #[must_use]
    pub fn row_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset) - 1
    }
}

/// Where the row after the one that begins at `from` begins, if there is one.
pub fn next_row(text: &str, from: usize, width: usize) -> Option<usize> {
    let mut breaker = Breaker::new(width);
    for (at, cluster) in clusters(&text[from..]) {
        let (at, end) = (from + at, from + at + cluster.len());
        if matches!(cluster, "\n" | "\r\n") {
            return Some(end);
        }
        let wide = cells(cluster, breaker.column());
        if let Some(next) = breaker.feed(at, end, wide, is_space(cluster)) {
            return Some(next);
        }
    }
    None
}

/// Finds where a row ends, from what it is made of, one after the other. A place is whatever tells where something is.
pub struct Breaker<P> {
    width: usize,
    column: usize,
    /// The last place where the row may end.
    may_end: Option<P>,
    after_wide: bool,
    is_empty: bool,
}

impl<P: Copy> Breaker<P> {
    pub fn new(width: usize) -> Self {
        Self {
            width,
            column: 0,
            may_end: None,
            after_wide: false,
            is_empty: true,
        }
    }

    /// Where what comes next would be drawn.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The place where the next row begins, if this cannot stand in the row any more.
    pub fn feed(&mut self, at: P, end: P, wide: usize, space: bool) -> Option<P> {
        let is_first = std::mem::take(&mut self.is_empty);
        if space {
            self.column += wide;
            self.may_end = Some(end);
            self.after_wide = false;
            return None;
        }
        if (self.after_wide || wide > 1) && !is_first {
            self.may_end = Some(at);
        }
        if self.column + wide > self.width && !is_first {
            return Some(self.may_end.unwrap_or(at));
        }
        self.column += wide;
        self.after_wide = wide > 1;
        None
    }
}

/// White space that a row may end with. A no-break space may not, and a space that carries a mark is not white.
pub fn is_space(cluster: &str) -> bool {
    let mut chars = cluster.chars();
    match (chars.next(), chars.next()) {
        (Some('\u{a0}' | '\u{202f}'), None) => false,
        (Some(c), None) => c == '\t' || (c.is_whitespace() && !c.is_control()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::width;
    use super::*;
    use proptest::prelude::*;

    fn wrap(text: &str, width: usize) -> Vec<&str> {
        let rows = Rows::of(text, width);
        (0..rows.count()).map(|row| &text[rows.range(row)]).collect()
    }

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick ", "brown fox"]);
        assert_eq!(wrap("the quick brown fox", 9), ["the quick ", "brown fox"]);
        assert_eq!(wrap("a  bcd", 3), ["a  ", "bcd"]);
    }

    #[test]
    fn long_words_begin_on_a_row_of_their_own_and_break_anywhere() {
        assert_eq!(wrap("see abcdefghij k", 4), ["see ", "abcd", "efgh", "ij k"]);
    }

    #[test]
    fn lines_end_their_rows() {
        assert_eq!(wrap("a\n\nb\r\n", 5), ["a\n", "\n", "b\r\n", ""]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn wide_characters_break_between_each_other() {
        assert_eq!(wrap("ab你好吗cd", 5), ["ab你", "好吗", "cd"]);
        assert_eq!(wrap("你", 1), ["你"]);
        assert_eq!(wrap("你好", 1), ["你", "好"]);
    }

    #[test]
    fn indentation_stays_before_its_word() {
        assert_eq!(wrap("    let x = 1;", 12), ["    let x = ", "1;"]);
    }

    const TEXT: &str =
        "(?s)([ab ]|abc|\n|\r\n|\t|你|é|e\u{301}|👩|\u{200d}|🇩|☺|\u{fe0f}|\u{fe0e}|\u{301}|\u{a0}|\u{1b}|⌚){0,60}";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn rows_partition_the_source_and_fit(text in TEXT, limit in 1usize..14) {
            let rows = wrap(&text, limit);
            prop_assert_eq!(rows.concat(), text.clone());
            for row in rows {
                let drawn = row.trim_end_matches(|c: char| c.is_whitespace());
                let wide = width(drawn);
                prop_assert!(wide <= limit || clusters(drawn).filter(|(_, c)| cells(c, 0) > 0).count() == 1, "{row:?}");
            }
        }

        #[test]
        fn growing_is_the_same_as_wrapping_at_once(text in TEXT, limit in 1usize..14, cuts in prop::collection::vec(0usize..100, 0..20)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| text.floor_char_boundary(cut)).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut rows = Rows::new(limit);
            for cut in cuts {
                rows.extend(&text[..cut]);
                prop_assert_eq!(&rows.starts, &Rows::of(&text[..cut], limit).starts, "at {}", cut);
            }
        }

        #[test]
        fn a_change_is_the_same_as_wrapping_at_once(text in TEXT, limit in 1usize..14, changes in prop::collection::vec((0usize..100, 0usize..20, TEXT), 0..8)) {
            let mut text = text;
            let mut rows = Rows::of(&text, limit);
            for (from, length, with) in changes {
                let from = text.floor_char_boundary(from);
                let range = from..text.floor_char_boundary(from + length);
                text.replace_range(range.clone(), &with);
                rows.splice(&text, range, with.len());
                prop_assert_eq!(&rows.starts, &Rows::of(&text, limit).starts, "{:?}", text);
                prop_assert_eq!(rows.len, text.len());
            }
        }

        #[test]
        fn every_offset_has_its_row(text in TEXT, limit in 1usize..14) {
            let rows = Rows::of(&text, limit);
            for offset in 0..=text.len() {
                let row = rows.row_of(offset);
                let range = rows.range(row);
                prop_assert!(range.contains(&offset) || (offset == text.len() && row + 1 == rows.count()));
            }
        }
    }
}
