//! EPUB 2 and 3: the pages of a book in reading order, with its table of contents as the map of sections.

use std::collections::{HashMap, HashSet};

use super::archive::Archive;
use super::epub_contents::{Entry, navigation, ncx};
use super::fragment::{Fragment, Mark};
use super::html::{self, Options};
use super::xml::{Node, Xml, characters};
use super::{Extracted, Refused, Watch};
use crate::context::encoding::Decoded;
use crate::context::pack::SectionKind;

/// Ways to garble fonts, which are no protection of the text.
const FONT_OBFUSCATION: [&str; 2] = ["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];
const PACKAGE_TYPE: &str = "application/oebps-package+xml";
/// Renditions of a book; the first that is there is read.
const MOST_PACKAGES: usize = 16;
/// Characters of a title or an author's name.
const LONGEST_NAME: usize = 500;

pub(super) fn extract(bytes: &[u8], watch: &Watch<'_>) -> Result<Extracted, Refused> {
    let archive = &mut Archive::open(bytes, watch)?;
    let (text, path) = package(archive, watch)?;
    let package = Package::parse(&text, &path, watch)?;
    let protected = protected(archive, watch)?;
    if package.spine.iter().any(|path| protected.contains(path)) {
        return Err(Refused::because("protected by DRM: its pages are encrypted"));
    }
    let (contents_path, contents) = package.contents(archive, watch)?;
    let mut contents_of: HashMap<String, Vec<Chapter>> = HashMap::new();
    for entry in contents {
        let (path, anchor) = target(&contents_path, &entry.target);
        contents_of.entry(path).or_default().push(Chapter { anchor, entry });
    }

    let mut book = Fragment::default();
    package.write_title(&mut book);
    let mut missing = 0usize;
    let mut seen = HashSet::new();
    for path in package.spine.iter().filter(|path| seen.insert(path.as_str())) {
        let Some(bytes) = archive.read(path)? else {
            missing += 1;
            continue;
        };
        let Decoded { text, .. } = html::decode(&bytes)?;
        let entries = contents_of.get(path).map_or(&[][..], Vec::as_slice);
        let anchors: HashSet<String> = entries.iter().filter_map(|chapter| chapter.anchor.clone()).collect();
        let options = Options {
            xml: true,
            title: false,
            anchors: Some(&anchors),
        };
        let mut page = html::fragment(&text, options, watch)?;
        if !contents_of.is_empty() {
            page.marks = chapters(&page, entries);
        }
        if book.lines > 0 && !book.ends_blank() && page.lines > 0 {
            book.line("", "");
        }
        book.append(page);
        if book.text.len() > watch.limits.text {
            return Err(watch.too_much_text());
        }
    }
    if missing == seen.len() {
        return Err(not_a_book("its pages are missing"));
    }
    let mut notes = vec!["the text of an EPUB".to_owned()];
    if missing > 0 {
        notes.push(format!("{missing} of its {} pages are missing", seen.len()));
    }
    Ok(book.finish(notes))
}

fn not_a_book(why: &str) -> Refused {
    Refused::because(format!("not a complete EPUB: {why}"))
}

/// An entry of the table of contents that leads to a page, perhaps into it.
#[derive(Debug)]
struct Chapter {
    anchor: Option<String>,
    entry: Entry,
}

/// The chapters of this page at their places.
fn chapters(page: &Fragment, entries: &[Chapter]) -> Vec<(usize, Mark)> {
    let anchors: HashMap<&str, usize> = page
        .marks
        .iter()
        .rev()
        .filter_map(|(line, mark)| match mark {
            Mark::Anchor(id) => Some((id.as_str(), *line)),
            Mark::Section { .. } => None,
        })
        .collect();
    let mut marks: Vec<_> = entries
        .iter()
        .map(|Chapter { anchor, entry }| {
            let line = anchor.as_ref().and_then(|id| anchors.get(id.as_str())).copied();
            let mark = Mark::section(SectionKind::Chapter, &entry.title, entry.level);
            (line.unwrap_or(0), mark)
        })
        .collect();
    marks.sort_by_key(|(line, _)| *line);
    marks
}

/// The package document and its path: what the container says, or else whatever there is.
fn package(archive: &mut Archive<'_>, watch: &Watch<'_>) -> Result<(String, String), Refused> {
    let mut named = Vec::new();
    if let Some(container) = archive.read("META-INF/container.xml")? {
        let text = characters(container)?;
        let mut xml = Xml::new(&text, watch);
        while let Some(node) = xml.next()? {
            if let Node::Start(element) = node
                && element.name() == "rootfile"
                && element.attribute("media-type").is_none_or(|kind| kind == PACKAGE_TYPE)
                && named.len() < MOST_PACKAGES
            {
                named.extend(element.attribute("full-path"));
            }
        }
    }
    for path in named.into_iter().chain(archive.find(".opf")) {
        if let Some(bytes) = archive.read(&path)? {
            return Ok((characters(bytes)?, path));
        }
    }
    Err(not_a_book("its package document is missing"))
}

/// The paths of what is encrypted.
fn protected(archive: &mut Archive<'_>, watch: &Watch<'_>) -> Result<HashSet<String>, Refused> {
    let mut paths = HashSet::new();
    let Some(encryption) = archive.read("META-INF/encryption.xml")? else {
        return Ok(paths);
    };
    let text = characters(encryption)?;
    let mut xml = Xml::new(&text, watch);
    let mut algorithm = String::new();
    while let Some(node) = xml.next()? {
        let Node::Start(element) = node else { continue };
        match element.name() {
            "EncryptedData" => algorithm.clear(),
            "EncryptionMethod" => algorithm = element.attribute("Algorithm").unwrap_or_default(),
            "CipherReference" if !FONT_OBFUSCATION.contains(&algorithm.as_str()) => {
                paths.extend(element.attribute("URI").map(|uri| resolved("", &uri)));
            }
            _ => {}
        }
    }
    Ok(paths)
}

#[derive(Debug, Default)]
struct Package {
    title: String,
    authors: Vec<String>,
    /// The pages in reading order, by their paths in the archive.
    spine: Vec<String>,
    navigation: Option<String>,
    ncx: Option<String>,
}

#[derive(Debug)]
struct Item {
    path: String,
    kind: String,
}

impl Package {
    fn parse(text: &str, path: &str, watch: &Watch<'_>) -> Result<Self, Refused> {
        let mut package = Self::default();
        let mut items: HashMap<String, Item> = HashMap::new();
        let mut order = Vec::new();
        let mut field: Option<String> = None;
        let mut xml = Xml::new(text, watch);
        while let Some(node) = xml.next()? {
            match node {
                Node::Start(element) => match element.name() {
                    "title" if package.title.is_empty() => field = Some("title".into()),
                    "creator" => {
                        package.authors.push(String::new());
                        field = Some("creator".into());
                    }
                    "item" => {
                        let (Some(id), Some(href)) = (element.attribute("id"), element.attribute("href")) else {
                            continue;
                        };
                        let path = resolved(path, &href);
                        let properties = element.attribute("properties").unwrap_or_default();
                        if properties.split(' ').any(|property| property == "nav") {
                            package.navigation = Some(path.clone());
                        }
                        let kind = element.attribute("media-type").unwrap_or_default();
                        if kind == "application/x-dtbncx+xml" {
                            package.ncx = Some(path.clone());
                        }
                        items.insert(id, Item { path, kind });
                    }
                    "itemref" => order.extend(element.attribute("idref")),
                    _ => {}
                },
                Node::End(name) if field.as_deref() == Some(name.as_str()) => field = None,
                Node::End(_) => {}
                Node::Text(text) => {
                    let into = match field.as_deref() {
                        Some("title") => &mut package.title,
                        Some(_) => match package.authors.last_mut() {
                            Some(author) => author,
                            None => continue,
                        },
                        None => continue,
                    };
                    if into.len() < LONGEST_NAME {
                        into.push_str(&text);
                    }
                }
            }
        }
        let pages = order.iter().filter_map(|id| items.get(id));
        let readable = pages.filter(|item| {
            matches!(
                item.kind.as_str(),
                "application/xhtml+xml" | "text/html" | "text/x-oeb1-document" | "application/x-dtbook+xml" | ""
            )
        });
        package.spine = readable.map(|item| item.path.clone()).collect();
        if package.spine.is_empty() {
            return Err(not_a_book("its package document lists no pages"));
        }
        Ok(package)
    }

    /// The table of contents, empty if there is none or it is damaged, with its own path.
    fn contents(&self, archive: &mut Archive<'_>, watch: &Watch<'_>) -> Result<(String, Vec<Entry>), Refused> {
        type Reader = fn(&str, &Watch<'_>) -> Result<Vec<Entry>, Refused>;
        let readers: [(&Option<String>, Reader); 2] = [(&self.navigation, navigation), (&self.ncx, ncx)];
        for (path, read) in readers {
            let Some(path) = path else { continue };
            let Some(bytes) = archive.read(path)? else { continue };
            match characters(bytes).and_then(|text| read(&text, watch)) {
                Ok(entries) if !entries.is_empty() => return Ok((path.clone(), entries)),
                Err(Refused::Interrupted) => return Err(Refused::Interrupted),
                Ok(_) | Err(Refused::Because(_)) => {}
            }
        }
        Ok((String::new(), Vec::new()))
    }

    fn write_title(&self, book: &mut Fragment) {
        let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let authors: Vec<String> = self.authors.iter().map(|a| tidy(a)).filter(|a| !a.is_empty()).collect();
        let parts: Vec<String> = [tidy(&self.title), authors.join(", ")]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        if !parts.is_empty() {
            book.line("", &parts.join(" — "));
        }
    }
}

/// A link's path in the archive and what follows its `#`.
fn target(from: &str, link: &str) -> (String, Option<String>) {
    let (path, fragment) = link.split_once('#').map_or((link, None), |(path, id)| (path, Some(id)));
    let path = if path.is_empty() {
        from.to_owned()
    } else {
        resolved(from, path)
    };
    (path, fragment.map(unescaped).filter(|id| !id.is_empty()))
}

/// A relative link as a path in the archive.
fn resolved(from: &str, link: &str) -> String {
    let link = unescaped(link);
    let mut parts: Vec<&str> = match link.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from
            .split('/')
            .rev()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    };
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// `%20` and the like as the characters that they stand for.
fn unescaped(link: &str) -> String {
    let mut bytes = Vec::with_capacity(link.len());
    let mut rest = link.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(value) if byte == b'%' => {
                bytes.push(value);
                rest = &after[2..];
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "epub_tests.rs"]
mod tests;
