use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use Context::{Composer, Conversation, Empty, Global, Panes};

/// A person's own bindings, each in a line of a file.
pub fn own(bindings: &[(&str, &str, &str)]) -> Vec<config::Binding> {
    let bindings = bindings.iter().enumerate();
    let own = bindings.map(|(index, (context, keys, action))| config::Binding {
        context: (*context).to_owned(),
        keys: (*keys).to_owned(),
        action: (*action).to_owned(),
        place: config::Place {
            file: "c.toml".into(),
            line: index,
            column: 1,
        },
    });
    own.collect()
}

fn pressed(keys: &str) -> Vec<Chord> {
    chords(keys).unwrap()
}

fn find(keymap: &Keymap, contexts: &[Context], keys: &str) -> Found {
    keymap.find(contexts, &pressed(keys))
}

#[test]
fn chords_are_read_as_they_are_written() {
    for name in [
        "a",
        "G",
        "}",
        "-",
        "<",
        "ctrl-x",
        "alt-1",
        "ctrl--",
        "space",
        "shift-tab",
        "shift-f6",
        "f12",
        "ctrl-home",
        "alt-enter",
        "ctrl-alt-delete",
        "pgup",
        "é",
        "shift-enter",
    ] {
        assert_eq!(pressed(name)[0].name(), name);
    }
    assert_eq!(written(&pressed("ctrl-x P")), "Ctrl-X P");
    assert_eq!(written(&pressed("alt-pgdn shift-tab f1")), "Alt-PgDn Shift-Tab F1");
    for wrong in ["", "f13", "ctrl-", "nope", "ctrl-nope", "f0", "\u{1b}"] {
        assert!(chords(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_is_pressed_is_what_is_written() {
    let (none, shift, control) = (KeyModifiers::NONE, KeyModifiers::SHIFT, KeyModifiers::CONTROL);
    for (code, modifiers, name) in [
        (KeyCode::Char('?'), shift, "?"),
        (KeyCode::Char('G'), shift, "G"),
        (KeyCode::Char('D'), control | shift, "ctrl-d"),
        (KeyCode::BackTab, none, "shift-tab"),
        (KeyCode::BackTab, shift, "shift-tab"),
        (KeyCode::Backspace, shift, "backspace"),
        (KeyCode::Up, shift, "shift-up"),
        (KeyCode::Char(' '), none, "space"),
    ] {
        assert_eq!(vec![Chord::of(KeyEvent::new(code, modifiers))], pressed(name));
    }
}

#[test]
fn the_most_specific_context_decides() {
    let keymap = Keymap::default();
    assert_eq!(
        find(&keymap, &[Empty, Composer, Panes, Global], "?"),
        Found::Action(Action::Help)
    );
    assert_eq!(find(&keymap, &[Composer, Panes, Global], "?"), Found::Nothing);
    assert_eq!(find(&keymap, &[Empty, Composer], "end"), Found::Action(Action::Follow));
    assert_eq!(find(&keymap, &[Composer], "end"), Found::Action(Action::End));
    assert_eq!(find(&keymap, &[Composer, Panes], "ctrl-x"), Found::Begun);
    assert_eq!(
        find(&keymap, &[Composer, Panes], "ctrl-x p"),
        Found::Action(Action::Palette)
    );
    assert_eq!(find(&keymap, &[Composer, Panes], "ctrl-x f9"), Found::Nothing);
}

#[test]
fn hints_are_what_can_follow() {
    let keymap = Keymap::default();
    let hints = keymap.hints(&[Composer, Panes, Global], &pressed("ctrl-x"));
    let palette = hints.iter().find(|(chord, _)| chord.to_string() == "p");
    assert_eq!(palette.map(|(_, action)| *action), Some(Some(Action::Palette)));
    for (chord, _) in &hints {
        let mut chords = pressed("ctrl-x");
        chords.push(*chord);
        assert_ne!(keymap.find(&[Composer, Panes, Global], &chords), Found::Nothing);
    }
}

/// A table in which a key never comes to its turn is wrong.
#[test]
fn no_default_key_has_two_meanings_or_hides_another() {
    let Keymap(all) = Keymap::default();
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let apart = a.context != b.context || !(a.chords.starts_with(&b.chords) || b.chords.starts_with(&a.chords));
            assert!(
                apart,
                "{}: {} is {:?} and {} is {:?}",
                a.context,
                written(&a.chords),
                a.action,
                written(&b.chords),
                b.action
            );
        }
    }
}

#[test]
fn every_action_has_one_row_and_a_name_of_its_own() {
    let all: Vec<_> = command::all().collect();
    for (i, a) in all.iter().enumerate() {
        let kebab = a.name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        assert!(kebab && !a.name.is_empty() && a.name != "none", "{:?}", a.name);
        for b in &all[i + 1..] {
            assert!(a.name != b.name && a.action != b.action, "{} is there twice", a.name);
        }
    }
}

#[test]
fn a_person_changes_keys() {
    let (keymap, errors) = Keymap::with(&own(&[
        ("conversation", "ctrl-x q", "quit"),
        ("composer", "ctrl-k", "none"),
        ("panes", "ctrl-x p", "help"),
    ]));
    assert_eq!(errors, []);
    assert_eq!(find(&keymap, &[Conversation], "ctrl-x q"), Found::Action(Action::Leave));
    assert_eq!(find(&keymap, &[Composer], "ctrl-k"), Found::Nothing);
    assert_eq!(find(&keymap, &[Panes], "ctrl-x p"), Found::Action(Action::Help));
    assert_eq!(
        keymap.keys_of(Action::Help).filter(|keys| keys == "Ctrl-X p").count(),
        1
    );
}

#[test]
fn mistakes_are_told_with_what_was_meant() {
    let (keymap, errors) = Keymap::with(&own(&[
        ("conversatoin", "a", "quit"),
        ("panes", "ctl-x", "quit"),
        ("panes", "f5", "reed-again"),
        ("panes", "f5", "hlep"),
        ("panes", "ctrl-x p p", "help"),
        ("panes", "f9", "help"),
        ("composer", "leader z", "help"),
    ]));
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        told[0],
        "c.toml:0:1: there is no context `conversatoin`; did you mean `conversation`?"
    );
    assert!(told[1].starts_with("c.toml:1:1: `ctl-x` is no key: write"), "{told:?}");
    assert_eq!(told[2], "c.toml:2:1: there is no action `reed-again`");
    assert_eq!(told[3], "c.toml:3:1: there is no action `hlep`; did you mean `help`?");
    assert!(told[4].contains("no leader in `composer`"), "{told:?}");
    assert_eq!(
        told[5],
        "c.toml:4:1: `Ctrl-X p p` would never be reached: `Ctrl-X p` means something already"
    );
    assert_eq!(find(&keymap, &[Panes], "f9"), Found::Action(Action::Help));
}

#[test]
fn the_leader_is_a_space_where_nothing_is_written() {
    let (keymap, errors) = Keymap::with(&own(&[("panes", "leader z", "quit")]));
    assert_eq!(errors, []);
    assert_eq!(
        find(&keymap, &[Conversation, Panes], "space z"),
        Found::Action(Action::Leave)
    );
    assert_eq!(
        find(&keymap, &[Composer, Panes], "ctrl-x z"),
        Found::Action(Action::Leave)
    );
    assert_eq!(find(&keymap, &[Composer, Panes], "space z"), Found::Nothing);
}

#[test]
fn what_is_printed_can_be_read_back() {
    let keymap = Keymap::default();
    let printed: Vec<_> = keymap.bindings().collect();
    let written: Vec<_> = printed
        .iter()
        .map(|bound| (bound.context, bound.keys.as_str(), bound.action))
        .collect();
    let (again, errors) = Keymap::with(&own(&written));
    assert_eq!(errors, []);
    for binding in keymap.0 {
        assert!(again.0.contains(&binding), "{binding:?}");
    }
}
