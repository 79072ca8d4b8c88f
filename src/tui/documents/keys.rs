//! What can be done in the documents pane, and what answers a change to the documents that is planned: their part of the
//! command table.

use super::super::command::{self, Action, Group, Keys};
use super::super::keymap::Context::{Documents, Plan};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Up,
    Down,
    PageUp,
    PageDown,
    HalfUp,
    HalfDown,
    First,
    Last,
    Fold,
    Unfold,
    Open,
    Mention,
    Filter,
    Sort,
    LeftOut,
    Mark,
    Unload,
    Include,
    Add,
    Reload,
    Back,
    Close,
}

/// An answer to a change that is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Apply,
    Forget,
    /// Takes in what has changed on the disk.
    Reload,
}

const fn row(pane: Command, name: &'static str, keys: Keys, help: &'static str) -> command::Command {
    command::command(Group::Pane, Action::Pane(pane), name, keys, help)
}

const fn answer(answer: Answer, name: &'static str, keys: Keys, help: &'static str) -> command::Command {
    command::command(Group::Plan, Action::Answer(answer), name, keys, help)
}

use Command as C;

pub const PANE: &[command::Command] = &[
    row(
        C::Down,
        "documents-down",
        &[(Documents, "j"), (Documents, "down"), (Documents, "ctrl-n")],
        "a row down",
    ),
    row(
        C::Up,
        "documents-up",
        &[(Documents, "k"), (Documents, "up"), (Documents, "ctrl-p")],
        "a row up",
    ),
    row(
        C::PageDown,
        "documents-page-down",
        &[(Documents, "pgdn"), (Documents, "ctrl-f")],
        "a page down",
    ),
    row(
        C::PageUp,
        "documents-page-up",
        &[(Documents, "pgup"), (Documents, "ctrl-b")],
        "a page up",
    ),
    row(
        C::HalfDown,
        "documents-half-down",
        &[(Documents, "ctrl-d")],
        "half a page down",
    ),
    row(
        C::HalfUp,
        "documents-half-up",
        &[(Documents, "ctrl-u")],
        "half a page up",
    ),
    row(
        C::First,
        "documents-first",
        &[(Documents, "g"), (Documents, "home")],
        "to the first row",
    ),
    row(
        C::Last,
        "documents-last",
        &[(Documents, "G"), (Documents, "end")],
        "to the last row",
    ),
    row(
        C::Fold,
        "documents-fold",
        &[(Documents, "h"), (Documents, "left")],
        "fold, or to the folder around",
    ),
    row(
        C::Unfold,
        "documents-unfold",
        &[(Documents, "l"), (Documents, "right")],
        "unfold, or into the folder",
    ),
    row(
        C::Open,
        "documents-open",
        &[(Documents, "enter")],
        "fold or unfold a folder; open a document",
    ),
    row(
        C::Mention,
        "documents-mention",
        &[(Documents, "@")],
        "name it in the question",
    ),
    row(
        C::Filter,
        "documents-filter",
        &[(Documents, "/")],
        "show only names with a text in them",
    ),
    row(
        C::Sort,
        "documents-sort",
        &[(Documents, "s")],
        "sort by tokens, or as the model reads them",
    ),
    row(
        C::LeftOut,
        "documents-left-out",
        &[(Documents, "x")],
        "show or hide what was left out",
    ),
    row(C::Mark, "documents-mark", &[(Documents, "space")], "mark"),
    row(
        C::Unload,
        "documents-unload",
        &[(Documents, "d"), (Documents, "delete")],
        "take out what is marked or under the cursor",
    ),
    row(
        C::Include,
        "documents-include",
        &[(Documents, "i")],
        "take in what was left out",
    ),
    row(C::Add, "documents-add", &[(Documents, "a")], "load something besides"),
    row(
        C::Reload,
        "documents-reload",
        &[(Documents, "r")],
        "read again what has changed",
    ),
    row(
        C::Back,
        "documents-back",
        &[(Documents, "esc"), (Documents, "tab")],
        "back to the question",
    ),
    row(C::Close, "documents-close", &[(Documents, "q")], "close the documents"),
];

pub const ANSWERS: &[command::Command] = &[
    answer(
        Answer::Apply,
        "plan-apply",
        &[(Plan, "enter"), (Plan, "y")],
        "make the change that is planned",
    ),
    answer(
        Answer::Forget,
        "plan-forget",
        &[(Plan, "esc"), (Plan, "n")],
        "forget it",
    ),
    answer(
        Answer::Reload,
        "plan-reload",
        &[(Plan, "r")],
        "reload what has changed on the disk",
    ),
];
