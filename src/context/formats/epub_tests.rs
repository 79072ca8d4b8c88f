use super::*;
use crate::context::formats::Format;
use crate::context::formats::testing::{CONTAINER, map, package, refusal, run, zip, zip_bomb};

const XHTML: &str = "application/xhtml+xml";
const ONE: (&str, &str) = (
    "OEBPS/text/one page.xhtml",
    "<?xml version=\"1.0\"?><html><head><title>no</title></head><body><h1>Loomings</h1><p>Call me Ishmael.</p>\
     <p>Some years <a id=\"ago\"/>ago</p></body></html>",
);
const TWO: (&str, &str) = (
    "OEBPS/text/two.xhtml",
    "<html><body><p>I stuffed a shirt</p><h2 id='b'>Bag</h2><p>or two</p></body></html>",
);

fn pages() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    vec![
        ("one", "text/one%20page.xhtml", XHTML, ""),
        ("two", "text/two.xhtml", XHTML, ""),
    ]
}

fn book(items: &[(&str, &str, &str, &str)], others: &[(&str, &str)]) -> Vec<u8> {
    let package = package(items, &["one", "two"]);
    let mut entries = vec![
        ("mimetype", "application/epub+zip"),
        CONTAINER,
        ("OEBPS/book.opf", package.as_str()),
        ONE,
        TWO,
    ];
    entries.extend_from_slice(others);
    zip(&entries)
}

const TEXT: &str = "Moby & Dick — Herman Melville\n\n# Loomings\nCall me Ishmael.\nSome years ago\n\n\
                    I stuffed a shirt\n\n## Bag\nor two\n";

#[test]
fn the_contents_of_the_third_version_lead_to_lines() {
    let nav = "<html><body><nav epub:type='landmarks'><ol><li><a href='text/two.xhtml'>no</a></li></ol></nav>\
               <nav epub:type=\"toc\"><ol><li><a href='text/one%20page.xhtml'>1. <i>Loomings</i></a><ol>\
               <li><a href='text/one%20page.xhtml#ago'>Ago</a></li></ol></li>\
               <li><a href='./text/../text/two.xhtml#gone'>Two</a><ol><li><a href='text/two.xhtml#b'>Bag</a></li></ol></li>\
               <li><a href='nowhere.xhtml'>no</a></li></ol></nav></body></html>";
    let mut items = pages();
    items.push(("nav", "nav.xhtml", XHTML, "properties='scripted nav'"));
    let got = run(Format::Epub, &book(&items, &[("OEBPS/nav.xhtml", nav)])).unwrap();
    assert_eq!(got.text, TEXT);
    assert_eq!(
        map(&got),
        [
            "Chapter 1 1. Loomings @3",
            "Chapter 2 Ago @5",
            "Chapter 1 Two @7",
            "Chapter 2 Bag @9"
        ]
    );
}

#[test]
fn the_contents_of_the_second_version_too() {
    let ncx = "<ncx><docTitle><text>no</text></docTitle><navMap><navPoint><navLabel><text>One &amp; only</text></navLabel>\
               <content src='text/one page.xhtml'/><navPoint><navLabel><text>Bag</text></navLabel>\
               <content src='text/two.xhtml#b'/></navPoint></navPoint></navMap></ncx>";
    let mut items = pages();
    items.push(("ncx", "toc.ncx", "application/x-dtbncx+xml", ""));
    let got = run(Format::Epub, &book(&items, &[("OEBPS/toc.ncx", ncx)])).unwrap();
    assert_eq!(map(&got), ["Chapter 1 One & only @3", "Chapter 2 Bag @9"]);
}

#[test]
fn without_contents_headings_are_the_map() {
    let got = run(Format::Epub, &book(&pages(), &[])).unwrap();
    assert_eq!(got.text, TEXT);
    assert_eq!(map(&got), ["Heading 1 Loomings @3", "Heading 2 Bag @9"]);
}

#[test]
fn protected_books_are_refused_but_garbled_fonts_are_nothing() {
    let encryption = |algorithm: &str, path: &str| {
        format!(
            "<encryption><enc:EncryptedData><enc:EncryptionMethod Algorithm='{algorithm}'/><enc:CipherData>\
             <enc:CipherReference URI='{path}'/></enc:CipherData></enc:EncryptedData></encryption>"
        )
    };
    let aes = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
    let xml = encryption(aes, "OEBPS/text/two.xhtml");
    let protected = book(&pages(), &[("META-INF/encryption.xml", &xml)]);
    assert_eq!(
        refusal(Format::Epub, &protected),
        "protected by DRM: its pages are encrypted"
    );
    for (algorithm, path) in [(FONT_OBFUSCATION[0], "OEBPS/text/two.xhtml"), (aes, "OEBPS/font.otf")] {
        let xml = encryption(algorithm, path);
        assert!(run(Format::Epub, &book(&pages(), &[("META-INF/encryption.xml", &xml)])).is_ok());
    }
}

#[test]
fn incomplete_books_are_read_as_far_as_they_are_there() {
    let package = package(&pages(), &["one", "two", "gone", "one"]);
    let opf = ("OEBPS/book.opf", package.as_str());
    let got = run(Format::Epub, &zip(&[opf, TWO])).unwrap();
    assert!(got.text.ends_with("or two\n"));
    assert_eq!(got.notes[1], "1 of its 2 pages are missing");

    assert_eq!(
        refusal(Format::Epub, &zip(&[CONTAINER, opf])),
        "not a complete EPUB: its pages are missing"
    );
    let missing = "not a complete EPUB: its package document is missing";
    assert_eq!(refusal(Format::Epub, &zip(&[CONTAINER, ONE])), missing);
    assert!(refusal(Format::Epub, &zip(&[("a.opf", "<package/>")])).ends_with("lists no pages"));
    let whole = book(&pages(), &[]);
    assert!(refusal(Format::Epub, &whole[..whole.len() - 100]).starts_with("a damaged archive"));
}

#[test]
fn bombs_do_not_go_off() {
    let package = package(&pages(), &["one", "two"]);
    let bomb = zip_bomb(&[CONTAINER, ("OEBPS/book.opf", &package)], TWO.0, 1024);
    assert!(refusal(Format::Epub, &bomb).contains("zip bomb"));
}

#[test]
fn links_are_resolved_within_the_archive() {
    assert_eq!(resolved("OEBPS/a/b.opf", "../c%20d.xhtml"), "OEBPS/c d.xhtml");
    assert_eq!(resolved("b.opf", "../../x"), "x");
    assert_eq!(resolved("a/b.opf", "/x/%zz%4"), "x/%zz%4");
    assert_eq!(
        target("a/nav.xhtml", "#top"),
        ("a/nav.xhtml".into(), Some("top".into()))
    );
}
