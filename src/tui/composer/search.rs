//! Looking for something that was written before, while one writes what it was like.

use super::super::completion::fuzzy::{Found, Names};
use super::super::text::{clean, clusters};
use super::piece::Piece;

/// As many are found as a person would scroll through.
const MOST: usize = 100;
/// What is looked at of a long entry.
const LOOKED_AT: usize = 500;

#[derive(Debug)]
pub struct Search {
    query: String,
    /// The newest first.
    names: Names,
    found: Vec<Found>,
    chosen: usize,
}

impl Search {
    #[must_use]
    pub fn new(entries: &[Piece]) -> Self {
        let lines = entries.iter().rev().map(|entry| on_one_line(entry.text())).collect();
        let mut search = Self {
            query: String::new(),
            names: Names::in_order(lines),
            found: Vec::new(),
            chosen: 0,
        };
        search.find();
        search
    }

    pub fn query(&self) -> &str {
        &self.query
    }

    pub fn found(&self) -> &[Found] {
        &self.found
    }

    pub fn chosen(&self) -> usize {
        self.chosen
    }

    /// The number of the chosen one, from the newest.
    pub fn choice(&self) -> Option<usize> {
        self.found.get(self.chosen).map(|found| found.index)
    }

    pub fn write(&mut self, text: &str) {
        self.query.push_str(&clean(text).replace(['\n', '\t'], " "));
        self.query.truncate(self.query.floor_char_boundary(LOOKED_AT));
        self.find();
    }

    /// Takes the last character back, the last word, or everything.
    pub fn erase(&mut self, what: Erase) {
        let end = match what {
            Erase::Character => clusters(&self.query).last().map_or(0, |(at, _)| at),
            Erase::Word => self.query.trim_end().rfind(' ').map_or(0, |at| at + 1),
            Erase::All => 0,
        };
        self.query.truncate(end);
        self.find();
    }

    /// Moves the choice, from the last to the first and back.
    pub fn choose(&mut self, by: isize) {
        let all = self.found.len().cast_signed();
        self.chosen = (self.chosen.cast_signed() + by).rem_euclid(all.max(1)).unsigned_abs();
    }

    pub fn pick(&mut self, index: usize) {
        self.chosen = index.min(self.found.len().saturating_sub(1));
    }

    fn find(&mut self) {
        self.found = self.names.find(&self.query, MOST);
        self.chosen = 0;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erase {
    Character,
    Word,
    All,
}

/// The beginning of an entry, its lines after each other.
fn on_one_line(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(LOOKED_AT)];
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ⏎ ").replace('\t', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_what_is_like_it_comes_first() {
        let entries = ["where is main", "why\n\tso", "what is a main"].map(Piece::from);
        let mut search = Search::new(&entries);
        let names = |search: &Search| {
            search
                .found()
                .iter()
                .map(|found| found.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&search), ["what is a main", "why ⏎ so", "where is main"]);
        search.write("is m");
        assert_eq!(names(&search).len(), 2);
        search.choose(-1);
        let choice = search.choice().unwrap();
        assert_eq!(on_one_line(entries[2 - choice].text()), names(&search)[1]);
        search.erase(Erase::Character);
        assert_eq!(search.query(), "is ");
        search.erase(Erase::Word);
        assert_eq!(search.query(), "");
        search.write("nothing like this");
        assert_eq!(search.choice(), None);
        search.erase(Erase::All);
        assert_eq!(search.choice(), Some(0));
    }
}
