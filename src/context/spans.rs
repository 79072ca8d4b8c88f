//! Many ranges in half the room: of a text or of tokens, of which there are fewer than four billion.

use std::ops::Range;

/// A list of ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans(Vec<Range<u32>>);

impl Spans {
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// # Panics
    /// If the range does not end before 2³².
    pub fn push(&mut self, range: Range<usize>) {
        let end = u32::try_from(range.end).expect("texts and packs are limited to far less");
        self.0.push(range.start as u32..end);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn get(&self, index: usize) -> Option<Range<usize>> {
        self.0.get(index).map(wide)
    }

    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn at(&self, index: usize) -> Range<usize> {
        wide(&self.0[index])
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<usize>> + ExactSizeIterator + Clone + '_ {
        self.0.iter().map(wide)
    }

    /// How many of the ranges, which are in order, begin at `place` or before it.
    #[must_use]
    pub fn begun_at(&self, place: usize) -> usize {
        self.0.partition_point(|range| range.start as usize <= place)
    }
}

fn wide(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

impl FromIterator<Range<usize>> for Spans {
    fn from_iter<I: IntoIterator<Item = Range<usize>>>(ranges: I) -> Self {
        let ranges = ranges.into_iter();
        let mut spans = Self::with_capacity(ranges.size_hint().0);
        ranges.for_each(|range| spans.push(range));
        spans
    }
}
