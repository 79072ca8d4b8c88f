//! Copying, and what is said of it.

use super::super::super::clipboard::{Copied, Surroundings};
use super::*;

fn copies(text: &str) -> Vec<Effect> {
    vec![Effect::Copy(text.into())]
}

/// Two replies; the last one thinks twice.
fn asked() -> Rig {
    let mut rig = Rig::ready(70, 24);
    rig.reply("q");
    rig.question("and?");
    rig.token(Channel::Thinking, "Hm.\n");
    rig.token(Channel::Answer, "\n\nSo:\n\n```rust\nfn a() {}\n```\n\n");
    rig.token(Channel::Thinking, "\nWait.");
    rig.token(Channel::Answer, "  Or:\n```\n\tb\n```\nThat is it.\n");
    rig.finish(StopReason::EndOfSequence);
    rig
}

#[test]
fn what_was_said_is_copied_by_name() {
    let mut rig = asked();
    let answer = "So:\n\n```rust\nfn a() {}\n```\n\n  Or:\n```\n\tb\n```\nThat is it.";
    assert_eq!(rig.ask("/copy"), copies(answer));
    assert_eq!(rig.ask("/copy answer"), copies(answer));
    assert_eq!(rig.ask("/copy code"), copies("\tb\n"));
    assert_eq!(rig.ask("/copy trace"), copies("Hm.\n\nWait."));
    assert_eq!(rig.ask("/copy block"), copies("  Or:\n```\n\tb\n```\nThat is it."));
    assert_eq!(rig.ask("/copy all"), []);
    rig.shows("! all cannot be copied; there are answer, code, block, trace and");
}

/// A thought of three segments, and no other.
fn thought() -> Rig {
    let mut rig = Rig::ready(80, 24);
    rig.question("q");
    rig.token(
        Channel::Thinking,
        "First this,\nand that.\n\nWait, not so.\n\nSo it is this:\n  indented",
    );
    rig.token(Channel::Answer, "It is.");
    rig.finish(StopReason::EndOfSequence);
    rig
}

#[test]
fn a_segment_is_copied_where_one_reads_and_from_the_outline() {
    let mut rig = thought();
    rig.key(KeyCode::Esc);
    let go_to = |rig: &mut Rig, text: &str| {
        rig.write(&format!("/{text}"));
        while rig.app.is_working() {
            rig.app.work();
        }
        rig.key(KeyCode::Enter);
    };
    go_to(&mut rig, "not so");
    rig.write("z");
    assert_eq!(rig.key(KeyCode::Char('y')), copies("Wait, not so."));
    rig.write("jz");
    assert_eq!(
        rig.key(KeyCode::Char('y')),
        copies("Wait, not so."),
        "a blank row is of what is before it"
    );
    rig.write("jz");
    assert_eq!(rig.key(KeyCode::Char('y')), copies("So it is this:\n  indented"));
    let all = "First this,\nand that.\n\nWait, not so.\n\nSo it is this:\n  indented";
    assert_eq!(rig.key(KeyCode::Char('Y')), copies(all));
    rig.write("kki");
    assert_eq!(rig.ask("/copy segment"), copies("Wait, not so."));
    rig.press(KeyCode::Char('3'), KeyModifiers::ALT);
    rig.write("g");
    assert_eq!(rig.key(KeyCode::Char('y')), copies("First this,\nand that."));
    rig.write("j");
    assert_eq!(rig.key(KeyCode::Char('y')), copies("Wait, not so."));
    assert_eq!(rig.key(KeyCode::Char('Y')), copies(all));
}

#[test]
fn where_there_is_nothing_nothing_is_copied() {
    let mut rig = Rig::ready(70, 24);
    for (what, told) in [
        ("answer", "there is no answer to copy"),
        ("code", "there is no code block to copy"),
        ("block", "there is nothing to copy"),
        ("trace", "there is no thinking to copy"),
        ("segment", "there is no segment of a thought to copy"),
    ] {
        assert_eq!(rig.ask(&format!("/copy {what}")), []);
        rig.shows(told);
    }
}

#[test]
fn nothing_is_copied_that_a_terminal_would_obey() {
    let mut rig = Rig::ready(70, 24);
    rig.question("q");
    rig.token(Channel::Answer, "a\u{1b}[201~rm\r\nb\u{7}\u{202e}c\td");
    rig.finish(StopReason::EndOfSequence);
    assert_eq!(rig.ask("/copy"), copies("a[201~rm\nbc\td"));
}

#[test]
fn what_came_of_it_is_said_as_it_is() {
    let mut rig = Rig::ready(100, 24);
    assert_eq!(rig.input(Input::Copied(Copied::sent("four"))), []);
    rig.shows("─ sent 4 characters to the terminal to copy ─");
    rig.wait(4_000);
    rig.lacks("sent 4");
    let not_taken = Copied::NotTaken {
        text: "four".into(),
        reason: "xclip: not installed".into(),
    };
    assert_eq!(rig.input(Input::Copied(not_taken)), [Effect::SendCopy("four".into())]);
    rig.shows("· no program took what was copied (xclip: not installed)");
    let too_long = Surroundings::default().sequence(&"x".repeat(1_000_000)).unwrap_err();
    rig.input(Input::Copied(too_long));
    rig.shows("! not copied: 1,000,000 bytes are more than the 786,432 that can be sent to a terminal");
}

#[test]
fn who_does_not_see_the_end_is_told_too() {
    let mut rig = Rig::ready(110, 12);
    rig.question("q");
    rig.token(Channel::Answer, &"line\n\n".repeat(30));
    rig.finish(StopReason::EndOfSequence);
    rig.key(KeyCode::PageUp);
    rig.input(Input::Copied(Copied::sent("four")));
    rig.shows("─ sent 4 characters to the terminal to copy ─");
    assert!(rig.app.next_tick().is_some());
    rig.wait(4_000);
    rig.lacks("sent 4");
    assert_eq!(rig.app.next_tick(), None);
}
