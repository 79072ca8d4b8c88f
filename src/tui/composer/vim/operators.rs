//! What changes text: operators on a selection, on lines, on what a motion covers.

use std::ops::Range;

use super::motions::repeated;
use super::{Case, Mode, Operator, Pending, Register, Repeat, Took, Vim};
use crate::tui::composer::draft::{Draft, Kind};
use crate::tui::composer::piece::Piece;

impl Vim {
    pub(super) fn on_selection(&mut self, operator: Operator, range: Range<usize>, draft: &mut Draft) {
        let lines = self.mode == Mode::Lines;
        self.mode = Mode::Normal;
        // Repeated on as much from wherever the cursor is.
        let ends = draft.text()[range.clone()].matches('\n').count();
        let count = if lines {
            ends + 1
        } else {
            draft.column(range.end).saturating_sub(draft.column(range.start))
        };
        let keys = match (operator, lines) {
            (Operator::Delete, false) => vec!['d', 'l'],
            (Operator::Delete, true) => vec!['d', 'd'],
            (Operator::Change, false) => vec!['c', 'l'],
            (Operator::Change, true) => vec!['c', 'c'],
            (Operator::Case(case), false) => vec!['g', case.key(), 'l'],
            (Operator::Case(case), true) => vec!['g', case.key(), case.key()],
            (Operator::Yank, _) => Vec::new(),
        };
        let keys = if ends > 0 && !lines { Vec::new() } else { keys };
        let pending = Pending {
            count: Some(count),
            keys,
            ..Pending::default()
        };
        self.operate(operator, range, lines, &pending, draft);
    }

    /// The lines from the cursor's on, as many as were counted.
    pub(super) fn on_lines(&mut self, operator: Operator, pending: &Pending, draft: &mut Draft) {
        let start = draft.line_start(draft.cursor());
        let mut end = draft.line_end(start);
        for _ in 1..pending.times() {
            if end < draft.len() {
                end = draft.line_end(end + 1);
            }
        }
        self.operate(operator, start..end, true, pending, draft);
    }

    pub(super) fn with_object(&mut self, name: char, around: bool, pending: &Pending, draft: &mut Draft) {
        let Some(range) = draft.object(draft.cursor(), name, around) else {
            return;
        };
        if let Some((operator, _)) = pending.operator {
            self.operate(operator, range, false, pending, draft);
        } else if !range.is_empty() {
            self.anchor = range.start;
            let last = draft.before(range.end);
            draft.move_to(last);
        }
    }

    pub(super) fn operate(
        &mut self,
        operator: Operator,
        range: Range<usize>,
        lines: bool,
        pending: &Pending,
        draft: &mut Draft,
    ) {
        let range = draft.piece().widened(range);
        if range.is_empty() && !lines && operator != Operator::Change {
            return;
        }
        if let Operator::Case(case) = operator {
            self.last = Some(pending.repeat());
            set_case(case, range.clone(), draft);
            draft.move_to(range.start);
            return;
        }
        self.register = Register {
            piece: draft.piece().slice(range.clone()),
            lines,
        };
        match operator {
            Operator::Yank => {
                let at = draft.cursor();
                let stays = lines && draft.line_start(at) == range.start;
                draft.move_to(if stays { at } else { range.start });
            }
            Operator::Change => {
                draft.gather(true);
                draft.change(range.clone(), "", Kind::Alone);
                draft.move_to(range.start);
                self.begin_insertion(draft, 1, pending);
            }
            _ => {
                self.last = Some(pending.repeat());
                if lines {
                    remove_lines(range, draft);
                } else {
                    draft.change(range, "", Kind::Alone);
                }
            }
        }
    }

    /// The same while something is selected.
    pub(super) fn alone_selected(&mut self, c: char, draft: &mut Draft) -> Took {
        match (c, self.selection(draft)) {
            ('o', _) => {
                let at = draft.cursor();
                draft.move_to(self.anchor);
                self.anchor = at;
            }
            ('v' | 'V', _) => {
                let mode = if c == 'v' { Mode::Visual } else { Mode::Lines };
                self.mode = if self.mode == mode { Mode::Normal } else { mode };
            }
            ('D' | 'C' | 'S' | 'Y', Some(range)) => {
                let operator = match c {
                    'D' => Operator::Delete,
                    'Y' => Operator::Yank,
                    _ => Operator::Change,
                };
                let lines = draft.line_start(range.start)..draft.line_end(range.end);
                self.mode = Mode::Lines;
                self.on_selection(operator, lines, draft);
            }
            ('J', Some(range)) => {
                self.mode = Mode::Normal;
                let lines = draft.text()[range.clone()].matches('\n').count();
                draft.move_to(range.start);
                join(lines.max(1), draft);
            }
            ('p' | 'P', Some(range)) => {
                let lines = self.mode == Mode::Lines;
                let mut with = Piece::default();
                let parted = self.register.lines && !lines;
                if parted {
                    with.append(&"\n".into());
                }
                with.append(&self.register.piece);
                if parted {
                    with.append(&"\n".into());
                }
                self.mode = Mode::Normal;
                let piece = draft.change(range.clone(), with, Kind::Alone);
                let end = draft.cursor();
                draft.move_to(draft.before(end).max(range.start));
                self.register = Register { piece, lines };
            }
            _ => return Took::No,
        }
        Took::Yes
    }

    pub(super) fn put(&mut self, after: bool, count: usize, draft: &mut Draft) {
        let at = draft.cursor();
        let one = self.register.piece.clone();
        if one.is_empty() && !self.register.lines {
            return;
        }
        let mut all = Piece::default();
        for n in 0..count {
            if all.len() > 1 << 20 {
                break;
            }
            if self.register.lines && n > 0 {
                all.append(&"\n".into());
            }
            all.append(&one);
        }
        if !self.register.lines {
            let at = if after {
                draft.after(at).min(draft.line_end(at))
            } else {
                at
            };
            draft.change(at..at, all, Kind::Alone);
            let end = draft.cursor();
            draft.move_to(draft.before(end).max(at));
        } else if after {
            let end = draft.line_end(at);
            let mut with = Piece::from("\n");
            with.append(&all);
            draft.change(end..end, with, Kind::Alone);
            draft.move_to(draft.first_in_line(end + 1));
        } else {
            let start = draft.line_start(at);
            all.append(&"\n".into());
            draft.change(start..start, all, Kind::Alone);
            draft.move_to(draft.first_in_line(start));
        }
    }

    pub(super) fn replace_characters(&mut self, with: char, pending: &Pending, draft: &mut Draft) {
        let at = draft.cursor();
        let selection = self.selection(draft);
        let range = selection.clone().unwrap_or_else(|| {
            let end = draft.line_end(at);
            at..repeated(pending.times(), at, |at| draft.after(at)).min(end)
        });
        let mut count = 0;
        let mut text = String::new();
        let mut passed = range.start;
        while passed < range.end {
            let line_end = draft.text()[passed..].starts_with('\n');
            text.push(if line_end { '\n' } else { with });
            count += 1;
            passed = draft.after(passed);
        }
        if count == 0 || (selection.is_none() && count < pending.times()) {
            return;
        }
        self.mode = Mode::Normal;
        self.last = Some(Repeat {
            count: Some(count),
            keys: vec!['r', with],
            inserted: Piece::default(),
        });
        draft.change(range.clone(), text, Kind::Alone);
        let end = draft.cursor();
        draft.move_to(if selection.is_some() {
            range.start
        } else {
            draft.before(end)
        });
    }
}

/// Takes whole lines out, with one of the line ends around them.
pub(super) fn remove_lines(range: Range<usize>, draft: &mut Draft) {
    let range = if range.end < draft.len() {
        range.start..range.end + 1
    } else {
        range.start.saturating_sub(1)..range.end
    };
    draft.change(range, "", Kind::Alone);
    let at = draft.cursor();
    draft.move_to(draft.first_in_line(at));
}

/// What was pasted keeps its letters as they are.
pub(super) fn set_case(case: Case, range: Range<usize>, draft: &mut Draft) {
    let mut with = Piece::default();
    let mut at = range.start;
    while at < range.end {
        let next = draft.after(at).min(range.end);
        let one = draft.piece().slice(at..next);
        if one.chips().is_empty() {
            let changed: String = one.text().chars().map(|c| case.of(c)).collect();
            with.append(&changed.into());
        } else {
            with.append(&one);
        }
        at = next;
    }
    draft.change(range, with, Kind::Alone);
}

/// Joins so many next lines to the cursor's, with a space between where there is none.
pub(super) fn join(lines: usize, draft: &mut Draft) {
    draft.gather(true);
    for _ in 0..lines {
        let end = draft.line_end(draft.cursor());
        if end >= draft.len() {
            break;
        }
        let next = draft.first_in_line(end + 1);
        let text = draft.text();
        let no_space = end == 0
            || text[..end].ends_with(char::is_whitespace)
            || text[next..].starts_with([')', '\n'])
            || next == draft.len();
        draft.change(end..next, if no_space { "" } else { " " }, Kind::Alone);
        draft.move_to(end);
    }
    draft.gather(false);
}
