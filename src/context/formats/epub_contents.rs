//! A book's table of contents: the navigation document of EPUB 3, the NCX of EPUB 2.

use super::xml::{Node, Xml};
use super::{Refused, Watch};

/// Entries; a book of verses numbered one by one has some ten thousand.
const MOST_ENTRIES: usize = 100_000;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub title: String,
    /// 1 is the outermost.
    pub level: u8,
    /// As it is written: relative to the table of contents, with what follows `#`.
    pub target: String,
}

/// Entries of `<nav epub:type="toc">`: links in nested lists.
pub(super) fn navigation(text: &str, watch: &Watch<'_>) -> Result<Vec<Entry>, Refused> {
    let mut xml = Xml::new(text, watch);
    let mut entries: Vec<Entry> = Vec::new();
    let (mut inside, mut in_link) = (false, false);
    let mut level = 0u8;
    while let Some(node) = xml.next()? {
        match node {
            Node::Start(element) => match element.name() {
                "nav" => {
                    inside = element
                        .attribute("type")
                        .is_some_and(|kind| kind.split(' ').any(|k| k == "toc"));
                }
                "ol" if inside => level = level.saturating_add(1),
                "a" if inside => {
                    if let Some(target) = element.attribute("href").filter(|_| entries.len() < MOST_ENTRIES) {
                        in_link = true;
                        entries.push(Entry {
                            title: String::new(),
                            level: level.max(1),
                            target,
                        });
                    }
                }
                _ => {}
            },
            Node::End(name) => match name.as_str() {
                "nav" => inside = false,
                "ol" if inside => level = level.saturating_sub(1),
                "a" => in_link = false,
                _ => {}
            },
            Node::Text(text) if in_link => {
                if let Some(entry) = entries.last_mut() {
                    entry.title.push_str(&text);
                }
            }
            Node::Text(_) => {}
        }
    }
    Ok(tidied(entries))
}

/// Entries of `<navMap>`: nested points, each with a label and a target.
pub(super) fn ncx(text: &str, watch: &Watch<'_>) -> Result<Vec<Entry>, Refused> {
    let mut xml = Xml::new(text, watch);
    let mut entries: Vec<Entry> = Vec::new();
    let (mut inside, mut in_label) = (false, false);
    let mut level = 0u8;
    while let Some(node) = xml.next()? {
        match node {
            Node::Start(element) => match element.name() {
                "navMap" => inside = true,
                "navPoint" if inside => {
                    level = level.saturating_add(1);
                    if entries.len() < MOST_ENTRIES {
                        entries.push(Entry {
                            title: String::new(),
                            level,
                            target: String::new(),
                        });
                    }
                }
                "text" if inside => in_label = true,
                "content" if inside => {
                    if let (Some(entry), Some(target)) = (entries.last_mut(), element.attribute("src")) {
                        entry.target = target;
                    }
                }
                _ => {}
            },
            Node::End(name) => match name.as_str() {
                "navMap" => inside = false,
                "navPoint" => level = level.saturating_sub(1),
                "text" => in_label = false,
                _ => {}
            },
            Node::Text(text) if in_label => {
                if let Some(entry) = entries.last_mut() {
                    entry.title.push_str(&text);
                }
            }
            Node::Text(_) => {}
        }
    }
    Ok(tidied(entries))
}

fn tidied(mut entries: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut entries {
        entry.title = entry.title.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    entries.retain(|entry| !entry.title.is_empty() && !entry.target.is_empty());
    entries
}
