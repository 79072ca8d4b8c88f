//! Thinking by its segments: marked, folded, found in the outline and in the map.

use ratatui::style::Modifier;

use super::super::super::theme::Part;
use super::*;

/// A long thought of segments, the third of which turns, and the answer after it.
fn thought(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    rig.question("why?");
    for part in 0..6 {
        let begin = match part {
            0 => "## The plan\n".to_owned(),
            2 => "Wait, this is the third.\n".to_owned(),
            _ => format!("{part}. Step {part} begins.\n"),
        };
        rig.token(Channel::Thinking, &begin);
        for line in 0..8 {
            rig.token(Channel::Thinking, &format!("Part {part} line {line} goes on.\n"));
        }
        rig.token(Channel::Thinking, "\n");
    }
    rig.token(Channel::Answer, "So it is.");
    rig.finish(StopReason::EndOfSequence);
    rig
}

/// Reading the thought from its beginning.
fn read(width: u16, height: u16) -> Rig {
    let mut rig = thought(width, height);
    rig.key(KeyCode::Esc);
    rig.key(KeyCode::Tab);
    rig.keys("g g");
    rig
}

impl Rig {
    fn keys(&mut self, keys: &str) {
        for key in keys.split(' ') {
            self.key(KeyCode::Char(key.chars().next().unwrap()));
        }
    }

    /// The rows with a text.
    fn rows_with(&mut self, text: &str) -> Vec<String> {
        let frame = self.frame();
        frame.into_iter().filter(|row| row.contains(text)).collect()
    }
}

#[test]
fn segments_fold_one_by_one_and_together() {
    let mut rig = read(80, 30);
    rig.shows("▾ │ ## The plan\n  │ Part 0 line 0");
    rig.keys("z M");
    rig.shows("▸ │ The plan · 10 tok · 1.0 s\n");
    rig.shows("▸↺│ Wait, this is the third.");
    assert_eq!(rig.rows_with("▸").len(), 6);
    assert!(rig.rows_with("Wait, this")[0].contains(" · 10 tok · 1.0 s · 1 ↺"));
    rig.keys("z R");
    rig.shows("  │ Part 1 line 3 goes on.");
    let shown = rig.frame()[..28].to_vec();
    let folded = rig.rows_with("1. Step 1 begins");
    let row = rig.frame().iter().position(|row| *row == folded[0]).unwrap() as u16;
    rig.click_at(0, row);
    rig.shows("▸ │ 1. Step 1 begins. Part 1 line 0");
    rig.lacks("Part 1 line 3");
    rig.click_at(0, row);
    assert_eq!(rig.frame()[..28], shown, "nothing is lost");
}

#[test]
fn a_turn_in_a_folded_segment_is_unfolded_by_going_there() {
    let mut rig = read(80, 24);
    rig.keys("z M");
    rig.keys("}");
    rig.shows("▾↺│ Wait, this is the third.\n  │ Part 2 line 0");
    assert_eq!(rig.rows_with("▸ ").len(), 5);
}

#[test]
fn the_outline_shows_goes_and_folds() {
    let mut rig = read(140, 30);
    rig.press(KeyCode::Char('3'), KeyModifiers::ALT);
    rig.shows("outline · 6 segments");
    rig.shows("60 tok · 6.0 s · 10 tok/s");
    rig.shows("1 ↺ · p 0.95 · 1.00 nats");
    rig.shows("▶# The plan");
    rig.shows(" ↺ Wait, this is the th…");
    rig.keys("G");
    rig.key(KeyCode::Enter);
    rig.shows("▾ │ 5. Step 5 begins.");
    rig.lacks("Part 0 line 0");
    rig.keys("g j f");
    assert_eq!(rig.rows_with("▸ │").len() + rig.rows_with("▸↺│").len(), 5);
    rig.shows("▾ │ 1. Step 1 begins. ");
    rig.click("↺ Wait, this is the th");
    rig.shows("▾↺│ Wait, this is the third.");
}

#[test]
fn the_outline_lies_over_a_narrow_conversation_and_filters() {
    let mut rig = read(80, 24);
    rig.ctrl('x');
    rig.key(KeyCode::Char('o'));
    rig.shows("╭─ outline ");
    rig.keys("/");
    rig.write("STEP 4");
    rig.shows("4. Step 4 begins.");
    rig.lacks("5. Step 5 begins.");
    rig.key(KeyCode::Enter);
    rig.key(KeyCode::Enter);
    rig.lacks("outline");
    rig.shows("▾ │ 4. Step 4 begins.");
    assert_eq!(rig.app.focus(), Focus::Conversation);
}

#[test]
fn the_map_is_clicked_and_walked() {
    let mut rig = read(140, 30);
    rig.press(KeyCode::Char('3'), KeyModifiers::ALT);
    let frame = rig.frame();
    let row = frame.iter().position(|row| row.contains("█████")).unwrap();
    let first = frame[row].chars().position(|c| c == '█').unwrap();
    rig.click_at((first + 35) as u16, row as u16);
    rig.lacks("Part 0 line 0");
    let shown = rig.screen();
    rig.key(KeyCode::Left);
    assert_ne!(rig.screen(), shown);
}

#[test]
fn heat_is_seen_without_colour_and_goes_again() {
    let mut rig = read(80, 24);
    rig.app.set_theme(Theme::built_in("mono").unwrap());
    let before = rig.buffer();
    rig.ctrl('x');
    rig.key(KeyCode::Char('h'));
    let sure = rig.buffer();
    assert_eq!(before, sure, "what is sure looks as always");
    for (least, part) in [(0.95, Part::Heat1), (0.1, Part::Heat5)] {
        let style = rig.app.setup.theme.style(part);
        assert_eq!(style.add_modifier.contains(Modifier::REVERSED), least < 0.5);
    }
}

#[test]
fn all_thinking_is_shown_as_chosen_but_what_was_chosen_for_one() {
    let mut rig = thought(80, 24);
    rig.shows("▸ thought");
    rig.lacks("Part 5");
    for text in [
        "folded, with its last rows",
        "in a window",
        "in full",
        "in a window while it is live",
    ] {
        rig.ctrl('x');
        rig.key(KeyCode::Char('t'));
        rig.shows(&format!("thinking is shown {text}"));
    }
    rig.key(KeyCode::Tab);
    rig.ctrl('x');
    rig.key(KeyCode::Char('t'));
    rig.key(KeyCode::Home);
    rig.shows("▾ thought");
}

#[test]
fn a_loop_is_told_while_it_grows() {
    let mut rig = Rig::ready(100, 24);
    rig.question("why?");
    for index in 0..250 {
        rig.event(Event::Token(Token {
            index,
            id: 7,
            text: "again ".into(),
            channel: Channel::Thinking,
            probability: 0.999,
            entropy: 0.0,
            elapsed: Duration::from_millis(10 * index as u64),
            forced: false,
        }));
    }
    rig.shows("250/80,000 tok");
    rig.shows("250/3,000 certain in a row");
}
