//! Names that are like what was written, the most alike first.
//!
//! While a word grows, only the names that were like its beginning are looked at again.

use std::cmp::Reverse;

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32String};

#[derive(Debug)]
pub struct Names {
    /// What lies less deep comes first.
    all: Vec<Name>,
    matcher: Matcher,
    /// What was looked for last, and which names were like it.
    last: (String, Vec<u32>),
    /// Of names that are as much alike, the shorter comes first, else the earlier.
    shorter_first: bool,
}

#[derive(Debug)]
struct Name {
    text: String,
    /// The same as it is looked at.
    characters: Utf32String,
    tokens: Option<usize>,
    /// Its place in the list that was given.
    index: usize,
}

/// A name that is like what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    pub tokens: Option<usize>,
    /// Which of its clusters were written, in order.
    pub matched: Vec<usize>,
    /// Its place in the list that it is from.
    pub index: usize,
    /// What it is, in words.
    pub about: &'static str,
}

impl Names {
    /// Paths with their tokens.
    #[must_use]
    pub fn new(names: Vec<(String, usize)>) -> Self {
        let mut all: Vec<_> = names.into_iter().enumerate().collect();
        all.sort_by_cached_key(|(_, (name, _))| name.trim_end_matches('/').matches('/').count());
        let all = all
            .into_iter()
            .map(|(index, (text, tokens))| Name::new(index, text, Some(tokens)));
        Self::of(all.collect(), Config::DEFAULT.match_paths(), true)
    }

    /// Other texts, which stay in this order.
    #[must_use]
    pub fn in_order(texts: Vec<String>) -> Self {
        let all = texts.into_iter().enumerate();
        let all = all.map(|(index, text)| Name::new(index, text, None));
        Self::of(all.collect(), Config::DEFAULT, false)
    }

    fn of(all: Vec<Name>, config: Config, shorter_first: bool) -> Self {
        Self {
            last: (String::new(), (0..all.len() as u32).collect()),
            all,
            matcher: Matcher::new(config),
            shorter_first,
        }
    }

    /// The `most` names that are most like `query`, which all their characters have in this order.
    pub fn find(&mut self, query: &str, most: usize) -> Vec<Found> {
        let (last, like) = &self.last;
        let pattern = Pattern::new(query, CaseMatching::Smart, Normalization::Smart, AtomKind::Fuzzy);
        let among: Vec<u32> = if query.starts_with(last.as_str()) {
            like.clone()
        } else {
            (0..self.all.len() as u32).collect()
        };
        let mut scored: Vec<(Reverse<u32>, usize, u32)> = Vec::new();
        for index in among {
            let name = &self.all[index as usize];
            if let Some(score) = pattern.score(name.characters.slice(..), &mut self.matcher) {
                let length = if self.shorter_first { name.text.len() } else { 0 };
                scored.push((Reverse(score), length, index));
            }
        }
        self.last = (query.to_owned(), scored.iter().map(|&(.., index)| index).collect());
        if query.is_empty() {
            // All are alike: they stay in their order.
            scored.truncate(most);
        } else {
            if scored.len() > most {
                scored.select_nth_unstable(most);
                scored.truncate(most);
            }
            scored.sort_unstable();
        }
        scored
            .into_iter()
            .map(|(.., index)| {
                let name = &self.all[index as usize];
                let mut matched = Vec::new();
                pattern.indices(name.characters.slice(..), &mut self.matcher, &mut matched);
                matched.sort_unstable();
                matched.dedup();
                Found {
                    name: name.text.clone(),
                    tokens: name.tokens,
                    matched: matched.into_iter().map(|at| at as usize).collect(),
                    index: name.index,
                    about: "",
                }
            })
            .collect()
    }
}

impl Name {
    fn new(index: usize, text: String, tokens: Option<usize>) -> Self {
        Self {
            characters: Utf32String::from(text.as_str()),
            text,
            tokens,
            index,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(all: &[&str]) -> Names {
        Names::new(all.iter().map(|name| ((*name).to_owned(), 1)).collect())
    }

    fn found(names: &mut Names, query: &str) -> Vec<String> {
        names.find(query, 10).into_iter().map(|found| found.name).collect()
    }

    #[test]
    fn the_most_alike_come_first() {
        let mut names = names(&[
            "src/tui/view/help.rs",
            "docs/help.md",
            "src/",
            "src/tui/help_text.rs",
            "Help",
        ]);
        assert_eq!(
            found(&mut names, ""),
            [
                "src/",
                "Help",
                "docs/help.md",
                "src/tui/help_text.rs",
                "src/tui/view/help.rs"
            ]
        );
        assert_eq!(found(&mut names, "help")[0], "Help");
        assert_eq!(found(&mut names, "helpmd"), ["docs/help.md"]);
        assert_eq!(found(&mut names, "stvh"), ["src/tui/view/help.rs"]);
        assert_eq!(found(&mut names, "Help"), ["Help"]);
        assert_eq!(found(&mut names, "zzz"), Vec::<String>::new());
        assert_eq!(found(&mut names, "srchelptext"), ["src/tui/help_text.rs"]);
    }

    #[test]
    fn what_was_written_is_emphasised() {
        let mut names = names(&["bücher/你好.md"]);
        let found = names.find("büd", 1);
        assert_eq!(found[0].matched, [0, 1, 11]);
        assert_eq!(names.find("你m", 1)[0].matched, [7, 10]);
    }

    proptest! {
        #[test]
        fn narrowing_equals_looking_at_all(all in prop::collection::vec("[abAB/.ä]{1,8}", 0..30), query in "[abAä/]{0,5}") {
            let list = || all.iter().map(|name| (name.clone(), 0)).collect::<Vec<_>>();
            let mut narrowed = Names::new(list());
            for (end, _) in query.char_indices().chain([(query.len(), ' ')]) {
                let step = narrowed.find(&query[..end], 5);
                prop_assert_eq!(step, Names::new(list()).find(&query[..end], 5));
            }
        }
    }
}
