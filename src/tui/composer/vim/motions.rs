//! Where a key leads.

use super::{Find, Led, Operator, Pending, Span, Vim};
use crate::tui::composer::draft::Draft;

impl Vim {
    /// Where a motion leads, if it is one.
    pub(super) fn motion(&mut self, c: char, pending: &Pending, draft: &Draft) -> Option<Led> {
        let at = draft.cursor();
        let count = pending.times();
        let changes = matches!(pending.operator, Some((Operator::Change, _)));
        let found = match c {
            'h' => (
                repeated(count, at, |at| draft.before(at)).max(draft.line_start(at)),
                Span::Before,
            ),
            'l' | ' ' => (
                repeated(count, at, |at| draft.after(at)).min(draft.line_end(at)),
                Span::Before,
            ),
            'w' | 'W' if changes && draft.class(at, c == 'W') != crate::tui::composer::motion::Class::Space => {
                // The end of this word, also from its last character.
                let first = draft.before(draft.object(at, c, false)?.end);
                (
                    repeated(count - 1, first, |at| draft.word_end(at, c == 'W')),
                    Span::Onto,
                )
            }
            'w' | 'W' => {
                let to = repeated(count, at, |at| draft.next_word(at, c == 'W'));
                let start = draft.line_start(to);
                // An operator leaves the end of the last line alone.
                let over = pending.operator.is_some() && start > at && draft.first_in_line(to) == to;
                (if over { start - 1 } else { to }, Span::Before)
            }
            'b' | 'B' => (
                repeated(count, at, |at| draft.previous_word(at, c == 'B')),
                Span::Before,
            ),
            'e' | 'E' => (repeated(count, at, |at| draft.word_end(at, c == 'E')), Span::Onto),
            '0' => (draft.line_start(at), Span::Before),
            '^' => (draft.first_in_line(at), Span::Before),
            '$' => {
                let line = draft.line_below(at, count.cast_signed() - 1, 0);
                (draft.line_end(line.unwrap_or(at)), Span::Before)
            }
            '{' | '}' => (repeated(count, at, |at| draft.paragraph(at, c == '}')), Span::Before),
            'G' => {
                let last = draft.line_start(draft.len());
                (pending.count.map_or(last, |count| draft.line(count - 1)), Span::Lines)
            }
            '%' => return Some(Led(draft.matching_bracket(at).map(|to| (to, Span::Onto)))),
            'j' | 'k' => {
                let goal = self.goal.unwrap_or_else(|| draft.column(at));
                let by = if c == 'j' {
                    count.cast_signed()
                } else {
                    -count.cast_signed()
                };
                let to = draft.line_below(at, by, goal);
                if to.is_some() {
                    self.goal = Some(goal);
                }
                return Some(Led(to.map(|to| (to, Span::Lines))));
            }
            ';' | ',' => {
                let found = self.find.and_then(|find| {
                    let forward = find.forward == (c == ';');
                    seek(Find { forward, ..find }, count, true, draft)
                });
                return Some(Led(found));
            }
            _ => return None,
        };
        Some(Led(Some(found)))
    }
}

/// A step so many times, as long as it leads further.
pub(super) fn repeated(count: usize, from: usize, step: impl Fn(usize) -> usize) -> usize {
    let mut at = from;
    for _ in 0..count {
        let next = step(at);
        if next == at {
            break;
        }
        at = next;
    }
    at
}

pub(super) fn seek(find: Find, count: usize, again: bool, draft: &Draft) -> Option<(usize, Span)> {
    let at = draft.cursor();
    // Right before what was found, the same again would find it again.
    let beside = if find.forward {
        draft.after(at)
    } else {
        draft.before(at)
    };
    let from = if again && find.till && draft.is(beside, find.wanted) {
        beside
    } else {
        at
    };
    let found = draft.find(from, find.wanted, find.forward, count)?;
    Some(match (find.forward, find.till) {
        (true, false) => (found, Span::Onto),
        (true, true) => (draft.before(found), Span::Onto),
        (false, false) => (found, Span::Before),
        (false, true) => (draft.after(found), Span::Before),
    })
}
