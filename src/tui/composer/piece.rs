//! Text in which a stretch may stand for something larger that was pasted.
//!
//! A chip is part of the text, its label, so that everything which measures, wraps and draws text needs to know nothing
//! of it; only what edits must leave it whole. Chips lie in the order of the text and never overlap.

use std::ops::Range;
use std::sync::Arc;

use super::super::format;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    text: String,
    chips: Vec<Chip>,
}

/// A label in the text, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    pub range: Range<usize>,
    pub number: usize,
    pub pasted: Arc<str>,
    /// How many tokens it is, since that is known.
    pub tokens: Option<usize>,
}

impl Piece {
    /// A chip and nothing else: `[pasted 214 lines, 9,120 characters #1]`.
    #[must_use]
    pub fn chip(number: usize, pasted: impl Into<Arc<str>>) -> Self {
        let pasted = pasted.into();
        let lines = format::counted(pasted.lines().count(), "line");
        let characters = format::counted(pasted.chars().count(), "character");
        let text = format!("[pasted {lines}, {characters} #{number}]");
        let chips = vec![Chip {
            range: 0..text.len(),
            number,
            pasted,
            tokens: None,
        }];
        Self { text, chips }
    }

    /// Has each chip that stands for this say how many tokens it is: `[pasted 214 lines, 2,310 tokens #1]`. Labels keep
    /// their length, so that everything else stays where it is; what is left of one is blank at its end. The ranges that
    /// say something else now.
    pub fn tell_tokens(&mut self, pasted: &Arc<str>, tokens: usize) -> Vec<Range<usize>> {
        let mut changed = Vec::new();
        for chip in &mut self.chips {
            if chip.tokens.is_some() || !Arc::ptr_eq(&chip.pasted, pasted) {
                continue;
            }
            chip.tokens = Some(tokens);
            let lines = format::counted(pasted.lines().count(), "line");
            let label = format!(
                "[pasted {lines}, {} #{}]",
                format::counted(tokens, "token"),
                chip.number
            );
            let wide = chip.range.len();
            if label.len() <= wide {
                self.text.replace_range(chip.range.clone(), &format!("{label:wide$}"));
                changed.push(chip.range.clone());
            }
        }
        changed
    }

    /// What is seen.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn chips(&self) -> &[Chip] {
        &self.chips
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.text.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// What is meant: with everything that was pasted.
    #[must_use]
    pub fn whole(&self) -> String {
        let mut whole = String::new();
        let mut at = 0;
        for chip in &self.chips {
            whole.push_str(&self.text[at..chip.range.start]);
            whole.push_str(&chip.pasted);
            at = chip.range.end;
        }
        whole.push_str(&self.text[at..]);
        whole
    }

    /// The chip that an offset lies inside of, not at an end of.
    #[must_use]
    pub fn chip_around(&self, offset: usize) -> Option<&Chip> {
        self.chips
            .iter()
            .find(|chip| chip.range.start < offset && offset < chip.range.end)
    }

    #[must_use]
    pub fn chip_from(&self, offset: usize) -> Option<&Chip> {
        self.chips.iter().find(|chip| chip.range.start == offset)
    }

    /// A range such that every chip it has something of lies wholly within it.
    #[must_use]
    pub fn widened(&self, range: Range<usize>) -> Range<usize> {
        if range.is_empty() {
            let at = self.chip_around(range.start).map_or(range.start, |chip| chip.range.end);
            return at..at;
        }
        let start = self
            .chip_around(range.start)
            .map_or(range.start, |chip| chip.range.start);
        let end = self.chip_around(range.end).map_or(range.end, |chip| chip.range.end);
        start..end
    }

    /// A part; the range must not cut a chip.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let is_within = |chip: &&Chip| range.start <= chip.range.start && chip.range.end <= range.end;
        let moved = |chip: &Chip| Chip {
            range: chip.range.start - range.start..chip.range.end - range.start,
            ..chip.clone()
        };
        Self {
            chips: self.chips.iter().filter(is_within).map(moved).collect(),
            text: self.text[range].to_owned(),
        }
    }

    /// Puts `with` in the place of a range that cuts no chip, and returns what was there.
    pub fn replace(&mut self, range: Range<usize>, with: &Self) -> Self {
        let removed = self.slice(range.clone());
        self.text.replace_range(range.clone(), &with.text);
        self.chips
            .retain(|chip| chip.range.end <= range.start || range.end <= chip.range.start);
        let at = self.chips.partition_point(|chip| chip.range.end <= range.start);
        for chip in &mut self.chips[at..] {
            chip.range.start = chip.range.start - range.len() + with.len();
            chip.range.end = chip.range.end - range.len() + with.len();
        }
        let moved = |chip: &Chip| Chip {
            range: chip.range.start + range.start..chip.range.end + range.start,
            ..chip.clone()
        };
        self.chips.splice(at..at, with.chips.iter().map(moved));
        removed
    }

    pub fn append(&mut self, other: &Self) {
        let end = self.len();
        self.replace(end..end, other);
    }

    /// A number that no chip has.
    #[must_use]
    pub fn next_number(&self) -> usize {
        1 + self.chips.iter().map(|chip| chip.number).max().unwrap_or(0)
    }
}

impl<T: Into<String>> From<T> for Piece {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            chips: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chip_says_how_much_it_stands_for() {
        let chip = Piece::chip(3, "a line\n".repeat(214));
        assert_eq!(chip.text(), "[pasted 214 lines, 1,498 characters #3]");
        assert_eq!(Piece::chip(1, "é").text(), "[pasted 1 line, 1 character #1]");
        assert_eq!(chip.whole(), "a line\n".repeat(214));
        assert_eq!(chip.next_number(), 4);
    }

    #[test]
    fn a_part_of_a_chip_means_all_of_it() {
        let mut piece = Piece::from("ab");
        let chip = Piece::chip(1, "x");
        piece.replace(1..1, &chip);
        let end = 1 + chip.len();
        assert_eq!(piece.widened(0..3), 0..end);
        assert_eq!(piece.widened(3..end + 1), 1..end + 1);
        assert_eq!(piece.widened(5..5), end..end);
        assert_eq!(piece.widened(0..1), 0..1);
        assert_eq!(piece.whole(), "axb");
    }

    #[test]
    fn a_chip_says_its_tokens_once_they_are_known_and_nothing_moves() {
        let chip = Piece::chip(3, "a line\n".repeat(214));
        let mut piece = Piece::from("see  now");
        piece.replace(4..4, &chip);
        let (before, pasted) = (piece.clone(), piece.chips()[0].pasted.clone());
        assert_eq!(piece.tell_tokens(&"other".into(), 7), Vec::<Range<usize>>::new());
        assert_eq!(piece.tell_tokens(&pasted, 512).first(), Some(&(4..4 + chip.len())));
        assert!(
            piece.text().starts_with("see [pasted 214 lines, 512 tokens #3] "),
            "{:?}",
            piece.text()
        );
        assert_eq!((piece.len(), piece.whole()), (before.len(), before.whole()));
        assert!(piece.tell_tokens(&pasted, 512).is_empty(), "it is said already");
        assert!(Piece::chip(1, "x").tell_tokens(&pasted, 4).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_meant_follows_what_is_done(steps in prop::collection::vec((0usize..40, 0usize..40, "[ab]{0,3}", any::<bool>()), 0..30)) {
            let mut piece = Piece::default();
            for (from, to, text, chip) in steps {
                let (from, to) = (from.min(piece.len()), to.min(piece.len()));
                let range = piece.widened(from.min(to)..from.max(to));
                let with = if chip { Piece::chip(piece.next_number(), text) } else { Piece::from(text) };
                let (before, after) = (piece.slice(0..range.start), piece.slice(range.end..piece.len()));
                let was = piece.clone();
                let removed = piece.replace(range.clone(), &with);
                prop_assert_eq!(piece.whole(), format!("{}{}{}", before.whole(), with.whole(), after.whole()));
                prop_assert_eq!(was.whole(), format!("{}{}{}", before.whole(), removed.whole(), after.whole()));
                for chip in piece.chips() {
                    prop_assert!(piece.text()[chip.range.clone()].starts_with("[pasted "));
                }
                let mut back = piece.clone();
                back.replace(range.start..range.start + with.len(), &removed);
                prop_assert_eq!(back, was);
            }
        }
    }
}
