//! The documents of a pack and what was left out, as one tree.
//!
//! Nodes lie in a vector, parents before what lies in them; a row of the pane is an index into it. A folder whose only
//! entry is a folder is shown with it as one, `a/b`. A folder's tokens are those of the documents in it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use crate::context::Pack;

pub type NodeId = usize;

/// The node in which everything lies; it is not shown.
pub const ROOT: NodeId = 0;

#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
pub struct Node {
    /// What it is called within its folder.
    pub name: String,
    /// By what it is asked for.
    pub path: String,
    /// The same without regard to case, for the filter.
    lower: String,
    pub kind: Kind,
    pub parent: NodeId,
    pub depth: usize,
    /// Of a document, or of all documents in a folder; of what was left out, what it would have cost.
    pub tokens: usize,
    /// From the first token in the pack to the last.
    pub span: Range<usize>,
    /// Documents in it.
    pub files: usize,
    pub children: Vec<NodeId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Folder,
    /// By its place in the pack.
    Document(usize),
    /// By its place among what was skipped.
    LeftOut(usize),
}

/// In which order the entries of a folder come. What was left out is last in any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Most first.
    #[default]
    Tokens,
    /// As the model reads them.
    Pack,
}

impl Node {
    pub fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }

    /// Whether `wanted`, in lower case, is part of its path.
    pub fn matches(&self, wanted: &str) -> bool {
        self.lower.contains(wanted)
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new(&Pack::default())
    }
}

impl Tree {
    #[must_use]
    pub fn new(pack: &Pack) -> Self {
        let mut entries = Entries::default();
        for (index, document) in pack.documents.iter().enumerate() {
            entries.add(&document.path, Kind::Document(index));
        }
        for (index, skipped) in pack.skipped.iter().enumerate() {
            entries.add(&skipped.path, Kind::LeftOut(index));
        }
        let mut tree = Self {
            nodes: vec![Node::folder(ROOT, 0, String::new(), String::new())],
        };
        tree.take(&entries, pack);
        tree.sum();
        tree
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// All that are shown somewhere.
    pub fn ids(&self) -> Range<NodeId> {
        ROOT + 1..self.nodes.len()
    }

    pub fn sort(&mut self, order: Order) {
        for id in 0..self.nodes.len() {
            let mut children = std::mem::take(&mut self.nodes[id].children);
            children.sort_by(|&a, &b| {
                let (a, b) = (&self.nodes[a], &self.nodes[b]);
                let key = |node: &Node| match order {
                    Order::Tokens => (node.files == 0, Reverse(node.tokens), 0),
                    Order::Pack => (node.files == 0, Reverse(0), node.span.start),
                };
                key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
            });
            self.nodes[id].children = children;
        }
    }

    /// A node and all below it.
    pub fn below(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let mut open = vec![id];
        std::iter::from_fn(move || {
            let next = open.pop()?;
            open.extend(&self.nodes[next].children);
            Some(next)
        })
    }

    /// Makes nodes of entries, and one node of folders that hold nothing but each other.
    fn take(&mut self, entries: &Entries, pack: &Pack) {
        let mut open: Vec<(usize, NodeId)> = entries.all[0].children.iter().rev().map(|&e| (e, ROOT)).collect();
        while let Some((mut at, parent)) = open.pop() {
            let from_root = parent == ROOT && entries.all[at].path.starts_with('/');
            let slash = if from_root { "/" } else { "" };
            let mut name = format!("{slash}{}", entries.all[at].name);
            while let [only] = entries.all[at].children[..]
                && entries.all[only].kind == Kind::Folder
            {
                at = only;
                name = format!("{name}/{}", entries.all[at].name);
            }
            let entry = &entries.all[at];
            let depth = if parent == ROOT {
                0
            } else {
                self.nodes[parent].depth + 1
            };
            let mut node = Node::folder(parent, depth, name, entry.path.clone());
            node.kind = entry.kind;
            match entry.kind {
                Kind::Folder => {}
                Kind::Document(index) => {
                    let tokens = &pack.documents[index].tokens;
                    (node.files, node.tokens, node.span) = (1, tokens.len(), tokens.clone());
                }
                Kind::LeftOut(index) => node.tokens = pack.skipped[index].tokens.unwrap_or(0),
            }
            let id = self.nodes.len();
            self.nodes.push(node);
            self.nodes[parent].children.push(id);
            open.extend(entry.children.iter().rev().map(|&child| (child, id)));
        }
    }

    /// Folders get the sums of what lies in them. Children come after their parents, so one pass backwards is enough.
    fn sum(&mut self) {
        for id in self.ids().rev() {
            let node = &self.nodes[id];
            let (parent, files, tokens, span) = (node.parent, node.files, node.tokens, node.span.clone());
            if files == 0 {
                continue;
            }
            let folder = &mut self.nodes[parent];
            folder.span = match folder.files {
                0 => span,
                _ => folder.span.start.min(span.start)..folder.span.end.max(span.end),
            };
            folder.files += files;
            folder.tokens += tokens;
        }
    }
}

impl Node {
    fn folder(parent: NodeId, depth: usize, name: String, path: String) -> Self {
        Self {
            lower: path.to_lowercase(),
            name,
            path,
            kind: Kind::Folder,
            parent,
            depth,
            tokens: 0,
            span: 0..0,
            files: 0,
            children: Vec::new(),
        }
    }
}

/// Paths taken apart, with the folders by where they lie and their name.
struct Entries {
    all: Vec<Entry>,
    folders: HashMap<(usize, String), usize>,
}

struct Entry {
    name: String,
    path: String,
    kind: Kind,
    children: Vec<usize>,
}

impl Default for Entries {
    fn default() -> Self {
        let root = Entry {
            name: String::new(),
            path: String::new(),
            kind: Kind::Folder,
            children: Vec::new(),
        };
        Self {
            all: vec![root],
            folders: HashMap::new(),
        }
    }
}

impl Entries {
    fn add(&mut self, path: &str, kind: Kind) {
        let end = path.trim_end_matches('/').len();
        let name = path[..end].rfind('/').map_or(0, |at| at + 1);
        let mut folder = 0;
        let mut from = 0;
        for (slash, _) in path[..name].match_indices('/') {
            if from < slash {
                folder = self.folder(folder, &path[from..slash], &path[..slash]);
            }
            from = slash + 1;
        }
        self.push(folder, &path[name..end], path, kind);
    }

    fn folder(&mut self, parent: usize, name: &str, path: &str) -> usize {
        let key = (parent, name.to_owned());
        if let Some(&known) = self.folders.get(&key) {
            return known;
        }
        let id = self.push(parent, name, path, Kind::Folder);
        self.folders.insert(key, id);
        id
    }

    fn push(&mut self, parent: usize, name: &str, path: &str, kind: Kind) -> usize {
        let id = self.all.len();
        self.all.push(Entry {
            name: name.to_owned(),
            path: path.to_owned(),
            kind,
            children: Vec::new(),
        });
        self.all[parent].children.push(id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::pack;
    use super::*;
    use crate::context::{Exclusion, Skipped};

    fn drawn(tree: &Tree) -> Vec<String> {
        let mut lines = Vec::new();
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            let node = tree.node(id);
            open.extend(node.children.iter().rev());
            if id != ROOT {
                lines.push(format!(
                    "{}{} {} {}",
                    "  ".repeat(node.depth),
                    node.name,
                    node.tokens,
                    node.files
                ));
            }
        }
        lines
    }

    #[test]
    fn folders_are_sums_and_chains_are_one() {
        let mut tree = Tree::new(&pack(&[
            ("lib/deep/er/a.rs", 10),
            ("lib/deep/er/b.rs", 30),
            ("/abs/c.rs", 5),
            ("d.md", 100),
        ]));
        tree.sort(Order::Tokens);
        assert_eq!(
            drawn(&tree),
            [
                "d.md 100 1",
                "lib/deep/er 40 2",
                "  b.rs 30 1",
                "  a.rs 10 1",
                "/abs 5 1",
                "  c.rs 5 1"
            ]
        );
        assert_eq!(
            tree.node(tree.ids().find(|&id| tree.node(id).name == "/abs").unwrap())
                .path,
            "/abs"
        );
        tree.sort(Order::Pack);
        assert_eq!(
            drawn(&tree),
            [
                "lib/deep/er 40 2",
                "  a.rs 10 1",
                "  b.rs 30 1",
                "/abs 5 1",
                "  c.rs 5 1",
                "d.md 100 1"
            ]
        );
    }

    #[test]
    fn what_was_left_out_lies_in_its_folder_and_costs_it_nothing() {
        let mut pack = pack(&[("src/a.rs", 10)]);
        pack.skipped = vec![
            Skipped::new("src/b.bin", Exclusion::Binary, "binary"),
            Skipped::new("target", Exclusion::Ignored, "ignored"),
        ];
        pack.skipped[1].tokens = Some(1000);
        let mut tree = Tree::new(&pack);
        tree.sort(Order::Tokens);
        assert_eq!(
            drawn(&tree),
            ["src 10 1", "  a.rs 10 1", "  b.bin 0 0", "target 1000 0"]
        );
    }
}
