//! Documents for tests, written by hand.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Extracted, Format, Limits, Refused, extract};
use crate::compute::Interrupt;

/// The text of a document within the usual limits.
pub(super) fn run(format: Format, bytes: &[u8]) -> Result<Extracted, Refused> {
    extract(format, bytes, &Limits::default(), &Interrupt::new())
}

/// The reason why it is refused, which must be soon.
pub(super) fn refusal(format: Format, bytes: &[u8]) -> String {
    let start = Instant::now();
    let refused = run(format, bytes).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    match refused {
        Refused::Because(reason) => reason,
        Refused::Interrupted => panic!("nobody interrupted"),
    }
}

/// `kind level title @line` of each section.
pub(super) fn map(extracted: &Extracted) -> Vec<String> {
    let section = |s: &crate::context::Section| format!("{:?} {} {} @{}", s.kind, s.level, s.title, s.line);
    extracted.sections.iter().map(section).collect()
}

pub(super) fn zip(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        let stored = *name == "mimetype";
        let method = if stored {
            CompressionMethod::Stored
        } else {
            CompressionMethod::Deflated
        };
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method))
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive with one more entry, of so many MiB of spaces.
pub(super) fn zip_bomb(entries: &[(&str, &str)], name: &str, mebibytes: usize) -> Vec<u8> {
    let mut archive = ZipWriter::new_append(Cursor::new(zip(entries))).unwrap();
    archive
        .start_file(
            name,
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated),
        )
        .unwrap();
    let block = vec![b' '; 1 << 20];
    for _ in 0..mebibytes {
        archive.write_all(&block).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A paragraph of a Word document with its properties.
pub(super) fn paragraph(properties: &str, runs: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>")
}

pub(super) fn run_of(text: &str) -> String {
    format!("<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r>")
}

pub(super) fn docx(body: &str, others: &[(&str, &str)]) -> Vec<u8> {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><w:document xmlns:w=\"w\" xmlns:r=\"r\"><w:body>{body}</w:body></w:document>"
    );
    let mut entries = vec![("word/document.xml", document.as_str())];
    entries.extend_from_slice(others);
    zip(&entries)
}

pub(super) const CONTAINER: (&str, &str) = (
    "META-INF/container.xml",
    "<container><rootfiles><rootfile full-path=\"OEBPS/book.opf\" \
     media-type=\"application/oebps-package+xml\"/></rootfiles></container>",
);

/// A package document: manifest items of id, href, type and other attributes, then the ids of the spine.
pub(super) fn package(items: &[(&str, &str, &str, &str)], spine: &[&str]) -> String {
    let items: String = items
        .iter()
        .map(|(id, href, kind, more)| format!("<item id=\"{id}\" href=\"{href}\" media-type=\"{kind}\" {more}/>"))
        .collect::<Vec<_>>()
        .concat();
    let spine: String = spine
        .iter()
        .map(|id| format!("<itemref idref=\"{id}\"/>"))
        .collect::<Vec<_>>()
        .concat();
    format!(
        "<package><metadata><dc:title>Moby &amp; Dick</dc:title><dc:creator>Herman Melville</dc:creator></metadata>\
         <manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
}
