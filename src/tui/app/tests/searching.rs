//! Searching with keys, as a person does.

use ratatui::style::Modifier;

use super::super::super::viewer::testing::pack;
use super::super::Focus;
use super::*;

/// Two replies, the thinking of which is folded.
fn asked(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    for (question, thought) in [("Where?", "hay\n"), ("And the needle?", "The needle is here.\n")] {
        rig.question(question);
        for _ in 0..20 {
            rig.token(Channel::Thinking, thought);
        }
        rig.token(Channel::Answer, "It is here: needle.");
        rig.finish(StopReason::EndOfSequence);
    }
    rig
}

fn work(rig: &mut Rig) {
    while rig.app.is_working() {
        rig.app.work();
    }
}

fn leader(rig: &mut Rig, key: char) {
    rig.ctrl('x');
    rig.key(KeyCode::Char(key));
    work(rig);
}

fn type_in(rig: &mut Rig, text: &str) {
    for c in text.chars() {
        rig.key(KeyCode::Char(c));
    }
    work(rig);
}

#[test]
fn it_is_found_while_it_is_written_and_walked_through() {
    let mut rig = asked(60, 14);
    leader(&mut rig, '/');
    rig.shows("everything said · Tab");
    type_in(&mut rig, "needle");
    let frame = rig.frame();
    assert!(frame[13].starts_with("/needle "), "{frame:#?}");
    assert!(frame[13].ends_with("/23 · everything said · Tab"), "{frame:#?}");
    rig.key(KeyCode::Enter);
    assert_eq!(rig.app.focus(), Focus::Conversation);
    rig.shows(" /needle ");
    let mut counts = Vec::new();
    for _ in 0..23 {
        type_in(&mut rig, "n");
        let screen = rig.screen();
        let after = screen.split("/needle ").nth(1).unwrap();
        counts.push(after.split([' ', '─', '━']).next().unwrap().to_owned());
        let buf = rig.buffer();
        let reversed = |at: &Position| buf[*at].modifier.contains(Modifier::REVERSED);
        let marked: String = buf
            .area
            .positions()
            .filter(reversed)
            .map(|at| buf[at].symbol())
            .collect();
        assert!(marked.contains("needle"), "{marked:?} in\n{screen}");
    }
    let around = counts.iter().position(|count| count == "from").unwrap();
    counts.remove(around);
    counts.dedup();
    assert_eq!(counts.len(), 22, "{counts:?}");
    type_in(&mut rig, "N");
    // Esc ends it, where one is.
    let at = rig.app.transcript.first_spot();
    rig.key(KeyCode::Esc);
    rig.lacks(" /needle ");
    assert_eq!(
        (rig.app.transcript.first_spot(), rig.app.focus()),
        (at, Focus::Conversation)
    );
}

/// What the reading cursor is on.
fn under_cursor(rig: &mut Rig) -> (usize, String) {
    let (block, byte) = rig.app.transcript.here().expect("a cursor");
    let text = &rig.app.transcript.blocks()[block].source()[byte..];
    (block, text.chars().take(6).collect())
}

#[test]
fn the_reading_cursor_goes_to_the_match_and_searches_on_from_where_it_is() {
    let mut rig = asked(60, 14);
    leader(&mut rig, '/');
    type_in(&mut rig, "needle");
    rig.key(KeyCode::Enter);
    let first = under_cursor(&mut rig);
    assert_eq!(first.1, "needle");
    type_in(&mut rig, "n");
    let second = under_cursor(&mut rig);
    assert_eq!(second.1, "needle");
    // What is selected grows to the next match.
    type_in(&mut rig, "vn");
    let selected = rig.app.transcript.selected_text().expect("a selection");
    assert!(
        selected.starts_with("needle") && selected.matches("needle").count() >= 1,
        "{selected:?}"
    );
    rig.key(KeyCode::Esc);
    // From the first row on it is the question before.
    type_in(&mut rig, "gg/where");
    rig.key(KeyCode::Enter);
    assert_eq!(under_cursor(&mut rig).1, "Where?");
    // Giving up a search leaves the cursor where it was.
    type_in(&mut rig, "/hay");
    rig.key(KeyCode::Esc);
    assert_eq!(under_cursor(&mut rig).1, "Where?");
}

#[test]
fn the_scope_is_switched_in_the_prompt_and_kept() {
    let mut rig = asked(80, 24);
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Char('/'));
    type_in(&mut rig, "needle");
    for (scope, count) in [("answers", 2), ("all traces", 20), ("this trace", 20)] {
        rig.key(KeyCode::Tab);
        work(&mut rig);
        rig.shows(&format!("/{count} · {scope}"));
    }
    rig.key(KeyCode::BackTab);
    rig.key(KeyCode::BackTab);
    work(&mut rig);
    rig.shows("/2 · answers");
    rig.key(KeyCode::Enter);
    rig.key(KeyCode::Char('/'));
    rig.shows("answers · Tab");
    rig.key(KeyCode::Esc);
    rig.lacks("answers · Tab");
}

#[test]
fn what_is_wrong_is_told_while_it_is_written_and_a_paste_goes_to_the_prompt() {
    let mut rig = asked(80, 24);
    leader(&mut rig, '/');
    rig.input(Input::Paste("(needle".into()));
    rig.shows("unclosed group");
    rig.key(KeyCode::Char('|'));
    rig.key(KeyCode::Char(')'));
    rig.lacks("unclosed group");
    rig.ctrl('u');
    rig.shows("everything said · Tab");
    rig.key(KeyCode::Backspace);
    rig.lacks("everything said · Tab");
    assert_eq!(rig.app.composer.text(), "");
}

#[test]
fn new_text_is_counted_and_moves_nothing() {
    let mut rig = asked(60, 14);
    leader(&mut rig, '/');
    type_in(&mut rig, "needle");
    rig.key(KeyCode::Enter);
    rig.question("More");
    rig.token(Channel::Thinking, "needle");
    work(&mut rig);
    rig.shows("/24 ");
    let before = rig.app.transcript.first_spot();
    for _ in 0..30 {
        rig.token(Channel::Thinking, "\nneedle");
    }
    work(&mut rig);
    rig.shows("/54 ");
    assert_eq!(rig.app.transcript.first_spot(), before);
}

#[test]
fn documents_are_listed_opened_and_walked_through() {
    let mut rig = Rig::new(70, 16);
    let hay = "hay\n".repeat(40);
    rig.event(Event::Documents(Documents {
        pack: pack(&[
            ("a.txt", &format!("{hay}first needle\n{hay}second needle\n")),
            ("b.txt", &hay),
            ("dir/c.txt", &format!("{hay}third Needle\n")),
        ]),
        ..Documents::default()
    }));
    rig.finish(StopReason::Prefilled);
    rig.key(KeyCode::F(2));
    leader(&mut rig, '/');
    rig.shows("documents · Tab");
    type_in(&mut rig, "needle");
    rig.shows("a.txt          2  first needle");
    rig.shows("dir/c.txt      1  third Needle");
    assert_eq!(rig.app.search.documents(), [0, 2]);
    rig.key(KeyCode::Enter);
    work(&mut rig);
    rig.shows("first needle");
    rig.shows("1/2");
    rig.key(KeyCode::Char('n'));
    rig.shows("2/2");
    type_in(&mut rig, "n");
    rig.shows("third Needle");
    rig.shows("dir/c.txt");
    type_in(&mut rig, "n");
    rig.shows("first needle");
    type_in(&mut rig, "N");
    rig.shows("third Needle");
    type_in(&mut rig, "N");
    rig.shows("second needle");
    rig.key(KeyCode::Char('q'));
    rig.shows("documents   ");
}

#[test]
fn nothing_is_drawn_amiss_at_any_size() {
    for (width, height) in [(1, 1), (2, 2), (5, 3), (12, 4), (40, 12), (200, 60)] {
        let mut rig = asked(width, height);
        leader(&mut rig, '/');
        type_in(&mut rig, "ne(e)dle");
        rig.screen();
        rig.key(KeyCode::Enter);
        type_in(&mut rig, "nnN");
        rig.screen();
        leader(&mut rig, '/');
        type_in(&mut rig, "(");
        rig.screen();
    }
}
