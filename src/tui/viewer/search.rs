//! Searching a document, a part at a time.
//!
//! A document of thirty megabytes is not searched between two frames, so [`Search::go_on`] looks at a bounded part and
//! is called again until nothing is left.

use std::ops::Range;

use super::super::search::{Found, Pattern};
use super::Spot;

/// What is gone through at once, in bytes.
const SLICE: usize = 256 * 1024;
/// More matches are not listed; nobody walks through them.
const MOST: usize = 1_000_000;

#[derive(Debug)]
pub struct Search {
    pub query: String,
    pattern: Result<Pattern, String>,
    /// Where in the text it stands.
    found: Found,
    done: bool,
    /// Which one is looked at.
    pub current: Option<usize>,
    /// Where it was begun: the first from there on is gone to.
    pub origin: Spot,
}

impl Search {
    pub fn new(query: &str, origin: Spot) -> Self {
        Self::with(query, Pattern::new(query), origin)
    }

    /// Of a pattern that has been searched for elsewhere.
    pub fn of(pattern: &Pattern, origin: Spot) -> Self {
        Self::with(pattern.written(), Ok(pattern.clone()), origin)
    }

    fn with(query: &str, pattern: Result<Pattern, String>, origin: Spot) -> Self {
        Self {
            query: query.to_owned(),
            done: pattern.is_err(),
            pattern,
            found: Found::default(),
            current: None,
            origin,
        }
    }

    pub fn is_done(&self) -> bool {
        self.done
    }

    /// In order.
    pub fn found(&self) -> &[Range<usize>] {
        self.found.matches()
    }

    /// Goes through the next part of the text, which is always the same.
    pub fn go_on(&mut self, text: &str) {
        if let Ok(pattern) = &self.pattern {
            self.found.go_on(pattern, text, &mut SLICE.clone(), MOST);
            self.done = self.found.has_seen(text.len());
        }
    }

    /// The first match from `offset` on; the first of all if there is none and all are known.
    pub fn first_from(&self, offset: usize) -> Option<usize> {
        let first = || (self.done && !self.found().is_empty()).then_some(0);
        self.found.from(offset).or_else(first)
    }

    /// The last match before `offset`, or the last of all.
    pub fn last_before(&self, offset: usize) -> Option<usize> {
        self.found.before(offset).or(self.found().len().checked_sub(1))
    }

    /// The matches that touch these bytes, with whether each is the one that is looked at.
    pub fn within(&self, bytes: Range<usize>) -> impl Iterator<Item = (Range<usize>, bool)> {
        let current = self.current.and_then(|index| self.found().get(index));
        let within = self.found.within(&bytes).iter();
        within.map(move |found| (found.clone(), current == Some(found)))
    }

    /// `3/120`, `3/120…` while more is being searched; or what is wrong with what is searched for.
    pub fn count(&self) -> String {
        use super::super::format::count;
        if let Err(message) = &self.pattern {
            return message.clone();
        }
        let found = self.found().len();
        let more = match (self.done, found >= MOST) {
            (false, _) => "…",
            (true, true) => "+",
            (true, false) => "",
        };
        match self.current {
            None if found == 0 && self.done => "no match".to_owned(),
            None => format!("{}{more}", count(found)),
            Some(current) => format!("{}/{}{more}", count(current + 1), count(found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_ends_and_the_whole_is_found() {
        let text = format!("needle\n{}\nneedle", "x\n".repeat(SLICE));
        let mut search = Search::new("needle", Spot::default());
        search.go_on(&text);
        assert_eq!((search.found().len(), search.is_done()), (1, false));
        assert_eq!(search.count(), "1…");
        assert_eq!(search.first_from(100), None, "it may still come");
        while !search.is_done() {
            search.go_on(&text);
        }
        assert_eq!((search.count().as_str(), search.first_from(100)), ("2", Some(1)));
        assert_eq!((search.last_before(3), search.last_before(0)), (Some(0), Some(1)));
    }

    #[test]
    fn what_is_wrong_is_said_instead_of_a_number() {
        let mut search = Search::new("(a", Spot::default());
        assert!(search.is_done());
        search.go_on("(a");
        assert_eq!(search.count(), "unclosed group");
    }
}
