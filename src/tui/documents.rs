//! The documents pane: what is packed and what was left out, as a tree that folds.
//!
//! The pane holds what is shown and where the cursor is; `tree` the folders and files, `progress` how far each has been
//! read by the model, `filter` which names are shown, `choice` what is marked, `keys` what the keys mean here, `draw`
//! how it looks. Rows are the nodes in view, in order: made
//! anew when something folds, is sorted or filtered, and never while drawing.

mod choice;
mod draw;
mod filter;
pub mod keys;
mod progress;
#[cfg(test)]
pub mod testing;
mod tree;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::format;
use crate::context::Pack;
use filter::Filter;
use progress::Progress;
use tree::{Kind, Node, NodeId, Order, ROOT, Tree};

pub use draw::{draw, frame_rows};

/// With more entries than this, folders within folders begin folded.
const MANY: usize = 200;

#[derive(Debug, Default)]
pub struct Pane {
    /// Whether it is on the screen, room permitting, and whether keys go to it.
    pub shown: bool,
    pub focused: bool,
    /// Something to tell, until the next key.
    pub message: Option<String>,
    /// Documents that there are and that the pack does not hold, as in a record, and their tokens.
    pub unlisted: Unlisted,
    pack: Arc<Pack>,
    tree: Tree,
    order: Order,
    folded: HashSet<NodeId>,
    marked: HashSet<NodeId>,
    filter: Filter,
    left_out_hidden: bool,
    rows: Vec<NodeId>,
    /// The row that keys act on, and the first row in view.
    cursor: usize,
    top: usize,
    height: usize,
    progress: Progress,
    limit: usize,
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Unlisted {
    pub documents: usize,
    pub tokens: usize,
}

/// What Enter came upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    Nothing,
    Folder,
    Document(String),
}

impl Pane {
    /// Takes another pack. What was folded stays folded, and the cursor stays where it was if that is still there.
    pub fn set_pack(&mut self, pack: Arc<Pack>, offset: usize, limit: usize) {
        let known: HashMap<String, bool> = self
            .tree
            .ids()
            .filter(|&id| self.tree.node(id).is_folder())
            .map(|id| (self.tree.node(id).path.clone(), self.folded.contains(&id)))
            .collect();
        let at = self.current().filter(|_| self.shown).map(|node| node.path.clone());
        self.tree = Tree::new(&pack);
        self.tree.sort(self.order);
        self.pack = pack;
        self.limit = limit;
        self.progress = Progress::new(offset);
        self.marked.clear();
        let many = self.tree.ids().len() > MANY;
        self.folded = self
            .tree
            .ids()
            .filter(|&id| {
                let node = self.tree.node(id);
                node.is_folder() && known.get(&node.path).copied().unwrap_or(many && node.depth > 0)
            })
            .collect();
        // The old rows are nodes of the old tree.
        self.rows.clear();
        self.rebuild();
        self.go_to(|node| Some(&node.path) == at.as_ref());
    }

    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// How many tokens of the prompt the model has read, and whether it is reading on.
    pub fn read(&mut self, done: usize, running: bool) {
        self.progress.read(done, running);
    }

    /// Documents that are not what lies on the disk any more.
    pub fn set_changed(&mut self, paths: &[String]) {
        let paths: HashSet<&str> = paths.iter().map(String::as_str).collect();
        let mut changed = HashSet::new();
        for id in self.tree.ids() {
            let node = self.tree.node(id);
            if matches!(node.kind, Kind::Document(_)) && paths.contains(node.path.as_str()) {
                let mut at = id;
                while at != ROOT && changed.insert(at) {
                    at = self.tree.node(at).parent;
                }
            }
        }
        self.progress.changed = changed;
    }

    /// Documents and folders with their tokens, for completion; folders end in `/`.
    pub fn names(&self) -> impl Iterator<Item = (String, usize)> {
        self.entries(|node| node.files > 0)
    }

    /// What was left out and can be taken in.
    pub fn left_out_names(&self) -> impl Iterator<Item = (String, usize)> {
        self.entries(
            |node| matches!(node.kind, Kind::LeftOut(index) if self.pack.skipped[index].kind.can_be_included()),
        )
    }

    /// Whether this names a document or a folder of them.
    pub fn knows(&self, name: &str) -> bool {
        let name = name.trim_end_matches('/');
        let nodes = self.tree.ids().map(|id| self.tree.node(id));
        !name.is_empty()
            && nodes
                .filter(|node| node.files > 0)
                .any(|node| node.path.trim_end_matches('/') == name)
    }

    fn entries(&self, wanted: impl Fn(&Node) -> bool) -> impl Iterator<Item = (String, usize)> {
        let nodes = self.tree.ids().map(|id| self.tree.node(id));
        nodes.filter(move |node| wanted(node)).map(|node| {
            let slash = if node.is_folder() { "/" } else { "" };
            (format!("{}{slash}", node.path), node.tokens)
        })
    }

    /// Rows that there is room for.
    pub fn resize(&mut self, height: usize) {
        self.height = height;
        self.keep_in_view();
    }

    fn current(&self) -> Option<&Node> {
        self.rows.get(self.cursor).map(|&id| self.tree.node(id))
    }

    fn rebuild(&mut self) {
        let at = self.rows.get(self.cursor).copied();
        let kept = self.kept();
        let mut open = vec![ROOT];
        let mut rows = Vec::new();
        while let Some(id) = open.pop() {
            let node = self.tree.node(id);
            if id != ROOT {
                let hidden = self.left_out_hidden && node.files == 0;
                if hidden || kept.as_ref().is_some_and(|kept| !kept[id]) {
                    continue;
                }
                rows.push(id);
            }
            if !self.folded.contains(&id) || kept.is_some() {
                open.extend(node.children.iter().rev());
            }
        }
        self.rows = rows;
        // What is folded away leaves the cursor to its folder.
        let mut at = at.filter(|&at| at < self.tree.ids().end);
        while let Some(id) = at.filter(|&id| id != ROOT) {
            if let Some(row) = self.rows.iter().position(|&row| row == id) {
                self.cursor = row;
                break;
            }
            at = Some(self.tree.node(id).parent);
        }
        self.keep_in_view();
    }

    fn go_to(&mut self, wanted: impl Fn(&Node) -> bool) {
        let row = self.rows.iter().position(|&id| wanted(self.tree.node(id)));
        self.cursor = row.unwrap_or(self.cursor);
        self.keep_in_view();
    }

    fn keep_in_view(&mut self) {
        let last = self.rows.len().saturating_sub(1);
        self.cursor = self.cursor.min(last);
        let first = (self.cursor + 1).saturating_sub(self.height);
        self.top = self.top.clamp(first.min(self.cursor), self.cursor);
        self.top = self.top.min(self.rows.len().saturating_sub(self.height));
    }

    pub fn step(&mut self, rows: isize) {
        self.cursor = self.cursor.saturating_add_signed(rows);
        self.keep_in_view();
    }

    pub fn page(&self) -> isize {
        self.height.saturating_sub(1).max(1).cast_signed()
    }

    pub fn first(&mut self) {
        self.cursor = 0;
        self.keep_in_view();
    }

    pub fn last(&mut self) {
        self.cursor = usize::MAX - 1;
        self.keep_in_view();
    }

    /// Moves what is in view, and the cursor only if it would leave.
    pub fn scroll(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(self.height);
        self.top = self.top.saturating_add_signed(rows).min(last);
        self.cursor = self.cursor.clamp(self.top, self.top + self.height.saturating_sub(1));
        self.keep_in_view();
    }

    /// Folds the folder under the cursor, or goes to the folder around it.
    pub fn fold(&mut self) {
        let Some(&id) = self.rows.get(self.cursor) else {
            return;
        };
        let node = self.tree.node(id);
        if node.is_folder() && self.filter.text.is_empty() && self.folded.insert(id) {
            self.rebuild();
        } else if node.parent != ROOT {
            let parent = node.parent;
            self.cursor = self.rows.iter().position(|&row| row == parent).unwrap_or(self.cursor);
            self.keep_in_view();
        }
    }

    /// Unfolds the folder under the cursor, or goes into it.
    pub fn unfold(&mut self) {
        let Some(&id) = self.rows.get(self.cursor) else {
            return;
        };
        if self.folded.remove(&id) {
            self.rebuild();
        } else if self.tree.node(id).is_folder() {
            self.step(1);
        }
    }

    /// The folder or document under the cursor.
    pub fn under_cursor(&self) -> Option<&str> {
        let node = self.tree.node(*self.rows.get(self.cursor)?);
        (!matches!(node.kind, Kind::LeftOut(_))).then_some(&node.path)
    }

    /// Folds or unfolds the folder under the cursor, or says which document is to be opened.
    pub fn open(&mut self) -> Opened {
        let Some(&id) = self.rows.get(self.cursor) else {
            return Opened::Nothing;
        };
        let node = self.tree.node(id);
        match node.kind {
            Kind::Folder => {
                if !self.folded.remove(&id) {
                    self.folded.insert(id);
                }
                self.rebuild();
                Opened::Folder
            }
            Kind::Document(_) => Opened::Document(node.path.clone()),
            Kind::LeftOut(index) => {
                self.message = Some(format!("left out: {}", self.pack.skipped[index].reason));
                Opened::Nothing
            }
        }
    }

    pub fn toggle_order(&mut self) {
        self.order = match self.order {
            Order::Tokens => Order::Pack,
            Order::Pack => Order::Tokens,
        };
        self.tree.sort(self.order);
        self.rebuild();
    }

    pub fn toggle_left_out(&mut self) {
        self.left_out_hidden = !self.left_out_hidden;
        self.rebuild();
    }

    /// A click on a row of the pane, from 0, at a column.
    pub fn click(&mut self, row: usize, column: usize) {
        let row = self.top + row;
        let Some(&id) = self.rows.get(row) else {
            return;
        };
        self.cursor = row;
        let node = self.tree.node(id);
        if node.is_folder() && draw::arrow_columns(node.depth).contains(&column) {
            self.open();
        }
        self.keep_in_view();
    }

    /// `12 files, 41,233 of 1,048,576 tokens (4%)`, in as many words as there is room for.
    fn totals(&self) -> Vec<String> {
        let root = self.tree.node(ROOT);
        let tokens = self.pack.tokens.len().max(root.tokens) + self.unlisted.tokens;
        let files = format::counted(root.files + self.unlisted.documents, "file");
        if self.limit == 0 {
            return vec![format!("{files}, {}", format::counted(tokens, "token"))];
        }
        let share = format::percent(tokens, self.limit);
        let (tokens, limit) = (format::count(tokens), format::count(self.limit));
        vec![
            format!("{files}, {tokens} of {limit} tokens ({share}%)"),
            format!("{tokens} of {limit} ({share}%)"),
            format!("{tokens} ({share}%)"),
            tokens,
        ]
    }
}
