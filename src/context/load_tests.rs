use std::fs;
use std::path::Path;
use std::sync::Mutex;

use super::*;

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
    let paths: Vec<PathBuf> = paths.iter().map(|p| dir.join(p)).collect();
    let seen = Mutex::new(Vec::new());
    let pack = load(&paths, &tokenizer, &layout, limit, interrupt, &|p| {
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
    assert_eq!(skipped[..2], [(".env", "hidden"), ("c.bin", "binary")]);
    assert!(skipped[2].1.contains("not UTF-8"), "{skipped:?}");
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
    let order: Vec<usize> = ["large: ", "middle: ", "small: "]
        .map(|name| error.find(name).unwrap())
        .to_vec();
    assert!(order.is_sorted(), "{error}");
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
        error.files_read < 500 && error.tokens > 10 && error.largest.len() <= 5,
        "{error:?}"
    );
}
