//! The documents of a conversation, and what a change to them would come to.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::{Change, Planned};
use crate::compute::Interrupt;
use crate::context::{Cache, ContextError, Layout, Loader, Pack, Progress, Selection, Skipped, pattern_of};
use crate::model::Tokenizer;

/// What documents are loaded with.
pub(super) struct Library {
    pub tokenizer: Tokenizer,
    pub layout: Layout,
    /// A pack has fewer tokens.
    pub limit: usize,
    pub cache: Option<Cache>,
}

impl Library {
    pub fn load(
        &self,
        selection: &Selection,
        interrupt: &Interrupt,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pack, ContextError> {
        let loader = Loader {
            tokenizer: &self.tokenizer,
            layout: &self.layout,
            limit: self.limit,
            cache: self.cache.as_ref(),
        };
        loader.load(selection, interrupt, progress)
    }
}

/// Makes a change to a selection, as far as that is possible without its documents.
pub fn alter(selection: &mut Selection, change: &Change) {
    for path in &change.load {
        let pattern = pattern_of(path.trim_end_matches('/'));
        selection.exclude.retain(|excluded| *excluded != pattern);
        if !selection.paths.iter().any(|known| known == Path::new(path)) {
            selection.paths.push(path.into());
        }
    }
    for name in &change.unload {
        let name = name.trim_end_matches('/');
        let is_root = |path: &Path| path.to_string_lossy().trim_end_matches('/').trim_start_matches("./") == name;
        let roots = selection.paths.len();
        selection.paths.retain(|path| !is_root(path));
        // It may lie in another folder that was named.
        if selection.paths.len() == roots || !selection.paths.is_empty() {
            selection.exclude.push(pattern_of(name));
        }
    }
    for name in &change.include {
        let pattern = pattern_of(name.trim_end_matches('/'));
        selection.exclude.retain(|excluded| *excluded != pattern);
        selection.include.push(pattern);
    }
}

/// The selection after a change. What is in the context already stays in its order, before all that is new.
pub(super) fn changed(selection: &Selection, change: &Change, pack: &Pack) -> Result<Selection, String> {
    let mut selection = selection.clone();
    selection.keep = pack.documents.iter().map(|document| document.path.clone()).collect();
    if change.load.iter().any(|path| matches!(path.as_str(), "-" | "@-")) {
        return Err("standard input is the terminal, and cannot be loaded".into());
    }
    for name in &change.unload {
        let name = name.trim_end_matches('/');
        let below = |path: &str| {
            path.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !pack.documents.iter().any(|document| below(&document.path)) {
            return Err(format!("{name}: is not among the documents"));
        }
    }
    alter(&mut selection, change);
    Ok(selection)
}

/// Documents that were added, removed and altered, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
    /// What is left out and was not known before.
    pub refused: Vec<Skipped>,
}

impl Difference {
    pub fn of(old: &Pack, new: &Pack) -> Self {
        let before: HashMap<&str, &str> = old.documents.iter().map(|d| (&*d.path, &*d.text)).collect();
        let after: HashSet<&str> = new.documents.iter().map(|d| &*d.path).collect();
        let known: HashSet<&str> = old.skipped.iter().map(|s| &*s.path).collect();
        let mut difference = Self::default();
        for document in &new.documents {
            match before.get(&*document.path) {
                None => difference.added.push(document.path.clone()),
                Some(text) if *text != document.text => difference.changed.push(document.path.clone()),
                Some(_) => {}
            }
        }
        let gone = old.documents.iter().filter(|d| !after.contains(&*d.path));
        difference.removed = gone.map(|d| d.path.clone()).collect();
        let unknown = new
            .skipped
            .iter()
            .filter(|s| !known.contains(&*s.path) && !before.contains_key(&*s.path));
        difference.refused = unknown.cloned().collect();
        difference
    }

    pub fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A change that is ready to be made.
pub(super) struct Plan {
    pub planned: Planned,
    pub selection: Selection,
    pub pack: Arc<Pack>,
}

/// What of the documents the engine holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// The tokens that prompts begin with.
    pub prefix: Arc<[u32]>,
    /// Places in them that the engine can go back to, ascending.
    pub marks: Arc<[usize]>,
    /// Tokens of them that have been prefilled.
    pub prefilled: usize,
}

impl Held {
    /// How many tokens of another prefix would have to be prefilled.
    pub fn cost(&self, wanted: &[u32]) -> usize {
        let common = self.prefix.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        let common = common.min(self.prefilled);
        // Its very end is a place as well.
        let reached = if common == self.prefix.len() {
            common
        } else {
            let before = self.marks.partition_point(|&mark| mark <= common);
            before.checked_sub(1).map_or(0, |last| self.marks[last])
        };
        wanted.len() - reached
    }
}

/// Ends of documents to go back to, at most so many: if they are too many, the nearer to the end the closer together, as
/// what changes often comes last. Counted from the beginning of a prompt, in which the pack begins at `offset`.
pub(super) fn places(pack: &Pack, offset: usize, most: usize) -> Vec<usize> {
    let ends = pack.documents.iter().map(|document| offset + document.tokens.end);
    let mut ends: Vec<usize> = ends.collect();
    let Some(total) = ends.pop() else {
        return Vec::new();
    };
    if ends.len() <= most {
        ends.dedup();
        return ends;
    }
    // What lies after the chosen places shrinks by the same factor from one to the next.
    let mut chosen: Vec<usize> = (1..=most)
        .filter_map(|step| {
            let after = (total as f64).powf(step as f64 / most as f64);
            let target = total.saturating_sub(after as usize);
            let before = ends.partition_point(|&end| end <= target);
            before.checked_sub(1).map(|last| ends[last])
        })
        .collect();
    chosen.extend(ends.last());
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

#[cfg(test)]
#[path = "library_tests.rs"]
mod tests;
