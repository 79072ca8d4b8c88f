//! Heights of blocks with their running sums: a Fenwick tree, so that growing one block, finding the block of a row and
//! counting the rows before a block are all O(log n).

/// The heights, in rows.
#[derive(Debug, Clone, Default)]
pub struct Heights {
    each: Vec<usize>,
    /// `tree[i]` sums the `low_bit(i + 1)` heights that end with number `i`.
    tree: Vec<usize>,
}

fn low_bit(i: usize) -> usize {
    i & i.wrapping_neg()
}

impl Heights {
    pub fn push(&mut self, height: usize) {
        let at = self.each.len() + 1;
        let below = self.before(at - 1) - self.before(at - low_bit(at));
        self.each.push(height);
        self.tree.push(below + height);
    }

    pub fn set(&mut self, block: usize, height: usize) {
        let old = std::mem::replace(&mut self.each[block], height);
        let mut at = block + 1;
        while at <= self.tree.len() {
            self.tree[at - 1] = self.tree[at - 1] - old + height;
            at += low_bit(at);
        }
    }

    pub fn get(&self, block: usize) -> usize {
        self.each[block]
    }

    /// Rows of all blocks before this one.
    pub fn before(&self, block: usize) -> usize {
        let mut at = block;
        let mut sum = 0;
        while at > 0 {
            sum += self.tree[at - 1];
            at -= low_bit(at);
        }
        sum
    }

    pub fn count(&self) -> usize {
        self.each.len()
    }

    /// The block that a row lies in; for a row after the last, their number.
    pub fn at(&self, row: usize) -> usize {
        let (mut at, mut left) = (0, row);
        let mut step = self.tree.len().checked_ilog2().map_or(0, |bits| 1 << bits);
        while step > 0 {
            if let Some(&sum) = self.tree.get(at + step - 1)
                && sum <= left
            {
                at += step;
                left -= sum;
            }
            step /= 2;
        }
        at
    }

    pub fn total(&self) -> usize {
        self.before(self.each.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_are_sums(heights in prop::collection::vec(0usize..50, 1..60), changes in prop::collection::vec((0usize..60, 0usize..50), 0..40)) {
            let mut plain = heights.clone();
            let mut tree = Heights::default();
            for height in heights {
                tree.push(height);
            }
            for (at, height) in changes {
                let at = at % plain.len();
                plain[at] = height;
                tree.set(at, height);
            }
            for block in 0..=plain.len() {
                prop_assert_eq!(tree.before(block), plain[..block].iter().sum::<usize>());
            }
            prop_assert_eq!(tree.total(), plain.iter().sum::<usize>());
            let owners = plain.iter().enumerate().flat_map(|(block, &height)| std::iter::repeat_n(block, height));
            for (row, block) in owners.chain([plain.len()]).enumerate() {
                prop_assert_eq!(tree.at(row), block);
            }
            for (block, &height) in plain.iter().enumerate() {
                prop_assert_eq!(tree.get(block), height);
            }
        }
    }
}
