//! The matches in one text that may grow, as far as it has been looked at.
//!
//! A match lies in one line, so that a text which has grown is looked at again from its last line on, and what is found
//! is what would be found in the whole. A line longer than two parts is looked at in parts: a match begins in one and
//! ends at the latest in the next.

use std::ops::Range;

use super::pattern::Pattern;

/// Bytes of a line that are looked at together.
const PART: usize = 32 * 1024;
/// What a match costs of a budget in bytes.
const MATCH: usize = 32;

#[derive(Debug, Clone, Default)]
pub struct Found {
    /// In order, and apart.
    matches: Vec<Range<usize>>,
    /// So many matches are certain; the others lie in a line that may grow.
    settled: usize,
    /// Where the line begins that is to be looked at next, the part of it, and what is not in an earlier match.
    line: usize,
    part: usize,
    at: usize,
    /// The length of the text when its end was reached.
    seen: usize,
}

/// What of a line can be looked at.
struct Stretch {
    /// Where what is searched ends, and where matches no longer begin.
    end: usize,
    begin_before: usize,
    /// Where the next stretch begins, if it is known, and whether a line does there.
    next: Option<(usize, bool)>,
}

impl Found {
    pub fn matches(&self) -> &[Range<usize>] {
        &self.matches
    }

    /// Whether all of a text of this length has been looked at.
    pub fn has_seen(&self, len: usize) -> bool {
        self.seen == len
    }

    /// Looks at more of the text, which begins with what it was before, until it is through or the budget is used up,
    /// or there are `most` matches.
    pub fn go_on(&mut self, pattern: &Pattern, text: &str, budget: &mut usize, most: usize) {
        if self.has_seen(text.len()) {
            return;
        }
        self.matches.truncate(self.settled);
        while *budget > 0 && self.matches.len() < most {
            let stretch = self.stretch(text);
            let searched = text[self.line..stretch.end].trim_end_matches(['\n', '\r']);
            let mut at = self.at;
            while let Some(found) = pattern.find(searched, at - self.line) {
                let found = self.line + found.start..self.line + found.end;
                if found.start >= stretch.begin_before {
                    break;
                }
                at = found.end;
                self.matches.push(found);
                *budget = budget.saturating_sub(MATCH);
                if self.matches.len() >= most {
                    break;
                }
            }
            let after = stretch.next.map_or(stretch.end, |(next, _)| next);
            *budget = budget.saturating_sub(after - self.part);
            let Some((next, is_line)) = stretch.next else {
                self.seen = text.len();
                return;
            };
            self.settled = self.matches.len();
            self.part = next;
            self.at = at.max(next);
            if is_line {
                self.line = next;
                self.at = next;
            }
        }
        if self.matches.len() >= most {
            self.settled = self.matches.len();
            self.seen = text.len();
        }
    }

    fn stretch(&self, text: &str) -> Stretch {
        let part_end = text.ceil_char_boundary(self.part.saturating_add(PART));
        let window = text.ceil_char_boundary(self.part.saturating_add(2 * PART));
        match text[self.part..window].find('\n').map(|at| self.part + at + 1) {
            Some(end) if end <= part_end => Stretch {
                end,
                begin_before: end,
                next: Some((end, true)),
            },
            Some(end) => Stretch {
                end,
                begin_before: part_end,
                next: Some((part_end, false)),
            },
            None if window - self.part >= 2 * PART => Stretch {
                end: window,
                begin_before: part_end,
                next: Some((part_end, false)),
            },
            None => Stretch {
                end: text.len(),
                begin_before: text.len(),
                next: None,
            },
        }
    }

    /// The first match that begins at `offset` or after it.
    pub fn from(&self, offset: usize) -> Option<usize> {
        let index = self.matches.partition_point(|found| found.start < offset);
        (index < self.matches.len()).then_some(index)
    }

    /// The last match that begins before `offset`.
    pub fn before(&self, offset: usize) -> Option<usize> {
        self.matches
            .partition_point(|found| found.start < offset)
            .checked_sub(1)
    }

    /// The matches that touch these bytes.
    pub fn within(&self, bytes: &Range<usize>) -> &[Range<usize>] {
        let first = self.matches.partition_point(|found| found.end <= bytes.start);
        let after = self.matches.partition_point(|found| found.start < bytes.end);
        &self.matches[first..after.max(first)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(written: &str) -> Pattern {
        Pattern::new(written).unwrap()
    }

    fn whole(written: &str, text: &str) -> Vec<Range<usize>> {
        let mut found = Found::default();
        found.go_on(&pattern(written), text, &mut usize::MAX.clone(), usize::MAX);
        assert!(found.has_seen(text.len()));
        found.matches
    }

    /// Line by line, without regard to anything.
    fn plainly(written: &str, text: &str) -> Vec<Range<usize>> {
        let pattern = pattern(written);
        let mut all = Vec::new();
        let mut begin = 0;
        for line in text.split_inclusive('\n') {
            let shown = line.trim_end_matches(['\n', '\r']);
            let mut at = 0;
            while let Some(found) = pattern.find(shown, at) {
                at = found.end;
                all.push(begin + found.start..begin + found.end);
            }
            begin += line.len();
        }
        all
    }

    #[test]
    fn a_match_lies_in_a_line() {
        assert_eq!(whole("a.?b", "a\nb ab\r\naxb"), [4..6, 8..11]);
        assert_eq!(whole("b$", "ab\r\nb"), [1..2, 4..5]);
        assert_eq!(whole("[^x]+", "ab\ncd"), [0..2, 3..5]);
        assert!(whole("^", "ab\ncd").is_empty());
    }

    #[test]
    fn what_touches_some_bytes() {
        let mut found = Found::default();
        found.go_on(&pattern("ab"), "ab ab ab", &mut 100, 9);
        assert_eq!(found.within(&(1..4)), [0..2, 3..5]);
        assert!(found.within(&(2..3)).is_empty());
        assert_eq!(
            (found.from(1), found.from(7), found.before(3), found.before(0)),
            (Some(1), None, Some(0), None)
        );
    }

    #[test]
    fn more_than_enough_is_not_listed() {
        let mut found = Found::default();
        found.go_on(&pattern("a"), &"a\n".repeat(100), &mut usize::MAX.clone(), 10);
        assert_eq!((found.matches().len(), found.has_seen(200)), (10, true));
    }

    #[test]
    fn a_line_without_an_end_is_looked_at_in_parts() {
        let long = format!("{}needle{}needle", "é".repeat(PART / 2 - 1), "x".repeat(9 * PART));
        assert_eq!(whole("needle", &long), plainly("needle", &long));
        let mut found = Found::default();
        let mut slices = 0;
        while !found.has_seen(long.len()) {
            found.go_on(&pattern("needle"), &long, &mut 1, usize::MAX);
            slices += 1;
            assert!(slices < 100);
        }
        assert_eq!((found.matches().len(), slices), (2, 10));
    }

    proptest! {
        #[test]
        fn growing_and_slicing_find_what_the_whole_has(
            pieces in prop::collection::vec((prop_oneof![
                Just("ab"), Just("a"), Just("b"), Just("\n"), Just("\r\n"), Just("K"), Just("\u{212a}"), Just("é"), Just(" ab ab"),
            ], 1usize..60), 0..20),
            written in prop_oneof![Just("ab"), Just("a+"), Just("[^a]b?"), Just("k"), Just("^a"), Just("b$"), Just("x*")],
        ) {
            let (mut found, mut text) = (Found::default(), String::new());
            let pattern = pattern(written);
            for (piece, mut budget) in pieces {
                text.push_str(piece);
                found.go_on(&pattern, &text, &mut budget, usize::MAX);
            }
            while !found.has_seen(text.len()) {
                found.go_on(&pattern, &text, &mut 1, usize::MAX);
            }
            let plain = plainly(written, &text);
            prop_assert_eq!(found.matches(), &plain);
            prop_assert_eq!(whole(written, &text), plain);
        }

        #[test]
        fn parts_of_long_lines_find_what_the_line_has(at in 0usize..40, second in 0usize..40, cut in 0usize..80) {
            let mut text = "x".repeat(PART - 20 + at);
            text.push_str("needle");
            text.push_str(&"é".repeat(PART / 2 + second));
            text.push_str("needle\nneedle");
            let mut found = Found::default();
            let cut = text.floor_char_boundary(PART - 20 + cut);
            let pattern = pattern("needle");
            found.go_on(&pattern, &text[..cut], &mut usize::MAX.clone(), usize::MAX);
            found.go_on(&pattern, &text, &mut usize::MAX.clone(), usize::MAX);
            prop_assert_eq!(found.matches(), plainly("needle", &text));
        }
    }
}
