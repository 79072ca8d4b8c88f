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
    let list = run(folder.path(), &["sessions", "list"]);
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
        (&["sessions", "show", "nothing"][..], 4, "eighty-days"),
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
