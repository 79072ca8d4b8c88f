//! Showing only what has a text in its name.

use super::super::text::clean;
use super::Pane;

/// What names are looked for, while it is written and after.
#[derive(Debug, Default)]
pub struct Filter {
    pub text: String,
    pub writing: bool,
}

impl Pane {
    pub fn is_filtering(&self) -> bool {
        self.filter.writing
    }

    pub fn begin_filter(&mut self) {
        self.filter.writing = true;
    }

    /// Stops writing the filter; what it leaves stays, unless the filter is dropped.
    pub fn end_filter(&mut self, keep: bool) {
        self.filter.writing = false;
        if !keep {
            self.filter.text.clear();
        }
        self.rebuild();
    }

    /// Whether there was one.
    pub fn drop_filter(&mut self) -> bool {
        let was = !self.filter.text.is_empty();
        self.end_filter(false);
        was
    }

    pub fn write_filter(&mut self, text: &str) {
        self.filter.text.push_str(&clean(text).replace('\n', " "));
        self.rebuild();
        self.go_to_match();
    }

    /// To the first row that has the text itself, if the cursor is on none.
    fn go_to_match(&mut self) {
        let wanted = self.filter.text.to_lowercase();
        if !self.current().is_some_and(|node| node.matches(&wanted)) {
            self.go_to(|node| node.matches(&wanted));
        }
    }

    pub fn erase_filter(&mut self) {
        if self.filter.text.pop().is_none() {
            self.filter.writing = false;
        }
        self.rebuild();
    }

    /// Which nodes the filter leaves; none if there is no filter. Children come after their parents.
    pub(super) fn kept(&self) -> Option<Vec<bool>> {
        if self.filter.text.is_empty() {
            return None;
        }
        let wanted = self.filter.text.to_lowercase();
        let mut kept = vec![false; self.tree.ids().end];
        for id in self.tree.ids().rev() {
            let node = self.tree.node(id);
            kept[id] |= node.matches(&wanted);
            kept[node.parent] |= kept[id];
        }
        Some(kept)
    }
}
