//! Two traces side by side: which segment of the one answers to which of the other.
//!
//! The order of both is kept, so this is a sequence alignment that makes the sum of the likenesses greatest. The likeness of
//! two segments is that of their sets of words (Jaccard), and sets are kept as bits by hash, so that two are compared in a few
//! operations. What both begin and end with is paired beforehand; of the rest, pairs are looked at near the diagonal only
//! if there are too many.

use std::ops::Range;

use super::Trace;

/// Words of 64 bits of a set of words.
const LANES: usize = 8;
const BITS: usize = 64 * LANES;
/// Pairs that are looked at: those of 1,400 segments with as many others.
const PAIRS: usize = 2_000_000;
/// Two segments that are less alike have nothing to do with each other: so much is alike in any two of a language.
const RELATED: f32 = 0.25;

/// Segments that stand side by side, by number; at least one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    pub left: Option<usize>,
    pub right: Option<usize>,
    /// What part of their words both have: 1 only if one says what the other says, word by word.
    pub likeness: f32,
}

impl Pair {
    /// Both say the same, white space apart.
    pub fn is_same(&self) -> bool {
        self.likeness >= 1.0
    }

    /// They stand side by side because they say similar things, not only because both had to stand somewhere.
    pub fn is_related(&self) -> bool {
        self.likeness >= RELATED
    }
}

/// Every segment of both traces, once and in order.
#[must_use]
pub fn align(left: &Trace, right: &Trace) -> Vec<Pair> {
    let digests = |trace: &Trace| -> Vec<Digest> {
        let text = |number| &trace.text()[trace.segment_bytes(number)];
        (0..trace.segment_count())
            .map(|number| Digest::of(text(number)))
            .collect()
    };
    pairs(&digests(left), &digests(right))
}

/// What is compared of a segment.
#[derive(Debug, Clone, PartialEq)]
struct Digest {
    /// Of all that it says, in order.
    whole: u64,
    words: [u64; LANES],
    /// How many words there are, as far as the bits tell.
    size: f32,
}

impl Digest {
    fn of(text: &str) -> Self {
        let mut whole = SEED;
        let mut words = [0_u64; LANES];
        for part in text.split_whitespace() {
            for byte in part.bytes().chain([b' ']) {
                whole = hashed(whole, u64::from(byte));
            }
            each_word(part, |hash| {
                let bit = mixed(hash) as usize % BITS;
                words[bit / 64] |= 1 << (bit % 64);
            });
        }
        let size = size(words.iter().map(|lane| lane.count_ones()).sum());
        Self { whole, words, size }
    }

    fn likeness(&self, other: &Self) -> f32 {
        if self.whole == other.whole {
            return 1.0;
        }
        let either = self.words.iter().zip(&other.words).map(|(a, b)| (a | b).count_ones());
        let either = size(either.sum());
        if either == 0.0 {
            return 0.0;
        }
        ((self.size + other.size - either) / either).clamp(0.0, 0.99)
    }
}

/// How many different words have set so many bits: several may have set the same.
fn size(bits: u32) -> f32 {
    let all = BITS as f32;
    -all * (1.0 - (bits as f32 / all).min(1.0 - 0.5 / all)).ln()
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn hashed(hash: u64, byte: u64) -> u64 {
    (hash ^ byte).wrapping_mul(0x0100_0000_01b3)
}

/// Its low bits depend on all of it.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// Letters and digits in a row, in lower case; in scripts that part no words by spaces, each letter.
fn each_word(text: &str, mut found: impl FnMut(u64)) {
    let mut word = None;
    for c in text.chars() {
        let alone = c >= '\u{2e80}';
        if !c.is_alphanumeric() || alone {
            word.take().into_iter().for_each(&mut found);
        }
        if !c.is_alphanumeric() {
            continue;
        }
        let mut hash = word.unwrap_or(SEED);
        for c in c.to_lowercase() {
            hash = hashed(hash, u64::from(c));
        }
        word = Some(hash);
        if alone {
            word.take().into_iter().for_each(&mut found);
        }
    }
    word.into_iter().for_each(found);
}

fn pairs(left: &[Digest], right: &[Digest]) -> Vec<Pair> {
    let same = |(a, b): &(&Digest, &Digest)| a.whole == b.whole;
    let before = left.iter().zip(right).take_while(same).count();
    let rest = left[before..].iter().rev().zip(right[before..].iter().rev());
    let after = rest.take_while(same).count();
    let (left_end, right_end) = (left.len() - after, right.len() - after);
    let mut all = Vec::with_capacity(left.len().max(right.len()));
    let both = |left: usize, right: usize, likeness: f32| Pair {
        left: Some(left),
        right: Some(right),
        likeness,
    };
    all.extend((0..before).map(|number| both(number, number, 1.0)));
    // Where the next pair begins.
    let (mut i, mut j) = (before, before);
    for (a, b) in related(&left[before..left_end], &right[before..right_end]) {
        let (a, b) = (before + a, before + b);
        between(&mut all, i..a, j..b, left, right);
        all.push(both(a, b, left[a].likeness(&right[b])));
        (i, j) = (a + 1, b + 1);
    }
    between(&mut all, i..left_end, j..right_end, left, right);
    all.extend((0..after).map(|number| both(left_end + number, right_end + number, 1.0)));
    all
}

/// What has no counterpart stands beside what has none either.
fn between(all: &mut Vec<Pair>, left: Range<usize>, right: Range<usize>, a: &[Digest], b: &[Digest]) {
    for row in 0..left.len().max(right.len()) {
        let left = (row < left.len()).then_some(left.start + row);
        let right = (row < right.len()).then_some(right.start + row);
        let likeness = match (left, right) {
            (Some(left), Some(right)) => a[left].likeness(&b[right]),
            _ => 0.0,
        };
        all.push(Pair { left, right, likeness });
    }
}

/// How the best alignment of a beginning ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Both,
    Left,
    Right,
}

/// The beginnings that are looked at: so many columns around the diagonal in each row.
struct Band {
    rows: usize,
    columns: usize,
    reach: usize,
}

impl Band {
    fn new(rows: usize, columns: usize) -> Self {
        // So that every row reaches the next one.
        let least = columns / rows.max(1) + 1;
        let reach = (PAIRS / rows.max(1) / 2).max(least);
        Self { rows, columns, reach }
    }

    /// The columns of a row, from 0 to `columns`, in order with the rows.
    fn of(&self, row: usize) -> Range<usize> {
        let middle = row * self.columns / self.rows.max(1);
        middle.saturating_sub(self.reach)..(middle + self.reach + 1).min(self.columns + 1)
    }
}

/// The pairs of related segments that are most alike together.
fn related(left: &[Digest], right: &[Digest]) -> Vec<(usize, usize)> {
    if left.is_empty() || right.is_empty() {
        return Vec::new();
    }
    let band = Band::new(left.len(), right.len());
    let mut steps: Vec<(usize, Vec<Step>)> = Vec::with_capacity(left.len());
    // What the best alignments come to, of the row before and of this one.
    let mut above = (0, vec![0.0; band.of(0).len()]);
    for (row, a) in left.iter().enumerate() {
        let columns = band.of(row + 1);
        let (mut sums, mut ends) = (Vec::with_capacity(columns.len()), Vec::with_capacity(columns.len()));
        let sum_above = |column: usize| {
            let index = column.checked_sub(above.0)?;
            above.1.get(index).copied()
        };
        let mut before: Option<f32> = None;
        for column in columns.clone() {
            let mut best = (f32::NEG_INFINITY, Step::Left);
            if let Some(sum) = sum_above(column) {
                best = (sum, Step::Left);
            }
            if let Some(sum) = before.filter(|sum| *sum >= best.0) {
                best = (sum, Step::Right);
            }
            if column > 0
                && let Some(sum) = sum_above(column - 1)
            {
                let likeness = a.likeness(&right[column - 1]);
                let sum = sum + likeness;
                if likeness >= RELATED && sum >= best.0 {
                    best = (sum, Step::Both);
                }
            }
            sums.push(best.0);
            ends.push(best.1);
            before = Some(best.0);
        }
        above = (columns.start, sums);
        steps.push((columns.start, ends));
    }
    let mut found = Vec::new();
    let (mut row, mut column) = (left.len(), right.len());
    while row > 0 && column > 0 {
        let (start, ends) = &steps[row - 1];
        match ends[column - start] {
            Step::Both => {
                (row, column) = (row - 1, column - 1);
                found.push((row, column));
            }
            Step::Left => row -= 1,
            Step::Right => column -= 1,
        }
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every heading begins a segment.
    fn trace(segments: &[&str]) -> Trace {
        let mut trace = Trace::default();
        for text in segments {
            trace.push_text(&format!("# {text}\n\n"));
        }
        trace.finish();
        trace
    }

    /// `0=0 1~2 <2 3>`: the numbers, and what stands between them.
    fn told(pairs: &[Pair]) -> String {
        let number = |number: Option<usize>| number.map_or_else(String::new, |number| number.to_string());
        let told = pairs.iter().map(|pair| {
            let mark = match (pair.left, pair.right) {
                (Some(_), Some(_)) if pair.is_same() => "=",
                (Some(_), Some(_)) if pair.is_related() => "~",
                (Some(_), Some(_)) => "/",
                (Some(_), None) => "<",
                (None, _) => ">",
            };
            format!("{}{mark}{}", number(pair.left), number(pair.right))
        });
        told.collect::<Vec<_>>().join(" ")
    }

    const FIRST: [&str; 5] = [
        "Let me look at the harbour first and count the ships in it.",
        "The captain says that nobody sailed before the storm was over.",
        "Wait, the log says something else about the day of the storm.",
        "So the train must have been late by three hours at least.",
        "The answer is the nineteenth of March.",
    ];

    #[test]
    fn what_was_left_out_added_and_said_otherwise_is_found() {
        let second = [
            FIRST[0],
            "However, a telegram was sent to Bombay from the consulate.",
            "The captain says that nobody had sailed before that storm was over.",
            FIRST[3],
            "42",
            FIRST[4],
        ];
        let (first, second) = (trace(&FIRST), trace(&second));
        assert_eq!(told(&align(&first, &second)), "0=0 >1 1~2 2< 3=3 >4 4=5");
        assert_eq!(told(&align(&second, &first)), "0=0 1< 2~1 >2 3=3 4< 5=4");
    }

    #[test]
    fn what_has_nothing_in_common_stands_side_by_side() {
        let other = trace(&["Nine purple elephants danced slowly.", "Quantum foam, perhaps?"]);
        let first = trace(&FIRST[..3]);
        assert_eq!(told(&align(&first, &other)), "0/0 1/1 2<");
        assert_eq!(told(&align(&first, &Trace::default())), "0< 1< 2<");
        assert_eq!(align(&Trace::default(), &Trace::default()), []);
    }

    #[test]
    fn words_are_found_where_no_spaces_are() {
        let likeness = |a, b| Digest::of(a).likeness(&Digest::of(b));
        assert!(likeness("他说火车晚点了三个小时。", "火车晚点了三个小时，他说。") > 0.9);
        assert!(likeness("It WAS late.", "was it late?") > 0.9);
        assert!(likeness("***", "---") < RELATED);
        let words = |numbers: Range<usize>| {
            numbers
                .map(|number| format!("word{number} "))
                .collect::<Vec<_>>()
                .concat()
        };
        assert!(
            likeness(&words(0..2000), &words(1000..3000)) < 0.99,
            "bits that are all set say little"
        );
    }

    #[test]
    fn the_work_is_bounded_at_any_size() {
        for (rows, columns) in [(1, 1), (1000, 1000), (3, 1_000_000), (1_000_000, 3), (200_000, 300_000)] {
            let band = Band::new(rows, columns);
            let cells = (1..=rows).map(|row| band.of(row).len()).sum::<usize>();
            assert!(
                cells <= 2 * PAIRS + 5 * (rows + columns),
                "{cells} of {rows} x {columns}"
            );
            assert!(band.of(0).contains(&0) && band.of(rows).contains(&columns));
            for row in (1..=rows).step_by(1 + rows / 1000) {
                let (above, here) = (band.of(row - 1), band.of(row));
                assert!(
                    above.start <= here.start && here.start < above.end,
                    "row {row} is reached"
                );
            }
        }
    }

    #[test]
    fn long_traces_that_differ_here_and_there_are_followed() {
        let words = |number: usize| {
            format!(
                "# Thought {number} of {} and {}. It goes on.\n\n",
                number * 7,
                number * number
            )
        };
        let left: String = (0..3000).map(words).collect();
        let right: String = (0..3000).filter(|number| number % 40 != 1).map(words).collect();
        let (mut a, mut b) = (Trace::default(), Trace::default());
        a.push_text(&left);
        b.push_text(&right);
        let pairs = align(&a, &b);
        let same = pairs.iter().filter(|pair| pair.is_same()).count();
        assert_eq!((same, pairs.len()), (b.segment_count(), a.segment_count()));
    }

    proptest! {
        #[test]
        fn every_segment_is_in_one_pair_and_in_order(
            left in prop::collection::vec(prop::sample::select(vec!["a b c", "a b d", "x y z", "Wait, no.", "1. q", "***", "你好世界"]), 0..40),
            right in prop::collection::vec(prop::sample::select(vec!["a b c", "a b d", "x y w", "Wait, yes.", "1. q", "---", "你好"]), 0..40),
        ) {
            let (left, right) = (trace(&left), trace(&right));
            let pairs = align(&left, &right);
            let lefts: Vec<_> = pairs.iter().filter_map(|pair| pair.left).collect();
            let rights: Vec<_> = pairs.iter().filter_map(|pair| pair.right).collect();
            prop_assert_eq!(lefts, (0..left.segment_count()).collect::<Vec<_>>());
            prop_assert_eq!(rights, (0..right.segment_count()).collect::<Vec<_>>());
            for pair in &pairs {
                prop_assert!(pair.left.is_some() || pair.right.is_some());
                if let (Some(a), Some(b)) = (pair.left, pair.right) {
                    let words = |trace: &Trace, number| trace.text()[trace.segment_bytes(number)]
                        .split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                    prop_assert_eq!(pair.is_same(), words(&left, a) == words(&right, b));
                }
            }
            let itself = align(&left, &left);
            prop_assert_eq!(itself.len(), left.segment_count());
            prop_assert!(itself.iter().all(|pair| pair.is_same() && pair.left == pair.right));
        }
    }
}
