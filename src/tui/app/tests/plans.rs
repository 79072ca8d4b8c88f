//! Changes to the documents: planned, shown with their price, made or forgotten.

use super::super::super::documents::testing::pack;
use super::*;
use crate::conversation::{Cause, Planned};

fn planned(id: u64, cause: Cause) -> Planned {
    Planned {
        id,
        cause,
        added: Vec::new(),
        removed: Vec::new(),
        changed: Vec::new(),
        refused: Vec::new(),
        tokens: 53_633,
        context_limit: 100_000,
        prefill: 12_400,
        prompt: 53_640,
        ms: None,
    }
}

fn asked(id: u64) -> Event {
    Event::Planned(Planned {
        added: vec!["lib/a.rs".into(), "lib/b.rs".into(), "lib/c.rs".into()],
        removed: vec!["old.rs".into()],
        ..planned(id, Cause::Asked)
    })
}

fn changed(id: u64) -> Event {
    Event::Planned(Planned {
        changed: vec!["a.rs".into(), "src/b.rs".into(), "c.rs".into()],
        ..planned(id, Cause::Changed)
    })
}

/// With documents that were read at 1,000 tokens a second.
fn ready(width: u16, height: u16) -> Rig {
    let mut rig = Rig::new(width, height);
    rig.pack(&[("a.rs", 1_000), ("src/b.rs", 500), ("src/d.rs", 500)], Vec::new());
    rig.prefill(2_100, 2_100);
    rig.finish(StopReason::Prefilled);
    rig
}

fn load(names: &[&str]) -> Change {
    Change {
        load: names.iter().map(|&name| name.to_owned()).collect(),
        ..Change::default()
    }
}

fn unload(names: &[&str]) -> Change {
    Change {
        unload: names.iter().map(|&name| name.to_owned()).collect(),
        ..Change::default()
    }
}

#[test]
fn commands_ask_for_plans() {
    let mut rig = ready(80, 24);
    assert_eq!(
        rig.ask("/load lib 'my file.md'"),
        [Effect::Plan(load(&["lib", "my file.md"]))]
    );
    rig.shows("⋯ working out what it costs to load lib, my file.md\n");
    assert!(rig.app.next_tick().is_some());
    rig.wait(3_000);
    rig.shows("my file.md 0:03");
    rig.event(asked(1));
    assert_eq!(
        rig.ask("/unload src a.rs"),
        [Effect::Discard(1), Effect::Plan(unload(&["src", "a.rs"]))]
    );
    rig.event(asked(2));
    let include = Change {
        include: vec!["x".into()],
        ..Change::default()
    };
    assert_eq!(rig.ask("/include x"), [Effect::Discard(2), Effect::Plan(include)]);
    assert_eq!(rig.ask("/reload"), [Effect::Plan(Change::default())]);
    rig.shows("working out what it costs to read everything again");
    assert_eq!(rig.ask("/load"), []);
    rig.shows("! say what to load: /load NAME…");
    assert_eq!(rig.ask("/load 'x"), []);
    rig.shows("! the quotation mark ' is not closed");
}

#[test]
fn a_plan_is_shown_with_its_price_and_made() {
    let mut rig = ready(100, 24);
    rig.ask("/load lib");
    rig.event(asked(7));
    rig.lacks("working out");
    rig.shows(concat!(
        "add 3 files, remove 1: checkpoint at 41,240 of 53,640: replay 12,400 tokens, about 12 s\n",
        "Enter to apply, Esc to forget\n",
        "  + lib/a.rs, lib/b.rs, lib/c.rs\n",
        "  - old.rs\n────"
    ));
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Apply(7)]);
    rig.shows("⋯ changing the documents");
    assert_eq!(rig.key(KeyCode::Enter), []);
    rig.pack(&[("lib/a.rs", 5)], Vec::new());
    rig.lacks("changing the documents");
}

#[test]
fn yes_and_no_have_letters_while_nothing_is_written() {
    let mut rig = ready(80, 24);
    rig.event(asked(1));
    assert_eq!(rig.key(KeyCode::Char('n')), [Effect::Discard(1)]);
    rig.lacks("to apply");
    rig.event(asked(2));
    rig.write("x");
    rig.write("yn");
    assert_eq!(rig.key(KeyCode::Enter), ask("xyn"), "a question is a question");
    assert_eq!(rig.key(KeyCode::Char('y')), [Effect::Apply(2)]);
    rig.event(asked(3));
    rig.write("x");
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Discard(3)]);
    assert_eq!(rig.app.composer.text(), "x");
}

#[test]
fn what_does_not_fit_can_only_be_forgotten() {
    let mut rig = ready(80, 24);
    let Event::Planned(plan) = asked(4) else { unreachable!() };
    rig.event(Event::Planned(Planned {
        tokens: 112_345,
        ..plan
    }));
    rig.shows("add 3 files, remove 1: 112,345 tokens are 12,345 more than the context has");
    assert_eq!(rig.key(KeyCode::Enter), []);
    assert_eq!(rig.key(KeyCode::Char('y')), []);
    rig.shows("than the context has\nEsc to forget\n");
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Discard(4)]);
}

#[test]
fn refusals_are_told_with_their_reason() {
    let mut rig = ready(80, 24);
    let refused = |n: usize| {
        (0..n)
            .map(|n| Skipped::new(format!("x{n}.bin"), Exclusion::Binary, "binary"))
            .collect::<Vec<_>>()
    };
    let Event::Planned(plan) = asked(1) else { unreachable!() };
    rig.event(Event::Planned(Planned {
        refused: refused(5),
        ..plan
    }));
    rig.shows("  x0.bin stays out: binary\n  x1.bin stays out: binary\n  x2.bin stays out: binary\n  2 more stay out");
    let nothing = Planned {
        refused: refused(1),
        ..planned(2, Cause::Asked)
    };
    rig.key(KeyCode::Esc);
    let effects = rig.input(Input::Conversation(Event::Planned(nothing)));
    assert_eq!(effects, [Effect::Discard(2)], "so that the disk is looked at again");
    rig.shows("· the documents would stay as they are\n  x0.bin stays out: binary");
    assert_eq!(rig.key(KeyCode::Enter), []);
    rig.ask("/load nowhere");
    rig.event(Event::PlanFailed {
        message: "nowhere: there is no such file".into(),
    });
    rig.shows("! nowhere: there is no such file");
    rig.lacks("working out");
}

#[test]
fn what_changes_on_the_disk_is_said_and_taken_in_by_a_key() {
    let mut rig = ready(80, 24);
    rig.write("half a quest");
    rig.event(changed(5));
    rig.shows(
        "3 files changed: press r to reload; checkpoint at 41,240 of 53,640: replay\n12,400 tokens, about 12 s\n───",
    );
    rig.write("r");
    assert_eq!(
        rig.app.composer.text(),
        "half a questr",
        "it takes no key from what is being written"
    );
    rig.ctrl('u');
    assert_eq!(rig.key(KeyCode::Char('r')), [Effect::Apply(5)]);
    rig.lacks("press r");

    let mut rig = ready(120, 24);
    rig.key(KeyCode::F(2));
    rig.event(changed(6));
    rig.shows("≠ a.rs");
    rig.shows("≠ src/");
    rig.shows("● d.rs");
    assert_eq!(rig.key(KeyCode::Char('r')), [Effect::Apply(6)]);
    rig.pack(&[("a.rs", 1)], Vec::new());
    rig.lacks("≠");
    rig.key(KeyCode::Tab);
    rig.event(changed(7));
    assert_eq!(rig.ask("/reload"), [Effect::Apply(7)]);
    rig.event(Event::Planned(Planned {
        removed: vec!["a.rs".into()],
        added: vec!["n".into()],
        prefill: 0,
        ..planned(8, Cause::Changed)
    }));
    rig.pack(&[("a.rs", 1)], Vec::new());
    rig.event(Event::Planned(Planned {
        removed: vec!["a.rs".into()],
        added: vec!["n".into()],
        tokens: 100_001,
        ..planned(8, Cause::Changed)
    }));
    rig.shows("1 file new, 1 gone: with them the documents would be 1 token too long");
    assert_eq!(rig.ask("/reload"), []);
    rig.event(Event::Planned(planned(9, Cause::Changed)));
    rig.lacks("with them");
}

#[test]
fn a_plan_that_is_not_kept_any_more_is_asked_for_again() {
    let mut rig = ready(80, 24);
    rig.ask("/load lib");
    rig.event(asked(1));
    rig.event(changed(2));
    rig.shows("3 files changed: press r");
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Plan(load(&["lib"]))]);
    rig.event(asked(3));
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Apply(3)]);

    let mut rig = ready(80, 24);
    rig.event(changed(1));
    rig.ask("/load lib");
    rig.event(asked(2));
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Discard(2)]);
    assert_eq!(rig.key(KeyCode::Char('r')), [Effect::Plan(Change::default())]);
}

#[test]
fn the_newest_change_is_the_one_that_is_waited_for() {
    let mut rig = ready(80, 24);
    rig.ask("/load a");
    rig.ask("/load b");
    rig.shows("to load b");
    rig.event(asked(2));
    rig.lacks("working out");
    rig.shows("Enter to apply");
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Apply(2)]);
}

#[test]
fn what_was_planned_for_other_documents_is_planned_anew() {
    let mut rig = Rig::new(80, 24);
    rig.ask("/load lib");
    rig.event(asked(1));
    let documents = Documents {
        pack: pack(&[("a.rs", 10)]).into(),
        ..Documents::default()
    };
    let effects = rig.input(Input::Conversation(Event::Documents(documents)));
    assert_eq!(effects, [Effect::Discard(1), Effect::Plan(load(&["lib"]))]);
}

#[test]
fn a_change_while_a_reply_is_written_waits_for_it() {
    let mut rig = ready(80, 24);
    rig.question("q");
    rig.ask("/load lib");
    rig.event(asked(1));
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Apply(1)]);
    rig.shows("⋯ applied when the reply is done");
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Cancel]);
    rig.finish(StopReason::Cancelled);
    rig.pack(&[("lib/a.rs", 5)], Vec::new());
    rig.lacks("applied when");
}

#[test]
fn the_pane_takes_out_and_takes_in() {
    let mut rig = ready(80, 24);
    let mut hidden = Skipped::new("src/.env", Exclusion::Hidden, "hidden");
    hidden.tokens = Some(77);
    rig.pack(
        &[("a.rs", 1_000), ("src/b.rs", 600), ("src/d.rs", 500)],
        vec![hidden, Skipped::new("x.png", Exclusion::Image, "an image")],
    );
    rig.key(KeyCode::F(2));
    // In the order src, b.rs, d.rs, .env, a.rs, x.png.
    assert_eq!(rig.key(KeyCode::Char('d')), [Effect::Plan(unload(&["src"]))]);
    rig.event(asked(1));
    rig.shows("to apply");
    assert_eq!(rig.key(KeyCode::Char('y')), [Effect::Apply(1)]);
    rig.key(KeyCode::Char('j'));
    rig.key(KeyCode::Char(' '));
    rig.key(KeyCode::Char('j'));
    rig.key(KeyCode::Char('j'));
    rig.key(KeyCode::Char(' '));
    rig.shows("2 marked, 1,600 tokens");
    assert_eq!(
        rig.key(KeyCode::Char('d')),
        [Effect::Plan(unload(&["a.rs", "src/b.rs"]))]
    );
    rig.lacks("marked");
    assert_eq!(rig.key(KeyCode::Char('i')), []);
    rig.shows("x.png cannot be taken in: an image");
    assert_eq!(rig.key(KeyCode::Char('d')), []);
    rig.shows("this is not loaded");
    rig.key(KeyCode::Char('g'));
    let include = Change {
        include: vec!["src/.env".into()],
        ..Change::default()
    };
    assert_eq!(
        rig.key(KeyCode::Char('i')),
        [Effect::Plan(include)],
        "all that a folder leaves out"
    );
    rig.key(KeyCode::Char('a'));
    assert_eq!(rig.app.composer.text(), "/load ");
}

#[test]
fn nothing_is_agreed_to_whose_price_cannot_be_seen() {
    let mut rig = ready(1, 1);
    rig.event(asked(1));
    assert_eq!(rig.key(KeyCode::Enter), []);
    for (width, height) in [(40, 12), (80, 24), (120, 40), (200, 60), (1, 4)] {
        let mut rig = ready(width, height);
        rig.event(asked(1));
        rig.event(changed(2));
        rig.screen();
    }
    let mut rig = ready(40, 12);
    rig.event(asked(1));
    rig.shows("add 3 files, remove 1: checkpoint at\n41,240 of 53,640: replay 12,400 tokens,\nabout 12 s\nEnter to apply, Esc to forget\n");
    rig.shows("❯ Ask");
}

#[test]
fn after_the_end_nothing_is_planned() {
    let mut rig = ready(80, 24);
    rig.ask("/load lib");
    rig.input(Input::ConversationEnded(None));
    rig.lacks("working out");
    assert_eq!(rig.ask("/load lib"), []);
    rig.shows("nothing can be loaded any more");
}

#[test]
fn a_plan_that_is_being_worked_out_can_be_stopped() {
    let mut rig = ready(80, 24);
    rig.write("/load lib");
    rig.key(KeyCode::Enter);
    rig.shows("working out what it costs");
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Cancel]);
    rig.event(Event::PlanFailed {
        message: "loading the documents was cancelled".into(),
    });
    rig.lacks("working out");
    assert_eq!(rig.key(KeyCode::Esc), []);
}

#[test]
fn what_was_made_of_the_documents_is_known_and_what_failed_is_not() {
    let mut rig = ready(90, 20);
    rig.ask("/load a");
    rig.event(asked(1));
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Apply(1)]);
    assert_eq!(rig.app.changes(), []);
    rig.pack(&[("a", 1_000)], Vec::new());
    rig.finish(StopReason::Prefilled);
    assert_eq!(rig.app.changes(), [load(&["a"])]);
    rig.ask("/load b");
    rig.event(asked(2));
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Apply(2)]);
    rig.event(Event::Failed {
        message: "out of memory".into(),
    });
    rig.pack(&[("a", 1_000)], Vec::new());
    assert_eq!(rig.app.changes(), [load(&["a"])]);
}
