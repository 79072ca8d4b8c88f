//! Which paragraphs of a Word document are headings.
//!
//! A style's id is in the language of whoever wrote the document (`berschrift1`), its name is not (`heading 1`), and
//! what counts for Word itself is the outline level, which a style may have from the one that it is based on.

use std::collections::HashMap;

use super::xml::{Node, Xml};
use super::{Refused, Watch};

/// Styles that a style may go back through.
const LONGEST_CHAIN: usize = 16;
/// Outline levels of headings; the tenth is body text.
const LEVELS: u8 = 9;

#[derive(Debug, Default)]
struct Style {
    /// From 1; of body text 0.
    level: Option<u8>,
    based_on: Option<String>,
}

/// Heading levels by the id of a style.
#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, Style>);

impl Styles {
    pub fn parse(text: &str, watch: &Watch<'_>) -> Result<Self, Refused> {
        let mut xml = Xml::new(text, watch);
        let mut styles = HashMap::new();
        let mut current: Option<(String, Style)> = None;
        while let Some(node) = xml.next()? {
            match node {
                Node::Start(element) => {
                    if element.name() == "style" {
                        current = element.attribute("styleId").map(|id| (id, Style::default()));
                        continue;
                    }
                    let Some((_, style)) = &mut current else { continue };
                    let Some(value) = element.attribute("val") else {
                        continue;
                    };
                    match element.name() {
                        "name" => style.level = style.level.or_else(|| by_name(&value)),
                        "basedOn" => style.based_on = Some(value),
                        "outlineLvl" => style.level = Some(outline_level(&value)),
                        _ => {}
                    }
                }
                Node::End(name) if name == "style" => styles.extend(current.take()),
                Node::End(_) | Node::Text(_) => {}
            }
        }
        Ok(Self(styles))
    }

    /// The heading level of paragraphs in a style, from 1.
    pub fn level(&self, id: &str) -> Option<u8> {
        let mut id = id;
        for _ in 0..LONGEST_CHAIN {
            let Some(style) = self.0.get(id) else { break };
            match (style.level, &style.based_on) {
                (None, Some(base)) => id = base,
                (level, _) => return level.filter(|level| *level > 0),
            }
        }
        by_name(id)
    }
}

/// A value of `w:outlineLvl` as a level from 1; 0 is body text.
pub(super) fn outline_level(value: &str) -> u8 {
    value
        .trim()
        .parse::<u8>()
        .ok()
        .filter(|level| *level < LEVELS)
        .map_or(0, |level| level + 1)
}

fn by_name(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let level = name.strip_prefix("heading")?.trim().parse().ok()?;
    (1..=LEVELS).contains(&level).then_some(level)
}
