//! Where motions lead, from an offset: words as shells and as vim know them, lines, characters, brackets.
//!
//! A chip is one character of a word.

use std::ops::Range;

use super::draft::Draft;

/// What a cluster is to motions by words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Space,
    Word,
    /// Whatever else; part of words where these are parted by white space only.
    Other,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words for people who write: runs of letters, digits and underscores.
impl Draft {
    pub fn word_before(&self, from: usize) -> usize {
        self.back_over(self.back_over(from, |class| class != Class::Word), |class| {
            class == Class::Word
        })
    }

    pub fn word_after(&self, from: usize) -> usize {
        self.over(self.over(from, |class| class != Class::Word), |class| {
            class == Class::Word
        })
    }

    fn over(&self, mut at: usize, is: impl Fn(Class) -> bool) -> usize {
        while at < self.len() && is(self.class(at, false)) {
            at = self.after(at);
        }
        at
    }

    fn back_over(&self, mut at: usize, is: impl Fn(Class) -> bool) -> usize {
        while at > 0 && is(self.class(self.before(at), false)) {
            at = self.before(at);
        }
        at
    }
}

/// Motions of vim. `big` words are parted by white space only.
impl Draft {
    /// What stands at an offset; at the end it is space.
    pub fn class(&self, at: usize, big: bool) -> Class {
        if self.piece().chip_from(at).is_some() {
            return Class::Word;
        }
        match self.text()[at..].chars().next() {
            None => Class::Space,
            Some(c) if c.is_whitespace() => Class::Space,
            Some(c) if big || is_word(c) => Class::Word,
            Some(_) => Class::Other,
        }
    }

    /// Whether the line at an offset has nothing in it.
    fn is_empty_line(&self, at: usize) -> bool {
        self.line_start(at) == at && self.line_end(at) == at
    }

    /// The beginning of the next word. An empty line is one.
    pub fn next_word(&self, from: usize, big: bool) -> usize {
        let class = self.class(from, big);
        let mut at = from;
        if class != Class::Space {
            while at < self.len() && self.class(at, big) == class {
                at = self.after(at);
            }
        }
        while at < self.len() && self.class(at, big) == Class::Space {
            if at != from && self.is_empty_line(at) {
                break;
            }
            at = self.after(at);
        }
        at
    }

    /// The beginning of this word, or of the one before.
    pub fn previous_word(&self, from: usize, big: bool) -> usize {
        let mut at = self.before(from);
        while at > 0 && self.class(at, big) == Class::Space && !self.is_empty_line(at) {
            at = self.before(at);
        }
        let class = self.class(at, big);
        while class != Class::Space && at > 0 && self.class(self.before(at), big) == class {
            at = self.before(at);
        }
        at
    }

    /// The last character of this word, or of the next.
    pub fn word_end(&self, from: usize, big: bool) -> usize {
        let mut at = self.after(from);
        while at < self.len() && self.class(at, big) == Class::Space {
            at = self.after(at);
        }
        let class = self.class(at, big);
        loop {
            let next = self.after(at);
            if next >= self.len() || self.class(next, big) != class {
                return at;
            }
            at = next;
        }
    }

    /// The last character of the word before.
    pub fn previous_word_end(&self, from: usize, big: bool) -> usize {
        let class = self.class(from, big);
        let mut at = from;
        while class != Class::Space && at > 0 && self.class(at, big) == class {
            at = self.before(at);
        }
        while at > 0 && self.class(at, big) == Class::Space && !(at != from && self.is_empty_line(at)) {
            at = self.before(at);
        }
        at
    }

    pub fn first_in_line(&self, from: usize) -> usize {
        let (mut at, end) = (self.line_start(from), self.line_end(from));
        while at < end && self.class(at, false) == Class::Space {
            at = self.after(at);
        }
        at
    }

    /// The last character of the line; of an empty one, its end.
    pub fn last_in_line(&self, from: usize) -> usize {
        let (start, end) = (self.line_start(from), self.line_end(from));
        if start == end { end } else { self.before(end).max(start) }
    }

    /// The same column so many lines below (above, if negative), if there are so many.
    pub fn line_below(&self, from: usize, lines: isize, goal: usize) -> Option<usize> {
        let mut start = self.line_start(from);
        for _ in 0..lines.unsigned_abs() {
            start = if lines > 0 {
                Some(self.line_end(start) + 1).filter(|&next| next <= self.len())?
            } else {
                self.line_start(start.checked_sub(1)?)
            };
        }
        let last = self.last_in_line(start);
        let mut at = start;
        for _ in 0..goal {
            if at >= last {
                break;
            }
            at = self.after(at);
        }
        Some(at.min(last))
    }

    /// How many characters stand before an offset in its line.
    pub fn column(&self, at: usize) -> usize {
        let mut count = 0;
        let mut passed = self.line_start(at);
        while passed < at {
            passed = self.after(passed);
            count += 1;
        }
        count
    }

    /// The beginning of a line by its number, from 0; of the last, if there are not so many.
    pub fn line(&self, number: usize) -> usize {
        let mut ends = self.text().match_indices('\n').map(|(at, _)| at + 1);
        match number {
            0 => 0,
            _ => ends.nth(number - 1).unwrap_or_else(|| self.line_start(self.len())),
        }
    }

    /// An empty line below (or above), else the end (or the beginning).
    pub fn paragraph(&self, from: usize, forward: bool) -> usize {
        let mut at = self.line_start(from);
        let mut passed = false;
        loop {
            let empty = self.is_empty_line(at);
            if empty && passed {
                return at;
            }
            passed |= !empty;
            let next = if forward {
                Some(self.line_end(at) + 1).filter(|&next| next <= self.len())
            } else {
                at.checked_sub(1).map(|end| self.line_start(end))
            };
            match next {
                Some(next) => at = next,
                None if forward => return self.len(),
                None => return 0,
            }
        }
    }

    /// The so-manieth `wanted` in the line, after or before an offset.
    pub fn find(&self, from: usize, wanted: char, forward: bool, count: usize) -> Option<usize> {
        let (start, end) = (self.line_start(from), self.line_end(from));
        let mut at = from;
        let mut left = count.max(1);
        loop {
            at = if forward {
                Some(self.after(at)).filter(|&next| next < end)?
            } else {
                (at > start).then(|| self.before(at))?
            };
            if self.is(at, wanted) {
                left -= 1;
                if left == 0 {
                    return Some(at);
                }
            }
        }
    }

    /// Whether a character stands at an offset, in the text and not in a chip.
    pub fn is(&self, at: usize, wanted: char) -> bool {
        self.piece().chip_from(at).is_none() && self.text()[at..].starts_with(wanted)
    }

    /// The bracket that belongs to the first one from an offset on in its line.
    pub fn matching_bracket(&self, from: usize) -> Option<usize> {
        let end = self.line_end(from);
        let mut at = from;
        while at < end {
            let pair = PAIRS
                .iter()
                .find(|(open, close)| self.is(at, *open) || self.is(at, *close));
            if let Some(&(open, close)) = pair {
                return if self.is(at, open) {
                    self.closing(self.after(at), open, close)
                } else {
                    self.opening(at, open, close)
                };
            }
            at = self.after(at);
        }
        None
    }

    /// The bracket that closes what is open at an offset.
    fn closing(&self, from: usize, open: char, close: char) -> Option<usize> {
        let mut depth = 0;
        let mut at = from;
        while at < self.len() {
            if self.is(at, close) {
                if depth == 0 {
                    return Some(at);
                }
                depth -= 1;
            } else if self.is(at, open) {
                depth += 1;
            }
            at = self.after(at);
        }
        None
    }

    /// The bracket before an offset that is open there.
    fn opening(&self, from: usize, open: char, close: char) -> Option<usize> {
        let mut depth = 0;
        let mut at = from;
        while at > 0 {
            at = self.before(at);
            if self.is(at, open) {
                if depth == 0 {
                    return Some(at);
                }
                depth -= 1;
            } else if self.is(at, close) {
                depth += 1;
            }
        }
        None
    }
}

const PAIRS: [(char, char); 4] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>')];

/// What lies around an offset, by vim's name for it: with what surrounds it (`around`) or without.
impl Draft {
    pub fn object(&self, at: usize, name: char, around: bool) -> Option<Range<usize>> {
        match name {
            'w' | 'W' => Some(self.word_object(at, name == 'W', around)),
            'p' => Some(self.paragraph_object(at, around)),
            '"' | '\'' | '`' => self.quoted(at, name, around),
            'b' => self.bracketed(at, '(', ')', around),
            'B' => self.bracketed(at, '{', '}', around),
            _ => {
                let &(open, close) = PAIRS.iter().find(|(open, close)| name == *open || name == *close)?;
                self.bracketed(at, open, close, around)
            }
        }
    }

    /// The run of the same class, within its line.
    fn run(&self, at: usize, big: bool) -> Range<usize> {
        let class = self.class(at, big);
        let (first, last) = (self.line_start(at), self.line_end(at));
        let (mut start, mut end) = (at, at);
        while start > first && self.class(self.before(start), big) == class {
            start = self.before(start);
        }
        while end < last && self.class(end, big) == class {
            end = self.after(end);
        }
        start..end
    }

    fn word_object(&self, at: usize, big: bool, around: bool) -> Range<usize> {
        let run = self.run(at, big);
        let (first, last) = (self.line_start(at), self.line_end(at));
        if !around {
            return run;
        }
        let is_space = self.class(at, big) == Class::Space;
        if run.end < last && (is_space || self.class(run.end, big) == Class::Space) {
            return run.start..self.run(run.end, big).end;
        }
        // At the end of a line, the space before it goes instead.
        if run.start > first && self.class(self.before(run.start), big) == Class::Space {
            return self.run(self.before(run.start), big).start..run.end;
        }
        run
    }

    fn paragraph_object(&self, at: usize, around: bool) -> Range<usize> {
        let next = |at: usize| Some(self.line_end(at) + 1).filter(|&next| next <= self.len());
        let mut start = self.line_start(at);
        let empty = self.is_empty_line(start);
        while let Some(before) = start.checked_sub(1).map(|end| self.line_start(end)) {
            if self.is_empty_line(before) != empty {
                break;
            }
            start = before;
        }
        let end_of = |from: usize, empty: bool| {
            let mut end = from;
            while end <= self.len() && self.is_empty_line(end) == empty {
                match next(end) {
                    Some(next) => end = next,
                    None => return self.len(),
                }
            }
            end
        };
        let mut end = end_of(self.line_start(at), empty);
        if around && end < self.len() {
            end = end_of(end, !empty);
        }
        start..end
    }

    fn quoted(&self, at: usize, quote: char, around: bool) -> Option<Range<usize>> {
        let last = self.line_end(at);
        let mut marks = Vec::new();
        let mut seen = self.line_start(at);
        while seen < last {
            if self.is(seen, quote) {
                marks.push(seen);
            }
            seen = self.after(seen);
        }
        let pair = marks.chunks_exact(2).find(|pair| at <= pair[1])?;
        Some(if around {
            pair[0]..self.after(pair[1])
        } else {
            self.after(pair[0])..pair[1]
        })
    }

    fn bracketed(&self, at: usize, open: char, close: char, around: bool) -> Option<Range<usize>> {
        let start = if self.is(at, open) {
            at
        } else {
            self.opening(at, open, close)?
        };
        let inner = self.after(start);
        let end = self.closing(inner, open, close)?;
        Some(if around { start..self.after(end) } else { inner..end })
    }
}
