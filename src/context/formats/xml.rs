//! XML as a stream of elements and text, by their local names.
//!
//! Nothing outside the document is ever fetched and no entity that a document defines is expanded: there is nothing to
//! blow up. Documents in the wild are read as far as they can be.

use std::borrow::Cow;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Refused, Watch};
use crate::context::encoding::{Binary, decode_declared};

/// Events between two looks at the clock.
const SLICE: usize = 4096;

/// The characters of an XML document.
pub(super) fn characters(bytes: Vec<u8>) -> Result<String, Refused> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let label = head
        .split_once("encoding=")
        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1));
    let declared = label
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
        .filter(|encoding| encoding.is_ascii_compatible())
        .unwrap_or(encoding_rs::UTF_8);
    let decoded = decode_declared(bytes, Some(declared));
    Ok(decoded
        .map_err(|Binary| Refused::because("damaged: binary where XML should be"))?
        .text)
}

pub(super) enum Node<'a> {
    Start(Element<'a>),
    /// The local name of what ends. An element without content ends too.
    End(String),
    Text(Cow<'a, str>),
}

pub(super) struct Element<'a>(BytesStart<'a>);

impl Element<'_> {
    pub fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of an attribute, by its local name.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let mut attributes = self.0.attributes();
        let found = attributes
            .with_checks(false)
            .flatten()
            .find(|attribute| attribute.key.local_name().into_inner() == name)?;
        let value = found
            .normalized_value(XmlVersion::Implicit1_0)
            .unwrap_or(found.value.clone());
        Some(value.into_owned())
    }
}

pub(super) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    watch: &'a Watch<'a>,
    events: usize,
}

impl<'a> Xml<'a> {
    pub fn new(text: &'a str, watch: &'a Watch<'a>) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        Self {
            reader,
            watch,
            events: 0,
        }
    }

    /// The next element or text; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Node<'a>>, Refused> {
        loop {
            if self.events.is_multiple_of(SLICE) {
                self.watch.check()?;
            }
            self.events += 1;
            let event = self.reader.read_event();
            return Ok(Some(
                match event.map_err(|e| Refused::because(format!("damaged XML: {e}")))? {
                    Event::Start(start) | Event::Empty(start) => Node::Start(Element(start)),
                    Event::End(end) => Node::End(end.local_name().into_inner().to_owned()),
                    Event::Text(text) => Node::Text(text.into_inner()),
                    Event::CData(text) => Node::Text(text.into_inner()),
                    Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                        Ok(Some(c)) => Node::Text(Cow::Owned(c.to_string())),
                        Ok(None) => Node::Text(Cow::Owned(entity(&reference))),
                        Err(_) => continue,
                    },
                    Event::Eof => return Ok(None),
                    Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => continue,
                },
            ));
        }
    }
}

/// What an entity stands for: those that XML has, and a few of HTML's that books use without saying so.
fn entity(name: &str) -> String {
    let text = match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        "nbsp" => " ",
        "mdash" => "—",
        "ndash" => "–",
        "hellip" => "…",
        "lsquo" => "‘",
        "rsquo" => "’",
        "ldquo" => "“",
        "rdquo" => "”",
        "copy" => "©",
        _ => return format!("&{name};"),
    };
    text.to_owned()
}
