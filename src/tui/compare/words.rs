//! Which words of two segments differ: the shortest edit of one into the other, word by word (Myers 1986).

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};
use unicode_segmentation::UnicodeSegmentation;

/// In longer segments no words are marked: the time grows with length times difference.
const MOST: usize = 2_000;

/// The bytes of each text that are not in the other, in order. White space makes no difference.
pub fn changed(left: &str, right: &str) -> [Vec<Range<usize>>; 2] {
    let (a, b) = (words(left), words(right));
    if a.len().max(b.len()) > MOST {
        return [Vec::new(), Vec::new()];
    }
    let said = [said(left, &a), said(right, &b)];
    let mut changed = [Vec::new(), Vec::new()];
    for edit in capture_diff_slices(Algorithm::Myers, &said[0], &said[1]) {
        if !matches!(edit, DiffOp::Equal { .. }) {
            changed[0].extend(span(&a, edit.old_range()));
            changed[1].extend(span(&b, edit.new_range()));
        }
    }
    changed
}

/// Where the words of a text are.
fn words(text: &str) -> Vec<Range<usize>> {
    let words = text.split_word_bound_indices();
    let words = words.filter(|(_, word)| !word.trim().is_empty());
    words.map(|(at, word)| at..at + word.len()).collect()
}

fn said<'a>(text: &'a str, words: &[Range<usize>]) -> Vec<&'a str> {
    words.iter().map(|word| &text[word.clone()]).collect()
}

/// From the first of some words to the last of them.
fn span(words: &[Range<usize>], some: Range<usize>) -> Option<Range<usize>> {
    let some = words.get(some)?;
    Some(some.first()?.start..some.last()?.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marked(left: &str, right: &str) -> [Vec<String>; 2] {
        let [a, b] = changed(left, right);
        let texts = |text: &str, ranges: Vec<Range<usize>>| -> Vec<String> {
            ranges.into_iter().map(|at| text[at].to_owned()).collect()
        };
        [texts(left, a), texts(right, b)]
    }

    #[test]
    fn words_that_the_other_has_not_are_marked() {
        let of = |left, right| marked(left, right).map(|texts| texts.join("|"));
        assert_eq!(of("nobody sailed today", "nobody had sailed"), ["today", "had"]);
        assert_eq!(of("the  same\nwords", "the same words"), ["", ""]);
        assert_eq!(of("a (b) c", "a [b] c"), ["(|)", "[|]"]);
        assert_eq!(of("all new words", "other things"), ["all new words", "other things"]);
        assert_eq!(of("他说好", "他说不好"), ["", "不"]);
        assert_eq!(of("", "x"), ["", "x"]);
    }

    #[test]
    fn very_long_ones_are_left_alone() {
        let long = "word ".repeat(MOST + 1);
        assert!(changed(&long, "word").iter().all(Vec::is_empty));
    }

    proptest! {
        #[test]
        fn without_the_marked_words_both_say_the_same(left in "[ab你 .\n]{0,30}", right in "[ab你 .\n]{0,30}") {
            let rest = |text: &str, changed: &[Range<usize>]| {
                let is_left = |word: &Range<usize>| changed.iter().all(|at| word.end <= at.start || at.end <= word.start);
                let left: Vec<_> = words(text).into_iter().filter(is_left).collect();
                said(text, &left).concat()
            };
            let [a, b] = changed(&left, &right);
            let (left, right): (String, String) = (rest(&left, &a), rest(&right, &b));
            prop_assert_eq!(left, right);
        }
    }
}
