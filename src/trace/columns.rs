//! What is known of every token of a trace: sixteen bytes each, and sums over any stretch without a look at each.

use std::ops::Range;
use std::time::Duration;

/// Tokens whose sums are kept together.
const BLOCK: usize = 64;
/// The unit of times: a `u32` of them is almost five days.
const TICK: Duration = Duration::from_micros(100);

/// A measure of a stretch of tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measure {
    /// Of the probabilities, and of the entropies in nats.
    pub probability: f64,
    pub entropy: f64,
    /// The greatest entropy of one token.
    pub peak: f32,
}

/// One number a token and column; times ascend.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Columns {
    /// The byte after each token.
    ends: Vec<u32>,
    probability: Vec<f32>,
    entropy: Vec<f32>,
    /// When each token came, in ticks.
    elapsed: Vec<u32>,
    /// Sums of each full block, and the greatest entropy in it.
    blocks: Vec<Measure>,
    /// Of the tokens after those.
    rest: Measure,
    /// Sums of all blocks before each full one.
    before: Vec<(f64, f64)>,
    total: (f64, f64),
}

impl Columns {
    pub fn push(&mut self, end: usize, probability: f32, entropy: f32, elapsed: Duration) {
        let finite = |value: f32| if value.is_finite() { value } else { 0.0 };
        let (probability, entropy) = (finite(probability).clamp(0.0, 1.0), finite(entropy).max(0.0));
        self.ends.push(u32::try_from(end).unwrap_or(u32::MAX));
        self.probability.push(probability);
        self.entropy.push(entropy);
        let ticks = u32::try_from(elapsed.as_micros() / TICK.as_micros()).unwrap_or(u32::MAX);
        self.elapsed.push(ticks.max(self.elapsed.last().copied().unwrap_or(0)));
        self.rest = add(self.rest, probability, entropy);
        if self.ends.len().is_multiple_of(BLOCK) {
            let full = std::mem::take(&mut self.rest);
            self.before.push(self.total);
            self.total = (self.total.0 + full.probability, self.total.1 + full.entropy);
            self.blocks.push(full);
        }
    }

    /// The last token goes on to this byte.
    pub fn extend_last(&mut self, end: usize) {
        if let Some(last) = self.ends.last_mut() {
            *last = u32::try_from(end).unwrap_or(u32::MAX);
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn probability(&self, token: usize) -> f32 {
        self.probability[token]
    }

    pub fn entropy(&self, token: usize) -> f32 {
        self.entropy[token]
    }

    /// The bytes of a token.
    pub fn bytes(&self, token: usize) -> Range<usize> {
        let start = token.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[token] as usize
    }

    /// How many tokens end at a byte or before it.
    pub fn ended(&self, byte: usize) -> usize {
        self.ends.partition_point(|&end| end as usize <= byte)
    }

    /// When the last of the first `tokens` came; the beginning for none.
    pub fn elapsed(&self, tokens: usize) -> Duration {
        let ticks = tokens.checked_sub(1).map_or(0, |last| self.elapsed[last]);
        TICK * ticks
    }

    /// Sums over a stretch, in at most two blocks of steps and one for each block between.
    pub fn measure(&self, tokens: Range<usize>) -> Measure {
        let (first, last) = (tokens.start.div_ceil(BLOCK), tokens.end / BLOCK);
        if first >= last {
            return self.each(tokens);
        }
        let head = self.each(tokens.start..first * BLOCK);
        let tail = self.each(last * BLOCK..tokens.end);
        let blocks = self.blocks[first..last].iter();
        let peak = blocks.map(|block| block.peak).fold(head.peak.max(tail.peak), f32::max);
        let sums = |block: usize| self.before.get(block).copied().unwrap_or(self.total);
        let (from, to) = (sums(first), sums(last));
        Measure {
            probability: head.probability + (to.0 - from.0) + tail.probability,
            entropy: head.entropy + (to.1 - from.1) + tail.entropy,
            peak,
        }
    }

    fn each(&self, tokens: Range<usize>) -> Measure {
        let values = self.probability[tokens.clone()].iter().zip(&self.entropy[tokens]);
        values.fold(Measure::default(), |sum, (&probability, &entropy)| {
            add(sum, probability, entropy)
        })
    }

    /// Bytes that the columns take.
    pub fn memory(&self) -> usize {
        let four =
            self.ends.capacity() + self.probability.capacity() + self.entropy.capacity() + self.elapsed.capacity();
        four * 4 + self.blocks.capacity() * size_of::<Measure>() + self.before.capacity() * size_of::<(f64, f64)>()
    }
}

fn add(sum: Measure, probability: f32, entropy: f32) -> Measure {
    Measure {
        probability: sum.probability + f64::from(probability),
        entropy: sum.entropy + f64::from(entropy),
        peak: sum.peak.max(entropy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_are_sums(
            values in prop::collection::vec((0.0f32..=1.0, 0.0f32..12.0, 0usize..4), 0..400),
            from in 0usize..400,
            len in 0usize..400,
        ) {
            let mut columns = Columns::default();
            let mut end = 0;
            for (at, &(probability, entropy, bytes)) in values.iter().enumerate() {
                end += bytes;
                columns.push(end, probability, entropy, Duration::from_millis(at as u64));
            }
            let from = from.min(values.len());
            let stretch = from..(from + len).min(values.len());
            let measure = columns.measure(stretch.clone());
            let sum: f64 = values[stretch.clone()].iter().map(|value| f64::from(value.0)).sum();
            let entropy: f64 = values[stretch.clone()].iter().map(|value| f64::from(value.1)).sum();
            prop_assert!((measure.probability - sum).abs() < 1e-9 && (measure.entropy - entropy).abs() < 1e-9);
            let peak = values[stretch].iter().map(|value| value.1).fold(0.0, f32::max);
            prop_assert!((measure.peak - peak).abs() < f32::EPSILON);
        }
    }

    #[test]
    fn what_a_file_may_claim_does_no_harm() {
        let mut columns = Columns::default();
        columns.push(1, f32::NAN, f32::INFINITY, Duration::MAX);
        columns.push(2, -3.0, -1.0, Duration::ZERO);
        assert_eq!(columns.measure(0..2), Measure::default());
        assert_eq!(columns.elapsed(2), columns.elapsed(1), "time does not go back");
    }
}
