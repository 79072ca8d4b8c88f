//! How many tokens to draft: as many as have paid lately.
//!
//! A tile of one token and `k` drafted ones gives `1 + Σ_{i≤k} Π_{j<i} p_j` tokens, where `p_j` is how often the token after a match
//! as long as this one will be by then has been right. It takes the time of such a tile, and with probability `1 - Π p` that
//! of taking the rest of the draft back. The length with the most tokens a second is drafted, if that is enough more than without.
//!
//! **Being wrong costs little.** Whether a draft would have been right is also seen when none is made, so that `p` is
//! always known. What a tile takes is seen only by running one: a length that does not pay is tried again now and then.

use std::time::Duration;

use super::lookup::ORDER;

/// Lengths that a draft may have.
const LENGTHS: [usize; 8] = [1, 2, 3, 4, 6, 10, 16, 24];
/// The longest draft.
pub const LONGEST_DRAFT: usize = LENGTHS[LENGTHS.len() - 1];
/// The shortest matches of each class of them, and how often such a match is right before anything is known.
const CLASSES: [(usize, f64); 6] = [(ORDER, 0.4), (4, 0.5), (6, 0.65), (9, 0.8), (14, 0.9), (20, 0.95)];
/// So many observations what is assumed beforehand is worth.
const ASSUMED: f64 = 4.0;
/// So many observations are remembered.
const REMEMBERED: f64 = 64.0;
/// What each further token of a tile is assumed to cost before one has been measured, as a share of the first.
const FURTHER: f64 = 0.2;
/// The longest draft before any has been measured.
const FIRST: usize = 4;
/// The weight of a new time in the average.
const NEW: f64 = 0.2;
/// Drafts end when they promise no more tokens a second, and begin again when they promise this many times as many.
const BEGIN: f64 = 1.15;
/// A draft is tried all the same after so many that were not.
const TRY_AGAIN: usize = 128;

/// What has been learnt about drafts.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Right and all, fading, by class of match.
    right: [(f64, f64); CLASSES.len()],
    /// Seconds that a tile of one token takes, and one with a draft of each length.
    plain: Option<f64>,
    drafted: [Option<f64>; LENGTHS.len()],
    /// Seconds that taking back takes.
    taking_back: Option<f64>,
    drafting: bool,
    declined: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            right: [(0.0, 0.0); CLASSES.len()],
            plain: None,
            drafted: [None; LENGTHS.len()],
            taking_back: None,
            drafting: true,
            declined: 0,
        }
    }
}

impl Policy {
    /// A reply begins, perhaps at another depth: what tiles took before says little.
    pub fn begin(&mut self) {
        self.plain = None;
        self.drafted = [None; LENGTHS.len()];
        self.taking_back = None;
    }

    /// A match of `len` tokens was followed by what it said, or not.
    pub fn saw(&mut self, len: usize, right: bool) {
        let (hits, all) = &mut self.right[class(len)];
        let fade = if *all < REMEMBERED { 1.0 } else { 1.0 - 1.0 / REMEMBERED };
        *hits = *hits * fade + f64::from(u8::from(right));
        *all = *all * fade + 1.0;
    }

    /// A tile with a draft of `drafted` tokens took so long.
    pub fn took(&mut self, drafted: usize, time: Duration) {
        average(
            match drafted {
                0 => &mut self.plain,
                n => &mut self.drafted[LENGTHS.partition_point(|length| *length < n).min(LENGTHS.len() - 1)],
            },
            time,
        );
    }

    /// Taking back a part of a draft took so long.
    pub fn took_back(&mut self, time: Duration) {
        average(&mut self.taking_back, time);
    }

    /// Tokens to draft by a match of `len`, at most `most`; 0 if it is not worth it.
    pub fn length(&mut self, len: usize, most: usize) -> usize {
        let best = self.best(most, |drafted| self.rate(len + drafted));
        self.decide(best)
    }

    /// The same for tokens that are bound to come.
    pub fn length_if_certain(&mut self, most: usize) -> usize {
        let best = self.best(most, |_| 1.0);
        self.decide(best)
    }

    /// The length that gives the most tokens a second, and how many times as many as without; `right(i)` says how often the token
    /// after `i` drafted ones is the drafted one.
    fn best(&self, most: usize, right: impl Fn(usize) -> f64) -> (usize, f64) {
        // The first token of a reply is not drafted for: it says what a token takes.
        let Some(plain) = self.plain else { return (0, 1.0) };
        // Nor is much staked on what has never been measured.
        let tried = self.drafted.iter().any(Option::is_some);
        let most = if tried { most } else { most.min(FIRST) };
        let (mut tokens, mut all, mut drafted) = (1.0, 1.0, 0);
        let mut best = (0, 1.0);
        for (index, length) in LENGTHS.iter().map(|length| *length.min(&most)).enumerate() {
            if length == drafted {
                break;
            }
            while drafted < length {
                all *= right(drafted);
                tokens += all;
                drafted += 1;
            }
            let seconds = self.seconds(index, plain) + (1.0 - all) * self.taking_back.unwrap_or(0.0);
            let gained = tokens * plain / seconds.max(f64::MIN_POSITIVE);
            if gained > best.1 {
                best = (length, gained);
            }
        }
        best
    }

    fn decide(&mut self, (length, gained): (usize, f64)) -> usize {
        if self.plain.is_none() {
            return 0;
        }
        self.drafting = length > 0 && (self.drafting || gained >= BEGIN);
        if self.drafting {
            self.declined = 0;
            return length;
        }
        self.declined += 1;
        if self.declined == TRY_AGAIN {
            self.declined = 0;
            self.drafted = [None; LENGTHS.len()];
            self.taking_back = None;
        }
        0
    }

    /// What a tile with a draft of this length takes: as measured, else by the nearest length that was.
    fn seconds(&self, index: usize, plain: f64) -> f64 {
        let nearest = (0..LENGTHS.len()).filter(|other| self.drafted[*other].is_some());
        let nearest = nearest.min_by_key(|other| other.abs_diff(index));
        let further = nearest.and_then(|other| Some((self.drafted[other]? / plain - 1.0) / LENGTHS[other] as f64));
        plain * (1.0 + further.unwrap_or(FURTHER).max(0.0) * LENGTHS[index] as f64)
    }

    fn rate(&self, len: usize) -> f64 {
        let class = class(len);
        let (hits, all) = self.right[class];
        (hits + ASSUMED * CLASSES[class].1) / (all + ASSUMED)
    }
}

fn average(known: &mut Option<f64>, time: Duration) {
    let time = time.as_secs_f64();
    // One long wait for a processor is not what a tile takes.
    *known = Some(known.map_or(time, |known| known + NEW * (time.min(4.0 * known) - known)));
}

fn class(len: usize) -> usize {
    CLASSES
        .partition_point(|(shortest, _)| *shortest <= len)
        .saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine: seconds of a tile with a draft, and of taking back.
    struct Machine {
        tile: fn(usize) -> f64,
        taking_back: f64,
    }

    /// Tokens a second, compared with none drafted, where each drafted token is right with this probability.
    fn speedup(machine: &Machine, right: f64, len: usize, tokens: usize) -> (Policy, f64) {
        let mut policy = Policy::default();
        policy.begin();
        policy.took(0, Duration::from_secs_f64((machine.tile)(0)));
        let (mut said, mut seconds, mut luck) = (0usize, 0.0, 0.0);
        let mut next = |p: f64| {
            // As often as it should be, and evenly spread: the golden ratio's multiples.
            luck = (luck + 0.618_033_988_749_895) % 1.0;
            luck < p
        };
        while said < tokens {
            let drafted = policy.length(len, LONGEST_DRAFT);
            let took = (machine.tile)(drafted);
            policy.took(drafted, Duration::from_secs_f64(took));
            (said, seconds) = (said + 1, seconds + took);
            let mut accepted = 0;
            while next(right) {
                policy.saw(len + accepted, true);
                if accepted == drafted {
                    break;
                }
                accepted += 1;
            }
            if accepted < drafted {
                policy.saw(len + accepted, false);
                policy.took_back(Duration::from_secs_f64(machine.taking_back));
                seconds += machine.taking_back;
            } else if drafted == 0 {
                policy.saw(len, false);
            }
            said += accepted;
        }
        (policy, said as f64 * (machine.tile)(0) / seconds)
    }

    #[test]
    fn what_is_nearly_free_is_drafted() {
        let machine = Machine {
            tile: |drafted| 0.010 + 0.0002 * drafted as f64,
            taking_back: 0.0002,
        };
        let (mut policy, gained) = speedup(&machine, 0.95, 12, 3_000);
        assert!(gained > 4.0, "{gained}");
        assert!(policy.length(12, LONGEST_DRAFT) >= 10);
        assert!(policy.length(12, 5) <= 5);
        assert_eq!(policy.length(12, 0), 0);
    }

    #[test]
    fn what_never_pays_costs_next_to_nothing() {
        for (right, tile) in [
            (
                0.9,
                (|drafted| 0.010 * (1.0 + 1.2 * drafted as f64)) as fn(usize) -> f64,
            ),
            (0.02, |drafted| 0.010 * (1.0 + 0.2 * drafted as f64)),
        ] {
            let machine = Machine {
                tile,
                taking_back: 0.010,
            };
            let (mut policy, gained) = speedup(&machine, right, 4, 5_000);
            assert!(gained > 0.95, "{gained} at {right}");
            assert_eq!((0..20).map(|_| policy.length(4, LONGEST_DRAFT)).max(), Some(0));
        }
    }

    #[test]
    fn it_begins_again_when_it_pays_again() {
        let mut policy = Policy::default();
        policy.took(0, Duration::from_millis(10));
        for _ in 0..50 {
            policy.saw(5, false);
        }
        assert_eq!(policy.length(5, 8), 0);
        // Seen without drafting.
        for _ in 0..100 {
            policy.saw(5, true);
        }
        assert!(policy.length(5, 8) > 0);
    }

    #[test]
    fn tokens_that_are_bound_to_come_are_drafted_if_tiles_are_cheap() {
        let mut policy = Policy::default();
        assert_eq!(policy.length_if_certain(9), 0, "nothing has been measured");
        policy.took(0, Duration::from_millis(10));
        assert_eq!(policy.length_if_certain(9), FIRST);
        policy.took(4, Duration::from_millis(11));
        assert_eq!(policy.length_if_certain(9), 9);
    }
}
