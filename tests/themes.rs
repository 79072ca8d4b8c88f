//! `thunderhead themes` through the binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps nothing has failed, in its helpers too"
)]

use std::process::{Command, Output};

fn themes(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thunderhead"));
    command.env("THUNDERHEAD_SESSIONS_KEEP", "false");
    command.arg("themes").args(arguments).output().unwrap()
}

#[test]
fn every_theme_that_is_listed_can_be_printed_and_is_right() {
    let listed = String::from_utf8(themes(&[]).stdout).unwrap();
    assert!(listed.lines().count() >= 6, "{listed}");
    let dir = tempfile::tempdir().unwrap();
    for line in listed.lines() {
        let (name, description) = line.split_once("  ").unwrap();
        assert!(!description.trim().is_empty(), "{line}");
        let file = dir.path().join(format!("{name}.toml"));
        std::fs::write(&file, themes(&["show", name.trim()]).stdout).unwrap();
        let checked = themes(&["check", file.to_str().unwrap()]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn what_is_wrong_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, source: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, source).unwrap();
        path.display().to_string()
    };
    let right = at("right.toml", "inherit = \"storm\"\n[styles]\nanswer = \"#ffffff\"\n");
    let wrong = at("wrong.toml", "[styles]\nanswr = \"red\"\n");
    let missing = dir.path().join("missing.toml").display().to_string();
    let output = themes(&["check", &right, &wrong, &missing]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{right}: right\n"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("answr") && told.contains("missing.toml: cannot be read"),
        "{told}"
    );
    let unknown = themes(&["show", "sunset"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("ember"));
}
