//! What is known of a document's colours: as they come from the highlighter, and asked for as they come into view.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::theme::Part;
use super::Text;

/// Lines that are coloured together.
pub const CHUNK: usize = 128;
/// Chunks that are kept.
const KEPT: usize = 64;

/// A stretch of a line that looks like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    pub from: u32,
    pub to: u32,
    pub part: Part,
}

/// A wish for colours: of these chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub text: Text,
    pub chunks: Range<usize>,
}

/// The colours of one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Highlighted {
    pub text: Text,
    pub chunk: usize,
    pub lines: Vec<Vec<Paint>>,
    /// Not a guess, from a beginning that may lie within a comment.
    pub settled: bool,
}

#[derive(Debug, Default)]
pub struct Colours {
    chunks: BTreeMap<usize, (bool, Vec<Vec<Paint>>)>,
    asked: Option<Range<usize>>,
}

impl Colours {
    /// What to ask for, when these lines are in view; nothing if it is there or has been asked for.
    pub fn wanted(&mut self, lines: &Range<usize>) -> Option<Range<usize>> {
        let view = lines.start / CHUNK..lines.end.div_ceil(CHUNK);
        let missing = |chunk: &usize| self.chunks.get(chunk).is_none_or(|(settled, _)| !settled);
        let first = view.clone().find(missing)?;
        let last = view.rev().find(missing)?;
        let wanted = first..last + 1;
        (self.asked.as_ref() != Some(&wanted)).then(|| {
            self.asked = Some(wanted.clone());
            wanted
        })
    }

    pub fn take(&mut self, chunk: usize, lines: Vec<Vec<Paint>>, settled: bool) {
        if settled || !self.chunks.contains_key(&chunk) {
            self.chunks.insert(chunk, (settled, lines));
        }
        // What is farthest from what has just been asked for goes first.
        while self.chunks.len() > KEPT {
            let (low, high) = (self.chunks.first_key_value(), self.chunks.last_key_value());
            let (Some((&low, _)), Some((&high, _))) = (low, high) else {
                break;
            };
            let farthest = if chunk - low.min(chunk) > high - chunk.min(high) {
                low
            } else {
                high
            };
            self.chunks.remove(&farthest);
        }
    }

    /// The colours of a line, from 0.
    pub fn of(&self, line: usize) -> &[Paint] {
        self.chunks
            .get(&(line / CHUNK))
            .and_then(|(_, lines)| lines.get(line % CHUNK))
            .map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_asked_for_once_and_only_while_it_is_missing() {
        let mut colours = Colours::default();
        assert_eq!(colours.wanted(&(0..40)), Some(0..1));
        assert_eq!(colours.wanted(&(0..50)), None);
        colours.take(0, vec![Vec::new(); CHUNK], false);
        assert_eq!(colours.wanted(&(100..140)), Some(0..2));
        colours.take(0, Vec::new(), true);
        colours.take(0, vec![vec![]], false);
        assert!(
            colours.chunks[&0].1.is_empty(),
            "a guess does not replace what is known"
        );
        assert_eq!(colours.wanted(&(100..140)), Some(1..2));
        assert_eq!(colours.wanted(&(0..40)), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut colours = Colours::default();
        for chunk in (0..500).rev() {
            colours.take(chunk, Vec::new(), true);
        }
        assert_eq!(colours.chunks.len(), KEPT);
        assert!(colours.chunks.contains_key(&0));
    }
}
