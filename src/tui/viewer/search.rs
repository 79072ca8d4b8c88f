//! Searching a document, a part at a time.
//!
//! A document of thirty megabytes is not searched between two frames, so [`Search::go_on`] looks at a bounded part and
//! is called again until nothing is left. Upper case in what is searched for makes it matter, as in vim.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::Spot;

/// Bytes and matches that are gone through at once.
const SLICE: usize = 1024 * 1024;
const SLICE_MATCHES: usize = 10_000;
/// More matches are not listed; nobody walks through them.
const MOST: usize = 1_000_000;

#[derive(Debug)]
pub struct Search {
    pub query: String,
    pattern: Option<Regex>,
    /// Where in the text it stands, in order.
    pub found: Vec<Range<usize>>,
    /// Bytes that have been gone through.
    scanned: usize,
    done: bool,
    /// Which one is looked at.
    pub current: Option<usize>,
    /// Where it was begun: the first from there on is gone to.
    pub origin: Spot,
}

impl Search {
    pub fn new(query: &str, origin: Spot) -> Self {
        let pattern = RegexBuilder::new(&regex::escape(query))
            .case_insensitive(!query.contains(char::is_uppercase))
            .build()
            .ok()
            .filter(|_| !query.is_empty());
        Self {
            query: query.to_owned(),
            done: pattern.is_none(),
            pattern,
            found: Vec::new(),
            scanned: 0,
            current: None,
            origin,
        }
    }

    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Goes through the next part of the text, which is always the same.
    pub fn go_on(&mut self, text: &str) {
        let Some(pattern) = self.pattern.as_ref().filter(|_| !self.done) else {
            return;
        };
        let end = text.ceil_char_boundary(self.scanned.saturating_add(SLICE));
        // A match that begins in this part may end after it; in another case a letter may be longer.
        let part = &text[..text.ceil_char_boundary(end.saturating_add(4 * self.query.len()))];
        let limit = (self.found.len() + SLICE_MATCHES).min(MOST);
        let mut at = self.scanned;
        self.scanned = loop {
            match pattern.find_at(part, at) {
                Some(found) if found.start() < end => {
                    at = found.end();
                    self.found.push(found.range());
                    if self.found.len() >= limit {
                        break at;
                    }
                }
                _ => break end.max(at),
            }
        };
        self.done = self.scanned >= text.len() || self.found.len() >= MOST;
    }

    /// The first match from `offset` on; the first of all if there is none and all are known.
    pub fn first_from(&self, offset: usize) -> Option<usize> {
        let index = self.found.partition_point(|found| found.start < offset);
        if index < self.found.len() {
            Some(index)
        } else {
            (self.done && !self.found.is_empty()).then_some(0)
        }
    }

    /// The last match before `offset`, or the last of all.
    pub fn last_before(&self, offset: usize) -> Option<usize> {
        let index = self.found.partition_point(|found| found.start < offset);
        index.checked_sub(1).or(self.found.len().checked_sub(1))
    }

    /// The matches that touch these bytes, with whether each is the one that is looked at.
    pub fn within(&self, bytes: Range<usize>) -> impl Iterator<Item = (Range<usize>, bool)> {
        let first = self.found.partition_point(|found| found.end <= bytes.start);
        let matches = self.found.iter().enumerate().skip(first);
        matches
            .take_while(move |(_, found)| found.start < bytes.end)
            .map(|(index, found)| (found.clone(), self.current == Some(index)))
    }

    /// `3/120`, `3/120…` while more is being searched.
    pub fn count(&self) -> String {
        use super::super::format::count;
        let more = match (self.done, self.found.len() >= MOST) {
            (false, _) => "…",
            (true, true) => "+",
            (true, false) => "",
        };
        match self.current {
            None if self.found.is_empty() && self.done => "no match".to_owned(),
            None => format!("{}{more}", count(self.found.len())),
            Some(current) => format!("{}/{}{more}", count(current + 1), count(self.found.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(query: &str, text: &str) -> Vec<Range<usize>> {
        search(query, text).found
    }

    fn search(query: &str, text: &str) -> Search {
        let mut search = Search::new(query, Spot::default());
        while !search.is_done() {
            search.go_on(text);
        }
        search
    }

    fn only(query: &str, text: &str) -> Range<usize> {
        let all = all(query, text);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }

    #[test]
    fn capital_letters_matter_only_if_there_are_some() {
        assert_eq!(all("tea", "Tea tea TEA").len(), 3);
        assert_eq!(only("Tea", "Tea tea TEA"), 0..3);
        assert_eq!(only("größe", "GRÖSSE GRÖßE"), 8..15);
        assert_eq!(only("a.c", "abc a.c"), 4..7);
        assert!(all("", "abc").is_empty());
    }

    #[test]
    fn every_part_ends_and_the_whole_is_found() {
        let text = format!("{}needle{}needle", "é".repeat(SLICE / 2 - 1), "x".repeat(2 * SLICE));
        let mut search = Search::new("needle", Spot::default());
        search.go_on(&text);
        assert_eq!((search.found.len(), search.is_done()), (1, false));
        assert_eq!(search.count(), "1…");
        assert_eq!(search.first_from(SLICE + 100), None, "it may still come");
        assert_eq!(all("needle", &text).len(), 2);
        let text = "ab".repeat(5 * SLICE_MATCHES);
        assert_eq!(all("b", &text).len(), 5 * SLICE_MATCHES);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn parts_find_what_the_whole_does(text in "(?s)[abK\u{212a}é]{0,40}", query in "[abkK]{1,3}", pad in 0usize..4) {
            let text = format!("{}{text}", "x".repeat(SLICE - 20 + pad));
            let whole: Vec<_> = Search::new(&query, Spot::default()).pattern.unwrap().find_iter(&text).map(|m| m.range()).collect();
            prop_assert_eq!(all(&query, &text), whole);
        }
    }
}
