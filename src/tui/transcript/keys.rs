//! How the conversation is read and copied by keys: its part of the command table.

use super::super::command::{Action, Argument, Command, Group, Keys, command, slash};
use super::super::keymap::Context::{Composer, Conversation, Empty, Panes};
use super::super::select::Unit;

pub use super::reading::Motion;

const fn go(motion: Motion, name: &'static str, keys: Keys, help: &'static str) -> Command {
    command(Group::Reading, Action::Go(motion), name, keys, help)
}

use Motion as M;

pub const COMMANDS: &[Command] = &[
    go(
        M::Up,
        "cursor-up",
        &[(Conversation, "k"), (Conversation, "up")],
        "the cursor a row up",
    ),
    go(
        M::Down,
        "cursor-down",
        &[(Conversation, "j"), (Conversation, "down")],
        "a row down; at the last, follow what is new",
    ),
    go(
        M::Left,
        "cursor-left",
        &[(Conversation, "h"), (Conversation, "left")],
        "a character to the left",
    ),
    go(
        M::Right,
        "cursor-right",
        &[(Conversation, "l"), (Conversation, "right")],
        "a character to the right",
    ),
    go(
        M::NextWord,
        "cursor-next-word",
        &[(Conversation, "w"), (Conversation, "ctrl-right")],
        "to the next word",
    ),
    go(
        M::PreviousWord,
        "cursor-previous-word",
        &[(Conversation, "b"), (Conversation, "ctrl-left")],
        "to the word before",
    ),
    go(
        M::WordEnd,
        "cursor-word-end",
        &[(Conversation, "e")],
        "to the end of the word",
    ),
    go(
        M::RowStart,
        "cursor-row-start",
        &[(Conversation, "0")],
        "to the beginning of the row",
    ),
    go(
        M::RowText,
        "cursor-row-text",
        &[(Conversation, "^")],
        "to what the row begins with",
    ),
    go(
        M::RowEnd,
        "cursor-row-end",
        &[(Conversation, "$")],
        "to the end of the row",
    ),
    go(
        M::HalfUp,
        "cursor-half-up",
        &[(Conversation, "ctrl-u")],
        "half a page up",
    ),
    go(
        M::HalfDown,
        "cursor-half-down",
        &[(Conversation, "ctrl-d")],
        "half a page down",
    ),
    go(
        M::PageUp,
        "cursor-page-up",
        &[(Conversation, "pgup"), (Conversation, "ctrl-b")],
        "a page up",
    ),
    go(
        M::PageDown,
        "cursor-page-down",
        &[(Conversation, "pgdn"), (Conversation, "ctrl-f")],
        "a page down",
    ),
    go(
        M::ViewTop,
        "cursor-view-top",
        &[(Conversation, "H")],
        "to the first row in view",
    ),
    go(
        M::ViewMiddle,
        "cursor-view-middle",
        &[(Conversation, "M")],
        "to the middle of the view",
    ),
    go(
        M::ViewBottom,
        "cursor-view-bottom",
        &[(Conversation, "L")],
        "to the last row in view",
    ),
    go(
        M::PreviousBlock,
        "cursor-previous-block",
        &[(Conversation, "[")],
        "to the beginning of the block, or of the one before",
    ),
    go(
        M::NextBlock,
        "cursor-next-block",
        &[(Conversation, "]")],
        "to the next block",
    ),
    go(
        M::PreviousQuestion,
        "cursor-previous-question",
        &[(Conversation, "(")],
        "to the question before",
    ),
    go(
        M::NextQuestion,
        "cursor-next-question",
        &[(Conversation, ")")],
        "to the next question",
    ),
    go(
        M::Start,
        "cursor-start",
        &[(Conversation, "g g"), (Conversation, "home")],
        "to the beginning",
    ),
    go(
        M::End,
        "cursor-end",
        &[(Conversation, "G"), (Conversation, "end")],
        "to the end, and follow it",
    ),
    command(
        Group::Reading,
        Action::Select(Unit::Character),
        "select",
        &[(Conversation, "v")],
        "select from the cursor on (or drag); Esc drops it",
    ),
    command(
        Group::Reading,
        Action::Select(Unit::Word),
        "select-words",
        &[(Conversation, "ctrl-v")],
        "select words (or double-click)",
    ),
    command(
        Group::Reading,
        Action::Select(Unit::Line),
        "select-lines",
        &[(Conversation, "V")],
        "select lines (or triple-click)",
    ),
    command(
        Group::Reading,
        Action::SwapEnds,
        "swap-ends",
        &[(Conversation, "%")],
        "to the other end of what is selected",
    ),
    command(
        Group::Reading,
        Action::NextLink,
        "next-link",
        &[(Panes, "alt-n")],
        "select the next link to a document",
    ),
    command(
        Group::Reading,
        Action::PreviousLink,
        "previous-link",
        &[(Panes, "alt-p")],
        "select the link before",
    ),
    command(
        Group::Reading,
        Action::FollowLink,
        "follow-link",
        &[(Empty, "enter"), (Conversation, "enter")],
        "do what a click on the cursor would do: open a link, copy a web address, fold",
    ),
    command(
        Group::Reading,
        Action::LastCitation,
        "last-citation",
        &[(Panes, "f3"), (Panes, "ctrl-o")],
        "open what the last answer cites",
    ),
    slash(
        "copy",
        Argument::Optional("answer|code|block|trace|segment"),
        command(
            Group::Reading,
            Action::Copy,
            "copy",
            &[],
            "copy the answer, a code block, a block, the thinking or a segment of it",
        ),
    ),
    command(
        Group::Reading,
        Action::CopyAnswer,
        "copy-answer",
        &[(Panes, "leader y")],
        "copy the answer: the one that is read, else the last",
    ),
    command(
        Group::Reading,
        Action::CopyCode,
        "copy-code",
        &[(Panes, "leader k")],
        "copy the code block: the one under the cursor, else the last",
    ),
    command(
        Group::Reading,
        Action::CopyBlock,
        "copy-block",
        &[(Panes, "leader b")],
        "copy the block: the one under the cursor, else the last",
    ),
    command(
        Group::Reading,
        Action::CopySelection,
        "copy-selection",
        &[(Conversation, "y"), (Composer, "alt-w")],
        "copy what is selected, else the block under the cursor",
    ),
];
