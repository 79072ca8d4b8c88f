//! The ledger, as a person sees it.

use super::super::Focus;
use super::*;

/// Three turns, the second of which thinks most.
fn asked(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    for (question, tokens) in [("Where is it?", 3), ("And why\nthere?", 30), ("Who?", 10)] {
        rig.question(question);
        for _ in 0..tokens {
            rig.token(Channel::Thinking, "hm, so.\n\n");
        }
        rig.token(Channel::Answer, "There.");
        rig.finish(StopReason::EndOfSequence);
    }
    rig
}

fn open(rig: &mut Rig) {
    rig.ctrl('x');
    rig.key(KeyCode::Char('l'));
}

/// The questions from top to bottom, and that on which the cursor is.
fn lines(rig: &mut Rig) -> Vec<String> {
    let frame = rig.frame();
    let table = frame.iter().skip(1).take(3);
    table
        .map(|row| row.split_whitespace().nth(1).unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn all_thinking_is_listed_sorted_and_gone_to() {
    let mut rig = asked(100, 8);
    open(&mut rig);
    let frame = rig.frame();
    assert!(
        frame[0].contains("question") && frame[0].contains("tokens") && frame[0].contains("entropy"),
        "{frame:#?}"
    );
    assert_eq!(lines(&mut rig), ["Where", "And", "Who?"]);
    let first = &frame[1];
    assert!(
        first.contains(" 3 ") && first.contains("95%") && first.contains("1.00") && first.contains("tok/s"),
        "{first}"
    );
    rig.key(KeyCode::Char('s'));
    rig.key(KeyCode::Char('s'));
    assert_eq!(lines(&mut rig), ["And", "Who?", "Where"], "by tokens, most first");
    rig.shows("tokens▼");
    rig.key(KeyCode::Char('S'));
    assert_eq!(lines(&mut rig), ["Where", "Who?", "And"]);
    rig.click("question");
    assert_eq!(lines(&mut rig), ["And", "Where", "Who?"]);
    rig.key(KeyCode::Char('g'));
    rig.key(KeyCode::Enter);
    assert!(rig.app.ledger.is_none());
    assert_eq!(rig.app.focus(), Focus::Conversation);
    let frame = rig.frame();
    assert!(frame[0].starts_with("▸ thought 3.0 s · 30 tok"), "{frame:#?}");
}

#[test]
fn a_click_chooses_another_goes_there_and_one_outside_closes() {
    let mut rig = asked(100, 24);
    open(&mut rig);
    rig.click("And why");
    assert!(rig.app.ledger.is_some());
    rig.click("And why");
    assert!(rig.app.ledger.is_none());
    rig.shows("▸ thought 3.0 s · 30 tok");
    open(&mut rig);
    rig.click_at(1, 23);
    assert!(rig.app.ledger.is_none());
    open(&mut rig);
    rig.key(KeyCode::Esc);
    assert!(rig.app.ledger.is_none());
}

#[test]
fn what_is_being_thought_is_in_it() {
    let mut rig = asked(60, 12);
    open(&mut rig);
    rig.question("More?");
    rig.token(Channel::Thinking, "Let me see");
    rig.shows("More?");
    rig.shows("…");
}

#[test]
fn nothing_is_drawn_amiss_at_any_size() {
    for (width, height) in [(1, 1), (2, 2), (9, 3), (40, 12), (80, 24), (200, 60)] {
        let mut rig = asked(width, height);
        open(&mut rig);
        rig.screen();
        for key in ['j', 's', 'S', 'G', 'k'] {
            rig.key(KeyCode::Char(key));
            rig.screen();
        }
        rig.key(KeyCode::Enter);
        rig.screen();
    }
    let mut rig = Rig::ready(80, 24);
    open(&mut rig);
    rig.shows("nothing has been thought yet");
    rig.key(KeyCode::Enter);
}
