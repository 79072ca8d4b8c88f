//! Books and other documents through the binary, PDF above all: its reader is a process of its own.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::Value;

/// An object of a PDF: a dictionary, or a dictionary and a stream.
enum Object {
    Plain(String),
    Stream(&'static str, Vec<u8>),
}

use Object::{Plain, Stream};

/// A PDF of these objects, numbered from 1; the first is the catalogue.
fn pdf(objects: &[Object]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in (1..).zip(objects) {
        writeln!(table, "{:010} 00000 n ", bytes.len()).unwrap();
        writeln!(bytes, "{number} 0 obj").unwrap();
        match object {
            Plain(dictionary) => bytes.extend_from_slice(dictionary.as_bytes()),
            Stream(entries, data) => {
                write!(bytes, "<< {entries} /Length {} >>\nstream\n", data.len()).unwrap();
                bytes.extend_from_slice(data);
                bytes.extend_from_slice(b"\nendstream");
            }
        }
        bytes.extend_from_slice(b"\nendobj\n");
    }
    let start = bytes.len();
    let size = objects.len() + 1;
    write!(
        bytes,
        "{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    )
    .unwrap();
    bytes
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

const CATALOGUE: &str = "<< /Type /Catalog /Pages 2 0 R >>";
const FONT: &str = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";

fn page(content: usize) -> Object {
    Plain(format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {content} 0 R \
         /Resources << /Font << /F1 3 0 R >> >> >>"
    ))
}

fn three_pages() -> Vec<u8> {
    pdf(&[
        Plain(CATALOGUE.into()),
        Plain("<< /Type /Pages /Count 3 /Kids [4 0 R 6 0 R 8 0 R] >>".into()),
        Plain(FONT.into()),
        page(5),
        Stream(
            "",
            b"BT /F1 12 Tf 72 700 Td (Call me) Tj 60 0 Td (Ishmael.) Tj -60 -14 Td (Some years ago) Tj ET".into(),
        ),
        page(7),
        Stream(
            "/Filter /FlateDecode",
            zlib(b"BT /F1 12 Tf 72 700 Td (never mind) Tj 0 -40 Td (how long) Tj ET"),
        ),
        page(9),
        Stream("", Vec::new()),
    ])
}

fn thunderhead(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .env("THUNDERHEAD_SESSIONS_KEEP", "false")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without having read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What the program says of one file beside a text: its lines, or why it is left out. It must not take long.
fn packed(name: &str, bytes: &[u8]) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    fs::write(folder.path().join("z.txt"), "beside\n").unwrap();
    let start = Instant::now();
    let output = thunderhead(&["pack", "--json", folder.path().to_str().unwrap()], b"");
    assert!(
        start.elapsed() < Duration::from_secs(40),
        "{name}: {:?}",
        start.elapsed()
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ends = |entry: &&Value| entry["path"].as_str().is_some_and(|path| path.ends_with(name));
    let documents = report["documents"].as_array().unwrap();
    assert!(documents.iter().any(|d| d["path"].as_str().unwrap().ends_with("z.txt")));
    if let Some(document) = documents.iter().find(ends) {
        return Ok(document.clone());
    }
    let skipped = report["skipped"].as_array().unwrap().iter().find(ends).unwrap();
    Err(skipped["reason"].as_str().unwrap().to_owned())
}

/// The lines that a model reads of one file.
fn lines(path: &Path) -> Vec<String> {
    let out = path.with_extension("packed");
    let arguments = ["pack", "--out", out.to_str().unwrap(), path.to_str().unwrap()];
    let output = thunderhead(&arguments, b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packed = fs::read_to_string(out).unwrap();
    let line = |line: &str| line.split("<ln>").next().unwrap().to_owned();
    packed.lines().skip(1).map(line).collect()
}

#[test]
fn a_pdf_is_read_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("moby.pdf");
    fs::write(&path, three_pages()).unwrap();
    assert_eq!(
        lines(&path),
        ["Call me Ishmael.", "Some years ago", "", "never mind", "", "how long"]
    );
}

#[test]
fn a_pdf_that_is_encrypted_without_a_password_is_read() {
    use pdf_extract::{Document, EncryptionState, EncryptionVersion, Object, Permissions, StringFormat};
    let mut document = Document::load_mem(&three_pages()).unwrap();
    let id = Object::String(vec![7; 16], StringFormat::Hexadecimal);
    document.trailer.set("ID", Object::Array(vec![id.clone(), id]));
    for (password, expected) in [("", Ok(6)), ("secret", Err("encrypted with a password".to_owned()))] {
        let mut document = document.clone();
        let version = EncryptionVersion::V2 {
            document: &document,
            owner_password: "owner",
            user_password: password,
            key_length: 128,
            permissions: Permissions::all(),
        };
        let state = EncryptionState::try_from(version).unwrap();
        document.encrypt(&state).unwrap();
        let mut bytes = Vec::new();
        document.save_to(&mut bytes).unwrap();
        let lines = packed("a.pdf", &bytes).map(|got| got["lines"].as_u64().unwrap());
        assert_eq!(lines, expected);
    }
}

#[test]
fn a_pdf_may_come_by_standard_input() {
    let output = thunderhead(&["pack", "--json", "-"], &three_pages());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["documents"][0]["lines"], 6);
}

#[test]
fn pdfs_that_cannot_be_read_are_reasons() {
    let whole = three_pages();
    let pages = |kids: &str| Plain(format!("<< /Type /Pages /Count 9 /Kids [{kids}] >>"));
    let scanned = pdf(&[
        Plain(CATALOGUE.into()),
        pages("4 0 R"),
        Plain(FONT.into()),
        page(5),
        Stream("", b"q 600 0 0 800 0 0 cm Q".into()),
    ]);
    assert_eq!(
        packed("scanned.pdf", &scanned).unwrap_err(),
        "no text in it (scanned pages?)"
    );

    let key = "5a".repeat(32);
    let lock = format!("<< /Filter /Standard /V 1 /R 2 /P -44 /O <{key}> /U <{key}> >>");
    let mut encrypted = pdf(&[
        Plain(CATALOGUE.into()),
        pages("3 0 R"),
        page(4),
        Stream("", b"x".into()),
        Plain(lock),
    ]);
    let root = encrypted.windows(12).position(|w| w == b"/Root 1 0 R ").unwrap();
    encrypted.splice(root..root, *b"/Encrypt 5 0 R /ID [<00> <00>] ");
    assert_eq!(
        packed("encrypted.pdf", &encrypted).unwrap_err(),
        "encrypted with a password"
    );

    let circle = pdf(&[Plain(CATALOGUE.into()), pages("2 0 R 2 0 R")]);
    let itself = pdf(&[
        Plain(CATALOGUE.into()),
        pages("4 0 R"),
        Plain(FONT.into()),
        page(5),
        Stream("/Filter 5 0 R /Length 5 0 R", b"x".into()),
    ]);
    let nonsense = pdf(&[
        Plain(CATALOGUE.into()),
        pages("4 0 R"),
        Plain(FONT.into()),
        Stream("/Type /ObjStm /N 99999999 /First 99999999", b"1 0 2 5 nonsense".into()),
    ]);
    let deep = pdf(&[Plain(format!("{}{}", "[".repeat(200_000), "<<".repeat(200_000)))]);
    let mut noise = b"%PDF-1.7\n".to_vec();
    noise.extend((0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    for (name, bytes) in [
        ("half.pdf", &whole[..whole.len() / 2]),
        ("head.pdf", &whole[..20]),
        ("circle.pdf", &circle),
        ("itself.pdf", &itself),
        ("nonsense.pdf", &nonsense),
        ("deep.pdf", &deep),
        ("noise.pdf", &noise),
    ] {
        if let Err(reason) = packed(name, bytes) {
            assert!(reason.contains("PDF") || reason.contains("no text"), "{name}: {reason}");
        }
    }
}

#[test]
fn a_page_that_cannot_be_read_does_not_take_the_others_with_it() {
    let mut bytes = three_pages();
    // The first page's font: what the reader expects to be a name is none, and it panics.
    let at = bytes.windows(5).position(|w| w == b"Type1").unwrap();
    bytes[at..at + 5].copy_from_slice(b"Type0");
    assert!(packed("font.pdf", &bytes).is_err());

    let broken = pdf(&[
        Plain(CATALOGUE.into()),
        Plain("<< /Type /Pages /Count 3 /Kids [4 0 R 6 0 R 8 0 R] >>".into()),
        Plain(FONT.into()),
        page(5),
        Stream("", b"BT /F1 12 Tf 72 700 Td (one) Tj ET".into()),
        page(7),
        Stream("", b"BT /None 12 Tf 72 700 Td (two) Tj ET".into()),
        page(9),
        Stream("", b"BT /F1 12 Tf 72 700 Td (three) Tj ET".into()),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pdf");
    fs::write(&path, broken).unwrap();
    assert_eq!(lines(&path), ["one", "", "three"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_pdf_that_swells_is_stopped_by_the_limit_of_its_memory() {
    let bomb = zlib(&zlib(&vec![b' '; 600 << 20]));
    let swelling = pdf(&[
        Plain(CATALOGUE.into()),
        Plain("<< /Type /Pages /Count 1 /Kids [4 0 R] >>".into()),
        Plain(FONT.into()),
        page(5),
        Stream("/Filter [/FlateDecode /FlateDecode]", bomb),
    ]);
    let memory = (300u32 << 20).to_string();
    let output = thunderhead(&["extract-pdf", "word", "60", &memory], &swelling);
    assert!(!output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("word end"));
}

#[test]
fn the_worker_is_not_for_people() {
    for arguments in [&["--help"][..], &["completions", "bash"]] {
        let output = thunderhead(arguments, b"");
        assert!(output.status.success());
        assert!(!String::from_utf8_lossy(&output.stdout).contains("extract-pdf"));
    }
}

#[test]
fn pages_and_notebooks_are_text() {
    let page = packed("a.html", b"<h1>A</h1><p>b").unwrap();
    assert_eq!(page["lines"], 2);
    let notebook = packed("a.ipynb", br#"{"cells": [{"cell_type": "code", "source": "x = 1"}]}"#).unwrap();
    assert_eq!(notebook["lines"], 2);
    assert!(
        packed("a.epub", b"PK\x03\x04\0\0\0\0")
            .unwrap_err()
            .contains("damaged archive")
    );
}
