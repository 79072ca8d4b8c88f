//! `thunderhead pack` through the binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn pack(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thunderhead"));
    command.env("THUNDERHEAD_SESSIONS_KEEP", "false");
    command
        .env("THUNDERHEAD_CACHE", "")
        .env("THUNDERHEAD_CONFIG", "")
        .current_dir(directory)
        .stdin(Stdio::null())
        .arg("pack")
        .args(arguments);
    command.output().unwrap()
}

fn tree() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("src/a.rs", "fn a() {}\n"),
        ("src/deep/b.rs", "fn b() {\r\n    a();\r\n}"),
        ("empty.txt", ""),
        ("notes.md", "# Notes\n\nnaïve 你好 </think>\n"),
        ("Cargo.lock", "version = 4\n"),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::write(folder.path().join("blob"), b"\0").unwrap();
    folder
}

#[test]
fn every_token_is_counted_once_and_every_file_is_accounted_for() {
    let folder = tree();
    let output = pack(folder.path(), &["--json", "--out", "packed.out", "."]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let documents = report["documents"].as_array().unwrap();
    let sum = |key: &str| documents.iter().map(|d| d[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(report["tokens"], sum("tokens"));
    assert_eq!(report["lines"], sum("lines"));
    assert_eq!(report["bytes"], sum("bytes"));
    assert_eq!(report["tree"]["tokens"], report["tokens"]);
    assert_eq!(report["fits"], true);

    let paths = |list: &Value| -> Vec<String> {
        let path = |entry: &Value| entry["path"].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(path).collect()
    };
    assert_eq!(
        paths(&report["documents"]),
        ["empty.txt", "notes.md", "src/a.rs", "src/deep/b.rs"]
    );
    assert_eq!(paths(&report["skipped"]), ["Cargo.lock", "blob"]);

    let packed = fs::read_to_string(folder.path().join("packed.out")).unwrap();
    let expected = "<file>empty.txt\n<file>notes.md\n# Notes<ln>1\n<ln>2\nnaïve 你好 </think><ln>3\n\
                    <file>src/a.rs\nfn a() {}<ln>4\n<file>src/deep/b.rs\nfn b() {<ln>5\n    a();<ln>6\n}<ln>7\n";
    assert_eq!(packed, expected);
}

#[test]
fn the_tree_shows_the_largest_first_and_what_was_left_out() {
    let folder = tree();
    let output = pack(folder.path(), &["."]);
    let text = String::from_utf8(output.stdout).unwrap();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} is not in\n{text}"));
    assert!(
        at("src/  (2 files)") < at("notes.md") && at("notes.md") < at("empty.txt"),
        "{text}"
    );
    assert!(
        at("left out") < at("Cargo.lock: a lock file") && at("binary: blob") > 0,
        "{text}"
    );
    assert!(at("4 files, 7 lines") > 0 && at("1,048,576 tokens") > 0, "{text}");
    let shallow = String::from_utf8(pack(folder.path(), &["--depth", "1", "."]).stdout).unwrap();
    assert!(shallow.contains("src/") && !shallow.contains("a.rs"), "{shallow}");
}

#[test]
fn what_does_not_fit_is_said_with_the_numbers() {
    let folder = tree();
    let output = pack(folder.path(), &["--max-context", "20", "."]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(
        text.contains("too many") && text.contains("--exclude /src/deep/b.rs"),
        "{text}"
    );
    assert_eq!(pack(folder.path(), &["nowhere"]).status.code(), Some(4));
    assert_eq!(pack(folder.path(), &[]).status.code(), Some(2));
}

#[test]
fn what_the_readme_opens_fits() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let command = "cargo run --release -- ";
    let line = readme.lines().find_map(|line| line.trim().strip_prefix(command));
    let arguments: Vec<&str> = line.unwrap().split_whitespace().collect();
    let output = pack(root, &[&["--json"], &arguments[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["fits"], true);
    assert!(report["tokens"].as_u64() > Some(100_000), "{}", report["tokens"]);
}
