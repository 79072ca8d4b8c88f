//! What was done to a draft, to be taken back and done again.
//!
//! Only what changed is kept, in both directions, so that a step in a large draft costs no more than in a small one.
//! Steps are taken back by groups: a word that was typed, a run of characters that were erased, all that one command did.

use std::collections::VecDeque;

use super::piece::Piece;

/// More than this is forgotten, the oldest first.
const STEPS: usize = 10_000;
const BYTES: usize = 8 << 20;

/// How a change came about: changes of the same kind, one after the other, are one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Typed,
    Erased,
    Recalled,
    /// Always a group of its own.
    Alone,
}

/// At `at`, `removed` was replaced by `inserted`; the cursor went from `before` to `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub at: usize,
    pub removed: Piece,
    pub inserted: Piece,
    pub before: usize,
    pub after: usize,
}

impl Step {
    fn bytes(&self) -> usize {
        self.removed.len() + self.inserted.len()
    }

    /// What it is about: what came, else what went.
    fn text(&self) -> &str {
        if self.inserted.is_empty() {
            self.removed.text()
        } else {
            self.inserted.text()
        }
    }
}

#[derive(Debug, Default)]
pub struct Undo {
    done: VecDeque<(u64, Step)>,
    undone: Vec<(u64, Step)>,
    bytes: usize,
    group: u64,
    /// What could go on with the last group.
    open: Option<Kind>,
    /// All changes are one group until it is over.
    gathering: bool,
}

impl Undo {
    pub fn record(&mut self, step: Step, kind: Kind) {
        if !self.goes_on(&step, kind) {
            self.group += 1;
        }
        self.open = Some(kind);
        self.undone.clear();
        self.bytes += step.bytes();
        self.done.push_back((self.group, step));
        while self.done.len() > STEPS || self.bytes > BYTES {
            self.forget_oldest();
        }
    }

    fn goes_on(&self, step: &Step, kind: Kind) -> bool {
        let Some((_, last)) = self.done.back().filter(|(group, _)| *group == self.group) else {
            return false;
        };
        if self.gathering {
            return true;
        }
        let (was, is) = (ends_in_space(last.text()), ends_in_space(step.text()));
        self.open == Some(kind)
            && match kind {
                Kind::Typed => step.removed.is_empty() && step.at == last.at + last.inserted.len() && (is || !was),
                // Backwards a word goes with the space after it, forwards with the space before it.
                Kind::Erased => is == was || was,
                Kind::Recalled => true,
                Kind::Alone => false,
            }
    }

    fn forget_oldest(&mut self) {
        let Some(&(oldest, _)) = self.done.front() else {
            return;
        };
        while let Some((_, step)) = self.done.pop_front_if(|(group, _)| *group == oldest) {
            self.bytes -= step.bytes();
        }
    }

    /// The next change begins a group.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// From here on all changes are one group, or no longer.
    pub fn gather(&mut self, gathering: bool) {
        if gathering != self.gathering {
            self.group += 1;
        }
        self.gathering = gathering;
        self.open = None;
    }

    /// The last group, its last step first.
    pub fn undo(&mut self) -> Vec<Step> {
        self.close();
        self.group += 1;
        let Some(&(last, _)) = self.done.back() else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        while let Some((group, step)) = self.done.pop_back_if(|(group, _)| *group == last) {
            self.bytes -= step.bytes();
            steps.push(step.clone());
            self.undone.push((group, step));
        }
        steps
    }

    /// The group that was undone last, its first step first.
    pub fn redo(&mut self) -> Vec<Step> {
        self.close();
        self.group += 1;
        let Some(&(last, _)) = self.undone.last() else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        while let Some((group, step)) = self.undone.pop_if(|(group, _)| *group == last) {
            self.bytes += step.bytes();
            steps.push(step.clone());
            self.done.push_back((group, step));
        }
        steps
    }
}

fn ends_in_space(text: &str) -> bool {
    text.ends_with(char::is_whitespace)
}
