//! How far each document has been read by the model.
//!
//! Documents stand in the prompt one after the other, so that one number, the tokens that are in the model's state,
//! says it of all.

use std::collections::HashSet;

use super::tree::{Node, NodeId};

/// What a row's mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Packed, and not yet read by the model.
    Waiting,
    Prefilling,
    Prefilled,
    /// Not as it lies on the disk any more.
    Changed,
    LeftOut,
}

#[derive(Debug, Default)]
pub struct Progress {
    /// Tokens of the prompt before the first document.
    offset: usize,
    done: usize,
    running: bool,
    /// With the folders in which they lie.
    pub changed: HashSet<NodeId>,
}

impl Progress {
    pub fn new(offset: usize) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }

    pub fn read(&mut self, done: usize, running: bool) {
        self.done = done;
        self.running = running;
    }

    pub fn state(&self, id: NodeId, node: &Node) -> State {
        let begins = self.offset.saturating_add(node.span.start);
        let ends = self.offset.saturating_add(node.span.end);
        match () {
            () if node.files == 0 => State::LeftOut,
            () if self.changed.contains(&id) => State::Changed,
            () if self.done >= ends => State::Prefilled,
            () if self.running && self.done >= begins => State::Prefilling,
            () => State::Waiting,
        }
    }
}

impl State {
    /// One cell, told apart without colour.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Waiting => "○",
            Self::Prefilling => "◐",
            Self::Prefilled => "●",
            Self::Changed => "≠",
            Self::LeftOut => "–",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::pack;
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn a_document_is_prefilled_when_its_last_token_is() {
        let tree = Tree::new(&pack(&[("a/x", 10), ("a/y", 20), ("b/z", 5)]));
        let mut progress = Progress::new(3);
        let mut marks = |done, running| -> String {
            progress.read(done, running);
            tree.ids().map(|id| progress.state(id, tree.node(id)).mark()).collect()
        };
        // In the order a, a/x, a/y, b, b/z.
        assert_eq!(marks(0, true), "○○○○○");
        assert_eq!(marks(3, true), "◐◐○○○");
        assert_eq!(marks(13, true), "◐●◐○○");
        assert_eq!(marks(13, false), "○●○○○");
        assert_eq!(marks(33, true), "●●●◐◐");
        assert_eq!(marks(38, true), "●●●●●");
        assert_eq!(marks(usize::MAX, false), "●●●●●");
    }
}
