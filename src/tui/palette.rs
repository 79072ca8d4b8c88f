//! Finding a command by a part of its name or of what it does.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::command::{self, Command};

/// A command that is like what was written.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub command: &'static Command,
    score: u32,
}

/// The list of commands while it is open. Without anything written, all are in it, as the table has them.
#[derive(Debug)]
pub struct Palette {
    written: String,
    pub found: Vec<Found>,
    pub chosen: usize,
    matcher: Matcher,
}

impl Palette {
    #[must_use]
    pub fn new() -> Self {
        let mut palette = Self {
            written: String::new(),
            found: Vec::new(),
            chosen: 0,
            matcher: Matcher::new(Config::DEFAULT),
        };
        palette.find();
        palette
    }

    pub fn written(&self) -> &str {
        &self.written
    }

    pub fn write(&mut self, text: &str) {
        self.written.extend(text.chars().filter(|c| !c.is_control()));
        self.find();
    }

    pub fn erase(&mut self) {
        self.written.pop();
        self.find();
    }

    pub fn erase_all(&mut self) {
        self.written.clear();
        self.find();
    }

    /// Moves the choice, around at both ends.
    pub fn choose(&mut self, rows: isize) {
        let last = self.found.len().saturating_sub(1);
        self.chosen = match self.chosen.checked_add_signed(rows) {
            None if self.chosen == 0 => last,
            None => 0,
            Some(_) if self.chosen == last => 0,
            Some(chosen) => chosen.min(last),
        };
    }

    /// Commands whose name holds what was written come before those whose description does.
    fn find(&mut self) {
        let pattern = Pattern::new(
            &self.written,
            CaseMatching::Ignore,
            Normalization::Smart,
            AtomKind::Fuzzy,
        );
        let matcher = &mut self.matcher;
        let mut characters = Vec::new();
        let mut score = |text: &str| pattern.score(Utf32Str::new(text, &mut characters), matcher);
        let mut score = |command: &Command| {
            let slash = command.slash.and_then(|(name, _)| score(name));
            let name = score(command.name).max(slash).map(|score| 2 * score);
            name.max(score(command.help))
        };
        let listed = command::anywhere();
        let found = listed.filter_map(|command| {
            let score = score(command)?;
            Some(Found { command, score })
        });
        self.found = found.collect();
        // Stable, so that equals stay in the order of the table.
        self.found.sort_by_key(|found| std::cmp::Reverse(found.score));
        self.chosen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::Action;
    use super::*;

    fn first(written: &str) -> Option<Action> {
        let mut palette = Palette::new();
        palette.write(written);
        palette.found.first().map(|found| found.command.action)
    }

    #[test]
    fn a_part_of_a_name_finds_its_command() {
        assert_eq!(first("reload"), Some(Action::Reload));
        assert_eq!(first("rld"), Some(Action::Reload));
        assert_eq!(first("colours"), Some(Action::Theme));
        assert_eq!(first("docs"), Some(Action::Documents));
        assert_eq!(first("xyzzy"), None);
        assert_eq!(first("panic"), None);
    }

    #[test]
    fn the_choice_goes_round() {
        let mut palette = Palette::new();
        let last = palette.found.len() - 1;
        palette.choose(-1);
        assert_eq!(palette.chosen, last);
        palette.choose(1);
        assert_eq!(palette.chosen, 0);
        palette.choose(10_000);
        assert_eq!(palette.chosen, last);
        palette.choose(-10_000);
        assert_eq!(palette.chosen, 0);
        palette.write("xyzzy");
        palette.choose(1);
        palette.choose(-1);
        assert_eq!(palette.chosen, 0);
    }
}
