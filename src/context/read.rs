//! One file as text, or the reason why not.
//!
//! Whatever lies on a disk may turn up here. Only regular files are opened (a pipe would block for ever), sizes are
//! checked before anything is read; what is neither plain text nor a document whose format is known is refused.

use std::fs::File;
use std::io::{self, Read};

use super::cache::Cache;
use super::discover::Source;
use super::encoding::{BINARY_PROBE, Binary, Decoded, decode, is_binary};
use super::formats::{self, Extracted, Format, Limits, Refused};
use super::pack::Section;
use super::{Exclusion, rules, secrets};
use crate::compute::Interrupt;

/// The largest file that is taken without having been named.
const WALKED_LIMIT: u64 = 64 << 20;
/// The largest file that is taken at all: far more than any context holds.
const NAMED_LIMIT: u64 = 256 << 20;

/// Changes whenever the same document would be read otherwise.
const EXTRACTION: &[u8] = b"text of a document, 1";

/// A file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a text's text is its characters")]
pub(super) struct Text {
    pub text: String,
    /// What of the file stands otherwise in the text.
    pub note: Option<String>,
    /// Of documents that have any.
    pub sections: Vec<Section>,
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub kind: Exclusion,
    pub reason: String,
}

impl Refusal {
    fn new(kind: Exclusion, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "fit for map_err")]
    fn unreadable(error: io::Error) -> Self {
        Self::new(Exclusion::Unreadable, format!("cannot be read: {error}"))
    }
}

/// Reads a source. One that was not asked for by name is left out if its text is not what people mean.
pub(super) fn read(source: &Source, cache: Option<&Cache>, interrupt: &Interrupt) -> Result<Text, Refusal> {
    let Some(path) = &source.path else {
        let (format, bytes) = contents(io::stdin().lock(), "", true, None)?;
        return text(format, bytes, cache, interrupt);
    };
    regular(&path.metadata().map_err(Refusal::unreadable)?)?;
    let file = File::open(path).map_err(Refusal::unreadable)?;
    let metadata = file.metadata().map_err(Refusal::unreadable)?;
    regular(&metadata)?;
    let (format, bytes) = contents(file, &path.to_string_lossy(), source.explicit, Some(metadata.len()))?;
    if source.explicit {
        return text(format, bytes, cache, interrupt);
    }
    if format.is_none() && rules::is_large_data(path, metadata.len()) {
        let reason = format!("data larger than {} MiB", rules::DATA_LIMIT >> 20);
        return Err(Refusal::new(Exclusion::Large, reason));
    }
    let text = text(format, bytes, cache, interrupt)?;
    if let Some((kind, reason)) = rules::text(path, &text.text) {
        return Err(Refusal::new(kind, reason));
    }
    match secrets::text(&text.text) {
        Some(what) => Err(Refusal::new(Exclusion::Secret, format!("{what} stands in it"))),
        None => Ok(text),
    }
}

fn regular(metadata: &std::fs::Metadata) -> Result<(), Refusal> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(Refusal::new(
            Exclusion::NotAFile,
            "not a regular file; pipe it to standard input and name it -",
        ))
    }
}

fn too_large(limit: u64) -> Refusal {
    Refusal::new(Exclusion::TooLarge, format!("larger than {} MiB", limit >> 20))
}

/// Reads what is, by its first bytes, text or a document of a known format and not too large. `size` is what it is said
/// to be, in bytes.
fn contents(
    mut from: impl Read,
    name: &str,
    explicit: bool,
    size: Option<u64>,
) -> Result<(Option<Format>, Vec<u8>), Refusal> {
    if size.is_some_and(|size| size > NAMED_LIMIT) {
        return Err(too_large(NAMED_LIMIT));
    }
    let mut bytes = Vec::new();
    from.by_ref()
        .take(BINARY_PROBE as u64)
        .read_to_end(&mut bytes)
        .map_err(Refusal::unreadable)?;
    let format = formats::recognise(name, &bytes);
    if format.is_none() && is_binary(&bytes) {
        return Err(Refusal::new(Exclusion::Binary, "binary"));
    }
    let limit = if explicit { NAMED_LIMIT } else { WALKED_LIMIT };
    if size.is_some_and(|size| size > limit) {
        return Err(too_large(limit));
    }
    from.take(limit + 1 - bytes.len() as u64)
        .read_to_end(&mut bytes)
        .map_err(Refusal::unreadable)?;
    if bytes.len() as u64 > limit {
        Err(too_large(limit))
    } else {
        Ok((format, bytes))
    }
}

/// The text of a document of a known format, from the cache if it was read before.
fn extract(format: Format, bytes: &[u8], cache: Option<&Cache>, interrupt: &Interrupt) -> Result<Extracted, Refused> {
    let Some(cache) = cache else {
        return formats::extract(format, bytes, &Limits::default(), interrupt);
    };
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(EXTRACTION)
        .update(format!("{format:?}").as_bytes())
        .update(bytes);
    let key = *hasher.finalize().as_bytes();
    if let Some(extracted) = cache.get(&key).and_then(|kept| serde_json::from_slice(&kept).ok()) {
        return Ok(extracted);
    }
    let extracted = formats::extract(format, bytes, &Limits::default(), interrupt)?;
    if let Ok(kept) = serde_json::to_vec(&extracted) {
        cache.put(key, kept.into());
    }
    Ok(extracted)
}

/// The text of a document of a known format, or of plain text.
fn text(format: Option<Format>, bytes: Vec<u8>, cache: Option<&Cache>, interrupt: &Interrupt) -> Result<Text, Refusal> {
    let mut notes = Vec::new();
    if let Some(format) = format {
        match extract(format, &bytes, cache, interrupt) {
            Ok(Extracted { text, sections, notes }) => {
                return Ok(Text {
                    text,
                    note: Some(notes.join("; ")),
                    sections,
                });
            }
            // It is text all the same, such as one with the marks of a conflict.
            Err(Refused::Because(reason)) if format == Format::Notebook => {
                notes.push(format!("{reason}; read as it stands"));
            }
            Err(Refused::Because(reason)) => return Err(Refusal::new(Exclusion::Unreadable, reason)),
            // Whoever raised the interrupt does not look at reasons.
            Err(Refused::Interrupted) => return Err(Refusal::new(Exclusion::Unreadable, "cancelled")),
        }
    }
    let Decoded { text, note } = decode(bytes).map_err(|Binary| Refusal::new(Exclusion::Binary, "binary"))?;
    notes.extend(note);
    Ok(Text {
        text,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        sections: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn read(&self, name: &str, bytes: &[u8], explicit: bool) -> Result<Text, Refusal> {
            let path = self.0.path().join(name);
            fs::write(&path, bytes).unwrap();
            let source = Source {
                name: name.into(),
                path: Some(path),
                explicit,
            };
            read(&source, None, &Interrupt::new())
        }
    }

    fn text(text: &str) -> Text {
        Text {
            text: text.into(),
            note: None,
            sections: Vec::new(),
        }
    }

    #[test]
    fn text_is_taken_as_it_stands() {
        let folder = Folder::new();
        assert_eq!(
            folder.read("a", "é\r\n\tx".as_bytes(), false).unwrap(),
            text("é\r\n\tx")
        );
        assert_eq!(folder.read("a", b"", false).unwrap(), text(""));
        assert_eq!(
            folder.read("a", "\u{feff}x\u{feff}".as_bytes(), false).unwrap(),
            text("x\u{feff}")
        );
        assert_eq!(folder.read("a", b"\xff\xfea\0\xe9\0", false).unwrap(), text("aé"));
        assert_eq!(folder.read("a", b"\xfe\xff\0a\0\xe9", false).unwrap(), text("aé"));
    }

    #[test]
    fn faults_are_replaced_and_said() {
        let got = Folder::new()
            .read("a", b"\xc3\xa9\xc3\xa9\xc3\xa9\xffb\xe4\xbdc", false)
            .unwrap();
        assert_eq!(got.text, "ééé\u{fffd}b\u{fffd}c");
        assert!(got.note.unwrap().contains("not UTF-8: 2 invalid places"));
    }

    #[test]
    fn binary_files_are_skipped() {
        let folder = Folder::new();
        assert_eq!(
            folder.read("a", b"ELF\0", true),
            Err(Refusal::new(Exclusion::Binary, "binary"))
        );
        let late = [vec![b'x'; BINARY_PROBE], vec![0]].concat();
        assert!(folder.read("a", &late, false).is_ok());
    }

    #[test]
    fn what_people_do_not_mean_is_left_out_unless_named() {
        let folder = Folder::new();
        let long = vec![b'x'; 20_000];
        let large = vec![b'\n'; (rules::DATA_LIMIT + 1) as usize];
        let key = format!("key = \"{}{}\"\n", "ghp_", "a1B2".repeat(9));
        for (name, bytes, kind) in [
            ("bundle.js", long.as_slice(), Exclusion::Minified),
            ("big.json", &large, Exclusion::Large),
            ("a.rs", b"// @generated by hand\n", Exclusion::Generated),
            ("config.py", key.as_bytes(), Exclusion::Secret),
        ] {
            assert_eq!(folder.read(name, bytes, false).unwrap_err().kind, kind, "{name}");
            assert!(folder.read(name, bytes, true).is_ok(), "{name}");
        }
        assert!(folder.read("prose.txt", &long, false).is_ok());
        assert!(folder.read("book.txt", &large, false).is_ok());
    }

    #[test]
    fn documents_are_read_by_their_format_and_may_be_larger() {
        let folder = Folder::new();
        let page = format!("<h1>Loomings</h1><p>Call me Ishmael.{}", " ".repeat(2 << 20));
        let got = folder.read("moby.html", page.as_bytes(), false).unwrap();
        assert_eq!(got.text, "# Loomings\nCall me Ishmael.\n");
        assert_eq!(got.sections.len(), 1);
        assert!(got.note.unwrap().contains("HTML"));

        let got = folder.read("a.ipynb", b"<<<<<<< HEAD\n{}\n", false).unwrap();
        assert_eq!(got.text, "<<<<<<< HEAD\n{}\n");
        assert!(got.note.unwrap().contains("read as it stands"));

        let refused = folder.read("a.epub", b"PK\x03\x04\0", true).unwrap_err();
        assert_eq!(refused.kind, Exclusion::Unreadable);
    }

    #[cfg(unix)]
    #[test]
    fn the_reason_of_an_unreadable_file_is_the_systems() {
        let folder = Folder::new();
        let source = |path: &Path| Source {
            name: "x".into(),
            path: Some(path.to_owned()),
            explicit: true,
        };
        let gone = read(&source(&folder.0.path().join("gone")), None, &Interrupt::new())
            .unwrap_err()
            .reason;
        assert!(gone.starts_with("cannot be read: No such file"), "{gone}");
        for special in [folder.0.path(), Path::new("/dev/zero")] {
            assert!(
                read(&source(special), None, &Interrupt::new())
                    .unwrap_err()
                    .reason
                    .starts_with("not a regular file")
            );
        }
    }
}
