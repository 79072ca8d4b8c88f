//! What can be done in the inspector: its part of the command table.

use super::super::command::{self, Action, Group, Keys};
use super::super::keymap::Context::Inspector;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Jump,
    Fold,
    Others,
    Filter,
    Earlier,
    Later,
    Close,
}

const fn row(inspect: Command, name: &'static str, keys: Keys, help: &'static str) -> command::Command {
    command::command(Group::Inspector, Action::Inspect(inspect), name, keys, help)
}

use Command as C;

pub const INSPECTOR: &[command::Command] = &[
    row(
        C::Down,
        "outline-down",
        &[(Inspector, "j"), (Inspector, "down"), (Inspector, "ctrl-n")],
        "a segment down",
    ),
    row(
        C::Up,
        "outline-up",
        &[(Inspector, "k"), (Inspector, "up"), (Inspector, "ctrl-p")],
        "a segment up",
    ),
    row(
        C::PageDown,
        "outline-page-down",
        &[(Inspector, "pgdn"), (Inspector, "ctrl-f"), (Inspector, "ctrl-d")],
        "a page down",
    ),
    row(
        C::PageUp,
        "outline-page-up",
        &[(Inspector, "pgup"), (Inspector, "ctrl-b"), (Inspector, "ctrl-u")],
        "a page up",
    ),
    row(
        C::First,
        "outline-first",
        &[(Inspector, "g"), (Inspector, "home")],
        "to the first segment",
    ),
    row(
        C::Last,
        "outline-last",
        &[(Inspector, "G"), (Inspector, "end")],
        "to the last segment",
    ),
    row(
        C::Jump,
        "outline-jump",
        &[(Inspector, "enter")],
        "show the segment in the conversation (or click on it)",
    ),
    row(
        C::Fold,
        "outline-fold",
        &[(Inspector, "o"), (Inspector, "z")],
        "fold the segment, or unfold it",
    ),
    row(
        C::Others,
        "outline-others",
        &[(Inspector, "f")],
        "fold all segments but this one",
    ),
    row(
        C::Filter,
        "outline-filter",
        &[(Inspector, "/")],
        "only segments whose title has what you write",
    ),
    row(
        C::Earlier,
        "map-earlier",
        &[(Inspector, "h"), (Inspector, "left")],
        "a column of the map back (or click in it)",
    ),
    row(
        C::Later,
        "map-later",
        &[(Inspector, "l"), (Inspector, "right")],
        "a column of the map on",
    ),
    row(C::Close, "inspector-close", &[(Inspector, "q")], "close the inspector"),
];
