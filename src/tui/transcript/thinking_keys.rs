//! What can be done with thinking where it is read: its part of the command table.

use super::super::command::{Action, Command, Group, command};
use super::super::keymap::Context::{Composer, Conversation, Empty, Inspector, Panes};

pub const COMMANDS: &[Command] = &[
    command(
        Group::Thinking,
        Action::CycleFold,
        "cycle-fold",
        &[(Composer, "tab"), (Panes, "ctrl-t"), (Conversation, "tab")],
        "fold or unfold thinking (or click on it)",
    ),
    command(
        Group::Thinking,
        Action::Outline,
        "outline",
        &[(Panes, "leader o")],
        "the outline of the thinking, to go to a part of it",
    ),
    command(
        Group::Thinking,
        Action::FoldSegment,
        "fold-segment",
        &[(Conversation, "z a"), (Conversation, "z o"), (Conversation, "z c")],
        "fold the segment that is read, or unfold it (or click on its ▾)",
    ),
    command(
        Group::Thinking,
        Action::FoldSegments,
        "fold-segments",
        &[(Conversation, "z M")],
        "fold all segments of the thinking",
    ),
    command(
        Group::Thinking,
        Action::UnfoldSegments,
        "unfold-segments",
        &[(Conversation, "z R")],
        "unfold all segments",
    ),
    command(
        Group::Thinking,
        Action::FoldOthers,
        "fold-others",
        &[(Conversation, "z x")],
        "fold all segments but the one that is read",
    ),
    command(
        Group::Thinking,
        Action::ThinkingDefault,
        "thinking-default",
        &[(Panes, "leader t")],
        "how much of all thinking shows: as usual, folded, a window, in full",
    ),
    command(
        Group::Thinking,
        Action::Heat,
        "heat",
        &[(Panes, "leader h")],
        "show how sure the model was of each token, or stop to",
    ),
    command(
        Group::Thinking,
        Action::SelectThinking,
        "select-thinking",
        &[(Panes, "shift-tab")],
        "select earlier thinking",
    ),
    command(
        Group::Thinking,
        Action::NextTurn,
        "next-turn",
        &[(Empty, "}"), (Conversation, "}")],
        "to the next place where a thought turns (↺)",
    ),
    command(
        Group::Thinking,
        Action::PreviousTurn,
        "previous-turn",
        &[(Empty, "{"), (Conversation, "{")],
        "to the place before where it turns",
    ),
    command(
        Group::Thinking,
        Action::ViewSegment,
        "view-segment",
        &[(Conversation, "z e"), (Inspector, "e")],
        "read the segment in your own editor (or /view segment)",
    ),
    command(
        Group::Thinking,
        Action::CopySegment,
        "copy-segment",
        &[(Conversation, "z y"), (Inspector, "y")],
        "copy the segment: the one that is read, or chosen in the outline",
    ),
    command(
        Group::Thinking,
        Action::CopyTrace,
        "copy-trace",
        &[(Conversation, "Y"), (Inspector, "Y")],
        "copy all of the thinking that is read",
    ),
];
