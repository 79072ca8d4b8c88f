//! File systems that are really full or cannot be written: small ones, mounted for the test where that is allowed.

#![allow(clippy::print_stderr, reason = "a test that is not tried says so")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::emulator::Session;
use super::{QUESTION, RAMBLING, ask, documents, has_gutter, ready};

/// A file system in memory of its own.
struct Small(tempfile::TempDir);

impl Small {
    /// None where one may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=512k", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("not tried: nothing can be mounted here");
        None
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("sessions")
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Takes all the room that there is.
    fn fill(&self) {
        // It ends where the room does.
        let _ = fs::write(self.filler(), vec![1; 1 << 20]);
    }

    fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn start(documents: &Path, store: &Path, temporary: &Path, arguments: &[&str]) -> Session {
    let variables = [
        ("THUNDERHEAD_SESSIONS_KEEP", "true"),
        ("THUNDERHEAD_SESSIONS_FOLDER", store.to_str().unwrap()),
        ("TMPDIR", temporary.to_str().unwrap()),
    ];
    Session::run(documents, &[arguments, &["."]].concat(), &variables, 80, 24)
}

/// Pastes and sends a question that takes more room than the last page of a file can have.
fn ask_much(session: &Session) {
    let much = "and so on ".repeat(450);
    session.send(&format!("\u{1b}[200~Find `other` {much}\u{1b}[201~\r"));
}

/// How often that was sent, by a record.
fn sent(record: &str) -> usize {
    record.matches("\"what\":\"ask\",\"text\":\"Find").count()
}

fn sessions(store: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .arg("sessions")
        .args(arguments)
        .arg("--sessions")
        .arg(store)
        .env("THUNDERHEAD_CONFIG", "")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_reply_waits_for_room_and_goes_on() {
    let Some(small) = Small::mount() else { return };
    let (documents, elsewhere) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), &small.store(), elsewhere.path(), &RAMBLING);
    ready(&session);
    session.send(&format!("{QUESTION}\r"));
    session.wait_for("thinking under way", |screen| {
        screen.contains("▾ thinking") && has_gutter(screen)
    });
    small.fill();
    session.wait_for("that there is no room", |screen| {
        screen.contains("there is no room to keep the session") && screen.contains("disk full: waiting")
    });
    small.clear();
    session.wait_for("that there is", |screen| {
        screen.contains("there is room again") && !screen.contains("disk full")
    });
    session.send("\u{1b}");
    session.wait_for("the end of it", |screen| {
        screen.contains("cancelled; what was written is kept")
    });
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
    assert!(sessions(&small.store(), &["show", "last"]).contains("cancelled"));
}

#[test]
fn who_leaves_while_the_disk_is_full_is_told_at_once_and_can_make_room() {
    let Some(small) = Small::mount() else { return };
    let (documents, elsewhere) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), &small.store(), elsewhere.path(), &[]);
    ready(&session);
    ask(&session);
    small.fill();
    ask_much(&session);
    session.wait_for("that it waits", |screen| screen.contains("disk full: waiting"));
    session.send("/quit\r");
    session.wait_for("where it is meanwhile", |screen| {
        screen.contains("there is no room for the end of the session")
            && screen.contains("sessions import")
            && screen.contains("Make room and press Enter")
    });
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    session.send("\r");
    session.wait_for("that nothing has changed", |screen| {
        screen.contains("there still is no room")
    });
    small.clear();
    session.send("\r");
    session.wait_for("that all is well", |screen| {
        screen.contains("everything is kept; the copy is removed")
    });
    assert_eq!(session.wait(), 0);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    // What was sent is there, answered or not.
    let name = fs::read_dir(small.store()).unwrap().map(|entry| entry.unwrap().path());
    let record = name.map(|folder| fs::read_to_string(folder.join("events.jsonl")));
    assert_eq!(sent(&record.flatten().next().unwrap()), 1);
}

#[test]
fn what_was_kept_elsewhere_is_taken_back() {
    let Some(small) = Small::mount() else { return };
    let (documents, elsewhere) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), &small.store(), elsewhere.path(), &[]);
    ready(&session);
    ask(&session);
    small.fill();
    ask_much(&session);
    session.wait_for("that it waits", |screen| screen.contains("disk full: waiting"));
    session.send("/quit\r");
    session.wait_for("the question", |screen| screen.contains("or q to leave"));
    session.send("q\r");
    assert_eq!(session.wait(), 0);
    let copy = fs::read_dir(elsewhere.path()).unwrap().next().unwrap().unwrap().path();
    let store = tempfile::tempdir().unwrap();
    let told = sessions(store.path(), &["import", copy.to_str().unwrap()]);
    let name = told.lines().next().unwrap();
    assert!(sessions(store.path(), &["show", name]).contains(QUESTION));
    let record = fs::read_to_string(&copy).unwrap();
    assert_eq!(sent(&record), 1, "{record}");
}

#[test]
fn in_a_home_that_is_read_only_it_is_said_and_answered_all_the_same() {
    let Some(small) = Small::mount() else { return };
    let remounted = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(small.0.path())
        .status();
    assert!(remounted.unwrap().success());
    let (documents, elsewhere) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), &small.store(), elsewhere.path(), &[]);
    session.wait_for("that nothing is kept", |screen| {
        screen.contains("this conversation is not kept") && screen.contains("Read-only file system")
    });
    ask(&session);
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
}
