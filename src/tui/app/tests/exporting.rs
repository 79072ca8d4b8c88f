//! Writing what was said to a file.

use super::super::super::export::{Outcome, Writing, Written};
use super::*;

fn writing(effects: Vec<Effect>) -> Writing {
    match <[Effect; 1]>::try_from(effects) {
        Ok([Effect::Write(writing)]) => writing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_conversation_or_a_trace_is_exported() {
    let mut rig = Rig::ready(80, 24);
    assert_eq!(rig.ask("/export"), []);
    rig.shows("nothing has been said yet");
    rig.reply("Where?");
    let all = writing(rig.ask("/export"));
    assert!(all.any_name && all.path.ends_with("conversation.md"));
    assert!(
        all.text.contains("## Question\n\nWhere?\n\n## Thinking"),
        "{}",
        all.text
    );
    assert!(!all.text.contains("12 files"));
    let trace = writing(rig.ask("/export trace my trace.jsonl"));
    assert_eq!((trace.path.to_str(), trace.any_name), (Some("my trace.jsonl"), false));
    assert_eq!(trace.text.lines().count(), 1);
    assert_eq!(rig.ask("/export x.pdf"), []);
    rig.shows("x.pdf: a file to export to ends in .md or .jsonl");
    rig.ctrl('x');
    assert_eq!(writing(rig.key(KeyCode::Char('w'))), all);
}

#[test]
fn what_became_of_it_is_told_and_another_name_offered() {
    let mut rig = Rig::ready(80, 24);
    let told = |rig: &mut Rig, outcome| {
        rig.input(Input::Written(Written {
            what: "the trace",
            path: "x.md".into(),
            outcome,
        }));
    };
    told(&mut rig, Outcome::Done(1234));
    rig.shows("the trace is in x.md (1,234 bytes)");
    told(&mut rig, Outcome::Failed("No space left on device".into()));
    rig.shows("! x.md cannot be written: No space left on device");
    told(&mut rig, Outcome::Exists("x-2.md".into()));
    rig.shows("x.md is there already and stays as it is; x-2.md is free");
    assert_eq!(rig.app.composer.text(), "/export trace x-2.md");
    rig.app.composer.replace("mine");
    told(&mut rig, Outcome::Exists("x-3.md".into()));
    assert_eq!(rig.app.composer.text(), "mine");
}
