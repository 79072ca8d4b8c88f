//! What can be done with sessions.

use super::super::command::Action as A;
use super::super::command::Argument::{None, Optional};
use super::super::command::Group::Asking;
use super::super::command::{Command, command, slash};
use super::super::keymap::Context::{Panes, Sessions};

pub const COMMANDS: &[Command] = &[
    slash(
        "rewind",
        Optional("TURN"),
        command(
            Asking,
            A::Rewind,
            "rewind",
            &[],
            "back to before the last question, or to after an earlier one",
        ),
    ),
    slash(
        "fork",
        Optional("TURN"),
        command(
            Asking,
            A::Fork,
            "fork",
            &[],
            "go on in another session, from the last question or an earlier one",
        ),
    ),
    slash(
        "branches",
        None,
        command(
            Asking,
            A::Branches,
            "branches",
            &[],
            "show all questions as a tree; /rewind and /fork take their numbers",
        ),
    ),
    slash(
        "sessions",
        None,
        command(
            Asking,
            A::Sessions,
            "sessions",
            &[(Panes, "f5"), (Panes, "leader j")],
            "find a session and go on with it",
        ),
    ),
    slash(
        "resume",
        Optional("SESSION"),
        command(
            Asking,
            A::Resume,
            "resume",
            &[],
            "go on with the session that is offered, or with another one",
        ),
    ),
    slash(
        "rename",
        Optional("TITLE"),
        command(
            Asking,
            A::RenameSession,
            "rename-session",
            &[],
            "give this session a title",
        ),
    ),
    slash(
        "tag",
        Optional("TAG…"),
        command(
            Asking,
            A::TagSession,
            "tag-session",
            &[],
            "give this session tags, instead of those that it has",
        ),
    ),
    command(
        Asking,
        A::PickTitle,
        "session-title",
        &[(Sessions, "alt-r")],
        "in the list of sessions: write another title",
    ),
    command(
        Asking,
        A::PickTags,
        "session-tags",
        &[(Sessions, "alt-t")],
        "in the list of sessions: write its tags",
    ),
    command(
        Asking,
        A::PickDelete,
        "session-delete",
        &[(Sessions, "alt-d"), (Sessions, "delete")],
        "in the list of sessions: delete it",
    ),
    command(
        Asking,
        A::PickUndo,
        "session-undo",
        &[(Sessions, "alt-u")],
        "in the list of sessions: bring back what was deleted last",
    ),
];
