//! What is marked, and so what is taken out or taken in.

use super::super::format;
use super::Pane;
use super::tree::{Kind, NodeId, ROOT};

impl Pane {
    /// Marks what is under the cursor, or takes the mark away, and goes on to the next.
    pub fn mark(&mut self) {
        if let Some(&id) = self.rows.get(self.cursor) {
            if !self.marked.remove(&id) {
                self.marked.insert(id);
            }
            self.step(1);
        }
    }

    /// What is marked, in order, without what lies in something marked; or else what is under the cursor.
    fn chosen(&self) -> Vec<NodeId> {
        if self.marked.is_empty() {
            return self.rows.get(self.cursor).copied().into_iter().collect();
        }
        let mut chosen: Vec<NodeId> = self.marked.iter().copied().collect();
        chosen.sort_unstable();
        chosen.retain(|&id| {
            let mut at = self.tree.node(id).parent;
            while at != ROOT && !self.marked.contains(&at) {
                at = self.tree.node(at).parent;
            }
            at == ROOT
        });
        chosen
    }

    /// The names of the documents and folders that are marked or under the cursor.
    pub fn to_unload(&self) -> Vec<String> {
        let chosen = self.chosen().into_iter().map(|id| self.tree.node(id));
        chosen
            .filter(|node| node.files > 0)
            .map(|node| node.path.clone())
            .collect()
    }

    /// What was left out among, or in, what is marked or under the cursor.
    ///
    /// # Errors
    /// If there is nothing that could be taken in; with the reason.
    pub fn to_include(&self) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        let mut refused = None;
        for id in self.chosen().into_iter().flat_map(|id| self.tree.below(id)) {
            let node = self.tree.node(id);
            if let Kind::LeftOut(index) = node.kind {
                let skipped = &self.pack.skipped[index];
                if skipped.kind.can_be_included() {
                    names.push(node.path.clone());
                } else {
                    refused = Some(format!("{} cannot be taken in: {}", node.path, skipped.reason));
                }
            }
        }
        match refused {
            _ if !names.is_empty() => Ok(names),
            Some(reason) => Err(reason),
            None => Err("nothing here was left out".to_owned()),
        }
    }

    pub fn unmark(&mut self) {
        self.marked.clear();
    }

    /// `2 marked, 12,400 tokens`
    pub(super) fn marks(&self) -> Option<String> {
        if self.marked.is_empty() {
            return None;
        }
        let tokens = self.chosen().iter().map(|&id| self.tree.node(id).tokens).sum();
        let marked = format::count(self.marked.len());
        Some(format!("{marked} marked, {}", format::counted(tokens, "token")))
    }
}
