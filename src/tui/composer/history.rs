//! What was written before, and walking through it.
//!
//! Entries are those of this run and of earlier ones, the oldest first, each once. Who walks with something written gets
//! those that begin so; if none does, all. What was being written is there again after the newest.

use super::piece::Piece;

/// More are forgotten, the oldest first.
pub const MOST: usize = 5_000;
/// A longer entry of an earlier run is shown as a chip.
const LARGE: usize = 10_000;

#[derive(Debug, Default)]
pub struct History {
    entries: Vec<Piece>,
    walk: Option<Walk>,
}

#[derive(Debug)]
struct Walk {
    at: usize,
    /// What entries must begin with.
    begun: String,
    draft: Piece,
}

impl History {
    /// The newest last.
    pub fn entries(&self) -> &[Piece] {
        &self.entries
    }

    /// Puts a text at the end, from wherever it was. Whether it is worth to be kept.
    pub fn remember(&mut self, entry: Piece) -> bool {
        self.walk = None;
        if entry.text().trim().is_empty() {
            return false;
        }
        self.entries.retain(|known| *known != entry);
        self.entries.push(entry);
        let over = self.entries.len().saturating_sub(MOST);
        self.entries.drain(..over);
        true
    }

    /// What earlier runs left, the oldest first: it goes before what is there.
    pub fn begin_with(&mut self, earlier: Vec<String>) {
        let recent = std::mem::take(&mut self.entries);
        let walk = self.walk.take();
        for text in earlier {
            let entry = if text.len() > LARGE {
                Piece::chip(1, text)
            } else {
                Piece::from(text)
            };
            self.entries.push(entry);
        }
        let whole: std::collections::HashSet<String> = recent.iter().map(Piece::whole).collect();
        self.entries.retain(|entry| !whole.contains(&entry.whole()));
        let before = self.entries.len();
        self.entries.extend(recent);
        let over = self.entries.len().saturating_sub(MOST);
        self.entries.drain(..over);
        self.walk = walk.map(|walk| Walk {
            at: (walk.at + before).saturating_sub(over),
            ..walk
        });
    }

    /// Something was written: it is a draft of its own from now on.
    pub fn stop(&mut self) {
        self.walk = None;
    }

    /// The entry before, if there is one. `begun` is what of the draft stands before the cursor.
    pub fn older(&mut self, draft: &Piece, begun: &str) -> Option<Piece> {
        let mut walk = self.walk.take().unwrap_or_else(|| {
            let some_begin = !begun.is_empty() && self.entries.iter().any(|entry| continues(entry, begun));
            Walk {
                at: self.entries.len(),
                begun: if some_begin { begun.to_owned() } else { String::new() },
                draft: draft.clone(),
            }
        });
        let found = self.entries[..walk.at.min(self.entries.len())]
            .iter()
            .rposition(|entry| continues(entry, &walk.begun));
        if let Some(at) = found {
            walk.at = at;
        } else if walk.at == self.entries.len() {
            return None;
        }
        self.walk = Some(walk);
        found.map(|at| self.entries[at].clone())
    }

    /// The entry after, or the draft after the last.
    pub fn newer(&mut self) -> Option<Piece> {
        let mut walk = self.walk.take()?;
        let from = (walk.at + 1).min(self.entries.len());
        let found = self.entries[from..]
            .iter()
            .position(|entry| continues(entry, &walk.begun));
        let Some(at) = found else {
            return Some(walk.draft);
        };
        walk.at = from + at;
        let entry = self.entries[walk.at].clone();
        self.walk = Some(walk);
        Some(entry)
    }
}

/// Whether an entry begins so and goes on.
fn continues(entry: &Piece, begun: &str) -> bool {
    begun.is_empty() || (entry.text().starts_with(begun) && entry.len() > begun.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(entries: &[&str]) -> History {
        let mut history = History::default();
        for entry in entries {
            history.remember((*entry).into());
        }
        history
    }

    fn texts(history: &History) -> Vec<&str> {
        history.entries().iter().map(Piece::text).collect()
    }

    #[test]
    fn every_entry_is_there_once_where_it_was_last() {
        let mut history = history(&["a", "b", "a", " ", "c"]);
        assert_eq!(texts(&history), ["b", "a", "c"]);
        history.begin_with(vec!["z".into(), "a".into(), "y".into()]);
        assert_eq!(texts(&history), ["z", "y", "b", "a", "c"]);
    }

    #[test]
    fn who_has_begun_gets_what_begins_so() {
        let mut history = history(&["why a", "how", "why b", "why"]);
        let draft = Piece::from("why");
        let older = |history: &mut History| history.older(&draft, "why").map(|entry| entry.text().to_owned());
        assert_eq!(older(&mut history).as_deref(), Some("why b"));
        assert_eq!(older(&mut history).as_deref(), Some("why a"));
        assert_eq!(older(&mut history), None);
        assert_eq!(history.newer(), Some("why b".into()));
        assert_eq!(history.newer(), Some("why".into()), "the draft");
        assert_eq!(history.newer(), None);
        assert_eq!(
            history.older(&"no".into(), "no"),
            Some("why".into()),
            "none begins so: all"
        );
    }

    #[test]
    fn earlier_runs_may_come_while_one_walks() {
        let mut history = history(&["c", "d"]);
        history.older(&"x".into(), "");
        history.begin_with(vec!["a".into(), "b".into()]);
        assert_eq!(history.older(&"x".into(), ""), Some("c".into()));
        assert_eq!(history.older(&"x".into(), ""), Some("b".into()));
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut history = History::default();
        history.begin_with((0..MOST + 10).map(|n| n.to_string()).collect());
        assert_eq!(history.entries().len(), MOST);
        history.remember("new".into());
        assert_eq!(history.entries().len(), MOST);
        assert_eq!(history.entries()[0].text(), "11");
        history.begin_with(vec!["long ".repeat(LARGE)]);
        assert_eq!(history.entries().len(), MOST);
    }
}
