//! Turning points of thinking: counted, marked, walked through.

use super::*;

fn thought(width: u16, height: u16) -> Rig {
    let mut rig = Rig::ready(width, height);
    rig.ask("why?");
    rig.question("why?");
    for line in 0..40 {
        let text = match line {
            5 => "Wait, that was line five.\n".to_owned(),
            20 => "However, line twenty.\n".to_owned(),
            39 => "Actually, it is done.\n".to_owned(),
            _ => format!("Line {line} goes on.\n"),
        };
        // Tokens end anywhere.
        let (a, b) = text.split_at(3);
        rig.token(Channel::Thinking, a);
        rig.token(Channel::Thinking, b);
    }
    rig.token(Channel::Answer, "So it is.");
    rig.finish(StopReason::EndOfSequence);
    rig
}

#[test]
fn turning_points_are_counted_while_folded_and_marked_when_unfolded() {
    let mut rig = thought(80, 24);
    rig.shows("3 ↺");
    rig.lacks("↺│ ");
    rig.key(KeyCode::Tab);
    rig.shows("▾↺│ Wait, that was line five.");
    rig.shows("  │ Line 6 goes on.");
}

#[test]
fn one_walks_from_turn_to_turn() {
    let mut rig = thought(80, 16);
    let current = |rig: &mut Rig| -> Vec<String> {
        let frame = rig.frame();
        frame.into_iter().filter(|row| row.contains('↺')).collect()
    };
    rig.key(KeyCode::Char('{'));
    rig.shows("▾↺│ Actually, it is done.");
    rig.key(KeyCode::Char('{'));
    rig.shows("▾↺│ However, line twenty.");
    rig.shows("  │ Line 19 goes on.");
    rig.key(KeyCode::Char('{'));
    rig.shows("▾↺│ Wait, that was line five.");
    rig.key(KeyCode::Char('{'));
    rig.key(KeyCode::Char('}'));
    rig.shows("▾↺│ However, line twenty.");
    assert_eq!(current(&mut rig).len(), 1);
    rig.key(KeyCode::Char('}'));
    rig.shows("▾↺│ Actually, it is done.");
    let last = rig.screen();
    rig.key(KeyCode::Char('}'));
    assert_eq!(rig.screen(), last, "there is none further on");
    // In a question they are just letters.
    rig.write("x");
    rig.write("{}");
    assert_eq!(rig.app.composer.text(), "x{}");
}
