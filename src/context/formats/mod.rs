//! Documents with a structure of their own, as plain text with a map of their sections.
//!
//! Whatever lies in a file, what comes out obeys the same rules: a paragraph, a heading, a row of a table or an item of a
//! list is one line, since lines are what is cited; code keeps its own lines. Every reader here works without recursion
//! over what it reads, counts what it writes, and looks at the clock and at the interrupt; the PDF reader, which is not
//! ours, does its work in another process.

mod archive;
mod docx;
mod docx_styles;
mod epub;
mod epub_contents;
mod flow;
mod fragment;
mod html;
mod notebook;
mod pdf;
pub(crate) mod pdf_worker;
mod xml;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::pack::Section;
use crate::compute::{Interrupt, Interrupted};

/// What a file is, beside plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Html,
    Epub,
    Pdf,
    Docx,
    Notebook,
}

/// The text of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extracted {
    pub text: String,
    /// In the order of their lines.
    pub sections: Vec<Section>,
    /// What of the document is not in the text, for people.
    pub notes: Vec<String>,
}

/// Why a document is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    Interrupted,
    /// For people: completes "skipped: …".
    Because(String),
}

impl Refused {
    fn because(reason: impl Into<String>) -> Self {
        Self::Because(reason.into())
    }
}

impl From<Interrupted> for Refused {
    fn from(Interrupted: Interrupted) -> Self {
        Self::Interrupted
    }
}

/// What one document may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of text.
    pub text: usize,
    /// Bytes of all that is unpacked of an archive.
    pub unpacked: u64,
    /// Bytes of one entry of an archive.
    pub entry: u64,
    /// Entries of an archive.
    pub entries: usize,
    /// By the wall clock.
    pub time: Duration,
    /// Bytes of memory of the PDF reader, where the system can hold it to that.
    pub pdf_memory: u64,
    /// The program that is run as PDF reader, with its first arguments; `None` is this one.
    pub pdf_worker: Option<(PathBuf, Vec<String>)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text: 64 << 20,
            unpacked: 256 << 20,
            entry: 64 << 20,
            entries: 20_000,
            time: Duration::from_mins(1),
            pdf_memory: 2 << 30,
            pdf_worker: None,
        }
    }
}

/// The limits of one run, and what may end it early.
#[derive(Debug, Clone, Copy)]
struct Watch<'a> {
    limits: &'a Limits,
    interrupt: &'a Interrupt,
    until: Instant,
}

impl<'a> Watch<'a> {
    fn new(limits: &'a Limits, interrupt: &'a Interrupt) -> Self {
        Self {
            limits,
            interrupt,
            until: Instant::now() + limits.time,
        }
    }

    fn check(&self) -> Result<(), Refused> {
        self.interrupt.check()?;
        if Instant::now() > self.until {
            let seconds = self.limits.time.as_secs();
            return Err(Refused::because(format!("reading it took longer than {seconds} s")));
        }
        Ok(())
    }

    fn too_much_text(&self) -> Refused {
        Refused::because(format!("more than {} MiB of text", self.limits.text >> 20))
    }
}

/// Whether a page has places that a template engine fills in.
fn is_template(head: &[u8]) -> bool {
    let marks: [&[u8]; 5] = [b"{{", b"{%", b"<%", b"<?php", b"<?="];
    marks
        .iter()
        .any(|mark| head.windows(mark.len()).any(|bytes| bytes == *mark))
}

/// What a file is by its name and its first bytes (some hundreds are enough); `None` is plain text or unknown.
///
/// A format that is text itself goes by its name alone: a program may well print `<html>`.
pub(super) fn recognise(name: &str, head: &[u8]) -> Option<Format> {
    const PDF_HEADER_WITHIN: usize = 1024;
    let extension = name
        .rsplit_once('.')
        .map_or(String::new(), |(_, e)| e.to_ascii_lowercase());
    match extension.as_str() {
        // What a program is to fill in is code, of which the tags are a part.
        "html" | "htm" | "xhtml" | "xht" => return (!is_template(head)).then_some(Format::Html),
        "ipynb" => return Some(Format::Notebook),
        "pdf" => {
            let head = &head[..head.len().min(PDF_HEADER_WITHIN)];
            return head.windows(5).any(|w| w == b"%PDF-").then_some(Format::Pdf);
        }
        _ => {}
    }
    if head.starts_with(b"%PDF-") {
        // A file of bare ASCII with a text's name may be about PDF.
        return head.iter().any(|b| !b.is_ascii()).then_some(Format::Pdf);
    }
    if head.starts_with(b"PK\x03\x04") {
        let first_entry = head.get(30..).unwrap_or_default();
        return match extension.as_str() {
            "epub" => Some(Format::Epub),
            "docx" | "docm" | "dotx" => Some(Format::Docx),
            _ if first_entry.starts_with(b"mimetypeapplication/epub+zip") => Some(Format::Epub),
            _ => None,
        };
    }
    None
}

/// The text of a document of this format.
pub(super) fn extract(
    format: Format,
    bytes: &[u8],
    limits: &Limits,
    interrupt: &Interrupt,
) -> Result<Extracted, Refused> {
    let watch = &Watch::new(limits, interrupt);
    watch.check()?;
    match format {
        Format::Html => html::extract(bytes, watch),
        Format::Epub => epub::extract(bytes, watch),
        Format::Pdf => pdf::extract(bytes, watch),
        Format::Docx => docx::extract(bytes, watch),
        Format::Notebook => notebook::extract(bytes, watch),
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
#[path = "formats_tests.rs"]
mod tests;
