//! What a session has come to: what it takes to go on with it, and what to call it.

use std::collections::{BTreeMap, VecDeque};

use super::note::{Note, Opened, Packed, Sent};
use super::read::Record;
use crate::context::sanitize;
use crate::conversation::{Change, Event};
use crate::engine::StopReason;

/// Characters of a title that is made.
const TITLE: usize = 72;

/// What is known of a session besides what was said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// How it was opened last.
    pub opened: Option<Opened>,
    /// What was made of the documents.
    pub changes: Vec<Change>,
    /// By path.
    pub documents: BTreeMap<String, Packed>,
    /// Their paths, in the order in which the model reads them.
    pub order: Vec<String>,
    /// What was sent and never got to the model.
    pub unanswered: VecDeque<String>,
    /// The title that it was given; empty if none.
    pub renamed: String,
    pub tags: Vec<String>,
    /// The latest time that is written in it, in milliseconds since 1970.
    pub wall: u64,
    /// It was left in order.
    pub closed: bool,
    /// Something was under way when it was written last.
    pub broken_off: bool,
    /// Something was asked.
    pub is_asked: bool,
    /// A person has opened it, or given it a name or a tag.
    pub is_known: bool,
    first_question: String,
}

impl Past {
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let mut past = Self {
            wall: record.header.began,
            ..Self::default()
        };
        let mut notes = record.notes.iter().peekable();
        for (index, (_, event)) in record.events.iter().enumerate() {
            while let Some((_, _, note)) = notes.next_if(|(before, ..)| *before <= index) {
                past.note(note);
            }
            past.event(event);
        }
        notes.for_each(|(_, _, note)| past.note(note));
        past
    }

    /// Takes a note that stands after what has been taken.
    pub fn note(&mut self, note: &Note) {
        match note {
            Note::Opened(opened) => {
                self.at(opened.wall);
                self.opened = Some(opened.clone());
                self.is_known |= !opened.asked;
                self.broken_off = false;
            }
            Note::Sent { wall, what } => {
                self.at(*wall);
                self.is_asked = true;
                if let Some(text) = Sent::text(what) {
                    // It may have been sent before a crash.
                    self.unanswered.retain(|known| known != text);
                    self.unanswered.push_back(text.to_owned());
                }
            }
            Note::Packed { documents, gone } => {
                for path in gone {
                    self.documents.remove(path);
                }
                if !gone.is_empty() {
                    self.order.retain(|path| self.documents.contains_key(path));
                }
                for document in documents {
                    let before = self.documents.insert(document.path.clone(), document.clone());
                    if before.is_none() {
                        self.order.push(document.path.clone());
                    }
                }
            }
            Note::Changed { load, unload, include } => self.changes.push(Change {
                load: load.clone(),
                unload: unload.clone(),
                include: include.clone(),
            }),
            Note::Renamed { title } => {
                self.is_known = true;
                title.clone_into(&mut self.renamed);
            }
            Note::Tagged { tags } => {
                self.is_known = true;
                self.tags.clone_from(tags);
            }
            Note::Closed { wall } => self.at(*wall),
        }
        // Any other line means that it was opened again.
        self.closed = match note {
            Note::Closed { .. } => true,
            Note::Renamed { .. } | Note::Tagged { .. } => self.closed,
            _ => false,
        };
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Question(question) => {
                self.is_asked = true;
                if self.first_question.is_empty() {
                    self.first_question.clone_from(&question.text);
                }
                self.answered(Some(&question.text));
                self.broken_off = true;
            }
            Event::Continued { .. } => self.broken_off = true,
            // The answer to a question that was refused, or to one that is known already.
            Event::Failed { .. } => {
                if !self.broken_off {
                    self.answered(None);
                }
                self.broken_off = false;
            }
            Event::Finished(finished) if finished.reason != StopReason::Prefilled => self.broken_off = false,
            _ => {}
        }
    }

    /// The question with this text, or else the first that waits.
    fn answered(&mut self, text: Option<&str>) {
        let same = |known: &String| text.is_some_and(|text| sanitize(known) == text);
        let at = self.unanswered.iter().position(same).unwrap_or(0);
        self.unanswered.remove(at);
    }

    /// The clock may have gone back meanwhile.
    fn at(&mut self, wall: u64) {
        self.wall = self.wall.max(wall);
    }

    /// Only programs have asked in it.
    #[must_use]
    pub fn is_of_programs(&self) -> bool {
        self.opened.is_some() && !self.is_known
    }

    /// The title that it was given, or one made of the first question, or of the documents.
    #[must_use]
    pub fn title(&self) -> String {
        if !self.renamed.is_empty() {
            return self.renamed.clone();
        }
        if !self.first_question.is_empty() {
            return title_of(&self.first_question);
        }
        let mut names = self.documents.keys();
        match (names.next(), self.documents.len()) {
            (None, _) => "nothing asked yet".to_owned(),
            (Some(name), 1) => title_of(name),
            (Some(name), documents) => format!("{} and {} more", title_of(name), documents - 1),
        }
    }
}

/// A question as a title: its first words, in one line.
#[must_use]
pub fn title_of(question: &str) -> String {
    let mut title = String::new();
    let mut characters = 0;
    for word in sanitize(question).split_whitespace() {
        let length = word.chars().count();
        if characters + 1 + length > TITLE {
            if title.is_empty() {
                title.extend(word.chars().take(TITLE));
            }
            title.push('…');
            break;
        }
        if !title.is_empty() {
            title.push(' ');
            characters += 1;
        }
        title.push_str(word);
        characters += length;
    }
    title
}

/// How documents differ from those that a session was about, in words; nothing if they do not.
#[must_use]
pub fn changed_since(before: &BTreeMap<String, Packed>, now: &[Packed]) -> Option<String> {
    let is_new = |packed: &&Packed| !before.contains_key(&packed.path);
    let is_other = |packed: &&Packed| before.get(&packed.path).is_some_and(|known| known.hash != packed.hash);
    let here: std::collections::HashSet<&str> = now.iter().map(|packed| &*packed.path).collect();
    let paths = |packed: &Packed| packed.path.clone();
    let told = [
        ("changed", now.iter().filter(is_other).map(paths).collect::<Vec<_>>()),
        ("new", now.iter().filter(is_new).map(paths).collect()),
        (
            "gone",
            before.keys().filter(|path| !here.contains(&***path)).cloned().collect(),
        ),
    ];
    let told: Vec<String> = told
        .iter()
        .filter(|(_, paths)| !paths.is_empty())
        .map(|(what, paths)| {
            let named = paths[..paths.len().min(NAMED)].join(", ");
            let more = match paths.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{} {what}: {named}{more}", paths.len())
        })
        .collect();
    (!told.is_empty()).then(|| format!("since this session was last open: {}", told.join("; ")))
}

/// Documents that are named.
const NAMED: usize = 4;

/// What distinguishes documents from others of the same names.
#[must_use]
pub fn documents_of(pack: &crate::context::Pack) -> Vec<Packed> {
    let documents = pack.documents.iter();
    documents
        .map(|document| Packed {
            path: document.path.clone(),
            bytes: document.text.len(),
            hash: blake3::hash(document.text.as_bytes()).to_hex()[..32].to_owned(),
        })
        .collect()
}
