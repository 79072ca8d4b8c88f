//! Sessions that are kept: gone on with, parted from, gone back in, found.

use std::path::Path;
use std::process::{Command, Stdio};

use super::emulator::Session;
use super::{QUESTION, RAMBLING, ask, documents, has_gutter, ready};

fn start(documents: &Path, store: &Path, arguments: &[&str]) -> Session {
    let store = store.to_str().unwrap();
    let variables = [
        ("THUNDERHEAD_SESSIONS_KEEP", "true"),
        ("THUNDERHEAD_SESSIONS_FOLDER", store),
    ];
    Session::run(documents, arguments, &variables, 100, 40)
}

/// The name of the session that is left behind with how to go on with it.
fn left_behind(session: &Session) -> String {
    let screen = session.screen();
    let at = screen
        .find("thunderhead --resume ")
        .unwrap_or_else(|| panic!("{screen}"));
    let name = screen[at..].split_whitespace().nth(2).unwrap();
    name.to_owned()
}

fn quit(session: &mut Session) -> String {
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
    session.assert_given_back();
    left_behind(session)
}

#[test]
fn a_session_is_gone_on_with_and_says_what_changed() {
    let (documents, store) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), store.path(), &["."]);
    ready(&session);
    ask(&session);
    let name = quit(&mut session);

    std::fs::write(documents.path().join("src/y.rs"), "fn another() {}\n").unwrap();
    // From elsewhere, for a session knows where it began.
    let mut session = start(store.path(), store.path(), &["--resume", &name[..13]]);
    session.wait_for("what was said and what changed", |screen| {
        screen.contains(&format!("❯ {QUESTION}"))
            && screen.contains("✓ src/x.rs:12 verified")
            && screen.contains("1 changed: src/y.rs")
            && screen.contains("ready")
    });
    session.send("Where is `another` defined?\r");
    session.wait_for("an answer", |screen| screen.contains("src/y.rs:1 verified"));
    assert_eq!(quit(&mut session), name, "it is the same session");

    let mut session = start(documents.path(), store.path(), &["."]);
    session.wait_for("an offer", |screen| {
        screen.contains("you asked about this: “Where is") && screen.contains("/resume goes on")
    });
    session.send("/resume\r");
    session.wait_for("both questions", |screen| {
        screen.contains(QUESTION) && screen.contains("❯ Where is `another` defined?") && screen.contains("ready")
    });
    assert_eq!(quit(&mut session), name);
}

#[test]
fn what_programs_ask_stands_in_nobody_s_way() {
    let (documents, store) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), store.path(), &["."]);
    ready(&session);
    ask(&session);
    let name = quit(&mut session);
    for question in ["Find `other`", "Find `hay.len`"] {
        let output = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
            .args(["ask", "-p", question, "."])
            .env("THUNDERHEAD_SESSIONS_KEEP", "true")
            .env("THUNDERHEAD_SESSIONS_FOLDER", store.path())
            .env("THUNDERHEAD_CACHE", "")
            .env("THUNDERHEAD_CONFIG", "")
            .current_dir(documents.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    let mut session = start(documents.path(), store.path(), &["--resume"]);
    session.wait_for("what a person asked last", |screen| {
        screen.contains(&format!("❯ {QUESTION}")) && screen.contains("ready")
    });
    session.send("\u{1b}[15~");
    session.wait_for("the list without theirs", |screen| {
        screen.contains("1 session and 2 of programs") && !screen.contains("Find `other`")
    });
    session.send("othe");
    session.wait_for("what is looked for", |screen| screen.contains("Find `other`"));
    session.send("\u{1b}");
    session.wait_for("no list", |screen| !screen.contains("Esc closes"));
    assert_eq!(quit(&mut session), name);
}

#[test]
fn what_was_not_answered_when_it_was_killed_is_in_the_field_again() {
    let (documents, store) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), store.path(), &[&RAMBLING[..], &["."]].concat());
    ready(&session);
    session.send(&format!("{QUESTION}\r"));
    session.wait_for("thinking under way", |screen| {
        screen.contains("▾ thinking") && has_gutter(screen)
    });
    session.send("and what else?\r");
    session.wait_for("it waits", |screen| {
        screen.contains("and what else?") && screen.contains("queued")
    });
    session.kill();
    let mut session = start(documents.path(), store.path(), &["--resume"]);
    session.wait_for("what there was", |screen| {
        screen.contains(&format!("❯ {QUESTION}"))
            && screen.contains("in the middle of the reply")
            && screen.contains("❯ and what else?")
            && screen.contains("was not answered")
    });
    session.send("\u{15}/quit\r");
    assert_eq!(session.wait(), 0);
}

#[test]
fn one_goes_back_and_parts_from_there() {
    let (documents, store) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), store.path(), &["."]);
    ready(&session);
    ask(&session);
    session.send("Find `other`\r");
    session.wait_for("another answer", |screen| screen.contains("✓ src/y.rs:"));
    session.send("/rewind\r");
    session.wait_for("it is gone back", |screen| screen.contains("back after question 1"));
    session.send("/branches\r");
    session.wait_for("the tree", |screen| {
        screen.contains("● 1  Where is `needle_fn` defined?") && screen.contains("○ 2  Find `other`")
    });
    session.send("Find `hay.len`\r");
    session.wait_for("a third answer", |screen| screen.contains("src/x.rs:13 verified"));
    session.send("/branches\r");
    session.wait_for("two branches", |screen| {
        screen.contains("├ ○ 2") && screen.contains("├ ● 3")
    });
    session.send("/fork 2\r");
    session.wait_for("the session that parted", |screen| {
        screen.contains("❯ Find `other`") && !screen.contains("hay.len") && screen.contains("ready")
    });
    let fork = quit(&mut session);

    // The list has both, and goes on with the other one.
    let mut session = start(documents.path(), store.path(), &["."]);
    ready(&session);
    session.send("\u{1b}[15~");
    session.wait_for("the list", |screen| {
        screen.contains("2 sessions") && screen.contains("⑂ Where is")
    });
    session.send("hay.le");
    session.wait_for("the one in which it was said", |screen| {
        screen.contains("1 of 2 sessions")
    });
    session.send("\r");
    session.wait_for("that session", |screen| {
        screen.contains("❯ Find `hay.len`") && screen.contains("ready")
    });
    let other = quit(&mut session);
    assert_ne!(fork, other);
}

#[test]
fn sessions_are_named_deleted_and_brought_back() {
    let (documents, store) = (documents(), tempfile::tempdir().unwrap());
    let mut session = start(documents.path(), store.path(), &["."]);
    ready(&session);
    ask(&session);
    quit(&mut session);
    let mut session = start(documents.path(), store.path(), &["."]);
    ready(&session);
    session.send("/sessions\r");
    session.wait_for("the list", |screen| {
        screen.contains(" 1 session ") && screen.contains("Where is")
    });
    session.send("\u{1b}r");
    session.wait_for("its title", |screen| screen.contains("title: Where is"));
    session.send("\u{15}The needle\r");
    session.wait_for("another title", |screen| {
        screen.contains("  The needle") && !screen.contains("title:")
    });
    session.send("\u{1b}t");
    session.wait_for("its tags", |screen| screen.contains("tags:"));
    session.send("hay\r");
    session.wait_for("a tag", |screen| screen.contains("The needle #hay"));
    session.send("\u{1b}d");
    session.wait_for("nothing", |screen| {
        screen.contains(" 0 sessions ") && screen.contains("brings it back")
    });
    session.send("\u{1b}u");
    session.wait_for("it again", |screen| {
        screen.contains("The needle #hay") && screen.contains("is back")
    });
    session.send("\u{1b}");
    session.wait_for("no list", |screen| !screen.contains("alt-r title"));
    session.send("/quit\r");
    assert_eq!(session.wait(), 0);
    assert!(
        !session.screen().contains("--resume"),
        "nothing was asked\n{}",
        session.screen()
    );
}
