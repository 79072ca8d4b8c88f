//! What thinking looks like at a width: its segments, each wrapped by itself, and each folded into its title or not.
//!
//! A segment begins a row of its own. Growing touches the last segment only, and folding one touches no other: rows are
//! counted by running sums over the segments.

use std::ops::Range;

use super::super::wrap::Rows;
use super::body::{Parts, Piece};
use super::heights::Heights;
use crate::trace::Trace;

/// A segment.
#[derive(Debug, Clone)]
struct Segment {
    start: usize,
    /// Of its text alone.
    rows: Rows,
    /// The title that is all that shows of it, while it is folded.
    title: Option<String>,
}

impl Segment {
    fn new(start: usize, width: usize) -> Self {
        Self {
            start,
            rows: Rows::new(width),
            title: None,
        }
    }

    /// `last`: no other segment begins where its text ends.
    fn height(&self, last: bool) -> usize {
        if self.title.is_some() {
            1
        } else {
            // A text that ends with a line end has an empty last row, in which the next segment begins.
            let end = self.rows.range(self.rows.count() - 1);
            self.rows.count() - usize::from(!last && end.is_empty() && self.rows.count() > 1)
        }
    }
}

/// There is always one, though nothing may have been thought yet.
#[derive(Debug, Clone)]
pub struct Segments {
    width: usize,
    each: Vec<Segment>,
    heights: Heights,
    /// Length of the text.
    len: usize,
}

impl Segments {
    pub fn new(width: usize) -> Self {
        let mut segments = Self {
            width,
            each: vec![Segment::new(0, width)],
            heights: Heights::default(),
            len: 0,
        };
        segments.heights.push(1);
        segments
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Wraps at another width; what is folded stays so.
    pub fn set_width(&mut self, source: &str, width: usize) {
        self.width = width;
        self.heights = Heights::default();
        for number in 0..self.each.len() {
            let text = &source[self.bytes(number)];
            self.each[number].rows = Rows::of(text, width);
            self.heights.push(self.height(number));
        }
    }

    /// Takes in what the trace has more than before. The rows before the returned one are what they were.
    pub fn extend(&mut self, trace: &Trace) -> usize {
        let (old, text) = (self.each.len() - 1, trace.text());
        self.len = text.len();
        for number in self.each.len()..trace.segment_count() {
            self.each
                .push(Segment::new(trace.segment_bytes(number).start, self.width));
        }
        for number in old..self.each.len() {
            let text = &text[self.bytes(number)];
            let segment = &mut self.each[number];
            if number == old && self.heights.count() < trace.segment_count() {
                // The next one may have taken a part of it.
                segment.rows = Rows::new(self.width);
            }
            segment.rows.extend(text);
            if segment.title.is_some() {
                segment.title = Some(title(trace, number));
            }
            let height = self.height(number);
            if number == self.heights.count() {
                self.heights.push(height);
            } else {
                self.heights.set(number, height);
            }
        }
        self.heights.before(old)
    }

    fn height(&self, number: usize) -> usize {
        self.each[number].height(number + 1 == self.each.len())
    }

    fn bytes(&self, number: usize) -> Range<usize> {
        self.each[number].start..self.each.get(number + 1).map_or(self.len, |next| next.start)
    }

    /// The segment that a byte lies in.
    pub fn segment_of(&self, offset: usize) -> usize {
        self.each.partition_point(|segment| segment.start <= offset) - 1
    }

    pub fn is_folded(&self, number: usize) -> bool {
        self.each.get(number).is_some_and(|segment| segment.title.is_some())
    }

    /// Folds a segment, or unfolds it.
    pub fn set_folded(&mut self, trace: &Trace, number: usize, folded: bool) {
        if number < trace.segment_count().min(self.each.len()) && self.is_folded(number) != folded {
            self.each[number].title = folded.then(|| title(trace, number));
            let height = self.height(number);
            self.heights.set(number, height);
        }
    }

    pub fn count(&self) -> usize {
        self.heights.total()
    }

    /// The segment of a row, and which of its rows it is.
    fn locate(&self, row: usize) -> (usize, usize) {
        let number = self.heights.at(row).min(self.each.len() - 1);
        (number, row - self.heights.before(number))
    }

    /// The segment that begins with a row, if one does.
    pub fn begins(&self, row: usize) -> Option<usize> {
        let (number, row) = self.locate(row);
        (row == 0).then_some(number)
    }

    pub fn range(&self, row: usize) -> Range<usize> {
        let (number, row) = self.locate(row);
        let segment = &self.each[number];
        if segment.title.is_some() {
            return self.bytes(number);
        }
        let rows = segment.rows.range(row);
        segment.start + rows.start..segment.start + rows.end
    }

    pub fn row_of(&self, offset: usize) -> usize {
        let number = self.segment_of(offset);
        let segment = &self.each[number];
        let row = match segment.title {
            Some(_) => 0,
            None => segment.rows.row_of(offset - segment.start),
        };
        self.heights.before(number) + row.min(self.height(number) - 1)
    }

    pub fn pieces<'a>(&'a self, source: &'a str, row: usize) -> Vec<Piece<'a>> {
        let at = self.range(row);
        let text = match &self.each[self.locate(row).0].title {
            Some(title) => title,
            None => &source[at.clone()],
        };
        let parts = Parts::default();
        vec![Piece { text, at, parts }]
    }

    pub fn is_blank(&self, source: &str, row: usize) -> bool {
        self.each[self.locate(row).0].title.is_none() && source[self.range(row)].trim().is_empty()
    }
}

/// Longer or shorter than what it stands for: what is as long as its source is taken for the source.
fn title(trace: &Trace, number: usize) -> String {
    let mut title = trace.title(number);
    if title.len() == trace.segment_bytes(number).len() {
        title.push(' ');
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(segments: &Segments, source: &str) -> Vec<(String, Range<usize>)> {
        let row = |row: usize| {
            let pieces = segments.pieces(source, row);
            (pieces.iter().map(|piece| piece.text).collect(), segments.range(row))
        };
        (0..segments.count()).map(row).collect()
    }

    #[test]
    fn a_folded_segment_is_its_title() {
        let mut trace = Trace::default();
        trace.push_text("# One\nfirst line\n\nWait, two.\nMore.\n\n3. Three");
        let mut segments = Segments::new(20);
        segments.extend(&trace);
        segments.set_folded(&trace, 1, true);
        let shown: Vec<_> = rows(&segments, trace.text())
            .into_iter()
            .map(|(text, _)| text)
            .collect();
        assert_eq!(shown, ["# One\n", "first line\n", "\n", "Wait, two. More.", "3. Three"]);
        assert_eq!(segments.range(3), 18..36);
        assert_eq!(
            (segments.row_of(30), segments.row_of(36), segments.begins(4)),
            (3, 4, Some(2))
        );
        segments.set_folded(&trace, 1, false);
        assert_eq!(segments.count(), 7);
    }

    proptest! {
        #[test]
        fn growing_folding_and_wrapping_in_any_order_are_a_fresh_rendering(
            steps in prop::collection::vec((prop::sample::select(vec![
                "Wait, so", "\n\n", "\n", " and ", "1. One", "# Head\n", "你好。", "a very long word indeed it is ", "- x\n", "However. ",
                "e\u{301}", "It is a sentence that goes on and on until it is long enough to be cut where the next one turns. ",
            ]), 1usize..30, 0usize..12, any::<bool>()), 1..60),
        ) {
            let mut trace = Trace::default();
            let mut segments = Segments::new(10);
            for (text, width, number, folded) in steps {
                trace.push_text(text);
                segments.extend(&trace);
                segments.set_folded(&trace, number, folded);
                if width < 8 {
                    segments.set_width(trace.text(), width);
                }
                let mut fresh = Segments::new(segments.width());
                fresh.extend(&trace);
                for number in 0..segments.each.len() {
                    fresh.set_folded(&trace, number, segments.is_folded(number));
                }
                let shown = rows(&segments, trace.text());
                prop_assert_eq!(&shown, &rows(&fresh, trace.text()));
                let mut end = 0;
                for (row, (_, range)) in shown.iter().enumerate() {
                    prop_assert_eq!(range.start, end, "rows follow on each other");
                    end = range.end;
                    prop_assert_eq!(segments.row_of(range.start), row);
                }
                prop_assert_eq!(end, trace.text().len());
                prop_assert!(segments.row_of(end) < segments.count());
            }
        }
    }
}
