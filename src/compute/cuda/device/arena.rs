//! One piece of a card's memory, taken when the program begins, from which all buffers are cut.
//!
//! Everything is asked of one stream, so that a place can be used again as soon as it is given back: what used it before comes before.
//! A step that is repeated asks for the same sizes in the same order and gets the same places, so that a graph of it can be used again.

use std::collections::BTreeMap;

use crate::compute::cuda::driver::Address;

/// What places are multiples of.
const ALIGNMENT: u64 = 256;

#[derive(Debug)]
pub(super) struct Arena {
    base: Address,
    bytes: u64,
    /// Places that are free, by where they begin, and how long each is; no two touch.
    free: BTreeMap<u64, u64>,
    /// Places that are taken.
    taken: BTreeMap<u64, u64>,
    in_use: u64,
    most: u64,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    pub asked: u64,
    pub bytes: u64,
    pub in_use: u64,
    /// The longest place that is free.
    pub longest: u64,
}

impl Arena {
    pub fn new(base: Address, bytes: u64) -> Self {
        Self {
            base,
            bytes,
            free: BTreeMap::from([(0, bytes)]),
            taken: BTreeMap::new(),
            in_use: 0,
            most: 0,
        }
    }

    /// The shortest place that is long enough, the first of several.
    pub fn allocate(&mut self, bytes: usize) -> Result<Address, Full> {
        let asked = (bytes as u64).max(1).next_multiple_of(ALIGNMENT);
        let fitting = self.free.iter().filter(|(_, length)| **length >= asked);
        let Some((&at, &length)) = fitting.min_by_key(|(at, length)| (**length, **at)) else {
            return Err(Full {
                asked,
                bytes: self.bytes,
                in_use: self.in_use,
                longest: self.free.values().copied().max().unwrap_or(0),
            });
        };
        self.free.remove(&at);
        if length > asked {
            self.free.insert(at + asked, length - asked);
        }
        self.taken.insert(at, asked);
        self.in_use += asked;
        self.most = self.most.max(self.in_use);
        Ok(self.base + at)
    }

    pub fn release(&mut self, address: Address) {
        let at = address - self.base;
        let length = self.taken.remove(&at).expect("only what was taken is given back");
        self.in_use -= length;
        let (mut begin, mut end) = (at, at + length);
        if let Some((&before, &length)) = self.free.range(..at).next_back()
            && before + length == at
        {
            self.free.remove(&before);
            begin = before;
        }
        if let Some(after) = self.free.remove(&end) {
            end += after;
        }
        self.free.insert(begin, end - begin);
    }

    /// The most that was taken at a time.
    pub fn most(&self) -> u64 {
        self.most
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is taken and given back: no two places overlap, all are aligned, and in the end all is one piece again.
        #[test]
        fn places_never_overlap(steps in proptest::collection::vec((any::<bool>(), 0_usize..5000), 0..200)) {
            let base = 1 << 20;
            let mut arena = Arena::new(base, 64 << 10);
            let mut held: Vec<(u64, u64)> = Vec::new();
            for (take, size) in steps {
                if take {
                    match arena.allocate(size) {
                        Ok(at) => {
                            let end = at + size as u64;
                            prop_assert!(at % ALIGNMENT == 0 && at >= base && end <= base + arena.bytes());
                            prop_assert!(held.iter().all(|(begin, other)| end <= *begin || at >= *other.max(&(begin + 1))));
                            held.push((at, end));
                        }
                        Err(full) => prop_assert!(full.longest < full.asked),
                    }
                } else if !held.is_empty() {
                    let (at, _) = held.swap_remove(size % held.len());
                    arena.release(at);
                }
            }
            for (at, _) in held {
                arena.release(at);
            }
            prop_assert_eq!(arena.in_use, 0);
            prop_assert_eq!(arena.free, BTreeMap::from([(0, 64 << 10)]));
        }
    }

    #[test]
    fn the_same_requests_get_the_same_places() {
        let mut arena = Arena::new(0, 1 << 20);
        let kept = [arena.allocate(1000), arena.allocate(70_000)];
        let step = |arena: &mut Arena| {
            let first = arena.allocate(3000).unwrap();
            let second = arena.allocate(500).unwrap();
            arena.release(first);
            let third = arena.allocate(2000).unwrap();
            arena.release(third);
            arena.release(second);
            [first, second, third]
        };
        assert_eq!(step(&mut arena), step(&mut arena));
        assert!(kept.iter().all(Result::is_ok));
        assert_eq!(arena.most() % ALIGNMENT, 0);
    }
}
