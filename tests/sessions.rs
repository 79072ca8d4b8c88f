//! Recorded sessions through the binary: kept by `ask --record`, listed, told.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .env("THUNDERHEAD_SESSIONS_KEEP", "false")
        .env("THUNDERHEAD_CACHE", "")
        .current_dir(directory)
        .stdin(Stdio::null())
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_sessions_that_ship_are_listed_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let list = run(folder.path(), &["sessions", "--sessions", "none", "list"]);
    let list = text(&list.stdout);
    assert!(list.contains("tour") && list.contains("eighty-days"), "{list}");
    let long = run(folder.path(), &["sessions", "show", "eighty-days"]);
    let long = text(&long.stdout);
    for part in [
        "No model wrote any of it",
        "public domain",
        "thinking 80,001 tokens",
        "2 (instead of 1)",
        "ended by itself",
    ] {
        assert!(long.contains(part), "{part}: {long}");
    }
}

#[test]
fn a_session_is_kept_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.rs"), "fn run() {\n    let retries = 10;\n}\n").unwrap();
    let ask = ["ask", "--record", "kept.jsonl", "-p", "Where is `run` defined?", "a.rs"];
    let output = run(folder.path(), &ask);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let kept = fs::read(folder.path().join("kept.jsonl")).unwrap();
    let shown = run(folder.path(), &["sessions", "show", "kept.jsonl"]);
    let shown = text(&shown.stdout);
    for part in ["pico-2", "1 file, 3 lines", "1  Where is `run` defined?", "2 citations"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let again = run(folder.path(), &ask);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("kept.jsonl"), "{}", text(&again.stderr));
    assert_eq!(fs::read(folder.path().join("kept.jsonl")).unwrap(), kept);

    fs::write(
        folder.path().join("torn.jsonl"),
        [&kept[..kept.len() - 9], b"\0\0"].concat(),
    )
    .unwrap();
    let torn = run(folder.path(), &["sessions", "show", "torn.jsonl"]);
    assert!(text(&torn.stdout).contains("is not complete"), "{}", text(&torn.stdout));
}

#[test]
fn what_is_no_session_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.md"), "# Notes\n").unwrap();
    for (arguments, code, part) in [
        (
            &["sessions", "--sessions", "s", "show", "nothing"][..],
            4,
            "eighty-days",
        ),
        (&["sessions", "show", "notes.md"], 4, "is no recorded session"),
        (&["sessions", "show", "."], 4, "cannot be read"),
        (&["sessions", "open", "tour"], 2, "terminal"),
        (&["sessions", "open", "--speed", "0", "tour"], 2, "0.001"),
        (&["sessions"], 2, "list"),
    ] {
        let output = run(folder.path(), arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
    }
}

/// As [`run`], with sessions kept in `s`.
fn kept(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .env("THUNDERHEAD_CACHE", "")
        .env("THUNDERHEAD_SESSIONS_FOLDER", directory.join("s"))
        .current_dir(directory)
        .stdin(Stdio::null())
        .args(arguments)
        .output()
        .unwrap()
}

fn said(directory: &Path, arguments: &[&str]) -> String {
    let output = kept(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn what_is_asked_is_kept_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("a.rs"), "fn run() {\n    let retries = 10;\n}\n").unwrap();
    said(here, &["ask", "-p", "Where is `run` defined?", "a.rs"]);
    let list = said(here, &["sessions", "list"]);
    assert!(
        list.starts_with("1 session in which only other programs asked"),
        "{list}"
    );
    let list = said(here, &["sessions", "list", "--asked"]);
    assert!(
        list.contains("Where is `run` defined?\n    1 turn, ") && list.contains("1 document"),
        "{list}"
    );
    let name = list.split_whitespace().next().unwrap().to_owned();

    fs::write(here.join("a.rs"), "fn run() {\n    let retries = 11;\n}\n").unwrap();
    let again = kept(
        here,
        &["ask", "--resume", &name[..8], "-p", "What is `retries` set to?"],
    );
    assert!(text(&again.stdout).contains("11"), "{}", text(&again.stdout));
    let told = text(&again.stderr);
    assert!(told.contains("1 changed: a.rs"), "{told}");
    let shown = said(here, &["sessions", "show", "last"]);
    assert!(shown.contains("2  What is `retries` set to?"), "{shown}");
    let found = said(here, &["sessions", "search", "RETR"]);
    assert!(found.starts_with(&format!("{name} 2  What is")), "{found}");
    assert_eq!(kept(here, &["sessions", "search", "zebra"]).status.code(), Some(1));
    fs::remove_file(here.join("s/index.sqlite")).unwrap();
    assert_eq!(
        said(here, &["sessions", "search", "RETR"]),
        found,
        "the index is made again"
    );

    said(here, &["sessions", "rename", &name, "All", "about", "it"]);
    said(here, &["sessions", "tag", &name, "#one", "two"]);
    let list = said(here, &["sessions", "list", "--tag", "one", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(
        (&object["title"], &object["turns"]),
        (&"All about it".into(), &2.into())
    );
    assert_eq!(said(here, &["sessions", "list", "--tag", "three"]), "");

    let fork = said(here, &["sessions", "fork", &name, "--turn", "1"]);
    let fork = fork.lines().next().unwrap();
    let tree = said(here, &["sessions", "show", "--tree", &name]);
    assert!(
        tree.contains("● 2  What is") && tree.contains(&format!("├ ⑂ {fork}")),
        "{tree}"
    );
    said(here, &["sessions", "rm", fork]);
    assert!(!said(here, &["sessions", "list"]).contains(fork));
    said(here, &["sessions", "rm", "--undo", fork]);
    assert!(said(here, &["sessions", "list"]).contains(fork));
    said(here, &["sessions", "rm", fork]);
    assert!(said(here, &["sessions", "rm", "--purge"]).contains("1 session deleted"));
    assert_eq!(kept(here, &["sessions", "rm", "--undo", fork]).status.code(), Some(4));
}

#[test]
fn sessions_go_out_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("a.rs"), "fn run() {\n    let retries = 10;\n}\n").unwrap();
    said(here, &["ask", "-p", "Where is `run` defined?", "a.rs"]);
    for (file, part) in [
        ("x.md", "## Question 1\n\nWhere is `run` defined?\n"),
        ("x.json", "\"format\": \"thunderhead session\""),
        ("x.html", "<details class=\"thinking\">"),
        ("x.jsonl", "\"type\":\"question\""),
    ] {
        said(here, &["sessions", "export", "last", "--out", file]);
        let written = fs::read_to_string(here.join(file)).unwrap();
        assert!(written.contains(part), "{written}");
        let again = kept(here, &["sessions", "export", "last", "--out", file]);
        assert_eq!(again.status.code(), Some(1), "what is there is never written over");
        let store = ["--sessions", "other"];
        let imported = said(here, &[&["sessions"], &store[..], &["import", file]].concat());
        let name = imported.lines().next().unwrap();
        let shown = said(here, &[&["sessions"], &store[..], &["show", name]].concat());
        assert!(shown.contains("1  Where is `run` defined?"), "{file}: {shown}");
        let markdown = said(here, &[&["sessions"], &store[..], &["export", name]].concat());
        assert!(markdown.contains("## Answer\n\na.rs:1\n"), "{file}: {markdown}");
    }
    let redacted = said(
        here,
        &[
            "sessions",
            "export",
            "last",
            "--redact-pattern",
            "a\\.rs",
            "--to",
            "json",
        ],
    );
    assert!(
        !redacted.contains("a.rs") && redacted.contains("[redacted]"),
        "{redacted}"
    );
    for (arguments, code, part) in [
        (&["sessions", "export", "last", "--out", "x.txt"][..], 2, "--to"),
        (&["sessions", "export", "last", "--redact-pattern", "("], 2, "(: "),
        (&["sessions", "import", "a.rs"], 4, "is no session"),
        (&["sessions", "fork", "last", "--turn", "7"], 4, "no turn 7"),
        (&["ask", "--resume", "nothing", "-p", "x"], 4, "no session `nothing`"),
    ] {
        let output = kept(here, arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
    }
}

#[test]
fn where_nothing_can_be_kept_it_is_said_and_answered_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("a.rs"), "fn run() {\n}\n").unwrap();
    fs::write(here.join("s"), "a file where the folder should be").unwrap();
    let output = kept(here, &["ask", "-p", "Where is `run` defined?", "a.rs"]);
    assert!(output.status.success() && text(&output.stdout).contains("a.rs:1 verified"));
    assert!(text(&output.stderr).contains("is not kept"), "{}", text(&output.stderr));
    fs::remove_file(here.join("s")).unwrap();
    kept(here, &["ask", "--no-session", "-p", "Where is `run` defined?", "a.rs"]);
    assert!(!here.join("s").exists());
    let failed = kept(here, &["ask", "-p", " ", "a.rs"]);
    assert_eq!(failed.status.code(), Some(5));
    kept(here, &["ask", "-p", "x", "no/such/file"]);
    let left = fs::read_dir(here.join("s")).map_or(0, Iterator::count);
    assert!(left <= 1, "what could not be loaded leaves its question at most");
}
