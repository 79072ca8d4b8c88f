//! The list of sessions over everything: what was written to find one, those that are like it, and what the chosen one is.

pub mod keys;

use super::format;
use crate::session::store::index::{Hit, Summary};

/// Fewer characters are not looked for in what was said.
const WORTH_SEARCHING: usize = 3;

/// What the list says of itself while it is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Reading,
    Done,
}

/// A line that is written about the chosen session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Editing {
    Title,
    Tags,
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of all sessions.
    pub session: usize,
    /// What was said that is like what was written, and in which turn.
    pub said: Option<(usize, String)>,
}

/// What lists and changes of sessions come to, on a thread of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// All of them, and what time it is.
    Listed {
        sessions: Vec<Summary>,
        now: u64,
        progress: Progress,
    },
    /// What was found, of what was looked for.
    Found {
        text: String,
        hits: Vec<Hit>,
    },
    /// A session about the same documents, which could be gone on with, and what time it is.
    Offered {
        session: Box<Summary>,
        now: u64,
    },
    Failed(String),
}

/// Something to do with sessions, on a thread of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    List,
    Search(String),
    Rename { name: String, title: String },
    Tag { name: String, tags: Vec<String> },
    Delete(String),
    Restore(String),
}

#[derive(Debug)]
pub struct Picker {
    written: String,
    sessions: Vec<Summary>,
    hits: Vec<Hit>,
    pub found: Vec<Found>,
    pub chosen: usize,
    pub progress: Progress,
    pub now: u64,
    /// The session that is open.
    pub current: Option<String>,
    pub editing: Option<(Editing, String)>,
    deleted: Vec<Summary>,
    /// What was done last, in words.
    pub told: String,
}

impl Picker {
    #[must_use]
    pub fn new(current: Option<String>) -> Self {
        Self {
            written: String::new(),
            sessions: Vec::new(),
            hits: Vec::new(),
            found: Vec::new(),
            chosen: 0,
            progress: Progress::Reading,
            now: 0,
            current,
            editing: None,
            deleted: Vec::new(),
            told: String::new(),
        }
    }

    pub fn list(&mut self, sessions: Vec<Summary>, now: u64, progress: Progress) {
        let chosen = self.chosen().map(|session| session.name.clone());
        let is_deleted = |session: &Summary| self.deleted.iter().any(|deleted| deleted.name == session.name);
        self.sessions = sessions.into_iter().filter(|session| !is_deleted(session)).collect();
        (self.now, self.progress) = (now, progress);
        self.find();
        self.choose_name(chosen.as_deref());
    }

    pub fn take_hits(&mut self, text: &str, hits: Vec<Hit>) {
        // What was looked for before is out of date.
        if text == self.written {
            let chosen = self.chosen().map(|session| session.name.clone());
            self.hits = hits;
            self.find();
            self.choose_name(chosen.as_deref());
        }
    }

    fn choose_name(&mut self, name: Option<&str>) {
        let same = |found: &Found| Some(&*self.sessions[found.session].name) == name;
        self.chosen = self.found.iter().position(same).unwrap_or(0);
    }

    pub fn written(&self) -> &str {
        &self.written
    }

    pub fn session(&self, found: &Found) -> &Summary {
        &self.sessions[found.session]
    }

    pub fn chosen(&self) -> Option<&Summary> {
        self.found.get(self.chosen).map(|found| self.session(found))
    }

    /// Writes; what is to be looked for in what was said, if it is enough.
    pub fn write(&mut self, text: &str) -> Option<Task> {
        let text = text.chars().filter(|c| !c.is_control());
        if let Some((_, line)) = &mut self.editing {
            line.extend(text);
            return None;
        }
        self.written.extend(text);
        self.search()
    }

    pub fn erase(&mut self, all: bool) -> Option<Task> {
        let line = match &mut self.editing {
            Some((_, line)) => line,
            None => &mut self.written,
        };
        if all {
            line.clear();
        } else {
            line.pop();
        }
        if self.editing.is_some() { None } else { self.search() }
    }

    fn search(&mut self) -> Option<Task> {
        self.hits.clear();
        self.chosen = 0;
        self.find();
        let is_worth = self.written.trim().chars().count() >= WORTH_SEARCHING;
        is_worth.then(|| Task::Search(self.written.clone()))
    }

    /// So many are left out: only programs have asked in them, and nothing was written to find one.
    pub fn left_out(&self) -> usize {
        if self.written.trim().is_empty() {
            self.sessions.iter().filter(|session| session.of_programs).count()
        } else {
            0
        }
    }

    /// How many sessions there are to be chosen from.
    pub fn all(&self) -> usize {
        self.sessions.len()
    }

    /// Those whose titles, tags, folders or last questions have all words that were written come first, as they were used; then
    /// those in which it was said. Those in which only programs have asked come last, if something was written.
    fn find(&mut self) {
        let words: Vec<String> = self.written.split_whitespace().map(str::to_lowercase).collect();
        let has = |text: &str, word: &str| text.to_lowercase().contains(word);
        let fits = |session: &Summary| {
            words.iter().all(|word| {
                let tag = word.strip_prefix('#');
                let tagged = |tag: &str| session.tags.iter().any(|known| has(known, tag));
                tag.is_some_and(tagged)
                    || [&session.title, &session.folder, &session.last]
                        .iter()
                        .any(|text| has(text, word))
                    || tagged(word)
                    || session.name.starts_with(word.as_str())
            })
        };
        let sessions = self.sessions.iter().enumerate();
        let mut found: Vec<Found> = sessions
            .filter(|(_, session)| fits(session) && !(words.is_empty() && session.of_programs))
            .map(|(session, _)| Found { session, said: None })
            .collect();
        for hit in &self.hits {
            let said = hit.excerpt.as_ref().map(|excerpt| (hit.turn, excerpt.text.clone()));
            let same = |session: &Summary| session.name == hit.session.name;
            if let Some(found) = found.iter_mut().find(|found| same(&self.sessions[found.session])) {
                found.said = found.said.take().or(said);
            } else {
                let known = self.sessions.iter().position(same);
                found.extend(known.map(|session| Found { session, said }));
            }
        }
        found.sort_by_key(|found| self.sessions[found.session].of_programs);
        self.found = found;
        self.chosen = self.chosen.min(self.found.len().saturating_sub(1));
    }

    /// Moves the choice, around at both ends if it is one row.
    pub fn choose(&mut self, rows: isize) {
        let last = self.found.len().saturating_sub(1);
        self.chosen = match self.chosen.checked_add_signed(rows) {
            None if self.chosen == 0 => last,
            None => 0,
            Some(_) if self.chosen == last => 0,
            Some(chosen) => chosen.min(last),
        };
    }

    /// Begins to write the title or the tags of the chosen session.
    pub fn edit(&mut self, what: Editing) {
        let line = self.chosen().map(|session| match what {
            Editing::Title => session.title.clone(),
            Editing::Tags => session.tags.join(" "),
        });
        self.editing = line.map(|line| (what, line));
    }

    /// Takes what was written about the chosen session.
    pub fn take_edit(&mut self) -> Option<Task> {
        let (what, line) = self.editing.take()?;
        let index = self.found.get(self.chosen)?.session;
        let session = &mut self.sessions[index];
        let name = session.name.clone();
        Some(match what {
            Editing::Title => {
                let title = line.trim().to_owned();
                if !title.is_empty() {
                    session.title.clone_from(&title);
                }
                Task::Rename { name, title }
            }
            Editing::Tags => {
                let tags: Vec<String> = line
                    .split([' ', ','])
                    .map(|tag| tag.trim_start_matches('#').to_owned())
                    .filter(|tag| !tag.is_empty())
                    .collect();
                session.tags.clone_from(&tags);
                Task::Tag { name, tags }
            }
        })
    }

    /// Deletes the chosen session, which can be undone.
    pub fn delete(&mut self) -> Option<Task> {
        let index = self.found.get(self.chosen)?.session;
        if self.current.as_deref() == Some(&*self.sessions[index].name) {
            "this is the session that is open".clone_into(&mut self.told);
            return None;
        }
        let session = self.sessions.remove(index);
        self.told = format!("deleted “{}”; alt-u brings it back", session.title);
        let name = session.name.clone();
        self.deleted.push(session);
        self.find();
        Some(Task::Delete(name))
    }

    /// Brings back what was deleted last.
    pub fn undo(&mut self) -> Option<Task> {
        let Some(session) = self.deleted.pop() else {
            "nothing was deleted".clone_into(&mut self.told);
            return None;
        };
        let name = session.name.clone();
        self.told = format!("“{}” is back", session.title);
        let at = self.sessions.partition_point(|other| other.wall >= session.wall);
        self.sessions.insert(at, session);
        self.find();
        self.choose_name(Some(&name));
        Some(Task::Restore(name))
    }

    /// Something did not come about: what is shown is read again.
    pub fn failed(&mut self, message: String) {
        self.told = message;
        self.deleted.clear();
    }
}

/// How long ago something was, in words.
#[must_use]
pub fn ago(wall: u64, now: u64) -> String {
    let minutes = now.saturating_sub(wall) / 60_000;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min ago"),
        60..1440 => format!("{} h ago", minutes / 60),
        _ => format!("{} ago", format::counted((minutes / 1440) as usize, "day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str, title: &str, wall: u64, tags: &[&str]) -> Summary {
        Summary {
            name: name.into(),
            title: title.into(),
            wall,
            tags: tags.iter().map(|&tag| tag.into()).collect(),
            ..Summary::default()
        }
    }

    fn picker() -> Picker {
        let mut picker = Picker::new(Some("b".into()));
        let sessions = vec![
            session("c", "Where is the zebra?", 30, &["africa"]),
            session("b", "Of mice", 20, &[]),
            session("a", "And men", 10, &["africa", "old"]),
        ];
        picker.list(sessions, 60_000 * 90, Progress::Done);
        picker
    }

    fn titles(picker: &Picker) -> Vec<&str> {
        picker.found.iter().map(|found| &*picker.session(found).title).collect()
    }

    #[test]
    fn what_is_written_finds_titles_and_tags_and_what_was_said() {
        let mut picker = picker();
        assert_eq!(titles(&picker).len(), 3);
        assert_eq!(picker.write("ZE"), None, "too little to be looked for everywhere");
        assert_eq!(titles(&picker), ["Where is the zebra?"]);
        assert_eq!(picker.erase(true), None);
        assert_eq!(picker.write("#af"), Some(Task::Search("#af".into())));
        assert_eq!(titles(&picker), ["Where is the zebra?", "And men"]);
        picker.erase(true);
        picker.write("wisdom");
        assert!(titles(&picker).is_empty());
        let hit = Hit {
            session: session("b", "", 0, &[]),
            turn: 2,
            question: String::new(),
            excerpt: Some(crate::session::store::index::Excerpt {
                part: crate::session::store::index::Part::Answer,
                text: "the wisdom".into(),
            }),
        };
        picker.take_hits("something else", vec![hit.clone()]);
        assert!(titles(&picker).is_empty(), "that is out of date");
        picker.take_hits("wisdom", vec![hit]);
        assert_eq!(titles(&picker), ["Of mice"]);
        assert_eq!(picker.found[0].said, Some((2, "the wisdom".into())));
    }

    #[test]
    fn what_is_deleted_comes_back_where_it_was() {
        let mut picker = picker();
        picker.choose(1);
        assert_eq!(picker.delete(), None, "the one that is open stays");
        picker.choose(-1);
        assert_eq!(picker.delete(), Some(Task::Delete("c".into())));
        assert_eq!(picker.delete(), None);
        picker.choose(1);
        assert_eq!(picker.delete(), Some(Task::Delete("a".into())));
        // A list that was made meanwhile does not bring it back.
        picker.list(
            vec![session("c", "Where", 30, &[]), session("b", "Of mice", 20, &[])],
            0,
            Progress::Done,
        );
        assert_eq!(titles(&picker), ["Of mice"]);
        assert_eq!(picker.undo(), Some(Task::Restore("a".into())));
        assert_eq!(picker.undo(), Some(Task::Restore("c".into())));
        assert_eq!(titles(&picker), ["Where is the zebra?", "Of mice", "And men"]);
        assert_eq!(picker.chosen().unwrap().name, "c");
        assert_eq!(picker.undo(), None);
    }

    #[test]
    fn titles_and_tags_are_written_in_place() {
        let mut picker = picker();
        picker.edit(Editing::Title);
        picker.erase(true);
        picker.write("Stripes");
        let rename = picker.take_edit();
        assert_eq!(
            rename,
            Some(Task::Rename {
                name: "c".into(),
                title: "Stripes".into()
            })
        );
        assert_eq!(picker.chosen().unwrap().title, "Stripes");
        picker.edit(Editing::Tags);
        picker.write(" #new, one");
        let Some(Task::Tag { tags, .. }) = picker.take_edit() else {
            panic!()
        };
        assert_eq!(tags, ["africa", "new", "one"]);
        assert_eq!(picker.written(), "");
    }

    #[test]
    fn times_are_told_in_words() {
        let told = |minutes: u64| ago(0, minutes * 60_000);
        assert_eq!(
            (told(0), told(59), told(61)),
            ("just now".into(), "59 min ago".into(), "1 h ago".into())
        );
        assert_eq!((told(1440), told(4320)), ("1 day ago".into(), "3 days ago".into()));
        assert_eq!(ago(10, 0), "just now", "a clock may go back");
    }
}
