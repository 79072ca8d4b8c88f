//! Searching by keys: its part of the command table.

use super::super::command::{Action, Argument, Command, Group, command, slash};
use super::super::keymap::Context::{Conversation, Panes, Search};

pub const COMMANDS: &[Command] = &[
    slash(
        "search",
        Argument::Optional("PATTERN"),
        command(
            Group::Reading,
            Action::Search,
            "search",
            &[(Panes, "leader /"), (Conversation, "/")],
            "search what was said, and the documents",
        ),
    ),
    command(
        Group::Reading,
        Action::NextMatch,
        "next-match",
        &[(Conversation, "n")],
        "the next match",
    ),
    command(
        Group::Reading,
        Action::PreviousMatch,
        "previous-match",
        &[(Conversation, "N")],
        "the match before",
    ),
    command(
        Group::Reading,
        Action::SearchScope,
        "search-scope",
        &[(Search, "tab")],
        "while searching: search elsewhere (answers, traces, documents)",
    ),
    command(
        Group::Reading,
        Action::SearchScopeBack,
        "search-scope-back",
        &[(Search, "shift-tab")],
        "while searching: where it was searched before",
    ),
];
