//! Two thoughts side by side by keys: their part of the command table.

use super::super::command::{Action, Argument, Command, Group, command, slash};
use super::super::keymap::Context::{Compare, Panes};

pub const COMMANDS: &[Command] = &[
    slash(
        "compare",
        Argument::Optional("N M"),
        command(
            Group::Reading,
            Action::Compare,
            "compare",
            &[(Panes, "leader m")],
            "two replies' thinking side by side, the newest two of a question",
        ),
    ),
    command(
        Group::Reading,
        Action::NextDifference,
        "next-difference",
        &[(Compare, "n")],
        "side by side: to the next difference",
    ),
    command(
        Group::Reading,
        Action::PreviousDifference,
        "previous-difference",
        &[(Compare, "N")],
        "side by side: to the difference before",
    ),
    command(
        Group::Reading,
        Action::CompareOther,
        "compare-other",
        &[(Compare, "tab"), (Compare, "shift-tab")],
        "side by side: the other side",
    ),
    command(
        Group::Reading,
        Action::CompareLeft,
        "compare-left",
        &[(Compare, "h"), (Compare, "left")],
        "side by side: the left side (Enter goes to the segment there)",
    ),
    command(
        Group::Reading,
        Action::CompareRight,
        "compare-right",
        &[(Compare, "l"), (Compare, "right")],
        "side by side: the right side",
    ),
];
