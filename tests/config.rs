//! `thunderhead config` through the binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// With `home` as home and nothing else of the environment's settings.
fn thunderhead(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thunderhead"));
    command.env("THUNDERHEAD_SESSIONS_KEEP", "false");
    command
        .args(arguments)
        .env("HOME", home)
        .env("THUNDERHEAD_CACHE", "")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("THUNDERHEAD_CONFIG")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/thunderhead");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), config).unwrap();
    home
}

/// The line of a setting.
fn line<'a>(printed: &'a str, key: &str) -> &'a str {
    let mut lines = printed.lines();
    lines
        .find(|line| line.starts_with(key))
        .unwrap_or_else(|| panic!("no {key} in\n{printed}"))
}

#[test]
fn each_value_says_where_it_comes_from() {
    let home = home("[model]\nthreads = 3\ntile = 64\n[ui]\ntheme = \"ember\"\n");
    let output = thunderhead(
        home.path(),
        &["config", "--theme", "storm", "--no-cache"],
        &[("THUNDERHEAD_MODEL_TILE", "128")],
    );
    let printed = out(&output);
    assert!(output.status.success(), "{}", told(&output));
    assert!(line(&printed, "threads = 3 ").ends_with("# ~/.config/thunderhead/config.toml:2"));
    assert!(line(&printed, "tile = 128 ").ends_with("# THUNDERHEAD_MODEL_TILE"));
    assert!(line(&printed, "theme = \"storm\" ").ends_with("# --theme"));
    assert!(line(&printed, "cache = false ").ends_with("# --no-cache"));
    assert!(line(&printed, "loop-guard = 3000 ").ends_with("# default"));

    let again = home.path().join("again.toml");
    std::fs::write(&again, &printed).unwrap();
    let reread = thunderhead(home.path(), &["config", "--config", again.to_str().unwrap()], &[]);
    let values = |printed: &str| {
        let strip = |line: &str| line.split("  #").next().unwrap().trim_end().to_owned();
        printed.lines().map(strip).collect::<Vec<_>>()
    };
    assert_eq!(values(&out(&reread)), values(&printed));
}

#[test]
fn a_file_can_be_written_checked_and_named() {
    let home = home("");
    let path = thunderhead(home.path(), &["config", "path"], &[]);
    assert_eq!(
        out(&path).trim_end(),
        home.path().join(".config/thunderhead/config.toml").to_str().unwrap()
    );
    let explained = out(&thunderhead(home.path(), &["config", "default"], &[]));
    std::fs::write(home.path().join("all.toml"), explained).unwrap();
    let file = home.path().join("all.toml");
    let checked = thunderhead(home.path(), &["config", "check", file.to_str().unwrap()], &[]);
    assert_eq!(out(&checked), "~/all.toml: right\n", "{}", told(&checked));
    let none = thunderhead(home.path(), &["config", "path"], &[("THUNDERHEAD_CONFIG", "")]);
    assert_eq!(none.status.code(), Some(2));
}

#[test]
fn a_broken_file_is_told_whole_and_stops_what_needs_it() {
    let home = home("[ui]\nthem = 1\n[model]\nthreads = \"many\"\n");
    let wrong = "~/.config/thunderhead/config.toml:2:1: there is no setting `ui.them`; did you mean `ui.theme`?\n\
                 ~/.config/thunderhead/config.toml:4:1: model.threads: expected a whole number, found the text \"many\"\n";
    for arguments in [
        &["config", "check"][..],
        &["config"],
        &["ask", "-p", "x", "."],
        &["pack", "."],
    ] {
        let output = thunderhead(home.path(), arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(told(&output).contains(wrong), "{arguments:?}: {}", told(&output));
    }
    for arguments in [&["config", "path"][..], &["config", "default"], &["themes"]] {
        let output = thunderhead(home.path(), arguments, &[]);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
    }
}

#[test]
fn settings_hold_for_other_commands() {
    let home = home("[documents]\nexclude = [\"*.md\"]\n[model]\nmax-context = 5000\n");
    std::fs::write(home.path().join("a.md"), "a").unwrap();
    std::fs::write(home.path().join("b.txt"), "b").unwrap();
    let folder = home.path().to_str().unwrap();
    let packed = out(&thunderhead(home.path(), &["pack", folder, "--json"], &[]));
    assert!(
        packed.contains("b.txt") && packed.contains("\"context_limit\": 5000"),
        "{packed}"
    );
    let documents = packed
        .split("\"documents\"")
        .nth(1)
        .unwrap()
        .split("\"skipped\"")
        .next()
        .unwrap();
    assert!(!documents.contains("a.md"), "{packed}");
}
