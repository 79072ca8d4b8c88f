//! The mouse, and its keys: selecting, copying, edges of panes.

use ratatui::style::Modifier;

use super::*;

const NONE: KeyModifiers = KeyModifiers::NONE;

fn copies(text: &str) -> Vec<Effect> {
    vec![Effect::Copy(text.into())]
}

/// Where the first cell of a text is.
fn find(rig: &mut Rig, text: &str) -> (u16, u16) {
    let frame = rig.frame();
    let found = frame
        .iter()
        .enumerate()
        .find_map(|(row, line)| Some((row, line.find(text)?)));
    let (row, at) = found.unwrap_or_else(|| panic!("no {text:?} in\n{}", frame.join("\n")));
    (frame[row][..at].chars().count() as u16, row as u16)
}

/// Drags from a place over others, and releases at the last.
fn drag(rig: &mut Rig, places: &[(u16, u16)]) -> Vec<Effect> {
    let mut effects = rig.button(MouseEventKind::Down, NONE, places[0]);
    for &place in &places[1..] {
        effects.extend(rig.button(MouseEventKind::Drag, NONE, place));
    }
    effects.extend(rig.button(MouseEventKind::Up, NONE, places[places.len() - 1]));
    effects
}

/// A long answer in lines of their own.
fn answered(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    rig.question("q");
    for line in 0..40 {
        rig.token(Channel::Answer, &format!("\n\nline {line}"));
    }
    rig.finish(StopReason::EndOfSequence);
    rig
}

fn selected(rig: &Rig) -> String {
    rig.app.transcript.selected_text().unwrap_or_default()
}

#[test]
fn what_is_dragged_over_is_selected_drawn_and_copied() {
    let mut rig = Rig::ready(60, 20);
    rig.reply("Where is it?");
    let (x, y) = find(&mut rig, "Where");
    assert_eq!(drag(&mut rig, &[(x + 6, y), (x + 30, y), (x + 7, y)]), []);
    assert_eq!(selected(&rig), "is");
    let buf = rig.buffer();
    let marked: String = (0..60)
        .filter(|&x| buf[(x, y)].modifier.contains(Modifier::REVERSED))
        .map(|x| buf[(x, y)].symbol().to_owned())
        .collect();
    assert_eq!(marked, "is");
    assert_eq!(rig.app.focus(), Focus::Conversation, "keys go on from there");
    assert_eq!(rig.key(KeyCode::Char('y')), copies("is"));
    assert_eq!(selected(&rig), "");
    drag(&mut rig, &[(x, y), (x + 3, y)]);
    rig.key(KeyCode::Esc);
    assert_eq!((selected(&rig).as_str(), rig.app.focus()), ("", Focus::Conversation));
}

#[test]
fn copying_what_was_selected_at_once_can_be_set() {
    let mut rig = Rig::ready(60, 20);
    rig.app.setup.settings.ui.copy_on_select = true;
    rig.reply("Where is it?");
    let (x, y) = find(&mut rig, "Where");
    assert_eq!(drag(&mut rig, &[(x, y), (x + 4, y)]), copies("Where"));
    assert_eq!(rig.click_at(x, y), [], "a click selects nothing");
}

#[test]
fn one_press_after_another_takes_a_word_and_a_line() {
    let mut rig = Rig::ready(60, 20);
    rig.reply("Where is it?");
    let (x, y) = find(&mut rig, "Where");
    rig.click_at(x + 1, y);
    assert_eq!(selected(&rig), "");
    rig.click_at(x + 1, y);
    assert_eq!(selected(&rig), "Where");
    rig.click_at(x + 1, y);
    assert_eq!(selected(&rig), "Where is it?");
    rig.click_at(x + 1, y);
    assert_eq!(selected(&rig), "");
    rig.now += Duration::from_millis(500);
    rig.click_at(x + 1, y);
    assert_eq!(selected(&rig), "", "too late to be a second one");
    rig.click_at(x + 2, y);
    assert_eq!(selected(&rig), "", "somewhere else");
    rig.button(MouseEventKind::Down, KeyModifiers::SHIFT, (x + 7, y));
    assert_eq!(selected(&rig), "ere is", "from the cursor on");
}

#[test]
fn a_press_on_what_does_something_is_no_selection() {
    let mut rig = Rig::ready(60, 20);
    rig.reply("q");
    let (x, y) = find(&mut rig, "▸ thought");
    rig.click_at(x, y);
    rig.shows("│ Let me look.");
    rig.click_at(x, y);
    rig.lacks("Let me look.");
    assert_eq!(rig.app.focus(), Focus::Composer, "who writes goes on writing");
    drag(&mut rig, &[(x, y), (x, y + 1), (x, y)]);
    rig.lacks("Let me look.");
    assert_eq!(selected(&rig), "Let me look.\nIt is in x.rs.");
}

#[test]
fn what_is_dragged_over_beyond_the_edge_comes_into_view() {
    let mut rig = answered(50, 12);
    let first = |rig: &mut Rig| rig.frame()[0].clone();
    let (x, y) = find(&mut rig, "line 38");
    rig.button(MouseEventKind::Down, NONE, (x, y));
    assert_eq!(rig.app.next_tick(), None);
    rig.button(MouseEventKind::Drag, NONE, (x, y - 2));
    assert_eq!(rig.app.next_tick(), None, "not beyond");
    rig.button(MouseEventKind::Drag, NONE, (x, 0));
    let before = first(&mut rig);
    let next = rig.app.next_tick().unwrap();
    assert!(next > rig.now);
    rig.wait(10);
    assert_eq!(first(&mut rig), before, "not yet");
    rig.wait(50);
    assert_ne!(first(&mut rig), before);
    for _ in 0..400 {
        rig.wait(50);
    }
    assert!(selected(&rig).ends_with("line 37\n\nl"), "{}", selected(&rig));
    assert!(selected(&rig).contains("line 0\n"), "to the beginning");
    let slow = {
        let mut rig = answered(50, 30);
        let (x, y) = find(&mut rig, "line 30");
        rig.button(MouseEventKind::Down, NONE, (x, y));
        rig.button(MouseEventKind::Drag, NONE, (x, 0));
        rig.wait(60);
        rig.wait(60);
        selected(&rig).lines().count()
    };
    assert!(slow < 60, "{slow}");
    rig.button(MouseEventKind::Up, NONE, (x, 0));
    assert_eq!(rig.app.next_tick(), None);
}

#[test]
fn it_comes_the_faster_the_further_out_the_mouse_is() {
    let rows = |out: u16| {
        let mut rig = answered(50, 12);
        rig.app.transcript.go_to_start();
        rig.button(MouseEventKind::Down, NONE, (4, 4));
        let below = rig.frame().iter().position(|row| row.starts_with('─')).unwrap() as u16;
        rig.button(MouseEventKind::Drag, NONE, (4, below - 1 + out));
        for _ in 0..3 {
            rig.wait(50);
        }
        selected(&rig).lines().count()
    };
    assert!(
        rows(0) < rows(1) && rows(1) < rows(2),
        "{} {} {}",
        rows(0),
        rows(1),
        rows(2)
    );
}

#[test]
fn the_button_is_let_go_of_when_nobody_looks() {
    let mut rig = answered(50, 12);
    rig.button(MouseEventKind::Down, NONE, (5, 5));
    rig.button(MouseEventKind::Drag, NONE, (5, 0));
    rig.input(Input::Focus(false));
    assert_eq!(rig.app.next_tick(), None);
    let before = selected(&rig);
    rig.button(MouseEventKind::Drag, NONE, (9, 7));
    assert_eq!(selected(&rig), before);
}

#[test]
fn keys_select_what_the_mouse_can() {
    let mut rig = Rig::ready(60, 20);
    rig.reply("Where is it?");
    rig.key(KeyCode::Esc);
    rig.write("ggvw");
    assert_eq!(rig.key(KeyCode::Char('y')), copies("pico:"));
    rig.write("V");
    rig.key(KeyCode::Down);
    assert_eq!(rig.key(KeyCode::Char('y')), copies("pico: a demonstration\ndocs/"));
    rig.write("vl");
    rig.key(KeyCode::Esc);
    assert_eq!(selected(&rig), "");
    assert_eq!(
        rig.app.focus(),
        Focus::Conversation,
        "Esc dropped what was selected only"
    );
    rig.write("))");
    assert_eq!(
        rig.key(KeyCode::Char('y')),
        copies("Where is it?"),
        "the block under the cursor"
    );
}

#[test]
fn what_the_cursor_is_in_is_copied_first() {
    let mut rig = Rig::ready(60, 40);
    for (question, answer) in [("one", "first\n\n```\na()\n```\n\n```\nb()\n```\n"), ("two", "second")] {
        rig.question(question);
        rig.token(Channel::Answer, answer);
        rig.finish(StopReason::EndOfSequence);
    }
    let leader = |rig: &mut Rig, key: char| {
        rig.ctrl('x');
        rig.key(KeyCode::Char(key))
    };
    assert_eq!(leader(&mut rig, 'y'), copies("second"));
    assert_eq!(leader(&mut rig, 'b'), copies("second"));
    assert_eq!(leader(&mut rig, 'k'), copies("b()\n"));
    rig.key(KeyCode::Esc);
    rig.write("((");
    assert_eq!(leader(&mut rig, 'y'), copies("first\n\n```\na()\n```\n\n```\nb()\n```"));
    let (x, y) = find(&mut rig, "a()");
    rig.click_at(x, y);
    assert_eq!(leader(&mut rig, 'k'), copies("a()\n"));
}

#[test]
fn the_cursor_is_shown_where_one_reads() {
    let mut rig = Rig::ready(60, 20);
    rig.reply("Where is it?");
    rig.key(KeyCode::Esc);
    rig.write("((l");
    let (x, y) = find(&mut rig, "Where");
    let mut buf = rig.buffer();
    assert_eq!(rig.app.draw(buf.area, &mut buf), Some(Position::new(x + 1, y)));
    rig.write("]");
    rig.key(KeyCode::Enter);
    rig.shows("│ Let me look.");
    rig.key(KeyCode::Tab);
    rig.lacks("│ Let me look.");
    rig.key(KeyCode::Char('i'));
    rig.write("x");
    rig.shows("❯ x");
}

#[test]
fn edges_are_dragged_and_moved_by_keys() {
    let mut rig = Rig::ready(120, 20);
    rig.key(KeyCode::F(2));
    let edge = |rig: &mut Rig| rig.frame()[4].chars().position(|c| c == '│').map(|x| x as u16);
    let first = edge(&mut rig).unwrap();
    drag(&mut rig, &[(first, 4), (50, 9)]);
    assert_eq!(edge(&mut rig), Some(50));
    drag(&mut rig, &[(50, 4), (119, 4), (60, 4)]);
    assert_eq!(edge(&mut rig), Some(60), "back from the end of the screen");
    drag(&mut rig, &[(60, 4), (0, 4)]);
    assert_eq!(edge(&mut rig), Some(19), "the least");
    let leader = |rig: &mut Rig, key: char| {
        rig.ctrl('x');
        rig.key(KeyCode::Char(key));
    };
    leader(&mut rig, '>');
    assert_eq!(edge(&mut rig), Some(23));
    leader(&mut rig, '<');
    leader(&mut rig, '<');
    assert_eq!(edge(&mut rig), Some(19));
    for _ in 0..50 {
        leader(&mut rig, '>');
    }
    assert_eq!(edge(&mut rig), Some(79), "the conversation keeps its least");
    rig.input(Input::Resize(Size::new(100, 20)));
    assert_eq!(edge(&mut rig), Some(59));
    leader(&mut rig, '=');
    rig.input(Input::Resize(Size::new(120, 20)));
    assert_eq!(edge(&mut rig), Some(first));
    rig.key(KeyCode::F(2));
    leader(&mut rig, '>');
    rig.shows("there is no pane beside the conversation");
}

#[test]
fn the_edge_of_the_inspector_too() {
    let mut rig = Rig::ready(120, 20);
    rig.press(KeyCode::Char('3'), KeyModifiers::ALT);
    let edge = |rig: &mut Rig| rig.frame()[4].chars().position(|c| c == '│').map(|x| x as u16);
    let first = edge(&mut rig).unwrap();
    drag(&mut rig, &[(first, 4), (70, 9)]);
    assert_eq!(edge(&mut rig), Some(70));
    rig.ctrl('x');
    rig.key(KeyCode::Char('>'));
    assert_eq!(edge(&mut rig), Some(66));
}

#[test]
fn a_click_in_the_field_puts_the_cursor_there() {
    let mut rig = Rig::ready(60, 20);
    rig.write("one 你好 two");
    rig.press(KeyCode::Enter, KeyModifiers::ALT);
    rig.write("three");
    rig.key(KeyCode::Esc);
    let (x, y) = find(&mut rig, "one");
    rig.click_at(x + 5, y);
    rig.write("X");
    assert_eq!(rig.app.composer.text(), "one X你好 two\nthree");
    rig.click_at(59, y + 1);
    rig.write("!");
    rig.shows("  three!");
}

#[test]
fn an_open_document_is_selected_and_copied_from() {
    let mut rig = Rig::new(60, 12);
    let text: String = (1..60).fold(String::new(), |text, line| text + &format!("line {line} of 你 it\n"));
    let pack = crate::context::Pack {
        documents: [super::super::super::viewer::testing::document("a.rs", &text)].into(),
        ..crate::context::Pack::default()
    };
    rig.event(Event::Documents(Documents {
        pack: pack.into(),
        ..Documents::default()
    }));
    rig.ask("/open a.rs");
    let (x, y) = find(&mut rig, "line 2 ");
    drag(&mut rig, &[(x + 5, y), (x + 3, y + 1)]);
    assert_eq!(rig.key(KeyCode::Char('y')), copies("2 of 你 it\nline"));
    rig.click_at(x, y);
    rig.click_at(x, y);
    assert_eq!(rig.key(KeyCode::Char('y')), copies("line"));
    rig.now += Duration::from_secs(1);
    rig.click_at(x, y);
    assert_eq!(
        rig.key(KeyCode::Char('y')),
        copies("line 2 of 你 it"),
        "the line of the cursor"
    );
    rig.write("vlllj");
    assert_eq!(rig.key(KeyCode::Char('y')), copies("line 2 of 你 it\nline"));
    rig.write("Vj");
    assert_eq!(rig.key(KeyCode::Char('y')), copies("line 3 of 你 it\nline 4 of 你 it"));
    rig.write("v");
    rig.key(KeyCode::Esc);
    rig.shows("a.rs");
    rig.button(MouseEventKind::Down, NONE, (x, 3));
    rig.button(MouseEventKind::Drag, NONE, (x, 11));
    for _ in 0..100 {
        rig.wait(50);
    }
    rig.shows("line 59");
    rig.button(MouseEventKind::Up, NONE, (x, 11));
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Esc);
    rig.lacks("line 59");
}

#[test]
fn the_scroll_bar_can_be_dragged() {
    let mut rig = answered(50, 12);
    let bar = |rig: &mut Rig| -> Vec<u16> {
        let buf = rig.buffer();
        (0..12).filter(|&y| buf[(49, y)].symbol() == "▐").collect()
    };
    let at_end = bar(&mut rig);
    let low = *at_end.last().unwrap();
    assert!(rig.app.transcript.is_following());
    rig.button(MouseEventKind::Down, NONE, (49, low));
    rig.button(MouseEventKind::Drag, NONE, (45, 0));
    assert_eq!(
        rig.app.transcript.first_spot().0,
        0,
        "at the beginning, wherever the mouse is to the side"
    );
    assert!(bar(&mut rig).contains(&0));
    rig.button(MouseEventKind::Drag, NONE, (49, 4));
    let middle = rig.app.transcript.position().unwrap().0;
    assert!(middle > 0 && !rig.app.transcript.is_following());
    rig.button(MouseEventKind::Drag, NONE, (49, 11));
    assert!(rig.app.transcript.is_following());
    rig.button(MouseEventKind::Up, NONE, (49, 11));
    assert_eq!(selected(&rig), "", "nothing was selected by it");
    // A press beside the thumb brings it there.
    rig.click_at(49, 0);
    assert_eq!(rig.app.transcript.position().unwrap().0, 0);
}

#[test]
fn what_is_written_is_selected_with_the_mouse() {
    let mut rig = Rig::ready(60, 20);
    rig.write("one two three");
    let (x, y) = find(&mut rig, "one two");
    drag(&mut rig, &[(x + 4, y), (x + 7, y)]);
    let buf = rig.buffer();
    let marked: String = (0..60)
        .filter(|&x| buf[(x, y)].modifier.contains(Modifier::REVERSED))
        .map(|x| buf[(x, y)].symbol().to_owned())
        .collect();
    assert_eq!(marked, "two");
    assert_eq!(rig.press(KeyCode::Char('w'), KeyModifiers::ALT), copies("two"));
    rig.write("2");
    assert_eq!(rig.app.composer.text(), "one 2 three");
    rig.click_at(x + 1, y);
    rig.click_at(x + 1, y);
    rig.key(KeyCode::Backspace);
    assert_eq!(rig.app.composer.text(), " 2 three");
    rig.app.setup.settings.ui.copy_on_select = true;
    let (x, y) = find(&mut rig, "three");
    assert_eq!(drag(&mut rig, &[(x, y), (x + 5, y)]), copies("three"));
}
