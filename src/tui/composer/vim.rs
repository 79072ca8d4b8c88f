//! Vim's keys, for who has them in the fingers: a pure state machine over a draft.
//!
//! While inserting it sees nothing but Escape; everything typed goes its usual way. In the other modes a command is
//! [count] [operator] [count] motion or object, or one that stands alone. What a change did is repeated by its keys and
//! the text that was inserted with it.

mod motions;
mod operators;

use std::ops::Range;

use motions::{repeated, seek};
use operators::{join, set_case};

use super::draft::{Draft, Kind};
use super::piece::Piece;

/// More than anyone means.
const MOST: usize = 9_999;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Insert,
    Normal,
    /// Characters are selected, or lines.
    Visual,
    Lines,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    Yes,
    /// It means nothing here.
    No,
    /// Out of the text, upwards or downwards: to what was sent before or after.
    Older,
    Newer,
}

#[derive(Debug, Default)]
pub struct Vim {
    pub mode: Mode,
    pending: Pending,
    /// What `;` repeats.
    find: Option<Find>,
    register: Register,
    /// What `.` repeats.
    last: Option<Repeat>,
    insertion: Option<Insertion>,
    /// The other end of the selection.
    anchor: usize,
    /// The column that lines up and down try to keep.
    goal: Option<usize>,
}

/// A command that has begun.
#[derive(Debug, Default, Clone)]
struct Pending {
    count: Option<usize>,
    operator: Option<(Operator, Option<usize>)>,
    prefix: Option<char>,
    /// All of it but counts.
    keys: Vec<char>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Delete,
    Change,
    Yank,
    Case(Case),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
    Toggle,
}

#[derive(Debug, Clone, Copy)]
struct Find {
    wanted: char,
    forward: bool,
    /// Up to it and not onto it.
    till: bool,
}

#[derive(Debug, Default)]
struct Register {
    piece: Piece,
    lines: bool,
}

#[derive(Debug, Clone)]
struct Repeat {
    count: Option<usize>,
    keys: Vec<char>,
    inserted: Piece,
}

/// Where an insertion began, and what began it.
#[derive(Debug)]
struct Insertion {
    from: usize,
    count: usize,
    repeat: Repeat,
}

/// What an operator works on: up to a place, up to and with it, or the lines between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Before,
    Onto,
    Lines,
}

/// Where a motion leads, if anywhere.
struct Led(Option<(usize, Span)>);

impl Vim {
    /// What is begun and not complete, to be shown.
    pub fn begun(&self) -> String {
        let count = |count: Option<usize>| count.map_or_else(String::new, |count| count.to_string());
        let before = self.pending.operator.and_then(|(_, count)| count);
        let keys: String = self.pending.keys.iter().collect();
        if self.pending.prefix.is_some() || self.pending.operator.is_none() {
            format!("{}{}{keys}", count(before), count(self.pending.count))
        } else {
            format!("{}{keys}{}", count(before), count(self.pending.count))
        }
    }

    /// What is selected.
    pub fn selection(&self, draft: &Draft) -> Option<Range<usize>> {
        let anchor = draft.boundary_before(self.anchor.min(draft.len()));
        let (from, to) = (anchor.min(draft.cursor()), anchor.max(draft.cursor()));
        match self.mode {
            Mode::Visual => Some(from..draft.after(to)),
            Mode::Lines => Some(draft.line_start(from)..draft.line_end(to)),
            Mode::Insert | Mode::Normal => None,
        }
    }

    /// Back to inserting; what was begun is forgotten.
    pub fn reset(&mut self, draft: &mut Draft) {
        if self.insertion.take().is_some() {
            draft.gather(false);
        }
        self.mode = Mode::Insert;
        self.pending = Pending::default();
        self.goal = None;
    }

    /// The cursor went somewhere by other means: what is typed from here on is another insertion.
    pub fn moved(&mut self, draft: &mut Draft) {
        if let Some(insertion) = &mut self.insertion {
            insertion.from = draft.cursor();
            draft.gather(false);
            draft.gather(true);
        }
        self.settle(draft);
    }

    /// Outside of insertions the cursor is on a character, not behind the last.
    fn settle(&self, draft: &mut Draft) {
        if self.mode == Mode::Normal {
            let at = draft.cursor();
            let on = at.min(draft.last_in_line(at));
            if on != at {
                draft.move_to(on);
            }
        }
    }

    /// Selects characters from here to the cursor.
    pub fn select_from(&mut self, anchor: usize, draft: &mut Draft) {
        self.pending = Pending::default();
        (self.mode, self.anchor) = (Mode::Visual, anchor);
        // The character under the cursor is selected with the others.
        if draft.cursor() > anchor {
            let at = draft.cursor();
            draft.move_to(draft.before(at));
        }
    }

    /// Whether Escape meant something.
    pub fn escape(&mut self, draft: &mut Draft) -> bool {
        let begun = !self.pending.keys.is_empty() || self.pending.count.is_some();
        self.pending = Pending::default();
        match self.mode {
            Mode::Normal => begun,
            Mode::Visual | Mode::Lines => {
                self.mode = Mode::Normal;
                self.settle(draft);
                true
            }
            Mode::Insert => {
                self.end_insertion(draft);
                self.mode = Mode::Normal;
                let at = draft.cursor();
                draft.move_to(draft.before(at).max(draft.line_start(at)));
                true
            }
        }
    }

    fn end_insertion(&mut self, draft: &mut Draft) {
        let Some(Insertion {
            from,
            count,
            mut repeat,
        }) = self.insertion.take()
        else {
            return;
        };
        let to = draft.cursor();
        if from < to && draft.text().is_char_boundary(from) {
            let range = draft.piece().widened(from..to);
            repeat.inserted = draft.piece().slice(range);
            for _ in 1..count {
                let at = draft.cursor();
                draft.change(at..at, repeat.inserted.clone(), Kind::Alone);
            }
        }
        draft.gather(false);
        self.last = Some(repeat);
    }

    fn begin_insertion(&mut self, draft: &Draft, count: usize, pending: &Pending) {
        self.mode = Mode::Insert;
        self.insertion = Some(Insertion {
            from: draft.cursor(),
            count,
            repeat: pending.repeat(),
        });
    }

    /// A character outside of insertions.
    pub fn key(&mut self, c: char, draft: &mut Draft) -> Took {
        if self.pending.prefix.is_none()
            && let Some(digit) = c.to_digit(10)
            && (digit > 0 || self.pending.count.is_some())
        {
            let count = self.pending.count.unwrap_or(0) * 10 + digit as usize;
            self.pending.count = Some(count.min(MOST));
            return Took::Yes;
        }
        self.pending.keys.push(c);
        if !matches!(c, 'j' | 'k') {
            self.goal = None;
        }
        let mut pending = std::mem::take(&mut self.pending);
        let took = self.command(c, &mut pending, draft);
        self.settle(draft);
        took.unwrap_or_else(|| {
            self.pending = pending;
            Took::Yes
        })
    }

    /// Carries a command out; nothing if there is more to come.
    fn command(&mut self, c: char, pending: &mut Pending, draft: &mut Draft) -> Option<Took> {
        let visual = matches!(self.mode, Mode::Visual | Mode::Lines);
        if let Some(prefix) = pending.prefix.take() {
            match (prefix, c) {
                ('r', c) => self.replace_characters(c, pending, draft),
                ('i' | 'a', name) => self.with_object(name, prefix == 'a', pending, draft),
                ('f' | 'F' | 't' | 'T', wanted) => {
                    let find = Find {
                        wanted,
                        forward: matches!(prefix, 'f' | 't'),
                        till: matches!(prefix, 't' | 'T'),
                    };
                    self.find = Some(find);
                    let found = seek(find, pending.times(), false, draft);
                    self.go(found, pending, draft);
                }
                ('g', 'u') => return self.operator(Operator::Case(Case::Lower), pending, draft),
                ('g', 'U') => return self.operator(Operator::Case(Case::Upper), pending, draft),
                ('g', '~') => return self.operator(Operator::Case(Case::Toggle), pending, draft),
                ('g', 'j' | 'k') if pending.operator.is_none() => {
                    for _ in 0..pending.times() {
                        let moved = if c == 'j' { draft.row_down() } else { draft.row_up() };
                        if !moved {
                            break;
                        }
                    }
                }
                ('g', c) => {
                    let found = match c {
                        'g' => Some((draft.line(pending.count.map_or(0, |count| count - 1)), Span::Lines)),
                        'e' | 'E' => {
                            let step = |at| draft.previous_word_end(at, c == 'E');
                            Some((repeated(pending.times(), draft.cursor(), step), Span::Onto))
                        }
                        _ => None,
                    };
                    self.go(found, pending, draft);
                }
                _ => {}
            }
            return Some(Took::Yes);
        }
        if matches!(c, 'g' | 'f' | 'F' | 't' | 'T' | 'r')
            || (matches!(c, 'i' | 'a') && (visual || pending.operator.is_some()))
        {
            pending.prefix = Some(c);
            return None;
        }
        let operator = match c {
            'd' => Some(Operator::Delete),
            'c' => Some(Operator::Change),
            'y' => Some(Operator::Yank),
            'x' | 'X' if visual => Some(Operator::Delete),
            's' if visual => Some(Operator::Change),
            'u' if visual => Some(Operator::Case(Case::Lower)),
            'U' if visual => Some(Operator::Case(Case::Upper)),
            '~' if visual => Some(Operator::Case(Case::Toggle)),
            _ => None,
        };
        if let Some(operator) = operator {
            return self.operator(operator, pending, draft);
        }
        // In the case operators, the last key again means the line.
        if let (Some((operator @ Operator::Case(case), _)), 'u' | 'U' | '~') = (pending.operator, c) {
            let same = matches!((case, c), (Case::Lower, 'u') | (Case::Upper, 'U') | (Case::Toggle, '~'));
            if same {
                self.on_lines(operator, pending, draft);
            }
            return Some(Took::Yes);
        }
        if let Some(Led(found)) = self.motion(c, pending, draft) {
            let stays = found.is_none() && pending.operator.is_none() && self.mode == Mode::Normal;
            match c {
                'k' if stays => return Some(Took::Older),
                'j' if stays => return Some(Took::Newer),
                _ => self.go(found, pending, draft),
            }
            return Some(Took::Yes);
        }
        if pending.operator.is_some() {
            return Some(Took::Yes);
        }
        Some(if visual {
            self.alone_selected(c, draft)
        } else {
            self.alone(c, pending, draft)
        })
    }

    /// An operator: on the selection; on lines, if it is written twice; else on what comes.
    fn operator(&mut self, operator: Operator, pending: &mut Pending, draft: &mut Draft) -> Option<Took> {
        if let Some(range) = self.selection(draft) {
            self.on_selection(operator, range, draft);
            return Some(Took::Yes);
        }
        match pending.operator {
            Some((before, _)) if before == operator => self.on_lines(operator, pending, draft),
            Some(_) => {}
            None => {
                pending.operator = Some((operator, pending.count.take()));
                return None;
            }
        }
        Some(Took::Yes)
    }

    /// Follows a motion, or lets the operator work up to there.
    fn go(&mut self, found: Option<(usize, Span)>, pending: &Pending, draft: &mut Draft) {
        let Some((to, span)) = found else {
            return;
        };
        let Some((operator, _)) = pending.operator else {
            let to = if span == Span::Lines && self.goal.is_none() {
                draft.first_in_line(to)
            } else {
                to
            };
            draft.move_to(to);
            return;
        };
        let at = draft.cursor();
        let (from, to) = (at.min(to), at.max(to));
        match span {
            Span::Before => self.operate(operator, from..to, false, pending, draft),
            Span::Onto => self.operate(operator, from..draft.after(to), false, pending, draft),
            Span::Lines => {
                let range = draft.line_start(from)..draft.line_end(to);
                self.operate(operator, range, true, pending, draft);
            }
        }
    }

    /// A command that needs nothing more.
    fn alone(&mut self, c: char, pending: &mut Pending, draft: &mut Draft) -> Took {
        let at = draft.cursor();
        let (start, end) = (draft.line_start(at), draft.line_end(at));
        let count = pending.times();
        match c {
            'i' | 'I' | 'a' | 'A' | 'o' | 'O' => {
                draft.gather(true);
                match c {
                    'I' => draft.move_to(draft.first_in_line(at)),
                    'a' => draft.move_to(draft.after(at).min(end)),
                    'A' => draft.move_to(end),
                    'o' => drop(draft.change(end..end, "\n", Kind::Alone)),
                    'O' => {
                        draft.change(start..start, "\n", Kind::Alone);
                        draft.move_to(start);
                    }
                    _ => {}
                }
                self.begin_insertion(draft, count, pending);
            }
            'x' | 'X' | 'D' | 'C' | 's' => {
                let range = match c {
                    'X' => repeated(count, at, |at| draft.before(at)).max(start)..at,
                    'D' | 'C' => at..end,
                    _ => at..repeated(count, at, |at| draft.after(at)).min(end),
                };
                let operator = if matches!(c, 'C' | 's') {
                    Operator::Change
                } else {
                    Operator::Delete
                };
                self.operate(operator, range, false, pending, draft);
            }
            'S' => self.on_lines(Operator::Change, pending, draft),
            'Y' => self.on_lines(Operator::Yank, pending, draft),
            'p' | 'P' => {
                self.last = Some(pending.repeat());
                self.put(c == 'p', count, draft);
            }
            'J' => {
                self.last = Some(pending.repeat());
                join(count.max(2) - 1, draft);
            }
            '~' => {
                self.last = Some(pending.repeat());
                let to = repeated(count, at, |at| draft.after(at)).min(end);
                set_case(Case::Toggle, at..to, draft);
                draft.move_to(to);
            }
            'u' => {
                for _ in 0..count {
                    if !draft.undo() {
                        break;
                    }
                }
            }
            'v' | 'V' => {
                self.anchor = at;
                self.mode = if c == 'v' { Mode::Visual } else { Mode::Lines };
            }
            '.' => self.repeat(pending.count, draft),
            _ => return Took::No,
        }
        Took::Yes
    }

    /// Does the last change again.
    fn repeat(&mut self, count: Option<usize>, draft: &mut Draft) {
        let Some(last) = self.last.clone() else {
            return;
        };
        self.pending.count = count.or(last.count);
        for &key in &last.keys {
            self.key(key, draft);
        }
        if self.mode == Mode::Insert {
            let at = draft.cursor();
            draft.change(at..at, last.inserted.clone(), Kind::Alone);
            self.escape(draft);
        }
        self.last = Some(Repeat {
            count: count.or(last.count),
            ..last
        });
    }
}

impl Pending {
    /// Both counts are multiplied.
    fn times(&self) -> usize {
        let before = self.operator.and_then(|(_, count)| count).unwrap_or(1);
        (before * self.count.unwrap_or(1)).clamp(1, MOST)
    }

    fn repeat(&self) -> Repeat {
        let counted = self.count.is_some() || self.operator.is_some_and(|(_, count)| count.is_some());
        Repeat {
            count: counted.then(|| self.times()),
            keys: self.keys.clone(),
            inserted: Piece::default(),
        }
    }
}

impl Case {
    fn key(self) -> char {
        match self {
            Self::Upper => 'U',
            Self::Lower => 'u',
            Self::Toggle => '~',
        }
    }

    fn of(self, c: char) -> String {
        let upper = match self {
            Self::Upper => true,
            Self::Lower => false,
            Self::Toggle => c.is_lowercase(),
        };
        if upper {
            c.to_uppercase().collect()
        } else {
            c.to_lowercase().collect()
        }
    }
}
