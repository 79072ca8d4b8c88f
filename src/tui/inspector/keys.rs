//! What can be done in the inspector and in the ledger: their parts of the command table.

use super::super::command::{self, Action, Argument, Group, Keys, command, slash};
use super::super::keymap::Context::{Inspector, Ledger, Panes};

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
    command(Group::Inspector, Action::Inspect(inspect), name, keys, help)
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

/// In the table of all thinking.
pub const LEDGER: &[command::Command] = &[
    slash(
        "ledger",
        Argument::None,
        command(
            Group::Reading,
            Action::Ledger,
            "ledger",
            &[(Panes, "leader l")],
            "all thinking as a table, to sort and to go to",
        ),
    ),
    command(
        Group::Reading,
        Action::LedgerSort,
        "ledger-sort",
        &[(Ledger, "s"), (Ledger, "right"), (Ledger, "l")],
        "in the ledger: sort by the next column (or click on it)",
    ),
    command(
        Group::Reading,
        Action::LedgerReverse,
        "ledger-reverse",
        &[(Ledger, "S"), (Ledger, "r")],
        "in the ledger: the other way round",
    ),
    command(
        Group::Reading,
        Action::LedgerMark,
        "ledger-mark",
        &[(Ledger, "m")],
        "in the ledger: mark a thought; on another one, compare the two",
    ),
];
