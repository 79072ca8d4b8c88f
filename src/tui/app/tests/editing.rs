//! What was said, in an editor.

use super::super::super::editor::{Edited, Editing, Purpose};
use super::*;

fn edit(name: &str, text: &str) -> Vec<Effect> {
    vec![Effect::Edit(Editing {
        text: text.into(),
        name: name.into(),
        purpose: Purpose::Look,
    })]
}

#[test]
fn what_was_said_last_goes_to_the_editor_and_the_selected_thinking_before_it() {
    let mut rig = Rig::ready(80, 24);
    assert_eq!(rig.ask("/view"), []);
    rig.shows("nothing has been said yet");
    rig.reply("Where?");
    assert_eq!(rig.ask("/view"), edit("answer.md", "\n\nAt src/x.rs:12."));
    assert_eq!(
        rig.ask("/view thinking"),
        edit("thinking.md", "Let me look.\nIt is in x.rs.")
    );
    rig.key(KeyCode::BackTab);
    assert_eq!(rig.ask("/view"), edit("thinking.md", "Let me look.\nIt is in x.rs."));
    assert_eq!(rig.ask("/view answer"), edit("answer.md", "\n\nAt src/x.rs:12."));
    assert_eq!(rig.ask("/view nonsense"), []);
    rig.shows("/view answer, thinking or segment, not nonsense");
}

#[test]
fn a_segment_goes_to_the_editor_by_itself() {
    let mut rig = Rig::ready(80, 24);
    assert_eq!(rig.ask("/view segment"), []);
    rig.shows("there is no segment of a thought to read");
    rig.question("q");
    rig.token(Channel::Thinking, "First this.\n\nWait, that.");
    assert_eq!(rig.ask("/view segment"), edit("segment.md", "Wait, that."));
    rig.press(KeyCode::Char('3'), KeyModifiers::ALT);
    rig.write("g");
    assert_eq!(rig.key(KeyCode::Char('e')), edit("segment.md", "First this."));
}

#[test]
fn an_editor_that_fails_is_told() {
    let mut rig = Rig::ready(80, 24);
    let edited = |text| {
        Input::Edited(Edited {
            purpose: Purpose::Look,
            text,
        })
    };
    rig.input(edited(Ok("changed".into())));
    rig.lacks("changed");
    rig.input(edited(Err("vi cannot be run".into())));
    rig.shows("! vi cannot be run");
}
