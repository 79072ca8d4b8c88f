//! Names that are offered while a question or a command is written.

use super::super::super::completion::Entry;
use super::*;
use crate::conversation::Question;

fn ready(width: u16, height: u16) -> Rig {
    let mut rig = Rig::new(width, height);
    let mut hidden = Skipped::new("src/.env", Exclusion::Hidden, "hidden");
    hidden.tokens = Some(77);
    rig.pack(
        &[
            ("README.md", 500),
            ("src/main.rs", 1_000),
            ("src/tui/app.rs", 4_000),
            ("src/tui/view.rs", 3_000),
            ("docs/my guide.md", 1_500),
        ],
        vec![hidden, Skipped::new("x.png", Exclusion::Image, "an image")],
    );
    rig.finish(StopReason::Prefilled);
    rig
}

/// The names that are offered, above the rule.
fn offered(rig: &Rig) -> Vec<String> {
    let offer = rig.app.completion.offer.as_ref();
    offer.map_or_else(Vec::new, |offer| {
        offer.found.iter().map(|found| found.name.clone()).collect()
    })
}

fn listed(path: &str, entries: &[&str]) -> Input {
    let entry = |name: &&str| Entry {
        name: name.trim_end_matches('/').to_owned(),
        is_folder: name.ends_with('/'),
    };
    Input::FolderListed {
        path: path.into(),
        entries: entries.iter().map(entry).collect(),
    }
}

#[test]
fn a_name_is_found_chosen_and_sent_without_its_mark() {
    let mut rig = ready(80, 24);
    rig.write("What does @");
    assert_eq!(offered(&rig)[..2], ["README.md", "src/"], "the least deep first");
    rig.write("tui");
    rig.shows(
        "  src/tui/         7,000 tokens\n  src/tui/app.rs   4,000 tokens\n  src/tui/view.rs  3,000 tokens\n────",
    );
    rig.key(KeyCode::Down);
    rig.ctrl('n');
    rig.key(KeyCode::Up);
    assert_eq!(rig.key(KeyCode::Tab), []);
    assert_eq!(rig.app.composer.text(), "What does @src/tui/app.rs ");
    assert_eq!(offered(&rig), [""; 0]);
    rig.write("do?");
    assert_eq!(rig.key(KeyCode::Enter), ask("What does src/tui/app.rs do?"));
    rig.shows("⋯ queued: What does @src/tui/app.rs do?");
    rig.event(Event::Question(Question {
        text: "What does src/tui/app.rs do?".into(),
        asked_as: None,
        ..Question::default()
    }));
    rig.shows("❯ What does @src/tui/app.rs do?");
}

#[test]
fn enter_takes_a_name_and_sends_one_that_is_written_out() {
    let mut rig = ready(80, 24);
    rig.write("@mainrs");
    assert_eq!(rig.key(KeyCode::Enter), []);
    assert_eq!(rig.app.composer.text(), "@src/main.rs ");
    rig.ctrl('u');
    rig.write("@src/main.rs");
    assert_eq!(rig.key(KeyCode::Enter), ask("src/main.rs"));
    rig.write("@guide");
    rig.key(KeyCode::Tab);
    assert_eq!(rig.app.composer.text(), "@\"docs/my guide.md\" ");
    assert_eq!(rig.key(KeyCode::Enter), ask("docs/my guide.md"));
}

#[test]
fn escape_closes_what_is_offered_and_cancels_nothing() {
    let mut rig = ready(80, 24);
    rig.question("q");
    rig.write("@ma");
    assert_eq!(rig.key(KeyCode::Esc), []);
    rig.write("i");
    assert_eq!(offered(&rig), [""; 0], "it stays closed for this word");
    assert_eq!(rig.key(KeyCode::Esc), [Effect::Cancel]);
    rig.write(" @ma");
    assert_eq!(offered(&rig), ["src/main.rs"]);
}

#[test]
fn what_is_recalled_or_only_passed_offers_nothing() {
    let mut rig = ready(80, 24);
    rig.ask("first");
    rig.write("@src/main.rs");
    rig.key(KeyCode::Enter);
    rig.key(KeyCode::Up);
    assert_eq!(rig.app.composer.text(), "@src/main.rs");
    assert_eq!(offered(&rig), [""; 0]);
    rig.key(KeyCode::Left);
    assert_eq!(offered(&rig), [""; 0]);
    rig.key(KeyCode::Up);
    assert_eq!(rig.app.composer.text(), "first");
    rig.ctrl('u');
    rig.write("me@main");
    assert_eq!(offered(&rig), [""; 0]);
}

#[test]
fn matched_characters_are_emphasised_and_the_choice_is_marked() {
    let mut rig = ready(80, 24);
    rig.write("@vie");
    let buf = rig.buffer();
    let row = rig
        .frame()
        .iter()
        .position(|row| row.contains("src/tui/view.rs"))
        .unwrap() as u16;
    let is_match = |x: u16| buf[(x, row)].modifier.contains(ratatui::style::Modifier::UNDERLINED);
    let emphasised: String = (0..30)
        .filter(|&x| is_match(x))
        .map(|x| buf[(x, row)].symbol())
        .collect();
    assert_eq!(emphasised, "vie");
    assert!(buf[(0, row)].modifier.contains(ratatui::style::Modifier::REVERSED));
}

#[test]
fn a_click_takes_a_name() {
    let mut rig = ready(80, 24);
    rig.write("@tui");
    let row = rig.frame().iter().position(|row| row.contains("view.rs")).unwrap();
    rig.click_at(5, row as u16);
    assert_eq!(rig.app.composer.text(), "@src/tui/view.rs ");
}

#[test]
fn commands_are_completed_with_documents_and_with_what_was_left_out() {
    let mut rig = ready(80, 24);
    rig.write("/unload tuiv");
    assert_eq!(offered(&rig), ["src/tui/view.rs"]);
    rig.key(KeyCode::Tab);
    rig.write("guide");
    rig.key(KeyCode::Tab);
    let unload = Change {
        unload: vec!["src/tui/view.rs".into(), "docs/my guide.md".into()],
        ..Change::default()
    };
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Plan(unload)]);
    rig.write("/include ");
    assert_eq!(offered(&rig), ["src/.env"], "an image cannot be taken in");
    let include = Change {
        include: vec!["e".into()],
        ..Change::default()
    };
    rig.write("e");
    assert_eq!(
        rig.key(KeyCode::Enter),
        [Effect::Plan(include)],
        "a command is carried out as it is written"
    );
}

#[test]
fn load_is_completed_from_the_disk_as_in_a_shell() {
    let mut rig = ready(80, 24);
    rig.write("/load");
    assert_eq!(rig.key(KeyCode::Char(' ')), [Effect::ListFolder(".".into())]);
    rig.input(listed(".", &["lib/", "library.md", ".git/", "other"]));
    assert_eq!(offered(&rig), ["lib/", "library.md", "other"]);
    rig.write("l");
    rig.key(KeyCode::Tab);
    assert_eq!(rig.app.composer.text(), "/load lib");
    assert_eq!(rig.key(KeyCode::Tab), [Effect::ListFolder("lib/".into())]);
    assert_eq!(rig.app.composer.text(), "/load lib/");
    rig.input(listed("elsewhere", &["no"]));
    assert_eq!(offered(&rig), [""; 0]);
    rig.input(listed("lib/", &["a file", "deep/"]));
    rig.write("a");
    rig.key(KeyCode::Tab);
    assert_eq!(rig.app.composer.text(), "/load 'lib/a file' ");
    let load = Change {
        load: vec!["lib/a file".into()],
        ..Change::default()
    };
    assert_eq!(rig.key(KeyCode::Enter), [Effect::Plan(load)]);
}

#[test]
fn names_are_offered_at_any_size_that_shows_them() {
    for (width, height) in [(40, 12), (80, 24), (120, 40), (200, 60), (10, 6)] {
        let mut rig = ready(width, height);
        rig.write("@view");
        rig.shows("view.rs");
        rig.key(KeyCode::Enter);
        assert_eq!(rig.app.composer.text(), "@src/tui/view.rs ");
    }
    let mut rig = ready(1, 1);
    rig.write("@view");
    rig.screen();
    assert_eq!(
        rig.key(KeyCode::Enter),
        ask("@view"),
        "what cannot be seen is not chosen"
    );
}
