//! Thinking by its segments: marked, folded, found in the outline and in the map.

use std::time::Instant;

use ratatui::style::Modifier;

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
fn an_outline_that_is_closed_gives_the_keys_back_to_what_had_them() {
    let mut rig = read(80, 24);
    for reading in [true, false] {
        let before = if reading { Focus::Conversation } else { Focus::Composer };
        for close in ["esc", "q", "again", "click"] {
            rig.app.focus_on(before);
            rig.ctrl('x');
            rig.key(KeyCode::Char('o'));
            rig.shows("╭─ outline ");
            match close {
                "esc" => drop(rig.key(KeyCode::Esc)),
                "q" => rig.keys("q"),
                "again" => {
                    rig.ctrl('x');
                    rig.key(KeyCode::Char('o'));
                }
                _ => drop(rig.click_at(1, 23)),
            }
            rig.lacks("╭─ outline ");
            assert_eq!(rig.app.focus(), before, "{close}");
        }
    }
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
    rig.key(KeyCode::Char('G'));
    rig.question("again?");
    for (index, probability) in [0.95, 0.8, 0.6, 0.3, 0.1].into_iter().enumerate() {
        rig.event(unsure(index, "token ", probability));
    }
    let frame = rig.frame();
    let row = frame
        .iter()
        .position(|row| row.contains("token token"))
        .expect("it is shown") as u16;
    let buffer = rig.buffer();
    let column = |token: u16| &buffer[(4 + token * 6, row)].modifier;
    assert!(column(1).contains(Modifier::ITALIC) && column(2).contains(Modifier::UNDERLINED));
    assert!(column(3).contains(Modifier::BOLD) && column(4).contains(Modifier::REVERSED));
    assert!(!column(0).intersects(Modifier::ITALIC | Modifier::UNDERLINED | Modifier::REVERSED));
}

fn unsure(index: usize, text: &str, probability: f32) -> Event {
    Event::Token(Token {
        index,
        id: 7,
        text: text.into(),
        channel: Channel::Thinking,
        probability,
        entropy: 1.0 - probability,
        elapsed: Duration::from_millis(10 * index as u64),
        forced: false,
    })
}

/// `cargo test --release --lib -- --ignored --nocapture what_a_long_thought_costs`
#[test]
#[ignore = "measures, and promises nothing"]
fn what_a_long_thought_costs() {
    const TOKENS: usize = 80_000;
    let mut rig = Rig::ready(200, 60);
    let times = |rig: &mut Rig, mut step: Box<dyn FnMut(&mut Rig)>| {
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                step(rig);
                let began = Instant::now();
                rig.buffer();
                began.elapsed()
            })
            .collect();
        times.sort();
        (times[0], times[100], times[197])
    };
    println!("a frame of nothing {:?}", times(&mut rig, Box::new(|_| ())));
    rig.press(KeyCode::Char('3'), KeyModifiers::ALT);
    println!("with inspector {:?}", times(&mut rig, Box::new(|_| ())));
    rig.app.transcript.set_heat(true);
    rig.question("why?");
    let text = |index: usize| match index % 100 {
        0 => "\n\nWait,".to_owned(),
        50 => ".\n\n".to_owned(),
        _ if index.is_multiple_of(12) => ". The".to_owned(),
        _ => format!(" w{}", index % 977),
    };
    let began = Instant::now();
    for index in 0..TOKENS {
        rig.event(unsure(index, &text(index), (index % 97) as f32 / 97.0));
    }
    let append = began.elapsed() / TOKENS as u32;
    let live = times(&mut rig, Box::new(|rig| rig.event(unsure(TOKENS, " more", 0.5))));
    rig.finish(StopReason::EndOfSequence);
    rig.press(KeyCode::Esc, KeyModifiers::NONE);
    rig.app
        .transcript
        .set_default_fold(Some(crate::tui::transcript::Fold::Full));
    let trace = &rig
        .app
        .transcript
        .blocks()
        .iter()
        .find_map(Block::thought)
        .unwrap()
        .trace;
    let (bytes, memory, segments) = (trace.text().len(), trace.memory(), trace.segment_count());
    println!("{segments} segments, {bytes} bytes; beside the text {memory} bytes");
    println!("append {append:?} a token; a frame while it grows {live:?} (least, median, p99)");
    for heat in [true, false] {
        let mut at = 0;
        let go = move |rig: &mut Rig| {
            rig.app.transcript.set_heat(heat);
            at = (at + 7919 * 61) % bytes;
            let id = rig.app.transcript.thinking().unwrap();
            rig.app.transcript.go_to_byte(id, at);
        };
        println!(
            "a frame anywhere, with heat {heat}: {:?}",
            times(&mut rig, Box::new(go))
        );
    }
}
