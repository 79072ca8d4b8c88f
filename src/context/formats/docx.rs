//! Word documents: the paragraphs of the main part, then the notes that they refer to.
//!
//! What was deleted under change tracking is left out and what was inserted is in. Headers, footers and comments are not
//! read.

use std::collections::HashMap;

use super::archive::Archive;
use super::docx_styles::{Styles, outline_level};
use super::flow::Flow;
use super::xml::{Element, Node, Xml, characters};
use super::{Extracted, Refused, Watch};

/// Elements that are left out with all that is in them: deleted and moved text, second forms of the same thing.
const LEFT_OUT: [&str; 5] = ["del", "moveFrom", "Fallback", "pPrChange", "rPrChange"];

pub(super) fn extract(bytes: &[u8], watch: &Watch<'_>) -> Result<Extracted, Refused> {
    let archive = &mut Archive::open(bytes, watch)?;
    let root = relations(archive, "_rels/.rels", watch)?;
    let main = root
        .values()
        .find(|r| r.kind.ends_with("/officeDocument"))
        .map_or("word/document.xml", |r| r.target.trim_start_matches('/'));
    let text = part(archive, main)?.ok_or_else(|| Refused::because("not a Word document: its main part is missing"))?;
    let (folder, name) = main.rsplit_once('/').unwrap_or(("", main));
    let beside = |name: &str| {
        if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        }
    };
    let styles = part(archive, &beside("styles.xml"))?;
    let mut reader = Reader {
        flow: Flow::new(watch.limits.text),
        styles: styles.map_or(Ok(Styles::default()), |text| Styles::parse(&text, watch))?,
        links: relations(archive, &beside(&format!("_rels/{name}.rels")), watch)?,
        watch,
    };
    reader.body(&text)?;
    for (kind, element) in [("footnotes", "footnote"), ("endnotes", "endnote")] {
        if let Some(notes) = part(archive, &beside(&format!("{kind}.xml")))? {
            reader.links = relations(archive, &beside(&format!("_rels/{kind}.xml.rels")), watch)?;
            reader.notes(&notes, element)?;
        }
    }
    Ok(reader
        .flow
        .finish()
        .finish(vec!["the text of a Word document".to_owned()]))
}

fn part(archive: &mut Archive<'_>, name: &str) -> Result<Option<String>, Refused> {
    archive.read(name)?.map(characters).transpose()
}

struct Relation {
    kind: String,
    target: String,
}

fn relations(archive: &mut Archive<'_>, name: &str, watch: &Watch<'_>) -> Result<HashMap<String, Relation>, Refused> {
    let mut relations = HashMap::new();
    let Some(text) = part(archive, name)? else {
        return Ok(relations);
    };
    let mut xml = Xml::new(&text, watch);
    while let Some(node) = xml.next()? {
        if let Node::Start(element) = node
            && let (Some(id), Some(kind), Some(target)) = (
                element.attribute("Id"),
                element.attribute("Type"),
                element.attribute("Target"),
            )
        {
            relations.insert(id, Relation { kind, target });
        }
    }
    Ok(relations)
}

struct Reader<'a> {
    flow: Flow,
    styles: Styles,
    links: HashMap<String, Relation>,
    watch: &'a Watch<'a>,
}

impl Reader<'_> {
    fn body(&mut self, text: &str) -> Result<(), Refused> {
        let mut xml = Xml::new(text, self.watch);
        while let Some(node) = xml.next()? {
            self.node(node, &mut xml)?;
        }
        Ok(())
    }

    /// The notes at the end: each begins as it is referred to.
    fn notes(&mut self, text: &str, element: &str) -> Result<(), Refused> {
        let mut xml = Xml::new(text, self.watch);
        while let Some(node) = xml.next()? {
            if let Node::Start(start) = &node
                && start.name() == element
            {
                if start.attribute("type").is_some_and(|kind| kind != "normal") {
                    skip(&mut xml, element)?;
                    continue;
                }
                self.flow.end_block();
                let id = start.attribute("id").unwrap_or_default();
                self.flow.text(&format!("{}: ", reference(element, &id)));
                continue;
            }
            // The paragraph that a note begins with goes on the line of its number.
            if matches!(&node, Node::Start(start) if start.name() == "p") {
                continue;
            }
            self.node(node, &mut xml)?;
        }
        Ok(())
    }

    fn node(&mut self, node: Node<'_>, xml: &mut Xml<'_>) -> Result<(), Refused> {
        match node {
            Node::Start(element) => {
                if LEFT_OUT.contains(&element.name()) {
                    return skip(xml, element.name());
                }
                if element.name() == "t" {
                    return self.text(xml);
                }
                self.start(&element);
            }
            Node::End(name) => self.end(&name),
            Node::Text(_) => {}
        }
        Ok(())
    }

    /// The text up to the end of its element.
    fn text(&mut self, xml: &mut Xml<'_>) -> Result<(), Refused> {
        while let Some(node) = xml.next()? {
            match node {
                Node::Text(text) => self.flow.text(&text),
                Node::End(name) if name == "t" => break,
                Node::Start(_) | Node::End(_) => {}
            }
            if self.flow.overflowed() {
                return Err(self.watch.too_much_text());
            }
        }
        Ok(())
    }

    fn start(&mut self, element: &Element<'_>) {
        let value = || element.attribute("val");
        match element.name() {
            "p" => self.flow.end_block(),
            "pStyle" => {
                if let Some(level) = value().and_then(|id| self.styles.level(&id)) {
                    self.flow.begin_heading(level);
                }
            }
            "outlineLvl" => {
                let level = value().map_or(0, |value| outline_level(&value));
                if level > 0 {
                    self.flow.begin_heading(level);
                }
            }
            "ilvl" => self
                .flow
                .bullet(value().and_then(|depth| depth.parse().ok()).unwrap_or(0)),
            "numId" if value().as_deref() == Some("0") => self.flow.no_bullet(),
            "tab" | "ptab" => self.flow.text(" "),
            "br" | "cr" => self.flow.line_break(),
            "noBreakHyphen" => self.flow.text("-"),
            "vertAlign" => self.flow.raised(value().as_deref() == Some("superscript")),
            "docPr" => {
                if let Some(text) = element.attribute("descr") {
                    self.flow.text(&text);
                }
            }
            "hyperlink" => {
                let target = element.attribute("id").and_then(|id| self.links.get(&id));
                self.flow.begin_link(target.map(|relation| relation.target.as_str()));
            }
            kind @ ("footnoteReference" | "endnoteReference") => {
                let kind = kind.trim_end_matches("Reference");
                if let Some(id) = element.attribute("id") {
                    self.flow.text(&reference(kind, &id));
                }
            }
            "tbl" => self.flow.begin_table(),
            "tr" => self.flow.row(),
            "tc" => self.flow.cell(),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "p" => {
                self.flow.end_heading();
                self.flow.no_bullet();
            }
            "hyperlink" => self.flow.end_link(),
            "tbl" => self.flow.end_table(),
            "tr" => self.flow.row(),
            "tc" => self.flow.end_cell(),
            _ => {}
        }
    }
}

fn reference(kind: &str, id: &str) -> String {
    let letter = if kind == "endnote" { "e" } else { "" };
    format!("[^{letter}{id}]")
}

/// Passes over what is left of an element that has begun.
fn skip(xml: &mut Xml<'_>, name: &str) -> Result<(), Refused> {
    let mut depth = 1usize;
    while let Some(node) = xml.next()? {
        match node {
            Node::Start(element) if element.name() == name => depth += 1,
            Node::End(end) if end == name => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "docx_tests.rs"]
mod tests;
