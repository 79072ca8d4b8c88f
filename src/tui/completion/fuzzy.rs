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
}

#[derive(Debug)]
struct Name {
    text: String,
    /// The same as it is looked at.
    characters: Utf32String,
    tokens: usize,
}

/// A name that is like what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    pub tokens: Option<usize>,
    /// Which of its clusters were written, in order.
    pub matched: Vec<usize>,
}

impl Names {
    #[must_use]
    pub fn new(mut names: Vec<(String, usize)>) -> Self {
        names.sort_by_cached_key(|(name, _)| name.trim_end_matches('/').matches('/').count());
        let all: Vec<_> = names
            .into_iter()
            .map(|(text, tokens)| Name {
                characters: Utf32String::from(text.as_str()),
                text,
                tokens,
            })
            .collect();
        Self {
            last: (String::new(), (0..all.len() as u32).collect()),
            all,
            matcher: Matcher::new(Config::DEFAULT.match_paths()),
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
                scored.push((Reverse(score), name.text.len(), index));
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
                    tokens: Some(name.tokens),
                    matched: matched.into_iter().map(|at| at as usize).collect(),
                }
            })
            .collect()
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
