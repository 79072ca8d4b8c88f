use proptest::prelude::*;

use super::testing::{CONTAINER, docx, package, run, zip};
use super::*;

#[test]
fn formats_are_known_by_name_and_by_their_first_bytes() {
    let pdf = b"%PDF-1.7\n%\xe2\xe3\n";
    for (name, head, format) in [
        ("a/b.HTML", b"".as_slice(), Some(Format::Html)),
        ("x.ipynb", b"{", Some(Format::Notebook)),
        ("x.pdf", b"\n%PDF-1.4 ascii", Some(Format::Pdf)),
        ("x.pdf", b"about", None),
        ("stdin", pdf, Some(Format::Pdf)),
        ("notes.txt", b"%PDF- is how they begin", None),
        ("x.docx", b"PK\x03\x04", Some(Format::Docx)),
        ("x.docx", b"text", None),
        ("x.epub", b"PK\x03\x04", Some(Format::Epub)),
        ("x.zip", b"PK\x03\x04", None),
        ("x.rs", b"<!doctype html>", None),
        (
            "",
            &[b"PK\x03\x04".as_slice(), &[0; 26], b"mimetypeapplication/epub+zip"].concat(),
            Some(Format::Epub),
        ),
    ] {
        assert_eq!(recognise(name, head), format, "{name}");
    }
}

#[test]
fn an_interrupt_ends_the_reading() {
    let interrupt = Interrupt::new();
    interrupt.raise();
    for format in [Format::Html, Format::Epub, Format::Pdf, Format::Docx, Format::Notebook] {
        let refused = extract(format, b"<p>", &Limits::default(), &interrupt);
        assert_eq!(refused, Err(Refused::Interrupted));
    }
}

/// What holds of every document that is read.
fn check(format: Format, bytes: &[u8]) -> Result<(), TestCaseError> {
    let first = run(format, bytes);
    prop_assert_eq!(&first, &run(format, bytes));
    let Ok(got) = first else { return Ok(()) };
    let lines = got.text.lines().count();
    prop_assert!(got.sections.is_sorted_by_key(|section| section.line));
    for section in &got.sections {
        prop_assert!((1..=lines).contains(&section.line), "{section:?} of {lines} lines");
        prop_assert!(section.level >= 1 && !section.title.contains(char::is_control));
    }
    prop_assert!(!got.text.contains('\r'));
    prop_assert!(got.text.len() <= 4 * bytes.len().max(100_000));
    Ok(())
}

/// Markup as people and programs write it, in no order that makes sense.
fn soup(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

const HTML: &[&str] = &[
    "<p>",
    "</p>",
    "<h1>",
    "</h1>",
    "<h3 id=a>",
    "<table>",
    "</table>",
    "<tr>",
    "<td>",
    "</td>",
    "<ul>",
    "<ol start=9>",
    "</ol>",
    "<li>",
    "<pre>",
    "</pre>",
    "<br>",
    "<br/>",
    "<a href='http://x'>",
    "</a>",
    "<svg>",
    "</svg>",
    "<select>",
    "<script>",
    "</script>",
    "<title>",
    "</title>",
    "<textarea>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "&amp;",
    "&#0;",
    "<plaintext>",
    "<sup>",
    "<ruby>",
    "<rt>",
    "\n",
    "\r\n",
    "text ",
    " ",
    "\u{a0}",
    "<math alttext=x>",
];
const WORD: &[&str] = &[
    "<w:p>",
    "</w:p>",
    "<w:r>",
    "</w:r>",
    "<w:t>",
    "</w:t>",
    "text",
    "<w:tbl>",
    "</w:tbl>",
    "<w:tr>",
    "<w:tc>",
    "</w:tc>",
    "<w:pStyle w:val='Heading1'/>",
    "<w:br/>",
    "<w:del>",
    "</w:del>",
    "<w:hyperlink r:id='r'>",
    "</w:hyperlink>",
    "<w:ilvl w:val='3'/>",
    "<w:footnoteReference w:id='1'/>",
    "&amp;",
    "&x;",
    "<",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for format in [Format::Html, Format::Epub, Format::Docx, Format::Notebook] {
            check(format, &bytes)?;
        }
    }

    #[test]
    fn any_page_is_read(page in soup(HTML)) {
        check(Format::Html, page.as_bytes())?;
        check(Format::Html, format!("<?xml version='1.0'?>{page}").as_bytes())?;
        let opf = package(&[("a", "a.html", "text/html", ""), ("n", "n.html", "", "properties='nav'")], &["a", "n"]);
        let nav = "<nav type='toc'><ol><li><a href='a.html#a'>x</a><a href='n.html'>\u{1b}y</a></ol></nav>".to_owned() + &page;
        let book = zip(&[CONTAINER, ("OEBPS/book.opf", &opf), ("OEBPS/a.html", &page), ("OEBPS/n.html", &nav)]);
        check(Format::Epub, &book)?;
    }

    #[test]
    fn any_word_document_is_read_or_refused(body in soup(WORD)) {
        check(Format::Docx, &docx(&body, &[("word/footnotes.xml", &body), ("word/styles.xml", &body)]))?;
    }

    #[test]
    fn damage_to_an_archive_is_survived(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let opf = package(&[("a", "a.html", "text/html", "")], &["a"]);
        let mut book = zip(&[CONTAINER, ("OEBPS/book.opf", &opf), ("OEBPS/a.html", "<h1>a</h1>b")]);
        let at = at.index(book.len());
        book[at] = byte;
        check(Format::Epub, &book)?;
    }

    #[test]
    fn any_notebook_is_read_or_refused(source in any::<String>(), lines in proptest::collection::vec(any::<String>(), 0..30)) {
        let notebook = serde_json::json!({"cells": [
            {"cell_type": "markdown", "source": source},
            {"cell_type": "code", "source": lines, "outputs": [{"output_type": "stream", "text": lines}]},
        ]});
        check(Format::Notebook, notebook.to_string().as_bytes())?;
    }
}
