//! Where the end of a sequence has been seen before.
//!
//! Every run of [`ORDER`] tokens has a chain of the places where it ends, the latest first: `previous` leads from one
//! place to the one before it, and a hash table with linear probing, whose keys are the tokens themselves, leads to the
//! latest. Taking a token away undoes what adding it did. The keys that a probe passed over are older than the one it was
//! for, so that in the reverse order of their coming they can be taken out without leaving a gap for another.
//!
//! **Memory.** 4 bytes a token for the chain and 4 for each slot, of which distinct runs fill at least half and at most
//! [`FULL`]: 12 bytes a token if no run ever repeats, 8 to 10 in texts. The tokens themselves belong to the caller.

/// Tokens of the shortest match.
pub const ORDER: usize = 3;
/// Matches longer than this are equally good.
pub const LONGEST: usize = 32;
/// So many earlier places are looked at, the latest first.
pub const PLACES: usize = 64;

const NONE: u32 = u32::MAX;
/// The part of the table that may be filled, in quarters.
const FULL: usize = 3;
/// Slots of the first table.
const SMALLEST: usize = 64;

/// An index over a sequence of tokens that is only changed at its end.
#[derive(Debug, Default, Clone)]
pub struct Lookup {
    /// `[i]`: where the run that ends with token `i` ended before, or [`NONE`].
    previous: Vec<u32>,
    /// The last token of the latest occurrence of each run, or [`NONE`].
    table: Vec<u32>,
    /// Slots of the table that are filled.
    distinct: usize,
}

/// An earlier place that the end of the sequence has been seen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The position of the token that followed there.
    pub at: usize,
    /// So many tokens before it are those at the end of the sequence, `ORDER` to `LONGEST`.
    pub len: usize,
}

impl Lookup {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tokens in the index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.previous.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.previous.is_empty()
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.previous.capacity() + self.table.len()) * size_of::<u32>()
    }

    /// Takes in what `tokens` has beyond [`len`](Self::len). Before that they are as they were.
    pub fn extend(&mut self, tokens: &[u32]) {
        // More than this many cannot be numbered; there is no such context.
        let tokens = &tokens[..tokens.len().min(NONE as usize)];
        self.previous.reserve(tokens.len().saturating_sub(self.len()));
        while self.len() < tokens.len() {
            let last = self.len();
            let before = if last + 1 < ORDER {
                NONE
            } else {
                self.make_room(tokens);
                let slot = self.slot(tokens, last);
                let before = std::mem::replace(&mut self.table[slot], last as u32);
                self.distinct += usize::from(before == NONE);
                before
            };
            self.previous.push(before);
        }
    }

    /// Forgets the tokens from `len` on; `tokens` still has them.
    pub fn truncate(&mut self, tokens: &[u32], len: usize) {
        if len < self.len() / 2 {
            self.previous.clear();
            self.table.fill(NONE);
            self.distinct = 0;
            self.extend(&tokens[..len]);
        }
        while self.len() > len {
            let last = self.len() - 1;
            if last + 1 >= ORDER {
                let slot = self.slot(tokens, last);
                self.table[slot] = self.previous[last];
                self.distinct -= usize::from(self.previous[last] == NONE);
            }
            self.previous.pop();
        }
    }

    /// The longest match of the end of `tokens`, which are those in the index; of equally long ones the latest.
    #[must_use]
    pub fn find(&self, tokens: &[u32]) -> Option<Match> {
        let mut place = *self.previous.last()?;
        let mut best: Option<Match> = None;
        for _ in 0..PLACES {
            if place == NONE {
                break;
            }
            let at = place as usize + 1;
            let len = common_end(&tokens[..at], tokens);
            if best.is_none_or(|best| len > best.len) {
                best = Some(Match { at, len });
            }
            if len == LONGEST {
                break;
            }
            place = self.previous[at - 1];
        }
        best
    }

    /// The slot of the run that ends with token `last`: where it is, or where it belongs.
    fn slot(&self, tokens: &[u32], last: usize) -> usize {
        let run = run(tokens, last);
        let mut slot = ((u64::from(hash(run)) * self.table.len() as u64) >> 32) as usize;
        loop {
            let held = self.table[slot];
            if held == NONE || self::run(tokens, held as usize) == run {
                return slot;
            }
            slot = if slot + 1 == self.table.len() { 0 } else { slot + 1 };
        }
    }

    /// Makes the table half as large again if one more run would fill it.
    fn make_room(&mut self, tokens: &[u32]) {
        if (self.distinct + 1) * 4 <= self.table.len() * FULL {
            return;
        }
        let slots = (self.table.len() + self.table.len() / 2).max(SMALLEST);
        self.table = Vec::new();
        self.table.resize(slots, NONE);
        // In the order in which they came, which is what taking them out again relies on.
        for last in ORDER - 1..self.len() {
            let slot = self.slot(tokens, last);
            self.table[slot] = last as u32;
        }
    }
}

/// The tokens that would follow if the sequence went on as it did at `found`. Past the end of the sequence they
/// repeat themselves.
pub fn continuation(tokens: &[u32], found: Match) -> impl Iterator<Item = u32> + '_ {
    tokens[found.at..].iter().copied().cycle()
}

fn run(tokens: &[u32], last: usize) -> &[u32; ORDER] {
    let run = tokens[..=last].last_chunk();
    run.expect("a run ends no earlier than with its own length")
}

/// Upper bits of products with odd constants (Knuth's multiplicative hashing), one round a token.
fn hash(run: &[u32; ORDER]) -> u32 {
    let mixed = run.iter().fold(0u64, |hash, token| {
        (hash.rotate_left(23) ^ u64::from(*token)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    (mixed >> 32) as u32
}

/// How many tokens two sequences have in common at their ends, up to [`LONGEST`].
fn common_end(a: &[u32], b: &[u32]) -> usize {
    let pairs = a.iter().rev().zip(b.iter().rev()).take(LONGEST);
    pairs.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by looking at every place.
    fn plain(tokens: &[u32]) -> Option<Match> {
        let end = tokens.len();
        let places = (ORDER..end)
            .rev()
            .filter(|at| tokens[..*at].ends_with(&tokens[end.saturating_sub(ORDER)..]));
        let matches = places.take(PLACES).map(|at| Match {
            at,
            len: (0..at.min(LONGEST))
                .take_while(|i| tokens[at - 1 - i] == tokens[end - 1 - i])
                .count(),
        });
        matches.fold(None, |best: Option<Match>, found| match best {
            Some(best) if best.len >= found.len => Some(best),
            _ => Some(found),
        })
    }

    /// Sequences of few different tokens, some of them with stretches that come again.
    fn sequences() -> impl Strategy<Value = Vec<u32>> {
        let piece = (1u32..6).prop_flat_map(|letters| prop::collection::vec(0..letters, 0..60));
        (
            prop::collection::vec(piece, 1..4),
            prop::collection::vec(0usize..4, 1..8),
        )
            .prop_map(|(pieces, order)| {
                order
                    .iter()
                    .flat_map(|i| pieces[i % pieces.len()].iter().copied())
                    .collect()
            })
    }

    proptest! {
        #[test]
        fn it_is_the_plain_search_after_every_token(tokens in sequences()) {
            let mut lookup = Lookup::new();
            for end in 0..=tokens.len() {
                lookup.extend(&tokens[..end]);
                prop_assert_eq!(lookup.find(&tokens[..end]), plain(&tokens[..end]));
            }
        }

        #[test]
        fn taking_away_and_adding_is_building_anew(
            steps in prop::collection::vec((any::<prop::sample::Index>(), sequences()), 1..12),
        ) {
            let (mut lookup, mut tokens) = (Lookup::new(), Vec::new());
            for (keep, more) in steps {
                let keep = keep.index(tokens.len() + 1);
                lookup.truncate(&tokens, keep);
                tokens.truncate(keep);
                tokens.extend(more);
                lookup.extend(&tokens);
                let mut anew = Lookup::new();
                anew.extend(&tokens);
                prop_assert_eq!(&lookup.previous, &anew.previous);
                prop_assert_eq!(lookup.distinct, anew.distinct);
                prop_assert_eq!(lookup.find(&tokens), plain(&tokens));
                prop_assert_eq!(lookup.find(&tokens), anew.find(&tokens));
            }
        }
    }

    #[test]
    fn a_continuation_past_the_end_repeats_itself() {
        let tokens = [1, 2, 3, 1, 2, 3, 1, 2];
        let mut lookup = Lookup::new();
        lookup.extend(&tokens);
        let found = lookup.find(&tokens).unwrap();
        assert_eq!(found, Match { at: 5, len: 5 });
        let next: Vec<u32> = continuation(&tokens, found).take(7).collect();
        assert_eq!(next, [3, 1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn memory_is_bounded_where_nothing_repeats() {
        let tokens: Vec<u32> = (0..200_000).collect();
        let mut lookup = Lookup::new();
        for end in (0..=tokens.len()).step_by(1000) {
            lookup.extend(&tokens[..end]);
            // Vectors grow by doubling; a sequence that is known beforehand is taken in at once.
            let chain = lookup.previous.len() * 4;
            assert!(
                end < 1000 || lookup.table.len() * 4 + chain <= 12 * end,
                "{end}: {}",
                lookup.bytes()
            );
        }
        let mut at_once = Lookup::new();
        at_once.extend(&tokens);
        assert!(at_once.bytes() <= 12 * tokens.len(), "{}", at_once.bytes());
        assert_eq!(at_once.find(&tokens), None);
    }
}
