//! Where it stands in several texts, a slice at a time.
//!
//! Texts are numbered from 0; more may come, and any may grow. One with nothing to be searched is empty.

use std::ops::Range;

use super::found::Found;
use super::pattern::Pattern;
use crate::tui::transcript::Heights;

/// More matches are not listed; nobody walks through them.
const MOST: usize = 1_000_000;

/// One match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub text: usize,
    pub at: Range<usize>,
}

/// Which match is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Searched from this text on, from this byte on.
    pub from: (usize, usize),
    pub forward: bool,
}

/// What is known of the match that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It may still be found.
    Wait,
    Nothing,
    /// With whether it is beyond the end of all texts, or their beginning.
    Hit(Hit, bool),
}

#[derive(Debug)]
pub struct Hits {
    pattern: Pattern,
    found: Vec<Found>,
    counts: Heights,
    /// The texts that have some, in order.
    having: Vec<usize>,
    /// Texts before this one are through, but for what they have grown.
    next: usize,
    done: bool,
}

impl Hits {
    pub fn of(pattern: Pattern) -> Self {
        Self {
            pattern,
            found: Vec::new(),
            counts: Heights::default(),
            having: Vec::new(),
            next: 0,
            done: false,
        }
    }

    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether all texts were through when last looked at.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Whether some matches are not listed.
    pub fn is_full(&self) -> bool {
        self.total() >= MOST
    }

    pub fn total(&self) -> usize {
        self.counts.total()
    }

    pub fn in_text(&self, text: usize) -> &[Range<usize>] {
        self.found.get(text).map_or(&[], Found::matches)
    }

    /// The texts that have some, in order.
    pub fn having(&self) -> &[usize] {
        &self.having
    }

    /// Looks at about `budget` bytes of what has not been looked at.
    pub fn go_on<'a>(&mut self, texts: usize, text: impl Fn(usize) -> &'a str, mut budget: usize) {
        while self.found.len() < texts {
            self.found.push(Found::default());
            self.counts.push(0);
        }
        // What has grown comes first: it is little, and what the person looks at.
        for index in (0..self.next).chain(self.next..texts) {
            let text = text(index);
            if index < self.next && self.found[index].has_seen(text.len()) {
                continue;
            }
            let room = MOST - (self.total() - self.counts.get(index));
            self.found[index].go_on(&self.pattern, text, &mut budget, room);
            self.count(index);
            let through = self.found[index].has_seen(text.len());
            if through {
                self.next = self.next.max(index + 1);
            }
            if !through || budget == 0 {
                self.done = false;
                return;
            }
        }
        self.done = true;
    }

    fn count(&mut self, text: usize) {
        let count = self.found[text].matches().len();
        self.counts.set(text, count);
        match (self.having.binary_search(&text), count) {
            (Ok(at), 0) => drop(self.having.remove(at)),
            (Err(at), 1..) => self.having.insert(at, text),
            _ => {}
        }
    }

    /// The match that is looked for.
    pub fn find(&self, Wanted { from, forward }: Wanted) -> Answer {
        let (text, offset) = from;
        let hit = |text: usize, index: usize| Hit {
            text,
            at: self.found[text].matches()[index].clone(),
        };
        let here = self.found.get(text);
        let after = self.having.partition_point(|&other| other <= text);
        let beside = if forward {
            let here = here.and_then(|found| found.from(offset)).map(|index| hit(text, index));
            here.or_else(|| self.having.get(after).map(|&text| hit(text, 0)))
        } else {
            let before = self.having.partition_point(|&other| other < text);
            let here = here
                .and_then(|found| found.before(offset))
                .map(|index| hit(text, index));
            here.or_else(|| before.checked_sub(1).map(|at| self.last_of(self.having[at])))
        };
        // Backwards, a nearer one may still come until all before is through.
        let certain = self.done || (forward || self.next > text);
        match beside {
            Some(hit) if certain => Answer::Hit(hit, false),
            _ if !self.done => Answer::Wait,
            _ => match (self.having.first(), self.having.last()) {
                (Some(&first), _) if forward => Answer::Hit(hit(first, 0), true),
                (_, Some(&last)) => Answer::Hit(self.last_of(last), true),
                _ => Answer::Nothing,
            },
        }
    }

    fn last_of(&self, text: usize) -> Hit {
        let matches = self.found[text].matches();
        Hit {
            text,
            at: matches[matches.len() - 1].clone(),
        }
    }

    /// The number of a match, from 1, if it is one.
    pub fn number(&self, hit: &Hit) -> Option<usize> {
        let matches = self.in_text(hit.text);
        let index = matches.binary_search_by_key(&hit.at.start, |at| at.start).ok()?;
        Some(self.counts.before(hit.text) + index + 1)
    }

    /// The matches in a text that touch these bytes.
    pub fn within(&self, text: usize, bytes: &Range<usize>) -> &[Range<usize>] {
        self.found.get(text).map_or(&[], |found| found.within(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hits(written: &str) -> Hits {
        Hits::of(Pattern::new(written).unwrap())
    }

    fn all(texts: &[String], written: &str) -> Hits {
        let mut hits = hits(written);
        while !hits.is_done() {
            hits.go_on(texts.len(), |index| &texts[index], 1 << 20);
        }
        hits
    }

    fn texts(of: &[&str]) -> Vec<String> {
        of.iter().map(|&text| text.to_owned()).collect()
    }

    fn find(hits: &Hits, from: (usize, usize), forward: bool) -> Option<(usize, usize, bool)> {
        match hits.find(Wanted { from, forward }) {
            Answer::Hit(hit, wrapped) => Some((hit.text, hit.at.start, wrapped)),
            _ => None,
        }
    }

    #[test]
    fn from_match_to_match_and_around() {
        let hits = all(&texts(&["a b", "", "b", "a a"]), "a");
        assert_eq!((hits.total(), hits.having()), (3, &[0, 3][..]));
        assert_eq!(find(&hits, (0, 0), true), Some((0, 0, false)));
        assert_eq!(find(&hits, (0, 1), true), Some((3, 0, false)));
        assert_eq!(find(&hits, (3, 3), true), Some((0, 0, true)));
        assert_eq!(find(&hits, (3, 2), false), Some((3, 0, false)));
        assert_eq!(find(&hits, (1, 0), false), Some((0, 0, false)));
        assert_eq!(find(&hits, (0, 0), false), Some((3, 2, true)));
        assert_eq!(find(&hits, (99, 99), true), Some((0, 0, true)));
        assert_eq!(hits.number(&Hit { text: 3, at: 2..3 }), Some(3));
        assert_eq!(hits.number(&Hit { text: 2, at: 2..3 }), None);
        assert_eq!(
            all(&texts(&["x"]), "a").find(Wanted {
                from: (0, 0),
                forward: true
            }),
            Answer::Nothing
        );
    }

    #[test]
    fn nothing_is_said_before_it_is_known() {
        let texts = texts(&["a\n", "b\n", "a\n"]);
        let mut hits = hits("a");
        let wanted = |from, forward| Wanted { from, forward };
        hits.go_on(3, |index| &texts[index], 1);
        assert!(!hits.is_done());
        assert_eq!(
            find(&hits, (0, 0), true),
            Some((0, 0, false)),
            "nothing nearer can come"
        );
        assert_eq!(hits.find(wanted((1, 0), true)), Answer::Wait);
        assert_eq!(hits.find(wanted((2, 0), false)), Answer::Wait);
        assert_eq!(hits.find(wanted((0, 0), false)), Answer::Wait, "the last of all");
        while !hits.is_done() {
            hits.go_on(3, |index| &texts[index], 1);
        }
        assert_eq!(find(&hits, (0, 0), false), Some((2, 0, true)));
    }

    #[test]
    fn a_million_is_enough() {
        let texts = vec!["a".repeat(600_000), "b".into(), "a\n".repeat(600_000)];
        let hits = all(&texts, "a");
        assert_eq!((hits.total(), hits.is_full()), (MOST, true));
    }

    proptest! {
        #[test]
        fn growing_texts_have_what_the_whole_ones_have(
            steps in prop::collection::vec((0usize..4, "[ab\n]{0,4}", 0usize..12), 0..30),
        ) {
            let mut texts: Vec<String> = Vec::new();
            let mut hits = hits("ab?");
            for (index, piece, budget) in steps {
                if index >= texts.len() {
                    texts.push(piece);
                } else {
                    texts[index].push_str(&piece);
                }
                hits.go_on(texts.len(), |index| &texts[index], budget);
                let total: usize = (0..texts.len()).map(|text| hits.in_text(text).len()).sum();
                prop_assert_eq!(hits.total(), total);
            }
            for _ in 0..1000 {
                hits.go_on(texts.len(), |index| &texts[index], 3);
            }
            prop_assert!(hits.is_done());
            let whole = all(&texts, "ab?");
            for text in 0..texts.len() {
                prop_assert_eq!(hits.in_text(text), whole.in_text(text));
            }
            prop_assert_eq!(hits.having(), whole.having());
        }

        #[test]
        fn every_match_is_walked_through_once_both_ways(texts in prop::collection::vec("[ab ]{0,6}", 0..5)) {
            let hits = all(&texts, "a");
            for forward in [true, false] {
                let mut walked = Vec::new();
                let mut from = if forward { (0, 0) } else { (texts.len(), 0) };
                while let Some((text, at, false)) = find(&hits, from, forward) {
                    walked.push((text, at));
                    from = if forward { (text, at + 1) } else { (text, at) };
                }
                if !forward {
                    walked.reverse();
                }
                let plain: Vec<_> = (0..texts.len()).flat_map(|text| hits.in_text(text).iter().map(move |at| (text, at.start))).collect();
                prop_assert_eq!(walked, plain);
            }
        }
    }
}
