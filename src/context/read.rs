//! One file as text, or the reason why not.
//!
//! Whatever lies on a disk may turn up here. Only regular files are opened (a pipe would block for ever), sizes are
//! checked before anything is read, and text that is not UTF-8 is taken with its faults replaced and counted.

use std::fs::File;
use std::io::{self, Read};

use super::discover::Source;
use super::{Exclusion, rules, secrets};

/// The largest file that is taken without having been named.
const WALKED_LIMIT: u64 = 64 << 20;
/// The largest file that is taken at all: far more than any context holds.
const NAMED_LIMIT: u64 = 256 << 20;
/// A NUL in so many first bytes marks a binary file, as for git.
const BINARY_PROBE: usize = 8 << 10;

/// A file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub text: String,
    /// What of the file stands otherwise in the text.
    pub note: Option<String>,
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
pub(super) fn read(source: &Source) -> Result<Text, Refusal> {
    let Some(path) = &source.path else {
        let bytes = read_up_to(io::stdin().lock(), NAMED_LIMIT)?;
        return decode(bytes);
    };
    regular(&path.metadata().map_err(Refusal::unreadable)?)?;
    let limit = if source.explicit { NAMED_LIMIT } else { WALKED_LIMIT };
    let file = File::open(path).map_err(Refusal::unreadable)?;
    let metadata = file.metadata().map_err(Refusal::unreadable)?;
    regular(&metadata)?;
    if metadata.len() > limit {
        return Err(too_large(limit));
    }
    let text = decode(read_up_to(file, limit)?)?;
    if source.explicit {
        return Ok(text);
    }
    if rules::is_large_data(path, metadata.len()) {
        let reason = format!("data larger than {} MiB", rules::DATA_LIMIT >> 20);
        return Err(Refusal::new(Exclusion::Large, reason));
    }
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

/// Reads what is text by its first bytes and not too large.
fn read_up_to(mut from: impl Read, limit: u64) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    from.by_ref()
        .take(BINARY_PROBE as u64)
        .read_to_end(&mut bytes)
        .map_err(Refusal::unreadable)?;
    if is_binary(&bytes) {
        return Err(Refusal::new(Exclusion::Binary, "binary"));
    }
    from.take(limit + 1 - bytes.len() as u64)
        .read_to_end(&mut bytes)
        .map_err(Refusal::unreadable)?;
    if bytes.len() as u64 > limit {
        Err(too_large(limit))
    } else {
        Ok(bytes)
    }
}

fn is_binary(bytes: &[u8]) -> bool {
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    !utf16 && bytes.contains(&0)
}

fn decode(bytes: Vec<u8>) -> Result<Text, Refusal> {
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => return decode_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return decode_utf16(rest, u16::from_be_bytes),
        _ => {}
    }
    let (text, note) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let faults = error
                .as_bytes()
                .utf8_chunks()
                .filter(|chunk| !chunk.invalid().is_empty())
                .count();
            let note = format!("not UTF-8: {faults} invalid places are read as U+FFFD");
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(note))
        }
    };
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    Ok(Text { text, note })
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Text, Refusal> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|&pair| unit(pair));
    if !odd.is_empty() || units.clone().take(BINARY_PROBE).any(|u| u == 0) {
        return Err(Refusal::new(Exclusion::Binary, "binary"));
    }
    let mut faults = 0usize;
    let text = char::decode_utf16(units)
        .map(|c| {
            c.unwrap_or_else(|_| {
                faults += 1;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    let note = (faults > 0).then(|| format!("not UTF-16: {faults} invalid places are read as U+FFFD"));
    Ok(Text { text, note })
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
            read(&Source {
                name: name.into(),
                path: Some(path),
                explicit,
            })
        }
    }

    fn text(text: &str) -> Text {
        Text {
            text: text.into(),
            note: None,
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
        let got = Folder::new().read("a", b"a\xffb\xe4\xbdc", false).unwrap();
        assert_eq!(got.text, "a\u{fffd}b\u{fffd}c");
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

    #[cfg(unix)]
    #[test]
    fn the_reason_of_an_unreadable_file_is_the_systems() {
        let folder = Folder::new();
        let source = |path: &Path| Source {
            name: "x".into(),
            path: Some(path.to_owned()),
            explicit: true,
        };
        let gone = read(&source(&folder.0.path().join("gone"))).unwrap_err().reason;
        assert!(gone.starts_with("cannot be read: No such file"), "{gone}");
        for special in [folder.0.path(), Path::new("/dev/zero")] {
            assert!(
                read(&source(special))
                    .unwrap_err()
                    .reason
                    .starts_with("not a regular file")
            );
        }
    }
}
