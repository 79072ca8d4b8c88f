//! Sequences of keys, hints, the list of commands, and which pane has the keys.

use super::super::super::keymap::Keymap;
use super::super::super::keymap::tests::own;
use super::*;
use Focus::{Composer, Conversation, Documents, Inspector};

#[test]
fn a_sequence_shows_what_can_follow_and_does_it() {
    let mut rig = Rig::ready(80, 24);
    rig.ctrl('x');
    rig.shows("Ctrl-X …");
    rig.shows("p  find a command");
    rig.key(KeyCode::Char('p'));
    rig.lacks("Ctrl-X …");
    rig.shows("╭─ commands");
}

#[test]
fn a_sequence_that_means_nothing_is_dropped_and_writes_nothing() {
    let mut rig = Rig::ready(80, 24);
    for end in [KeyCode::Char('0'), KeyCode::Esc, KeyCode::F(11)] {
        rig.ctrl('x');
        assert_eq!(rig.key(end), []);
        rig.lacks("Ctrl-X …");
        assert_eq!((rig.app.composer.text(), rig.app.focus()), ("", Composer));
    }
    rig.write("a");
    assert_eq!(rig.app.composer.text(), "a");
}

#[test]
fn the_list_of_commands_finds_and_does() {
    let mut rig = Rig::ready(80, 24);
    rig.key(KeyCode::F(4));
    rig.shows("/load");
    rig.write("mous");
    rig.lacks("/load");
    assert_eq!(rig.key(KeyCode::Enter), [Effect::CaptureMouse(false)]);
    rig.lacks("commands ─");
    // One with an argument is written, for that to follow.
    rig.key(KeyCode::F(4));
    rig.input(Input::Paste("theme".into()));
    rig.key(KeyCode::Enter);
    assert_eq!(rig.app.composer.text(), "/theme ");
    rig.ctrl('u');
    rig.key(KeyCode::F(4));
    rig.write("x");
    rig.key(KeyCode::Esc);
    assert_eq!((rig.app.composer.text(), rig.app.focus()), ("", Composer));
}

#[test]
fn escape_reads_and_writing_comes_back() {
    let mut rig = Rig::ready(80, 12);
    for n in 0..8 {
        rig.reply(&format!("question {n}"));
    }
    rig.key(KeyCode::Esc);
    assert_eq!(rig.app.focus(), Conversation);
    rig.shows("i writes");
    rig.key(KeyCode::Char('g'));
    rig.shows("g …");
    rig.key(KeyCode::Char('g'));
    rig.shows("pico: a demonstration");
    assert!(!rig.app.transcript.is_following());
    rig.key(KeyCode::Char('G'));
    assert!(rig.app.transcript.is_following());
    assert_eq!(rig.app.composer.text(), "");
    rig.key(KeyCode::Char('i'));
    rig.write("gg");
    assert_eq!((rig.app.composer.text(), rig.app.focus()), ("gg", Composer));
    // What is being written is kept while one reads.
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Char('j'));
    rig.input(Input::Paste("!".into()));
    assert_eq!((rig.app.composer.text(), rig.app.focus()), ("gg!", Composer));
}

#[test]
fn escape_cancels_first() {
    let mut rig = Rig::ready(80, 12);
    rig.question("why");
    rig.token(Channel::Thinking, "hm");
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Cancel]);
    assert_eq!(rig.app.focus(), Composer);
}

#[test]
fn the_keys_go_round_the_panes_that_are_shown() {
    let mut rig = Rig::ready(160, 24);
    let round = |rig: &mut Rig, modifiers| {
        let mut seen = Vec::new();
        for _ in 0..4 {
            rig.press(KeyCode::F(6), modifiers);
            seen.push(rig.app.focus());
        }
        seen
    };
    assert_eq!(
        round(&mut rig, KeyModifiers::NONE),
        [Conversation, Composer, Conversation, Composer]
    );
    rig.press(KeyCode::Char('3'), KeyModifiers::ALT);
    rig.press(KeyCode::Char('1'), KeyModifiers::ALT);
    assert_eq!(rig.app.focus(), Documents);
    assert_eq!(
        round(&mut rig, KeyModifiers::NONE),
        [Conversation, Inspector, Composer, Documents]
    );
    assert_eq!(
        round(&mut rig, KeyModifiers::SHIFT),
        [Composer, Inspector, Conversation, Documents]
    );
    // Closing one that has the keys gives them back.
    rig.press(KeyCode::Char('1'), KeyModifiers::ALT);
    assert_eq!(rig.app.focus(), Composer);
    assert!(!rig.app.documents.shown && rig.app.inspector.shown);
}

/// Where there is room for one pane beside the conversation, it is the one that had the keys last; where there is none, it
/// takes the conversation's place while it has them.
#[test]
fn panes_are_shown_as_there_is_room() {
    for (width, both, one) in [(160, true, true), (120, false, true), (80, false, false)] {
        let mut rig = Rig::ready(width, 24);
        rig.reply("why");
        rig.press(KeyCode::Char('1'), KeyModifiers::ALT);
        rig.press(KeyCode::Char('3'), KeyModifiers::ALT);
        rig.shows("outline");
        assert_eq!(!view::areas(&rig.app).documents.is_empty(), both, "{width}");
        assert_eq!(rig.screen().contains("❯ why"), one, "{width}");
        rig.key(KeyCode::Esc);
        rig.shows("❯ why");
    }
}

#[test]
fn a_person_s_own_keys_are_the_keys() {
    let mut rig = Rig::ready(80, 24);
    let (keymap, errors) = Keymap::with(&own(&[
        ("panes", "f5", "help"),
        ("empty", "?", "none"),
        ("panes", "leader p", "none"),
    ]));
    assert_eq!(errors, []);
    rig.app.setup.keymap = keymap;
    rig.key(KeyCode::Char('?'));
    assert_eq!(rig.app.composer.text(), "?");
    rig.ctrl('x');
    rig.lacks("find a command");
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::F(5));
    rig.shows("╭─ help");
    rig.key(KeyCode::End);
    rig.shows("F5");
}

#[test]
fn what_can_follow_is_shown_page_by_page() {
    let mut rig = Rig::ready(40, 12);
    rig.ctrl('x');
    let first = rig.screen();
    assert!(
        first.contains("Ctrl-X … 1–") && first.contains("· PgDn more"),
        "{first}"
    );
    let all = rig.app.setup.keymap.hints(&rig.app.contexts(), &rig.app.begun);
    let mut pages = vec![first];
    loop {
        rig.key(KeyCode::PageDown);
        let page = rig.screen();
        if page == pages[0] {
            break;
        }
        pages.push(page);
        assert!(pages.len() <= all.len(), "it comes to an end");
    }
    let shown = pages.concat();
    for (chord, _) in &all {
        assert!(shown.contains(&format!(" {chord} ")), "no {chord} in\n{shown}");
    }
    rig.key(KeyCode::PageUp);
    assert_eq!(rig.screen(), pages[pages.len() - 1]);
    // The wheel does it too, and the sequence goes on.
    rig.mouse(MouseEventKind::ScrollDown, 1, 1);
    assert_eq!(rig.screen(), pages[0]);
    rig.key(KeyCode::Char('l'));
    assert!(rig.app.ledger.is_some() && rig.app.begun.is_empty());
}
