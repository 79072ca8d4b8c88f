use std::fs;
use std::path::Path;
use std::sync::Mutex;

use super::super::{RunningLines, Template};
use super::*;
use proptest::prelude::*;

fn load_from(dir: &Path, paths: &[&str], interrupt: &Interrupt) -> Result<(Pack, Vec<Progress>), ContextError> {
    load_within(usize::MAX, dir, paths, interrupt)
}

fn load_within(
    limit: usize,
    dir: &Path,
    paths: &[&str],
    interrupt: &Interrupt,
) -> Result<(Pack, Vec<Progress>), ContextError> {
    let tokenizer = Tokenizer::for_tests(&["<pad>", "<file>", "<ln>"]);
    let layout = Layout::RunningLines(RunningLines { file: 1, line: 2 });
    let selection = Selection::of(paths.iter().map(|p| dir.join(p)).collect());
    let seen = Mutex::new(Vec::new());
    let loader = Loader {
        tokenizer: &tokenizer,
        layout: &layout,
        limit,
        cache: None,
    };
    let pack = loader.load(&selection, interrupt, &|p| {
        seen.lock().unwrap().push(p);
    })?;
    Ok((pack, seen.into_inner().unwrap()))
}

#[test]
fn a_folder_becomes_a_pack_and_nothing_is_lost_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("b.txt"), "two\r\nthree").unwrap();
    fs::write(dir.path().join("a.txt"), "one\n").unwrap();
    fs::write(dir.path().join("c.bin"), b"\0\0").unwrap();
    fs::write(dir.path().join("d.txt"), b"caf\xe9").unwrap();
    fs::write(dir.path().join(".env"), "secret").unwrap();
    let (pack, progress) = load_from(dir.path(), &[""], &Interrupt::new()).unwrap();
    let names: Vec<&str> = pack
        .documents
        .iter()
        .map(|d| d.path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["a.txt", "b.txt", "d.txt"]);
    let skipped: Vec<(&str, &str)> = pack
        .skipped
        .iter()
        .map(|s| (s.path.rsplit('/').next().unwrap(), s.reason.as_str()))
        .collect();
    assert_eq!(skipped, [(".env", "it may hold a secret"), ("c.bin", "binary")]);
    let [note] = pack.notes.as_slice() else {
        panic!("{:?}", pack.notes)
    };
    assert!(
        note.path.ends_with("d.txt") && note.note == "read as windows-1252",
        "{note:?}"
    );
    assert_eq!(pack.lines(), 4);
    let last = progress.iter().max_by_key(|p| p.tokens).unwrap();
    assert_eq!((last.files, last.total_files, last.tokens), (4, 4, pack.tokens.len()));
    let again = load_from(dir.path(), &[""], &Interrupt::new()).unwrap().0;
    assert_eq!(again.tokens, pack.tokens);
}

#[test]
fn an_error_says_what_was_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let empty = load_from(dir.path(), &[""], &Interrupt::new()).unwrap_err().to_string();
    assert!(empty.starts_with("nothing to read: no file was found"), "{empty}");
    for i in 0..12 {
        fs::write(dir.path().join(format!("{i:02}.bin")), b"\0").unwrap();
    }
    let error = load_from(dir.path(), &[""], &Interrupt::new()).unwrap_err().to_string();
    assert!(
        error.contains("00.bin: binary") && error.ends_with("and 2 more"),
        "{error}"
    );
    let missing = load_from(dir.path(), &["nope"], &Interrupt::new())
        .unwrap_err()
        .to_string();
    assert!(missing.ends_with("nope: there is no such file or folder"), "{missing}");
}

#[test]
fn no_paths_are_an_empty_pack() {
    let (pack, _) = load_from(Path::new(""), &[], &Interrupt::new()).unwrap();
    assert!(pack.tokens.is_empty() && pack.documents.is_empty());
}

#[test]
fn an_interrupt_ends_loading() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "x").unwrap();
    let interrupt = Interrupt::new();
    interrupt.raise();
    let error = load_from(dir.path(), &["a"], &interrupt).unwrap_err();
    assert!(matches!(error, ContextError::Interrupted(_)));
}

#[test]
fn documents_that_do_not_fit_are_refused_with_the_numbers() {
    let dir = tempfile::tempdir().unwrap();
    for (name, lines) in [("small", 1), ("large", 30), ("middle", 20)] {
        fs::write(dir.path().join(name), "word\n".repeat(lines)).unwrap();
    }
    let tokens = load_from(dir.path(), &[""], &Interrupt::new()).unwrap().0.tokens.len();
    assert!(load_within(tokens + 1, dir.path(), &[""], &Interrupt::new()).is_ok());
    let error = load_within(tokens, dir.path(), &[""], &Interrupt::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!(
            "the documents take {tokens} tokens, and the context has {tokens}"
        )),
        "{error}"
    );
    assert!(
        error.contains("Without this they would fit:") && error.contains("/large"),
        "{error}"
    );
}

#[test]
fn reading_does_not_go_on_for_ever_when_nothing_can_fit() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..500 {
        fs::write(dir.path().join(format!("{i}")), "word\n".repeat(50)).unwrap();
    }
    let error = load_within(10, dir.path(), &[""], &Interrupt::new()).unwrap_err();
    let ContextError::TooLarge(error) = error else {
        panic!("{error}")
    };
    assert!(
        error.files_read < 500 && error.tokens > 10 && !error.to_drop().0.is_empty(),
        "{error:?}"
    );
}

/// The pack's paths and what was skipped, without the folder's name, and the notes.
fn account(dir: &Path, pack: &Pack) -> (Vec<String>, Vec<String>, Vec<String>) {
    let prefix = format!("{}/", dir.display());
    let short = |path: &str| path.strip_prefix(&prefix).unwrap_or(path).to_owned();
    (
        pack.documents.iter().map(|d| short(&d.path)).collect(),
        pack.skipped
            .iter()
            .map(|s| format!("{}: {}", short(&s.path), s.reason))
            .collect(),
        pack.notes
            .iter()
            .map(|n| format!("{}: {}", short(&n.path), n.note))
            .collect(),
    )
}

#[cfg(unix)]
#[test]
fn whatever_lies_in_a_folder_is_accounted_for() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("sub/deep")).unwrap();
    symlink("..", at("sub/deep/loop")).unwrap();
    symlink("gone", at("dangling")).unwrap();
    symlink("self", at("self")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status();
    fs::write(at("locked"), "secret\n").unwrap();
    fs::set_permissions(at("locked"), fs::Permissions::from_mode(0o0)).unwrap();
    let locked = fs::read(at("locked")).is_err();
    fs::write(at("new\nline\x1b[31m.txt"), "x\n").unwrap();
    fs::write(dir.path().join(OsStr::from_bytes(b"bad\xff.txt")), "x\n").unwrap();
    fs::write(at("utf16.txt"), b"\xff\xfeo\0n\0e\0\n\0t\0").unwrap();
    fs::write(at("latin.txt"), b"caf\xe9 \xfc\n").unwrap();
    fs::write(at("late.txt"), [vec![b'x'; 10_000], vec![0, b'\n']].concat()).unwrap();
    fs::write(at("early.txt"), b"x\0").unwrap();

    let (pack, progress) = load_from(dir.path(), &[""], &Interrupt::new()).unwrap();
    let (mut paths, mut skipped, notes) = account(dir.path(), &pack);
    let mut expected = vec![
        "bad\u{fffd}.txt",
        "late.txt",
        "latin.txt",
        "new␊line␛[31m.txt",
        "utf16.txt",
    ];
    let mut left_out = vec![
        "dangling: a symbolic link to nothing",
        "early.txt: binary",
        "self: a symbolic link to nothing",
        "socket: not a regular file",
        "sub/deep/loop: a symbolic link to what is loaded by its own name",
    ];
    if pipe.is_ok_and(|status| status.success()) {
        left_out.push("pipe: not a regular file");
    }
    if locked {
        left_out.push("locked: cannot be read: Permission denied (os error 13)");
    } else {
        expected.push("locked");
    }
    for list in [&mut expected, &mut left_out] {
        list.sort_unstable();
    }
    paths.sort();
    skipped.sort();
    assert_eq!(paths, expected);
    assert_eq!(skipped, left_out);
    assert_eq!(notes, ["latin.txt: read as windows-1252"]);
    assert_eq!(
        pack.document(&format!("{}/utf16.txt", dir.path().display()))
            .unwrap()
            .text,
        "one\nt"
    );
    let last = progress.iter().max_by_key(|p| p.tokens).unwrap();
    assert_eq!((last.files, last.tokens), (last.total_files, pack.tokens.len()));

    let named = load_from(dir.path(), &["socket"], &Interrupt::new())
        .unwrap_err()
        .to_string();
    assert!(named.contains("socket: not a regular file"), "{named}");
    assert!(load_from(dir.path(), &["self"], &Interrupt::new()).is_err());
}

#[test]
fn files_that_change_or_vanish_while_they_are_loaded() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["changed", "gone", "kept"] {
        fs::write(dir.path().join(name), "one\n").unwrap();
    }
    let tokenizer = Tokenizer::for_tests(&["<pad>", "<file>", "<ln>"]);
    let change = |progress: Progress| {
        if (progress.files, progress.tokens) == (0, 0) {
            let _ = fs::remove_file(dir.path().join("gone"));
            let _ = fs::write(dir.path().join("changed"), "one\ntwo\n");
        }
    };
    let loader = Loader {
        tokenizer: &tokenizer,
        layout: &Layout::Documents(Template::default()),
        limit: usize::MAX,
        cache: None,
    };
    let selection = Selection::of(vec![dir.path().to_owned()]);
    let pack = loader.load(&selection, &Interrupt::new(), &change).unwrap();
    let (paths, skipped, _) = account(dir.path(), &pack);
    assert_eq!(paths, ["changed", "kept"]);
    assert_eq!(pack.documents[0].text, "one\ntwo\n");
    assert!(
        skipped.len() == 1 && skipped[0].starts_with("gone: cannot be read"),
        "{skipped:?}"
    );
}

#[test]
fn sections_of_a_document_come_with_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.html"), "<p>before<h1>Loomings</h1><p>Call me").unwrap();
    fs::write(dir.path().join("b.txt"), "# not a heading\n").unwrap();
    let (pack, _) = load_from(dir.path(), &[""], &Interrupt::new()).unwrap();
    let [page, plain] = pack.documents.as_slice() else {
        panic!("{:?}", pack.documents)
    };
    let [section] = page.sections.as_slice() else {
        panic!("{:?}", page.sections)
    };
    assert_eq!(section.title, "Loomings");
    assert_eq!(page.line(section.line), Some("# Loomings"));
    assert!(plain.sections.is_empty());
    assert!(pack.notes[0].note.contains("HTML"));
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = fs::File::create(dir.path().join("sparse")).unwrap();
    file.set_len(300 << 20).unwrap();
    let error = load_from(dir.path(), &["sparse"], &Interrupt::new())
        .unwrap_err()
        .to_string();
    assert!(error.contains("sparse: larger than 256 MiB"), "{error}");
    file.set_len(200 << 20).unwrap();
    let error = load_from(dir.path(), &["sparse"], &Interrupt::new())
        .unwrap_err()
        .to_string();
    assert!(error.contains("sparse: binary"), "{error}");
}

#[test]
fn many_files_and_long_lines() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..5000 {
        fs::write(dir.path().join(format!("{i:04}.txt")), format!("line {i}\n")).unwrap();
    }
    let long = "some words, 12 of them; ".repeat((10 << 20) / 24);
    fs::write(dir.path().join("long.txt"), &long).unwrap();
    let (pack, _) = load_from(dir.path(), &["", "long.txt"], &Interrupt::new()).unwrap();
    assert_eq!((pack.documents.len(), pack.lines()), (5001, 5001));
    assert_eq!(pack.line(4322).unwrap().text, "line 4321");
    assert_eq!(pack.line(5001).unwrap().text, long);
    assert!(pack.skipped.is_empty());
}

/// A tree of odd files: names with blanks and marks, texts with all line ends, legacy encodings, binaries, empty files.
fn files() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let piece = prop_oneof![
        Just("\n"),
        Just("\r\n"),
        Just("\t"),
        Just("word "),
        Just("e\u{301}"),
        Just("你好"),
        Just("<ln>7"),
        Just("</think>"),
        Just("🙂"),
    ];
    let text = prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat().into_bytes());
    let bytes = prop_oneof![
        8 => text,
        1 => Just(b"caf\xe9 cr\xe8me\n".to_vec()),
        1 => Just(b"\0\x01".to_vec()),
        1 => Just(b"<h1>One</h1><p>two<p>three".to_vec()),
    ];
    let name = "[a-c]{1,2}(/[a-c é\\[*]{1,3}){0,2}\\.(txt|rs|html|json)";
    prop::collection::vec((name, bytes), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_file_is_accounted_for_and_what_was_kept_is_what_would_be_read(files in files()) {
        let dir = tempfile::tempdir().unwrap();
        let mut written = Vec::new();
        for (name, bytes) in &files {
            let path = dir.path().join("tree").join(name);
            if fs::create_dir_all(path.parent().unwrap()).is_ok() && fs::write(&path, bytes).is_ok() {
                written.push(name.clone());
            }
        }
        prop_assume!(!written.is_empty());
        let tokenizer = Tokenizer::for_tests(&["<pad>", "<file>", "<ln>"]);
        let selection = Selection::of(vec![dir.path().join("tree")]);
        for layout in [Layout::RunningLines(RunningLines { file: 1, line: 2 }), Layout::Documents(Template::default())] {
            let load = |cache: Option<&Cache>| {
                let loader = Loader { tokenizer: &tokenizer, layout: &layout, limit: usize::MAX, cache };
                loader.load(&selection, &Interrupt::new(), &|_| ())
            };
            let Ok(fresh) = load(None) else {
                continue; // Binary files only.
            };
            let store = dir.path().join("cache");
            for _ in 0..2 {
                let kept = load(Some(&Cache::open(&store))).unwrap();
                prop_assert_eq!(&kept.tokens, &fresh.tokens);
                prop_assert_eq!(&kept.documents, &fresh.documents);
                prop_assert_eq!(&kept.skipped, &fresh.skipped);
                prop_assert_eq!(&kept.notes, &fresh.notes);
            }
            let prefix = format!("{}/", name_of(&dir.path().join("tree")));
            let mut accounted: Vec<&str> = fresh.documents.iter().map(|d| d.path.as_str())
                .chain(fresh.skipped.iter().map(|s| s.path.as_str()))
                .map(|path| path.strip_prefix(&prefix).unwrap()).collect();
            accounted.sort_unstable();
            let mut all = written.clone();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(accounted, all);
            prop_assert_eq!(fresh.documents.iter().map(|d| d.tokens.len()).sum::<usize>(), fresh.tokens.len());
        }
    }
}

fn name_of(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn what_is_in_the_context_keeps_its_place() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(dir.path().join(name), "x\n").unwrap();
    }
    let tokenizer = Tokenizer::for_tests(&["<pad>", "<file>", "<ln>"]);
    let mut selection = Selection::of(vec![dir.path().to_owned()]);
    selection.keep = ["c", "gone", "b"].map(|name| name_of(&dir.path().join(name))).to_vec();
    let loader = Loader {
        tokenizer: &tokenizer,
        layout: &Layout::Documents(Template::default()),
        limit: usize::MAX,
        cache: None,
    };
    let pack = loader.load(&selection, &Interrupt::new(), &|_| ()).unwrap();
    assert_eq!(account(dir.path(), &pack).0, ["c", "b", "a"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_read_and_one_that_never_ends() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let locked = dir.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::write(locked.join("x"), "x\n").unwrap();
    let mut deep = dir.path().to_owned();
    for _ in 0..400 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("bottom.txt"), "x\n").unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let readable = fs::read_dir(&locked).is_ok();
    let pack = load_from(dir.path(), &[""], &Interrupt::new()).unwrap().0;
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    let (paths, skipped, _) = account(dir.path(), &pack);
    assert!(paths.iter().any(|path| path.ends_with("d/bottom.txt")), "{paths:?}");
    assert!(
        readable || skipped.iter().any(|s| s.starts_with("locked: cannot be read")),
        "{skipped:?}"
    );
}
