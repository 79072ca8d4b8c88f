//! Names that could complete what is being written: documents after `@`, files after `/load`, and so on.
//!
//! `word` finds what is being written, `fuzzy` the names that are like it; here is what is offered and which of it is
//! chosen. What is offered is a function of the text and the cursor, computed when they change and never while drawing.

pub mod fuzzy;
pub mod word;

use std::path::{Path, PathBuf};

use super::text::clusters;
use super::{command, theme, words};
use fuzzy::{Found, Names};
use word::{Wanted, Word};

/// As many are found as a person would scroll through.
const MOST: usize = 100;

#[derive(Debug, Default)]
pub struct Completion {
    pub offer: Option<Offer>,
    /// The text and the cursor that the offer is for.
    text: String,
    cursor: usize,
    /// Where the word begins that is to be left alone.
    dismissed: Option<usize>,
    /// What is written next is not written but recalled: nothing is offered for it.
    held: bool,
    documents: Option<Names>,
    left_out: Option<Names>,
    listing: Listing,
    /// The themes that there are, since the name of one is being written.
    themes: Option<Vec<String>>,
}

/// What is offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    pub word: Word,
    pub found: Vec<Found>,
    pub chosen: usize,
    /// The choice is the person's.
    moved: bool,
}

/// A folder of the disk.
#[derive(Debug, Default)]
struct Listing {
    /// Which one was asked for last, as it was written.
    wanted: Option<String>,
    entries: Vec<Entry>,
}

/// An entry of a folder on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub is_folder: bool,
}

/// Where names come from when they are first needed.
pub trait Source {
    fn documents(&self) -> Vec<(String, usize)>;
    fn left_out(&self) -> Vec<(String, usize)>;
}

/// What has to be asked for, because only the disk knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The entries of a folder.
    Folder(PathBuf),
    /// The names of all themes.
    Themes,
}

impl Completion {
    /// The documents are others.
    pub fn forget(&mut self) {
        (self.documents, self.left_out) = (None, None);
        self.text.clear();
        self.offer = None;
    }

    /// Nothing is offered for what is written next.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Offers again what was closed.
    pub fn offer_again(&mut self) {
        self.dismissed = None;
        self.text.clear();
    }

    /// Closes what is offered; it stays closed while this word is written.
    pub fn dismiss(&mut self) {
        self.dismissed = self.offer.take().map(|offer| offer.word.range.start);
    }

    /// Moves the choice, from the last to the first and back.
    pub fn choose(&mut self, by: isize) {
        if let Some(offer) = &mut self.offer {
            let all = offer.found.len().cast_signed();
            offer.chosen = (offer.chosen.cast_signed() + by).rem_euclid(all.max(1)).unsigned_abs();
            offer.moved = true;
        }
    }

    pub fn pick(&mut self, index: usize) {
        if let Some(offer) = &mut self.offer {
            offer.chosen = index.min(offer.found.len().saturating_sub(1));
            offer.moved = true;
        }
    }

    /// Looks at what is written now. Gives what has to be asked for to offer something.
    pub fn update(&mut self, text: &str, cursor: usize, source: &impl Source) -> Option<Ask> {
        let is_written = self.text != text;
        if !is_written && self.cursor == cursor {
            return None;
        }
        if is_written {
            text.clone_into(&mut self.text);
        }
        self.cursor = cursor;
        let held = std::mem::take(&mut self.held);
        // Who only moves the cursor does not ask for anything.
        if held || (!is_written && self.offer.is_none()) {
            self.offer = None;
            return None;
        }
        let Some(word) = word::at(text, cursor) else {
            (self.offer, self.dismissed) = (None, None);
            (self.listing.wanted, self.themes) = (None, None);
            return None;
        };
        if self.dismissed == Some(word.range.start) {
            self.offer = None;
            return None;
        }
        self.dismissed = None;
        if word.wanted == Wanted::File {
            let folder = folder_of(&word.query);
            if self.listing.wanted.as_deref() != Some(folder) {
                let path = Path::new(if folder.is_empty() { "." } else { folder }).to_owned();
                self.listing = Listing {
                    wanted: Some(folder.to_owned()),
                    entries: Vec::new(),
                };
                self.offer = None;
                return Some(Ask::Folder(path));
            }
        }
        if word.wanted == Wanted::Theme && self.themes.is_none() {
            // Those that are built in are offered until the others are known.
            self.themes = Some(theme::names().map(str::to_owned).collect());
            self.find(word, source);
            return Some(Ask::Themes);
        }
        self.find(word, source);
        None
    }

    /// The entries of a folder that was asked for.
    pub fn listed(&mut self, path: &Path, mut entries: Vec<Entry>, source: &impl Source) {
        let is_wanted = |wanted: &String| Path::new(if wanted.is_empty() { "." } else { wanted }) == path;
        if !self.listing.wanted.as_ref().is_some_and(is_wanted) {
            return;
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        self.listing.entries = entries;
        if let Some(word) = word::at(&self.text, self.cursor)
            && word.wanted == Wanted::File
            && self.dismissed != Some(word.range.start)
        {
            self.find(word, source);
        }
    }

    /// The names of all themes, which were asked for.
    pub fn themes_named(&mut self, names: Vec<String>, source: &impl Source) {
        if self.themes.is_none() {
            return;
        }
        self.themes = Some(names);
        if let Some(word) = word::at(&self.text, self.cursor)
            && word.wanted == Wanted::Theme
            && self.dismissed != Some(word.range.start)
        {
            self.find(word, source);
        }
    }

    fn find(&mut self, word: Word, source: &impl Source) {
        let found = match word.wanted {
            Wanted::Mention | Wanted::Document => {
                let names = self.documents.get_or_insert_with(|| Names::new(source.documents()));
                names.find(&word.query, MOST)
            }
            Wanted::LeftOut => {
                let names = self.left_out.get_or_insert_with(|| Names::new(source.left_out()));
                names.find(&word.query, MOST)
            }
            Wanted::Open => {
                let names = self.documents.get_or_insert_with(|| Names::new(source.documents()));
                let mut found = names.find(&word.query, MOST);
                found.retain(|found| !found.name.ends_with('/'));
                found
            }
            Wanted::File => self.listing.find(&word.query),
            Wanted::Command => {
                let all: Vec<_> = command::visible(false).collect();
                let names = all.iter().map(|(name, _)| format!("/{name}")).collect();
                let mut found = Names::in_order(names).find(&word.query, MOST);
                for found in &mut found {
                    found.about = all[found.index].1.help;
                }
                // Who has written the beginning of a name means that one.
                found.sort_by_key(|found| !found.name.starts_with(&word.query));
                found
            }
            Wanted::Choice(words) => {
                let words = words.split('|').map(str::to_owned).collect();
                Names::in_order(words).find(&word.query, MOST)
            }
            Wanted::Theme => {
                let names = self.themes.clone().unwrap_or_default();
                let mut found = Names::in_order(names).find(&word.query, MOST);
                for found in &mut found {
                    found.about = theme::description(&found.name).unwrap_or("your own");
                }
                found
            }
        };
        self.offer = (!found.is_empty()).then_some(Offer {
            word,
            found,
            chosen: 0,
            moved: false,
        });
    }
}

impl Listing {
    /// Entries that begin with the last part of a path; hidden ones only if it begins so.
    fn find(&self, query: &str) -> Vec<Found> {
        let folder = folder_of(query);
        let begun = &query[folder.len()..];
        let emphasised = clusters(folder).count()..clusters(query).count();
        self.entries
            .iter()
            .filter(|entry| entry.name.starts_with(begun) && (!begun.is_empty() || !entry.name.starts_with('.')))
            .take(MOST)
            .map(|entry| Found {
                name: format!("{folder}{}{}", entry.name, if entry.is_folder { "/" } else { "" }),
                tokens: None,
                matched: emphasised.clone().collect(),
                index: 0,
                about: "",
            })
            .collect()
    }
}

/// The part of a path up to its last slash.
fn folder_of(path: &str) -> &str {
    &path[..path.rfind('/').map_or(0, |at| at + 1)]
}

impl Offer {
    /// Whether Enter takes the choice. In a question it does, unless what it would take is written already; a command
    /// is carried out, unless a choice was made.
    pub fn takes_enter(&self) -> bool {
        let is_written = self.found.iter().any(|found| found.name == self.word.query);
        let begins = |found: &Found| found.name.starts_with(&self.word.query);
        match self.word.wanted {
            Wanted::Mention => self.moved || !is_written,
            // What is only like what was written may not be what is meant.
            Wanted::Command => self.moved || (!is_written && self.found.get(self.chosen).is_some_and(begins)),
            _ => self.moved,
        }
    }

    /// Whether what is taken is a whole command, that can be carried out.
    pub fn completes(&self) -> bool {
        let found = self.found.get(self.chosen);
        self.word.wanted == Wanted::Command && found.is_some_and(|found| !has_argument(&found.name))
    }

    /// What Tab or Enter puts in the place of the word. As in a shell, a path goes on as far as all entries agree.
    pub fn text(&self) -> String {
        let Some(chosen) = self.found.get(self.chosen) else {
            return String::new();
        };
        let name = &chosen.name;
        match self.word.wanted {
            Wanted::Mention if name.contains(char::is_whitespace) => format!("@\"{name}\" "),
            Wanted::Mention => format!("@{name} "),
            Wanted::File => {
                let common = common_beginning(&self.found);
                if !self.moved && common.len() > self.word.query.len() && common.len() < name.len() {
                    return words::quoted(common);
                }
                let space = if name.ends_with('/') { "" } else { " " };
                format!("{}{space}", words::quoted(name))
            }
            Wanted::Document | Wanted::LeftOut => format!("{} ", words::quoted(name)),
            Wanted::Open | Wanted::Choice(_) | Wanted::Theme => name.clone(),
            Wanted::Command => format!("{name}{}", if has_argument(name) { " " } else { "" }),
        }
    }
}

/// Whether a command, with its slash, may have an argument.
fn has_argument(name: &str) -> bool {
    let name = name.trim_start_matches('/');
    let mut all = command::visible(false);
    all.any(|(known, command)| known == name && matches!(command.slash, Some((_, command::Argument::Optional(_)))))
}

/// As far as all names agree, in whole clusters.
fn common_beginning(found: &[Found]) -> &str {
    let Some((first, rest)) = found.split_first() else {
        return "";
    };
    let mut end = first.name.len();
    for other in rest {
        let same = first
            .name
            .bytes()
            .zip(other.name.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        end = end.min(same);
    }
    let ends = clusters(&first.name).map(|(at, _)| at).chain([first.name.len()]);
    let end = ends.take_while(|&at| at <= end).last().unwrap_or(0);
    &first.name[..end]
}
